"""ops.shaping: shapes by composition of other operations: stack, split, chunk, squeeze, unsqueeze."""

from __future__ import annotations

from ..autograd import Tensor
from ..errors import ArgumentError, ShapeError
from .concat import concat
from .getitem import getitem
from .operands import as_tensor, axis, whole


def unsqueeze(x, dim) -> Tensor:
    """Return x with a new axis of length 1 before the axis `dim` (negative: counted from the end of the result)."""
    x = as_tensor("unsqueeze", "x", x)
    at = axis("unsqueeze", "dim", dim, x.ndim + 1)
    return getitem(x, (*(slice(None),) * at, None))


def squeeze(x, dim=None) -> Tensor:
    """Return x without its axes of length 1, or without the axis (or axes) `dim` where they have length 1."""
    x = as_tensor("squeeze", "x", x)
    dims = range(x.ndim) if dim is None else dim if isinstance(dim, (tuple, list)) else (dim,)
    gone = {axis("squeeze", "dim", d, x.ndim) for d in dims}
    return getitem(x, tuple(0 if i in gone and size == 1 else slice(None) for i, size in enumerate(x.shape)))


def stack(tensors, dim=0) -> Tensor:
    """Return tensors of one shape joined along a new axis `dim`."""
    if isinstance(tensors, Tensor) or len(tensors) == 0:
        raise ArgumentError("stack: tensors must be a tuple or list of at least one tensor")
    parts = [as_tensor("stack", f"tensors[{i}]", t) for i, t in enumerate(tensors)]
    if any(t.shape != parts[0].shape for t in parts):
        raise ShapeError(f"stack: shapes differ (shapes {[t.shape for t in parts]})")
    at = axis("stack", "dim", dim, parts[0].ndim + 1)
    return concat([unsqueeze(t, at) for t in parts], at)


def split(x, split_size_or_sections, dim=0) -> tuple[Tensor, ...]:
    """Return pieces of x along the axis `dim`: of a given length (the last may be shorter), or of given lengths.

    The pieces share memory with x.
    """
    x = as_tensor("split", "x", x)
    at, given = axis("split", "dim", dim, x.ndim), split_size_or_sections
    size = x.shape[at] if x.ndim else 0
    if isinstance(given, (tuple, list)):
        lengths = [whole("split", "split_size_or_sections", length) for length in given]
        if min(lengths, default=0) < 0 or sum(lengths) != size:
            raise ArgumentError(f"split: sections {given!r} must be at least 0 and add up to {size} (x.shape={x.shape})")
    else:
        step = whole("split", "split_size_or_sections", given)
        if step < 1:
            raise ArgumentError(f"split: split_size_or_sections must be at least 1, got {given}")
        lengths = [min(step, size - start) for start in range(0, size, step)] or [0]
    starts = [sum(lengths[:i]) for i in range(len(lengths))]
    return tuple(getitem(x, (*(slice(None),) * at, slice(s, s + n))) for s, n in zip(starts, lengths, strict=True))


def chunk(x, chunks, dim=0) -> tuple[Tensor, ...]:
    """Return x in `chunks` pieces along the axis `dim`, all of one length but the last; fewer where it does not divide."""
    x = as_tensor("chunk", "x", x)
    at, count = axis("chunk", "dim", dim, x.ndim), whole("chunk", "chunks", chunks)
    if count < 1 or x.ndim == 0:
        raise ArgumentError(f"chunk: chunks must be at least 1 and x must have an axis, got {chunks} (x.shape={x.shape})")
    return split(x, max(1, -(-x.shape[at] // count)), at)
