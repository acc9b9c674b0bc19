"""optim.one_cycle: PyTorch's schedules that go up and down and move the momentum as well. Papers: [Smith2017], [Smith2018]."""

from __future__ import annotations

from collections.abc import Callable

from ..errors import ArgumentError
from .schedule import cycle_ends, line_of, phases, triangular
from .scheduler import LRScheduler, set_option
from .sequence import finite, whole


class _Cyclic(LRScheduler):
    """A schedule that may move the momentum (or beta1) as well."""

    cycle_momentum = True

    def momentum_at(self, step: int) -> float:
        """Return the momentum at `step`."""
        raise NotImplementedError

    def _apply(self) -> None:
        super()._apply()
        if self.cycle_momentum:
            momentum = self.momentum_at(self.last_epoch)
            for group in self.optimizer.param_groups:
                set_option(group, "momentum", momentum)


class OneCycleLR(_Cyclic):
    """From max_lr / div_factor up to max_lr, then down to a final_div_factor-th of the start. [Smith2018]

    Parameters
    ----------
    optimizer : Optimizer
    max_lr : float
    total_steps : int
        Or epochs and steps_per_epoch. The lowest rate is that of the last step, and stays.
    pct_start : float
        Share of the steps that rise.
    cycle_momentum : bool
        Move momentum (or beta1) the other way, from max_momentum to base_momentum and back.
    base_momentum, max_momentum, div_factor, final_div_factor : float
    anneal_strategy : {"cos", "linear"}
        Waves or straight lines between the turning points.
    three_phase : bool
        Come down to the start first, as fast as up, and go to the lowest rate from there.
    last_epoch : int
        As in LRScheduler.
    """

    def __init__(
        self,
        optimizer,
        max_lr: float,
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float = 0.85,
        max_momentum: float = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ):
        if total_steps is None and epochs is not None and steps_per_epoch is not None:
            total_steps = whole("OneCycleLR", "epochs", epochs) * whole("OneCycleLR", "steps_per_epoch", steps_per_epoch)
        self.total_steps = whole("OneCycleLR", "total_steps", total_steps)
        self.pct_start = finite("OneCycleLR", "pct_start", pct_start, 0.0, 1.0)
        self.max_lr, self.cycle_momentum = finite("OneCycleLR", "max_lr", max_lr, 0.0), cycle_momentum
        self.base_momentum, self.max_momentum = base_momentum, max_momentum
        self.div_factor, self.final_div_factor = div_factor, final_div_factor
        self.three_phase, self._line = three_phase, line_of("OneCycleLR", "anneal_strategy", anneal_strategy)
        self._ends = cycle_ends(self.total_steps, self.pct_start, three_phase)
        if last_epoch == -1:
            for group in optimizer.param_groups:
                group["initial_lr"] = max_lr / div_factor
        super().__init__(optimizer, last_epoch)

    def _between(self, step: int, first: float, peak: float, last: float) -> float:
        values = [first, peak, first, last] if self.three_phase else [first, peak, last]
        return phases(self._ends, values, self._line, step)

    def lr_at(self, step, base):
        return self._between(step, base, self.max_lr, base / self.final_div_factor)

    def momentum_at(self, step: int) -> float:
        return self._between(step, self.max_momentum, self.base_momentum, self.max_momentum)


OneCycle = OneCycleLR


class CyclicLR(_Cyclic):
    """From base_lr to max_lr in step_size_up steps and back in step_size_down, again and again. [Smith2017]

    Parameters
    ----------
    optimizer : Optimizer
    base_lr, max_lr : float
    step_size_up : int
    step_size_down : int, optional
        As long as up without it.
    mode : {"triangular", "triangular2", "exp_range"}
        The peaks stay, halve with each cycle, or fall by gamma with each step.
    gamma : float
    scale_fn : callable, optional
        scale_fn(n), the height of the peaks between 0 and 1, in place of `mode` and `gamma`.
    scale_mode : {"cycle", "iterations"}
        What n counts: cycles, the first one being 1, or steps.
    cycle_momentum : bool
        Move momentum (or beta1) the other way, from max_momentum to base_momentum and back.
    base_momentum, max_momentum : float
    last_epoch : int
        As in LRScheduler.
    """

    def __init__(
        self,
        optimizer,
        base_lr: float,
        max_lr: float,
        step_size_up: int = 2000,
        step_size_down: int | None = None,
        mode: str = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[int], float] | None = None,
        scale_mode: str = "cycle",
        cycle_momentum: bool = True,
        base_momentum: float = 0.8,
        max_momentum: float = 0.9,
        last_epoch: int = -1,
    ):
        if mode not in ("triangular", "triangular2", "exp_range"):
            raise ArgumentError(f"CyclicLR: mode must be 'triangular', 'triangular2' or 'exp_range', got {mode!r}")
        if scale_mode not in ("cycle", "iterations") or not (scale_fn is None or callable(scale_fn)):
            raise ArgumentError(
                "CyclicLR: scale_fn must be a function, and scale_mode 'cycle' or 'iterations', "
                f"got {scale_fn!r} and {scale_mode!r}"
            )
        base_lr, self.max_lr = finite("CyclicLR", "base_lr", base_lr, 0.0), finite("CyclicLR", "max_lr", max_lr, 0.0)
        self.gamma = gamma if mode == "exp_range" and scale_fn is None else 1.0
        self.scale_fn, self.scale_mode = scale_fn, scale_mode
        self.cycle_momentum, self.base_momentum, self.max_momentum = cycle_momentum, base_momentum, max_momentum
        up = whole("CyclicLR", "step_size_up", step_size_up)
        self._share = triangular(up, step_size_down, shrink=0.5 if mode == "triangular2" and scale_fn is None else 1.0)
        self._period = up + (up if step_size_down is None else step_size_down)
        for group in optimizer.param_groups:
            if last_epoch == -1 or "initial_lr" in group:
                group["initial_lr"] = base_lr
        super().__init__(optimizer, last_epoch)

    def _height(self, step: int) -> float:
        height = self._share(step) * self.gamma**step
        if self.scale_fn is None:
            return height
        return height * self.scale_fn(1 + step // self._period if self.scale_mode == "cycle" else step)

    def lr_at(self, step, base):
        return base + (self.max_lr - base) * self._height(step)

    def momentum_at(self, step: int) -> float:
        return self.max_momentum - (self.max_momentum - self.base_momentum) * self._height(step)
