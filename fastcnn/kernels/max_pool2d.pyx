"""kernels.max_pool2d: the largest value of each window or bin and where it was; backward sends each gradient there.

PyTorch's rule: the first tap inside the image starts, a later one wins when it is larger or NaN.
"""

cimport numpy as cnp

from fastcnn.kernels.layout cimport channels_last
from fastcnn.kernels.memory cimport empty_nchw
from fastcnn.kernels.window cimport Axis, bin_axis, check_shape, gather, kernel_axis, pool, taps_of

cnp.import_array()


cdef Py_ssize_t longest(Axis a) noexcept:
    cdef Py_ssize_t o, found = 0
    for o in range(a.count):
        found = max(found, a.spans[o].count)
    return found


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
    cdef cnp.ndarray taps = taps_of("max_pool2d", index, (batch, channels, oh, ow), kh * kw)
    check_shape("max_pool2d", "dy", g, batch, channels, oh, ow)
    cdef Axis rows = kernel_axis(ih, kh, sh, ph, dh, oh, False), cols = kernel_axis(iw, kw, sw, pw, dw, ow, False)
    return gather(g, rows, cols, kw, taps, threads)


def adaptive_max_pool2d_forward(x, out_size, *, bint need_index=True, int threads=1):
    """Return (y, index), both (batch, channels, *out_size), channels-last: the largest values of the bins of adaptive pooling.

    index is r * kw + s inside of the bin, kw the width of the widest one; None unless it is needed.
    """
    cdef cnp.ndarray a = channels_last(x, "adaptive_max_pool2d", "x", threads), index = None
    cdef Py_ssize_t oh, ow
    oh, ow = out_size
    cdef Axis rows = bin_axis(cnp.PyArray_DIM(a, 2), oh), cols = bin_axis(cnp.PyArray_DIM(a, 3), ow)
    cdef Py_ssize_t kw = longest(cols)
    if need_index:
        index = empty_nchw(cnp.PyArray_DIM(a, 0), cnp.PyArray_DIM(a, 1), oh, ow,
                           cnp.NPY_UINT8 if longest(rows) * kw <= 256 else cnp.NPY_INT32)
    return pool(a, rows, cols, kw, index, True, threads), index


def adaptive_max_pool2d_backward(dy, index, x_shape, *, int threads=1):
    """Return dx of shape `x_shape`, channels-last: each dy goes to the pixel that won its bin."""
    cdef cnp.ndarray g = channels_last(dy, "adaptive_max_pool2d", "dy", threads)
    cdef Py_ssize_t batch, channels, ih, iw, oh = cnp.PyArray_DIM(g, 2), ow = cnp.PyArray_DIM(g, 3)
    batch, channels, ih, iw = x_shape
    check_shape("adaptive_max_pool2d", "dy", g, batch, channels, oh, ow)
    cdef Axis rows = bin_axis(ih, oh), cols = bin_axis(iw, ow)
    cdef Py_ssize_t kw = longest(cols)
    cdef cnp.ndarray taps = taps_of("adaptive_max_pool2d", index, (batch, channels, oh, ow), longest(rows) * kw)
    return gather(g, rows, cols, kw, taps, threads)
