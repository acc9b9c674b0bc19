"""tests.optim.test_schedule: values of every schedule, written out; joining, cutting, scaling; what a Scheduler sets."""

from __future__ import annotations

import copy
import math
import pickle

import pytest

from fastcnn import Tensor, data, optim
from fastcnn.errors import ArgumentError
from fastcnn.optim import schedule as s


def wave(start, end, fraction):
    return end + (start - end) * (1 + math.cos(math.pi * fraction)) / 2


# Schedule, its first values (beyond the end where it has one), its text.
ROWS = {
    "constant": (s.constant(3), [3, 3, 3], "3"),
    "constant_of_two": (s.constant(0.5, steps=2), [0.5] * 4, "constant(0.5, steps=2)"),
    "linear": (s.linear(4), [1, 0.75, 0.5, 0.25, 0, 0], "linear(4)"),
    "linear_floor": (s.linear(4, floor=0.4), [1, 0.75, 0.5, 0.4, 0.4], "linear(4, floor=0.4)"),
    "linear_never_negative": (s.linear(4, end=-1), [1, 0.5, 0, 0, 0, 0], "linear(4, end=-1.0)"),
    "warmup": (s.warmup(2, start=0.5), [0.5, 0.75, 1, 1], "warmup(2, start=0.5)"),
    "step": (s.step(2, gamma=0.5), [1, 1, 0.5, 0.5, 0.25], "step(2, gamma=0.5)"),
    "step_cut": (s.step(2, gamma=0.5, steps=3), [1, 1, 0.5, 0.5, 0.5], "step(2, gamma=0.5, steps=3)"),
    "multi_step": (s.multi_step([3, 1], 0.5), [1, 0.5, 0.5, 0.25], "multi_step([1, 3], gamma=0.5)"),
    "exponential": (s.exponential(0.5), [1, 0.5, 0.25], "exponential(0.5)"),
    "polynomial": (s.polynomial(4, 2, 1.0, 0.2), [0.2 + 0.8 * (1 - i / 4) ** 2 for i in range(5)] + [0.2], None),
    "cosine": (s.cosine(4, 2.0, 0.5), [wave(2, 0.5, i / 4) for i in range(5)] + [0.5], "cosine(4, start=2.0, end=0.5)"),
    "warm_restarts": (s.warm_restarts(2), [1, 0.5] * 3, "warm_restarts(2, growth=1)"),
    "warm_restarts_longer": (
        s.warm_restarts(2, growth=2, end=0.2),
        [wave(1, 0.2, f) for f in (0, 1 / 2, 0, 1 / 4, 2 / 4, 3 / 4, *(i / 8 for i in range(8)), 0)],
        "warm_restarts(2, growth=2, end=0.2)",
    ),
    "one_cycle": (
        s.one_cycle(9, rise=1 / 3, start=0.2, peak=2.0, end=0.1),
        [wave(0.2, 2, i / 2) for i in range(3)] + [wave(2, 0.1, i / 6) for i in range(1, 7)] + [0.1] * 2,
        None,
    ),
    "one_cycle_lines": (
        s.one_cycle(5, rise=0.6, start=0.0, peak=2.0, end=1.0, shape="linear"),
        [0, 1, 2, 1.5, 1, 1],
        None,
    ),
    "triangular": (s.triangular(2, 1, 1.0, 3.0, shrink=0.5), [1, 2, 3, 1, 1.5, 2, 1], None),
    "joined": (s.warmup(2) >> s.cosine(2) >> s.constant(7), [0, 0.5, 1, 0.5, 7, 7], "warmup(2) >> cosine(2) >> 7"),
    "joined_number": (s.linear(2) >> 0.1, [1, 0.5, 0.1, 0.1], "linear(2) >> 0.1"),
    "joined_function": (s.linear(1) >> math.sqrt, [1, 0, 1, math.sqrt(2)], "linear(1) >> sqrt"),
    "cut": (s.linear(4)[1:3], [0.75, 0.5, 0.25, 0.25], "linear(4)[1:3]"),
    "cut_from_the_end": (s.linear(4)[-2:], [0.5, 0.25, 0, 0], "linear(4)[-2:]"),
    "cut_endless": (s.exponential(0.5)[1:], [0.5, 0.25], "exponential(0.5)[1:]"),
    "cut_of_joined": ((s.warmup(2) >> s.linear(2))[1:4], [0.5, 1, 0.5, 0], "(warmup(2) >> linear(2))[1:4]"),
    "scaled": (s.linear(2) * 3, [3, 1.5, 0, 0], "linear(2) * 3"),
    "scaled_from_left": (0.5 * s.exponential(0.5), [0.5, 0.25], "exponential(0.5) * 0.5"),
    "product": (s.warmup(2) * s.linear(4), [0, 0.375, 0.5, 0.25, 0], "warmup(2) * linear(4)"),
    "sum": (1 + s.linear(2), [2, 1.5, 1, 1], "linear(2) + 1"),
}


@pytest.mark.parametrize(("made", "expected", "text"), ROWS.values(), ids=ROWS)
def test_values(made, expected, text):
    assert [made(i) for i in range(len(expected))] == pytest.approx(expected, rel=1e-12, abs=1e-15)
    assert [made(i) for i in reversed(range(len(expected)))] == [made(i) for i in range(len(expected))][::-1]
    assert text is None or repr(made) == text
    again = copy.deepcopy(made)
    assert again(2) == made(2)


