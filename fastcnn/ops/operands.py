"""ops.operands: what the operations accept: checks, type rules of mixed operands, broadcasting undone."""

from __future__ import annotations

import math
import numbers
from operator import index

import numpy as np
from numpy import ndarray

from ..autograd import FLOATS, Tensor
from ..errors import ArgumentError, DtypeError, ShapeError
from ..kernels import columns, elementwise, entry, memory, strided
from ..kernels import select as kernels
from ..rng import generator
from ..threads import get_num_threads


class Moments:
    """What a convolution tells the batch normalisation behind it about its result.

    Attributes
    ----------
    values : ndarray or None
        float64 (2, channels): mean and centred sum of squares of each channel; None where the algorithm does not give them.
    """

    __slots__ = ("values",)

    def __init__(self):
        self.values: ndarray | None = None


MOST_AXES = 8  # of what kernels take; beyond, NumPy works


def as_tensor(op: str, name: str, x) -> Tensor:
    """Return `x` as a Tensor (sharing its memory); raise DtypeError or ArgumentError that names op and argument."""
    if isinstance(x, Tensor):
        return x
    if x is None or isinstance(x, (str, bytes, dict)):
        raise DtypeError(f"{op}: {name} must be a tensor or an array, got {type(x).__name__}")
    try:
        return Tensor(x)
    except (DtypeError, ArgumentError) as error:
        raise type(error)(f"{op}: {name}: {error}") from None


def float_tensor(op: str, name: str, x) -> Tensor:
    """Return `x` as a float32 or float64 Tensor; raise DtypeError otherwise."""
    if not isinstance(x, Tensor):
        x = as_tensor(op, name, x)
    dtype = x.data.dtype
    if dtype not in FLOATS:
        raise DtypeError(f"{op}: {name} must be float32 or float64, got {dtype} ({name}.shape={x.data.shape})")
    return x


def same_dtype(op: str, x: Tensor, name: str, other) -> Tensor:
    """Return `other` as a Tensor of x's dtype; raise DtypeError otherwise."""
    if not isinstance(other, Tensor):
        other = as_tensor(op, name, other)
    if other.data.dtype != x.data.dtype:
        raise DtypeError(
            f"{op}: x and {name} must have the same dtype, got {x.data.dtype} and {other.data.dtype} "
            f"(x.shape={x.data.shape}, {name}.shape={other.data.shape})"
        )
    return other


def whole(op: str, name: str, value) -> int:
    """Return `value` as an int; raise ArgumentError for anything else, 1.0 too."""
    try:
        return index(value)
    except TypeError:
        raise ArgumentError(f"{op}: {name} must be an int, got {value!r}") from None


def number(op: str, name: str, value, low: float = -math.inf, high: float = math.inf) -> float:
    """Return `value` as a float; raise ArgumentError unless it is a real number from low to high (NaN is in no range)."""
    if not isinstance(value, (int, float, np.integer, np.floating)):
        raise ArgumentError(f"{op}: {name} must be a number, got {value!r}")
    if not low <= value <= high:
        raise ArgumentError(f"{op}: {name} must be between {low:g} and {high:g}, got {value!r}")
    return float(value)


def axis(op: str, name: str, value, ndim: int) -> int:
    """Return the axis `value` as 0..ndim-1; negative counts from the end."""
    i = whole(op, name, value)
    if not -max(ndim, 1) <= i < max(ndim, 1):
        raise ArgumentError(f"{op}: {name} must be between {-ndim} and {ndim - 1}, got {value}")
    return i % max(ndim, 1)


def axes(op: str, dim, ndim: int) -> tuple[int, ...]:
    """Return `dim` (None for all, an int, or several) as sorted axes."""
    if dim is None:
        return tuple(range(ndim))
    if not isinstance(dim, (tuple, list)):
        return (axis(op, "dim", dim, ndim),) if ndim else ()
    found = tuple(sorted(axis(op, "dim", d, ndim) for d in dim))
    if len(set(found)) != len(found):
        raise ArgumentError(f"{op}: dim must name each axis once, got {dim}")
    return found


def operands(op: str, x, y):
    """Return (tensor x or None, tensor y or None, array x, array y) of one dtype, for an operation that broadcasts.

    Python numbers take the dtype of the other operand (float32 with an integer array, as in PyTorch), integer arrays that
    of a float one. float32 with float64 is an error: the result would silently cost twice the memory.
    """
    if isinstance(x, Tensor) and isinstance(y, Tensor) and x.data.dtype is y.data.dtype:
        return x, y, x.data, y.data
    # the usual case, without detours
    if (y.__class__ is float or (y.__class__ is int and -1000 < y < 1000)) and isinstance(x, Tensor) and x.data.dtype in FLOATS:
        return x, None, x.data, x.data.dtype.type(y)
    if _is_number(x):
        y = as_tensor(op, "y", y)
        b, a = _with_number(op, y, x)
        return None, y, a, b
    if _is_number(y):
        x = as_tensor(op, "x", x)
        return x, None, *_with_number(op, x, y)
    x, y = as_tensor(op, "x", x), as_tensor(op, "y", y)
    a, b = x.data, y.data
    if a.dtype != b.dtype:
        kinds = a.dtype.kind + b.dtype.kind
        if kinds == "ff":
            same_dtype(op, x, "y", y)
        if a.dtype.kind == "f":
            b = b.astype(a.dtype)
        elif b.dtype.kind == "f":
            a = a.astype(b.dtype)
    return x, y, a, b


def _is_number(value) -> bool:
    return isinstance(value, (numbers.Number, np.generic))


