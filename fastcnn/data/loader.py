"""data.loader: batches by array indexing, in an order that depends on (seed, epoch) only, resumable at any batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from operator import index as _index

import numpy as np

from ..autograd import Tensor
from ..errors import ArgumentError, DtypeError, StateError


class DataLoader:
    """Iterate over a dataset in batches `(x, y)`.

    Parameters
    ----------
    dataset : ArrayDataset, Subset or any object with `len()` and `batch(index) -> (x, y)`
    batch_size : int
    shuffle : bool
        Draw a new order for each epoch.
    drop_last : bool
        Leave out the last batch when it is smaller than the others.
    seed : int
        Seed of the order and of the transforms.
    transform : callable or sequence of callables, optional
        `transform(x, generator) -> x` on the batch, see `data.transforms`.

    Yields
    ------
    x : Tensor (n, C, H, W)
        In channels-last memory; read-only when it is a view of the dataset.
    y : ndarray (n,) of int64

    Notes
    -----
    The order is a function of (seed, epoch), the random numbers of a batch of (seed, epoch, batch number). Each `iter()`
    begins a new epoch, unless `load_state_dict` has just set a position: then it goes on from there, with the same bits as
    if it had never stopped.

    Examples
    --------
    >>> from fastcnn import data
    >>> loader = data.DataLoader(data.digits(), batch_size=64, shuffle=True, seed=0)
    >>> x, y = next(iter(loader))
    >>> x.shape, y.dtype
    ((64, 1, 28, 28), dtype('int64'))
    """

    def __init__(
        self,
        dataset,
        batch_size: int = 1,
        *,
        shuffle: bool = False,
        drop_last: bool = False,
        seed: int = 0,
        transform: Callable | Sequence[Callable] | None = None,
    ):
        if not callable(getattr(dataset, "batch", None)):
            raise DtypeError(
                f"DataLoader: dataset must have batch(index) -> (x, y), got {type(dataset).__name__}; see data.ArrayDataset"
            )
        try:
            batch_size, seed = _index(batch_size), _index(seed)
        except TypeError:
            raise ArgumentError(f"DataLoader: batch_size and seed must be ints, got {batch_size!r}, {seed!r}") from None
        if batch_size < 1 or seed < 0:
            raise ArgumentError(f"DataLoader: batch_size must be >= 1 and seed >= 0, got batch_size={batch_size}, seed={seed}")
        self.dataset, self.batch_size, self.shuffle, self.drop_last, self.seed = (
            dataset,
            batch_size,
            bool(shuffle),
            bool(drop_last),
            seed,
        )
        self.transforms = [transform] if callable(transform) else list(transform or ())
        self._epoch = self._batch = 0  # the epoch under way, and how many of its batches were given out
        self._resume = True
        self._owner: object = None  # only the newest iterator moves the position

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        full, rest = divmod(len(self.dataset), self.batch_size)
        return full + (rest > 0 and not self.drop_last)

    @property
    def epoch(self) -> int:
        """The epoch under way, or the next one, from 0."""
        return self._epoch

    def __iter__(self) -> Iterator[tuple[Tensor, np.ndarray]]:
        if not self._resume:
            self._epoch, self._batch = self._epoch + 1, 0
        self._resume = False
        self._owner = owner = object()
        return self._batches(self._epoch, self._batch, owner)

    def _batches(self, epoch: int, first: int, owner: object):
        order = np.random.default_rng([self.seed, epoch]).permutation(len(self.dataset)) if self.shuffle else None
        for number in range(first, len(self)):
            piece = slice(number * self.batch_size, min((number + 1) * self.batch_size, len(self.dataset)))
            x, y = self.dataset.batch(piece if order is None else order[piece])
            if self.transforms:
                generator = np.random.default_rng([self.seed, epoch, number])
                for transform in self.transforms:
                    x = transform(x, generator)
            if self._owner is owner:
                self._batch = number + 1
            yield Tensor(x), y
        if self._owner is owner:
            self._epoch, self._batch, self._resume = epoch + 1, 0, True

    def _identity(self) -> dict:
        return {
            "seed": self.seed,
            "shuffle": self.shuffle,
            "batch_size": self.batch_size,
            "drop_last": self.drop_last,
            "length": len(self.dataset),
        }

    def state_dict(self) -> dict:
        """Return the position: epoch, batches given out in it, and what the order depends on."""
        return {"epoch": self._epoch, "batch": self._batch, **self._identity()}

    def load_state_dict(self, state: dict) -> None:
        """Set the position; the next `iter()` gives the batches that were still to come.

        Raises StateError when `state` comes from a loader with another seed, order, batch size or dataset length.
        """
        missing = sorted({"epoch", "batch", *self._identity()} - set(state))
        if missing:
            raise StateError(f"DataLoader.load_state_dict: missing {', '.join(missing)}")
        for key, value in self._identity().items():
            if state[key] != value:
                raise StateError(f"DataLoader.load_state_dict: {key} is {value!r} here and {state[key]!r} in the state")
        try:
            epoch, batch = _index(state["epoch"]), _index(state["batch"])
        except TypeError:
            raise StateError("DataLoader.load_state_dict: epoch and batch must be ints") from None
        if epoch < 0 or not 0 <= batch <= len(self):
            raise StateError(f"DataLoader.load_state_dict: epoch {epoch}, batch {batch} is not a position in {len(self)} batches")
        self._epoch, self._batch, self._resume, self._owner = epoch, batch, True, None
