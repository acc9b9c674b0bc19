"""tests.optim.test_last_epoch: schedules that go on with an earlier run by `last_epoch`, every class."""

from __future__ import annotations

import pytest

from fastcnn import Tensor, optim
from fastcnn.errors import ArgumentError
from fastcnn.optim import lr_scheduler as lrs


def optimizer(lr=1.0):
    return optim.SGD([Tensor([1.0], requires_grad=True)], lr=lr, momentum=0.9)


def rates(schedule, steps):
    found = []
    for _ in range(steps):
        found += schedule.get_last_lr()
        schedule.step()
    return found


RESUMED = {
    "constant": lambda o, last: lrs.Constant(o, last),
    "linear": lambda o, last: lrs.LinearDecay(o, 9, last_epoch=last),
    "step": lambda o, last: lrs.StepLR(o, 2, last_epoch=last),
    "restarts": lambda o, last: lrs.CosineAnnealingWarmRestarts(o, 2, 2, last_epoch=last),
    "one_cycle": lambda o, last: lrs.OneCycleLR(o, 2.0, 9, last_epoch=last),
    "cyclic": lambda o, last: lrs.CyclicLR(o, 1.0, 3.0, 2, last_epoch=last),
    "swa": lambda o, last: lrs.SWALR(o, 0.2, 4, "linear", last),
    "schedule": lambda o, last: optim.Scheduler(
        o, lr=optim.schedule.warmup(5), momentum=optim.schedule.linear(7), last_epoch=last
    ),
    "warm_up": lambda o, last: lrs.WarmUp(lrs.LinearDecay(o, 9, last_epoch=last), 4),
    "chained": lambda o, last: lrs.ChainedScheduler([lrs.StepLR(o, 2, 0.5, last), lrs.ExponentialLR(o, 0.9, last)]),
    "sequential": lambda o, last: lrs.SequentialLR(o, [lrs.Constant(o), lrs.StepLR(o, 1)], [3], last),
}


@pytest.mark.parametrize("done", [1, 2, 3, 5])
@pytest.mark.parametrize("make", RESUMED.values(), ids=RESUMED)
def test_goes_on_after_last_epoch(make, done):
    first, second = optimizer(), optimizer(lr=7.0)
    schedule = make(first, -1)
    rates(schedule, done)
    second.load_state_dict(first.state_dict())
    again = make(second, done - 1)
    assert again.last_epoch == done and second.param_groups[0]["momentum"] == first.param_groups[0]["momentum"]
    assert rates(again, 6) == pytest.approx(rates(schedule, 6), rel=1e-12)


@pytest.mark.parametrize("make", RESUMED.values(), ids=RESUMED)
def test_going_on_needs_the_initial_rates(make):
    name = "LinearDecay" if make is RESUMED["warm_up"] else "StepLR" if make is RESUMED["chained"] else r"\w+"
    text = rf"^{name}: last_epoch=3 goes on with an earlier run, but group 0 has no 'initial_lr'; load the state dict of its opt"
    sgd = optimizer()
    if make is RESUMED["sequential"]:  # its first part writes them
        assert make(sgd, 3).last_epoch == 4
        return
    with pytest.raises(ArgumentError, match=text):
        make(sgd, 3)
    for last in (-2, 1.5, None):
        with pytest.raises(ArgumentError, match=r"\w+: last_epoch must be an int of at least -1, got"):
            make(optimizer(), last)
