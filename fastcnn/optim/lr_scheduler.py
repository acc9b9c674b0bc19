"""optim.lr_scheduler: PyTorch's schedulers: each sets the learning rates by a function of `optim.schedule`."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence

from ..errors import ArgumentError, StateError
from .one_cycle import CyclicLR, OneCycle, OneCycleLR
from .plateau import ReduceLROnPlateau
from .schedule import annealed, exponential, line_of, linear, linear_at, multi_step, polynomial, restarts_at, step, warmup
from .scheduler import LRScheduler
from .sequence import finite, whole

__all__ = [
    "SWALR",
    "ChainedScheduler",
    "Constant",
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
    "ExponentialLR",
    "LRScheduler",
    "LambdaLR",
    "LinearDecay",
    "LinearLR",
    "MultiStepLR",
    "MultiplicativeLR",
    "OneCycle",
    "OneCycleLR",
    "PolynomialLR",
    "ReduceLROnPlateau",
    "SequentialLR",
    "StepLR",
    "WarmUp",
]


class LambdaLR(LRScheduler):
    """lr = base * lr_lambda(step); the function may be a `Schedule`. A list has one for each group."""

    def __init__(self, optimizer, lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]], last_epoch: int = -1):
        groups = len(optimizer.param_groups)
        self.lr_lambdas = [lr_lambda] * groups if callable(lr_lambda) else list(lr_lambda)
        if len(self.lr_lambdas) != groups:
            raise ArgumentError(f"LambdaLR: {len(self.lr_lambdas)} functions for {groups} groups")
        super().__init__(optimizer, last_epoch)

    def lr_at(self, step, base):
        """Return the rate at `step` of a group whose initial rate is `base`, by the first function."""
        return base * self.lr_lambdas[0](step)

    def _apply(self) -> None:
        for group, base, function in zip(self.optimizer.param_groups, self.base_lrs, self.lr_lambdas, strict=True):
            group["lr"] = base * function(self.last_epoch) * self.scale


class MultiplicativeLR(LRScheduler):
    """lr = base * lr_lambda(1) * ... * lr_lambda(step)."""

    def __init__(self, optimizer, lr_lambda: Callable[[int], float], last_epoch: int = -1):
        self.lr_lambda = lr_lambda
        self._products = [1.0]  # of the steps so far
        super().__init__(optimizer, last_epoch)

    def lr_at(self, step, base):
        while len(self._products) <= step:
            self._products.append(self._products[-1] * self.lr_lambda(len(self._products)))
        return base * self._products[step]


class Constant(LRScheduler):
    """lr = base."""

    def lr_at(self, step, base):
        return base


class ConstantLR(LambdaLR):
    """lr = base * factor for the first total_iters steps, then base."""

    def __init__(self, optimizer, factor: float = 1.0 / 3, total_iters: int = 5, last_epoch: int = -1):
        self.factor = finite("ConstantLR", "factor", factor, 0.0, 1.0)
        self.total_iters = whole("ConstantLR", "total_iters", total_iters, least=0)
        super().__init__(optimizer, lambda step: self.factor if step < self.total_iters else 1.0, last_epoch)


class LinearLR(LambdaLR):
    """lr = base * f, where f goes on a straight line from start_factor to end_factor in total_iters steps, and stays."""

    def __init__(
        self, optimizer, start_factor: float = 1.0 / 3, end_factor: float = 1.0, total_iters: int = 5, last_epoch: int = -1
    ):
        self.start_factor = finite("LinearLR", "start_factor", start_factor, 0.0, 1.0)
        self.end_factor = finite("LinearLR", "end_factor", end_factor, 0.0, 1.0)
        self.total_iters = whole("LinearLR", "total_iters", total_iters)
        super().__init__(optimizer, linear(self.total_iters, self.start_factor, self.end_factor), last_epoch)


class LinearDecay(LRScheduler):
    """lr = max(base * (1 - step / total_steps), floor): linear to zero, never below `floor` and never negative."""

    def __init__(self, optimizer, total_steps: int, floor: float = 0.0, last_epoch: int = -1):
        self.total_steps = whole("LinearDecay", "total_steps", total_steps)
        self.floor = finite("LinearDecay", "floor", floor, 0.0)
        super().__init__(optimizer, last_epoch)

    def lr_at(self, step, base):
        return linear_at(self.total_steps, base, 0.0, min(self.floor, base), step)


class StepLR(LambdaLR):
    """lr = base * gamma ** floor(step / step_size)."""

    def __init__(self, optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1):
        self.step_size, self.gamma = whole("StepLR", "step_size", step_size), gamma
        super().__init__(optimizer, step(self.step_size, gamma), last_epoch)


class MultiStepLR(LambdaLR):
    """lr = base * gamma ** (number of milestones reached)."""

    def __init__(self, optimizer, milestones: Sequence[int], gamma: float = 0.1, last_epoch: int = -1):
        self.milestones, self.gamma = sorted(milestones), gamma
        super().__init__(optimizer, multi_step(self.milestones, gamma), last_epoch)


class ExponentialLR(LambdaLR):
    """lr = base * gamma ** step."""

    def __init__(self, optimizer, gamma: float, last_epoch: int = -1):
        self.gamma = gamma
        super().__init__(optimizer, exponential(gamma), last_epoch)


class PolynomialLR(LambdaLR):
    """lr = base * (1 - step / total_iters) ** power, then zero."""

    def __init__(self, optimizer, total_iters: int = 5, power: float = 1.0, last_epoch: int = -1):
        self.total_iters, self.power = whole("PolynomialLR", "total_iters", total_iters), power
        super().__init__(optimizer, polynomial(self.total_iters, power), last_epoch)


class CosineAnnealingLR(LRScheduler):
    """lr = eta_min + (base - eta_min) / 2 * (1 + cos(pi * step / T_max)); rises again after T_max. [Loshchilov2017]"""

    def __init__(self, optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1):
        self.T_max, self.eta_min = whole("CosineAnnealingLR", "T_max", T_max), eta_min
        super().__init__(optimizer, last_epoch)

    def lr_at(self, step, base):
        return annealed(base, self.eta_min, step / self.T_max)


class CosineAnnealingWarmRestarts(LRScheduler):
    """Half waves from base to eta_min: the first of T_0 steps, each T_mult times as long as the one before. [Loshchilov2017]"""

    def __init__(self, optimizer, T_0: int, T_mult: int = 1, eta_min: float = 0.0, last_epoch: int = -1):
        self.T_0, self.T_mult = whole("CosineAnnealingWarmRestarts", "T_0", T_0), T_mult
        self.T_mult, self.eta_min = whole("CosineAnnealingWarmRestarts", "T_mult", T_mult), eta_min
        super().__init__(optimizer, last_epoch)

    def lr_at(self, step, base):
        return restarts_at(self.T_0, self.T_mult, base, self.eta_min, step)


class SWALR(LRScheduler):
    """From the rates at the first `step()` to `swa_lr` in anneal_epochs steps: for averages of weights. [Izmailov2018]

    Parameters
    ----------
    optimizer : Optimizer
    swa_lr : float or sequence of float
        Of all groups, or of each.
    anneal_epochs : int
        0: at once.
    anneal_strategy : {"cos", "linear"}
    """

    def __init__(self, optimizer, swa_lr, anneal_epochs: int = 10, anneal_strategy: str = "cos", last_epoch: int = -1):
        count = len(optimizer.param_groups)
        self.swa_lrs = [float(lr) for lr in swa_lr] if isinstance(swa_lr, (list, tuple)) else [float(swa_lr)] * count
        if len(self.swa_lrs) != count:
            raise ArgumentError(f"SWALR: {len(self.swa_lrs)} values of swa_lr for {count} groups")
        self.anneal_epochs = whole("SWALR", "anneal_epochs", anneal_epochs, least=0)
        self._line = line_of("SWALR", "anneal_strategy", anneal_strategy)
        rates = [group["lr"] for group in optimizer.param_groups]
        super().__init__(optimizer, last_epoch)
        passed = self._line(0.0, 1.0, self._fraction())
        if self.last_epoch and passed < 1.0:  # the rates that the earlier run began with, from the present ones
            self.base_lrs = [(lr - passed * end) / (1.0 - passed) for lr, end in zip(rates, self.swa_lrs, strict=True)]
            self._apply()

    def _fraction(self) -> float:
        return min(1.0, self.last_epoch / self.anneal_epochs) if self.anneal_epochs else 1.0

    def step(self) -> None:
        if self.last_epoch == 0:  # another schedule may have moved the rates until now
            self.base_lrs = [group["lr"] / self.scale for group in self.optimizer.param_groups]
        super().step()

    def _apply(self) -> None:
        if self.last_epoch == 0 and self.anneal_epochs:
            return
        for group, base, end in zip(self.optimizer.param_groups, self.base_lrs, self.swa_lrs, strict=True):
            group["lr"] = self._line(base, end, self._fraction()) * self.scale


class SequentialLR(LRScheduler):
    """One scheduler after the other: the next one begins, at its step 0, at each milestone.

    The parts are read, not stepped: step only this one. Schedules join without it: warmup(5) >> cosine(95).

    Parameters
    ----------
    optimizer : Optimizer
    schedulers : sequence of LRScheduler
        Of the same optimizer.
    milestones : sequence of int
        One less than schedulers, rising.
    """

    def __init__(self, optimizer, schedulers: Sequence[LRScheduler], milestones: Sequence[int], last_epoch: int = -1):
        self.schedulers, self.milestones = list(schedulers), [whole("SequentialLR", "a milestone", m) for m in milestones]
        if len(self.milestones) != len(self.schedulers) - 1 or self.milestones != sorted(self.milestones):
            raise ArgumentError(
                f"SequentialLR: {len(self.schedulers)} schedulers need one milestone less, rising; got {self.milestones}"
            )
        for scheduler in self.schedulers:
            if scheduler.optimizer is not optimizer or isinstance(scheduler, ReduceLROnPlateau):
                raise ArgumentError(f"SequentialLR: {type(scheduler).__name__} has another optimizer, or waits for figures")
        super().__init__(optimizer, last_epoch)

    def _apply(self) -> None:
        number = bisect_right(self.milestones, self.last_epoch)
        part = self.schedulers[number]
        part.last_epoch, part.scale = self.last_epoch - (self.milestones[number - 1] if number else 0), self.scale
        part._apply()

    def state_dict(self) -> dict:
        """Return the position, and the states of the parts."""
        return {**super().state_dict(), "schedulers": [scheduler.state_dict() for scheduler in self.schedulers]}

    def load_state_dict(self, values: dict) -> None:
        """Restore what `state_dict` returned, and set the rates of that step."""
        parts = values.get("schedulers", ())
        if len(parts) != len(self.schedulers):
            raise StateError(f"SequentialLR: the state of {len(parts)} schedulers does not fit {len(self.schedulers)}")
        for scheduler, part in zip(self.schedulers, parts, strict=True):
            scheduler.load_state_dict(part)
        super().load_state_dict(values)


class ChainedScheduler(LRScheduler):
    """Several schedulers at once: lr = base * product of (lr_i / base).

    The parts are read, not stepped: step only this one. Schedules multiply without it: warmup(5) * cosine(100).
    """

    def __init__(self, schedulers: Sequence[LRScheduler], optimizer=None):
        self.schedulers = list(schedulers)
        if not self.schedulers:
            raise ArgumentError("ChainedScheduler: at least one scheduler is needed")
        optimizer = self.schedulers[0].optimizer if optimizer is None else optimizer
        if any(s.optimizer is not optimizer or isinstance(s, (ReduceLROnPlateau, SWALR)) for s in self.schedulers):
            raise ArgumentError("ChainedScheduler: the parts must have one optimizer, and be functions of the step")
        if len({scheduler.last_epoch for scheduler in self.schedulers}) > 1:
            steps = [scheduler.last_epoch for scheduler in self.schedulers]
            raise ArgumentError(f"ChainedScheduler: the parts must stand at one step, got {steps}")
        super().__init__(optimizer, self.schedulers[0].last_epoch - 1)

    def lr_at(self, step, base):
        factors = (scheduler.lr_at(step, base) / base for scheduler in self.schedulers)
        return base * math.prod(factors) if base else 0.0


class WarmUp(LRScheduler):
    """The rate of another schedule times a factor that rises linearly from `start_factor` to 1 in `steps` steps.

    The other schedule is read, not stepped: step only this one.
    """

    def __init__(self, schedule: LRScheduler, steps: int, start_factor: float = 0.0):
        self.schedule, self.steps = schedule, whole("WarmUp", "steps", steps)
        self.start_factor = finite("WarmUp", "start_factor", start_factor, 0.0, 1.0)
        self._factor = warmup(self.steps, self.start_factor)
        super().__init__(schedule.optimizer, schedule.last_epoch - 1)

    def lr_at(self, step, base):
        return self._factor(step) * self.schedule.lr_at(step, base)

    def _apply(self) -> None:
        inner = self.schedule
        inner.last_epoch, inner.base_lrs = self.last_epoch, self.base_lrs
        inner.scale = self.scale * self._factor(self.last_epoch)
        inner._apply()
