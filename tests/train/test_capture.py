"""tests.train.test_capture: captured steps give the bits of eager ones: networks, optimizers, schedules, draws, threads."""

from __future__ import annotations

import gc
import threading
import warnings

import numpy as np
import pytest

import fastcnn as fc
import fastcnn.nn.functional as F
from fastcnn import models, nn, optim
from fastcnn.errors import ArgumentError, CaptureWarning, StateError
from fastcnn.models.mobilenet import InvertedResidual
from fastcnn.train.watch import RECORDED

from ..ops.every_op import CALLS
from .runs import RECIPES, Run, digest


def vgg():
    parts = [nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 16, 3, padding=1)]
    return nn.Sequential(*parts, nn.BatchNorm2d(16, momentum=None), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(256, 10))


def mobile():
    """Inverted residuals: pointwise, depthwise, pointwise, with a sum around them, one with a stride."""
    first = [nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU6()]
    blocks = [InvertedResidual(8, 8, 1, 6), InvertedResidual(8, 12, 2, 6)]
    return nn.Sequential(*first, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(12, 10))


def dropouts():
    first = [nn.Conv2d(3, 6, 3), nn.SiLU(), nn.Dropout2d(0.3), nn.AvgPool2d(2), nn.Flatten(), nn.Dropout(0.4)]
    return nn.Sequential(*first, nn.Linear(294, 10))


NETS = {
    "lenet": (models.lenet5, (6, 1, 28, 28)),
    "vgg": (vgg, (6, 3, 16, 16)),
    "resnet": (lambda: models.resnet20(num_classes=10), (4, 3, 16, 16)),
    "mobile": (mobile, (4, 3, 16, 16)),
    "dropout": (dropouts, (5, 3, 16, 16)),
}
OPTIMIZERS = {
    "sgd": lambda p: optim.SGD(p, lr=0.05),
    "nesterov": lambda p: optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True, weight_decay=1e-3),
    "rmsprop": lambda p: optim.RMSprop(p, lr=1e-3, momentum=0.9, centered=True),
    "adagrad": lambda p: optim.Adagrad(p, lr=0.01, lr_decay=0.1),
    "adam": lambda p: optim.Adam(p, lr=1e-3, amsgrad=True),
    "adamw": lambda p: optim.AdamW(p, lr=1e-3),
    "nadam": lambda p: optim.NAdam(p, lr=1e-3),
    "lars": lambda p: optim.LARS(p, lr=0.1, momentum=0.9, weight_decay=1e-3),
    "lamb": lambda p: optim.LAMB(p, lr=1e-3, weight_decay=1e-2),
}


def batches(shape, count=6):
    rng = np.random.default_rng(0)
    return [(rng.standard_normal(shape, np.float32), rng.integers(0, 10, shape[0])) for _ in range(count)]


def train(net, shape, optimizer, captured, threads=1, clip=None):
    """Return the losses, a digest of all state, and the step."""
    fc.manual_seed(3)
    fc.set_num_threads(threads)
    model = net().train()
    opt = optimizer(model.parameters())
    schedule = optim.lr_scheduler.OneCycleLR(opt, 0.05, 10)

    def step(x, y):
        loss = F.cross_entropy(model(x), y, label_smoothing=0.1)
        opt.zero_grad()
        loss.backward()
        if clip:
            nn.utils.clip_grad_norm_(model.parameters(), clip)
        opt.step()
        return loss

    run = fc.capture(step) if captured else step
    losses = []
    for x, y in batches(shape):
        losses.append(run(fc.Tensor(x), y))
        schedule.step()
    values = [loss.item() for loss in losses]  # kept by the caller, all of them
    gradients = [p.grad.data for p in model.parameters()]
    return values, digest(model.state_dict(), opt.state_dict(), gradients, fc.rng.get_state()), run


@pytest.fixture(autouse=True)
def threads_as_before():
    before = fc.get_num_threads()
    yield
    fc.set_num_threads(before)


@pytest.fixture(autouse=True)
def warnings_are_errors():
    with warnings.catch_warnings():
        warnings.simplefilter("error", CaptureWarning)
        yield


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", NETS)
def test_networks(name, threads):
    net, shape = NETS[name]
    want, state, _ = train(net, shape, OPTIMIZERS["nesterov"], False)
    values, captured, step = train(net, shape, OPTIMIZERS["nesterov"], True, threads)
    assert values == want and captured == state
    report = step.report()
    assert (report.calls, report.recorded, report.replayed, report.recordings) == (6, 1, 4, 1) and report.size > 0


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers(name):
    net, shape = NETS["dropout"]
    want, state, _ = train(net, shape, OPTIMIZERS[name], False, clip=0.5)
    values, captured, step = train(net, shape, OPTIMIZERS[name], True, clip=0.5)
    assert values == want and captured == state and step.report().replayed == 4


