"""data.loader: batches by array indexing, in an order that depends on (seed, epoch) only, resumable at any batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from operator import index as _index

import numpy as np

from ..autograd import Tensor
from ..errors import ArgumentError, DtypeError, StateError
from ..threads import get_num_threads
from .prefetch import Prefetch
from .transforms import Compose
from .windows import Windows, leading_windows


def _flat(transform) -> list[Callable]:
    """Return the callables of a transform, of a Compose and of sequences of these, in their order."""
    if isinstance(transform, Compose):
        transform = transform.transforms
    if callable(transform):
        return [transform]
    return [inner for part in transform or () for inner in _flat(part)]


def _make(dataset, moves: Windows | None, pixels, rest, seed: int, epoch: int, threads: int, task):
    """Return batch `task` = (position of its first image, index, windows)."""
    position, index, windows = task
    # + 1: the seed of the order is that of (seed, epoch, 0)
    generator = np.random.default_rng([seed, epoch, position + 1]) if pixels or rest else None
    if moves is None:
        x, y = dataset.batch(index)
    else:
        x, y = dataset.moved(index, windows, moves.sizes, moves.fill, not pixels, threads)
        for transform in pixels:
            x = transform(x, generator)
        if pixels:
            x = dataset.finish(x)
    for transform in rest:
        if getattr(transform, "mixes", False):
            x, y = transform(x, y, generator)
        else:
            x = transform(x, generator)
    return x, y


class DataLoader:
    """Iterate over a dataset in batches `(x, y)`.

    Parameters
    ----------
    dataset : ImageDataset, or any object with `len()` and `batch(index) -> (x, y)`
    batch_size : int
        May be changed at any time, in the middle of an epoch too: the batches that follow have the new size.
    shuffle : bool
        Draw a new order for each epoch.
    sampler : Sampler or sequence of ints, optional
        The order of an epoch, instead of `shuffle`.
    batch_sampler : BatchSampler, optional
        The batches of an epoch, instead of `batch_size`, `shuffle`, `sampler` and `drop_last`.
    drop_last : bool
        Leave out the last batch when it is smaller than the others.
    seed : int
        Seed of the order and of the transforms.
    transform : callable or sequence of callables, optional
        `transform(x, generator) -> x` on the batch, see `data.transforms`. Those of this room that stand first work on the
        images as they are stored (uint8, or floats), before the dataset normalises them; from the first other one on, transforms
        get normalised floats. All of them do when the dataset is no ImageDataset, or has a `batch` of its own.
    num_workers : int
        Threads that make batches ahead, beside the training. 0: each batch is made when it is asked for. Worth it when a batch
        takes long (files to decode, rotations); batches of less than 0.1 ms, and one that no thread has begun, are made on the
        spot.
    prefetch_factor : int
        Batches that each thread may be ahead.

    Yields
    ------
    x : Tensor (n, C, H, W)
        In channels-last memory; read-only when it is a view of the dataset.
    y : ndarray (n,) of int64
        After MixUp or CutMix what these return.

    Notes
    -----
    The order is a function of (seed, epoch); flips, shifts and crops of an image, when they come first, are one of (seed, epoch,
    position); all other random numbers of a batch one of (seed, epoch, position of its first image), whatever the number of
    threads. Choosing, moving and normalising images is one pass, with all threads for batches of megabytes; a thread ahead keeps
    to itself. Each `iter()` begins a new epoch, unless `load_state_dict` has just set a position: then it
    goes on from there, with the same bits as if it had never stopped. The position counts the batches given out, not those
    made ahead. An error of a thread is raised where its batch would have come. With threads, dataset and transforms are used
    by all of them at once.

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
        sampler=None,
        batch_sampler=None,
        drop_last: bool = False,
        seed: int = 0,
        transform: Callable | Sequence[Callable] | None = None,
        num_workers: int = 0,
        prefetch_factor: int = 2,
    ):
        if not callable(getattr(dataset, "batch", None)):
            raise DtypeError(
                f"DataLoader: dataset must have batch(index) -> (x, y), got {type(dataset).__name__}; see data.ArrayDataset"
            )
        numbers = {"batch_size": (batch_size, 1), "seed": (seed, 0), "num_workers": (num_workers, 0)}
        for name, (value, least) in {**numbers, "prefetch_factor": (prefetch_factor, 1)}.items():
            if not hasattr(value, "__index__") or value < least:
                raise ArgumentError(f"DataLoader: {name} must be an int of at least {least}, got {value!r}")
        if (sampler is not None and shuffle) or (
            batch_sampler is not None and (sampler is not None or shuffle or batch_size != 1)
        ):
            raise ArgumentError("DataLoader: sampler excludes shuffle; batch_sampler excludes batch_size, shuffle and sampler")
        if sampler is not None and not callable(getattr(sampler, "order", None)):
            sampler = np.asarray(sampler)
            if sampler.ndim != 1 or (sampler.size and sampler.dtype.kind not in "iu"):
                raise DtypeError("DataLoader: sampler must have order(generator), or be a sequence of ints")
        self.dataset, self.sampler, self.batch_sampler = dataset, sampler, batch_sampler
        self.batch_size, self.shuffle, self.drop_last, self.seed = int(batch_size), bool(shuffle), bool(drop_last), int(seed)
        self._made_with = self.batch_size
        self.num_workers, self.prefetch_factor = int(num_workers), int(prefetch_factor)
        self.transforms = _flat(transform)
        self._epoch = self._position = 0  # the epoch under way, and how many of its images were given out
        self._resume = True
        self._owner: object = None  # only the newest iterator moves the position

    def _total(self) -> int:
        return len(self.dataset) if self.sampler is None else len(self.sampler)

    def __len__(self) -> int:
        """Return the number of batches in an epoch of this batch size."""
        if self.batch_sampler is not None:
            return len(self.batch_sampler)
        full, rest = divmod(self._total(), self.batch_size)
        return full + (rest > 0 and not self.drop_last)

    @property
    def batches_left(self) -> int | None:
        """Batches still to come in the epoch under way, at the present batch size; None with a batch_sampler."""
        if self.batch_sampler is not None:
            return None
        full, rest = divmod(self._total() - self._position, self.batch_size)
        return full + (rest > 0 and not self.drop_last)

    @property
    def epoch(self) -> int:
        """The epoch under way, or the next one, from 0."""
        return self._epoch

    def __iter__(self) -> Iterator[tuple[Tensor, np.ndarray]]:
        if not self._resume:
            self._epoch, self._position = self._epoch + 1, 0
        self._resume = False
        self._owner = owner = object()
        return self._batches(self._epoch, self._position, owner)

    def _indices(self, epoch: int, first: int):
        """Return a function of (position, batch size) that gives the index of the batch that begins there, or None at the end."""
        generator = np.random.default_rng([self.seed, epoch])
        if self.batch_sampler is not None:
            batches = [np.asarray(batch) for batch in self.batch_sampler.batches(generator)]
            starts = dict(zip(np.cumsum([0, *map(len, batches)]).tolist(), [*batches, None], strict=True))
            if first not in starts:
                raise StateError(f"DataLoader: no batch of epoch {epoch} begins after {first} images")
            return lambda position, size: starts[position]
        order = None
        if self.shuffle:
            order = generator.permutation(len(self.dataset))
        elif self.sampler is not None:
            order = self.sampler.order(generator) if hasattr(self.sampler, "order") else self.sampler
        total = len(self.dataset) if order is None else len(order)
        drop_last = self.drop_last

        def index(position, size):
            stop = min(position + size, total)
            if position >= total or (drop_last and stop - position < size):
                return None
            return slice(position, stop) if order is None else order[position:stop]

        return index

    def _ahead(self, epoch: int, position: int, size: int, index) -> Prefetch:
        """Return an iterator over the batches from `position` on."""

        offered = getattr(self.dataset, "offers_pixels", False)
        before = [offered and getattr(transform, "pixels", False) for transform in self.transforms]
        count = [*before, False].index(False)  # how many transforms come before the normalisation
        first = leading_windows(self.transforms[:count])
        moves = Windows(self.transforms[:first], self.dataset.shape, self.seed, epoch) if offered else None
        threads = 1 if self.num_workers else get_num_threads()
        pixels, rest = self.transforms[first:count], self.transforms[count:]
        make = partial(_make, self.dataset, moves, pixels, rest, self.seed, epoch, threads)

        def tasks(position):
            while (piece := index(position, size)) is not None:
                count = piece.stop - piece.start if isinstance(piece, slice) else len(piece)
                yield position, piece, moves.at(position, count) if moves is not None and first else ()
                position += count

        return Prefetch(make, tasks(position), self.num_workers, self.num_workers * self.prefetch_factor)

    def _batches(self, epoch: int, position: int, owner: object):
        index = self._indices(epoch, position)
        size, made = 0, None
        try:
            while True:
                if size != self.batch_size or made is None:  # the first batch, or those made ahead have the wrong size
                    if made is not None:
                        made.close()
                    size = self.batch_size
                    made = self._ahead(epoch, position, size, index)
                try:
                    x, y = next(made)
                except StopIteration:
                    break
                position += len(x)
                if self._owner is owner:
                    self._position = position
                yield Tensor(x), y
                del x, y  # the next batch may have the memory of this one
        finally:
            if made is not None:
                made.close()
        if self._owner is owner:
            self._epoch, self._position, self._resume = epoch + 1, 0, True

    def _identity(self) -> dict[str, int]:
        return {
            "seed": self.seed,
            "shuffle": int(self.shuffle),
            "drop_last": int(self.drop_last),
            "batch_size": self._made_with,
            "length": len(self.dataset),
        }

    def state_dict(self) -> dict[str, int]:
        """Return plain ints: epoch, images given out in it, the present batch size, and what the loader was made with."""
        present = {"epoch": self._epoch, "position": self._position, "present_batch_size": self.batch_size}
        return {**present, **self._identity()}

    def load_state_dict(self, state: dict) -> None:
        """Set position and present batch size; the next `iter()` gives the batches that were still to come.

        Raises StateError when `state` comes from a loader that was made with another seed, order, batch size or dataset length.
        """
        missing = sorted({"epoch", "position", "present_batch_size", *self._identity()} - set(state))
        if missing:
            raise StateError(f"DataLoader.load_state_dict: missing {', '.join(missing)}")
        for key, value in self._identity().items():
            if state[key] != value:
                raise StateError(f"DataLoader.load_state_dict: {key} is {value!r} here and {state[key]!r} in the state")
        try:
            epoch, position, size = (_index(state[key]) for key in ("epoch", "position", "present_batch_size"))
        except TypeError:
            raise StateError("DataLoader.load_state_dict: epoch, position and present_batch_size must be ints") from None
        bound = self._total() if self.batch_sampler is None else np.inf
        if epoch < 0 or not 0 <= position <= bound or size < 1:
            raise StateError(
                f"DataLoader.load_state_dict: epoch {epoch}, position {position}, "
                f"present_batch_size {size} are not of {bound} images"
            )
        self._epoch, self._position, self.batch_size, self._resume, self._owner = epoch, position, size, True, None
