"""tests.cases.layouts: arrays of the same values in every memory layout."""

from __future__ import annotations

import numpy as np

# The few rows of each op on which every array layout is tried.
LAYOUT_ROWS: dict[str, tuple[str, ...]] = {
    "conv2d": ("tail", "strided", "grouped", "depthwise", "1x1", "1x1_strided", "lenet_5x5", "channels_48_33"),
    "gemm": ("tail", "square", "row"),
    "max_pool2d": ("3x3_stride_2", "ceil_mode_padded", "whole_image"),
    "avg_pool2d": ("3x3_stride_2", "ceil_mode_padded", "whole_image"),
    "adaptive_max_pool2d": ("global", "uneven"),
    "adaptive_avg_pool2d": ("global", "uneven"),
    "activation": ("gelu-images", "clamp-vectors", "softplus-images"),
    "interpolate": ("nearest_up", "bilinear_up", "bilinear_aligned"),
    "relu": ("images", "vectors", "three_axes"),
    "batch_norm": ("images", "vectors"),
    "group_norm": ("images", "one_image"),
    "layer_norm": ("rows", "groups"),
    "softmax": ("ten", "log_thousand"),
    "loss": ("square-none-images", "huber-mean-vectors", "logits-sum-images"),
    "cross_entropy": ("ten_smoothed", "thousand"),
    "soft_cross_entropy": ("ten-none-weighted", "large-mean-plain"),
    "to": ("small", "large"),
}


def _in_memory_order(a, buffer_of):
    """Fill the array that `buffer_of(shape, dtype)` gives for channels-last memory and return it in the shape of `a`."""
    source = a.transpose(0, 2, 3, 1) if a.ndim == 4 else a
    view = buffer_of(source.shape, a.dtype)
    view[...] = source
    return view.transpose(0, 3, 1, 2) if a.ndim == 4 else view


def _poison(shape, dtype):
    return np.full(shape, np.nan if np.dtype(dtype).kind == "f" else np.iinfo(dtype).max, dtype)


def _at_byte(offset):
    def buffer_of(shape, dtype):
        nbytes = int(np.prod(shape)) * np.dtype(dtype).itemsize
        raw = np.zeros(nbytes + 128, np.uint8)
        start = -raw.ctypes.data % 64 + offset
        return raw[start : start + nbytes].view(dtype).reshape(shape)

    return buffer_of


def _inside_larger(shape, dtype):
    return _poison([n + 3 for n in shape], dtype)[tuple(slice(1, n + 1) for n in shape)]


def _every_second(shape, dtype):
    return _poison((*shape[:-1], 2 * shape[-1]), dtype)[..., ::2]


def _reversed(shape, dtype):
    return np.empty(shape, dtype)[(slice(None, None, -1),) * len(shape)]


LAYOUTS: dict[str, object] = {  # name -> allocation in channels-last memory order; None: made by `lay` itself
    "nhwc": np.empty,
    "nchw": None,
    "nchw_slice": None,
    "fortran": None,
    "read_only": None,
    "reversed": _reversed,
    "inside_larger": _inside_larger,
    "every_second": _every_second,
    "misaligned": lambda shape, dtype: _at_byte(np.dtype(dtype).itemsize)(shape, dtype),
    "unaligned": _at_byte(1),
}


def lay(a, layout: str):
    """Return a fresh array equal to `a` in the named memory layout; unused memory around it holds NaN."""
    if layout == "nchw" or not a.ndim:
        return np.array(a, order="C")
    if layout == "nchw_slice":  # every plane is contiguous, the image is not
        out = _poison([n + 2 * (axis < 2) for axis, n in enumerate(a.shape)], a.dtype)
        out = out[tuple(slice(1, n + 1) if axis < 2 else slice(None) for axis, n in enumerate(a.shape))]
        out[...] = a
        return out
    if layout == "fortran":
        return np.array(a, order="F")
    out = _in_memory_order(a, LAYOUTS[layout] or np.empty)
    out.flags.writeable = layout != "read_only"
    return out
