"""tests.nn.test_module: what a module finds among its attributes, hooks, modes, conversion, repr."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from fastcnn import Tensor, nn
from fastcnn.errors import DtypeError, StateError


class Block(nn.Module):
    """A module with everything: parameters, a buffer, a child, plain attributes."""

    def __init__(self):
        self.scale = nn.Parameter(np.ones(3, np.float32))
        self.child = nn.Linear(3, 2)
        self.shift = nn.Parameter(np.zeros(3, np.float32))
        self.register_buffer("seen", np.zeros(3, np.float32))
        self.register_buffer("scratch", np.zeros(3, np.float32), persistent=False)
        self.note = "plain"
        self.other = Tensor([1.0])
        self.absent = None

    def forward(self, x):
        return self.child(x * self.scale + self.shift)


def net():
    return nn.Sequential(Block(), nn.ReLU(), nn.Linear(2, 2))


def names(pairs):
    return [name for name, _ in pairs]


def test_finds_parameters_buffers_and_modules():
    model = net()
    own = ["0.scale", "0.shift", "0.child.weight", "0.child.bias"]
    assert names(model.named_parameters()) == [*own, "2.weight", "2.bias"]
    assert names(model.named_buffers()) == ["0.seen", "0.scratch"]
    assert names(model.named_modules()) == ["", "0", "0.child", "1", "2"]
    assert names(model.named_children()) == ["0", "1", "2"] and len(list(model.children())) == 3
    assert len(list(model.parameters())) == 6 and len(list(model.modules())) == 5 and len(list(model.buffers())) == 2


def test_state_dict_has_saved_state_only_in_pytorch_order():
    assert list(net().state_dict()) == ["0.scale", "0.shift", "0.seen", "0.child.weight", "0.child.bias", "2.weight", "2.bias"]
    assert next(iter(Block().state_dict("a."))) == "a.scale"


def test_state_dict_shares_memory_and_has_no_gradient():
    block = Block()
    held = block.state_dict()["scale"]
    assert np.shares_memory(held.data, block.scale.data) and not held.requires_grad


def test_shared_modules_and_parameters():
    first = nn.Linear(2, 2)
    model = nn.Sequential(first, first)
    assert names(model.named_parameters()) == ["0.weight", "0.bias"]
    assert list(model.state_dict()) == ["0.weight", "0.bias", "1.weight", "1.bias"]
    x = np.ones((1, 2), np.float32)
    np.testing.assert_allclose(model(x).data, first(first(x)).data)


def test_get_submodule():
    model = net()
    assert model.get_submodule("0.child") is model[0].child and model.get_submodule("") is model
    with pytest.raises(StateError, match=r"^get_submodule: Sequential has no submodule '0.nothing'"):
        model.get_submodule("0.nothing")


def test_parameters_cannot_become_something_else():
    block = Block()
    with pytest.raises(DtypeError, match=r"^Block.scale is a Parameter and cannot become a ndarray"):
        block.scale = np.ones(3)
    block.scale = nn.Parameter(np.zeros(2, np.float32))
    block.shift = None
    assert names(block.named_parameters()) == ["scale", "child.weight", "child.bias"]
    with pytest.raises(DtypeError, match=r"^register_parameter: w must be a Parameter or None, got Tensor"):
        block.register_parameter("w", Tensor([1.0]))


def test_train_and_eval_reach_all_modules():
    model = net()
    assert all(m.training for m in model.modules())
    assert model.eval() is model and not any(m.training for m in model.modules())
    assert all(m.training for m in model.train().modules())


def test_apply_goes_deepest_first():
    seen = []
    net().apply(lambda module: seen.append(type(module).__name__))
    assert seen == ["Linear", "Block", "ReLU", "Linear", "Sequential"]


def test_zero_grad_and_freezing():
    model = net()
    x = np.ones((4, 3), np.float32)
    model(x).sum().backward()
    assert all(p.grad is not None for p in model.parameters())
    model.zero_grad()
    assert all(p.grad is None for p in model.parameters())
    model[0].requires_grad_(False)
    model(x).sum().backward()
    assert [p.grad is None for p in model.parameters()] == [True] * 4 + [False] * 2


def test_dtype_conversion():
    model = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3)).double()
    assert {t.dtype for t in model.state_dict().values()} == {np.dtype(np.float64), np.dtype(np.int64)}
    assert model[0].weight.data.transpose(0, 2, 3, 1).flags.c_contiguous
    assert model(np.ones((2, 2, 4, 4))).dtype == np.float64
    assert {p.dtype for p in model.float().parameters()} == {np.dtype(np.float32)}
    with pytest.raises(DtypeError, match="got float16"):
        model.to(np.float16)


def test_forward_hooks():
    layer, seen = nn.ReLU(), []
    before = layer.register_forward_pre_hook(lambda module, inputs: (inputs[0] * 2,))
    watch = layer.register_forward_hook(lambda module, inputs, output: seen.append((inputs[0].item(), output.item())))
    assert layer(Tensor(3.0)).item() == 6 and seen == [(6, 6)]
    before.remove()
    watch.remove()
    watch.remove()
    with layer.register_forward_hook(lambda module, inputs, output: output + 1):
        assert layer(Tensor(3.0)).item() == 4
    assert layer(Tensor(3.0)).item() == 3 and len(seen) == 1 and not nn.ReLU()._forward_hooks


def test_deepcopy_is_independent():
    model = net()
    twin = copy.deepcopy(model)
    twin[2].weight.data[...] = 7
    assert not (model[2].weight.data == 7).any() and isinstance(twin[2].weight, nn.Parameter)
    assert names(twin.named_parameters()) == names(model.named_parameters())


def test_without_forward():
    with pytest.raises(NotImplementedError, match=r"Module defines no forward\(\)"):
        nn.Module()(1)


def test_repr_is_an_indented_tree():
    assert repr(nn.Sequential(nn.Conv2d(1, 6, 5, padding=2), nn.Sequential(nn.ReLU()))) == (
        "Sequential(\n"
        "  (0): Conv2d(1, 6, kernel_size=(5, 5), stride=(1, 1), padding=(2, 2))\n"
        "  (1): Sequential(\n"
        "    (0): ReLU()\n"
        "  )\n"
        ")"
    )
