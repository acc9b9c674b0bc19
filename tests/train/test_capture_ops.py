"""tests.train.test_capture_ops: operations with options of their own are replayed with the bits of eager calls, on new values."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import fastcnn as fc
import fastcnn.nn.functional as F
from fastcnn import nn, ops
from fastcnn.errors import ArgumentError, CaptureWarning, StateError

RNG = np.random.default_rng(0)
LOGITS = RNG.standard_normal((6, 5))
IMAGES = RNG.uniform(0.5, 1.5, (2, 3, 4, 4))
SHARES = RNG.dirichlet(np.ones(5), 6)
LABELS = RNG.integers(0, 5, 6)
PIXEL_LABELS = RNG.integers(0, 3, (2, 4, 4))
WEIGHTS = fc.tensor(np.linspace(0.2, 2, 5), dtype=np.float64)
ROWS = np.arange(6)
THREE = fc.tensor([0.5, 1.0, 2.0], dtype=np.float64)

# Name: (function of Tensors and labels, float64 inputs, labels or None)
STEPS = {
    "cross_entropy weight": (lambda x, y: F.cross_entropy(x, y, WEIGHTS), (LOGITS,), LABELS),
    "cross_entropy weight smoothing": (lambda x, y: F.cross_entropy(x, y, WEIGHTS, label_smoothing=0.1), (LOGITS,), LABELS),
    "cross_entropy weight none": (lambda x, y: F.cross_entropy(x, y, WEIGHTS, reduction="none"), (LOGITS,), LABELS),
    "cross_entropy weight ignored": (lambda x, y: F.cross_entropy(x, y, WEIGHTS, ignore_index=2), (LOGITS,), LABELS),
    "cross_entropy weight pixels": (lambda x, y: F.cross_entropy(x, y, THREE), (IMAGES,), PIXEL_LABELS),
    "nll_loss": (lambda x, y: F.nll_loss(F.log_softmax(x, 1), y), (LOGITS,), LABELS),
    "nll_loss weight": (lambda x, y: F.nll_loss(x, y, WEIGHTS, reduction="sum"), (LOGITS,), LABELS),
    "nll_loss pixels": (lambda x, y: F.nll_loss(x, y, THREE, reduction="none", ignore_index=1), (IMAGES,), PIXEL_LABELS),
    "kl_div": (lambda x, t: F.kl_div(x, t, reduction="batchmean"), (LOGITS, SHARES), None),
    "kl_div log": (lambda x, t: F.kl_div(x, t, log_target=True, reduction="sum"), (LOGITS, LOGITS[::-1]), None),
    "kl_div none": (lambda x, t: F.kl_div(x, t, reduction="none"), (LOGITS, SHARES), None),
    "bce pos_weight": (lambda x, t: F.binary_cross_entropy_with_logits(x, t, pos_weight=WEIGHTS), (LOGITS, SHARES), None),
    "bce weight": (lambda x, t: F.binary_cross_entropy_with_logits(x, t, WEIGHTS, reduction="none"), (LOGITS, SHARES), None),
    "bce": (lambda x, t: F.binary_cross_entropy_with_logits(x, t, reduction="sum"), (LOGITS, SHARES), None),
    "pow by a number": (lambda x: x**2 + x**3 + x**0.5 + x**-1 + x**1.7, (IMAGES,), None),
    "number to a power": (lambda x: 2.0**x, (IMAGES,), None),
    "pow that broadcasts": (lambda x, y: x**y, (IMAGES, IMAGES[:1, :, :1]), None),
    "logarithms": (lambda x: (x.exp() + x.sqrt()).log() * abs(x - 1), (IMAGES,), None),
    "max": (lambda x: x.max() * x.max(1).values + x.max(2, keepdim=True).values.sum((1, 2)), (LOGITS[None] + 3,), None),
    "min": (lambda x: x.min() * x.min(1).values + x.min(2, keepdim=True).values.sum((1, 2)), (LOGITS[None] + 3,), None),
    "extremes": (lambda x, y: ops.maximum(x, y) * ops.minimum(x, 0.5) + x.minimum(y[:1]), (LOGITS, LOGITS[::-1]), None),
    "where": (lambda x, y: ops.where(x > y, x * y, 0.5) + ops.where(x[:1] > 0, y, x), (LOGITS, SHARES), None),
    "comparisons": (lambda x, y: x * (x > y).double() + (x.argmax(1) == 0).float().sum().double() * x, (LOGITS, SHARES), None),
    "integers": (lambda x, y: x * (x.argmax(1) == fc.Tensor(y)).sum().double(), (LOGITS,), LABELS),
    "accuracy": (lambda x, y: x * (x.argmax(1) == fc.Tensor(y)).mean().double() * (x > 0).mean(0).double(), (LOGITS,), LABELS),
    "casts": (lambda x: (x.float() * 2).double() * x, (IMAGES,), None),
    "getitem rows": (lambda x, y: x[fc.Tensor(y)], (IMAGES,), LABELS % 2),
    "getitem channels": (lambda x, y: x[:, fc.Tensor(y)], (IMAGES.transpose(0, 2, 3, 1),), LABELS % 4),
    "getitem pairs": (lambda x, y: x[ROWS, fc.Tensor(y)], (LOGITS,), LABELS),
    "batch_norm fixed": (lambda x, w: F.batch_norm(x, THREE, THREE, w), (IMAGES, np.array([1.0, 2.0, -1.0])), None),
    "batch_norm fixed relu": (
        lambda x, w, r: ops.batch_norm(x, THREE, THREE, w, ceiling=6.0, residual=r),
        (IMAGES * 4, np.array([1.0, 2.0, -1.0]), IMAGES[::-1]),
        None,
    ),
    "distillation": (lambda x, t, y: nn.DistillationLoss()(x, t, y), (LOGITS, LOGITS[::-1]), LABELS),
    "conv_transpose2d": (
        lambda x, w, b: F.conv_transpose2d(x, w, b, stride=2, output_padding=1, padding=1),
        (IMAGES, RNG.standard_normal((3, 4, 3, 3)), RNG.standard_normal(4)),
        None,
    ),
}


def results(name, captured, dtype=np.float64, calls=5):
    """The values and gradients of calls on values that change, in one list of bytes."""
    function, inputs, labels = STEPS[name]
    scales = [fc.tensor(1.0, dtype=np.float64, requires_grad=True) for _ in inputs]

    def step(*arguments):
        given = [x * s for x, s in zip(arguments, scales, strict=False)]
        y = function(*given, *arguments[len(scales) :])
        for s in scales:
            s.grad = None
        (y * y).sum().backward()
        return y, [s.grad for s in scales if s.grad is not None]

    call = fc.capture(step) if captured else step
    out = []
    for i in range(calls):
        more = () if labels is None else (np.roll(labels, i),)
        y, gradients = call(*(fc.Tensor(x * (1 + i / 16)) for x in inputs), *more)
        out += [t.data.tobytes() for t in (y, *gradients)]
    return out, call


@pytest.mark.parametrize("name", STEPS)
def test_a_replay_has_the_bits_of_a_call(name):
    want, _ = results(name, False)
    with warnings.catch_warnings():
        warnings.simplefilter("error", CaptureWarning)
        got, call = results(name, True)
    assert got == want and call.report().replayed == 3, str(call.report())


def test_weights_may_change():
    weight = nn.Parameter(fc.tensor([1.0, 2.0, 3.0]), requires_grad=False)
    step = fc.capture(lambda x, y: F.cross_entropy(x, y, weight) + F.nll_loss(x, y, weight))
    x, y = fc.tensor([[0.5, 0.1, 0.3], [0.2, 0.9, 0.4]]), np.array([2, 1])
    for scale in (1.0, 1.0, 2.0, 3.0):
        weight.data[0] = scale
        y = (y + 1) % 3
        assert step(x, y).item() == (F.cross_entropy(x, y, weight) + F.nll_loss(x, y, weight)).item()
    assert step.report().replayed == 2


def test_a_label_that_is_no_class():
    step = fc.capture(lambda x, y: F.nll_loss(x, y))
    x = fc.tensor([[0.5, 0.1, 0.3], [0.2, 0.9, 0.4]])
    for _ in range(3):
        step(x, np.array([0, 1]))
    with pytest.raises(ArgumentError, match=r"^nll_loss: target must be between 0 and 2, got 3"):
        step(x, np.array([0, 3]))


def trained(make_step, captured, calls=5):
    """Losses, gradients and the state of the generator of a small net whose step is made by `make_step(model)`."""
    fc.manual_seed(1)
    model = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.4), nn.Linear(8, 3))
    step = make_step(model)
    call = fc.capture(step) if captured else step
    out = []
    for i in range(calls):
        x = np.random.default_rng(i).standard_normal((5, 6), np.float32)
        model.zero_grad()
        out.append(call(fc.Tensor(x)).item())
        out += [p.grad.data.tobytes() for p in model.parameters()]
    out += [value.data.tobytes() for value in model.state_dict().values()]
    return [*out, fc.rng.get_state()], call


def checkpointed(model, preserve):
    def step(x):
        y = fc.autograd.checkpoint(model[:4], x, preserve_rng_state=preserve)
        loss = (model[4](F.dropout(y, 0.2)) ** 2).mean()
        loss.backward()
        return loss

    return step


def hooked(model):
    """Hooks that change what passes through them."""
    model[0].register_forward_hook(lambda module, inputs, output: output * 2)
    model[2].register_forward_pre_hook(lambda module, inputs: inputs[0] + 1)
    model[4].weight.register_hook(lambda g: g * 0.5)

    def step(x):
        y = model(x)
        y.register_hook(lambda g: g.clamp(-0.01, 0.01))
        loss = (y**2).mean()
        loss.backward()
        return loss

    return step


STEPS_OF_NETS = {
    "checkpoint": lambda model: checkpointed(model, True),
    "checkpoint without its draws": lambda model: checkpointed(model, False),
    "hooks": hooked,
}


@pytest.mark.parametrize("name", STEPS_OF_NETS)
def test_steps_of_nets(name):
    want, _ = trained(STEPS_OF_NETS[name], False)
    with warnings.catch_warnings():
        warnings.simplefilter("error", CaptureWarning)
        got, call = trained(STEPS_OF_NETS[name], True)
    assert got == want and call.report().replayed == 3, str(call.report())


def test_a_position_outside_of_its_axis():
    step = fc.capture(lambda x, i: x[i])
    x = fc.tensor([[0.5, 0.1], [0.2, 0.9]])
    for _ in range(3):
        step(x, fc.tensor([1, -2]))
    for call in (step, step.function):
        with pytest.raises(IndexError, match=r"index -3 is out of bounds for axis 0 with size 2"):
            call(x, fc.tensor([1, -3]))


def test_changes_in_place():
    """Averages by hand, and copies: buffers that the step changes."""
    buffers = {captured: [fc.tensor(np.ones(4, np.float32)) for _ in range(3)] for captured in (False, True)}

    def make(total, last, limit):
        def step(x):
            nonlocal total
            with fc.no_grad():
                total *= 0.9
                total += x * 0.1
                last.copy_(x)
                limit.copy_(x.max().reshape(1))
            return total * 1.0

        return step

    eager, captured = make(*buffers[False]), fc.capture(make(*buffers[True]))
    for i in range(5):
        x = fc.tensor(np.arange(4, dtype=np.float32) + i)
        assert np.array_equal(eager(x).data, captured(x).data)
    for one, other in zip(buffers[False], buffers[True], strict=True):
        assert np.array_equal(one.data, other.data) and one.version == other.version
    assert captured.report().replayed == 3


def test_a_norm_that_is_not_finite():
    weight = nn.Parameter(fc.tensor([1.0, 2.0]))

    def step(x):
        weight.grad = None
        (weight * x).sum().backward()
        return nn.utils.clip_grad_norm_([weight], 1.0, error_if_nonfinite=True)

    captured = fc.capture(step)
    for i in range(4):
        x = fc.tensor([3.0 + i, 4.0])
        assert captured(x).item() == pytest.approx(np.hypot(3.0 + i, 4.0))
    assert captured.report().replayed == 2
    for call in (captured, step):
        with pytest.raises(StateError, match=r"^get_total_norm: the norm of order 2.0 of 1 tensors is inf"):
            call(fc.tensor([np.inf, 1.0]))


def test_an_update_by_hand():
    def train(captured):
        fc.manual_seed(0)
        layer = nn.Linear(4, 3)

        def step(x, lr):
            layer.zero_grad()
            loss = layer(x).exp().sum()
            loss.backward()
            with fc.no_grad():
                for p in layer.parameters():
                    p -= lr * p.grad
            return loss

        call = fc.capture(step) if captured else step
        losses = [call(fc.tensor([[0.1, 0.2, 0.3, 0.4]]), 0.1 if i < 4 else 0.01).item() for i in range(8)]
        return losses, [(p.data.tobytes(), p.version) for p in layer.parameters()], call

    want, got = train(False), train(True)
    assert got[:2] == want[:2] and got[2].report().replayed == 4
