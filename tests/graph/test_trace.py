"""tests.graph.test_trace: the graph says what the model computes, and tracing changes nothing."""

import gc
import weakref

import numpy as np
import pytest

import fastcnn as fc
from fastcnn import nn
from fastcnn.errors import DtypeError, StateError
from fastcnn.graph import EXAMPLE, evaluation, trace

from .. import layer_examples


def net():
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(4 * 16, 10, bias=False),
    )


def example(batch=1):
    return np.random.default_rng(0).standard_normal((batch, 1, 8, 8)).astype("f4")


def test_a_chain():
    graph = trace(net(), example())
    assert [op.op for op in graph.ops] == ["conv2d", "batch_norm", "relu", "max_pool2d", "flatten", "linear"]
    assert [op.sources for op in graph.ops] == [(EXAMPLE,), (0,), (1,), (2,), (3,), (4,)]
    assert [op.shape for op in graph.ops][-3:] == [(1, 4, 4, 4), (1, 64), (1, 10)]
    conv, norm, *_, linear = graph.ops
    assert dict(conv.tensors) == {"weight": "0.weight", "bias": "0.bias"} and conv.module == "0"
    assert norm.tensors["running_mean"] == "1.running_mean" and norm.tensors["bias"] == "1.bias"
    assert dict(linear.tensors) == {"weight": "6.weight"} and linear.input_shapes == ((1, 64),)
    assert [op.number for op in graph.users(0)] == [1] and graph.users(5) == []


def test_counts():
    graph = trace(net(), example())
    assert graph.macs == 8 * 8 * 4 * 9 + 640
    assert graph.parameter_count == 40 + 8 + 640
    assert trace(net(), example(3)).macs == 3 * graph.macs
    strided = nn.Conv2d(4, 6, (3, 2), stride=2, padding=1, groups=2)
    assert trace(strided, np.zeros((2, 4, 9, 8), "f4")).macs == 2 * 6 * 5 * 5 * 2 * 6


def counted(model, x):
    """Return the multiply-adds of convolutions and linear layers by the shapes that they see, and how many there are."""
    layers = [m for m in model.modules() if isinstance(m, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear))]
    seen = []

    def watch(layer, forward):
        def watched(x):
            y = forward(x)
            taps = np.prod(layer.weight.shape) // layer.weight.shape[0]  # of each output; of each input when transposed
            seen.append(int(np.prod(x.shape if isinstance(layer, nn.ConvTranspose2d) else y.shape) * taps))
            return y

        layer.forward = watched

    for layer in layers:
        watch(layer, layer.forward)
    graph = trace(model, x)
    for layer in layers:
        del layer.forward
    assert len(seen) == len(layers)
    return sum(seen), graph


@pytest.mark.parametrize("kind", sorted(layer_examples.EXAMPLES))
def test_every_layer(kind):
    for layer, shape in layer_examples.EXAMPLES[kind]():
        model = nn.Sequential(layer, nn.Flatten(), nn.ReLU())  # Identity alone records nothing
        x = np.random.default_rng(0).standard_normal(shape).astype("f4")
        wanted, watched = counted(model, x)
        graph = trace(model, x)
        assert graph.macs == watched.macs == wanted
        assert {name for op in graph.ops for name in op.tensors.values()} >= {name for name, _ in model.named_parameters()}
        assert not any(role.startswith("operand") for op in graph.ops for role in op.tensors), graph.ops
        assert f"{graph.macs:,}" in graph.summary()


def test_the_matrix_product_counts():
    class Product(nn.Module):
        def __init__(self):
            self.matrix = nn.Parameter(np.ones((5, 3), "f4"))

        def forward(self, x):
            return x @ self.matrix

    graph = trace(Product(), np.ones((2, 4, 5), "f4"))
    assert graph.macs == 2 * 4 * 5 * 3 and graph.ops[0].module == ""


def test_losses_are_known():
    x, y = np.random.default_rng(0).standard_normal((4, 5)).astype("f4"), np.random.default_rng(1).random((4, 5)).astype("f4")
    targets = {"CrossEntropyLoss": np.arange(4), "NLLLoss": np.arange(4), "BCEWithLogitsLoss": y.round()}
    names = [name for name in layer_examples.NOT_IN_A_CHAIN if name.endswith("Loss") and name != "DistillationLoss"]
    for name in names:

        class Measured(nn.Module):
            def __init__(self, loss, target):
                self.net, self.loss, self.target = nn.Linear(5, 5), loss, target

            def forward(self, x):
                return self.loss(self.net(x).log_softmax(1), self.target)

        graph = trace(Measured(getattr(nn, name)(), targets.get(name, y)), x)
        assert graph.ops[-1].shape == () and graph.macs == 4 * 25, name


def test_branches_and_constants():
    class Residual(nn.Module):
        def __init__(self):
            self.conv = nn.Conv2d(1, 1, 3, padding=1)

        def forward(self, x):
            return self.conv(x).relu() * 2 + x

    ops = trace(Residual(), example()).ops
    assert [op.op for op in ops] == ["conv2d", "relu", "mul", "add"]
    assert ops[3].inputs == (2, EXAMPLE) and ops[2].sources == (1,)


def test_tracing_changes_nothing():
    model = net()
    model[1].eval()
    before = {name: t.numpy().copy() for name, t in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    x = fc.Tensor(example())
    with fc.no_grad():
        trace(model, x)
    assert [module.training for module in model.modules()] == modes and not x.requires_grad and x.grad is None
    for name, tensor in model.state_dict().items():
        np.testing.assert_array_equal(tensor.numpy(), before[name])
    assert all(parameter.grad is None for parameter in model.parameters())


def test_frozen_parameters_are_in_the_graph():
    model = net().requires_grad_(False)
    assert trace(model, example()).ops[0].tensors["weight"] == "0.weight"


def test_the_graph_keeps_no_activation_alive():
    model, alive = net(), []
    for module in model:
        module.register_forward_hook(lambda module, inputs, output: alive.append(weakref.ref(output.data)))
    gc.disable()
    try:
        graph = trace(model, example())
        assert len(graph.ops) == 6 and len(alive) == 7 and not any(ref() is not None for ref in alive)
    finally:
        gc.enable()


def test_summary_lists_every_op_and_the_sums():
    text = trace(net(), example()).summary()
    lines = text.splitlines()
    assert len(lines) == 6 + 4 and lines[2].split() == ["conv2d", "0", "1", "x", "4", "x", "8", "x", "8", "40", "2,304"]
    assert lines[-1].split() == ["total", "688", "2,944"]


def test_what_cannot_be_traced():
    class Pair(nn.Module):
        def forward(self, x):
            return x, x

    class Constant(nn.Module):
        def __init__(self):
            self.w = nn.Parameter(np.ones(3, "f4"))

        def forward(self, x):
            return self.w * 2

    with pytest.raises(DtypeError, match="must return one Tensor, got tuple"):
        trace(Pair(), example())
    with pytest.raises(StateError, match="does not depend on the example"):
        trace(Constant(), example())


def test_evaluation_puts_modes_back_after_an_error():
    model = net()
    model[3].eval()
    with pytest.raises(KeyError), evaluation(model):
        assert not any(module.training for module in model.modules())
        raise KeyError
    assert [module.training for module in model] == [True, True, True, False, True, True, True]
