"""autograd.array: what may become a tensor's data: any array of a supported dtype, without a copy where possible."""

from __future__ import annotations

import numpy as np
from numpy import ndarray

from ..errors import ArgumentError, DtypeError

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))
PLAIN = (FLOATS[0], np.dtype(np.int64), FLOATS[1], np.dtype(np.bool_))  # the usual ones: no look at kind and byte order


def _converted(value) -> ndarray:
    if isinstance(value, ndarray):
        return value.view(ndarray) if type(value) is not ndarray else value
    if hasattr(value, "__dlpack__") and not isinstance(value, np.generic):
        try:
            return np.from_dlpack(value)
        except (TypeError, RuntimeError, ValueError, BufferError, AttributeError):
            pass  # the producer may still offer __array__
    try:
        return np.asarray(value)
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise ArgumentError(f"tensor: {type(value).__name__} cannot be read as an array: {error}") from None


def as_array(value, dtype=None) -> ndarray:
    """Return `value` as an ndarray of float32, float64, an integer type or bool, sharing memory where possible.

    Arrays keep their dtype; Python floats (and lists of them) become float32, Python ints int64, as in PyTorch. Accepts
    whatever offers DLPack, the buffer protocol or `__array__`. Raises DtypeError for any other dtype (object, complex,
    float16, text) and ArgumentError when `value` is not an array at all (ragged lists).
    """
    array = _converted(value)
    if dtype is not None:
        return array.astype(checked_dtype(dtype), copy=False)
    if array.dtype.kind == "f" and isinstance(value, (float, list, tuple)) and not isinstance(value, np.generic):
        array = array.astype(np.float32)
    if array.dtype.kind not in "iub" and array.dtype.newbyteorder("=") not in FLOATS:
        raise DtypeError(f"tensor: dtype must be float32, float64, an integer type or bool, got {array.dtype}")
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    return array


def checked_dtype(dtype) -> np.dtype:
    """Return `dtype` as a NumPy dtype; raise DtypeError unless a tensor may have it."""
    try:
        found = np.dtype(dtype)
    except TypeError:
        raise DtypeError(f"tensor: dtype must be float32, float64, an integer type or bool, got {dtype!r}") from None
    if found.kind not in "iub" and found not in FLOATS:
        raise DtypeError(f"tensor: dtype must be float32, float64, an integer type or bool, got {found}")
    return found
