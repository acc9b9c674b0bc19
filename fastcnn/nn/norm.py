"""nn.norm: batch normalisation layers. Papers: [Ioffe2015]."""

from __future__ import annotations

import numpy as np

from ..autograd import Tensor, is_recomputing
from ..errors import ShapeError
from ..kernels.elementwise import count_up
from ..ops import batch_norm
from .conv import positive
from .module import Module
from .parameter import Parameter


class _BatchNorm(Module):
    """State and forward of both layers; they differ in the rank of x."""

    axes = 0
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def __init__(self, num_features, eps=1e-5, momentum=0.1, affine=True, track_running_stats=True):
        name = type(self).__name__
        self.num_features = positive(name, "num_features", num_features)
        self.eps, self.momentum, self.affine, self.track_running_stats = eps, momentum, affine, track_running_stats
        self.weight = Parameter(np.ones(num_features, dtype=np.float32)) if affine else None
        self.bias = Parameter(np.zeros(num_features, dtype=np.float32)) if affine else None
        self.register_buffer("running_mean", np.zeros(num_features, dtype=np.float32) if track_running_stats else None)
        self.register_buffer("running_var", np.ones(num_features, dtype=np.float32) if track_running_stats else None)
        self.register_buffer("num_batches_tracked", np.zeros((), dtype=np.int64) if track_running_stats else None)

    def forward(self, x, ceiling=None, residual=None, moments=None, pool=None):
        if isinstance(x, Tensor) and x.data.ndim != self.axes:
            raise ShapeError(
                f"{type(self).__name__}: x must have {self.axes} axes (batch, channels, ...), got x.shape={x.data.shape}"
            )
        seen = self.num_batches_tracked
        if self.training and seen is not None and not is_recomputing():
            count_up(seen.data)
        return batch_norm(
            x,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or self.running_mean is None,
            1.0 if self.momentum is None else self.momentum,
            self.eps,
            batches=seen if self.momentum is None else None,
            ceiling=ceiling,
            residual=residual,
            moments=moments,
            pool=pool,
        )

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"track_running_stats={self.track_running_stats}"
        )


class BatchNorm2d(_BatchNorm):
    """y = weight * (x - mean) / sqrt(var + eps) + bias for each channel of images. [Ioffe2015]

    In training mean and variance are those of the batch, and running averages of them are kept for evaluation.

    Parameters
    ----------
    num_features : int
        Channels of x, (batch, channels, height, width).
    eps : float
    momentum : float or None
        Weight of the newest batch in the running averages; None averages all batches equally.
    affine : bool
        Have `weight` (starts at 1) and `bias` (starts at 0).
    track_running_stats : bool
        False: use the statistics of the batch in evaluation too.
    """

    axes = 4


class BatchNorm1d(_BatchNorm):
    """`BatchNorm2d` for x of shape (batch, channels)."""

    axes = 2
