"""optim.plateau: a learning rate that falls when a figure stops improving: the one schedule with a memory."""

from __future__ import annotations

import math

from ..errors import ArgumentError, StateError
from ..kernels import entry
from .scheduler import LRScheduler
from .sequence import finite, whole


class ReduceLROnPlateau(LRScheduler):
    """Multiply the rates by `factor` when `patience` steps in a row brought no better figure.

    `step(figure)` takes the figure, e.g. the loss of the validation. A `Trainer` with `schedule_every="epoch"` gives it
    `Epoch.figure(monitor)` after each epoch.

    Parameters
    ----------
    optimizer : Optimizer
    mode : {"min", "max"}
        Whether smaller or larger figures are better.
    factor : float, 0 .. 1
    patience : int
        Steps without improvement that are borne; the rate falls at the next one.
    threshold : float
        What counts as better: best * (1 -+ threshold), or best -+ threshold.
    threshold_mode : {"rel", "abs"}
    cooldown : int
        Steps after a fall that do not count.
    min_lr : float or sequence of float
        Lower bound, of all groups or of each.
    eps : float
        A fall by less is left out.
    monitor : str, optional
        The column that a Trainer reads; "validation_loss" if there is a validation, else "loss".
    """

    def __init__(
        self,
        optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr=0.0,
        eps: float = 1e-8,
        *,
        monitor: str | None = None,
    ):
        if mode not in ("min", "max") or threshold_mode not in ("rel", "abs"):
            raise ArgumentError(
                "ReduceLROnPlateau: mode must be 'min' or 'max' and threshold_mode 'rel' or 'abs', "
                f"got {mode!r} and {threshold_mode!r}"
            )
        if not 0.0 <= finite("ReduceLROnPlateau", "factor", factor) < 1.0:
            raise ArgumentError(f"ReduceLROnPlateau: factor must be at least 0 and below 1, got {factor!r}")
        self.mode, self.factor, self.threshold, self.threshold_mode = mode, factor, threshold, threshold_mode
        self.patience = whole("ReduceLROnPlateau", "patience", patience, least=0)
        self.cooldown = whole("ReduceLROnPlateau", "cooldown", cooldown, least=0)
        count = len(optimizer.param_groups)
        self.min_lrs = list(min_lr) if isinstance(min_lr, (list, tuple)) else [min_lr] * count
        if len(self.min_lrs) != count:
            raise ArgumentError(f"ReduceLROnPlateau: {len(self.min_lrs)} values of min_lr for {count} groups")
        self.eps, self.monitor = eps, monitor
        self.best = math.inf if mode == "min" else -math.inf
        self.num_bad_epochs = self.cooldown_counter = 0
        self.rates = [group["lr"] for group in optimizer.param_groups]
        super().__init__(optimizer)

    def lr_at(self, step, base):
        raise StateError("ReduceLROnPlateau: the rate depends on the figures, not on the step")

    def is_better(self, figure: float, best: float) -> bool:
        """Whether `figure` improves on `best` by more than the threshold."""
        sign = -1.0 if self.mode == "min" else 1.0
        bound = best * (1.0 + sign * self.threshold) if self.threshold_mode == "rel" else best + sign * self.threshold
        return figure < bound if self.mode == "min" else figure > bound

    def step(self, figure: float) -> None:  # type: ignore[override]
        """Take the figure of the step that is done."""
        entry.refuse("ReduceLROnPlateau.step, which decides by a value")
        figure = float(figure)
        self.last_epoch += 1
        if self.is_better(figure, self.best):
            self.best, self.num_bad_epochs = figure, 0
        else:
            self.num_bad_epochs += 1
        if self.cooldown_counter > 0:
            self.cooldown_counter, self.num_bad_epochs = self.cooldown_counter - 1, 0
        if self.num_bad_epochs > self.patience:
            lower = [max(rate * self.factor, least) for rate, least in zip(self.rates, self.min_lrs, strict=True)]
            self.rates = [new if old - new > self.eps else old for old, new in zip(self.rates, lower, strict=True)]
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0
        self._apply()

    def _apply(self) -> None:
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * self.scale

    def state_dict(self) -> dict:
        """Return the position, the rates, and what is remembered of the figures."""
        counters = {key: getattr(self, key) for key in ("best", "num_bad_epochs", "cooldown_counter")}
        return {**super().state_dict(), **counters, "rates": list(self.rates)}

    def load_state_dict(self, values: dict) -> None:
        """Restore what `state_dict` returned, and set the rates."""
        before = self.rates
        try:
            best, rates = float(values["best"]), [float(rate) for rate in values["rates"]]
            bad, cooling = int(values["num_bad_epochs"]), int(values["cooldown_counter"])
            if len(rates) != len(before):
                raise ValueError(f"{len(rates)} rates for {len(before)} groups")
        except (KeyError, TypeError, ValueError) as error:
            raise StateError(f"ReduceLROnPlateau: not a state dict of this scheduler: {error!r}") from None
        try:
            self.rates = rates
            super().load_state_dict(values)
        except StateError:
            self.rates = before
            raise
        self.best, self.num_bad_epochs, self.cooldown_counter = best, bad, cooling
