"""tests.optim.test_lr_scheduler_torch: rates and momenta equal to PyTorch's."""

from __future__ import annotations

import pytest

from fastcnn import Tensor, optim

torch = pytest.importorskip("torch")
STEPS = 30

ROWS = [
    ("StepLR", {"step_size": 7, "gamma": 0.3}),
    ("MultiStepLR", {"milestones": [5, 11], "gamma": 0.5}),
    ("ExponentialLR", {"gamma": 0.9}),
    ("CosineAnnealingLR", {"T_max": STEPS, "eta_min": 0.01}),
    ("LambdaLR", {"lr_lambda": lambda step: 1 / (1 + step)}),
    ("OneCycleLR", {"max_lr": 0.2, "total_steps": STEPS}),
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
