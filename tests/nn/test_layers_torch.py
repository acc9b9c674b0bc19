"""tests.nn.test_layers_torch: layers under PyTorch's names, with its defaults, keys, results and gradients."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from fastcnn import Tensor, nn

from ..ops.draws import distinct

torch = pytest.importorskip("torch")

# Arguments, options, shape of x.
ROWS = [
    ("Conv2d", (3, 4, 3), {}, (2, 3, 6, 5)),
    ("Conv2d", (4, 6, (3, 2), 2, (1, 0), (1, 2), 2, False), {}, (1, 4, 6, 7)),
    ("Conv2d", (2, 3, 3), {"padding": "same"}, (2, 2, 5, 5)),
    ("ConvTranspose2d", (3, 4, 3), {}, (2, 3, 5, 4)),
    ("ConvTranspose2d", (4, 6, (3, 2), 2, (1, 0), 1, 2, False, (1, 2)), {}, (1, 4, 5, 6)),
    ("GroupNorm", (2, 6), {}, (2, 6, 3, 4)),
    ("GroupNorm", (1, 6), {"eps": 1e-3}, (2, 6)),
    ("GroupNorm", (6, 6), {"affine": False}, (2, 6, 5)),
    ("LayerNorm", (5,), {}, (3, 2, 5)),
    ("LayerNorm", ((2, 5),), {"bias": False}, (3, 2, 5)),
    ("LayerNorm", ((3, 2, 5),), {"elementwise_affine": False}, (4, 3, 2, 5)),
    ("Upsample", (), {"scale_factor": 2}, (2, 3, 3, 4)),
    ("Upsample", ((5, 3),), {}, (2, 3, 4, 7)),
    ("Upsample", (), {"scale_factor": (1.5, 2.0), "mode": "bilinear"}, (2, 3, 5, 4)),
    ("Upsample", ((7, 3),), {"mode": "bilinear"}, (2, 3, 4, 7)),
    ("Upsample", ((7, 1),), {"mode": "bilinear", "align_corners": True}, (2, 3, 4, 5)),
    ("LocalResponseNorm", (5,), {"alpha": 0.2}, (2, 7, 3, 3)),
    ("ZeroPad2d", (2,), {}, (2, 3, 4, 4)),
    ("ZeroPad2d", ((1, -1, 0, 2),), {}, (2, 3, 4, 4)),
    ("ReflectionPad2d", ((1, 2, 0, 3),), {}, (2, 3, 4, 4)),
    ("ReplicationPad2d", ((1, 2, 0, 3),), {}, (2, 3, 4, 4)),
    ("AdaptiveMaxPool2d", ((3, 2),), {}, (2, 3, 5, 5)),
    ("Linear", (5, 3), {}, (4, 5)),
    ("Linear", (5, 3, False), {}, (2, 4, 5)),
    ("MaxPool2d", (3, 2, 1), {"ceil_mode": True}, (2, 3, 6, 6)),
    ("AvgPool2d", (3, 2, 1), {"count_include_pad": False}, (2, 3, 5, 5)),
    ("AdaptiveAvgPool2d", ((2, 1),), {}, (2, 3, 5, 5)),
    ("AdaptiveMaxPool2d", (1,), {}, (2, 3, 5, 5)),
    ("BatchNorm2d", (3,), {}, (2, 3, 4, 4)),
    ("BatchNorm2d", (3,), {"momentum": None, "eps": 1e-3}, (2, 3, 4, 4)),
    ("BatchNorm2d", (3,), {"affine": False, "track_running_stats": False}, (2, 3, 4, 4)),
    ("BatchNorm1d", (3,), {"momentum": 0.5}, (4, 3)),
    ("ReLU", (), {}, (3, 4)),
    ("ReLU6", (), {}, (3, 4)),
    ("LeakyReLU", (0.2,), {}, (3, 4)),
    ("ELU", (0.5,), {}, (3, 4)),
    ("GELU", (), {}, (3, 4)),
    ("GELU", ("tanh",), {}, (3, 4)),
    ("SiLU", (), {}, (3, 4)),
    ("Hardswish", (), {}, (3, 4)),
    ("Hardsigmoid", (), {}, (3, 4)),
    ("Sigmoid", (), {}, (3, 4)),
    ("Tanh", (), {}, (3, 4)),
    ("Softplus", (), {"beta": 3.0, "threshold": 2.0}, (3, 4)),
    ("Softmax", (1,), {}, (3, 4)),
    ("LogSoftmax", (1,), {}, (3, 4)),
    ("Flatten", (), {}, (2, 3, 4)),
    ("Identity", (), {}, (2, 3)),
]
ids = [f"{row[0]}-{row[1]}-{row[2]}" for row in ROWS]


def pair(name, args, options):
    """Our layer and PyTorch's, in float64, with the state of the latter."""
    theirs = getattr(torch.nn, name)(*args, **options).double()
    ours = getattr(nn, name)(*args, **options).double()
    ours.load_state_dict({key: value.numpy() for key, value in theirs.state_dict().items()})
    return ours, theirs


