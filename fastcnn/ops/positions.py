"""ops.positions: what an index means: views, arrays of positions along neighbouring axes, or what is left to NumPy."""

from __future__ import annotations

import math

import numpy as np
from numpy import ndarray

from ..autograd import Tensor
from ..kernels import convert, strided
from ..threads import get_num_threads

MOST_POSITIONS = 4  # arrays of positions that kernels.take takes


def plain_index(index):
    """Return an index without Tensors in it; index arrays are copied, so that changing them later does no harm."""
    if isinstance(index, tuple):
        return tuple(map(plain_index, index))
    if isinstance(index, Tensor):
        index = index.data
    if isinstance(index, list) and index and all(isinstance(i, (int, np.integer)) and not isinstance(i, bool) for i in index):
        index = np.array(index)
    return strided.copy(index) if isinstance(index, ndarray) else index


def is_basic(parts: tuple) -> bool:
    """Whether indexing with these gives a view: no arrays, lists or booleans."""
    return all(
        part is None or part is Ellipsis or (isinstance(part, (slice, int, np.integer)) and not isinstance(part, bool))
        for part in parts
    )


def positions(x, parts: tuple):
    """Return (axis, arrays, their common shape) for an index of arrays of integers along neighbouring axes, `:` elsewhere.

    The arrays are contiguous int64 of rank 1, as kernels.take wants them. None for any other index.
    """
    if Ellipsis in [part for part in parts if not isinstance(part, ndarray)]:
        before = next(i for i, part in enumerate(parts) if part is Ellipsis)
        parts = (*parts[:before], *[slice(None)] * (x.ndim - len(parts) + 1), *parts[before + 1 :])
    arrays = [part for part in parts if isinstance(part, ndarray)]
    at = next((i for i, part in enumerate(parts) if isinstance(part, ndarray)), 0)
    rest = [*parts[:at], *parts[at + len(arrays) :]]
    if not 0 < len(arrays) <= MOST_POSITIONS or any(not isinstance(a, ndarray) for a in parts[at : at + len(arrays)]):
        return None
    if any(a.dtype.kind not in "iu" or a.dtype == np.uint64 for a in arrays) or any(p != slice(None) for p in rest):
        return None
    shape = np.broadcast_shapes(*[a.shape for a in arrays])
    if len(parts) > x.ndim or x.ndim > 8 or len(shape) > 8 or not x.size or x.itemsize > 8:
        return None
    threads, count = get_num_threads(), math.prod(shape)
    index = []
    for array in arrays:
        array = array if array.dtype == np.int64 else convert.cast(array, np.int64, threads=threads)
        if array.shape != shape or not array.flags.c_contiguous:
            array = strided.expand(array, shape, threads=threads)
        index.append(array.reshape(count))
    return at, tuple(index), shape


def moved_first(x, at: int, count: int):
    """The axes at .. at + count - 1 before all others."""
    return x.transpose([*range(at, at + count), *range(at), *range(at + count, x.ndim)])


def moved_back(x, at: int, count: int):
    """The inverse of `moved_first`."""
    return x.transpose([*range(count, count + at), *range(count), *range(count + at, x.ndim)])
