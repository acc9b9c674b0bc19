"""kernels.largest: the largest or least values of an array or along one of its axes, where they are, and their gradients.

NaN comes before every number; of equal values the first one is taken.
"""

import numpy as np

cimport numpy as cnp
from cython cimport floating
from cython.parallel cimport parallel, prange
from libc.stdint cimport int64_t
from libc.string cimport memset

from fastcnn.errors import ShapeError

from fastcnn.kernels.entry cimport emit, fc_flush, fc_restore
from fastcnn.kernels.gemm cimport ready
from fastcnn.kernels.layout cimport crew
from fastcnn.kernels.memory cimport empty_like_shape
from fastcnn.kernels.strided cimport Walk, begin_at, empty_in_order_of, ordered, plan_walk

cnp.import_array()

cdef extern from "largest.h" nogil:
    Py_ssize_t fc_first_largest_f32(const float *x, Py_ssize_t n)
    Py_ssize_t fc_first_largest_f64(const double *x, Py_ssize_t n)
    Py_ssize_t fc_first_least_f32(const float *x, Py_ssize_t n)
    Py_ssize_t fc_first_least_f64(const double *x, Py_ssize_t n)

cdef enum:
    RUN = 256     # places of one task
    PART = 16384  # values of one part of a whole array, at least
    PARTS = 64    # of a whole array, at most


cdef inline Py_ssize_t first_of(const floating *x, Py_ssize_t n, bint least) noexcept nogil:
    if floating is float:
        return fc_first_least_f32(x, n) if least else fc_first_largest_f32(x, n)
    return fc_first_least_f64(x, n) if least else fc_first_largest_f64(x, n)


cdef inline bint wins(floating v, floating best, bint least) noexcept nogil:
    return (v < best if least else v > best) or (v != v and best == best)


cdef struct Largest:
    # places of y and index, and where the walk over x begins for each; steps are bytes
    char *y              # backward: dy
    char *index          # int64
    char *x              # backward: dx
    Py_ssize_t n, step, item
    Walk walk
    bint least
    int threads


cdef void scan_row(const floating *like, const Largest *p, char *y, Py_ssize_t sy, char *index, Py_ssize_t si, const char *x,
                   Py_ssize_t sx, Py_ssize_t count) noexcept nogil:
    """The largest or least of n values for each of `count` places."""
    cdef Py_ssize_t i, k
    cdef int64_t at
    cdef floating v
    cdef bint least = p.least
    if p.step == p.item:
        for i in range(count):
            at = first_of(<const floating *>(x + i * sx), p.n, least)
            (<floating *>(y + i * sy))[0] = (<const floating *>(x + i * sx))[at]
            (<int64_t *>(index + i * si))[0] = at
        return
    for i in range(count):
        (<floating *>(y + i * sy))[0] = (<const floating *>(x + i * sx))[0]
        (<int64_t *>(index + i * si))[0] = 0
    for k in range(1, p.n):
        for i in range(count):
            v = (<const floating *>(x + i * sx + k * p.step))[0]
            if wins(v, (<floating *>(y + i * sy))[0], least):
                (<floating *>(y + i * sy))[0] = v
                (<int64_t *>(index + i * si))[0] = k


cdef void task(const Largest *p, bint backward, Py_ssize_t row, Py_ssize_t first, Py_ssize_t count) noexcept nogil:
    cdef Py_ssize_t at[3]
    cdef Py_ssize_t step[3]
    cdef Py_ssize_t i, to
    begin_at(&p.walk, row, first, at, step)
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


def max_forward(x, int axis, *, bint least=False, int threads=1):
    """Return (values, index) along `axis`, which goes; index is int64. float32 or float64, at least one element there.

    The least values instead of the largest ones where `least`.
    """
    cdef str op = "min" if least else "max"
    cdef cnp.ndarray a = ready(np.asanyarray(x), op, "x"), first, y, index
    cdef Largest p
    if not 0 <= axis < a.ndim or cnp.PyArray_DIM(a, axis) == 0:
        raise ShapeError(f"{op}: x must have elements along axis {axis}, got x.shape={np.shape(a)}")
    first = a[(slice(None),) * axis + (0, ...)]
    y, index = empty_in_order_of(first, cnp.PyArray_TYPE(a)), empty_in_order_of(first, cnp.NPY_INT64)
    if y.size:
        plan_walk(&p.walk, y, index, first)
        p.y, p.index, p.x = cnp.PyArray_BYTES(y), cnp.PyArray_BYTES(index), cnp.PyArray_BYTES(first)
        p.n, p.step, p.item = cnp.PyArray_DIM(a, axis), cnp.PyArray_STRIDE(a, axis), a.itemsize
        p.least, p.threads = least, crew(4.0 * a.size * a.itemsize, threads)
        emit(forward_all, &p, sizeof(p), (y, index, a))
    return y, index


def max_backward(dy, index, like, int axis, *, int threads=1):
    """Return dx like `like`, in its order in memory: dy where the values were that `max_forward` found, 0 elsewhere."""
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
    int64_t *index
    const char *x
    const char *y        # backward: the largest value
    const char *dy
    Py_ssize_t n, item, parts, part
    bint least
    int threads


