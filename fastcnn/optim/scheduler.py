"""optim.scheduler: what sets the options of an optimizer at each step: the base of the classes of `lr_scheduler`; Scheduler."""

from __future__ import annotations

from ..errors import ArgumentError, StateError
from ..kernels import entry
from .optimizer import Optimizer
from .sequence import Schedule, as_schedule, whole


class LRScheduler:
    """Sets `lr` of each group of an optimizer: to `lr_at(0)` when made, to that of the next step at each `step()`.

    A subclass defines `lr_at(step, base)`, a pure function of the step for a group whose initial rate is `base`; so a
    schedule can be plotted in advance, and resuming it needs one number.

    Parameters
    ----------
    optimizer : Optimizer
    last_epoch : int
        The step that was the last one of an earlier run: this one begins with the next. The groups must then have an
        "initial_lr", which the state dict of an optimizer brings along. -1: from the beginning.

    Attributes
    ----------
    last_epoch : int
        The step that the current rates belong to (PyTorch's name; a step may be a batch or an epoch).
    scale : float
        A factor on all rates, 1 unless somebody sets it: a batch size that is coupled to the rate does.
    """

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1):
        name = type(self).__name__
        if not isinstance(optimizer, Optimizer):
            raise ArgumentError(f"{name}: optimizer must be an Optimizer, got {type(optimizer).__name__}")
        self.optimizer = optimizer
        self.last_epoch, self.scale = whole(name, "last_epoch", last_epoch, least=-1) + 1, 1.0
        for i, group in enumerate(optimizer.param_groups):
            if self.last_epoch and "initial_lr" not in group:
                raise ArgumentError(
                    f"{name}: last_epoch={last_epoch} goes on with an earlier run, but group {i} has no 'initial_lr'; load the "
                    "state dict of its optimizer first"
                )
        self.base_lrs = [group.setdefault("initial_lr", group["lr"]) for group in optimizer.param_groups]
        self._apply()

    def lr_at(self, step: int, base: float) -> float:
        """Return the rate at `step` (0, 1, ...) of a group whose initial rate is `base`."""
        raise NotImplementedError

    def step(self) -> None:
        """Go to the next step."""
        self._advance()
        entry.call(self._advance)  # at its place in each replay of a captured step

    def _advance(self) -> None:
        self.last_epoch += 1
        self._apply()

    def get_last_lr(self) -> list[float]:
        """Return the current rate of each group."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self) -> dict:
        """Return the position, the initial rates and the scale."""
        return {"last_epoch": self.last_epoch, "base_lrs": list(self.base_lrs), "scale": self.scale}

    def load_state_dict(self, values: dict) -> None:
        """Restore what `state_dict` returned, and set the rates of that step."""
        try:
            last, base = int(values["last_epoch"]), [float(lr) for lr in values["base_lrs"]]
            scale = float(values.get("scale", 1.0))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise StateError(f"{type(self).__name__}: not a state dict of a scheduler: {error!r}") from None
        if len(base) != len(self.base_lrs) or last < 0:
            raise StateError(f"{type(self).__name__}: {len(base)} groups at step {last} do not fit {len(self.base_lrs)} groups")
        self.last_epoch, self.base_lrs, self.scale = last, base, scale
        self._apply()

    def _apply(self) -> None:
        """Write the rates of the present step."""
        for group, base in zip(self.optimizer.param_groups, self.base_lrs, strict=True):
            group["lr"] = self.lr_at(self.last_epoch, base) * self.scale


class Scheduler(LRScheduler):
    """Sets any option of an optimizer, and the batch size of a loader, by schedules of the step.

    Parameters
    ----------
    optimizer : Optimizer
    lr : Schedule, number or callable, optional
        A factor of each group's initial rate. Without it the rates stay.
    loader : DataLoader, optional
    batch_size : Schedule, number or callable, optional
        Images per batch of the loader, rounded. Needs `loader`. With a rate that follows the size: `BatchSchedule`.
    last_epoch : int
        As in LRScheduler.
    **options : Schedule, number or callable
        Further options of the groups by name: the values themselves. "momentum" of an optimizer with betas is beta1; "beta1"
        and "beta2" are the two betas.

    Raises
    ------
    ArgumentError
        For an option that the optimizer does not have.

    Examples
    --------
    >>> from fastcnn import nn, optim
    >>> from fastcnn.optim.schedule import cosine, linear, warmup
    >>> optimizer = optim.SGD(nn.Linear(2, 2).parameters(), lr=0.1, momentum=0.9)
    >>> schedule = optim.Scheduler(optimizer, lr=warmup(5) >> cosine(95), momentum=linear(100, 0.85, 0.95))
    >>> for _ in range(5):
    ...     schedule.step()
    >>> group = optimizer.param_groups[0]
    >>> group["lr"], round(group["momentum"], 3)
    (0.1, 0.855)
    """

    def __init__(self, optimizer: Optimizer, *, lr=1.0, loader=None, batch_size=None, last_epoch: int = -1, **options):
        if (loader is None) != (batch_size is None):
            raise ArgumentError("Scheduler: loader and batch_size belong together")
        self.lr, self.loader = as_schedule(lr), loader
        self.batch_size = None if batch_size is None else as_schedule(batch_size)
        self.options: dict[str, Schedule] = {name: as_schedule(value) for name, value in options.items()}
        for name in self.options:
            for group in optimizer.param_groups:
                if name in ("lr", "params", "initial_lr") or not _has(group, name):
                    have = ", ".join(key for key in group if key not in ("params", "initial_lr"))
                    raise ArgumentError(f"Scheduler: {type(optimizer).__name__} has no option {name!r}, only {have}")
        super().__init__(optimizer, last_epoch)

    def lr_at(self, step, base):
        return base * self.lr(step)

    def _apply(self) -> None:
        super()._apply()
        for name, schedule in self.options.items():
            value = schedule(self.last_epoch)
            for group in self.optimizer.param_groups:
                set_option(group, name, value)
        for group in self.optimizer.param_groups if self.options else ():
            self.optimizer.check(group)
        if self.batch_size is not None:
            self.loader.batch_size = max(1, round(self.batch_size(self.last_epoch)))


def _has(group: dict, name: str) -> bool:
    return name in group or ("betas" in group and name in ("momentum", "beta1", "beta2"))


def set_option(group: dict, name: str, value: float) -> None:
    """Write an option of a group; momentum and beta1 of an optimizer with betas are the first of them."""
    if name in group:
        group[name] = value
    elif name == "beta2":
        group["betas"] = (*group["betas"][:1], value)
    elif "betas" in group:
        group["betas"] = (value, *group["betas"][1:])