@pytest.mark.parametrize("name", CALLS)
def test_each_op_is_replayed_or_refused(name):
    function, inputs = CALLS[name]

    def run(captured):
        fc.manual_seed(0)
        scale = fc.tensor([1.0], dtype=np.float64, requires_grad=True)

        def step(first, *others):
            y = function(first * scale, *others)
            scale.grad = None
            (y * y).sum().backward()
            return y, scale.grad

        call = fc.capture(step) if captured else step
        out = []
        for i in range(4):
            y, gradient = call(*(fc.Tensor(x * (1 + i / 16)) for x in inputs))
            out += [y.data.tobytes(), gradient.data.tobytes()]
        return out, call

    want, _ = run(False)
    if name == "cast":
        return  # float32 and float64 do not multiply
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        got, call = run(True)
    report = call.report()
    assert got == want
    assert report.replayed == (2 if name in RECORDED else 0), str(report)
    assert name in RECORDED or any(name in reason for reason in report.reasons)


@pytest.mark.parametrize("recipe", RECIPES)
def test_resuming_and_schedules_inside(recipe):
    """A captured run that stops, is saved into another one and goes on ends with the bits of an eager one that does not stop."""

    def steps(run, count):
        def step(x, y):
            loss = F.cross_entropy(run.model(x), y, label_smoothing=0.1)
            run.optimizer.zero_grad()
            loss.backward()
            run.optimizer.step()
            run.schedule.step()

        captured = fc.capture(step)
        run.model.train()
        while count:
            for x, y in run.loader:
                captured(x, y)
                count -= 1
                if not count:
                    break
        return captured

    want = Run(recipe).steps(10).digest()
    first, second = Run(recipe), Run(recipe, seed=0)
    assert steps(first, 5).report().replayed == 3
    parts, state = first.parts(), fc.rng.get_state()
    for name, part in second.parts().items():
        part.load_state_dict(parts[name].state_dict())
    fc.rng.set_state(state)
    steps(second, 5)
    assert second.digest() == want


def test_gradients_that_add_up():
    x = batches((4, 3), 5)
    model = nn.Linear(3, 10)

    def step(x, y):
        F.cross_entropy(model(x), y).backward()

    def run(call):
        model.zero_grad()
        found = []
        for i, (a, b) in enumerate(x * 12):
            call(a, b)
            found.append(model.weight.grad.data.copy())
            if i % 3 == 2:
                model.zero_grad()
        return found

    captured = fc.capture(step)
    assert all(np.array_equal(a, b) for a, b in zip(run(step), run(captured), strict=True))
    assert captured.report().replayed >= 45, str(captured.report())


def test_two_threads_each_with_its_own():
    net, shape = NETS["vgg"]
    want, found = train(net, shape, OPTIMIZERS["adam"], False)[0], []

    def work():
        model = net().train()
        model.load_state_dict(start)
        opt = optim.Adam(model.parameters(), lr=1e-3, amsgrad=True)

        @fc.capture
        def step(x, y):
            loss = F.cross_entropy(model(x), y, label_smoothing=0.1)
            opt.zero_grad()
            loss.backward()
            opt.step()
            return loss

        schedule = optim.lr_scheduler.OneCycleLR(opt, 0.05, 10)
        values = []
        for x, y in batches(shape):
            values.append(step(fc.Tensor(x), y).item())
            schedule.step()
        found.append((values, step.report().replayed))

    fc.manual_seed(3)
    start = {name: value.data.copy() for name, value in net().state_dict().items()}
    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert found == [(want, 4)] * 2


def test_memory_goes_back():
    net, shape = NETS["resnet"]

    def once(close):
        step = train(net, shape, OPTIMIZERS["nesterov"], True)[2]
        assert step.report().size > 100_000
        if close:
            step.close()
            assert step.report().size == 0

    for close in (True, False):
        once(close)
        gc.collect()
        before = fc.memory_stats()
        for _ in range(3):
            once(close)
        gc.collect()
        after = fc.memory_stats()
        assert after["in_use"] == before["in_use"] and after["captured"] == before["captured"] == 0


def test_bad_arguments():
    with pytest.raises(ArgumentError, match=r"^capture: step must be callable, got int"):
        fc.capture(3)
    with pytest.raises(ArgumentError, match=r"^capture: max_recordings must be an int of at least 1, got 0"):
        fc.capture(print, max_recordings=0)
    inner = fc.capture(lambda: outer())
    outer = lambda: inner()  # noqa: E731
    with pytest.raises((StateError, RecursionError)):
        inner()