cdef void divide(All *p, double nbytes, int threads) noexcept:
    """Parts that depend on the size alone; none is empty."""
    p.parts = max(<Py_ssize_t>1, min(<Py_ssize_t>PARTS, p.n // PART))
    p.part = (p.n + p.parts - 1) // p.parts
    p.threads = crew(nbytes, threads)


cdef Py_ssize_t length(const All *p, Py_ssize_t t) noexcept nogil:
    return min(p.part, p.n - t * p.part)


cdef void find(const floating *x, const All *p, Py_ssize_t *found) noexcept nogil:
    """found[0] = where the first of the largest or least values is."""
    cdef Py_ssize_t t
    for t in prange(p.parts, num_threads=p.threads, schedule="static"):
        found[t] = t * p.part + first_of(x + t * p.part, length(p, t), p.least)
    for t in range(1, p.parts):
        if wins(x[found[t]], x[found[0]], p.least):
            found[0] = found[t]


cdef int all_forward(const void *job) noexcept nogil:
    cdef const All *p = <const All *>job
    cdef Py_ssize_t found[PARTS]
    if p.item == 4:
        find(<const float *>p.x, p, found)
        (<float *>p.out)[0] = (<const float *>p.x)[found[0]]
    else:
        find(<const double *>p.x, p, found)
        (<double *>p.out)[0] = (<const double *>p.x)[found[0]]
    p.index[0] = found[0]
    return 0


cdef inline bint equal(floating v, floating y) noexcept nogil:
    """NaN is equal to NaN."""
    return v == y or (v != v and y != y)


cdef void count(const floating *x, const All *p, Py_ssize_t t, Py_ssize_t *winners) noexcept nogil:
    cdef floating y = (<const floating *>p.y)[0]
    cdef Py_ssize_t i
    winners[t] = 0
    for i in range(length(p, t)):
        winners[t] += equal(x[i], y)


cdef void share(const floating *x, const All *p, Py_ssize_t t, Py_ssize_t winners) noexcept nogil:
    """dy in equal parts to all that are equal to y."""
    cdef floating y = (<const floating *>p.y)[0], part = (<const floating *>p.dy)[0] / <floating>winners
    cdef floating *dx = <floating *>p.out + t * p.part
    cdef Py_ssize_t i
    for i in range(length(p, t)):
        dx[i] = part if equal(x[i], y) else 0


cdef int all_backward(const void *job) noexcept nogil:
    cdef const All *p = <const All *>job
    cdef Py_ssize_t winners[PARTS]
    cdef Py_ssize_t t
    cdef unsigned long long floats = 0
    for t in prange(p.parts, num_threads=p.threads, schedule="static"):
        if p.item == 4:
            count(<const float *>p.x + t * p.part, p, t, winners)
        else:
            count(<const double *>p.x + t * p.part, p, t, winners)
    for t in range(1, p.parts):
        winners[0] += winners[t]
    with parallel(num_threads=p.threads):
        floats = fc_flush()
        for t in prange(p.parts, schedule="static"):
            if p.item == 4:
                share(<const float *>p.x + t * p.part, p, t, winners[0])
            else:
                share(<const double *>p.x + t * p.part, p, t, winners[0])
        fc_restore(floats)
    return 0


def max_all(x, *, bint least=False, int threads=1):
    """Return the largest (least) value of x, at least one, and its place in C order (int64), as arrays of shape ()."""
    cdef str op = "min" if least else "max"
    cdef cnp.ndarray a = ready(np.asanyarray(x), op, "x"), y = empty_like_shape((), cnp.PyArray_TYPE(a))
    cdef cnp.ndarray index = empty_like_shape((), cnp.NPY_INT64)
    cdef All p
    if a.size == 0:
        raise ShapeError(f"{op}: x has no elements (x.shape={np.shape(a)})")
    a = ordered(a, threads)
    p.out, p.index, p.x = cnp.PyArray_BYTES(y), <int64_t *>cnp.PyArray_BYTES(index), cnp.PyArray_BYTES(a)
    p.n, p.item, p.least = a.size, a.itemsize, least
    divide(&p, 1.0 * a.size * a.itemsize, threads)
    emit(all_forward, &p, sizeof(p), (y, index, a))
    return y, index


def max_all_backward(dy, x, y, *, int threads=1):
    """Return dx in C order: dy, of shape (), in equal parts to the elements of x that are equal to y."""
    cdef cnp.ndarray a = ordered(ready(np.asanyarray(x), "max", "x"), threads), g = ready(dy, "max", "dy", a.dtype), top = y
    cdef cnp.ndarray dx = empty_like_shape(np.shape(a), cnp.PyArray_TYPE(a))
    cdef All p
    p.out, p.x, p.y, p.dy = cnp.PyArray_BYTES(dx), cnp.PyArray_BYTES(a), cnp.PyArray_BYTES(top), cnp.PyArray_BYTES(g)
    p.n, p.item = a.size, a.itemsize
    divide(&p, 3.0 * a.size * a.itemsize, threads)
    emit(all_backward, &p, sizeof(p), (dx, a, top, g))
    return dx
