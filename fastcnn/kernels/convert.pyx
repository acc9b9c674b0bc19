"""kernels.convert: values in another dtype, comparisons, sums of integers: what a step computes beside its floats."""

import numpy as np

cimport numpy as cnp
from cython.parallel cimport prange
from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memcpy

from fastcnn.kernels.entry cimport emit, unrecorded
from fastcnn.kernels.layout cimport crew
from fastcnn.kernels.memory cimport Block, block, empty_like_shape
from fastcnn.kernels.strided cimport Walk, begin_at, empty_common, empty_in_order_of, ordered, plan_walk

cnp.import_array()

cdef extern from "convert.h" nogil:
    enum:
        FC_BOOL, FC_U8, FC_I8, FC_U16, FC_I16, FC_U32, FC_I32, FC_U64, FC_I64, FC_F32, FC_F64
        FC_EQ, FC_NE, FC_LT, FC_LE, FC_GT, FC_GE
    void fc_convert_row(int to, char *dst, Py_ssize_t d, int from_, const char *src, Py_ssize_t s, Py_ssize_t n)
    void fc_compare_row(int op, int dtype, uint8_t *z, Py_ssize_t sz, const char *a, Py_ssize_t sa, const char *b, Py_ssize_t sb,
                        Py_ssize_t n)

cdef enum:
    RUN = 16384  # values of one task
    PARTS = 64   # of a sum, at most
    LINE = 64    # columns of one task, at least: what one thread writes is no other one's line of cache

DTYPES = {"?": FC_BOOL, "B": FC_U8, "b": FC_I8, "H": FC_U16, "h": FC_I16, "I": FC_U32, "i": FC_I32, "L": FC_U64, "Q": FC_U64,
          "l": FC_I64, "q": FC_I64, "f": FC_F32, "d": FC_F64}
TARGETS = (FC_BOOL, FC_I64, FC_F32, FC_F64)
COMPARED = (FC_BOOL, FC_U8, FC_I64, FC_F32, FC_F64)
COMPARISONS = {"eq": (FC_EQ, np.equal), "ne": (FC_NE, np.not_equal), "lt": (FC_LT, np.less), "le": (FC_LE, np.less_equal),
               "gt": (FC_GT, np.greater), "ge": (FC_GE, np.greater_equal)}


cdef struct Rows:
    # of a conversion, or of a comparison
    char *z
    const char *a
    const char *b        # NULL: the number
    double number        # the bits of one element
    int op, dtype, threads
    Walk walk


cdef void rows_task(const Rows *p, bint compares, Py_ssize_t row, Py_ssize_t first, Py_ssize_t count) noexcept nogil:
    cdef Py_ssize_t at[3]
    cdef Py_ssize_t step[3]
    begin_at(&p.walk, row, first, at, step)
    if compares:
        fc_compare_row(p.op, p.dtype, <uint8_t *>(p.z + at[0]), step[0], p.a + at[1], step[1],
                       <const char *>&p.number if p.b == NULL else p.b + at[2], step[2], count)
    else:
        fc_convert_row(p.op, p.z + at[0], step[0], p.dtype, p.a + at[1], step[1], count)


