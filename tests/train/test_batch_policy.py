"""tests.train.test_batch_policy: batches that change within an epoch, join, and grow; the choice of a size; exact resume."""

from __future__ import annotations

import numpy as np
import pytest

import fastcnn as fc
from fastcnn import data, nn, optim, rng, train
from fastcnn.autograd import checkpoint_sequential
from fastcnn.errors import ArgumentError, DtypeError
from fastcnn.optim.schedule import constant
from fastcnn.train.running import groups

from .runs import digest, digits, net


class Run:
    """A run whose batch is 16, 8 and 24 images for some steps each; an epoch has 80."""

    def __init__(self, schedule="sizes", callbacks=(), **options):
        fc.manual_seed(0)
        self.model = net()
        self.optimizer = optim.SGD(self.model.parameters(), lr=0.05, momentum=0.9)
        self.loader = data.DataLoader(digits(), 16, shuffle=True, transform=data.RandomCrop((8, 8), padding=1))
        rates = optim.lr_scheduler.LinearDecay(self.optimizer, 60)
        if schedule == "sizes":
            self.schedule = optim.BatchSchedule(rates, self.loader, constant(16, 3) >> constant(8, 4) >> 24, warmup=2)
        elif schedule == "accumulated":
            sizes = constant(16, 3) >> constant(40, 3) >> 32
            self.schedule = optim.BatchSchedule(rates, self.loader, sizes, warmup=2, largest=16, accumulate=True)
        else:
            self.schedule = optim.BatchGrowth(rates, self.loader, every=2, decay=0.5, coupling="sqrt", warmup=2, largest=32)
        self.seen = []
        self.trainer = train.Trainer(
            self.model, self.loader, self.optimizer, schedule=self.schedule, callbacks=[Watch(self.seen), *callbacks], **options
        )

    def digest(self):
        parts = self.model, self.optimizer, self.schedule, self.loader
        state = self.trainer.state_dict()
        times = {**state, "history": [{**row, "seconds": 0} for row in state["history"]], "running": 0}
        return digest([part.state_dict() for part in parts], times, rng.get_state())


class Watch(train.Callback):
    def __init__(self, seen):
        self.seen = seen

    def on_step_end(self, trainer):
        self.seen.append((trainer._update.count, trainer.batches_done, trainer.batches_left))


def test_the_size_changes_within_an_epoch():
    run = Run()
    run.trainer.fit(2)
    # 16 16 16 | 8 8 8 8 | 24 ends the epoch with 0 left: the third size is cut to what is left
    assert [count for count, _, _ in run.seen] == [16, 16, 16, 8, 8, 8, 8, 24, 24, 24, 8]
    assert [done for _, done, _ in run.seen] == list(range(1, 12))
    assert [left for _, _, left in run.seen] == [4, 3, 4, 3, 2, 1, 0, 3, 2, 1, 0]
    assert [row.number for row in run.trainer.history] == [1, 2]


@pytest.mark.parametrize("accumulate", [2, 3])
def test_accumulated_batches_of_a_size_that_changes(accumulate):
    run = Run(accumulate=accumulate)
    run.trainer.fit(3)
    total = 0
    for count, _, _ in run.seen:
        total += count
        assert total <= 80
        total %= 80
    assert total == 0 and len(run.trainer.history) == 3
    assert run.loader.state_dict()["epoch"] == 3 and run.loader.state_dict()["position"] == 0


def test_sizes_above_the_largest_are_accumulated():
    run = Run("accumulated")
    run.trainer.fit(3)
    # 16 16 16 | 32 left of 40 (3 batches of 13) | 39 39, 2 left | 32 32 16
    assert [count for count, _, _ in run.seen] == [16, 16, 16, 32, 39, 39, 2, 32, 32, 16]
    assert run.loader.batch_size == 16 and run.schedule.accumulated == 2 and run.schedule.scale == 2.0


class Save(train.Callback):
    order = 99

    def __init__(self, step, path):
        self.step, self.path = step, path

    def on_step_end(self, trainer):
        if trainer.step == self.step:
            trainer.save(self.path)
            trainer.stop()


