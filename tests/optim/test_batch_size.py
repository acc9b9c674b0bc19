"""tests.optim.test_batch_size: batch sizes over time, the rates that follow them, and the noise scale."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fastcnn import Tensor, data, optim
from fastcnn.errors import ArgumentError, StateError
from fastcnn.optim import lr_scheduler as lrs
from fastcnn.optim.schedule import constant, linear


def parts(lr=0.1, batch=16):
    optimizer = optim.SGD([Tensor([1.0], requires_grad=True)], lr=lr)
    return optimizer, data.DataLoader(data.digits(size=8), batch)


def walk(schedule, steps):
    found = []
    for _ in range(steps):
        found.append((schedule.loader.batch_size, *schedule.get_last_lr()))
        schedule.step()
    return found


def made(coupling="linear", warmup=0, inner=None, **options):
    optimizer, loader = parts()
    schedule = optimizer if inner is None else inner(optimizer)
    return optim.BatchSchedule(
        schedule, loader, constant(16, 2) >> constant(64, 3) >> 32, coupling=coupling, warmup=warmup, **options
    )


@pytest.mark.parametrize(
    ("coupling", "factors"),
    [("linear", [1, 1, 4, 4, 4, 2, 2]), ("sqrt", [1, 1, 2, 2, 2, math.sqrt(2), math.sqrt(2)]), ("none", [1] * 7)],
)
def test_coupling(coupling, factors):
    rows = walk(made(coupling), 7)
    assert [size for size, _ in rows] == [16, 16, 64, 64, 64, 32, 32]
    assert [lr for _, lr in rows] == pytest.approx([0.1 * f for f in factors])


def test_warmup_and_another_schedule():
    rows = walk(made(warmup=2, inner=lambda o: lrs.LinearDecay(o, 10)), 9)
    factors = [1, 1, 1, 2.5, 4, 4, 3, 2, 2]  # the change at step 5 begins at the factor of step 4
    assert [lr for _, lr in rows] == pytest.approx([0.1 * (1 - i / 10) * f for i, f in enumerate(factors)])
    rows = walk(made(warmup=2, inner=lambda o: lrs.OneCycleLR(o, 0.3, 20)), 3)
    assert rows[2][1] == pytest.approx(lrs.OneCycleLR(parts()[0], 0.3, 20).lr_at(2, 0.3 / 25))


def test_largest_and_fractions():
    assert [size for size, _ in walk(made(largest=40), 4)] == [16, 16, 40, 40]
    optimizer, loader = parts()
    schedule = optim.BatchSchedule(optimizer, loader, linear(4, 4.0, 0.0))
    assert [size for size, _ in walk(schedule, 6)] == [4, 3, 2, 1, 1, 1] and schedule.first_size == 16


def test_larger_ones_are_accumulated():
    schedule = made(largest=24, accumulate=True)
    rows = []
    for _ in range(6):
        rows.append((schedule.loader.batch_size, schedule.accumulated, schedule.size, schedule.scale))
        schedule.step()
    assert rows == [(16, 1, 16, 1)] * 2 + [(21, 3, 63, 63 / 16)] * 3 + [(16, 2, 32, 2)]
    again = made(largest=24, accumulate=True)
    again.load_state_dict(schedule.state_dict())
    assert again.state_dict() == schedule.state_dict() and again.accumulated == 2
    rows = feed(growth(largest=32, accumulate=True), 1e4, 10)
    assert [size for size, _ in rows] == [16] * 3 + [32] * 7 and [scale for _, scale in rows] == [1] * 3 + [2] * 3 + [4] * 3 + [8]


@pytest.mark.parametrize("stop", [1, 3, 5])
def test_resumes_exactly(stop):
    def new():
        return made(warmup=3, inner=lambda o: lrs.LinearDecay(o, 10))

    whole = walk(new(), 8)
    first = new()
    head = walk(first, stop)
    second = new()
    walk(second, 7)
    second.load_state_dict(first.state_dict())
    assert head + walk(second, 8 - stop) == whole


def growth(**options):
    optimizer, loader = parts()
    return optim.BatchGrowth(lrs.LinearDecay(optimizer, 100), loader, every=3, decay=0.0, **options)


def feed(schedule, value, steps):
    """Let the noise scale be `value` at each of some steps."""
    found = []
    for _ in range(steps):
        small = schedule.loader.batch_size
        signal, noise = 1.0, value
        schedule.noise.update(math.sqrt(signal + noise / small), small, math.sqrt(signal + noise / (2 * small)), 2 * small)
        assert schedule.noise.value == pytest.approx(value)
        found.append((schedule.loader.batch_size, schedule.scale))
        schedule.step()
    return found


def test_growth():
    assert feed(growth(), 100.0, 10) == [(16, 1)] * 3 + [(32, 2)] * 7  # 2 * 64 images would be more than 100
    assert feed(growth(coupling="sqrt", factor=4), 1e4, 7) == [(16, 1)] * 3 + [(64, 2)] * 3 + [(256, 4)]
    assert feed(growth(largest=40), 1e4, 7)[-1] == (40, 2.5)
    assert feed(growth(), 10.0, 7)[-1] == (16, 1)
    schedule = growth()
    walk(schedule, 10)  # nothing measured
    assert schedule.loader.batch_size == 16


@pytest.mark.parametrize("stop", [2, 3, 4, 6])
def test_growth_resumes_exactly(stop):
    whole = feed(growth(warmup=2), 1e4, 9)
    first = growth(warmup=2)
    head = feed(first, 1e4, stop)
    second = growth(warmup=2)
    second.load_state_dict(first.state_dict())
    assert second.state_dict() == first.state_dict()
    assert head + feed(second, 1e4, 9 - stop) == whole


def test_noise_scale_of_known_noise():
    """Gradients g + N(0, s) in 30 dimensions: the scale is 30 s^2 / |g|^2."""
    draw = np.random.default_rng(0)
    g, noise = draw.standard_normal(30), optim.NoiseScale(0.998)
    for _ in range(4000):
        batch = g + 3.0 * draw.standard_normal((32, 30))
        noise.update(np.linalg.norm(batch[:8].mean(0)), 8, np.linalg.norm(batch.mean(0)), 32)
    assert noise.value == pytest.approx(30 * 9 / (g @ g), rel=0.1)


def test_noise_scale_at_its_ends():
    noise = optim.NoiseScale()
    assert math.isnan(noise.value)
    noise.update(float("nan"), 1, 1.0, 2)
    assert noise.count == 0
    noise.update(2.0, 1, 1.0, 2)
    assert noise.value == math.inf
    again = optim.NoiseScale()
    again.load_state_dict(noise.state_dict())
    assert again.state_dict() == noise.state_dict()
    noise = optim.NoiseScale()
    noise.update(1.0, 1, 1.0, 2)
    assert noise.value == 0


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (
            lambda o, d: optim.BatchSchedule(o, d, 3, coupling="x"),
            "BatchSchedule: coupling must be one of linear, sqrt, none, got 'x'",
        ),
        (
            lambda o, d: optim.BatchSchedule(o, [], 3),
            "BatchSchedule: loader must have a batch_size that can be changed, got list",
        ),
        (lambda o, d: optim.BatchSchedule(o, d, 3, warmup=-1), "BatchSchedule: warmup must be an int of at least 0, got -1"),
        (lambda o, d: optim.BatchSchedule(o, d, 3, largest=0), "BatchSchedule: largest must be an int of at least 1, got 0"),
        (lambda o, d: optim.BatchSchedule(lrs.ReduceLROnPlateau(o), d, 3), "BatchSchedule: ReduceLROnPlateau waits for figures"),
        (lambda o, d: optim.BatchGrowth(o, d, factor=1), "BatchGrowth: factor must be an int of at least 2, got 1"),
        (lambda o, d: optim.NoiseScale(1.0), "NoiseScale: decay must be below 1, got 1"),
        (lambda o, d: optim.NoiseScale().update(1.0, 2, 1.0, 2), "NoiseScale: 0 < small < large is needed, got 2 and 2"),
    ],
)
def test_bad_arguments(make, text):
    with pytest.raises(ArgumentError, match=f"^{text}"):
        make(*parts())


def test_bad_state():
    schedule = growth()
    state = schedule.state_dict()
    for wrong in ({}, {**state, "last_epoch": -1}, {**state, "size": 0}, {**state, "schedule": {}}, {**state, "noise": {}}):
        with pytest.raises(StateError):
            schedule.load_state_dict(wrong)
