"""kernels.strided: copies between arrays of any strides: NumPy's assignment with threads, in a form that is recorded.

Axes are walked in the memory order of what is written, and those that lie behind one another count as one.
"""

import numpy as np

cimport numpy as cnp
from cython.parallel cimport prange
from libc.stdint cimport int64_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

from fastcnn.errors import ArgumentError, ShapeError

from fastcnn.kernels.entry cimport emit, unrecorded
from fastcnn.kernels.memory cimport empty_like_shape, empty_of

cnp.import_array()

cdef enum:
    TASK_BYTES = 64 * 1024      # of one task
    SERIAL_BYTES = 128 * 1024   # as in kernels.layout


cdef struct Copy:
    char *dst
    const char *src
    Py_ssize_t item
    Walk walk
    int threads


cdef bint plan_walk(Walk *w, cnp.ndarray out, cnp.ndarray a, cnp.ndarray b):
    """Fill `w` for operands that broadcast to the shape of `out` (a and b may be None); False when there are too many axes."""
    cdef int order[AXES]
    cdef int ndim = out.ndim, i, k, n = 0, at
    cdef bint merged
    if ndim > AXES:
        return False
    for i in range(ndim):  # insertion sort by the strides of out, largest first
        if cnp.PyArray_DIM(out, i) == 1:
            continue
        k = n
        while k > 0 and abs(cnp.PyArray_STRIDE(out, order[k - 1])) < abs(cnp.PyArray_STRIDE(out, i)):
            order[k] = order[k - 1]
            k -= 1
        order[k] = i
        n += 1
    w.ndim, w.rows = 0, 1
    for i in range(n):
        at = w.ndim
        w.shape[at] = cnp.PyArray_DIM(out, order[i])
        w.step[0][at] = cnp.PyArray_STRIDE(out, order[i])
        w.step[1][at] = step_of(a, order[i] - ndim)
        w.step[2][at] = step_of(b, order[i] - ndim)
        merged = at > 0
        for k in range(3):
            merged = merged and w.step[k][at - 1] == w.step[k][at] * w.shape[at]
        if merged:
            w.shape[at - 1] *= w.shape[at]
            for k in range(3):
                w.step[k][at - 1] = w.step[k][at]
        else:
            w.ndim += 1
    if w.ndim == 0:
        w.ndim, w.shape[0] = 1, 1
        for k in range(3):
            w.step[k][0] = cnp.PyArray_ITEMSIZE(out)
    for i in range(w.ndim - 1):
        w.rows *= w.shape[i]
    return True


cdef Py_ssize_t size_of(cnp.ndarray x, int axis) noexcept:
    """The size of an axis counted from the end; 1 where there is none."""
    return 1 if x is None or x.ndim + axis < 0 else cnp.PyArray_DIM(x, x.ndim + axis)


cdef tuple common_shape(cnp.ndarray a, cnp.ndarray b, cnp.ndarray c):
    """The shape that the arrays (None: none) broadcast to; ValueError where they do not."""
    cdef int ndim = 0, axis, k
    cdef Py_ssize_t size
    cdef Py_ssize_t sizes[3]
    for x in (a, b, c):
        if x is not None:
            ndim = max(ndim, (<cnp.ndarray>x).ndim)
    shape = []
    for axis in range(-ndim, 0):
        sizes[0], sizes[1], sizes[2] = size_of(a, axis), size_of(b, axis), size_of(c, axis)
        size = 1
        for k in range(3):
            if sizes[k] != 1:
                if size != 1 and size != sizes[k]:
                    raise ValueError(f"shapes do not broadcast: {size} and {sizes[k]} along axis {axis}")
                size = sizes[k]
        shape.append(size)
    return tuple(shape)


cdef Py_ssize_t step_of(cnp.ndarray x, int axis) noexcept:
    """Bytes from one value to the next along an axis counted from the end; 0 where x is repeated."""
    if x is None or x.ndim + axis < 0 or cnp.PyArray_DIM(x, x.ndim + axis) == 1:
        return 0
    return cnp.PyArray_STRIDE(x, x.ndim + axis)


cdef void offsets(const Walk *w, Py_ssize_t row, Py_ssize_t *at) noexcept nogil:
    """begin_at of the first value, as a call: the sums of kernels.take are slower around a copy of it."""
    cdef Py_ssize_t step[3]
    begin_at(w, row, 0, at, step)


cdef void copy_row(char *dst, Py_ssize_t d, const char *src, Py_ssize_t s, Py_ssize_t n, Py_ssize_t item) noexcept nogil:
    cdef Py_ssize_t i
    if d == item and s == item:
        memcpy(dst, src, n * item)
    elif item == 4:
        for i in range(n):
            (<uint32_t *>(dst + i * d))[0] = (<const uint32_t *>(src + i * s))[0]
    elif item == 8:
        for i in range(n):
            (<uint64_t *>(dst + i * d))[0] = (<const uint64_t *>(src + i * s))[0]
    elif item == 2:
        for i in range(n):
            (<uint16_t *>(dst + i * d))[0] = (<const uint16_t *>(src + i * s))[0]
    else:
        for i in range(n):
            dst[i * d] = src[i * s]


