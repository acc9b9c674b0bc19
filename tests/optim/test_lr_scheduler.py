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
    "constant_lr": (lambda o: lrs.ConstantLR(o, 0.5, 2), [0.5, 0.5, 1, 1]),
    "linear_lr": (lambda o: lrs.LinearLR(o, 0.5, 0.1, 4), [0.5, 0.4, 0.3, 0.2, 0.1, 0.1]),
    "polynomial": (lambda o: lrs.PolynomialLR(o, 4, 2.0), [1, 0.5625, 0.25, 0.0625, 0, 0]),
    "restarts": (lambda o: lrs.CosineAnnealingWarmRestarts(o, 2, 2), [1, 0.5, 1, cosine(1, 0, 0.25), 0.5]),
    "schedule": (lambda o: lrs.LambdaLR(o, optim.schedule.warmup(2) >> optim.schedule.linear(2)), [0, 0.5, 1, 0.5, 0, 0]),
    "three_phases": (
        lambda o: lrs.OneCycleLR(o, 2.0, 9, pct_start=1 / 3, div_factor=2, three_phase=True, anneal_strategy="linear"),
        [1, 1.5, 2, 1.5, 1, 0.75 + 2.5e-5, 0.5 + 5e-5, 0.25 + 7.5e-5, 1e-4, 1e-4],
    ),
    "cyclic": (lambda o: lrs.CyclicLR(o, 1.0, 3.0, 2, 1, "triangular2", cycle_momentum=False), [1, 2, 3, 1, 1.5, 2, 1]),
    "multiplicative": (lambda o: lrs.MultiplicativeLR(o, lambda step: 1 / step), [1, 1, 0.5, 1 / 6]),
    "chained": (
        lambda o: lrs.ChainedScheduler([lrs.ConstantLR(o, 0.5, 2), lrs.ExponentialLR(o, 0.1)]),
        [0.5, 0.05, 0.01, 0.001],
    ),
    "sequential": (
        lambda o: lrs.SequentialLR(o, [lrs.LinearLR(o, 0.5, 1.0, 2), lrs.StepLR(o, 1, 0.5)], [2]),
        [0.5, 0.75, 1, 0.5, 0.25],
    ),
    "swa": (lambda o: lrs.SWALR(o, 0.2, 4, "linear"), [1, 0.8, 0.6, 0.4, 0.2, 0.2]),
    "swa_at_once": (lambda o: lrs.SWALR(o, 0.2, 0), [0.2, 0.2, 0.2]),
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
    if isinstance(schedule, (lrs.SequentialLR, lrs.SWALR)):
        pytest.skip("sets the rates of its parts, or goes on from whatever the rate is")
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


def test_a_function_for_each_group():
    p, q = Tensor([1.0], requires_grad=True), Tensor([1.0], requires_grad=True)
    sgd = optim.SGD([{"params": [p]}, {"params": [q], "lr": 10.0}], lr=1.0)
    schedule = lrs.LambdaLR(sgd, [lambda step: 1 / (1 + step), optim.schedule.linear(4)])
    schedule.step()
    assert schedule.get_last_lr() == [0.5, 7.5]
    warm = lrs.WarmUp(lrs.LambdaLR(sgd, [lambda step: 1 / (1 + step), optim.schedule.linear(4)]), 2)
    warm.step()
    assert warm.get_last_lr() == [0.25, 3.75]
    with pytest.raises(ArgumentError, match="LambdaLR: 1 functions for 2 groups"):
        lrs.LambdaLR(sgd, [abs])


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
        (lambda o: lrs.LinearDecay(o, 5, floor=-0.1), r"^LinearDecay: floor must be a finite number of at least 0, got -0.1"),
        (lambda o: lrs.StepLR(o, 2.5), r"^StepLR: step_size must be an int of at least 1, got 2.5"),
        (lambda o: lrs.CosineAnnealingLR(o, -1), r"^CosineAnnealingLR: T_max must be"),
        (lambda o: lrs.OneCycleLR(o, 1.0, 0), r"^OneCycleLR: total_steps must be"),
        (
            lambda o: lrs.OneCycleLR(o, 1.0, 10, pct_start=1.5),
            r"^OneCycleLR: pct_start must be a finite number between 0 and 1, got 1.5",
        ),
        (lambda o: lrs.WarmUp(lrs.Constant(o), 0), r"^WarmUp: steps must be"),
        (
            lambda o: lrs.WarmUp(lrs.Constant(o), 5, start_factor=2),
            r"^WarmUp: start_factor must be a finite number between 0 and 1, got 2",
        ),
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


def test_swa_goes_on_from_the_present_rate():
    sgd = optimizer()
    main, average = lrs.StepLR(sgd, 1, 0.5), lrs.SWALR(sgd, 0.1, 2, "linear")
    main.step()
    assert average.get_last_lr() == [0.5]
    average.step()
    assert average.get_last_lr() == pytest.approx([0.3])
    again = lrs.SWALR(optimizer(9.0), 0.1, 2, "linear")
    again.load_state_dict(average.state_dict())
    assert again.get_last_lr() == average.get_last_lr()


