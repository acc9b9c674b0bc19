"""tests.train.test_capture_layers: every layer and loss of nn is captured, in training and evaluation, on new values."""

from __future__ import annotations

import inspect
import warnings

import numpy as np
import pytest

import fastcnn as fc
from fastcnn import nn
from fastcnn.errors import CaptureWarning

from ..layer_examples import EXAMPLES

LAYERS = [(name, i) for name, make in EXAMPLES.items() for i in range(len(make()))]
LOSSES = sorted(
    name for name in nn.__all__ if name.endswith("Loss") and "reduction" in inspect.signature(getattr(nn, name)).parameters
)


def replays(make, captured, calls=5):
    """Bits of the results, gradients and states of `calls` steps on a model that `make` returns with an input's shape."""
    fc.manual_seed(0)
    model, shape = make()
    scale = fc.tensor(1.0, requires_grad=True)

    def step(x):
        y = model(x * scale)
        scale.grad = None
        model.zero_grad()
        (y * y).sum().backward()
        return y

    call = fc.capture(step) if captured else step
    out = []
    for i in range(calls):
        y = call(np.random.default_rng(i).uniform(-1, 1, shape).astype(np.float32))
        out += [t.data.tobytes() for t in (y, scale.grad, *[p.grad for p in model.parameters() if p.grad is not None])]
        with fc.no_grad():
            for p in model.parameters():
                p *= 1.01
    out += [value.data.tobytes() for value in model.state_dict().values()]
    return [*out, fc.rng.get_state()], call


def check(make):
    want, _ = replays(make, False)
    with warnings.catch_warnings():
        warnings.simplefilter("error", CaptureWarning)
        got, call = replays(make, True)
    assert got == want and call.report().replayed == 3, str(call.report())


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("name", "i"), LAYERS)
def test_layers(name, i, training):
    def make():
        layer, shape = EXAMPLES[name]()[i]
        return layer.train(training), shape

    check(make)


class Scored(nn.Module):
    """A loss as a layer of one input."""

    def __init__(self, loss, target):
        self.loss = loss
        self.register_buffer("target", target)

    def forward(self, x):
        return self.loss(x, self.target)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("name", LOSSES)
def test_losses(name, reduction):
    def make():
        loss = getattr(nn, name)(reduction=reduction)
        labels = name in ("CrossEntropyLoss", "NLLLoss")
        target = np.array([0, 3, 1, 2]) if labels else np.random.default_rng(9).uniform(0.1, 0.9, (4, 5)).astype(np.float32)
        return Scored(loss, fc.tensor(target)), (4, 5)

    check(make)
