"""kernels.elementwise: sums and products of arrays, element by element, with broadcasting and threads.

NumPy computes these on one thread, and a captured step cannot record it. float32 and float64. Results lie in memory as the first
operand of full shape does.
"""

import numpy as np

cimport numpy as cnp
from cython.parallel cimport parallel, prange
from libc.math cimport isfinite
from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memcpy

from fastcnn.errors import ArgumentError, DtypeError, ShapeError

from fastcnn.kernels.entry cimport emit, fc_flush, fc_restore, unrecorded
from fastcnn.kernels.layout cimport crew
from fastcnn.kernels.memory cimport empty_like_shape
from fastcnn.kernels.micro cimport FC_ADD, FC_DIV, FC_MUL, FC_POW, FC_POW_LOG, FC_POW_SLOPE, FC_SUB, fc_ukr, table
from fastcnn.kernels.strided cimport (
    Walk, begin_at, copy_into, empty_common, empty_in_order_of, fits, ordered, plan_walk, same_order,
)

cnp.import_array()

cdef enum:
    RUN = 16384  # values of one task

IN_PLACE = {"add": (FC_ADD, np.add), "sub": (FC_SUB, np.subtract), "mul": (FC_MUL, np.multiply), "div": (FC_DIV, np.divide)}


cdef struct Binary:
    const fc_ukr *u
    int op, threads
    char *z
    const char *a        # NULL: the number
    const char *b        # NULL: the number
    double number        # the bits of one element
    Walk walk


