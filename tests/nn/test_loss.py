"""tests.nn.test_loss: the loss layers are their operations with options; distillation."""

from __future__ import annotations

import numpy as np
import pytest

import fastcnn.nn.functional as F
from fastcnn import Tensor, gradcheck, nn
from fastcnn.errors import ArgumentError, DtypeError, ShapeError

from ..ops.draws import distinct, real

LABELS = np.array([0, 3, 1, 1, 2])
SOFT = np.eye(4)[LABELS] * 0.7 + 0.075
W = np.arange(1.0, 5)
# Layer, target, the same by the function, line of repr.
ROWS = [
    (nn.CrossEntropyLoss(), LABELS, F.cross_entropy, "CrossEntropyLoss(reduction='mean', label_smoothing=0.0)"),
    (
        nn.CrossEntropyLoss(W, ignore_index=1, reduction="sum", label_smoothing=0.1),
        LABELS,
        lambda x, t: F.cross_entropy(x, t, W, ignore_index=1, reduction="sum", label_smoothing=0.1),
        "CrossEntropyLoss(reduction='sum', label_smoothing=0.1)",
    ),
    (nn.CrossEntropyLoss(), SOFT, F.cross_entropy, "CrossEntropyLoss(reduction='mean', label_smoothing=0.0)"),
    (nn.NLLLoss(W), LABELS, lambda x, t: F.nll_loss(x, t, W), "NLLLoss(reduction='mean')"),
    (nn.MSELoss(), SOFT, F.mse_loss, "MSELoss(reduction='mean')"),
    (nn.L1Loss(reduction="none"), SOFT, lambda x, t: F.l1_loss(x, t, reduction="none"), "L1Loss(reduction='none')"),
    (
        nn.SmoothL1Loss(beta=0.5),
        SOFT,
        lambda x, t: F.smooth_l1_loss(x, t, beta=0.5),
        "SmoothL1Loss(reduction='mean', beta=0.5)",
    ),
    (nn.HuberLoss(delta=2.0), SOFT, lambda x, t: F.huber_loss(x, t, delta=2.0), "HuberLoss(reduction='mean', delta=2.0)"),
    (
        nn.BCEWithLogitsLoss(pos_weight=W),
        SOFT,
        lambda x, t: F.binary_cross_entropy_with_logits(x, t, pos_weight=W),
        "BCEWithLogitsLoss(reduction='mean')",
    ),
    (
        nn.KLDivLoss(reduction="batchmean"),
        SOFT,
        lambda x, t: F.kl_div(x, t, reduction="batchmean"),
        "KLDivLoss(reduction='batchmean', log_target=False)",
    ),
]


@pytest.mark.parametrize(("layer", "target", "function", "text"), ROWS, ids=[f"{i}-{row[3]}" for i, row in enumerate(ROWS)])
def test_layer_is_the_function(layer, target, function, text):
    x = distinct(5, 4)
    assert repr(layer) == text
    np.testing.assert_array_equal(layer(x, target).data, function(x, target).data)
    assert gradcheck(lambda x: layer(x, target), x)


def test_weights_are_saved_and_converted():
    layer = nn.BCEWithLogitsLoss(np.ones(3), pos_weight=np.ones(3))
    assert list(layer.state_dict()) == ["weight", "pos_weight"] and not list(layer.parameters())
    assert layer.float().pos_weight.dtype == np.float32
    assert not nn.CrossEntropyLoss().state_dict()


@pytest.mark.parametrize("shape", [(5, 4), (2, 4, 3, 2)])
@pytest.mark.parametrize(("temperature", "alpha"), [(1, 0.5), (4.0, 1.0), (2.5, 0.0)])
def test_distillation(shape, temperature, alpha):
    x, teacher = real(*shape), real(*shape, seed=1)
    target = np.random.default_rng(0).integers(0, 4, shape[:1] + shape[2:])
    layer = nn.DistillationLoss(temperature, alpha)
    assert gradcheck(lambda x: layer(x, teacher, target), x)
    p, q = (np.exp(a / temperature) / np.exp(a / temperature).sum(axis=1, keepdims=True) for a in (x, teacher))
    soft = (q * (np.log(q) - np.log(p))).sum() / (x.size / 4) * temperature**2
    hard = F.cross_entropy(x, target).item()
    assert layer(x, teacher, target).item() == pytest.approx(alpha * soft + (1 - alpha) * hard, rel=1e-10)
    assert repr(layer) == f"DistillationLoss(temperature={temperature}, alpha={alpha})"


def test_the_teacher_gets_no_gradient():
    x, teacher = Tensor(real(3, 2), requires_grad=True), Tensor(real(3, 2, seed=1), requires_grad=True)
    F.distillation_loss(x, teacher, alpha=1.0).backward()
    assert teacher.grad is None and x.grad is not None


def test_bad_distillation():
    x = np.ones((2, 3))
    for options, text in (
        ({"alpha": 1.5}, "alpha must be between 0 and 1, got 1.5"),
        ({"temperature": 0}, "temperature must be above 0, got 0"),
        ({}, "target is needed when alpha is below 1"),
    ):
        with pytest.raises(ArgumentError, match=f"^distillation_loss: {text}"):
            F.distillation_loss(x, x, **options)
    with pytest.raises(ShapeError, match=r"^distillation_loss: x and teacher must be .* alike, got x.shape=\(2, 3\), teacher"):
        F.distillation_loss(x, x[:1], [0, 1])
    with pytest.raises(DtypeError, match=r"^distillation_loss: x and teacher must have the same dtype"):
        F.distillation_loss(x, x.astype(np.float32), [0, 1])