@pytest.mark.parametrize("stop", [2, 3, 5, 7, 9])
@pytest.mark.parametrize(("schedule", "accumulate"), [("sizes", 1), ("sizes", 2), ("accumulated", 1), ("growth", 2)])
def test_resumes_exactly(schedule, accumulate, stop, tmp_path):
    whole = Run(schedule, accumulate=accumulate)
    whole.trainer.fit(4)
    first = Run(schedule, [Save(stop, tmp_path / "run")], accumulate=accumulate)
    first.trainer.fit(4)
    second = Run(schedule, accumulate=accumulate)
    second.trainer.load(tmp_path / "run")
    second.trainer.fit(4)
    assert second.digest() == whole.digest() and first.seen + second.seen == whole.seen
    if schedule == "growth":
        assert whole.loader.batch_size > 16 and whole.schedule.noise.count > 3


def test_growth_is_measured_from_the_gradients():
    """The first batch of an update against all of them; before any limit to the norm."""
    run = Run("growth", accumulate=4, clip_norm=1e-6)
    x, y = next(iter(data.DataLoader(digits(), 64, shuffle=True, transform=run.loader.transforms)))
    model = run.model
    model[4].p = 0.0
    run.loader.transforms = []
    loader = data.DataLoader(digits(), 64, shuffle=True)
    x, y = next(iter(loader))
    norms = []
    for parts in ([slice(0, 16)], [slice(i, i + 16) for i in range(0, 64, 16)]):
        model.zero_grad()
        for part in parts:
            (nn.functional.cross_entropy(model(fc.Tensor(x.data[part])), y[part]) * (1 / len(parts))).backward()
        norms.append(np.sqrt(sum((p.grad.numpy().astype("f8") ** 2).sum() for p in model.parameters())))
    want = optim.NoiseScale(0.5)
    want.update(norms[0], 16, norms[1], 64)
    run.trainer.callbacks.append(Save(1, "unused"))
    run.trainer.save = lambda path: None
    run.trainer.fit(1)
    got = run.schedule.noise
    assert got.count == 1 and got.large == 64
    assert got.signal == pytest.approx(want.signal, rel=1e-4) and got.noise == pytest.approx(want.noise, rel=1e-4)


def normalised():
    fc.manual_seed(1)
    layers = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten()
    return nn.Sequential(*layers, nn.Linear(64, 10)).double()


class Recomputed(nn.Module):
    """A chain that keeps the inputs of three parts only."""

    def __init__(self, chain):
        self.chain = chain

    def forward(self, x):
        return checkpoint_sequential(self.chain, 3, x)


@pytest.mark.parametrize("recompute", [False, True])
def test_joined_batches_are_the_large_batch(recompute):
    """80 images as one batch, and as 32, 32, 16 run as one: batch normalisation and its statistics included."""
    x, y = digits().batch(slice(0, 80))
    x = x.astype("f8")
    results = []
    for size, accumulate in ((80, 1), (32, 3)):
        model = normalised()
        pairs = [(fc.Tensor(x[i : i + size]), y[i : i + size]) for i in range(0, 80, size)]
        run = Recomputed(model) if recompute and size == 32 else model
        made = train.Trainer(run, pairs, optim.SGD(model.parameters(), lr=0.1), accumulate=accumulate, join=True)
        history = made.fit(3)
        assert made.step == 3 and made.batches_done == 3 * len(pairs)
        results.append(([t.numpy().copy() for t in (*model.parameters(), *model.buffers())], history[-1].loss))
    for a, b in zip(results[0][0], results[1][0], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14)
    assert results[0][1] == pytest.approx(results[1][1], rel=1e-12)


def test_join_keeps_the_memory_order_and_refuses_tuples():
    from fastcnn.train.step import joined

    x, y = digits().batch(slice(0, 80))
    image = np.random.default_rng(0).random((2, 5, 6, 3)).transpose(0, 3, 1, 2)
    both, _ = joined([(fc.Tensor(image), y[:2])] * 2)
    assert both.data.transpose(0, 2, 3, 1).flags.c_contiguous
    with pytest.raises(DtypeError, match="Trainer: join needs targets that are arrays, got tuple"):
        joined([(x, (y, y, 0.5))] * 2)


