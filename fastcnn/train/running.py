"""train.running: the epoch under way: its sums, its batches, and the way back when a step fails."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice

from .. import rng


@dataclass
class Running:
    """Sums over the batches of the epoch under way; a checkpoint within an epoch holds them."""

    loss: float = 0.0
    right: int = 0
    count: int = 0
    batches: int = 0
    seconds: float = 0.0
    lr: float = float("nan")
    complete: bool = False

    def add(self, loss: float, right: int, count: int, batches: int, seconds: float, lr: float) -> None:
        """Add one step: mean loss, right answers, samples, batches, seconds, learning rate."""
        self.loss += loss * count
        self.right += right
        self.count += count
        self.batches += batches
        self.seconds += seconds
        self.lr = lr

    def figures(self) -> dict:
        """Return the columns of the epoch that come from training."""
        return {"loss": self.loss / self.count, "accuracy": self.right / self.count, "seconds": self.seconds, "lr": self.lr}

    def state_dict(self) -> dict:
        return asdict(self)


def resumable(loader) -> bool:
    """Whether the loader says and takes its position."""
    return callable(getattr(loader, "state_dict", None)) and callable(getattr(loader, "load_state_dict", None))


def batches_left(loader, done: int) -> int:
    """Return how many batches of the epoch are still to come after `done`, at the present batch size."""
    left = getattr(loader, "batches_left", None)
    return len(loader) - done if left is None else left


def groups(loader, size: Callable[[], int], *, skip: int) -> Iterator[list]:
    """Yield lists of `size()` batches, the last may be shorter; after `skip` batches of an epoch that was stopped within.

    A loader with a position goes on from it; of others the first `skip` batches are drawn again and left out.
    """
    done = skip
    if skip and resumable(loader):
        loader.load_state_dict(loader.state_dict())
        skip = 0
    batches = islice(loader, skip, None)
    for first in batches:
        # not one more than there are: that would move a loader on to the next epoch, and a checkpoint saves its position
        group = [first, *islice(batches, max(0, min(size() - 1, batches_left(loader, done + 1))))]
        done += len(group)
        yield group


class Snapshot:
    """What a step changes before its update is done: running statistics, the random generator, the loader's position.

    Before the first update, when the optimizer still has to allocate its state, also weights and optimizer.
    """

    def __init__(self, model, optimizer, loader):
        self.model, self.optimizer, self.loader = model, optimizer, loader
        self.buffers = list(model.buffers())
        self.take()

    def take(self) -> None:
        """Remember the present state."""
        self.values = [buffer.data.copy(order="K") for buffer in self.buffers]
        self.rng = rng.get_state()
        self.position = self.loader.state_dict() if resumable(self.loader) else None
        self.weights = None
        if not self.optimizer.state:
            self.weights = [parameter.data.copy(order="K") for parameter in self.model.parameters()]
            self.options = self.optimizer.state_dict()

    def restore(self) -> None:
        """Go back to it, and drop the gradients."""
        self.optimizer.zero_grad()
        if self.weights is not None:
            self._put(self.model.parameters(), self.weights)
            self.optimizer.load_state_dict(self.options)
        self._put(self.buffers, self.values)
        rng.set_state(self.rng)
        if self.position is not None:
            self.loader.load_state_dict(self.position)

    @staticmethod
    def _put(tensors: Iterable, values: Iterable) -> None:
        for tensor, value in zip(tensors, values, strict=True):
            if (tensor.data != value).any():
                tensor.data[...] = value
                tensor.version += 1