cdef void rows_all(const Rows *p, bint compares) noexcept nogil:
    cdef Py_ssize_t n = p.walk.shape[p.walk.ndim - 1], parts = (n + RUN - 1) // RUN, t
    for t in prange(p.walk.rows * parts, num_threads=p.threads, schedule="static"):
        rows_task(p, compares, t // parts, t % parts * RUN, min(<Py_ssize_t>RUN, n - t % parts * RUN))


cdef int convert_all(const void *job) noexcept nogil:
    rows_all(<const Rows *>job, False)
    return 0


cdef int compare_all(const void *job) noexcept nogil:
    rows_all(<const Rows *>job, True)
    return 0


cdef int code_of(object x) except -2:
    """The number of the dtype of an array that kernels can read, else -1."""
    if not isinstance(x, np.ndarray) or not cnp.PyArray_ISALIGNED(x) or cnp.PyArray_ISBYTESWAPPED(x) or x.ndim > 8:
        return -1
    return DTYPES.get(x.dtype.char, -1)


def cast(x, dtype, *, int threads=1):
    """Return x as `dtype`, in memory in the order of x; NumPy does what is not to bool, int64, float32 or float64."""
    cdef cnp.ndarray a, z
    cdef Rows p
    target = np.dtype(dtype)
    p.dtype, p.op = code_of(x), DTYPES.get(target.char, -1)
    if p.dtype < 0 or p.op not in TARGETS or not target.isnative:
        unrecorded(f"a conversion from {x.dtype} to {target}")
        return x.astype(target)
    a = x
    z = empty_in_order_of(a, target.num)
    if z.size:
        plan_walk(&p.walk, z, a, None)
        p.z, p.a, p.b, p.threads = cnp.PyArray_BYTES(z), cnp.PyArray_BYTES(a), NULL, crew(2.0 * z.size * a.itemsize, threads)
        emit(convert_all, &p, sizeof(p), (z, a))
    return z


def compare(str op, a, b, *, int threads=1):
    """Return a == b, a < b, ... as bool: `op` is eq, ne, lt, le, gt or ge; arrays that broadcast, or an array and a number."""
    cdef Rows p
    cdef cnp.ndarray x, y = None, z, one
    number, ufunc = COMPARISONS[op]
    p.op, p.dtype = number, code_of(a)
    if p.dtype not in COMPARED or not (np.ndim(b) == 0 or (code_of(b) >= 0 and b.dtype == a.dtype)):
        unrecorded(f"{ufunc.__name__} of such operands")
        return np.asarray(ufunc(a, b))
    x = a
    if isinstance(b, np.ndarray) and b.dtype == a.dtype:
        y = b
    z = empty_common(cnp.NPY_BOOL, x, y, None)
    if z.size == 0:
        return z
    plan_walk(&p.walk, z, x, y)
    p.z, p.a, p.b, p.number = cnp.PyArray_BYTES(z), cnp.PyArray_BYTES(x), NULL, 0
    if y is None:
        one = np.asarray(b, dtype=a.dtype)
        memcpy(&p.number, cnp.PyArray_BYTES(one), one.itemsize)
    else:
        p.b = cnp.PyArray_BYTES(y)
    p.threads = crew(2.0 * z.size * x.itemsize, threads)
    emit(compare_all, &p, sizeof(p), (z, x, y))
    return z


cdef struct Total:
    int64_t *out
    int64_t *part             # of sums of rows: (parts, columns)
    const int64_t *x
    Py_ssize_t rows, columns  # x is (rows, columns), the sums are over the rows
    Py_ssize_t parts          # tasks: of rows where there is `part`, else of columns
    int threads


cdef void sum_rows(int64_t *out, const int64_t *x, Py_ssize_t rows, Py_ssize_t columns, Py_ssize_t stride) noexcept nogil:
    cdef Py_ssize_t i, k
    cdef int64_t sum_ = 0
    if columns == 1 and stride == 1:
        for i in range(rows):
            sum_ += x[i]
        out[0] = sum_
        return
    for k in range(columns):
        out[k] = 0
    for i in range(rows):
        for k in range(columns):
            out[k] += x[i * stride + k]


cdef void total_task(const Total *p, Py_ssize_t t) noexcept nogil:
    cdef Py_ssize_t size = p.columns if p.part == NULL else p.rows
    cdef Py_ssize_t first = size * t // p.parts, count = size * (t + 1) // p.parts - first
    if p.part == NULL:
        sum_rows(p.out + first, p.x + first, p.rows, count, p.columns)
    else:
        sum_rows(p.part + t * p.columns, p.x + first * p.columns, count, p.columns, p.columns)


cdef int total_all(const void *job) noexcept nogil:
    cdef const Total *p = <const Total *>job
    cdef Py_ssize_t t
    for t in prange(p.parts, num_threads=p.threads, schedule="static"):
        total_task(p, t)
    if p.part != NULL:
        sum_rows(p.out, p.part, p.parts, p.columns, p.columns)
    return 0


def total(x, tuple axes, *, int threads=1):
    """Return the sums of integers or booleans over `axes` as int64; the other axes stay."""
    cdef cnp.ndarray a = cast(x, np.int64, threads=threads), out
    cdef Block scratch = None
    cdef Total p
    kept = [i for i in range(a.ndim) if i not in axes]
    shape = tuple([np.shape(x)[i] for i in kept])
    out = empty_like_shape(shape, cnp.NPY_INT64)
    a = ordered(a.transpose([*axes, *kept]), threads)
    p.out, p.part, p.x, p.columns = <int64_t *>cnp.PyArray_BYTES(out), NULL, <const int64_t *>cnp.PyArray_BYTES(a), out.size
    if out.size:
        p.rows, p.threads = a.size // out.size, crew(1.0 * a.size * a.itemsize, threads)
        p.parts = max(<Py_ssize_t>1, min(<Py_ssize_t>PARTS, a.size // RUN))
        if p.parts > 1 and p.columns < p.parts * LINE:
            p.parts = min(p.parts, p.rows)
            scratch = block(p.parts * p.columns * sizeof(int64_t))
            p.part = <int64_t *>scratch.data
        emit(total_all, &p, sizeof(p), (out, a))
    return out
