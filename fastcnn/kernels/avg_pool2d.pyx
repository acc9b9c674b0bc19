"""kernels.avg_pool2d: the mean of each window, and the means over bins of adaptive pooling.

The divisor is PyTorch's: with `count_include_pad` the taps inside the padded image, else those inside the image.
"""

cimport numpy as cnp

from fastcnn.kernels.layout cimport channels_last
from fastcnn.kernels.window cimport Axis, bin_axis, check_shape, gather, kernel_axis, pool

cnp.import_array()


def avg_pool2d_forward(x, case, *, int threads=1):
    """Return y (batch, channels, oh, ow), channels-last. Reads x about once, kh * kw additions per output."""
    cdef Py_ssize_t batch, channels, ih, iw, kh, kw, sh, sw, ph, pw, dh, dw, oh, ow
    cdef bint padded
    batch, channels, ih, iw, kh, kw, sh, sw, ph, pw, dh, dw, oh, ow, padded = case
    cdef cnp.ndarray a = channels_last(x, "avg_pool2d", "x", threads)
    check_shape("avg_pool2d", "x", a, batch, channels, ih, iw)
    cdef Axis rows = kernel_axis(ih, kh, sh, ph, dh, oh, padded), cols = kernel_axis(iw, kw, sw, pw, dw, ow, padded)
    return pool(a, rows, cols, kw, None, False, threads)


def avg_pool2d_backward(dy, case, *, int threads=1):
    """Return dx (batch, channels, ih, iw), channels-last: each window spreads dy / divisor over its taps."""
    cdef Py_ssize_t batch, channels, ih, iw, kh, kw, sh, sw, ph, pw, dh, dw, oh, ow
    cdef bint padded
    batch, channels, ih, iw, kh, kw, sh, sw, ph, pw, dh, dw, oh, ow, padded = case
    cdef cnp.ndarray g = channels_last(dy, "avg_pool2d", "dy", threads)
    check_shape("avg_pool2d", "dy", g, batch, channels, oh, ow)
    cdef Axis rows = kernel_axis(ih, kh, sh, ph, dh, oh, padded), cols = kernel_axis(iw, kw, sw, pw, dw, ow, padded)
    return gather(g, rows, cols, kw, None, threads)


def adaptive_avg_pool2d_forward(x, out_size, *, int threads=1):
    """Return y (batch, channels, *out_size), channels-last: means over bins; (1, 1) is the mean over the image."""
    cdef cnp.ndarray a = channels_last(x, "adaptive_avg_pool2d", "x", threads)
    cdef Py_ssize_t oh, ow
    oh, ow = out_size
    return pool(a, bin_axis(cnp.PyArray_DIM(a, 2), oh), bin_axis(cnp.PyArray_DIM(a, 3), ow), 1, None, False, threads)


def adaptive_avg_pool2d_backward(dy, x_shape, *, int threads=1):
    """Return dx of shape `x_shape`, channels-last: each bin spreads dy / area over its pixels."""
    cdef cnp.ndarray g = channels_last(dy, "adaptive_avg_pool2d", "dy", threads)
    cdef Py_ssize_t batch, channels, ih, iw, oh = cnp.PyArray_DIM(g, 2), ow = cnp.PyArray_DIM(g, 3)
    batch, channels, ih, iw = x_shape
    check_shape("adaptive_avg_pool2d", "dy", g, batch, channels, oh, ow)
    return gather(g, bin_axis(ih, oh), bin_axis(iw, ow), 1, None, threads)
