"""nn.loss: losses as layers."""

from __future__ import annotations

from ..ops import cross_entropy
from .module import Module


class CrossEntropyLoss(Module):
    """Softmax cross-entropy of class numbers; options as `ops.cross_entropy`."""

    def __init__(self, *, ignore_index=-100, reduction="mean", label_smoothing=0.0):
        self.ignore_index, self.reduction, self.label_smoothing = ignore_index, reduction, label_smoothing

    def forward(self, x, target):
        return cross_entropy(
            x, target, reduction=self.reduction, label_smoothing=self.label_smoothing, ignore_index=self.ignore_index
        )

    def extra_repr(self) -> str:
        return f"reduction={self.reduction!r}, label_smoothing={self.label_smoothing}"