def _with_number(op: str, x: Tensor, number) -> tuple[ndarray, np.generic]:
    a = x.data
    if isinstance(number, (complex, np.complexfloating)):
        raise DtypeError(f"{op}: complex numbers are not supported, got {number!r}")
    if a.dtype.kind != "f" and not isinstance(number, (int, np.integer, np.bool_)):
        a = a.astype(np.float32)
    if a.dtype.kind == "b":
        a = a.astype(np.int64)
    try:
        return a, a.dtype.type(number)
    except (OverflowError, TypeError, ValueError):
        raise ArgumentError(f"{op}: {number!r} does not fit into {a.dtype}") from None


def class_numbers(op: str, target: ndarray, x_shape, ignore_index: int):
    """Return (target as int64, ignored entries set to class 0; mask of the ignored ones or None).

    Raises DtypeError unless target holds integers, ArgumentError for a class outside 0 .. classes - 1 of `x_shape`.
    """
    if target.dtype.kind not in "iu":
        raise DtypeError(f"{op}: target must be integers (class numbers), got {target.dtype} (target.shape={target.shape})")
    classes = x_shape[min(1, len(x_shape) - 1)]
    if not target.size or (target.min() >= 0 and target.max() < classes and not 0 <= ignore_index < classes):
        return target.astype(np.int64, copy=False), None
    ignored = target == ignore_index
    wrong = ~ignored & ((target < 0) | (target >= classes))
    if wrong.any():
        raise ArgumentError(
            f"{op}: target must be between 0 and {classes - 1}, got {target[wrong][0]} "
            f"(x.shape={x_shape}, target.shape={target.shape})"
        )
    return np.where(ignored, 0, target).astype(np.int64, copy=False), ignored


def unbroadcastable(op: str, a, b) -> ShapeError:
    """Return the error for shapes that do not broadcast."""
    return ShapeError(f"{op}: shapes do not broadcast (x.shape={np.shape(a)}, y.shape={np.shape(b)})")


def reshaped(a, shape):
    """Return `a` with `shape`, in the order of the logical shape: a view where possible."""
    if a.ndim == 1 == len(shape) and (shape[0] == -1 or shape == a.shape):
        return a
    if not a.flags.c_contiguous and a.size:
        view = a.view()
        try:
            view.shape = shape  # raises where a copy is needed
        except AttributeError:
            a = (
                kernels.to_contiguous(a)
                if a.ndim == 4 and a.dtype in FLOATS
                else strided.contiguous(a, threads=get_num_threads())
            )
        else:
            return view
    return a.reshape(shape)


def as_rows(a):
    """(..., k) -> (rows, k)."""
    return a if a.ndim == 2 else reshaped(a, (math.prod(a.shape[:-1]), a.shape[-1]))


def axis_rows(a, axis: int):
    """(..., k, ...) with k at `axis` -> (rows, k): a view where that axis is the fastest in memory."""
    moved = np.moveaxis(a, axis, -1)
    return reshaped(moved, (math.prod(moved.shape[:-1]), moved.shape[-1]))


def from_axis_rows(rows, shape: tuple[int, ...], axis: int):
    """The inverse of `axis_rows`."""
    return np.moveaxis(rows.reshape(*shape[:axis], *shape[axis + 1 :], shape[axis]), -1, axis)


def sum_to(dy, shape: tuple[int, ...]):
    """Sum `dy` over the axes along which an operand of `shape` was broadcast."""
    if dy.shape == shape:
        return dy
    lead = dy.ndim - len(shape)
    repeated = tuple(i + lead for i, size in enumerate(shape) if size == 1 and dy.shape[i + lead] != 1)
    gone = tuple(range(lead)) + repeated
    if dy.ndim > MOST_AXES:
        return dy.sum(axis=gone).reshape(shape)
    return columns.over(dy, gone, threads=get_num_threads()).reshape(shape)


def drawn(shape):
    """Draw float32 numbers of [0, 1) from the global generator; a replay draws anew into the same array."""
    numbers = memory.empty(shape, np.dtype(np.float32))

    def draw():
        generator().random(out=numbers, dtype=np.float32)

    draw()
    entry.call(draw, repeatable=True)
    return numbers


def expanded(dy, shape: tuple[int, ...], order: tuple[int, ...]):
    """Return a copy of `dy` broadcast to `shape`, whose memory runs in `order`."""
    dx = empty(shape, dy.dtype, order)
    strided.copy_to(dx, dy, threads=get_num_threads())
    return dx


def memory_order(x) -> tuple[int, ...]:
    """The axes of `x` from the slowest to the fastest in memory, (0, 2, 3, 1) for channels-last images."""
    return tuple(sorted(range(x.ndim), key=lambda i: (-abs(x.strides[i]), i)))


def empty(shape: tuple[int, ...], dtype, order: tuple[int, ...]):
    """An uninitialised array of `shape` whose memory runs in `order` (see `memory_order`)."""
    memory_shape, places = tuple(shape[i] for i in order), [order.index(i) for i in range(len(order))]
    return (np.empty if len(shape) > MOST_AXES else memory.empty)(memory_shape, dtype).transpose(places)


def zeros(shape, dtype, order: tuple[int, ...]):
    """Zeros of `shape` whose memory runs in `order` (see `memory_order`)."""
    if entry.current() is not None and dtype in FLOATS:  # otherwise fresh pages are zero already
        return elementwise.full_like(empty(tuple(shape), dtype, order), 0.0)
    places = [order.index(i) for i in range(len(order))]
    return np.zeros([shape[i] for i in order], dtype=dtype).transpose(places)
