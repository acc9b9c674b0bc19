"""kernels.layout: the memory order of images: NCHW <-> channels-last by transposing squares of vectors.

Every image is a matrix: channels x pixels in NCHW, pixels x channels in channels-last. Memory-bound: each value is read and
written once.
"""

import numpy as np

cimport numpy as cnp
from cython.parallel cimport prange

from fastcnn.errors import ShapeError

from fastcnn.kernels.entry cimport emit
from fastcnn.kernels.gemm cimport ready
from fastcnn.kernels.memory cimport empty_nchw, empty_of
from fastcnn.kernels.micro cimport fc_ukr, table
from fastcnn.kernels.strided cimport copy_into, ordered

cnp.import_array()

cdef enum:
    SERIAL_BYTES = 128 * 1024  # read and written; below this, waking a second thread costs more than it brings
    # Of one output: half of an L3 of 32 MiB. Steps take the same time from 4 MiB on, but stores past the caches took 2.4 times as
    # long where a busy neighbour left half of the memory's bandwidth.
    CACHE_BYTES = 16 << 20
    MEMORY_BYTES = 4 << 20     # of operands together
    MAX_THREADS = 256          # as in fastcnn.threads
    PIXELS = 512               # of a task: 32 channels of them fit into L1 together with what is written


cdef int crew(double nbytes, int threads) noexcept nogil:
    """Threads worth waking to read and write this many bytes, at least 1."""
    return 1 if nbytes < SERIAL_BYTES or threads < 1 else min(threads, MAX_THREADS)


cdef bint exceeds_cache(double nbytes) noexcept nogil:
    """Is an output so large that whoever reads it next will not find it in a cache anyway?"""
    return nbytes >= CACHE_BYTES


cdef bint from_memory(double nbytes) noexcept nogil:
    """Are operands so large together that most of them are not in a cache when they are read?"""
    return nbytes >= MEMORY_BYTES


cdef bint dense(cnp.ndarray x, int a, int b, int c, int d) noexcept:
    """Is x (rank 4) contiguous in memory with the axes in this order, slowest first?"""
    cdef Py_ssize_t step = cnp.PyArray_ITEMSIZE(x)
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
    cdef Py_ssize_t ih = cnp.PyArray_DIM(x, 2), iw = cnp.PyArray_DIM(x, 3), step = cnp.PyArray_ITEMSIZE(x)
    return (iw == 1 or cnp.PyArray_STRIDE(x, 3) == step) and (ih == 1 or cnp.PyArray_STRIDE(x, 2) == iw * step)


cdef struct Transpose:
    # each image: pixels x channels from channels x pixels (to_pixels), or the inverse; strides in elements
    const fc_ukr *u
    char *dst
    const char *src
    Py_ssize_t d_batch, ldd, s_batch, lds
    Py_ssize_t batch, channels, pixels
    bint to_pixels
    int threads


cdef int transpose_images(const void *job) noexcept nogil:
    cdef const Transpose *p = <const Transpose *>job
    cdef Py_ssize_t blocks = (p.pixels + PIXELS - 1) // PIXELS, t, n, at, count
    for t in prange(p.batch * blocks, num_threads=p.threads, schedule="static"):
        n = t // blocks
        at = t % blocks * PIXELS
        count = min(<Py_ssize_t>PIXELS, p.pixels - at)
        if p.to_pixels:
            p.u.transpose(p.dst + (n * p.d_batch + at * p.ldd) * p.u.item, p.ldd, p.src + (n * p.s_batch + at) * p.u.item, p.lds,
                          p.channels, count)
        else:
            p.u.transpose(p.dst + (n * p.d_batch + at) * p.u.item, p.ldd, p.src + (n * p.s_batch + at * p.lds) * p.u.item, p.lds,
                          count, p.channels)
    return 0


cdef cnp.ndarray image(object array, str op, str name):
    cdef cnp.ndarray x = ready(array, op, name)
    if x.ndim != 4:
        raise ShapeError(f"{op}: {name} must have 4 axes (batch, channels, height, width), got {name}.shape={np.shape(array)}")
    return x


cdef cnp.ndarray channels_last(object array, str op, str name, int threads):
    """Return `array` (rank 4, float32 or float64) as a dense channels-last image that a kernel can read: itself if it is one."""
    cdef cnp.ndarray x = image(array, op, name), y
    cdef Py_ssize_t batch = cnp.PyArray_DIM(x, 0), channels = cnp.PyArray_DIM(x, 1)
    cdef Py_ssize_t ih = cnp.PyArray_DIM(x, 2), iw = cnp.PyArray_DIM(x, 3)
    cdef Transpose p
    if dense(x, 0, 2, 3, 1):
        return x
    y = empty_nchw(batch, channels, ih, iw, cnp.PyArray_TYPE(x))
    if x.size == 0 or not has_planes(x):
        copy_into(y, x, threads)
        return y
    p.u, p.dst, p.src = table(cnp.PyArray_ITEMSIZE(x)), cnp.PyArray_BYTES(y), cnp.PyArray_BYTES(x)
    p.d_batch, p.ldd = channels * ih * iw, channels
    p.s_batch, p.lds = cnp.PyArray_STRIDE(x, 0) // p.u.item, cnp.PyArray_STRIDE(x, 1) // p.u.item
    p.batch, p.channels, p.pixels, p.to_pixels = batch, channels, ih * iw, True
    p.threads = crew(2.0 * x.size * p.u.item, threads)
    emit(transpose_images, &p, sizeof(p), (y, x))
    return y


cdef cnp.ndarray rows_of(object array, str op, str name, int threads):
    """Return `array` (rank 2 or 4) dense, with the channels (axis 1) fastest: itself if it is so."""
    cdef cnp.ndarray x
    if cnp.PyArray_Check(array) and cnp.PyArray_NDIM(array) == 4:
        return channels_last(array, op, name, threads)
    x = ready(array, op, name)
    if x.ndim != 2:
        raise ShapeError(f"{op}: {name} must have 2 or 4 axes (batch, channels, ...), got {name}.shape={np.shape(array)}")
    return ordered(x, threads)


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
    cdef Transpose p
    if cnp.PyArray_IS_C_CONTIGUOUS(a):
        return a
    y = empty_of(4, a.shape, cnp.PyArray_TYPE(a))
    if a.size == 0 or not dense(a, 0, 2, 3, 1):
        copy_into(y, a, threads)
        return y
    p.u, p.dst, p.src = table(cnp.PyArray_ITEMSIZE(a)), cnp.PyArray_BYTES(y), cnp.PyArray_BYTES(a)
    p.d_batch, p.ldd, p.s_batch, p.lds = channels * ih * iw, ih * iw, channels * ih * iw, channels
    p.batch, p.channels, p.pixels, p.to_pixels = batch, channels, ih * iw, False
    p.threads = crew(2.0 * a.size * p.u.item, threads)
    emit(transpose_images, &p, sizeof(p), (y, a))
    return y