cdef void binary_task(const Binary *p, Py_ssize_t row, Py_ssize_t first, Py_ssize_t count) noexcept nogil:
    cdef Py_ssize_t at[3]
    cdef Py_ssize_t step[3]
    cdef Py_ssize_t item = p.u.item
    cdef const char *number = <const char *>&p.number
    begin_at(&p.walk, row, first, at, step)
    p.u.binary_row(p.op, p.z + at[0], step[0] // item, number if p.a == NULL else p.a + at[1], step[1] // item,
                   number if p.b == NULL else p.b + at[2], step[2] // item, count)


cdef int binary_all(const void *job) noexcept nogil:
    cdef const Binary *p = <const Binary *>job
    cdef Py_ssize_t n = p.walk.shape[p.walk.ndim - 1], parts = (n + RUN - 1) // RUN, t
    cdef unsigned long long floats = 0
    with parallel(num_threads=p.threads):
        floats = fc_flush()
        for t in prange(p.walk.rows * parts, schedule="static"):
            binary_task(p, t // parts, t % parts * RUN, min(<Py_ssize_t>RUN, n - t % parts * RUN))
        fc_restore(floats)
    return 0


cdef bint plain(object x) noexcept:
    return cnp.PyArray_Check(x) and cnp.PyArray_ISALIGNED(x) and not cnp.PyArray_ISBYTESWAPPED(x)


cdef bint in_steps(cnp.ndarray x) noexcept:
    """Are all strides multiples of an element?"""
    cdef int i
    for i in range(x.ndim):
        if cnp.PyArray_STRIDE(x, i) % cnp.PyArray_ITEMSIZE(x):
            return False
    return True


cdef int fill_binary(Binary *p, int op, cnp.ndarray z, cnp.ndarray a, cnp.ndarray b, object number, int threads) except -1:
    """Describe z = a op b; the operand that is None is the number. False (0) when this kernel cannot walk them."""
    cdef cnp.ndarray one
    cdef float single
    if not plan_walk(&p.walk, z, a, b):
        return 0
    p.u, p.op = table(cnp.PyArray_ITEMSIZE(z)), op
    p.z = cnp.PyArray_BYTES(z)
    p.a = NULL if a is None else cnp.PyArray_BYTES(a)
    p.b = NULL if b is None else cnp.PyArray_BYTES(b)
    p.number = 0
    if type(number) is float or type(number) is np.float32:
        p.number = number
        if p.u.item == 4:
            single = <float>p.number
            memcpy(&p.number, &single, sizeof(float))
    elif number is not None:
        one = np.asarray(number, dtype=z.dtype)
        memcpy(&p.number, cnp.PyArray_BYTES(one), p.u.item)
    p.threads = crew(3.0 * z.size * p.u.item, threads)
    return 1


cdef object binary(int op, object ufunc, object a, object b, int threads):
    """a op b where both are arrays, or one is and the other a number."""
    cdef cnp.ndarray x = a if plain(a) else None, y = b if plain(b) else None, z
    cdef Binary p
    cdef cnp.ndarray first = x if x is not None else y
    cdef bint fine = first is not None and cnp.PyArray_TYPE(first) in (cnp.NPY_FLOAT, cnp.NPY_DOUBLE)
    cdef bint alike = x is not None and y is not None and fits(x, y)
    if fine:
        fine = ((x is not None or np.ndim(a) == 0) and (y is not None or np.ndim(b) == 0)
                and (x is None or y is None or cnp.PyArray_TYPE(x) == cnp.PyArray_TYPE(y))
                and (x is None or in_steps(x)) and (y is None or in_steps(y)))
    if not fine:
        unrecorded(f"{ufunc.__name__} of such operands")
        with np.errstate(all="ignore"):
            return ufunc(a, b)
    if alike or x is None or y is None:
        if first.ndim > 8:
            unrecorded(f"{ufunc.__name__} of more than 8 axes")
            return ufunc(a, b)
        z = empty_in_order_of(first, cnp.PyArray_TYPE(first))
    else:
        z = empty_common(cnp.PyArray_TYPE(x), x, y, None)
        if z is None:
            unrecorded(f"{ufunc.__name__} of more than 8 axes")
            return ufunc(a, b)
    if z.size:
        fill_binary(&p, op, z, x, y, a if x is None else b if y is None else None, threads)
        emit(binary_all, &p, sizeof(p), (z, x, y))
    return z


def add(a, b, *, int threads=1):
    """Return a + b; arrays of one dtype that broadcast, or an array and a number."""
    return binary(FC_ADD, np.add, a, b, threads)


def sub(a, b, *, int threads=1):
    """Return a - b; operands as in `add`."""
    return binary(FC_SUB, np.subtract, a, b, threads)


def mul(a, b, *, int threads=1):
    """Return a * b; operands as in `add`."""
    return binary(FC_MUL, np.multiply, a, b, threads)


def div(a, b, *, int threads=1):
    """Return a / b; operands as in `add`."""
    return binary(FC_DIV, np.divide, a, b, threads)


def pow(a, b, *, int threads=1):
    """Return a ** b within 2 + |b log a| / 16 units in the last place; operands as in `add`."""
    return binary(FC_POW, np.power, a, b, threads)


def pow_slope(a, b, *, int threads=1):
    """Return b a^(b - 1), the slope of a ** b along a, 0 where b is 0; operands as in `add`."""
    return binary(FC_POW_SLOPE, slope_of_power, a, b, threads)


def pow_log(z, a, *, int threads=1):
    """Return z log a, the slope of z = a ** b along b, 0 where z is 0; operands as in `add`."""
    return binary(FC_POW_LOG, log_of_power, z, a, threads)


def slope_of_power(a, b):
    return np.where(b == 0, np.asarray(a).dtype.type(0), b * np.power(a, b - 1))


def log_of_power(z, a):
    return np.where(z == 0, np.asarray(z).dtype.type(0), z * np.log(a))


def add_to(total, x, *, int threads=1):
    """total += x in place; arrays of one shape and dtype."""
    cdef cnp.ndarray z = total, a = x
    cdef Binary p
    if not fits(z, a) and (np.shape(z) != np.shape(a) or z.dtype != a.dtype):
        raise ShapeError(f"add_to: x must be like total, got {a.dtype} {np.shape(a)} and {z.dtype} {np.shape(z)}")
    if not cnp.PyArray_ISWRITEABLE(z):
        raise ArgumentError(f"add_to: total is read-only (shape {np.shape(z)})")
    if (cnp.PyArray_TYPE(z) in (cnp.NPY_FLOAT, cnp.NPY_DOUBLE) and plain(z) and plain(a) and in_steps(z) and in_steps(a)
            and fill_binary(&p, FC_ADD, z, z, a, None, threads)):
        if z.size:
            emit(binary_all, &p, sizeof(p), (z, a))
        return
    unrecorded("a sum in place of such arrays")
    z += a


def change(str op, total, x, *, int threads=1):
    """total op= x in place, op "add", "sub", "mul" or "div"; x is an array of the dtype that broadcasts to total, or a number."""
    cdef cnp.ndarray z = total, a = x if plain(x) else None
    cdef Binary p
    code, ufunc = IN_PLACE[op]
    if not cnp.PyArray_ISWRITEABLE(z):
        raise ArgumentError(f"{op}: the tensor is read-only (shape {np.shape(z)})")
    cdef bint fine = plain(z) and in_steps(z) and z.ndim <= 8 and cnp.PyArray_TYPE(z) in (cnp.NPY_FLOAT, cnp.NPY_DOUBLE)
    if a is None:
        fine = fine and np.ndim(x) == 0
    elif not (fits(z, a) and same_order(z, a) and cnp.PyArray_BYTES(a) == cnp.PyArray_BYTES(z)):  # not z itself
        fine = fine and cnp.PyArray_TYPE(a) == cnp.PyArray_TYPE(z) and in_steps(a)
        fine = fine and np.broadcast_shapes(np.shape(z), np.shape(a)) == np.shape(z) and not np.may_share_memory(z, a)
    if fine:
        if z.size:
            fill_binary(&p, code, z, z, a, x if a is None else None, threads)
            emit(binary_all, &p, sizeof(p), (z, a))
        return
    unrecorded(f"{op} in place of such operands")
    with np.errstate(all="ignore"):
        ufunc(z, x, out=z)


def full(shape, double value, dtype, *, int threads=1):
    """Return an array of `shape` and `dtype` (float32 or float64) in C order that holds `value` everywhere."""
    cdef cnp.ndarray z = empty_like_shape(tuple(shape), np.dtype(dtype).num)
    cdef Binary p
    if z.size:
        fill_binary(&p, FC_MUL, z, None, None, value, threads)
        emit(fill_all, &p, sizeof(p), (z,))
    return z


def full_like(x, double value, *, int threads=1):
    """Return an array like x (float32 or float64), in its order in memory, that holds `value` everywhere."""
    cdef cnp.ndarray a = x, z = empty_in_order_of(a, cnp.PyArray_TYPE(a))
    cdef Binary p
    if z.size:
        fill_binary(&p, FC_MUL, z, None, None, value, threads)
        emit(fill_all, &p, sizeof(p), (z,))
    return z


cdef int fill_all(const void *job) noexcept nogil:
    cdef const Binary *p = <const Binary *>job
    cdef Py_ssize_t i
    for i in range(p.walk.shape[0]):  # dense: one axis
        memcpy(p.z + i * p.u.item, &p.number, p.u.item)
    return 0


cdef struct Flat:
    # arrays of n values that lie in memory alike
    const fc_ukr *u
    char *out
    const char *x
    const uint8_t *kept
    const int64_t *count
    Py_ssize_t n
    double low, high     # probability or scale of dropout; momentum and factor of an average
    int threads


cdef cnp.ndarray alike(cnp.ndarray x, object array, str op, str name, int threads):
    """`array` (of the shape and dtype of x) with the memory order of x: itself or a copy."""
    cdef cnp.ndarray a = array, out
    cdef int i
    cdef bint same = a.dtype == x.dtype and plain(a)
    if np.shape(a) != np.shape(x):
        raise ShapeError(f"{op}: {name} must have shape {np.shape(x)}, got {name}.shape={np.shape(a)}")
    if a.dtype != x.dtype:
        raise DtypeError(f"{op}: {name} must be {x.dtype}, got {a.dtype}")
    for i in range(x.ndim):
        same = same and (cnp.PyArray_DIM(x, i) == 1 or cnp.PyArray_STRIDE(a, i) == cnp.PyArray_STRIDE(x, i))
    if same:
        return a
    out = empty_in_order_of(x, cnp.PyArray_TYPE(x))
    copy_into(out, a, threads)
    return out


cdef int mask_all(const void *job) noexcept nogil:
    cdef const Flat *p = <const Flat *>job
    p.u.survive(<uint8_t *>p.out, <const float *>p.x, p.n, <float>p.low)
    return 0


def dropout_mask(draw, double p, *, int threads=1):
    """Return draw >= p as bool; `draw` is float32 in C order."""
    cdef cnp.ndarray a = draw, kept = empty_like_shape(np.shape(draw), cnp.NPY_BOOL)
    cdef Flat job
    if a.dtype.num != cnp.NPY_FLOAT or not a.flags.c_contiguous:
        raise DtypeError(f"dropout: draw must be float32 in C order, got {a.dtype} {np.shape(a)}")
    job.u, job.out, job.x, job.n, job.low = table(4), cnp.PyArray_BYTES(kept), cnp.PyArray_BYTES(a), a.size, p
    emit(mask_all, &job, sizeof(job), (kept, a))
    return kept


cdef int drop_all(const void *job) noexcept nogil:
    cdef const Flat *p = <const Flat *>job
    cdef Py_ssize_t t
    cdef unsigned long long floats = 0
    with parallel(num_threads=p.threads):
        floats = fc_flush()
        for t in prange((p.n + RUN - 1) // RUN, schedule="static"):
            p.u.drop(p.out + t * RUN * p.u.item, p.x + t * RUN * p.u.item, p.kept + t * RUN, min(<Py_ssize_t>RUN, p.n - t * RUN),
                     p.low)
        fc_restore(floats)
    return 0


def dropout(x, kept, double scale, *, int threads=1):
    """Return x * kept * scale; `kept` is bool, of the shape of x."""
    cdef cnp.ndarray mask = kept, a = x, y
    cdef Flat p
    if mask.dtype.num != cnp.NPY_BOOL or np.shape(mask) != np.shape(a):
        raise ShapeError(f"dropout: kept must be bool and have shape {np.shape(a)}, got {mask.dtype} {np.shape(mask)}")
    if a.dtype.char not in "fd":
        raise DtypeError(f"dropout: x must be float32 or float64, got {a.dtype}")
    y = empty_in_order_of(mask, cnp.PyArray_TYPE(a))
    a = alike(y, a, "dropout", "x", threads)
    p.u, p.out, p.x, p.kept = table(a.itemsize), cnp.PyArray_BYTES(y), cnp.PyArray_BYTES(a), <uint8_t *>cnp.PyArray_BYTES(mask)
    p.n, p.low, p.threads = a.size, scale, crew(2.0 * a.size * a.itemsize, threads)
    emit(drop_all, &p, sizeof(p), (y, a, mask))
    return y


cdef int average_all(const void *job) noexcept nogil:
    cdef const Flat *p = <const Flat *>job
    cdef unsigned long long floats = fc_flush()
    cdef double momentum = p.low if p.count == NULL else 1.0 / max(<double>p.count[0], 1.0)
    p.u.blend(p.out, p.x, p.n, momentum, p.high)
    fc_restore(floats)
    return 0


def running_average(running, statistic, double momentum, double factor=1.0, count=None, *, int threads=1):
    """running += momentum * (statistic * factor - running) in place, rank 1.

    With `count` (int64, one element) momentum is 1 / count, as it stands when this runs.
    """
    cdef cnp.ndarray r = running, s = statistic, c = count
    cdef Flat p
    if r.dtype.char not in "fd" or r.dtype != s.dtype or r.ndim != 1 or np.shape(r) != np.shape(s):
        raise ShapeError(f"running_average: two arrays of one shape, got {r.dtype} {np.shape(r)} and {s.dtype} {np.shape(s)}")
    if not (plain(r) and plain(s) and r.flags.c_contiguous and s.flags.c_contiguous and r.flags.writeable):
        unrecorded("a running average that is not contiguous")
        r += r.dtype.type(momentum if c is None else 1 / max(c.item(), 1)) * (s * s.dtype.type(factor) - r)
        return
    p.u, p.out, p.x, p.n, p.count = table(r.itemsize), cnp.PyArray_BYTES(r), cnp.PyArray_BYTES(s), r.size, NULL
    if c is not None:
        p.count = <const int64_t *>cnp.PyArray_BYTES(c)
    p.low, p.high = momentum, factor
    emit(average_all, &p, sizeof(p), (r, s, c))


cdef int finite_all(const void *job) noexcept nogil:
    cdef const Flat *p = <const Flat *>job
    cdef Py_ssize_t i
    for i in range(p.n):
        if not isfinite((<const float *>p.x)[i] if p.u.item == 4 else (<const double *>p.x)[i]):
            return 1
    return 0


def require_finite(x, explain, *, int threads=1):
    """Call `explain()`, which raises, where a value of x is NaN or infinite; a replay stops there too. Few values."""
    cdef cnp.ndarray a = x
    cdef Flat p
    if a.dtype.char not in "fd":
        raise DtypeError(f"require_finite: x must be float32 or float64, got {a.dtype}")
    a = ordered(a, threads)
    p.u, p.x, p.n = table(a.itemsize), cnp.PyArray_BYTES(a), a.size
    emit(finite_all, &p, sizeof(p), (a,), explain)


cdef int count_all(const void *job) noexcept nogil:
    (<int64_t *>(<const Flat *>job).out)[0] += 1
    return 0


def count_up(counter, *, int threads=1):
    """counter += 1 in place; int64, one element."""
    cdef cnp.ndarray c = counter
    cdef Flat p
    if c.dtype.num != cnp.NPY_INT64 or c.size != 1 or not c.flags.writeable:
        raise ShapeError(f"count_up: counter must be one writeable int64, got {c.dtype} {np.shape(c)}")
    p.out = cnp.PyArray_BYTES(c)
    emit(count_all, &p, sizeof(p), (c,))
