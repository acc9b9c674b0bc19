"""nn.upsample: images resized, as a layer."""

from __future__ import annotations

from ..ops import interpolate
from .module import Module


class Upsample(Module):
    """Resize images to `size`, or by `scale_factor`; arguments as `ops.interpolate`."""

    def __init__(self, size=None, scale_factor=None, mode="nearest", align_corners=None):
        self.size, self.scale_factor, self.mode, self.align_corners = size, scale_factor, mode, align_corners

    def forward(self, x):
        return interpolate(x, self.size, self.scale_factor, self.mode, self.align_corners)

    def extra_repr(self) -> str:
        target = f"size={self.size}" if self.scale_factor is None else f"scale_factor={self.scale_factor}"
        return f"{target}, mode={self.mode!r}"