cdef void copy_task(const Copy *p, Py_ssize_t row, Py_ssize_t first, Py_ssize_t count) noexcept nogil:
    cdef Py_ssize_t at[3]
    cdef Py_ssize_t step[3]
    begin_at(&p.walk, row, first, at, step)
    copy_row(p.dst + at[0], step[0], p.src + at[1], step[1], count, p.item)


cdef int copy_all(const void *job) noexcept nogil:
    cdef const Copy *p = <const Copy *>job
    cdef Py_ssize_t n = p.walk.shape[p.walk.ndim - 1], part = max(<Py_ssize_t>1, TASK_BYTES // p.item), parts, t
    parts = (n + part - 1) // part
    for t in prange(p.walk.rows * parts, num_threads=p.threads, schedule="static"):
        copy_task(p, t // parts, t % parts * part, min(part, n - t % parts * part))
    return 0


cdef int copy_into(cnp.ndarray dst, cnp.ndarray src, int threads) except -1:
    """dst[...] = src of the same dtype, broadcasting; src broadcasts to the shape of dst and does not overlap it."""
    cdef Copy p
    cdef Py_ssize_t item = cnp.PyArray_ITEMSIZE(dst), size = dst.size
    if size == 0:
        return 0
    if item > 8 or not cnp.PyArray_ISALIGNED(dst) or not cnp.PyArray_ISALIGNED(src) or not plan_walk(&p.walk, dst, src, None):
        unrecorded("a copy of an array that is not aligned or has too many axes")
        dst[...] = src
        return 0
    p.dst, p.src, p.item = cnp.PyArray_BYTES(dst), cnp.PyArray_BYTES(src), item
    p.threads = max(1, threads) if 2 * size * item >= SERIAL_BYTES else 1
    return emit(copy_all, &p, sizeof(p), (dst, src))


cdef cnp.ndarray empty_in_order_of(cnp.ndarray x, int typenum):
    """Return an uninitialised dense array of the shape of x, whose axes lie in memory in the order of those of x."""
    cdef int order[AXES]
    cdef cnp.npy_intp sizes[AXES]
    cdef cnp.npy_intp places[AXES]
    cdef cnp.PyArray_Dims back
    cdef int i, k, ndim = x.ndim
    if cnp.PyArray_IS_C_CONTIGUOUS(x):
        return empty_of(ndim, x.shape, typenum)
    if ndim > 8:
        return np.empty_like(x, dtype=cnp.PyArray_DescrFromType(typenum))
    for i in range(ndim):  # a stride of 0 or an axis of length 1 has no place of its own: it stays behind the axis before it
        k = i
        while k > 0 and 0 < abs(cnp.PyArray_STRIDE(x, order[k - 1])) < abs(cnp.PyArray_STRIDE(x, i)):
            order[k] = order[k - 1]
            k -= 1
        order[k] = i
    for i in range(ndim):
        sizes[i], places[order[i]] = cnp.PyArray_DIM(x, order[i]), i
    back.ptr, back.len = places, ndim
    return cnp.PyArray_Transpose(empty_of(ndim, sizes, typenum), &back)


cdef cnp.ndarray empty_common(int typenum, cnp.ndarray a, cnp.ndarray b, cnp.ndarray c):
    """An uninitialised array of the `common_shape`, in memory in the order of the first one that has it; None: over 8 axes."""
    cdef tuple shape = common_shape(a, b, c)
    if len(shape) > 8:
        return None
    for x in (a, b, c):
        if x is not None and (<object>x).shape == shape:
            return empty_in_order_of(x, typenum)
    return empty_like_shape(shape, typenum)


cdef cnp.ndarray ordered(cnp.ndarray x, int threads):
    """Return x with C order in memory: itself, or a copy."""
    cdef cnp.ndarray y
    if cnp.PyArray_IS_C_CONTIGUOUS(x):
        return x
    if x.ndim > 8:
        unrecorded("a copy of an array that has too many axes")
        return np.ascontiguousarray(x)
    y = empty_of(x.ndim, x.shape, cnp.PyArray_TYPE(x))
    copy_into(y, x, threads)
    return y


cdef bint same_order(cnp.ndarray a, cnp.ndarray b) noexcept:
    """Do equal offsets in memory hold equal indices? (Axes of size 1 have no order.)"""
    cdef int i
    for i in range(a.ndim):
        if cnp.PyArray_DIM(a, i) != 1 and cnp.PyArray_STRIDE(a, i) != cnp.PyArray_STRIDE(b, i):
            return False
    return True


cdef bint is_dense(cnp.ndarray a) noexcept:
    """Is the memory of a one run without holes, in any order of the axes?"""
    cdef Py_ssize_t step = cnp.PyArray_ITEMSIZE(a)
    cdef int i, found = 0, before = -1
    cdef bint used[32]
    for i in range(a.ndim):
        used[i] = cnp.PyArray_DIM(a, i) == 1
        found += used[i]
    while found < a.ndim and found != before:
        before = found
        for i in range(a.ndim):
            if not used[i] and cnp.PyArray_STRIDE(a, i) == step:
                used[i] = True
                found += 1
                step *= cnp.PyArray_DIM(a, i)
                break
    return found == a.ndim


cdef bint fits(cnp.ndarray a, cnp.ndarray p) noexcept:
    """Do the arrays have the same shape and dtype?"""
    cdef int i
    if a.ndim != p.ndim or cnp.PyArray_TYPE(a) != cnp.PyArray_TYPE(p):
        return False
    if cnp.PyArray_ISBYTESWAPPED(a) or cnp.PyArray_ISBYTESWAPPED(p):
        return False
    for i in range(a.ndim):
        if cnp.PyArray_DIM(a, i) != cnp.PyArray_DIM(p, i):
            return False
    return True


cdef struct Cast:
    int64_t *dst
    const char *src
    Py_ssize_t n, step, item
    bint signed_


cdef int cast_all(const void *job) noexcept nogil:
    cdef const Cast *p = <const Cast *>job
    cdef Py_ssize_t i
    cdef const char *at
    for i in range(p.n):
        at = p.src + i * p.step
        if p.item == 8:
            p.dst[i] = (<const int64_t *>at)[0]
        elif p.item == 4:
            p.dst[i] = (<const cnp.int32_t *>at)[0] if p.signed_ else <int64_t>(<const uint32_t *>at)[0]
        elif p.item == 2:
            p.dst[i] = (<const cnp.int16_t *>at)[0] if p.signed_ else <int64_t>(<const uint16_t *>at)[0]
        else:
            p.dst[i] = (<const signed char *>at)[0] if p.signed_ else <int64_t>(<const unsigned char *>at)[0]
    return 0


def integers(x, *, int threads=1):
    """Return x (rank 1, any integer dtype) as contiguous int64; itself if it is so already."""
    cdef cnp.ndarray a = x, y
    cdef Cast p
    cdef bint fine = cnp.PyArray_ISALIGNED(a) and not cnp.PyArray_ISBYTESWAPPED(a)
    if fine and cnp.PyArray_TYPE(a) == cnp.NPY_INT64 and cnp.PyArray_IS_C_CONTIGUOUS(a):
        return a
    if a.ndim != 1 or not fine:
        unrecorded("class numbers that are not an aligned array of rank 1")
        return np.ascontiguousarray(a, dtype=np.int64)
    y = empty_of(1, a.shape, cnp.NPY_INT64)
    p.dst, p.src, p.n = <int64_t *>cnp.PyArray_BYTES(y), cnp.PyArray_BYTES(a), cnp.PyArray_DIM(a, 0)
    p.step, p.item, p.signed_ = cnp.PyArray_STRIDE(a, 0), cnp.PyArray_ITEMSIZE(a), a.dtype.kind == "i"
    emit(cast_all, &p, sizeof(p), (y, a))
    return y


def copy(x, *, int threads=1):
    """Return a copy of x, dense, with the axes in memory in the order of x."""
    cdef cnp.ndarray a = x, y = empty_in_order_of(a, cnp.PyArray_TYPE(a))
    copy_into(y, a, threads)
    return y


def contiguous(x, *, int threads=1):
    """Return the values of x in C order: x itself if it is so already."""
    return ordered(x, threads)


def copy_to(out, x, *, int threads=1):
    """out[...] = x, broadcasting; arrays of one dtype that do not overlap."""
    cdef cnp.ndarray dst = out, src = x
    if not fits(dst, src) and (dst.dtype != src.dtype or np.broadcast_shapes(np.shape(dst), np.shape(src)) != np.shape(dst)):
        raise ShapeError(f"copy_to: x must broadcast to out, got {src.dtype} {np.shape(src)} and {dst.dtype} {np.shape(dst)}")
    if not cnp.PyArray_ISWRITEABLE(dst):
        raise ArgumentError(f"copy_to: out is read-only (shape {np.shape(dst)})")
    copy_into(dst, src, threads)


def expand(x, shape, *, int threads=1):
    """Return a copy of x broadcast to `shape`, in C order."""
    cdef cnp.ndarray y = empty_like_shape(tuple(shape), (<cnp.ndarray>x).dtype.num)
    copy_to(y, x, threads=threads)
    return y
