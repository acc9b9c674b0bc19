"""tests.optim.test_lr_scheduler_torch: rates and momenta equal to PyTorch's."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn import Tensor, optim

torch = pytest.importorskip("torch")
STEPS = 30

ROWS = [
    ("StepLR", {"step_size": 7, "gamma": 0.3}),
    ("MultiStepLR", {"milestones": [5, 11], "gamma": 0.5}),
    ("ExponentialLR", {"gamma": 0.9}),
    ("CosineAnnealingLR", {"T_max": STEPS, "eta_min": 0.01}),
    ("MultiplicativeLR", {"lr_lambda": lambda step: 1 - 1 / (2 + step)}),
    ("LambdaLR", {"lr_lambda": lambda step: 1 / (1 + step)}),
    ("ConstantLR", {"factor": 0.25, "total_iters": 7}),
    ("LinearLR", {"start_factor": 0.25, "end_factor": 0.75, "total_iters": 11}),
    ("PolynomialLR", {"total_iters": 20, "power": 1.7}),
    ("CosineAnnealingWarmRestarts", {"T_0": 7, "eta_min": 0.01}),
    ("CosineAnnealingWarmRestarts", {"T_0": 3, "T_mult": 2}),
    ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.3, "step_size_up": 4}),
    ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.3, "step_size_up": 4, "step_size_down": 7, "mode": "triangular2"}),
    ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.3, "step_size_up": 4, "mode": "exp_range", "gamma": 0.9}),
    ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.3, "step_size_up": 4, "scale_fn": lambda cycle: 1 / cycle}),
    ("CyclicLR", {"base_lr": 0.1, "max_lr": 0.3, "step_size_up": 4, "scale_fn": lambda n: 0.9**n, "scale_mode": "iterations"}),
    ("OneCycleLR", {"max_lr": 0.2, "total_steps": STEPS}),
    ("OneCycleLR", {"max_lr": 0.2, "epochs": 5, "steps_per_epoch": 6, "anneal_strategy": "linear"}),
    ("OneCycleLR", {"max_lr": 0.2, "total_steps": STEPS, "three_phase": True}),
    ("OneCycleLR", {"max_lr": 0.2, "total_steps": STEPS, "pct_start": 0.25, "div_factor": 10.0, "final_div_factor": 100.0}),
    ("OneCycleLR", {"max_lr": 0.2, "total_steps": STEPS, "pct_start": 0.5, "cycle_momentum": False}),
    ("OneCycleLR", {"max_lr": 0.2, "total_steps": STEPS, "base_momentum": 0.7, "max_momentum": 0.9}),
]


@pytest.mark.parametrize(("name", "options"), ROWS)
@pytest.mark.filterwarnings("ignore:Detected call of")
def test_rates(name, options):
    ours = optim.SGD([Tensor([1.0])], lr=0.1, momentum=0.9)
    theirs = torch.optim.SGD([torch.ones(1)], lr=0.1, momentum=0.9)
    mine = getattr(optim.lr_scheduler, name)(ours, **options)
    other = getattr(torch.optim.lr_scheduler, name)(theirs, **options)
    for step in range(STEPS):
        for key in ("lr", "momentum"):
            assert ours.param_groups[0][key] == pytest.approx(theirs.param_groups[0][key], rel=1e-6, abs=1e-12), (step, key)
        if step < STEPS - 1:
            mine.step()
            other.step()


def walk(schedule, optimizer, steps):
    """The rates and momenta of the present step and of those that follow."""
    found = []
    for step in range(steps):
        found += [optimizer.param_groups[0][key] for key in ("lr", "momentum")]
        if step < steps - 1:
            schedule.step()
    return found


@pytest.mark.parametrize("done", [1, 7, 8, 13])
@pytest.mark.parametrize("way", ["last_epoch", "state_dict"])
@pytest.mark.parametrize(("name", "options"), ROWS)
@pytest.mark.filterwarnings("ignore:Detected call of")
def test_going_on_with_an_earlier_run(name, options, way, done):
    found, whole = [], []
    for first, second, lrs in zip(both(0.9), both(0.9), (optim.lr_scheduler, torch.optim.lr_scheduler), strict=True):
        schedule = getattr(lrs, name)(first, **options)
        for _ in range(done):
            schedule.step()
        states = first.state_dict(), schedule.state_dict()
        whole.append(walk(schedule, first, STEPS - done))
        second.load_state_dict(states[0])
        schedule = getattr(lrs, name)(second, **options, **({"last_epoch": done - 1} if way == "last_epoch" else {}))
        if way == "state_dict":
            second.load_state_dict(states[0])  # PyTorch's classes leave the rates of a new schedule otherwise
            schedule.load_state_dict(states[1])
        found.append(walk(schedule, second, STEPS - done))
    assert found[0] == whole[0] == pytest.approx(whole[1], rel=1e-6, abs=1e-12)
    # PyTorch's own leave their uninterrupted run where a step divides, and with restarts of growing length
    if way == "state_dict" or (done != 7 and name != "CosineAnnealingWarmRestarts"):
        assert found[0] == pytest.approx(found[1], rel=1e-6, abs=1e-12)


@pytest.mark.filterwarnings("ignore:Detected call of")
@pytest.mark.parametrize("strategy", ["cos", "linear"])
@pytest.mark.parametrize("done", [2, 4, 12])
def test_going_on_with_swa(strategy, done):
    found = []
    kinds = optim.lr_scheduler.SWALR, torch.optim.swa_utils.SWALR
    for first, second, swa in zip(both(), both(), kinds, strict=True):
        schedule = swa(first, 0.03, anneal_strategy=strategy)
        for _ in range(done):
            schedule.step()
        second.load_state_dict(first.state_dict())
        found.append(walk(schedule, first, 9))
        found.append(walk(swa(second, 0.03, anneal_strategy=strategy, last_epoch=done - 1), second, 9))
    assert found[1] == pytest.approx(found[0], rel=1e-6) and found[1] == pytest.approx(found[2], rel=1e-6)


def both(momentum=0.0):
    return (
        optim.SGD([Tensor([1.0])], lr=0.1, momentum=momentum),
        torch.optim.SGD([torch.ones(1)], lr=0.1, momentum=momentum),
    )


@pytest.mark.filterwarnings("ignore:Detected call of")
@pytest.mark.parametrize("options", [{}, {"anneal_epochs": 3, "anneal_strategy": "linear"}, {"anneal_epochs": 0}])
def test_swa(options):
    found, main_steps = [], 5 if options.get("anneal_epochs") != 0 else 0
    for optimizer, lrs, swa in zip(
        both(), (optim.lr_scheduler, torch.optim.lr_scheduler), (optim.lr_scheduler, torch.optim.swa_utils), strict=True
    ):
        main, average = lrs.ExponentialLR(optimizer, 0.9), swa.SWALR(optimizer, 0.03, **options)
        found.append([])
        for step in range(20):
            (main if step < main_steps else average).step()
            found[-1].append(optimizer.param_groups[0]["lr"])
    assert found[0] == pytest.approx(found[1], rel=1e-6)


@pytest.mark.filterwarnings("ignore:Detected call of")
def test_chained():
    found = []
    for optimizer, lrs in zip(both(), (optim.lr_scheduler, torch.optim.lr_scheduler), strict=True):
        parts = [lrs.LinearLR(optimizer, 0.1, 1.0, 4), lrs.StepLR(optimizer, 5, 0.5), lrs.ExponentialLR(optimizer, 0.9)]
        schedule = lrs.ChainedScheduler(parts)
        found.append([])
        for _ in range(18):
            found[-1].append(optimizer.param_groups[0]["lr"])
            schedule.step()
    assert found[0] == pytest.approx(found[1], rel=1e-6)


@pytest.mark.filterwarnings("ignore:Detected call of", "ignore:The epoch parameter")
def test_sequential():
    found = []
    for optimizer, lrs in zip(both(), (optim.lr_scheduler, torch.optim.lr_scheduler), strict=True):
        parts = [lrs.LinearLR(optimizer, 0.1, 1.0, 4), lrs.CosineAnnealingLR(optimizer, 8), lrs.ExponentialLR(optimizer, 0.9)]
        schedule = lrs.SequentialLR(optimizer, parts, [4, 12])
        found.append([])
        for _ in range(18):
            found[-1].append(optimizer.param_groups[0]["lr"])
            schedule.step()
    assert found[0] == pytest.approx(found[1], rel=1e-6, abs=1e-12)


@pytest.mark.parametrize(
    "options",
    [
        {"patience": 2},
        {"mode": "max", "patience": 1, "factor": 0.5, "cooldown": 3},
        {"patience": 0, "threshold": 0.1, "threshold_mode": "abs", "min_lr": 1e-3},
        {"patience": 0, "threshold": 0.3, "eps": 1e-2},
    ],
)
def test_plateau(options):
    figures, found = np.random.default_rng(0).random(40) - 0.3, []
    for optimizer, lrs in zip(both(), (optim.lr_scheduler, torch.optim.lr_scheduler), strict=True):
        schedule = lrs.ReduceLROnPlateau(optimizer, **options)
        found.append([])
        for figure in figures:
            schedule.step(figure)
            found[-1].append(optimizer.param_groups[0]["lr"])
    assert found[0] == pytest.approx(found[1], rel=1e-6) and len(set(found[0])) > 1
