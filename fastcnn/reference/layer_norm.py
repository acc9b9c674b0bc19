"""reference.layer_norm: normalisation of rows, or of `groups` equal parts of each. [Ba2016]

y = weight * xhat + bias, xhat = (x - mean) * rstd, rstd = 1 / sqrt(var + eps), with the mean and the biased variance of each
part. x is (rows, values); weight and bias have shape (values,) or are None.
"""

from __future__ import annotations

from .group_norm import group_norm_backward, group_norm_forward


def layer_norm_forward(x, weight, bias, eps, groups=1):
    """Return (y, mean, rstd); mean and rstd have shape (rows, groups)."""
    return group_norm_forward(x, groups, weight, bias, eps)


def layer_norm_backward(dy, x, weight, mean, rstd, groups=1):
    """Return (dx, dweight, dbias); `mean` and `rstd` are those of the forward pass."""
    return group_norm_backward(dy, x, groups, weight, mean, rstd)
