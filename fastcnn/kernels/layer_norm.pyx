"""kernels.layer_norm: normalisation of rows, or of equal parts of rows: one read of memory per pass. [Ba2016]

Each run of values that share a mean is taken to the end while it is in cache. The gradients of weight and bias are summed over
tasks of rows that the shape fixes; the tasks are added in float64, in their order.
"""

import numpy as np

cimport numpy as cnp
from cython.parallel cimport parallel, prange, threadid
from libc.math cimport sqrt
from libc.string cimport memset

from fastcnn.errors import ArgumentError, DtypeError, ShapeError

from fastcnn.kernels.entry cimport emit, fc_flush, fc_restore
from fastcnn.kernels.gemm cimport ready
from fastcnn.kernels.layout cimport crew, exceeds_cache
from fastcnn.kernels.memory cimport Block, apart, block, empty_like_shape
from fastcnn.kernels.micro cimport fc_run_norm_job, fc_ukr, table
from fastcnn.kernels.strided cimport ordered

cnp.import_array()

cdef enum:
    TASK_BYTES = 32 * 1024   # of the rows of one task
    LEAST = 8                # rows of a task in backward: its sums are then a sixth of what it reads and writes, or less
    TASKS = 64               # of backward, at most
    TREE = 32                # rows that are added in the element type before they join a float64 sum


cdef struct LayerNorm:
    const fc_ukr *u
    char *out                # OUT  y; backward: dx             [rows][groups][n]
    char *mean               # OUT  IN of backward              [rows][groups]
    char *rstd               # OUT  IN of backward              [rows][groups]
    char *dweight            # OUT  backward                    [groups][n]
    char *dbias              # OUT  backward                    [groups][n]
    const char *x            # IN                               [rows][groups][n]
    const char *dy           # IN   backward
    const char *weight       # IN   [groups][n] or NULL
    const char *bias         # IN   [groups][n] or NULL
    double *each             # scratch of backward: sums for bias and weight of each task, then their totals
    char *scratch            # of a thread, `own` bytes: the same in the element type
    Py_ssize_t rows, groups, n, own
    Py_ssize_t step          # rows of a task
    double eps
    bint past_cache
    int threads


cdef inline double get(const LayerNorm *p, const char *at, Py_ssize_t i) noexcept nogil:
    return (<const float *>at)[i] if p.u.item == 4 else (<const double *>at)[i]


cdef inline void put(const LayerNorm *p, char *at, Py_ssize_t i, double value) noexcept nogil:
    if p.u.item == 4:
        (<float *>at)[i] = <float>value
    else:
        (<double *>at)[i] = value


cdef fc_run_norm_job rows_at(const LayerNorm *p, Py_ssize_t first, Py_ssize_t rows) noexcept nogil:
    cdef fc_run_norm_job job
    cdef Py_ssize_t at = first * p.groups * p.n * p.u.item
    memset(&job, 0, sizeof(job))
    job.out, job.x = p.out + at, p.x + at
    if p.dy != NULL:
        job.dy = p.dy + at
    job.mean, job.rstd = p.mean + first * p.groups * p.u.item, p.rstd + first * p.groups * p.u.item
    job.weight, job.bias = p.weight, p.bias
    job.rows, job.groups, job.n, job.eps, job.past_cache = rows, p.groups, p.n, p.eps, p.past_cache
    return job


cdef void forward_rows(const LayerNorm *p, Py_ssize_t task) noexcept nogil:
    cdef fc_run_norm_job job = rows_at(p, task * p.step, min(p.step, p.rows - task * p.step))
    p.u.run_norm(&job)


