"""kernels.max_pool2d: the largest value of each window and where it was; backward sends each gradient there.

PyTorch's rule: the first tap inside the image starts, a later one wins when it is larger or NaN.
"""

import numpy as np

cimport numpy as cnp

from fastcnn.errors import ShapeError

from fastcnn.kernels.layout cimport channels_last
from fastcnn.kernels.memory cimport empty_nchw
from fastcnn.kernels.window cimport Axis, check_shape, kernel_axis, pool, spread

cnp.import_array()


def max_pool2d_forward(x, case, *, bint need_index=True, int threads=1):
    """Return (y, index), both (batch, channels, oh, ow), channels-last; index is None unless it is needed.

    index is the tap r * kw + s that won, uint8 (int32 when kh * kw > 256). Reads x about once, kh * kw comparisons per output.
    """
    cdef Py_ssize_t batch, channels, ih, iw, kh, kw, sh, sw, ph, pw, dh, dw, oh, ow
    batch, channels, ih, iw, kh, kw, sh, sw, ph, pw, dh, dw, oh, ow, _ = case
    cdef cnp.ndarray a = channels_last(x, "max_pool2d", "x", threads), index = None
    check_shape("max_pool2d", "x", a, batch, channels, ih, iw)
    if need_index:
        index = empty_nchw(batch, channels, oh, ow, cnp.NPY_UINT8 if kh * kw <= 256 else cnp.NPY_INT32)
    cdef Axis rows = kernel_axis(ih, kh, sh, ph, dh, oh, False), cols = kernel_axis(iw, kw, sw, pw, dw, ow, False)
    return pool(a, rows, cols, kw, index, True, threads), index


def max_pool2d_backward(dy, index, case, *, int threads=1):
    """Return dx (batch, channels, ih, iw), channels-last: each dy goes to the pixel that won its window."""
    cdef Py_ssize_t batch, channels, ih, iw, kh, kw, sh, sw, ph, pw, dh, dw, oh, ow
    batch, channels, ih, iw, kh, kw, sh, sw, ph, pw, dh, dw, oh, ow, _ = case
    cdef cnp.ndarray g = channels_last(dy, "max_pool2d", "dy", threads)
    if np.shape(index) != (batch, channels, oh, ow):
        raise ShapeError(f"max_pool2d: index must be {(batch, channels, oh, ow)}, got index.shape={np.shape(index)}")
    # NCHW -> NHWC: the order of the memory; a copy only when the index is not one of ours
    cdef cnp.ndarray taps = np.ascontiguousarray(index.transpose(0, 2, 3, 1), dtype=np.uint8 if kh * kw <= 256 else np.int32)
    taps = taps.transpose(0, 3, 1, 2)
    check_shape("max_pool2d", "dy", g, batch, channels, oh, ow)
    cdef Axis rows = kernel_axis(ih, kh, sh, ph, dh, oh, False), cols = kernel_axis(iw, kw, sw, pw, dw, ow, False)
    return spread(g, rows, cols, kw, taps, threads)
