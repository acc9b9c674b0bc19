"""tests.nn.test_layers: each layer is its op with a state; modes, memory, gradients, bad arguments."""

from __future__ import annotations

import numpy as np
import pytest

import fastcnn.nn.functional as F
from fastcnn import Tensor, gradcheck, manual_seed, nn
from fastcnn.errors import ArgumentError, ShapeError

from ..ops.draws import channels_last, distinct

# Layer, shape of x, line of repr.
ROWS = [
    (lambda: nn.Conv2d(3, 4, 3), (2, 3, 6, 5), "Conv2d(3, 4, kernel_size=(3, 3), stride=(1, 1))"),
    (
        lambda: nn.Conv2d(4, 4, (3, 2), 2, (1, 0), (1, 2), 2, bias=False),
        (1, 4, 6, 7),
        "Conv2d(4, 4, kernel_size=(3, 2), stride=(2, 2), padding=(1, 0), dilation=(1, 2), groups=2, bias=False)",
    ),
    (lambda: nn.Conv2d(2, 3, 4, padding="same"), (1, 2, 5, 5), "Conv2d(2, 3, kernel_size=(4, 4), stride=(1, 1), padding=same)"),
    (
        lambda: nn.Conv2d(2, 3, 2, padding=(0, 1, 1, 0)),
        (1, 2, 4, 4),
        "Conv2d(2, 3, kernel_size=(2, 2), stride=(1, 1), padding=(0, 1, 1, 0))",
    ),
    (
        lambda: nn.ConvTranspose2d(4, 6, 3, 2, 1, 1, 2),
        (2, 4, 5, 4),
        "ConvTranspose2d(4, 6, kernel_size=(3, 3), stride=(2, 2), padding=(1, 1), output_padding=(1, 1), groups=2)",
    ),
    (
        lambda: nn.ConvTranspose2d(3, 2, 2, bias=False, dilation=2),
        (1, 3, 3, 4),
        "ConvTranspose2d(3, 2, kernel_size=(2, 2), stride=(1, 1), dilation=(2, 2), bias=False)",
    ),
    (lambda: nn.GroupNorm(2, 6), (2, 6, 3, 2), "GroupNorm(2, 6, eps=1e-05, affine=True)"),
    (lambda: nn.GroupNorm(3, 3, affine=False), (2, 3, 3, 2), "GroupNorm(3, 3, eps=1e-05, affine=False)"),
    (lambda: nn.LayerNorm(5), (3, 2, 5), "LayerNorm((5,), eps=1e-05, elementwise_affine=True)"),
    (lambda: nn.LayerNorm((2, 5), bias=False), (3, 2, 5), "LayerNorm((2, 5), eps=1e-05, elementwise_affine=True)"),
    (lambda: nn.Upsample(scale_factor=2), (1, 2, 3, 4), "Upsample(scale_factor=2, mode='nearest')"),
    (lambda: nn.Upsample((5, 7), mode="bilinear"), (1, 2, 3, 4), "Upsample(size=(5, 7), mode='bilinear')"),
    (lambda: nn.LocalResponseNorm(3, 0.1), (2, 5, 3, 3), "LocalResponseNorm(3, alpha=0.1, beta=0.75, k=1.0)"),
    (lambda: nn.ZeroPad2d((1, 0, 2, -1)), (1, 2, 3, 4), "ZeroPad2d((1, 0, 2, -1))"),
    (lambda: nn.ReflectionPad2d(2), (1, 2, 3, 4), "ReflectionPad2d((2, 2, 2, 2))"),
    (lambda: nn.ReplicationPad2d(2), (1, 2, 3, 4), "ReplicationPad2d((2, 2, 2, 2))"),
    (lambda: nn.AdaptiveMaxPool2d((3, 2)), (2, 3, 5, 5), "AdaptiveMaxPool2d(output_size=(3, 2))"),
    (lambda: nn.Dropout2d(0.3).eval(), (2, 3, 2, 2), "Dropout2d(p=0.3)"),
    (lambda: nn.Linear(5, 3), (4, 5), "Linear(in_features=5, out_features=3, bias=True)"),
    (lambda: nn.Linear(5, 3, bias=False), (2, 4, 5), "Linear(in_features=5, out_features=3, bias=False)"),
    (lambda: nn.MaxPool2d(2), (2, 3, 4, 4), "MaxPool2d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)"),
    (lambda: nn.AvgPool2d(3, 2, 1), (2, 3, 5, 5), "AvgPool2d(kernel_size=3, stride=2, padding=1)"),
    (lambda: nn.AdaptiveAvgPool2d((2, 1)), (2, 3, 5, 5), "AdaptiveAvgPool2d(output_size=(2, 1))"),
    (lambda: nn.AdaptiveMaxPool2d(1), (2, 3, 5, 5), "AdaptiveMaxPool2d(output_size=1)"),
    (
        lambda: nn.BatchNorm2d(3),
        (2, 3, 4, 4),
        "BatchNorm2d(3, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True)",
    ),
    (
        lambda: nn.BatchNorm1d(3, affine=False),
        (4, 3),
        "BatchNorm1d(3, eps=1e-05, momentum=0.1, affine=False, track_running_stats=True)",
    ),
    (lambda: nn.ReLU(inplace=True), (3, 4), "ReLU()"),
    (lambda: nn.ReLU6(), (3, 4), "ReLU6()"),
    (lambda: nn.LeakyReLU(0.2), (3, 4), "LeakyReLU(negative_slope=0.2)"),
    (lambda: nn.ELU(0.5), (3, 4), "ELU(alpha=0.5)"),
    (lambda: nn.GELU(), (3, 4), "GELU(approximate='none')"),
    (lambda: nn.GELU("tanh"), (3, 4), "GELU(approximate='tanh')"),
    (lambda: nn.SiLU(), (3, 4), "SiLU()"),
    (lambda: nn.Hardswish(), (3, 4), "Hardswish()"),
    (lambda: nn.Hardsigmoid(), (3, 4), "Hardsigmoid()"),
    (lambda: nn.Sigmoid(), (3, 4), "Sigmoid()"),
    (lambda: nn.Tanh(), (3, 4), "Tanh()"),
    (lambda: nn.Softplus(2.0), (3, 4), "Softplus(beta=2.0, threshold=20.0)"),
    (lambda: nn.Softmax(1), (3, 4), "Softmax(dim=1)"),
    (lambda: nn.LogSoftmax(1), (3, 4), "LogSoftmax(dim=1)"),
    (lambda: nn.Flatten(), (2, 3, 4), "Flatten(start_dim=1, end_dim=-1)"),
    (lambda: nn.Identity(54, unused=1), (2, 3), "Identity()"),
    (lambda: nn.Dropout(0.3).eval(), (2, 3), "Dropout(p=0.3)"),
]