cdef int forward_all(const void *job) noexcept nogil:
    cdef const LayerNorm *p = <const LayerNorm *>job
    cdef Py_ssize_t i
    cdef unsigned long long floats = 0
    with parallel(num_threads=p.threads):
        floats = fc_flush()
        for i in prange((p.rows + p.step - 1) // p.step, schedule="static"):
            forward_rows(p, i)
        fc_restore(floats)
    return 0


cdef void backward_rows(const LayerNorm *p, Py_ssize_t task, int thread) noexcept nogil:
    cdef Py_ssize_t first = task * p.step, last = min(p.rows, first + p.step), width = p.groups * p.n, k
    cdef double *sums = p.each + task * 2 * width
    cdef char *scratch = p.scratch + thread * p.own
    cdef fc_run_norm_job job
    memset(sums, 0, 2 * width * sizeof(double))
    while first < last:
        memset(scratch, 0, 2 * width * p.u.item)
        job = rows_at(p, first, min(<Py_ssize_t>TREE, last - first))
        job.dbias, job.dweight = scratch, scratch + width * p.u.item
        p.u.run_norm_backward(&job)
        for k in range(2 * width):
            sums[k] += get(p, scratch, k)
        first += TREE


cdef int backward_all(const void *job) noexcept nogil:
    cdef const LayerNorm *p = <const LayerNorm *>job
    cdef Py_ssize_t i, tasks = (p.rows + p.step - 1) // p.step, width = p.groups * p.n
    cdef double *total = p.each + tasks * 2 * width
    cdef unsigned long long floats = 0
    with parallel(num_threads=p.threads):
        floats = fc_flush()
        for i in prange(tasks, schedule="static"):
            backward_rows(p, i, threadid())
        fc_restore(floats)
    floats = fc_flush()
    p.u.fold(total, p.each, tasks, 2 * width)
    for i in range(width):
        put(p, p.dbias, i, total[i])
        put(p, p.dweight, i, total[width + i])
    fc_restore(floats)
    return 0


cdef cnp.ndarray operand(object array, cnp.ndarray x, str name, tuple shape, int threads):
    """`array` in C order, of this shape and of x's dtype; None stays None."""
    cdef cnp.ndarray a
    if array is None:
        return None
    a = ordered(ready(array, "layer_norm", name), threads)
    if np.shape(a) != shape:
        raise ShapeError(f"layer_norm: {name} must have shape {shape}, got {np.shape(array)} (x.shape={np.shape(x)})")
    if a.dtype != x.dtype:
        raise DtypeError(f"layer_norm: {name} must have x's dtype {x.dtype}, got {a.dtype}")
    return a


cdef cnp.ndarray matrix(object array, int threads):
    if np.ndim(array) != 2:
        raise ShapeError(f"layer_norm: x must be (rows, values), got x.shape={np.shape(array)}")
    return ordered(ready(array, "layer_norm", "x"), threads)


cdef inline char *address(cnp.ndarray a) noexcept:
    return NULL if a is None else cnp.PyArray_BYTES(a)


cdef int describe(LayerNorm *p, cnp.ndarray x, Py_ssize_t groups, bint backward, int threads) except -1:
    """Sizes, and how the rows are cut: what is summed together depends on the shape alone."""
    cdef Py_ssize_t width = cnp.PyArray_DIM(x, 1)
    memset(p, 0, sizeof(p[0]))
    if groups < 1 or width % groups:
        raise ArgumentError(f"layer_norm: groups must divide the {width} values of a row, got {groups} (x.shape={np.shape(x)})")
    p.u, p.x, p.rows, p.groups, p.n = table(x.itemsize), cnp.PyArray_BYTES(x), cnp.PyArray_DIM(x, 0), groups, width // groups
    if x.size == 0:
        return 0
    p.threads = crew((3.0 if backward else 2.0) * x.size * x.itemsize, threads)
    p.step = max(<Py_ssize_t>1, TASK_BYTES // (width * p.u.item))
    if backward:
        p.step = max(p.step, max(<Py_ssize_t>LEAST, (p.rows + TASKS - 1) // TASKS))
    p.past_cache = exceeds_cache(<double>x.size * x.itemsize) and p.n % p.u.lanes == 0
    p.own = apart(2 * width * p.u.item)
    return 0


def layer_norm_forward(x, weight, bias, double eps, Py_ssize_t groups=1, *, int threads=1):
    """Return (y, mean, rstd): y = weight * (x - mean) * rstd + bias, rstd = 1 / sqrt(var + eps), over each row.

    x is (rows, values), float32 or float64; weight and bias are (values,) or None; mean and rstd are (rows, groups). Each of
    `groups` equal parts of a row has its own mean.
    """
    cdef cnp.ndarray a = matrix(x, threads), y, mean, rstd, w, b
    cdef LayerNorm p
    describe(&p, a, groups, False, threads)
    y = empty_like_shape(np.shape(a), a.dtype.num)
    mean, rstd = empty_like_shape((p.rows, groups), a.dtype.num), empty_like_shape((p.rows, groups), a.dtype.num)
    w = operand(weight, a, "weight", np.shape(a)[1:], threads)
    b = operand(bias, a, "bias", np.shape(a)[1:], threads)
    if a.size == 0:
        mean.fill(0)
        rstd.fill(1 / sqrt(eps))
        return y, mean, rstd
    p.out, p.mean, p.rstd, p.eps = address(y), address(mean), address(rstd), eps
    p.weight, p.bias = address(w), address(b)
    emit(forward_all, &p, sizeof(p), (y, mean, rstd, a, w, b))
    return y, mean, rstd


def layer_norm_backward(dy, x, weight, mean, rstd, Py_ssize_t groups=1, *, int threads=1):
    """Return (dx, dweight, dbias); `mean` and `rstd` are those of the forward pass.

    dx = rstd * (g - mean(g) - xhat * mean(g * xhat)), g = weight * dy, xhat = (x - mean) * rstd, means over each row.
    """
    cdef cnp.ndarray a = matrix(x, threads), g, dx, m, r, w, dw, db
    cdef LayerNorm p
    cdef Block each, scratch
    cdef Py_ssize_t tasks, width = cnp.PyArray_DIM(a, 1)
    describe(&p, a, groups, True, threads)
    g = operand(dy, a, "dy", np.shape(a), threads)
    m = operand(mean, a, "mean", (p.rows, groups), threads)
    r = operand(rstd, a, "rstd", (p.rows, groups), threads)
    w = operand(weight, a, "weight", (width,), threads)
    dx = empty_like_shape(np.shape(a), a.dtype.num)
    dw, db = empty_like_shape((width,), a.dtype.num), empty_like_shape((width,), a.dtype.num)
    if a.size == 0:
        dw.fill(0)
        db.fill(0)
        return dx, dw, db
    tasks = (p.rows + p.step - 1) // p.step
    each = block((tasks + 1) * 2 * width * sizeof(double))
    scratch = block(p.threads * p.own)
    p.out, p.dweight, p.dbias, p.dy = address(dx), address(dw), address(db), address(g)
    p.mean, p.rstd, p.weight = address(m), address(r), address(w)
    p.each, p.scratch = <double *>each.data, scratch.data
    emit(backward_all, &p, sizeof(p), (dx, dw, db, g, a, w, m, r))
    return dx, dw, db
