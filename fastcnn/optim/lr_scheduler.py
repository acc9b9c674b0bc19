"""optim.lr_scheduler: learning rates over time, each a pure function of the step. Papers: [Loshchilov2017], [Smith2018]."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from ..errors import ArgumentError, StateError
from .optimizer import Optimizer


def _count(name: str, key: str, value) -> int:
    if not hasattr(value, "__index__") or isinstance(value, bool) or value < 1:
        raise ArgumentError(f"{name}: {key} must be an int of at least 1, got {value!r}")
    return int(value)


def annealed(start: float, end: float, fraction: float) -> float:
    """Half a cosine wave from `start` (fraction 0) to `end` (fraction 1)."""
    return end + (start - end) / 2.0 * (1.0 + math.cos(math.pi * fraction))


class LRScheduler:
    """Sets `lr` of each group of an optimizer: to `lr_at(0)` when made, to that of the next step at each `step()`.

    A subclass defines `lr_at(step, base)`, a pure function of the step for a group whose initial rate is `base`; so a
    schedule can be plotted in advance, and resuming it needs one number.

    Attributes
    ----------
    last_epoch : int
        The step that the current rates belong to (PyTorch's name; a step may be a batch or an epoch).
    """

    def __init__(self, optimizer: Optimizer):
        self.optimizer = optimizer
        self.base_lrs = [group.setdefault("initial_lr", group["lr"]) for group in optimizer.param_groups]
        self.last_epoch = 0
        self._apply()

    def lr_at(self, step: int, base: float) -> float:
        """Return the rate at `step` (0, 1, ...) of a group whose initial rate is `base`."""
        raise NotImplementedError

    def step(self) -> None:
        """Go to the next step."""
        self.last_epoch += 1
        self._apply()

    def get_last_lr(self) -> list[float]:
        """Return the current rate of each group."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self) -> dict:
        """Return the position and the initial rates."""
        return {"last_epoch": self.last_epoch, "base_lrs": list(self.base_lrs)}

    def load_state_dict(self, values: dict) -> None:
        """Restore what `state_dict` returned, and set the rates of that step."""
        try:
            last, base = int(values["last_epoch"]), [float(lr) for lr in values["base_lrs"]]
        except (KeyError, TypeError, ValueError) as error:
            raise StateError(f"{type(self).__name__}: not a state dict of a scheduler: {error!r}") from None
        if len(base) != len(self.base_lrs) or last < 0:
            raise StateError(f"{type(self).__name__}: {len(base)} groups at step {last} do not fit {len(self.base_lrs)} groups")
        self.last_epoch, self.base_lrs = last, base
        self._apply()

    def _apply(self) -> None:
        for group, base in zip(self.optimizer.param_groups, self.base_lrs, strict=True):
            group["lr"] = self.lr_at(self.last_epoch, base)


class LambdaLR(LRScheduler):
    """lr = base * lr_lambda(step)."""

    def __init__(self, optimizer, lr_lambda: Callable[[int], float]):
        self.lr_lambda = lr_lambda
        super().__init__(optimizer)

    def lr_at(self, step, base):
        return base * self.lr_lambda(step)


class Constant(LRScheduler):
    """lr = base."""

    def lr_at(self, step, base):
        return base


class LinearDecay(LRScheduler):
    """lr = max(base * (1 - step / total_steps), floor): linear to zero, never below `floor` and never negative."""

    def __init__(self, optimizer, total_steps: int, floor: float = 0.0):
        self.total_steps = _count("LinearDecay", "total_steps", total_steps)
        if not floor >= 0:
            raise ArgumentError(f"LinearDecay: floor must be at least 0, got {floor!r}")
        self.floor = floor
        super().__init__(optimizer)

    def lr_at(self, step, base):
        return max(base * (1.0 - step / self.total_steps), min(self.floor, base))


class StepLR(LRScheduler):
    """lr = base * gamma ** floor(step / step_size)."""

    def __init__(self, optimizer, step_size: int, gamma: float = 0.1):
        self.step_size, self.gamma = _count("StepLR", "step_size", step_size), gamma
        super().__init__(optimizer)

    def lr_at(self, step, base):
        return base * self.gamma ** (step // self.step_size)


class MultiStepLR(LRScheduler):
    """lr = base * gamma ** (number of milestones reached)."""

    def __init__(self, optimizer, milestones: Sequence[int], gamma: float = 0.1):
        self.milestones, self.gamma = sorted(milestones), gamma
        super().__init__(optimizer)

    def lr_at(self, step, base):
        return base * self.gamma ** sum(step >= m for m in self.milestones)


class ExponentialLR(LRScheduler):
    """lr = base * gamma ** step."""

    def __init__(self, optimizer, gamma: float):
        self.gamma = gamma
        super().__init__(optimizer)

    def lr_at(self, step, base):
        return base * self.gamma**step


class CosineAnnealingLR(LRScheduler):
    """lr = eta_min + (base - eta_min) / 2 * (1 + cos(pi * step / T_max)); rises again after T_max. [Loshchilov2017]"""

    def __init__(self, optimizer, T_max: int, eta_min: float = 0.0):
        self.T_max, self.eta_min = _count("CosineAnnealingLR", "T_max", T_max), eta_min
        super().__init__(optimizer)

    def lr_at(self, step, base):
        return annealed(base, self.eta_min, step / self.T_max)


class OneCycleLR(LRScheduler):
    """From max_lr / div_factor up to max_lr, then down to a final_div_factor-th of the start, on cosines. [Smith2018]

    Parameters
    ----------
    optimizer : Optimizer
    max_lr : float
    total_steps : int
        The lowest rate is that of step total_steps - 1, and stays.
    pct_start : float
        Share of the steps that rise.
    cycle_momentum : bool
        Move momentum (or beta1) the other way, from max_momentum to base_momentum and back.
    base_momentum, max_momentum, div_factor, final_div_factor : float
    """

    def __init__(
        self,
        optimizer,
        max_lr: float,
        total_steps: int,
        pct_start: float = 0.3,
        cycle_momentum: bool = True,
        base_momentum: float = 0.85,
        max_momentum: float = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
    ):
        self.total_steps = _count("OneCycleLR", "total_steps", total_steps)
        if not 0.0 <= pct_start <= 1.0:
            raise ArgumentError(f"OneCycleLR: pct_start must be between 0 and 1, got {pct_start!r}")
        self.max_lr, self.pct_start, self.cycle_momentum = max_lr, pct_start, cycle_momentum
        self.base_momentum, self.max_momentum = base_momentum, max_momentum
        self.div_factor, self.final_div_factor = div_factor, final_div_factor
        for group in optimizer.param_groups:
            group["initial_lr"] = max_lr / div_factor
        super().__init__(optimizer)

    def _between(self, step: int, first: float, peak: float, last: float) -> float:
        """The value at `step` of a cycle first -> peak -> last."""
        top = self.pct_start * self.total_steps - 1.0
        end = self.total_steps - 1.0
        place = min(float(step), end)
        if place <= top:
            return annealed(first, peak, place / top if top else 1.0)
        return annealed(peak, last, (place - top) / (end - top))

    def lr_at(self, step, base):
        return self._between(step, base, self.max_lr, base / self.final_div_factor)

    def momentum_at(self, step: int) -> float:
        """Return the momentum at `step`."""
        return self._between(step, self.max_momentum, self.base_momentum, self.max_momentum)

    def _apply(self) -> None:
        super()._apply()
        if not self.cycle_momentum:
            return
        momentum = self.momentum_at(self.last_epoch)
        for group in self.optimizer.param_groups:
            if "betas" in group:
                group["betas"] = (momentum, *group["betas"][1:])
            elif "momentum" in group:
                group["momentum"] = momentum


OneCycle = OneCycleLR


class WarmUp(LRScheduler):
    """The rate of another schedule times a factor that rises linearly from `start_factor` to 1 in `steps` steps.

    The other schedule is read, not stepped: step only this one.
    """

    def __init__(self, schedule: LRScheduler, steps: int, start_factor: float = 0.0):
        self.schedule, self.steps = schedule, _count("WarmUp", "steps", steps)
        if not 0.0 <= start_factor <= 1.0:
            raise ArgumentError(f"WarmUp: start_factor must be between 0 and 1, got {start_factor!r}")
        self.start_factor = start_factor
        super().__init__(schedule.optimizer)

    def lr_at(self, step, base):
        factor = self.start_factor + (1.0 - self.start_factor) * min(step / self.steps, 1.0)
        return factor * self.schedule.lr_at(step, base)
