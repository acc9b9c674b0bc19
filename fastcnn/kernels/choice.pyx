"""kernels.choice: the larger or the smaller of two values, one of two by a condition, element by element with broadcasting."""

import numpy as np

cimport numpy as cnp
from cython.parallel cimport parallel, prange
from libc.stdint cimport uint8_t
from libc.string cimport memcpy

from fastcnn.errors import DtypeError, ShapeError

from fastcnn.kernels.elementwise cimport alike, binary, in_steps, plain
from fastcnn.kernels.entry cimport emit, fc_flush, fc_restore, unrecorded
from fastcnn.kernels.layout cimport crew
from fastcnn.kernels.micro cimport FC_MAXIMUM, FC_MINIMUM, fc_ukr, table
from fastcnn.kernels.strided cimport Walk, begin_at, common_shape, copy_into, empty_common, empty_in_order_of, plan_walk

cnp.import_array()

cdef enum:
    RUN = 16384  # values of one task


cdef struct Choice:
    # z is dense; what is beside it lies in the same order: the gradient of a share, the condition (bytes) of a choice
    const fc_ukr *u
    char *z
    const char *beside
    const char *a        # NULL: the number
    const char *b        # NULL: the number
    double number        # the bits of one element
    bint shares
    int threads
    Walk walk