@pytest.mark.parametrize(("make", "shape", "text"), ROWS, ids=[row[2] for row in ROWS])
def test_gradient_and_repr(make, shape, text):
    layer = make().double()
    names = [name for name, _ in layer.named_parameters()]

    def function(x, *parameters):
        for name, parameter in zip(names, parameters, strict=True):
            object.__setattr__(layer, name, parameter)
        return layer(x)

    assert gradcheck(function, (distinct(*shape), *[p.data for p in layer.parameters()]))
    assert repr(layer) == text


@pytest.mark.parametrize(("make", "shape", "text"), ROWS, ids=[row[2] for row in ROWS])
def test_float32_and_empty_batch(make, shape, text):
    layer = make().eval()
    x = distinct(*shape).astype(np.float32)
    y = layer(x)
    y = y if isinstance(y, Tensor) else Tensor(y)  # Identity
    assert y.dtype == np.float32
    none = layer(x[:0])
    assert none.shape == (0, *y.shape[1:])


def test_conv_weights_lie_channels_last():
    layer = nn.Conv2d(8, 4, 3)
    assert layer.weight.data.transpose(0, 2, 3, 1).flags.c_contiguous
    layer(channels_last(distinct(1, 8, 5, 5)).astype(np.float32)).sum().backward()
    assert layer.weight.grad.shape == (4, 8, 3, 3)


def test_conv_plan_names_what_runs():
    layer, x = nn.Conv2d(64, 64, 3, padding=1), np.zeros((4, 64, 28, 28), np.float32)
    assert set(layer.plan(x)) == {"forward", "backward_data", "backward_weight"}
    layer.algorithm = "reference"
    assert set(layer.plan(x).values()) == {"reference"}
    layer.algorithm = "direct"
    assert layer(x[:1, :, :4, :4]).shape == (1, 64, 4, 4)
    layer.algorithm = "fft"
    with pytest.raises(ArgumentError, match=r"^conv2d_forward: algorithm must be 'auto' or one of"):
        layer.plan(x)