@pytest.mark.parametrize(("name", "args", "options", "shape"), ROWS, ids=ids)
def test_results_gradients_and_state(name, args, options, shape):
    ours, theirs = pair(name, args, options)
    for training in (True, True, False):
        ours.train(training)
        theirs.train(training)
        ours.zero_grad()
        theirs.zero_grad()
        x, t = Tensor(distinct(*shape), requires_grad=True), torch.tensor(distinct(*shape), requires_grad=True)
        y, z = ours(x), theirs(t)
        np.testing.assert_allclose(y.data, z.detach().numpy(), rtol=1e-9, atol=1e-11)
        direction = np.random.default_rng(1).standard_normal(y.shape)
        y.backward(direction)
        z.backward(torch.from_numpy(direction))
        np.testing.assert_allclose(x.grad.data, t.grad.numpy(), rtol=1e-7 if name == "Hardsigmoid" else 1e-8, atol=1e-10)
        for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
            np.testing.assert_allclose(p.grad.data, q.grad.numpy(), rtol=1e-8, atol=1e-10)
        states = ours.state_dict(), theirs.state_dict()
        assert list(states[0]) == list(states[1])
        for key, value in states[0].items():
            np.testing.assert_allclose(value.data, states[1][key].numpy(), rtol=1e-9)


@pytest.mark.parametrize("name", sorted({row[0] for row in ROWS} | {"Dropout", "Dropout2d", "CrossEntropyLoss"}))
def test_arguments_have_pytorch_names_and_defaults(name):
    ours, theirs = (inspect.signature(getattr(module, name)).parameters for module in (nn, torch.nn))
    for key, parameter in ours.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        if (name, key) == ("Conv2d", "algorithm"):  # ours, by keyword only
            assert parameter.kind is parameter.KEYWORD_ONLY
            continue
        assert key in theirs, f"{name}({key}) is not an argument of PyTorch's"
        if (name, key) not in {("Softmax", "dim"), ("LogSoftmax", "dim"), ("Conv2d", "padding")}:
            assert parameter.default == theirs[key].default, f"{name}({key})"


def test_networks_exchange_states():
    theirs = torch.nn.Sequential(
        torch.nn.Conv2d(2, 3, 3), torch.nn.BatchNorm2d(3), torch.nn.Flatten(), torch.nn.Linear(12, 2)
    ).eval()
    ours = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(12, 2)).eval()
    ours.load_state_dict(theirs.state_dict())
    x = distinct(5, 2, 4, 4).astype(np.float32)
    np.testing.assert_allclose(ours(x).data, theirs(torch.from_numpy(x)).detach().numpy(), rtol=1e-5, atol=1e-5)
    ours[3].bias.data += 1
    theirs.load_state_dict({key: torch.from_numpy(np.array(value)) for key, value in ours.state_dict().items()})
    np.testing.assert_allclose(ours(x).data, theirs(torch.from_numpy(x)).detach().numpy(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("name", "args"), [("Conv2d", (16, 32, 3)), ("ConvTranspose2d", (16, 32, 3)), ("Linear", (200, 300))])
def test_initial_values_have_the_same_spread(name, args):
    ours, theirs = getattr(nn, name)(*args), getattr(torch.nn, name)(*args)
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert abs(p.data).max() == pytest.approx(q.abs().max().item(), rel=0.1)
        assert p.data.std() == pytest.approx(q.std().item(), rel=0.3)


def test_every_layer_that_pytorch_has_is_compared():
    twins = {name for name in nn.__all__ if inspect.isclass(getattr(torch.nn, name, None))}
    containers = {"Module", "ModuleDict", "ModuleList", "Parameter", "Sequential"}
    random = {"Dropout", "Dropout2d"}  # tests/nn/test_layers.py: another stream of random numbers
    assert twins - {row[0] for row in ROWS} - {name for name in twins if name.endswith("Loss")} == containers | random


@pytest.mark.parametrize("name", ["Dropout", "Dropout2d"])
def test_dropout_scales_what_survives(name):
    for layers in (nn, torch.nn):
        layer = getattr(layers, name)(0.25)
        x = np.ones((8, 16, 20, 20), np.float32)
        y = np.asarray(layer(Tensor(x)).data if layers is nn else layer(torch.from_numpy(x)).numpy())
        assert set(np.unique(y)) == {np.float32(0), np.float32(1 / 0.75)} and abs(y.mean() - 1) < 0.15
        assert (name == "Dropout2d") == bool((y == y[:, :, :1, :1]).all())
        layer.eval()
        assert (np.asarray(layer(Tensor(x)).data if layers is nn else layer(torch.from_numpy(x)).numpy()) == x).all()
