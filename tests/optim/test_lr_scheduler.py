"""tests.optim.test_lr_scheduler: values of every schedule, written out; resuming."""

from __future__ import annotations

import math

import pytest

from fastcnn import Tensor, optim
from fastcnn.errors import ArgumentError, StateError
from fastcnn.optim import lr_scheduler as lrs


def optimizer(lr=1.0, **options):
    return optim.SGD([Tensor([1.0], requires_grad=True)], lr=lr, **options)


def rates(schedule, steps):
    found = []
    for _ in range(steps):
        found += schedule.get_last_lr()
        schedule.step()
    return found


def cosine(start, end, fraction):
    return end + (start - end) * (1 + math.cos(math.pi * fraction)) / 2


# Schedule of an optimizer with lr 1, its first rates.
ROWS = {
    "constant": (lambda o: lrs.Constant(o), [1, 1, 1]),
    "lambda": (lambda o: lrs.LambdaLR(o, lambda step: 0.5**step), [1, 0.5, 0.25]),
    "linear": (lambda o: lrs.LinearDecay(o, 4), [1, 0.75, 0.5, 0.25, 0, 0, 0]),
    "linear_floor": (lambda o: lrs.LinearDecay(o, 4, floor=0.3), [1, 0.75, 0.5, 0.3, 0.3, 0.3]),
    "linear_floor_above": (lambda o: lrs.LinearDecay(o, 4, floor=3), [1, 1, 1]),
    "step": (lambda o: lrs.StepLR(o, 2, gamma=0.1), [1, 1, 0.1, 0.1, 0.01]),
    "multi_step": (lambda o: lrs.MultiStepLR(o, [3, 1], gamma=0.5), [1, 0.5, 0.5, 0.25, 0.25]),
    "exponential": (lambda o: lrs.ExponentialLR(o, 0.5), [1, 0.5, 0.25]),
    "cosine": (lambda o: lrs.CosineAnnealingLR(o, 4, eta_min=0.2), [cosine(1, 0.2, i / 4) for i in range(7)]),
    "one_cycle": (
        lambda o: lrs.OneCycleLR(o, 2.0, 9, pct_start=1 / 3, div_factor=10, final_div_factor=100),
        [cosine(0.2, 2, i / 2) for i in range(3)] + [cosine(2, 0.002, i / 6) for i in range(1, 7)] + [0.002] * 3,
    ),
    "one_cycle_of_one": (lambda o: lrs.OneCycle(o, 2.0, 1, pct_start=0.0), [2 / 25 / 1e4] * 2),
    "warm_up": (
        lambda o: lrs.WarmUp(lrs.LinearDecay(o, 10), 4, start_factor=0.2),
        [0.2, 0.4 * 0.9, 0.6 * 0.8, 0.8 * 0.7, 0.6, 0.5],
    ),
}
every_schedule = pytest.mark.parametrize(("make", "expected"), ROWS.values(), ids=ROWS)


@every_schedule
def test_values(make, expected):
    found = rates(make(optimizer()), len(expected))
    assert found == pytest.approx(expected, rel=1e-12, abs=1e-15) and min(found) >= 0


@every_schedule
def test_lr_at_is_a_pure_function(make, expected):
    schedule = make(optimizer())
    base = schedule.base_lrs[0]
    assert [schedule.lr_at(i, base) for i in reversed(range(len(expected)))] == pytest.approx(
        expected[::-1], rel=1e-12, abs=1e-15
    )
    assert schedule.last_epoch == 0


@every_schedule
def test_resumes_exactly(make, expected):
    whole = rates(make(optimizer()), len(expected))
    first = make(optimizer())
    head = rates(first, 2)
    second = make(optimizer(lr=9.0))
    second.load_state_dict(first.state_dict())
    tail = rates(second, len(expected) - 2)
    assert head + tail == whole


def test_each_group_has_its_own_rate():
    p, q = Tensor([1.0], requires_grad=True), Tensor([1.0], requires_grad=True)
    schedule = lrs.StepLR(optim.SGD([{"params": [p]}, {"params": [q], "lr": 10.0}], lr=1.0), 1)
    schedule.step()
    assert schedule.get_last_lr() == pytest.approx([0.1, 1.0])


def test_one_cycle_moves_momentum_the_other_way():
    sgd = optimizer(momentum=0.9)
    schedule = lrs.OneCycleLR(sgd, 1.0, 9, pct_start=1 / 3)
    momenta = []
    for _ in range(9):
        momenta.append(sgd.param_groups[0]["momentum"])
        schedule.step()
    assert momenta == pytest.approx(
        [cosine(0.95, 0.85, i / 2) for i in range(3)] + [cosine(0.85, 0.95, i / 6) for i in range(1, 7)]
    )
    adam = optim.Adam([Tensor([1.0])])
    lrs.OneCycleLR(adam, 1.0, 9)
    assert adam.param_groups[0]["betas"] == (0.95, 0.999)
    still = optimizer(momentum=0.9)
    lrs.OneCycleLR(still, 1.0, 9, cycle_momentum=False)
    assert still.param_groups[0]["momentum"] == 0.9


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda o: lrs.LinearDecay(o, 0), r"^LinearDecay: total_steps must be an int of at least 1, got 0"),
        (lambda o: lrs.LinearDecay(o, 5, floor=-0.1), r"^LinearDecay: floor must be at least 0, got -0.1"),
        (lambda o: lrs.StepLR(o, 2.5), r"^StepLR: step_size must be an int of at least 1, got 2.5"),
        (lambda o: lrs.CosineAnnealingLR(o, -1), r"^CosineAnnealingLR: T_max must be"),
        (lambda o: lrs.OneCycleLR(o, 1.0, 0), r"^OneCycleLR: total_steps must be"),
        (lambda o: lrs.OneCycleLR(o, 1.0, 10, pct_start=1.5), r"^OneCycleLR: pct_start must be between 0 and 1, got 1.5"),
        (lambda o: lrs.WarmUp(lrs.Constant(o), 0), r"^WarmUp: steps must be"),
        (lambda o: lrs.WarmUp(lrs.Constant(o), 5, start_factor=2), r"^WarmUp: start_factor must be between 0 and 1, got 2"),
    ],
)
def test_bad_arguments(make, text):
    with pytest.raises(ArgumentError, match=text):
        make(optimizer())


@pytest.mark.parametrize(
    ("state", "text"),
    [
        ({}, r"not a state dict of a scheduler"),
        ({"last_epoch": 1, "base_lrs": [1, 2]}, r"2 groups at step 1 do not fit 1 groups"),
        ({"last_epoch": -1, "base_lrs": [1]}, r"do not fit"),
        ({"last_epoch": "x", "base_lrs": [1]}, r"not a state dict"),
    ],
)
def test_bad_state(state, text):
    with pytest.raises(StateError, match=r"^Constant: .*" + text):
        lrs.Constant(optimizer()).load_state_dict(state)