def test_lengths():
    assert len(s.warmup(5) >> s.cosine(95)) == 100 and len(list(s.cosine(7))) == 7
    assert len((s.warmup(5) >> s.cosine(95))[3:60]) == 57 and len(s.cosine(5)[4:2]) == 0
    assert (s.warmup(5) >> s.exponential(0.5)).steps is None and s.exponential(0.5)[:9].steps == 9
    assert len(s.linear(3) * 2) == 3 and len(s.linear(3) * s.cosine(8)) == 8 and bool(s.constant(1, steps=0))
    assert s.linear(4)[1] == 0.75 and s.linear(4)[-1] == 0.25
    with pytest.raises(TypeError, match=r"exponential\(0.5\) has no end"):
        len(s.exponential(0.5))
    with pytest.raises(IndexError, match="step 4 of 4"):
        s.linear(4)[4]


def test_schedules_go_to_other_processes():
    made = pickle.loads(pickle.dumps((s.warmup(2) >> s.cosine(4)) * 0.5))
    assert list(made) == list((s.warmup(2) >> s.cosine(4)) * 0.5)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: s.exponential(0.5) >> s.linear(2), r"^Schedule: nothing can follow exponential\(0.5\), which has no end"),
        (lambda: s.linear(2) >> "x", r"^Schedule: a schedule, a number or a function of the step is needed, got 'x'"),
        (lambda: s.linear(2)(-1), r"^Schedule: step must be an int of at least 0, got -1"),
        (lambda: s.linear(2)(1.5), r"^Schedule: step must be an int of at least 0, got 1.5"),
        (lambda: s.linear(2)[::2], r"^Schedule: a slice has a step of 1, got 2"),
        (lambda: s.exponential(0.5)[-2:], r"^Schedule: start of a slice must be an int of at least 0, got -2"),
        (lambda: s.linear(0), r"^linear: steps must be an int of at least 1, got 0"),
        (lambda: s.linear(2, floor=-1), r"^linear: floor must be a finite number of at least 0, got -1"),
        (lambda: s.warmup(2, start=2), r"^warmup: start must be a finite number between 0 and 1, got 2"),
        (lambda: s.cosine(2, float("nan")), r"^cosine: start must be a finite number, got nan"),
        (lambda: s.step(0), r"^step: size must be an int of at least 1, got 0"),
        (lambda: s.multi_step([-1]), r"^multi_step: a milestone must be an int of at least 0, got -1"),
        (lambda: s.one_cycle(5, shape="x"), r"^one_cycle: shape must be 'cos' or 'linear', got 'x'"),
        (lambda: s.Schedule(3), r"^Schedule: function must be callable, got 3"),
    ],
)
def test_bad_arguments(make, text):
    with pytest.raises(ArgumentError, match=text):
        make()


def parameters(count=1):
    return [Tensor([1.0], requires_grad=True) for _ in range(count)]


def test_scheduler_sets_every_option():
    p, q = parameters(2)
    optimizer = optim.SGD([{"params": [p]}, {"params": [q], "lr": 2.0}], lr=1.0, momentum=0.9)
    loader = data.DataLoader(data.digits(size=8), 7)

    def made():
        return optim.Scheduler(
            optimizer,
            lr=s.warmup(2) >> s.linear(2),
            momentum=s.linear(4, 0.8, 0.9),
            weight_decay=lambda step: 0.1 * step,
            loader=loader,
            batch_size=s.constant(16, steps=2) >> s.exponential(1.5) * 16,
        )

    def seen(scheduler, steps):
        found = []
        for _ in range(steps):
            first = optimizer.param_groups[0]
            found.append((*scheduler.get_last_lr(), first["momentum"], first["weight_decay"], loader.batch_size))
            scheduler.step()
        return found

    whole = seen(made(), 5)
    assert [row[0] for row in whole] == [0, 0.5, 1, 0.5, 0] and [row[1] for row in whole] == [0, 1, 2, 1, 0]
    assert [row[2] for row in whole] == pytest.approx([0.8, 0.825, 0.85, 0.875, 0.9])
    assert [row[3] for row in whole] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])
    assert [row[4] for row in whole] == [16, 16, 16, 24, 36]
    first = made()
    head = seen(first, 2)
    second = made()
    second.load_state_dict(first.state_dict())
    assert head + seen(second, 3) == whole


def test_scheduler_of_betas():
    optimizer = optim.Adam(parameters(), lr=1.0)
    scheduler = optim.Scheduler(optimizer, momentum=s.linear(2, 0.5, 0.7), beta2=0.9, eps=1e-3)
    scheduler.step()
    group = optimizer.param_groups[0]
    assert group["betas"] == (pytest.approx(0.6), 0.9) and group["eps"] == 1e-3 and group["lr"] == 1.0


def test_scheduler_refuses():
    optimizer = optim.SGD(parameters())
    with pytest.raises(ArgumentError, match="Scheduler: SGD has no option 'beta1', only lr, momentum"):
        optim.Scheduler(optimizer, beta1=0.9)
    with pytest.raises(ArgumentError, match="Scheduler: SGD has no option 'params'"):
        optim.Scheduler(optimizer, params=0.9)
    with pytest.raises(ArgumentError, match="Scheduler: loader and batch_size belong together"):
        optim.Scheduler(optimizer, batch_size=3)
    with pytest.raises(ArgumentError, match="SGD: momentum must be a finite number of at least 0, got -1"):
        optim.Scheduler(optimizer, momentum=-1)
