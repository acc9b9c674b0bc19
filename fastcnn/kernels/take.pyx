"""kernels.take: indexing by arrays of integers: the slices of an array at given positions, and sums of slices at such."""

import numpy as np

cimport numpy as cnp
from cython.parallel cimport prange
from libc.stdint cimport int64_t
from libc.string cimport memset

from fastcnn.errors import ShapeError

from fastcnn.kernels.entry cimport emit, fc_flush, fc_restore
from fastcnn.kernels.gemm cimport ready
from fastcnn.kernels.layout cimport crew
from fastcnn.kernels.memory cimport empty_like_shape
from fastcnn.kernels.strided cimport Walk, begin_at, copy_row, empty_in_order_of, offsets, plan_walk

cnp.import_array()

cdef enum:
    MOST = 4  # arrays of positions


cdef struct Take:
    char *y                      # n slices one behind the other; backward: dy
    char *x                      # the array; backward: dx
    const int64_t *index[MOST]   # n positions along each of the first axes
    Py_ssize_t length[MOST], stride[MOST]
    Py_ssize_t n, slice_bytes, item, size
    int axes, threads
    Walk walk                    # of a slice: y, x


cdef Py_ssize_t place(const Take *p, Py_ssize_t i) noexcept nogil:
    """Where slice i begins in x, in bytes; -1 outside of it. Negative positions count from the end."""
    cdef Py_ssize_t at = 0, position
    cdef int k
    for k in range(p.axes):
        position = p.index[k][i]
        if position < 0:
            position += p.length[k]
        if position < 0 or position >= p.length[k]:
            return -1
        at += position * p.stride[k]
    return at


cdef bint all_inside(const Take *p) noexcept nogil:
    cdef Py_ssize_t i, k
    for i in range(p.n):
        for k in range(p.axes):
            if p.index[k][i] < -p.length[k] or p.index[k][i] >= p.length[k]:
                return False
    return True


cdef void take_one(const Take *p, Py_ssize_t i) noexcept nogil:
    cdef Py_ssize_t at[3]
    cdef Py_ssize_t step[3]
    cdef Py_ssize_t row, begin = place(p, i)
    for row in range(p.walk.rows):
        begin_at(&p.walk, row, 0, at, step)
        copy_row(p.y + i * p.slice_bytes + at[0], step[0], p.x + begin + at[1], step[1], p.walk.shape[p.walk.ndim - 1], p.item)


cdef int take_all(const void *job) noexcept nogil:
    cdef const Take *p = <const Take *>job
    cdef Py_ssize_t i
    if not all_inside(p):
        return 1
    for i in prange(p.n, num_threads=p.threads, schedule="static"):
        take_one(p, i)
    return 0


cdef int add_all(const void *job) noexcept nogil:
    """dx = 0, then dx[index] += dy in the order of the positions: each bit is the same for every count of threads."""
    cdef const Take *p = <const Take *>job
    cdef Py_ssize_t at[3]
    cdef Py_ssize_t i, row, k, begin, to, source
    cdef int last = p.walk.ndim - 1
    cdef unsigned long long floats
    if not all_inside(p):
        return 1
    memset(p.x, 0, p.size)
    floats = fc_flush()
    for i in range(p.n):
        begin = place(p, i)
        for row in range(p.walk.rows):
            offsets(&p.walk, row, at)
            source, to = i * p.slice_bytes + at[0], begin + at[1]
            for k in range(p.walk.shape[last]):
                if p.item == 4:
                    (<float *>(p.x + to + k * p.walk.step[1][last]))[0] += (<float *>(p.y + source + k * p.walk.step[0][last]))[0]
                else:
                    (<double *>(p.x + to + k * p.walk.step[1][last]))[0] += (
                        <double *>(p.y + source + k * p.walk.step[0][last]))[0]
    fc_restore(floats)
    return 0


cdef object refusal(tuple index, tuple shape):
    """A function that raises NumPy's error for a position outside of an axis."""
    def explain():
        for k, positions in enumerate(index):
            wrong = positions[(positions < -shape[k]) | (positions >= shape[k])]
            if wrong.size:
                raise IndexError(f"index {wrong[0]} is out of bounds for axis {k} with size {shape[k]}")
    return explain


cdef int describe(Take *p, cnp.ndarray y, cnp.ndarray x, tuple index, int threads) except -1:
    """`y` (n, ...) holds the slices; `index`: int64 of rank 1, contiguous, of one length."""
    cdef cnp.ndarray positions
    cdef int k
    cdef bint fine
    if not 0 < len(index) <= min(MOST, x.ndim):
        raise ShapeError(f"take: index must be 1 to {min(MOST, x.ndim)} arrays, got {len(index)} (x.shape={np.shape(x)})")
    p.axes, p.n, p.item, p.size = len(index), cnp.PyArray_DIM(y, 0), x.itemsize, x.size * x.itemsize
    for k in range(p.axes):
        positions = index[k]
        fine = positions.dtype.num == cnp.NPY_INT64 and positions.flags.c_contiguous
        if not fine or positions.ndim != 1 or positions.size != p.n:
            raise ShapeError(f"take: index must be contiguous int64 ({p.n},), got {positions.dtype} {np.shape(positions)}")
        p.index[k] = <const int64_t *>cnp.PyArray_BYTES(positions)
        p.length[k], p.stride[k] = cnp.PyArray_DIM(x, k), cnp.PyArray_STRIDE(x, k)
    p.y, p.x, p.slice_bytes = cnp.PyArray_BYTES(y), cnp.PyArray_BYTES(x), cnp.PyArray_STRIDE(y, 0)
    p.threads = crew(2.0 * y.size * y.itemsize, threads)
    return 0


def take(x, tuple index, *, int threads=1):
    """Return x[index] for up to 4 arrays of positions along the first axes: (n, ...).

    The slices lie in memory in the order of those of x. Any dtype of up to 8 bytes. IndexError outside of an axis.
    """
    cdef cnp.ndarray a = x, first, y
    cdef Take p
    if a.size == 0:
        return np.take(a, index[0], axis=0) if len(index) == 1 else a[index]
    first = a[(0,) * len(index) + (...,)]
    order = sorted(range(first.ndim), key=lambda i: (-abs(first.strides[i]), i))
    y = empty_like_shape((len(index[0]), *[first.shape[i] for i in order]), cnp.PyArray_TYPE(a))
    y = y.transpose([0, *[order.index(i) + 1 for i in range(first.ndim)]])
    describe(&p, y, a, index, threads)
    if y.size:
        plan_walk(&p.walk, y[0, ...], first, None)
        emit(take_all, &p, sizeof(p), (y, a, *index), refusal(index, np.shape(a)))
    return y


def take_backward(dy, tuple index, like, *, int threads=1):
    """Return dx in shape and memory order of `like`: the sums of the slices dy (n, ...) at their positions."""
    cdef cnp.ndarray g = ready(np.asanyarray(dy), "getitem", "dy"), dx = empty_in_order_of(like, cnp.PyArray_TYPE(g)), first
    cdef Take p
    if dx.size == 0:
        return dx
    first = dx[(0,) * len(index) + (...,)]
    if (<object>g).shape[1:] != (<object>first).shape:
        raise ShapeError(f"getitem: dy must have shape (n, *{np.shape(first)}), got {np.shape(g)}")
    describe(&p, g, dx, index, threads)
    if g.size:
        plan_walk(&p.walk, g[0, ...], first, None)
        emit(add_all, &p, sizeof(p), (dx, g, *index), refusal(index, np.shape(dx)))
        return dx
    dx[...] = 0
    return dx