def test_scale_is_a_factor_that_is_saved():
    schedule = lrs.StepLR(optimizer(), 1, 0.5)
    schedule.scale = 3.0
    schedule.step()
    assert schedule.get_last_lr() == [1.5]
    again = lrs.StepLR(optimizer(), 1, 0.5)
    again.load_state_dict(schedule.state_dict())
    assert again.get_last_lr() == [1.5]


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda o: lrs.SequentialLR(o, [lrs.Constant(o)], [1]), "SequentialLR: 1 schedulers need one milestone less"),
        (
            lambda o: lrs.SequentialLR(o, [lrs.Constant(o)] * 3, [3, 2]),
            "SequentialLR: 3 schedulers need one milestone less, rising",
        ),
        (lambda o: lrs.SequentialLR(o, [lrs.Constant(optimizer())], []), "SequentialLR: Constant has another optimizer"),
        (lambda o: lrs.ChainedScheduler([]), "ChainedScheduler: at least one scheduler is needed"),
        (lambda o: lrs.ChainedScheduler([lrs.SWALR(o, 0.1)]), "ChainedScheduler: the parts must have one optimizer, and be"),
        (lambda o: lrs.Constant(o.param_groups), "Constant: optimizer must be an Optimizer, got list"),
        (lambda o: lrs.CyclicLR(o, 0.1, 1.0, scale_fn=1.0), "CyclicLR: scale_fn must be a function, and scale_mode 'cycle' or"),
        (
            lambda o: lrs.ChainedScheduler([lrs.Constant(o), lrs.Constant(o, 4)]),
            r"ChainedScheduler: the parts must stand at one step, got \[0, 5\]",
        ),
        (lambda o: lrs.SWALR(o, [0.1, 0.2]), "SWALR: 2 values of swa_lr for 1 groups"),
        (lambda o: lrs.SWALR(o, 0.1, anneal_strategy="x"), "SWALR: anneal_strategy must be 'cos' or 'linear', got 'x'"),
        (lambda o: lrs.CyclicLR(o, 0.1, 1.0, mode="x"), "CyclicLR: mode must be 'triangular', 'triangular2' or 'exp_range'"),
        (lambda o: lrs.OneCycleLR(o, 1.0, epochs=3), "OneCycleLR: total_steps must be an int of at least 1, got None"),
        (lambda o: lrs.ReduceLROnPlateau(o, "x"), "ReduceLROnPlateau: mode must be 'min' or 'max' and threshold_mode"),
        (lambda o: lrs.ReduceLROnPlateau(o, factor=1.0), "ReduceLROnPlateau: factor must be at least 0 and below 1, got 1.0"),
        (lambda o: lrs.ReduceLROnPlateau(o, min_lr=[0, 0]), "ReduceLROnPlateau: 2 values of min_lr for 1 groups"),
    ],
)
def test_more_bad_arguments(make, text):
    with pytest.raises(ArgumentError, match=text):
        make(optimizer())


def plateau(figures, sgd=None, state=None, **options):
    schedule = lrs.ReduceLROnPlateau(optimizer() if sgd is None else sgd, **options)
    if state is not None:
        schedule.load_state_dict(state)
    found = []
    for figure in figures:
        schedule.step(figure)
        found += schedule.get_last_lr()
    return found, schedule


def test_plateau():
    figures = [5, 4, 4, 4, 4, 4, 3, 3, 3]
    whole, _ = plateau(figures, factor=0.5, patience=1)
    assert whole == [1, 1, 1, 0.5, 0.5, 0.25, 0.25, 0.25, 0.125]
    assert plateau([10 - f for f in figures], mode="max", factor=0.5, patience=1)[0] == whole
    assert plateau(figures, factor=0.5, patience=1, cooldown=2)[0] == [1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.25]
    assert plateau(figures, factor=0.5, patience=1, min_lr=0.3)[0][-1] == 0.3
    assert plateau([4, 3.5, 3.1], factor=0.5, patience=0, threshold=1.0, threshold_mode="abs")[0] == [1, 0.5, 0.25]
    assert plateau([float("nan")] * 2, factor=0.5, patience=0)[0] == [0.5, 0.25]
    head, first = plateau(figures[:4], factor=0.5, patience=1)
    assert head + plateau(figures[4:], optimizer(7.0), first.state_dict(), factor=0.5, patience=1)[0] == whole
    for state in ({}, {**first.state_dict(), "rates": [1, 2]}, {**first.state_dict(), "base_lrs": [1, 2]}):
        with pytest.raises(StateError, match=r"^ReduceLROnPlateau: "):
            plateau([], state=state)
    with pytest.raises(StateError, match="depends on the figures"):
        first.lr_at(0, 1.0)
