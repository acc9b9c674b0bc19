"""tests.train.test_capture_guards: what a recording depends on, what is refused and why, errors inside a captured step."""

from __future__ import annotations

import threading
import warnings

import numpy as np
import pytest

import fastcnn as fc
import fastcnn.nn.functional as F
from fastcnn import cpu, nn, optim
from fastcnn.autograd import record
from fastcnn.errors import CaptureWarning, StateError


class Pair:
    """The same training twice: `step` is captured, `eager` is not. A call runs both and compares everything."""

    def __init__(self, inside=lambda self, loss: None, make=None):
        self.sides = []
        for _ in range(2):
            fc.manual_seed(0)
            model = nn.Sequential(nn.Linear(12, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.0), nn.Linear(8, 5))
            self.sides.append((model, optim.SGD(model.parameters(), lr=0.1, momentum=0.9)))
        self.inside = inside
        self.eager = self.make(*self.sides[1])
        self.step = fc.capture(self.make(*self.sides[0]))

    def make(self, model, optimizer):
        def step(x, y, share=1.0):
            loss = F.cross_entropy(model(x), y) * share
            self.inside(model, loss)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss

        return step

    def each(self, change):
        for model, optimizer in self.sides:
            change(model, optimizer)

    def __call__(self, seed, batch=6, x=None, y=None, share=1.0):
        rng = np.random.default_rng(seed)
        x = rng.standard_normal((batch, 12), np.float32) if x is None else x
        y = rng.integers(0, 5, len(x)) if y is None else y
        a, b = self.step(fc.Tensor(x), y, share), self.eager(fc.Tensor(x), y, share)
        assert a.item() == b.item() and a.node is None
        for (p, one), (q, other) in zip(*(side[0].state_dict().items() for side in self.sides), strict=True):
            assert p == q and np.array_equal(one.data, other.data), p
        for p, q in zip(*(side[0].parameters() for side in self.sides), strict=True):
            assert (p.grad is None) == (q.grad is None) and (p.grad is None or np.array_equal(p.grad.data, q.grad.data))
            assert p.version == q.version

    def run(self, count=4):
        for seed in range(count):
            self(seed)
        return self.step.report()


def options(**new):
    return lambda model, optimizer: optimizer.param_groups[0].update(new)


def other_array(model, optimizer):
    model[0].weight.data = model[0].weight.data.copy()


def reloaded(model, optimizer):
    optimizer.load_state_dict(optimizer.state_dict())


# What happens between two calls: (change, whether the recording stays good)
CHANGES = {
    "learning rate": (options(lr=0.02), True),
    "momentum": (options(momentum=0.5, weight_decay=0.1), True),
    "no momentum": (options(momentum=0.0), False),
    "evaluation": (lambda model, optimizer: model[1].eval(), False),
    "frozen": (lambda model, optimizer: model[0].requires_grad_(False), False),
    "dropout": (lambda model, optimizer: setattr(model[3], "p", 1.0), False),
    "another layer": (lambda model, optimizer: setattr(model, "2", nn.Tanh()), False),
    "another array": (other_array, False),
    "loaded states": (reloaded, False),
    "loaded weights": (lambda model, optimizer: model.load_state_dict(model.state_dict()), True),
    "no gradients": (lambda model, optimizer: model.zero_grad(), True),
    "a schedule": (lambda model, optimizer: optim.lr_scheduler.StepLR(optimizer, 1).step(), True),
}


@pytest.mark.parametrize("name", CHANGES)
def test_changes_between_calls(name):
    change, stays = CHANGES[name]
    pair = Pair()
    assert pair.run().replayed == 2
    pair.each(change)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore" if name == "evaluation" else "error", CaptureWarning)
        pair(10)
        assert pair.step.report().replayed == 2 + stays
        for seed in range(11, 14):
            pair(seed)
    assert pair.step.report().replayed > 3 or name == "evaluation"


def test_kinds_of_arguments():
    pair = Pair()
    pair.run()
    for seed in range(4):
        pair(seed, batch=9)
    assert pair.step.report().replayed == 4
    for seed in range(4):
        pair(seed, share=0.5)
        pair(seed, x=np.asfortranarray(np.random.default_rng(seed).standard_normal((6, 12), np.float32)))
        pair(seed, y=np.arange(6, dtype=np.uint8) % 5)
    report = pair.step.report()
    assert report.replayed == 10 and report.recordings == 5 and "10 replayed" in str(report)
    pair(5)
    assert pair.step.report().replayed == 11


def test_threads_and_instruction_set():
    pair, before = Pair(), fc.get_num_threads()
    pair.run()
    try:
        fc.set_num_threads(3 if before == 2 else 2)
        assert pair.run().replayed == 4
        with cpu.use_isa("generic"):
            assert pair.run().replayed == 6
    finally:
        fc.set_num_threads(before)
    assert pair.run(1).replayed == 7


