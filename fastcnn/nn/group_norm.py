"""nn.group_norm: norms that do not depend on the batch. Papers: [Wu2018], [Ba2016]."""

from __future__ import annotations

import numpy as np

from ..errors import ArgumentError
from ..ops import group_norm, layer_norm
from .conv import positive
from .module import Module
from .parameter import Parameter


class GroupNorm(Module):
    """Normalise groups of channels of each image; `ops.group_norm`. [Wu2018]

    Parameters
    ----------
    num_groups, num_channels : int
        The first divides the second.
    eps : float
    affine : bool
        Have `weight` (starts at 1) and `bias` (starts at 0), one for each channel.
    """

    def __init__(self, num_groups, num_channels, eps=1e-5, affine=True):
        self.num_groups = positive("GroupNorm", "num_groups", num_groups)
        self.num_channels = positive("GroupNorm", "num_channels", num_channels)
        if num_channels % num_groups:
            raise ArgumentError(f"GroupNorm: num_groups={num_groups} must divide num_channels={num_channels}")
        self.eps, self.affine = eps, bool(affine)
        self.weight = Parameter(np.ones(num_channels, dtype=np.float32)) if affine else None
        self.bias = Parameter(np.zeros(num_channels, dtype=np.float32)) if affine else None

    def forward(self, x):
        return group_norm(x, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}"


class LayerNorm(Module):
    """Normalise over the last axes; `ops.layer_norm`. [Ba2016]

    Parameters
    ----------
    normalized_shape : int or tuple of int
        The last sizes of x.
    eps : float
    elementwise_affine : bool
        Have `weight` (starts at 1) and `bias` (starts at 0) of `normalized_shape`.
    bias : bool
        False: no `bias`.
    """

    def __init__(self, normalized_shape, eps=1e-5, elementwise_affine=True, bias=True):
        sizes = normalized_shape if isinstance(normalized_shape, (tuple, list)) else (normalized_shape,)
        self.normalized_shape = tuple(positive("LayerNorm", "normalized_shape", size) for size in sizes)
        self.eps, self.elementwise_affine = eps, bool(elementwise_affine)
        self.weight = Parameter(np.ones(self.normalized_shape, dtype=np.float32)) if elementwise_affine else None
        self.bias = Parameter(np.zeros(self.normalized_shape, dtype=np.float32)) if elementwise_affine and bias else None

    def forward(self, x):
        return layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"
