"""kernels.clip: the norm of a list of arrays together, and limits to it or to each value, in place. Papers: [Pascanu2013].

The arrays are cut into tasks of RUN values that depend on nothing but their sizes; the sums of the tasks are added in their
order. So every number of threads gives the same bits. A replay measures the norm anew.
"""

import numpy as np

cimport numpy as cnp
from cython.parallel cimport parallel, prange
from libc.math cimport INFINITY, fabs, isnan, pow

from fastcnn.errors import ArgumentError, DtypeError

from fastcnn.kernels.entry cimport emit, fc_flush, fc_restore, unrecorded
from fastcnn.kernels.layout cimport crew
from fastcnn.kernels.memory cimport Block, block, empty_like_shape
from fastcnn.kernels.micro cimport FC_CLAMP, fc_activation_job, fc_ukr, table
from fastcnn.kernels.strided cimport is_dense

cnp.import_array()

cdef enum:
    RUN = 16384  # values of one task: 64 KiB of float32

cdef double EPS = 1e-6  # PyTorch's: the factor is limit / (norm + EPS)


cdef struct Task:
    const fc_ukr *u
    char *x
    Py_ssize_t n


cdef struct Clip:
    const Task *tasks
    double *sums      # one of each task
    double *norm      # OUT, one value; NULL: each value is limited
    Py_ssize_t n      # tasks
    double power      # of the norm; INFINITY: the largest magnitude
    double limit      # INFINITY: measure only
    int threads


cdef double power_sum(const Task *task, double power) noexcept nogil:
    """Sum of |x|^power, or the largest |x|; NaN when there is one."""
    cdef Py_ssize_t i
    cdef double value, total = 0
    if power == 2:
        return task.u.square_sum(task.x, task.n)
    for i in range(task.n):
        value = fabs(<double>(<const float *>task.x)[i] if task.u.item == 4 else (<const double *>task.x)[i])
        if power == INFINITY:
            if not value <= total and not isnan(total):
                total = value
        else:
            total += value if power == 1 else pow(value, power)
    return total


cdef double folded(const Clip *p) noexcept nogil:
    """The norm from the sums of the tasks."""
    cdef Py_ssize_t t
    cdef double total = 0
    for t in range(p.n):
        if p.power != INFINITY:
            total += p.sums[t]
        elif not p.sums[t] <= total and not isnan(total):
            total = p.sums[t]
    return total if p.power == INFINITY else pow(total, 1 / p.power)


cdef int norm_all(const void *job) noexcept nogil:
    cdef const Clip *p = <const Clip *>job
    cdef double factor
    cdef Py_ssize_t t
    cdef unsigned long long floats = 0
    with parallel(num_threads=p.threads):
        floats = fc_flush()
        for t in prange(p.n, schedule="static"):
            p.sums[t] = power_sum(&p.tasks[t], p.power)
        fc_restore(floats)
    p.norm[0] = folded(p)
    factor = p.limit / (p.norm[0] + EPS)
    if p.limit == INFINITY or factor >= 1:
        return 0
    with parallel(num_threads=p.threads):
        floats = fc_flush()
        for t in prange(p.n, schedule="static"):
            p.tasks[t].u.scale(p.tasks[t].x, p.tasks[t].n, factor)
        fc_restore(floats)
    return 0


cdef int value_all(const void *job) noexcept nogil:
    cdef const Clip *p = <const Clip *>job
    cdef Py_ssize_t t
    for t in prange(p.n, num_threads=p.threads, schedule="static"):  # comparisons: denormals pass as they are
        clamp_task(&p.tasks[t], p.limit)
    return 0


cdef void clamp_task(const Task *task, double limit) noexcept nogil:
    cdef fc_activation_job job
    job.out, job.dy, job.x, job.n = task.x, NULL, task.x, task.n
    job.p, job.q, job.kind, job.past_cache = -limit, limit, FC_CLAMP, False
    task.u.activation(&job)


cdef bint in_one_run(cnp.ndarray x) noexcept:
    return x.size == 0 or (is_dense(x) and x.flags.aligned and x.dtype.isnative)


cdef object through(cnp.ndarray norm, list arrays, double power, double limit, int threads):
    """Fill the job and run it: on copies of arrays with holes."""
    cdef Clip p
    cdef Block tasks, sums
    cdef Task *task
    cdef cnp.ndarray x
    cdef Py_ssize_t at, item, values = 0
    cdef list worked = [], holes = []
    p.n = 0
    for x in arrays:
        if x.dtype.char not in "fd":
            raise DtypeError(f"clip: arrays must be float32 or float64, got {x.dtype}")
        if not x.flags.writeable and limit != INFINITY:
            raise ArgumentError(f"clip: an array is read-only (shape {np.shape(x)})")
        if not in_one_run(x):
            holes.append((x, np.array(x, dtype=x.dtype.newbyteorder("="), order="C")))
            worked.append(holes[len(holes) - 1][1])
            unrecorded("a limit to gradients with holes in their memory")
        else:
            worked.append(x)
        p.n += (x.size + RUN - 1) // RUN
        values += x.size
    tasks, sums = block(max(p.n, 1) * sizeof(Task)), block(max(p.n, 1) * sizeof(double))
    task = <Task *>tasks.data
    for x in worked:
        item = x.itemsize
        for at in range(0, x.size, RUN):
            task.u = table(item)
            task.x, task.n = <char *>cnp.PyArray_DATA(x) + at * item, min(<Py_ssize_t>RUN, x.size - at)
            task += 1
    p.tasks, p.sums, p.power, p.limit = <Task *>tasks.data, <double *>sums.data, power, limit
    p.norm = NULL if norm is None else <double *>cnp.PyArray_DATA(norm)
    p.threads = crew(4.0 * values, threads)
    emit(value_all if norm is None else norm_all, &p, sizeof(p), (tasks, sums, norm, *worked))
    if limit != INFINITY:
        for x, y in holes:
            x[...] = y
    return norm


def total_norm(list arrays, double power=2.0, double limit=INFINITY, *, int threads=1):
    """Return (sum of |x|^power over all arrays)^(1 / power), float64 and rank 0; power inf: the largest |x|.

    Above `limit` all arrays are scaled by limit / (norm + 1e-6), in place. float32 and float64; sums are in float64.
    """
    if not power > 0 or not limit >= 0:
        raise ArgumentError(f"total_norm: power must be above 0 and limit at least 0, got {power!r} and {limit!r}")
    return through(empty_like_shape((), cnp.NPY_DOUBLE), arrays, power, limit, threads)


def clip_values(list arrays, double limit, *, int threads=1):
    """Bring each value into -limit .. limit, in place; NaN stays."""
    if not limit >= 0:
        raise ArgumentError(f"clip_values: limit must be at least 0, got {limit!r}")
    through(None, arrays, 2.0, limit, threads)