def test_no_more_recordings_than_wanted():
    pair = Pair()
    pair.step.max_recordings = 2
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CaptureWarning)
        for seed in range(60):
            pair(seed, batch=2 + seed // 3)
    report = pair.step.report()
    assert report.recordings == 2 and any("kinds" in reason for reason in report.reasons)


def listen(model, loss):
    model[0].weight.register_hook(lambda g: g)


def counted(model, loss):
    model.count = getattr(model, "count", 0) + 1


def own_op(model, loss):
    record("own", (loss,), loss.data + 1, lambda dy, saved, case, needs: (dy,), None)


REFUSED = {
    "item": (lambda model, loss: loss.item(), "item()"),
    "an if": (lambda model, loss: bool(loss > 0), "gt|decision|array"),
    "numpy": (lambda model, loss: loss.numpy(), "numpy()"),
    "an array": (lambda model, loss: np.asarray(loss), "a tensor that becomes an array"),
    "an op": (own_op, "own, which is not computed by kernels alone"),
    "a counter": (counted, "Sequential.count, which changes in each step"),
    "in place": (lambda model, loss: model[1].num_batches_tracked.__imul__(2), "mul in place"),
    "a mask": (lambda model, loss: model[0].bias[model[0].bias > 0], "getitem by a mask"),
    "another library": (lambda model, loss: np.from_dlpack(loss), "another library"),
    "retained": (lambda model, loss: loss.retain_grad(), "retain_grad"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals_name_the_reason(name):
    inside, reason = REFUSED[name]

    def quietly(model, loss):
        with fc.no_grad():
            inside(model, loss)

    pair = Pair(lambda model, loss: inside(model, loss) if name == "retained" else quietly(model, loss))
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        report = pair.run(5)
    texts = [str(w.message) for w in seen if w.category is CaptureWarning]
    assert len(texts) == 1 and any(part in texts[0] for part in reason.split("|")), texts
    assert report.replayed == 0 and report.calls == 5


def test_hooks():
    for add in (
        lambda model, _: model[2].register_forward_hook(lambda *_: None),
        lambda model, _: model[0].register_forward_pre_hook(lambda *_: None),
        lambda model, _: model[0].weight.register_hook(lambda g: None),
    ):
        pair = Pair()
        pair.run()
        pair.each(add)
        with pytest.warns(CaptureWarning, match="a hook .*returns nothing"):
            pair(7)
        assert pair.step.report().replayed == 2


def test_arrays_that_numpy_makes_are_noticed():
    """Without a word from the op: NumPy's arrays tell when they were made."""
    weight = fc.tensor(np.ones(3), dtype=np.float32, requires_grad=True)
    kept = np.array([1.0, 2.0, 3.0], np.float32)

    def step(x, fresh):
        y = (weight * fc.Tensor(x * 2 if fresh else kept) * x).sum()
        weight.grad = None
        y.backward()
        return y

    good, bad = fc.capture(step), fc.capture(step)
    for i in range(4):
        assert good(np.full(3, i, np.float32), False).item() == 6 * i
        if i == 1:
            with pytest.warns(CaptureWarning, match=r"an array of shape \(3,\), float32, that NumPy made during the step"):
                bad(np.full(3, i, np.float32), True)
        else:
            assert bad(np.full(3, i, np.float32), True).item() == 6 * i * i
    kept[:] = 1  # memory outside of the step is read as it is
    assert good(np.full(3, 1, np.float32), False).item() == 3
    assert good.report().replayed == 3 and bad.report().replayed == 0


def test_the_gradient_of_a_target_is_captured():
    target = fc.tensor(np.ones((2, 3)), requires_grad=True)

    @fc.capture
    def step(x):
        F.mse_loss(fc.Tensor(x), target).backward()

    for i in range(4):
        target.zero_grad()
        step(np.full((2, 3), float(i)))
    assert (target.grad.data == -4 / 6).all() and step.report().replayed


def test_a_label_that_is_no_class():
    pair = Pair()
    pair.run()
    x, y = np.ones((6, 12), np.float32), np.array([0, 1, 2, 3, 4, 5])
    for step in (pair.eager, pair.step):
        with pytest.raises(ValueError, match="cross_entropy: target must be between 0 and 4, got 5"):
            step(fc.Tensor(x), y)
    pair(20)
    assert pair.step.report().replayed == 3


def test_errors_inside_a_step():
    def inside(model, loss):
        calls.append(1)
        if len(calls) == wrong:
            raise RuntimeError("no")

    for wrong in (1, 2):
        calls: list[int] = []
        model = nn.Linear(3, 2)

        @fc.capture
        def step(x, model=model, calls=calls):
            loss = model(x).sum()
            inside(model, loss)
            return loss

        for i in range(5):
            if i + 1 == wrong:
                with pytest.raises(RuntimeError, match="no"):
                    step(np.ones((4, 3), np.float32))
            else:
                step(np.ones((4, 3), np.float32))
        assert step.report().replayed == 2
    assert fc.kernels.entry.current() is None


def test_one_call_at_a_time():
    inside, go = threading.Event(), threading.Event()

    @fc.capture
    def step(x):
        inside.set()
        go.wait(10)
        return fc.Tensor(x) * 2.0

    worker = threading.Thread(target=step, args=(np.ones(3, np.float32),))
    worker.start()
    inside.wait(10)
    with pytest.raises(StateError, match=r"^capture: the step is running already"):
        step(np.ones(3, np.float32))
    go.set()
    worker.join()