cdef void task(const Choice *p, Py_ssize_t row, Py_ssize_t first, Py_ssize_t count) noexcept nogil:
    cdef Py_ssize_t at[3]
    cdef Py_ssize_t step[3]
    cdef Py_ssize_t item = p.u.item
    cdef const char *a = <const char *>&p.number
    cdef const char *b = <const char *>&p.number
    begin_at(&p.walk, row, first, at, step)
    if p.a != NULL:
        a = p.a + at[1]
    if p.b != NULL:
        b = p.b + at[2]
    if p.shares:
        p.u.share_row(p.z + at[0], p.beside + at[0], a, step[1] // item, b, step[2] // item, count)
    else:
        p.u.where_row(p.z + at[0], <const uint8_t *>p.beside + at[0] // item, a, step[1] // item, b, step[2] // item, count)


cdef int run(const void *job) noexcept nogil:
    cdef const Choice *p = <const Choice *>job
    cdef Py_ssize_t n = p.walk.shape[p.walk.ndim - 1], parts = (n + RUN - 1) // RUN, t
    cdef unsigned long long floats = 0
    with parallel(num_threads=p.threads):
        floats = fc_flush()
        for t in prange(p.walk.rows * parts, schedule="static"):
            task(p, t // parts, t % parts * RUN, min(<Py_ssize_t>RUN, n - t % parts * RUN))
        fc_restore(floats)
    return 0


cdef int describe(Choice *p, cnp.ndarray z, cnp.ndarray beside, cnp.ndarray a, cnp.ndarray b, object number, bint shares,
                  int threads) except -1:
    """An operand that is None is the number."""
    cdef cnp.ndarray one
    cdef float single
    plan_walk(&p.walk, z, a, b)
    p.u, p.shares = table(cnp.PyArray_ITEMSIZE(z)), shares
    p.z, p.beside = cnp.PyArray_BYTES(z), cnp.PyArray_BYTES(beside)
    p.a = NULL if a is None else cnp.PyArray_BYTES(a)
    p.b = NULL if b is None else cnp.PyArray_BYTES(b)
    p.number = 0
    if type(number) is float or type(number) is np.float32:
        p.number = number
        if cnp.PyArray_TYPE(z) == cnp.NPY_FLOAT:
            single = <float>p.number
            memcpy(&p.number, &single, sizeof(float))
    elif number is not None:
        one = np.asarray(number, dtype=z.dtype)
        memcpy(&p.number, cnp.PyArray_BYTES(one), p.u.item)
    p.threads = crew(3.0 * z.size * p.u.item, threads)
    return 0


cdef bint same_shape(cnp.ndarray a, cnp.ndarray b) noexcept:
    """Have the arrays one shape? None (a number) fits to any."""
    cdef int i
    if a is None or b is None:
        return True
    if a.ndim != b.ndim:
        return False
    for i in range(a.ndim):
        if cnp.PyArray_DIM(a, i) != cnp.PyArray_DIM(b, i):
            return False
    return True


cdef bint readable(cnp.ndarray x, int typenum) noexcept:
    """Can the kernel read x (None: a number)?"""
    return x is None or (plain(x) and in_steps(x) and cnp.PyArray_TYPE(x) == typenum)


def maximum(a, b, *, int threads=1):
    """Return the larger of a and b, NaN where one of them is; arrays of one dtype that broadcast, or an array and a number."""
    return binary(FC_MAXIMUM, np.maximum, a, b, threads)


def minimum(a, b, *, int threads=1):
    """Return the smaller of a and b; operands and NaN as in `maximum`."""
    return binary(FC_MINIMUM, np.minimum, a, b, threads)


def share(dz, a, b, *, int threads=1):
    """Return the gradient of maximum(a, b) along a, before it is summed to the shape of a; of minimum(a, b): share(dz, b, a).

    dz, of the shape that a and b broadcast to, where a > b or one of them is NaN, dz / 2 where a = b, else 0.
    """
    cdef cnp.ndarray g = dz, x = a if isinstance(a, np.ndarray) else None, y = b if isinstance(b, np.ndarray) else None, dx
    cdef Choice p
    cdef int typenum = cnp.PyArray_TYPE(g)
    if typenum != cnp.NPY_FLOAT and typenum != cnp.NPY_DOUBLE:
        raise DtypeError(f"share: dz must be float32 or float64, got {g.dtype}")
    if not (same_shape(g, x) and same_shape(g, y)) and common_shape(x, y, None) != np.shape(g):
        raise ShapeError(f"share: a and b must broadcast to the shape of dz, got {np.shape(a)}, {np.shape(b)} and {np.shape(g)}")
    if g.ndim > 8 or not plain(g) or not (readable(x, typenum) and readable(y, typenum)):
        unrecorded("the gradient of maximum of such operands")
        return np.where(np.less(a, b), g.dtype.type(0), np.where(np.equal(a, b), g / g.dtype.type(2), g))
    dx = empty_in_order_of(g, typenum)
    if dx.size:
        g = alike(dx, g, "share", "dz", threads)
        describe(&p, dx, g, x, y, a if x is None else b if y is None else None, True, threads)
        emit(run, &p, sizeof(p), (dx, g, x, y))
    return dx


cdef cnp.ndarray beside(cnp.ndarray z, cnp.ndarray condition, int threads):
    """The condition, broadcast, in the memory order of z: itself or a copy."""
    cdef cnp.ndarray kept
    cdef int i
    cdef bint same = same_shape(condition, z)
    for i in range(z.ndim):
        same = same and (cnp.PyArray_DIM(z, i) == 1
                         or cnp.PyArray_STRIDE(condition, i) * cnp.PyArray_ITEMSIZE(z) == cnp.PyArray_STRIDE(z, i))
    if same:
        return condition
    kept = empty_in_order_of(z, cnp.NPY_BOOL)
    copy_into(kept, condition, threads)
    return kept


def where(condition, a, b, *, int threads=1):
    """Return a where the condition holds, else b; bool, and arrays of one dtype or an array and a number, that broadcast.

    Bits are moved as they are. The result lies in memory in the order of the first operand of full shape.
    """
    cdef cnp.ndarray c = condition, x = a if isinstance(a, np.ndarray) else None, y = b if isinstance(b, np.ndarray) else None, z
    cdef cnp.ndarray first = x if x is not None else y
    cdef int typenum = -1 if first is None else cnp.PyArray_TYPE(first)
    cdef Choice p
    if cnp.PyArray_TYPE(c) != cnp.NPY_BOOL or typenum < 0 or (x is not None and y is not None and x.dtype != y.dtype):
        raise DtypeError(f"where: a bool array, and two arrays of one dtype or one and a number, got {c.dtype}, {a!r} and {b!r}")
    if same_shape(c, x) and same_shape(c, y) and c.ndim <= 8:
        z = empty_in_order_of(first, typenum)
    else:
        z = empty_common(typenum, x, y, c)
    if z is None or first.itemsize not in (4, 8) or not (readable(x, typenum) and readable(y, typenum)):
        unrecorded("where of such operands")
        return np.where(c, a if x is not None else first.dtype.type(a), b if y is not None else first.dtype.type(b))
    if z.size:
        c = beside(z, c, threads)
        describe(&p, z, c, x, y, a if x is None else b if y is None else None, False, threads)
        emit(run, &p, sizeof(p), (z, c, x, y))
    return z
