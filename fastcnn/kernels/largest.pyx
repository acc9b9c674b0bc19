"""kernels.largest: the largest values of an array or along one of its axes, where they are, and their gradients.

NaN counts as larger than every number; of equal values the first one is taken.
"""

import numpy as np

cimport numpy as cnp
from cython cimport floating
from cython.parallel cimport prange
from libc.stdint cimport int64_t
from libc.string cimport memset

from fastcnn.errors import ShapeError

from fastcnn.kernels.entry cimport emit, fc_flush, fc_restore
from fastcnn.kernels.gemm cimport ready
from fastcnn.kernels.layout cimport crew
from fastcnn.kernels.memory cimport empty_like_shape
from fastcnn.kernels.strided cimport Walk, empty_in_order_of, offsets, ordered, plan_walk

cnp.import_array()

cdef extern from "largest.h" nogil:
    Py_ssize_t fc_first_largest_f32(const float *x, Py_ssize_t n)
    Py_ssize_t fc_first_largest_f64(const double *x, Py_ssize_t n)

cdef enum:
    RUN = 256  # places of one task


cdef struct Largest:
    # places of y and index, and where the walk over x begins for each; steps are bytes
    char *y              # backward: dy
    char *index          # int64
    char *x              # backward: dx
    Py_ssize_t n, step, item
    Walk walk
    int threads


cdef void scan_row(const floating *like, const Largest *p, char *y, Py_ssize_t sy, char *index, Py_ssize_t si, const char *x,
                   Py_ssize_t sx, Py_ssize_t count) noexcept nogil:
    """The largest of n values for each of `count` places."""
    cdef Py_ssize_t i, k
    cdef int64_t at
    cdef floating best, v
    if p.step == p.item:
        for i in range(count):
            if floating is float:
                at = fc_first_largest_f32(<const float *>(x + i * sx), p.n)
            else:
                at = fc_first_largest_f64(<const double *>(x + i * sx), p.n)
            (<floating *>(y + i * sy))[0] = (<const floating *>(x + i * sx))[at]
            (<int64_t *>(index + i * si))[0] = at
        return
    for i in range(count):
        (<floating *>(y + i * sy))[0] = (<const floating *>(x + i * sx))[0]
        (<int64_t *>(index + i * si))[0] = 0
    for k in range(1, p.n):
        for i in range(count):
            best, v = (<floating *>(y + i * sy))[0], (<const floating *>(x + i * sx + k * p.step))[0]
            if v > best or (v != v and best == best):
                (<floating *>(y + i * sy))[0] = v
                (<int64_t *>(index + i * si))[0] = k


cdef void task(const Largest *p, bint backward, Py_ssize_t row, Py_ssize_t first, Py_ssize_t count) noexcept nogil:
    cdef Py_ssize_t at[3]
    cdef Py_ssize_t step[3]
    cdef Py_ssize_t i, to
    cdef int k, last = p.walk.ndim - 1
    offsets(&p.walk, row, at)
    for k in range(3):
        step[k] = p.walk.step[k][last]
        at[k] += first * step[k]
    if not backward and p.item == 4:
        scan_row[float](NULL, p, p.y + at[0], step[0], p.index + at[1], step[1], p.x + at[2], step[2], count)
    elif not backward:
        scan_row[double](NULL, p, p.y + at[0], step[0], p.index + at[1], step[1], p.x + at[2], step[2], count)
    else:
        for i in range(count):
            to = at[2] + i * step[2] + (<int64_t *>(p.index + at[1] + i * step[1]))[0] * p.step
            if p.item == 4:
                (<float *>(p.x + to))[0] = (<float *>(p.y + at[0] + i * step[0]))[0]
            else:
                (<double *>(p.x + to))[0] = (<double *>(p.y + at[0] + i * step[0]))[0]


