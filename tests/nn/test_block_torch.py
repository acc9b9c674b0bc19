"""tests.nn.test_block_torch: blocks and the distillation loss, which PyTorch lacks, against PyTorch's parts put together."""

from __future__ import annotations

import numpy as np
import pytest

import fastcnn.nn.functional as F
from fastcnn import Tensor, nn

from ..ops.draws import real

torch = pytest.importorskip("torch")
TF = torch.nn.functional


class Scaled(torch.nn.Module):
    """x times the result of a stack of modules."""

    def __init__(self, *modules):
        super().__init__()
        self.stack = torch.nn.Sequential(*modules)

    def forward(self, x):
        return x * self.stack(x)


def convolution(ci, co, *args, **options):
    return torch.nn.Conv2d(ci, co, *args, **options)


def separable(stride, bias):
    return torch.nn.Sequential(
        *(convolution(4, 4, 3, stride, 1, groups=4, bias=bias), torch.nn.BatchNorm2d(4), torch.nn.ReLU()),
        *(convolution(4, 6, 1, bias=bias), torch.nn.BatchNorm2d(6), torch.nn.ReLU()),
    )


ROWS = {
    "squeeze": (
        lambda: nn.SqueezeExcitation(4, 2),
        lambda: Scaled(
            *(torch.nn.AdaptiveAvgPool2d(1), convolution(4, 2, 1), torch.nn.ReLU()), convolution(2, 4, 1), torch.nn.Sigmoid()
        ),
    ),
    "squeeze_hard": (
        lambda: nn.SqueezeExcitation(4, 2, nn.SiLU, nn.Hardsigmoid),
        lambda: Scaled(
            *(torch.nn.AdaptiveAvgPool2d(1), convolution(4, 2, 1), torch.nn.SiLU()), convolution(2, 4, 1), torch.nn.Hardsigmoid()
        ),
    ),
    "separable": (lambda: nn.DepthwiseSeparable(4, 6), lambda: separable(1, False)),
    "separable_strided": (lambda: nn.DepthwiseSeparable(4, 6, stride=2), lambda: separable(2, False)),
}


@pytest.mark.parametrize(("mine", "other"), ROWS.values(), ids=ROWS)
def test_blocks(mine, other):
    ours, theirs = mine().double(), other().double()
    values = [value.numpy() for value in ours.state_dict().values()]
    keys = list(theirs.state_dict())
    theirs.load_state_dict({key: torch.tensor(np.array(value)) for key, value in zip(keys, values, strict=True)})
    x = real(2, 4, 5, 6)
    a, b = Tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    y, z = ours(a), theirs(b)
    np.testing.assert_allclose(y.data, z.detach().numpy(), rtol=1e-9, atol=1e-11)
    direction = real(*y.shape, seed=1)
    y.backward(direction)
    z.backward(torch.from_numpy(direction))
    # PyTorch's gradient of hardsigmoid is a float32 nearest to 1 / 6, in float64 too
    np.testing.assert_allclose(a.grad.data, b.grad.numpy(), rtol=1e-6, atol=1e-9)
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(p.grad.data, q.grad.numpy(), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("shape", [(5, 4), (2, 4, 3, 2)])
@pytest.mark.parametrize("options", [{}, {"temperature": 2.0, "alpha": 0.3}, {"alpha": 0.5, "label_smoothing": 0.1}])
def test_distillation(shape, options):
    x, teacher, target = real(*shape), real(*shape, seed=1), np.random.default_rng(2).integers(0, 4, shape[:1] + shape[2:])
    a, b = Tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    temperature, alpha = options.get("temperature", 4.0), options.get("alpha", 0.9)
    far = TF.kl_div(
        TF.log_softmax(b / temperature, 1),
        TF.log_softmax(torch.tensor(teacher) / temperature, 1),
        reduction="sum",
        log_target=True,
    ) * (temperature**2 * shape[1] / x.size)
    near = TF.cross_entropy(b, torch.from_numpy(target), label_smoothing=options.get("label_smoothing", 0.0))
    loss, want = F.distillation_loss(a, teacher, target, **options), alpha * far + (1 - alpha) * near
    assert loss.item() == pytest.approx(want.item(), rel=1e-9)
    loss.backward()
    want.backward()
    np.testing.assert_allclose(a.grad.data, b.grad.numpy(), rtol=1e-8, atol=1e-12)