def test_noise_needs_accumulated_batches():
    for options in ({}, {"accumulate": 2, "join": True}):
        with pytest.raises(ArgumentError, match="Trainer: the noise scale is measured from accumulated batches"):
            Run("growth", **options)


def test_groups_of_a_plain_list():
    batches = list(range(7))
    assert list(groups(batches, lambda: 3, skip=0)) == [[0, 1, 2], [3, 4, 5], [6]]
    assert list(groups(batches, lambda: 3, skip=2)) == [[2, 3, 4], [5, 6]]


def state(model, optimizer):
    tensors = *model.parameters(), *model.buffers()
    return digest(model.state_dict(), optimizer.state_dict(), [p.grad for p in tensors], rng.get_state()), model.training


@pytest.mark.parametrize("training", [True, False])
def test_best_batch_size(training):
    model = net()
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    example = digits().batch(slice(0, 6))
    before = state(model, optimizer)
    options = {"optimizer": optimizer} if training else {"training": False}
    given = example if training else example[0]
    found = train.best_batch_size(model, given, sizes=(1, 4, 9), seconds=1, **options)
    assert state(model, optimizer) == before
    assert found.sizes == [1, 4, 9] and found.stopped == "all sizes tried" and min(found.images_per_second) > 0
    best = max(found.images_per_second)
    rates = dict(zip(found.sizes, found.images_per_second, strict=True))
    assert rates[found.batch_size] >= 0.98 * best
    assert all(rates[n] < 0.98 * best for n in found.sizes if n < found.batch_size)
    assert found.nbytes[2] > found.nbytes[0] > 0 and f"{found.batch_size:7d}" in str(found)


def test_best_batch_size_has_bounds():
    model, example = net(), digits().batch(slice(0, 6))
    found = train.best_batch_size(model, example, sizes=(4, 8, 4000), seconds=0.05, max_memory=1e6)
    assert 4000 not in found.sizes and found.stopped.startswith("a batch of ")
    found = train.best_batch_size(model, example, sizes=(64, 128), seconds=1, max_memory=100)
    assert found.sizes == [64] and "a batch of 128 would take about" in found.stopped
    found = train.best_batch_size(model, example, sizes=(64, 128), seconds=1e-9)
    assert found.sizes == [64] and "a batch of 128 would not end within 1e-09 s" in found.stopped


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"sizes": ()}, ArgumentError, r"sizes must be rising ints of at least 1, got \[\]"),
        ({"sizes": (2, 1)}, ArgumentError, "sizes must be rising"),
        ({"sizes": (0, 1)}, ArgumentError, "sizes must be rising"),
        ({"seconds": 0}, ArgumentError, "seconds and max_memory must be above 0"),
        ({"tolerance": 1.0}, ArgumentError, "seconds and max_memory must be above 0 and tolerance"),
        ({"example": np.zeros((2, 1, 8, 8))}, DtypeError, r"example must be a batch \(x, y\), got ndarray"),
        ({"example": (np.zeros((0, 1, 8, 8)), np.zeros(0))}, ArgumentError, "example has no images"),
    ],
)
def test_best_batch_size_refuses(options, error, text):
    with pytest.raises(error, match=f"^best_batch_size: {text}"):
        train.best_batch_size(net(), options.pop("example", digits().batch(slice(0, 6))), **options)


@pytest.mark.parametrize(
    ("schedule", "options"),
    [
        ("sizes", {"clip_norm": 0.5}),
        ("accumulated", {"clip_value": 0.01}),
        ("sizes", {"accumulate": 2, "join": True}),
        ("growth", {"accumulate": 2}),
    ],
)
def test_captured_steps_are_the_same(schedule, options):
    plain = Run(schedule, **options)
    plain.trainer.fit(4)
    reached = plain.digest()
    captured = Run(schedule, capture=True, **options)
    captured.trainer.fit(4)
    assert captured.digest() == reached and captured.seen == plain.seen
    assert captured.trainer._update.update.report().replayed > 0