cdef void run(const Largest *p, bint backward) noexcept nogil:
    cdef Py_ssize_t n = p.walk.shape[p.walk.ndim - 1], parts = (n + RUN - 1) // RUN, t
    for t in prange(p.walk.rows * parts, num_threads=p.threads, schedule="static"):
        task(p, backward, t // parts, t % parts * RUN, min(<Py_ssize_t>RUN, n - t % parts * RUN))


cdef int forward_all(const void *job) noexcept nogil:
    run(<const Largest *>job, False)
    return 0


cdef int backward_all(const void *job) noexcept nogil:
    cdef const Largest *p = <const Largest *>job
    memset(p.x, 0, p.n * p.item * p.walk.rows * p.walk.shape[p.walk.ndim - 1])  # dx is dense
    run(p, True)
    return 0


def max_forward(x, int axis, *, int threads=1):
    """Return (values, index) along `axis`, which goes; index is int64. float32 or float64, at least one element there."""
    cdef cnp.ndarray a = ready(np.asanyarray(x), "max", "x"), first, y, index
    cdef Largest p
    if not 0 <= axis < a.ndim or cnp.PyArray_DIM(a, axis) == 0:
        raise ShapeError(f"max: x must have elements along axis {axis}, got x.shape={np.shape(a)}")
    first = a[(slice(None),) * axis + (0, ...)]
    y, index = empty_in_order_of(first, cnp.PyArray_TYPE(a)), empty_in_order_of(first, cnp.NPY_INT64)
    if y.size:
        plan_walk(&p.walk, y, index, first)
        p.y, p.index, p.x = cnp.PyArray_BYTES(y), cnp.PyArray_BYTES(index), cnp.PyArray_BYTES(first)
        p.n, p.step, p.item = cnp.PyArray_DIM(a, axis), cnp.PyArray_STRIDE(a, axis), a.itemsize
        p.threads = crew(4.0 * a.size * a.itemsize, threads)
        emit(forward_all, &p, sizeof(p), (y, index, a))
    return y, index


def max_backward(dy, index, like, int axis, *, int threads=1):
    """Return dx like `like`, in its order in memory: dy where the largest values were, 0 elsewhere."""
    cdef cnp.ndarray g = ready(np.asanyarray(dy), "max", "dy"), places = index, dx, first
    cdef Largest p
    dx = empty_in_order_of(like, cnp.PyArray_TYPE(g))
    first = dx[(slice(None),) * axis + (0, ...)]
    if np.shape(g) != np.shape(first) or np.shape(places) != np.shape(first):
        raise ShapeError(f"max: dy and index must have shape {np.shape(first)}, got {np.shape(g)} and {np.shape(places)}")
    if dx.size:
        plan_walk(&p.walk, g, places, first)
        p.y, p.index, p.x = cnp.PyArray_BYTES(g), cnp.PyArray_BYTES(places), cnp.PyArray_BYTES(first)
        p.n, p.step, p.item = cnp.PyArray_DIM(dx, axis), cnp.PyArray_STRIDE(dx, axis), dx.itemsize
        p.threads = crew(2.0 * g.size * g.itemsize, threads)
        emit(backward_all, &p, sizeof(p), (dx, g, places))
    return dx


cdef struct All:
    char *out            # y, backward: dx
    const char *x
    const char *y        # backward: the largest value
    const char *dy
    Py_ssize_t n, item
    int threads


cdef void share(const floating *x, floating y, floating dy, floating *dx, Py_ssize_t n) noexcept nogil:
    """dy in equal parts to all that are equal to y; NaN is equal to NaN."""
    cdef Py_ssize_t i, winners = 0
    cdef floating part
    for i in range(n):
        winners += x[i] == y or (x[i] != x[i] and y != y)
    part = dy / <floating>winners
    for i in range(n):
        dx[i] = part if x[i] == y or (x[i] != x[i] and y != y) else 0


cdef int all_forward(const void *job) noexcept nogil:
    cdef const All *p = <const All *>job
    if p.item == 4:
        (<float *>p.out)[0] = (<const float *>p.x)[fc_first_largest_f32(<const float *>p.x, p.n)]
    else:
        (<double *>p.out)[0] = (<const double *>p.x)[fc_first_largest_f64(<const double *>p.x, p.n)]
    return 0


cdef int all_backward(const void *job) noexcept nogil:
    cdef const All *p = <const All *>job
    cdef unsigned long long floats = fc_flush()
    if p.item == 4:
        share(<const float *>p.x, (<const float *>p.y)[0], (<const float *>p.dy)[0], <float *>p.out, p.n)
    else:
        share(<const double *>p.x, (<const double *>p.y)[0], (<const double *>p.dy)[0], <double *>p.out, p.n)
    fc_restore(floats)
    return 0


def max_all(x, *, int threads=1):
    """Return the largest value of x, at least one, as an array of shape ()."""
    cdef cnp.ndarray a = ready(np.asanyarray(x), "max", "x"), y = empty_like_shape((), cnp.PyArray_TYPE(a))
    cdef All p
    if a.size == 0:
        raise ShapeError(f"max: x has no elements (x.shape={np.shape(a)})")
    a = ordered(a, threads)
    p.out, p.x, p.n, p.item = cnp.PyArray_BYTES(y), cnp.PyArray_BYTES(a), a.size, a.itemsize
    emit(all_forward, &p, sizeof(p), (y, a))
    return y


def max_all_backward(dy, x, y, *, int threads=1):
    """Return dx in C order: dy, of shape (), in equal parts to the elements of x that are equal to y."""
    cdef cnp.ndarray a = ordered(ready(np.asanyarray(x), "max", "x"), threads), g = ready(dy, "max", "dy", a.dtype), top = y
    cdef cnp.ndarray dx = empty_like_shape(np.shape(a), cnp.PyArray_TYPE(a))
    cdef All p
    p.out, p.x, p.y, p.dy = cnp.PyArray_BYTES(dx), cnp.PyArray_BYTES(a), cnp.PyArray_BYTES(top), cnp.PyArray_BYTES(g)
    p.n, p.item = a.size, a.itemsize
    emit(all_backward, &p, sizeof(p), (dx, a, top, g))
    return dx
