"""tests.nn.test_block: squeeze-and-excitation, depthwise separable convolution, modules by name, sizes and borders."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn import Tensor, nn
from fastcnn.errors import ArgumentError, DtypeError, ShapeError

from ..ops.draws import real


def test_squeeze_excitation():
    block, x = nn.SqueezeExcitation(6, 2).double(), Tensor(real(2, 6, 4, 3), requires_grad=True)
    assert list(block.state_dict()) == ["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"]
    means = x.data.mean(axis=(2, 3))
    first = np.maximum(means @ block.fc1.weight.data[:, :, 0, 0].T + block.fc1.bias.data, 0)
    scale = 1 / (1 + np.exp(-(first @ block.fc2.weight.data[:, :, 0, 0].T + block.fc2.bias.data)))
    y = block(x)
    np.testing.assert_allclose(y.data, x.data * scale[:, :, None, None], rtol=1e-10)
    y.sum().backward()
    assert all(p.grad is not None for p in block.parameters())
    hard = nn.SqueezeExcitation(4, 2, activation=nn.SiLU, scale_activation=nn.Hardsigmoid)
    assert type(hard.scale_activation) is nn.Hardsigmoid


def test_depthwise_separable():
    block = nn.DepthwiseSeparable(4, 6, 5, stride=2, activation=nn.ReLU6)
    assert block(np.ones((2, 4, 9, 9), np.float32)).shape == (2, 6, 5, 5)
    assert sum(p.size for p in block.parameters()) == 4 * 25 + 2 * 4 + 4 * 6 + 2 * 6
    assert block.depthwise[0].groups == 4 and type(block.pointwise[2]) is nn.ReLU6


def test_module_dict():
    heads = nn.ModuleDict({"a": nn.Linear(2, 3)})
    heads["b"] = nn.ReLU()
    heads.update([("c", nn.Linear(3, 1))])
    assert list(heads) == list(heads.keys()) == ["a", "b", "c"] and len(heads) == 3 and "b" in heads and "d" not in heads
    assert list(heads.state_dict()) == ["a.weight", "a.bias", "c.weight", "c.bias"]
    assert [type(m).__name__ for m in heads.values()] == ["Linear", "ReLU", "Linear"] and dict(heads.items())["a"] is heads["a"]
    heads["a"] = nn.Tanh()
    assert type(heads.pop("a")) is nn.Tanh and len(heads) == 2
    heads.clear()
    assert not len(heads) and nn.ModuleDict(nn.ModuleDict({"x": nn.ReLU()}))["x"] is not None
    with pytest.raises(KeyError):
        heads["a"]
    with pytest.raises(DtypeError, match=r"^ModuleDict: 'a' must be a Module, got int"):
        heads["a"] = 1
    for name in ("forward", "a.b", "", "keys"):
        with pytest.raises(ArgumentError, match=r"cannot be the name of a submodule"):
            heads[name] = nn.ReLU()


def test_output_size_of_transposed_convolution():
    layer, x = nn.ConvTranspose2d(2, 3, 3, stride=2, padding=1), np.ones((1, 2, 5, 5), np.float32)
    assert layer(x).shape == (1, 3, 9, 9)
    assert layer(x, output_size=(10, 9)).shape == (1, 3, 10, 9)
    with pytest.raises(ShapeError, match=r"^ConvTranspose2d: output_size must be between \[9, 9\] and \[10, 10\], got \(11, 9\)"):
        layer(x, output_size=(11, 9))
    with pytest.raises(ArgumentError, match=r"^ConvTranspose2d: groups=2 must divide in_channels=3"):
        nn.ConvTranspose2d(3, 4, 3, groups=2)


@pytest.mark.parametrize("padding", [1.5, (1, 2), "same", None])
def test_bad_padding(padding):
    with pytest.raises(ArgumentError, match=r"^ZeroPad2d: padding must be an int or \(left, right, top, bottom\), got "):
        nn.ZeroPad2d(padding)
