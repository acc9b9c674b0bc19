"""tests.ops.test_ops_torch: every op's result and gradients against PyTorch, in float64."""

from __future__ import annotations

import numpy as np
import pytest

import fastcnn.nn.functional as F
from fastcnn import Tensor, ops

from ..cases import CONV2D_BASIC
from .draws import distinct, positive, real
from .test_avg_pool2d import ROWS as AVG_ROWS
from .test_max_pool2d import ROWS as MAX_ROWS

torch = pytest.importorskip("torch")
TF = torch.nn.functional


def compare(ours, theirs, *arrays, rtol=1e-9):
    """Equal results, and equal gradients of a random projection, for float64 inputs."""
    mine = [Tensor(a.copy(order="K"), requires_grad=True) for a in arrays]
    others = [torch.tensor(np.ascontiguousarray(a), requires_grad=True) for a in arrays]
    y, z = ours(*mine), theirs(*others)
    np.testing.assert_allclose(y.data, z.detach().numpy(), rtol=rtol, atol=1e-11)
    direction = np.random.default_rng(9).standard_normal(y.shape)
    y.backward(direction)
    z.backward(torch.from_numpy(np.asarray(direction)))
    for a, b in zip(mine, others, strict=True):
        np.testing.assert_allclose(a.grad.data, b.grad.numpy(), rtol=rtol, atol=1e-11)


@pytest.mark.parametrize("name", [n for n, case in CONV2D_BASIC.items() if case.pt == case.pb and case.pl == case.pr])
def test_conv2d(name):
    case = CONV2D_BASIC[name]
    options = {"stride": (case.sh, case.sw), "padding": (case.pt, case.pl), "dilation": (case.dh, case.dw), "groups": case.groups}
    arrays = real(*case.x_shape), real(*case.w_shape, seed=1), real(case.co, seed=2)
    compare(lambda x, w, b: ops.conv2d(x, w, b, **options), lambda x, w, b: TF.conv2d(x, w, b, **options), *arrays)


TRANSPOSED = [
    {},
    {"stride": 2, "padding": 1, "output_padding": 1},
    {"stride": (3, 1), "padding": (0, 2), "dilation": (2, 3)},
    {"groups": 3},
    {"dilation": 3, "output_padding": 2},
]


