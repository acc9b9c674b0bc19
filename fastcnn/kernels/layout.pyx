"""kernels.layout: the memory order of images: NCHW <-> channels-last by transposing squares of vectors.

Every image is a matrix: channels x pixels in NCHW, pixels x channels in channels-last. Memory-bound: each value is read and
written once.
"""

import numpy as np

cimport numpy as cnp
from cython.parallel cimport prange

from fastcnn.errors import ShapeError

from fastcnn.kernels.gemm cimport ready
from fastcnn.kernels.memory cimport empty_like_shape, empty_nchw
from fastcnn.kernels.micro cimport fc_ukr, table

cnp.import_array()

cdef enum:
    SERIAL_BYTES = 128 * 1024  # read and written; below this, waking a second thread costs more than it brings
    CACHE_BYTES = 4 << 20      # of one output; ResNet-20 and MobileNetV2 train 4 and 5 % faster than with 32 MiB
    MAX_THREADS = 256          # as in fastcnn.threads
    PIXELS = 512               # of a task: 32 channels of them fit into L1 together with what is written


cdef int crew(double nbytes, int threads) noexcept nogil:
    """Threads worth waking to read and write this many bytes, at least 1."""
    return 1 if nbytes < SERIAL_BYTES or threads < 1 else min(threads, MAX_THREADS)


cdef bint exceeds_cache(double nbytes) noexcept nogil:
    """Is an output so large that whoever reads it next will not find it in a cache anyway?"""
    return nbytes >= CACHE_BYTES


cdef bint dense(cnp.ndarray x, int a, int b, int c, int d) noexcept:
    """Is x (rank 4) contiguous in memory with the axes in this order, slowest first?"""
    cdef Py_ssize_t step = x.itemsize
    cdef int axis, i
    cdef int order[4]
    order[0], order[1], order[2], order[3] = d, c, b, a
    for i in range(4):
        axis = order[i]
        if cnp.PyArray_DIM(x, axis) != 1 and cnp.PyArray_STRIDE(x, axis) != step:
            return False
        step *= cnp.PyArray_DIM(x, axis)
    return True


cdef bint has_planes(cnp.ndarray x) noexcept:
    """Is each (height, width) plane of x contiguous, whatever the strides of batch and channels?"""
    cdef Py_ssize_t ih = cnp.PyArray_DIM(x, 2), iw = cnp.PyArray_DIM(x, 3), step = x.itemsize
    return (iw == 1 or cnp.PyArray_STRIDE(x, 3) == step) and (ih == 1 or cnp.PyArray_STRIDE(x, 2) == iw * step)


cdef void transpose_images(const fc_ukr *u, char *dst, Py_ssize_t d_batch, Py_ssize_t ldd, const char *src, Py_ssize_t s_batch,
                           Py_ssize_t lds, Py_ssize_t batch, Py_ssize_t channels, Py_ssize_t pixels, bint to_pixels,
                           int threads) noexcept nogil:
    """Each image: pixels x channels from channels x pixels (to_pixels), or the inverse. Strides in elements."""
    cdef Py_ssize_t blocks = (pixels + PIXELS - 1) // PIXELS, t, n, p, count
    for t in prange(batch * blocks, num_threads=threads, schedule="static"):
        n = t // blocks
        p = t % blocks * PIXELS
        count = min(<Py_ssize_t>PIXELS, pixels - p)
        if to_pixels:
            u.transpose(dst + (n * d_batch + p * ldd) * u.item, ldd, src + (n * s_batch + p) * u.item, lds, channels, count)
        else:
            u.transpose(dst + (n * d_batch + p) * u.item, ldd, src + (n * s_batch + p * lds) * u.item, lds, count, channels)


cdef cnp.ndarray image(object array, str op, str name):
    cdef cnp.ndarray x = ready(array, op, name)
    if x.ndim != 4:
        raise ShapeError(f"{op}: {name} must have 4 axes (batch, channels, height, width), got {name}.shape={np.shape(array)}")
    return x


cdef cnp.ndarray channels_last(object array, str op, str name, int threads):
    """Return `array` (rank 4, float32 or float64) as a dense channels-last image that a kernel can read: itself if it is one."""
    cdef cnp.ndarray x = image(array, op, name), y
    cdef Py_ssize_t batch = cnp.PyArray_DIM(x, 0), channels = cnp.PyArray_DIM(x, 1)
    cdef Py_ssize_t ih = cnp.PyArray_DIM(x, 2), iw = cnp.PyArray_DIM(x, 3), s_batch, s_channel
    cdef const fc_ukr *u
    cdef char *dst
    cdef const char *src
    if dense(x, 0, 2, 3, 1):
        return x
    y = empty_nchw(batch, channels, ih, iw, x.dtype.num)
    if x.size == 0 or not has_planes(x):
        y[...] = x
        return y
    u = table(x.itemsize)
    dst, src = cnp.PyArray_BYTES(y), cnp.PyArray_BYTES(x)
    s_batch, s_channel = cnp.PyArray_STRIDE(x, 0) // u.item, cnp.PyArray_STRIDE(x, 1) // u.item
    threads = crew(2.0 * x.size * u.item, threads)
    with nogil:
        transpose_images(u, dst, channels * ih * iw, channels, src, s_batch, s_channel, batch, channels, ih * iw, True, threads)
    return y


cdef cnp.ndarray rows_of(object array, str op, str name, int threads):
    """Return `array` (rank 2 or 4) dense, with the channels (axis 1) fastest: itself if it is so."""
    cdef cnp.ndarray x
    if np.ndim(array) == 4:
        return channels_last(array, op, name, threads)
    x = ready(array, op, name)
    if x.ndim != 2:
        raise ShapeError(f"{op}: {name} must have 2 or 4 axes (batch, channels, ...), got {name}.shape={np.shape(array)}")
    return x if x.flags.c_contiguous else np.ascontiguousarray(x)


def to_channels_last(x, *, int threads=1):
    """Return the values of x (batch, channels, height, width) in contiguous NHWC memory; x itself if it is so already.

    float32 or float64, any strides. Reads and writes each value once.
    """
    return channels_last(x, "to_channels_last", "x", threads)


def to_contiguous(x, *, int threads=1):
    """Return the values of x (batch, channels, height, width) in contiguous NCHW memory; x itself if it is so already.

    float32 or float64, any strides. Reads and writes each value once.
    """
    cdef cnp.ndarray a = image(x, "to_contiguous", "x"), y
    cdef Py_ssize_t batch = cnp.PyArray_DIM(a, 0), channels = cnp.PyArray_DIM(a, 1)
    cdef Py_ssize_t ih = cnp.PyArray_DIM(a, 2), iw = cnp.PyArray_DIM(a, 3)
    cdef const fc_ukr *u
    cdef char *dst
    cdef const char *src
    if a.flags.c_contiguous:
        return a
    y = empty_like_shape((batch, channels, ih, iw), a.dtype.num)
    if a.size == 0 or not dense(a, 0, 2, 3, 1):
        y[...] = a
        return y
    u = table(a.itemsize)
    dst, src = cnp.PyArray_BYTES(y), cnp.PyArray_BYTES(a)
    threads = crew(2.0 * a.size * u.item, threads)
    with nogil:
        transpose_images(u, dst, channels * ih * iw, ih * iw, src, channels * ih * iw, channels, batch, channels, ih * iw, False,
                         threads)
    return y
