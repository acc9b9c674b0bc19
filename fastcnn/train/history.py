"""train.history: what each epoch of a training reached."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

from ..errors import ArgumentError


@dataclass(frozen=True)
class Epoch:
    """Figures of one epoch.

    Attributes
    ----------
    number : int
        Counted from 1 over the whole history.
    loss, accuracy : float
        Means over the training batches, each measured before its own update.
    seconds : float
        Time of the training batches, without the validation.
    lr : float
        Learning rate of the last update.
    validation_loss, validation_accuracy : float or None
    metrics : dict of str to float
        Further figures of the validation, by the names that the Trainer was given.
    """

    number: int
    loss: float
    accuracy: float
    seconds: float
    lr: float
    validation_loss: float | None = None
    validation_accuracy: float | None = None
    metrics: dict[str, float] = field(default_factory=dict)

    def figure(self, name: str) -> float:
        """Return a figure by its name, an attribute or one of `metrics`; ArgumentError when this epoch does not have it."""
        value = self.metrics.get(name, None if name == "metrics" else getattr(self, name, None))
        if value is None:
            known = [key for key, held in asdict(self).items() if held is not None and key != "metrics"]
            raise ArgumentError(f"epoch {self.number} has no {name}, only {', '.join([*known, *self.metrics])}")
        return value

    def __str__(self) -> str:
        text = f"epoch {self.number}: {self.seconds:.2f} s, loss {self.loss:.4f}, accuracy {self.accuracy:.2%}"
        if self.validation_accuracy is not None:
            text += f", validation accuracy {self.validation_accuracy:.2%}"
        for name, value in self.metrics.items():
            text += f", {name} {value:.4g}"
        return text


@dataclass
class History:
    """The epochs of one or more calls of `fit`."""

    epochs: list[Epoch] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.epochs)

    def __iter__(self):
        return iter(self.epochs)

    def __getitem__(self, index) -> Epoch:
        return self.epochs[index]

    def column(self, name: str) -> list:
        """Return one figure of every epoch, e.g. `column("loss")`."""
        return [getattr(epoch, name) for epoch in self.epochs]

    def as_dicts(self) -> list[dict]:
        """Return plain dictionaries, ready for JSON."""
        return [asdict(epoch) for epoch in self.epochs]
