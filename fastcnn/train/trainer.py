"""train.trainer: one training run: forward, backward, update, schedule, validation, callbacks; stops and resumes exactly."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from time import perf_counter

from ..errors import ArgumentError, StateError
from ..nn import functional as F
from ..optim.lr_scheduler import ReduceLROnPlateau
from .callback import Callback, as_callback, overridden
from .capture import CaptureReport
from .checkpoint import load_checkpoint, save_checkpoint
from .evaluate import batches_of, evaluate, figures_of
from .history import Epoch, History
from .interrupt import on_interrupt
from .metrics import Metric
from .progress import display
from .running import Running, Snapshot, batches_left, groups
from .step import Step


class Trainer:
    """Everything that one training run consists of.

    Parameters
    ----------
    model : Module
        Gives logits (n, classes).
    loader : DataLoader
        Or any sized iterable of batches `(x, y)`.
    optimizer : Optimizer
    schedule : scheduler, optional
        `schedule.step()` is called after every update, or after every epoch, as `schedule_every` says. `ReduceLROnPlateau` needs
        "epoch" and gets the figure that it monitors.
    schedule_every : {"step", "epoch"}
    loss : callable, optional
        `loss(logits, y) -> Tensor`, the mean over a batch; cross-entropy without it.
    validation : dataset or iterable of batches, optional
        Evaluated after each epoch.
    validation_loss : callable, optional
        The loss of the validation; cross-entropy without it.
    metrics : mapping of str to Metric, optional
        Further figures of the validation. Those that are numbers go into `Epoch.metrics`.
    accumulate : int
        Batches per update, times those of a `BatchSchedule` or `BatchGrowth` that accumulates. The gradient is that of the mean
        over all their samples, as of one large batch; batch normalisation still sees each batch alone, unless `join`.
    join : bool
        Run the batches of an update as one: batch normalisation sees all of them, and the update is exactly that of the large
        batch. It needs the memory of the large batch; `autograd.checkpoint` in the model lowers that.
    clip_norm, clip_value : float, optional
        Limits to the norm of all gradients together, and to each of their elements, before each update.
    capture : bool
        Record the steps and replay them, see `fastcnn.capture`: the same bits, less Python per step.
    callbacks : iterable of Callback or callable
        A plain function is called with each `Epoch`; the training ends when it returns True.
    progress : bool or str
        True: a bar on a terminal when `rich` is installed, otherwise one line per epoch. "bar" and "lines" force one.

    Attributes
    ----------
    history : History
        The epochs done.
    step : int
        Updates done.
    last_loss, last_lr : float
        Loss and learning rate of the last update.
    interrupted : bool
        Whether Ctrl-C ended the last `fit`.

    Examples
    --------
    >>> from fastcnn import data, models, optim, train
    >>> model = models.lenet5()
    >>> loader = data.DataLoader(data.Subset(data.digits(), range(64)), 32, shuffle=True)
    >>> trainer = train.Trainer(model, loader, optim.SGD(model.parameters(), lr=0.05))
    >>> len(trainer.fit(2)), trainer.step
    (2, 4)
    """

    def __init__(
        self,
        model,
        loader,
        optimizer,
        *,
        schedule=None,
        schedule_every: str = "step",
        loss: Callable | None = None,
        validation=None,
        validation_loss: Callable | None = None,
        metrics: Mapping[str, Metric] | None = None,
        accumulate: int = 1,
        join: bool = False,
        clip_norm: float | None = None,
        clip_value: float | None = None,
        capture: bool = False,
        callbacks: Iterable = (),
        progress: bool | str = False,
    ):
        if schedule_every not in ("step", "epoch"):
            raise ArgumentError(f"Trainer: schedule_every must be 'step' or 'epoch', got {schedule_every!r}")
        if isinstance(schedule, ReduceLROnPlateau) and schedule_every != "epoch":
            raise ArgumentError("Trainer: ReduceLROnPlateau waits for figures of epochs; give schedule_every='epoch'")
        if not isinstance(accumulate, int) or isinstance(accumulate, bool) or accumulate < 1:
            raise ArgumentError(f"Trainer: accumulate must be an int of at least 1, got {accumulate!r}")
        self.model, self.loader, self.optimizer = model, loader, optimizer
        self.schedule, self.schedule_every = schedule, schedule_every
        self.validation, self.validation_loss, self.metrics = validation, validation_loss, dict(metrics or {})
        self.accumulate = accumulate
        self.callbacks: list[Callback] = sorted(
            map(as_callback, [*display(progress), *callbacks]), key=lambda callback: callback.order
        )
        self.history, self.step, self.epochs, self._batches = History(), 0, 0, 0
        self.last_loss = self.last_lr = float("nan")
        self.interrupted = self._stopping = False
        self.average = None  # what `averaged` puts in the place of the weights, set by train.EMA
        self._running = Running()
        self._update = Step(model, optimizer, F.cross_entropy if loss is None else loss, clip_norm, clip_value, capture)
        self._update.join, self._update.noise = bool(join), getattr(schedule, "noise", None)
        if self._update.noise is not None and (accumulate < 2 or join):
            raise ArgumentError(
                "Trainer: the noise scale is measured from accumulated batches; give accumulate=2 or more, no join"
            )
        self._hooks: dict[str, list[Callable]] = {}

    @property
    def batches_done(self) -> int:
        """Batches done in all epochs."""
        return self._batches + self._running.batches

    @property
    def batches_left(self) -> int:
        """Batches still to come in the epoch under way, at the present batch size."""
        return batches_left(self.loader, self._running.batches)

    def fit(self, epochs: int) -> History:
        """Train until the history has `epochs` epochs, and return it.

        The first Ctrl-C ends the training after the step under way: callbacks get their `on_train_end`, so a `Checkpoint` saves,
        `interrupted` is True, and another `fit`, here or after `load` in a new process, goes on as if nothing had been. The
        second Ctrl-C raises KeyboardInterrupt at once.

        Raises
        ------
        StateError
            When the loss is not finite.
        Exception
            Whatever a step raises, MemoryError included. Unless the update itself was interrupted, weights, running statistics,
            random generator and loader are then as before that step, and `fit` can be called again.
        """
        if not isinstance(epochs, int) or isinstance(epochs, bool) or epochs < 0:
            raise ArgumentError(f"fit: epochs must be an int of at least 0, got {epochs!r}")
        self.epochs, self.interrupted, self._stopping = epochs, False, False
        self._hooks = {name: overridden(self.callbacks, name) for name in ("on_step_end", "on_epoch_end")}
        try:
            with on_interrupt(self._interrupt):
                for callback in self.callbacks:
                    callback.on_train_begin(self)
                while len(self.history) < epochs and not self._stopping:
                    self._epoch()
                for callback in self.callbacks:
                    callback.on_train_end(self)
        finally:
            for callback in self.callbacks:
                callback.close(self)
        return self.history

    def stop(self) -> None:
        """End the training after the step under way; called by callbacks."""
        self._stopping = True

    def _interrupt(self) -> None:
        self.interrupted = self._stopping = True

    def averaged(self) -> AbstractContextManager:
        """Inside this context the model holds the averaged weights, if a callback averages them."""
        return nullcontext() if self.average is None else self.average

    def evaluate(self, dataset=None):
        """Return accuracy and loss on `dataset`, or on the validation set, with averaged weights if there are any."""
        with self.averaged():
            return evaluate(
                self.model,
                self.validation if dataset is None else dataset,
                loss=self.validation_loss,
                metrics=self.metrics.values(),
            )

    def capture_report(self) -> dict[str, CaptureReport]:
        """Return what was captured, its memory, what ran op by op and why, of "gradients" and "update"; {} without `capture`."""
        return self._update.report()

    def save(self, path: str | os.PathLike) -> None:
        """Save a checkpoint of the run, see `save_checkpoint`; to be called between steps, e.g. by a callback."""
        save_checkpoint(path, **self._parts())

    def load(self, path: str | os.PathLike) -> None:
        """Restore a checkpoint of the run; the next `fit` goes on where it was saved, with the same bits as without a stop."""
        load_checkpoint(path, **self._parts())

    def _parts(self) -> dict:
        parts = {"model": self.model, "optimizer": self.optimizer, "schedule": self.schedule, "loader": self.loader, "run": self}
        return {name: part for name, part in parts.items() if callable(getattr(part, "load_state_dict", None))}

    def state_dict(self) -> dict:
        """Return the position of the run: history, step, epoch under way, states of the callbacks. The model is not in it."""
        return {
            "history": self.history.as_dicts(),
            "step": self.step,
            "batches": self._batches,
            "running": self._running.state_dict(),
            "callbacks": {name: callback.state_dict() for name, callback in self._named_callbacks()},
        }

    def load_state_dict(self, state: dict) -> None:
        """Restore what `state_dict` returned. Callbacks are matched by class and number; a new one keeps its state."""
        history = History([Epoch(**epoch) for epoch in state["history"]])
        running, step = Running(**state["running"]), int(state["step"])
        for name, callback in self._named_callbacks():
            if name in state["callbacks"]:
                callback.load_state_dict(state["callbacks"][name])
        self.history.epochs[:] = history.epochs
        self._running, self.step, self._batches = running, step, int(state["batches"])

    def _named_callbacks(self) -> list[tuple[str, Callback]]:
        kinds = [type(callback).__name__ for callback in self.callbacks]
        return [(f"{kind}.{kinds[:i].count(kind)}", self.callbacks[i]) for i, kind in enumerate(kinds)]

    def _epoch(self) -> None:
        running = self._running
        if not running.complete:
            self._train_batches(running)
        if not running.complete:
            return
        figures = self._validate()
        if figures is None:
            return
        epoch = Epoch(len(self.history) + 1, **running.figures(), **figures)
        self.history.epochs.append(epoch)
        self._batches += running.batches
        self._running = Running()
        if self.schedule is not None and self.schedule_every == "epoch":
            if isinstance(self.schedule, ReduceLROnPlateau):
                self.schedule.step(epoch.figure(self.schedule.monitor or ("validation_loss" if figures else "loss")))
            else:
                self.schedule.step()
        for hook in self._hooks["on_epoch_end"]:
            hook(self, epoch)

    def _train_batches(self, running: Running) -> None:
        """Run the steps of the epoch that are still to come, until its end or a wish to stop."""
        self.model.train()
        before = Snapshot(self.model, self.optimizer, self.loader)
        try:
            start = perf_counter()
            for batches in groups(self.loader, self._batches_per_update, skip=running.batches):
                right = self._update(batches, self._where)
                self.step += 1
                self.last_loss, self.last_lr = self._update.loss, self.optimizer.param_groups[0]["lr"]
                if self.schedule is not None and self.schedule_every == "step":
                    self.schedule.step()
                end = perf_counter()
                running.add(self.last_loss, right, self._update.count, len(batches), end - start, self.last_lr)
                before.take()
                for hook in self._hooks["on_step_end"]:
                    hook(self)
                if self._stopping:
                    return
                start = end
        except BaseException:
            before.restore()
            raise
        if not running.count:
            raise ArgumentError("fit: the loader gave no batch (drop_last with a dataset smaller than one batch?)")
        running.complete = True

    def _batches_per_update(self) -> int:
        return self.accumulate * getattr(self.schedule, "accumulated", 1)

    def _where(self) -> str:
        return f"in epoch {len(self.history) + 1} after {self._running.count} images"

    def _validate(self) -> dict | None:
        """Return the validation's columns of the epoch; None when Ctrl-C was pressed meanwhile."""
        if self.validation is None:
            return {}
        batches = (batch for batch in batches_of(self.validation, 256) if not self.interrupted)
        with self.averaged():
            found = figures_of(self.model, batches, self.validation_loss, self.metrics)
        if self.interrupted:
            return None
        if not found:
            raise StateError("fit: the validation set is empty")
        return found