def test_batch_norm_modes():
    layer = nn.BatchNorm2d(2).double()
    x = distinct(3, 2, 4, 4)
    y = layer(x)
    np.testing.assert_allclose(y.data.mean(axis=(0, 2, 3)), 0, atol=1e-9)
    assert layer.num_batches_tracked.item() == 1
    layer.eval()
    z = layer(x)
    expected = (x - layer.running_mean.data.reshape(-1, 1, 1)) / np.sqrt(layer.running_var.data.reshape(-1, 1, 1) + 1e-5)
    np.testing.assert_allclose(z.data, expected, rtol=1e-9)
    assert layer.num_batches_tracked.item() == 1


def test_batch_norm_without_momentum_averages_all_batches():
    layer = nn.BatchNorm1d(2, momentum=None).double()
    batches = [distinct(4, 2, seed=i) + i for i in range(3)]
    for x in batches:
        layer(x)
    np.testing.assert_allclose(layer.running_mean.data, np.mean([x.mean(axis=0) for x in batches], axis=0), rtol=1e-9)
    assert layer.eval()(batches[0]).shape == (4, 2)
    assert nn.BatchNorm1d(2, momentum=None, track_running_stats=False)(np.eye(2, dtype=np.float32)).shape == (2, 2)


def test_batch_norm_without_running_statistics():
    layer = nn.BatchNorm1d(2, track_running_stats=False).double()
    x = distinct(4, 2)
    assert np.array_equal(layer(x).data, layer.eval()(x).data) and list(layer.state_dict()) == ["weight", "bias"]


def test_dropout_only_in_training():
    layer, x = nn.Dropout(0.5), Tensor(np.ones(1000, np.float32))
    manual_seed(0)
    assert 300 < (layer(x).data == 0).sum() < 700
    assert layer.eval()(x) is x


def test_loss_layer():
    x, target = distinct(4, 3), [0, 1, 2, 1]
    loss = nn.CrossEntropyLoss(label_smoothing=0.1, reduction="sum", ignore_index=2)
    assert loss(x, target).item() == F.cross_entropy(x, target, label_smoothing=0.1, reduction="sum", ignore_index=2).item()
    assert repr(loss) == "CrossEntropyLoss(reduction='sum', label_smoothing=0.1)"


def test_functional_names():
    assert all(callable(getattr(F, name)) for name in F.__all__)
    assert F.relu6([-1.0, 3.0, 9.0]).data.tolist() == [0, 3, 6]


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: nn.Conv2d(0, 1, 3), ArgumentError, r"^Conv2d: in_channels must be an int of at least 1, got 0"),
        (lambda: nn.Conv2d(1, 2.5, 3), ArgumentError, r"^Conv2d: out_channels must be an int of at least 1, got 2.5"),
        (lambda: nn.Conv2d(1, 1, 0), ArgumentError, r"^Conv2d: kernel_size must be between 1"),
        (lambda: nn.Conv2d(1, 1, 3, stride=0), ArgumentError, r"^Conv2d: stride must be between 1"),
        (lambda: nn.Conv2d(1, 1, 3, padding=-1), ArgumentError, r"^Conv2d: padding must be between 0"),
        (lambda: nn.Conv2d(1, 1, 3, padding="half"), ArgumentError, r"^Conv2d: padding must be ints, 'valid', or 'same'"),
        (lambda: nn.Conv2d(1, 1, 3, 2, padding="same"), ArgumentError, r"^Conv2d: padding must be ints, 'valid', or 'same' with"),
        (lambda: nn.Conv2d(4, 6, 3, groups=4), ArgumentError, r"^Conv2d: groups=4 must divide in_channels=4 and out_channels=6"),
        (lambda: nn.Linear(-1, 2), ArgumentError, r"^Linear: in_features must be an int of at least 1, got -1"),
        (lambda: nn.BatchNorm2d(0), ArgumentError, r"^BatchNorm2d: num_features must be"),
        (lambda: nn.Dropout(2), ArgumentError, r"^Dropout: p must be between 0 and 1, got 2"),
        (
            lambda: nn.BatchNorm2d(3)(Tensor(np.ones((2, 3)))),
            ShapeError,
            r"^BatchNorm2d: x must have 4 axes .* got x.shape=\(2, 3\)",
        ),
        (
            lambda: nn.Conv2d(3, 4, 3)(np.ones((2, 4, 5, 5), "f")),
            ShapeError,
            r"^conv2d: weight expects 3 input channels, x has 4",
        ),
    ],
)
def test_bad_arguments(make, error, text):
    with pytest.raises(error, match=text):
        make()
