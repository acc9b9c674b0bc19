"""ops.concat: tensors joined along an axis."""

from __future__ import annotations

import numpy as np

from ..autograd import Tensor, record
from ..errors import ArgumentError, ShapeError
from ..kernels import strided
from ..threads import get_num_threads
from .operands import as_tensor, axis, empty, memory_order, same_dtype


def concat(tensors, dim=0) -> Tensor:
    """Return the tensors joined along the axis `dim`; dtypes and all other sizes must agree."""
    if isinstance(tensors, (Tensor, np.ndarray)) or len(tensors) == 0:
        raise ArgumentError("concat: tensors must be a tuple or list of at least one tensor")
    parts = [as_tensor("concat", f"tensors[{i}]", t) for i, t in enumerate(tensors)]
    for i, t in enumerate(parts):
        same_dtype("concat", parts[0], f"tensors[{i}]", t)
    if parts[0].data.ndim == 0:
        raise ShapeError("concat: tensors without axes cannot be joined")
    case = axis("concat", "dim", dim, parts[0].data.ndim)
    try:
        y, saved = _forward([t.data for t in parts], case)
    except ValueError:
        raise ShapeError(f"concat: sizes differ outside of dim={dim} (shapes {[t.data.shape for t in parts]})") from None
    return record("concat", tuple(parts), y, _backward, saved, case)


def _forward(arrays, case):
    first, saved, order = arrays[0], [a.shape[case] for a in arrays], memory_order(arrays[0])
    if any(a.shape[:case] + a.shape[case + 1 :] != first.shape[:case] + first.shape[case + 1 :] for a in arrays):
        raise ValueError("sizes differ")
    y = empty((*first.shape[:case], sum(saved), *first.shape[case + 1 :]), first.dtype, order)
    start, threads = 0, get_num_threads()
    for a, size in zip(arrays, saved, strict=True):
        strided.copy_to(y[(slice(None),) * case + (slice(start, start + size),)], a, threads=threads)
        start += size
    return y, saved


def _backward(dy, saved, case, needs):
    pieces = np.split(dy, np.cumsum(saved)[:-1], axis=case)
    return tuple(piece if needed else None for piece, needed in zip(pieces, needs, strict=True))
