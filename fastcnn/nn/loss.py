"""nn.loss: losses as layers."""

from __future__ import annotations

from .. import ops
from ..autograd import Tensor
from . import functional
from .module import Module


class _Loss(Module):
    """A loss with a reduction: "mean", "sum" or "none"."""

    def __init__(self, *, reduction="mean"):
        self.reduction = reduction

    def extra_repr(self) -> str:
        return f"reduction={self.reduction!r}"


class _WeightedLoss(_Loss):
    """A loss with a weight for each class, a buffer that is saved with the state."""

    weight: Tensor | None

    def __init__(self, weight=None, *, reduction="mean"):
        super().__init__(reduction=reduction)
        self.register_buffer("weight", weight)


class CrossEntropyLoss(_WeightedLoss):
    """Softmax cross-entropy of class numbers or probabilities; options as `ops.cross_entropy`. [Szegedy2016]"""

    def __init__(self, weight=None, *, ignore_index=-100, reduction="mean", label_smoothing=0.0):
        super().__init__(weight, reduction=reduction)
        self.ignore_index, self.label_smoothing = ignore_index, label_smoothing

    def forward(self, x, target):
        options = {"label_smoothing": self.label_smoothing, "ignore_index": self.ignore_index}
        return ops.cross_entropy(x, target, self.weight, reduction=self.reduction, **options)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, label_smoothing={self.label_smoothing}"


class NLLLoss(_WeightedLoss):
    """Negative log-likelihood of class numbers, from log-probabilities; options as `ops.nll_loss`."""

    def __init__(self, weight=None, *, ignore_index=-100, reduction="mean"):
        super().__init__(weight, reduction=reduction)
        self.ignore_index = ignore_index

    def forward(self, x, target):
        return ops.nll_loss(x, target, self.weight, ignore_index=self.ignore_index, reduction=self.reduction)


class MSELoss(_Loss):
    """Squared error; `ops.mse_loss`."""

    def forward(self, x, target):
        return ops.mse_loss(x, target, reduction=self.reduction)


class L1Loss(_Loss):
    """Absolute error; `ops.l1_loss`."""

    def forward(self, x, target):
        return ops.l1_loss(x, target, reduction=self.reduction)


class SmoothL1Loss(_Loss):
    """Squared error near zero, absolute beyond `beta`; `ops.smooth_l1_loss`. [Girshick2015]"""

    def __init__(self, *, reduction="mean", beta=1.0):
        super().__init__(reduction=reduction)
        self.beta = beta

    def forward(self, x, target):
        return ops.smooth_l1_loss(x, target, reduction=self.reduction, beta=self.beta)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, beta={self.beta}"


class HuberLoss(_Loss):
    """Squared error near zero, linear beyond `delta`; `ops.huber_loss`. [Huber1964]"""

    def __init__(self, *, reduction="mean", delta=1.0):
        super().__init__(reduction=reduction)
        self.delta = delta

    def forward(self, x, target):
        return ops.huber_loss(x, target, reduction=self.reduction, delta=self.delta)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, delta={self.delta}"


class BCEWithLogitsLoss(_WeightedLoss):
    """Cross-entropy of independent yes/no questions, from logits; options as `ops.binary_cross_entropy_with_logits`."""

    pos_weight: Tensor | None

    def __init__(self, weight=None, *, reduction="mean", pos_weight=None):
        super().__init__(weight, reduction=reduction)
        self.register_buffer("pos_weight", pos_weight)

    def forward(self, x, target):
        options = {"reduction": self.reduction, "pos_weight": self.pos_weight}
        return ops.binary_cross_entropy_with_logits(x, target, self.weight, **options)


class KLDivLoss(_Loss):
    """Kullback-Leibler divergence from log-probabilities; options as `ops.kl_div`. [Kullback1951]"""

    def __init__(self, *, reduction="mean", log_target=False):
        super().__init__(reduction=reduction)
        self.log_target = log_target

    def forward(self, x, target):
        return ops.kl_div(x, target, reduction=self.reduction, log_target=self.log_target)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, log_target={self.log_target}"


class DistillationLoss(Module):
    """Distance to a teacher's softened probabilities mixed with cross-entropy; `functional.distillation_loss`. [Hinton2015]"""

    def __init__(self, temperature=4.0, alpha=0.9, *, label_smoothing=0.0):
        self.temperature, self.alpha, self.label_smoothing = temperature, alpha, label_smoothing

    def forward(self, x, teacher, target=None):
        options = {"temperature": self.temperature, "alpha": self.alpha, "label_smoothing": self.label_smoothing}
        return functional.distillation_loss(x, teacher, target, **options)

    def extra_repr(self) -> str:
        return f"temperature={self.temperature}, alpha={self.alpha}"
