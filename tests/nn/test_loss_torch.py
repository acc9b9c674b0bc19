"""tests.nn.test_loss_torch: every loss and its gradients against PyTorch, in float64."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import fastcnn.nn.functional as F
from fastcnn import Tensor, nn

from ..ops.draws import positive, real

torch = pytest.importorskip("torch")
TF = torch.nn.functional
LAYERS = (
    "BCEWithLogitsLoss", "CrossEntropyLoss", "HuberLoss", "KLDivLoss", "L1Loss", "MSELoss", "NLLLoss", "SmoothL1Loss",
)  # fmt: skip


def theirs(value):
    return torch.from_numpy(value) if isinstance(value, np.ndarray) else value


def compare(name, x, target, **options):
    """Equal losses, and equal gradients of x (and of a floating-point target) for a random projection."""
    soft = target.dtype.kind == "f"
    a, b = Tensor(x, requires_grad=True), Tensor(target, requires_grad=soft)
    c, d = torch.tensor(x, requires_grad=True), torch.tensor(target, requires_grad=soft)
    y, z = getattr(F, name)(a, b, **options), getattr(TF, name)(c, d, **{k: theirs(v) for k, v in options.items()})
    np.testing.assert_allclose(y.data, z.detach().numpy(), rtol=1e-9, atol=1e-12)
    direction = np.random.default_rng(5).standard_normal(y.shape)
    y.backward(direction)
    z.backward(torch.from_numpy(np.asarray(direction)))
    np.testing.assert_allclose(a.grad.data, c.grad.numpy(), rtol=1e-8, atol=1e-12)
    if soft:
        np.testing.assert_allclose(b.grad.data, d.grad.numpy(), rtol=1e-8, atol=1e-12)


every_reduction = pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
CLASSES = {
    "plain": {},
    "weight": {"weight": positive(4)},
    "smoothed": {"label_smoothing": 0.1},
    "weight_smoothed": {"weight": positive(4), "label_smoothing": 0.3},
    "ignored": {"ignore_index": 2},
    "all": {"weight": positive(4), "label_smoothing": 0.3, "ignore_index": 2},
}


@every_reduction
@pytest.mark.parametrize("shape", [(5, 4), (2, 4, 3, 2), (4,)])
@pytest.mark.parametrize("name", CLASSES)
def test_cross_entropy_and_nll(name, shape, reduction):
    options = {**CLASSES[name], "reduction": reduction}
    target = np.random.default_rng(3).integers(0, 4, shape[:1] + shape[2:] if len(shape) > 1 else ())
    if target.ndim:
        target.flat[:2] = (2, 0)
    elif "ignore_index" in options:
        target = np.array(1)
    target = np.asarray(target)
    compare("cross_entropy", real(*shape), target, **options)
    if "label_smoothing" not in options:
        compare("nll_loss", real(*shape), target, **options)


@every_reduction
@pytest.mark.parametrize("name", ["plain", "weight", "smoothed", "weight_smoothed"])
@pytest.mark.parametrize("shape", [(5, 4), (2, 4, 3, 2)])
def test_cross_entropy_of_probabilities(shape, name, reduction):
    compare("cross_entropy", real(*shape), positive(*shape, seed=2) / 4, reduction=reduction, **CLASSES[name])


@every_reduction
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("mse_loss", {}),
        ("l1_loss", {}),
        ("smooth_l1_loss", {}),
        ("smooth_l1_loss", {"beta": 0.3}),
        ("smooth_l1_loss", {"beta": 0.0}),
        ("huber_loss", {"delta": 0.7}),
    ],
)
def test_losses_of_a_difference(name, options, reduction):
    x, target = real(3, 4, 5), real(3, 4, 5, seed=1)
    target[0] = x[0]
    compare(name, x, target, reduction=reduction, **options)


@every_reduction
def test_binary_cross_entropy_with_logits(reduction):
    x, target = 5 * real(3, 4), positive(3, 4) / 2
    for options in (
        {},
        {"weight": positive(3, 4)},
        {"pos_weight": positive(4)},
        {"weight": positive(4), "pos_weight": positive(4)},
    ):
        compare("binary_cross_entropy_with_logits", x, target, reduction=reduction, **options)


@pytest.mark.parametrize("log_target", [False, True])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none", "batchmean"])
def test_kl_div(reduction, log_target):
    compare("kl_div", real(3, 4), positive(3, 4), reduction=reduction, log_target=log_target)


@pytest.mark.parametrize("name", LAYERS)
def test_arguments_have_pytorch_names_and_defaults(name):
    ours, others = (inspect.signature(getattr(module, name)).parameters for module in (nn, torch.nn))
    for key, parameter in ours.items():
        assert parameter.default == others[key].default, f"{name}({key})"
    assert set(others) - set(ours) <= {"size_average", "reduce"}