@pytest.mark.parametrize("options", TRANSPOSED)
def test_conv_transpose2d(options):
    groups = options.get("groups", 1)
    arrays = real(2, 6, 5, 4), real(6, 9 // groups, 3, 3, seed=1), real(9, seed=2)
    compare(
        lambda x, w, b: ops.conv_transpose2d(x, w, b, **options), lambda x, w, b: TF.conv_transpose2d(x, w, b, **options), *arrays
    )


@pytest.mark.parametrize("size", [1, 2, 3, 5, 9])
def test_local_response_norm(size):
    options = {"alpha": 0.3, "beta": 0.6, "k": 1.5}
    compare(
        lambda x: F.local_response_norm(x, size, **options),
        lambda x: TF.local_response_norm(x, size, **options),
        real(2, 6, 3, 4),
    )


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
def test_pad_modes(mode):
    compare(lambda x: F.pad(x, (2, 1, 0, 3), mode), lambda x: TF.pad(x, (2, 1, 0, 3), mode), real(2, 3, 4, 5))


def test_conv2d_same_padding():
    arrays = real(2, 3, 7, 6), real(4, 3, 4, 2, seed=1)
    compare(lambda x, w: ops.conv2d(x, w, padding="same"), lambda x, w: TF.conv2d(x, w, padding="same"), *arrays)


@pytest.mark.parametrize(("shape", "options"), [row for name, row in MAX_ROWS.items() if name != "batch_0"])
def test_max_pool2d(shape, options):
    compare(lambda x: F.max_pool2d(x, **options), lambda x: TF.max_pool2d(x, **options), distinct(*shape))


@pytest.mark.parametrize(("shape", "options"), [row for name, row in AVG_ROWS.items() if name != "batch_0"])
def test_avg_pool2d(shape, options):
    compare(lambda x: F.avg_pool2d(x, **options), lambda x: TF.avg_pool2d(x, **options), distinct(*shape))


@pytest.mark.parametrize("values", [[0, 0, 0, 0], [1, 1, 2, 2], [np.nan, 1, 2, 3], [3, np.nan, 1, np.nan], [-np.inf] * 4])
def test_max_pool2d_ties_and_nan(values):
    x = np.array(values, np.float64).reshape(1, 1, 2, 2)
    compare(lambda x: F.max_pool2d(x, 2), lambda x: TF.max_pool2d(x, 2), x)


@pytest.mark.parametrize("size", [1, 2, (3, 2), (5, 7), (None, 1)])
def test_adaptive_avg_pool2d(size):
    compare(lambda x: F.adaptive_avg_pool2d(x, size), lambda x: TF.adaptive_avg_pool2d(x, size), real(2, 3, 5, 7))


@pytest.mark.parametrize("size", [1, 2, (4, 3), (3, 5), (5, 7), (None, 4)])
def test_adaptive_max_pool2d(size):
    compare(lambda x: F.adaptive_max_pool2d(x, size), lambda x: TF.adaptive_max_pool2d(x, size), distinct(2, 3, 4, 6))


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("shape", [(4, 3), (2, 3, 4, 5)])
def test_batch_norm(shape, training):
    mean, var = real(3, seed=3), positive(3, seed=4)
    mine, theirs = (Tensor(mean.copy()), Tensor(var.copy())), (torch.tensor(mean), torch.tensor(var))
    compare(
        lambda x, w, b: ops.batch_norm(x, *mine, w, b, training, 0.3, 1e-3),
        lambda x, w, b: TF.batch_norm(x, *theirs, w, b, training, 0.3, 1e-3),
        real(*shape),
        positive(3, seed=1),
        real(3, seed=2),
    )
    for a, b in zip(mine, theirs, strict=True):
        np.testing.assert_allclose(a.data, b.numpy(), rtol=1e-12)


@pytest.mark.parametrize("ignore", [-100, 1])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_cross_entropy(reduction, smoothing, ignore):
    target, options = np.array([0, 3, 1, 1, 2]), {"reduction": reduction, "label_smoothing": smoothing, "ignore_index": ignore}
    compare(
        lambda x: F.cross_entropy(x, target, **options),
        lambda x: TF.cross_entropy(x, torch.from_numpy(target), **options),
        real(5, 4),
    )


def test_cross_entropy_of_nothing():
    for reduction in ("mean", "sum", "none"):
        ours = F.cross_entropy(np.zeros((0, 3)), np.zeros(0, int), reduction=reduction).data
        theirs = TF.cross_entropy(torch.zeros(0, 3), torch.zeros(0, dtype=torch.long), reduction=reduction).numpy()
        assert np.array_equal(ours, theirs, equal_nan=True) and ours.shape == theirs.shape


ROWS = {
    "add": (lambda x, y: x + y, 2),
    "sub": (lambda x, y: 2 - x - y, 2),
    "mul": (lambda x, y: x * y * x, 2),
    "div": (lambda x, y: x / y, 2),
    "pow": (lambda x, y: x**y + x**3 + 2**y, 2),
    "exp_log_sqrt": (lambda x: x.exp().log() * x.sqrt(), 1),
    "clamp": (lambda x: x.clamp(0.7, 1.5), 1),
    "sum": (lambda x: x.sum((1, 2)), 1),
    "mean": (lambda x: x.mean(1, keepdim=True), 1),
    "max": (lambda x: x.max(1)[0], 1),
    "max_all": (lambda x: x.max(), 1),
    "reshape": (lambda x: x.reshape(4, -1), 1),
    "flatten": (lambda x: x.flatten(1), 1),
    "permute": (lambda x: x.permute(2, 0, 1), 1),
    "transpose": (lambda x: x.transpose(0, 2), 1),
    "getitem": (lambda x: x[:, 1:, ::2], 1),
    "getitem_list": (lambda x: x[:, [0, 1, 0]], 1),
    "chunk": (lambda x: x.chunk(2, 2)[1], 1),
    "split": (lambda x: x.split([1, 3], 2)[1], 1),
    "squeeze": (lambda x: x[:1].squeeze().unsqueeze(-1), 1),
    "negative_pad": (lambda x: F.pad(x, (-1, 2, 1, -2)) if isinstance(x, Tensor) else TF.pad(x, (-1, 2, 1, -2)), 1),
    "softmax": (lambda x: x.softmax(1), 1),
    "log_softmax": (lambda x: x.log_softmax(-1), 1),
    "matmul": (lambda x: x @ x[0].T, 1),
    "relu": (lambda x: (x - 1).relu(), 1),
}


@pytest.mark.parametrize(("function", "count"), ROWS.values(), ids=ROWS)
def test_methods(function, count):
    compare(function, function, *(positive(2, 3, 4, seed=i) for i in range(count)))


def test_functions_with_other_signatures():
    x, w, b = real(4, 5), real(3, 5, seed=1), real(3, seed=2)
    compare(F.linear, TF.linear, x, w, b)
    compare(lambda x: F.pad(x, (1, 2, 0, 3), value=1.5), lambda x: TF.pad(x, (1, 2, 0, 3), value=1.5), x)
    compare(lambda x: F.relu6(x * 5), lambda x: TF.relu6(x * 5), x)
    compare(lambda x, y: ops.concat([x, y], 1), lambda x, y: torch.concat([x, y], 1), x, real(4, 2))


def test_torch_tensors_are_accepted():
    x = torch.randn(2, 3, dtype=torch.float64)
    assert np.shares_memory(Tensor(x).data, x.numpy())
    assert ops.relu(x).shape == (2, 3)
