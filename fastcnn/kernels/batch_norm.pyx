"""kernels.batch_norm: batch normalisation, with the ReLU (and the residual sum) that follows it. [Ioffe2015]

Forward: mean and centred sum of squares of each chunk of rows while it is in cache, merged in float64 [Chan1983], then one
pass that normalises: x is read twice from memory. Backward: one pass for the two sums, one for dx. The ReLU costs no pass of
its own: backward recomputes its sign from x.
"""

import numpy as np

cimport numpy as cnp
from cython.parallel cimport prange, threadid
from libc.math cimport INFINITY, sqrt

from fastcnn.errors import DtypeError, ShapeError

from fastcnn.kernels.columns cimport Columns, Tile, counts, plan, repeat, scratch_width, tile
from fastcnn.kernels.layout cimport crew, exceeds_cache, rows_of
from fastcnn.kernels.memory cimport Block, block, empty_like_shape, empty_nchw
from fastcnn.kernels.micro cimport fc_norm_job, fc_ukr, table

cnp.import_array()

cdef enum:
    RUN_BYTES = 128 * 1024  # elements of one task of an elementwise pass


cdef cnp.ndarray result(cnp.ndarray x):
    if x.ndim == 4:
        return empty_nchw(cnp.PyArray_DIM(x, 0), cnp.PyArray_DIM(x, 1), cnp.PyArray_DIM(x, 2), cnp.PyArray_DIM(x, 3), x.dtype.num)
    return empty_like_shape((cnp.PyArray_DIM(x, 0), cnp.PyArray_DIM(x, 1)), x.dtype.num)


cdef cnp.ndarray per_channel(object values, Py_ssize_t channels, str name, double default):
    """(channels,) as float64; `default` everywhere for None."""
    cdef cnp.ndarray out
    if values is None:
        return np.full(channels, default)
    out = np.array(values, dtype=np.float64, order="C")  # a copy: an array of any strides may not be aligned
    if out.ndim != 1 or cnp.PyArray_DIM(out, 0) != channels:
        raise ShapeError(f"batch_norm: {name} must be ({channels},), got {np.shape(values)}")
    return out


cdef cnp.ndarray same(object array, cnp.ndarray x, str name, int threads):
    """`array` as a dense operand of the shape and dtype of x."""
    cdef cnp.ndarray out = rows_of(array, "batch_norm", name, threads)
    if np.shape(out) != np.shape(x) or out.dtype != x.dtype:
        raise (ShapeError if np.shape(out) != np.shape(x) else DtypeError)(
            f"batch_norm: {name} must be like x, got {name} {out.dtype} {np.shape(out)} and x {x.dtype} {np.shape(x)}")
    return out


cdef double *data(cnp.ndarray a) noexcept:
    return <double *>cnp.PyArray_BYTES(a)


cdef void take_moments(const fc_ukr *u, const Columns *c, const char *x, double *mean, double *m2, double *parts, char *scratch,
                       int threads) noexcept nogil:
    """Mean and centred sum of squares of each channel; parts holds blocks * (2 * channels + 1) values."""
    cdef Py_ssize_t task, width = scratch_width(c), values = c.blocks * c.channels
    cdef Tile t
    for task in prange(c.tasks, num_threads=threads, schedule="static"):
        t = tile(c, task)
        u.moments(parts + t.part, parts + values + t.part, scratch + threadid() * 3 * width * u.item, x + t.at * u.item, t.rows,
                  t.width, t.stride)
    counts(parts + 2 * values, c)
    u.merge_moments(mean, m2, parts, parts + values, parts + 2 * values, c.blocks, c.channels)


cdef void run_all(const fc_ukr *u, const fc_norm_job *job, Py_ssize_t total, bint backward, int threads) noexcept nogil:
    """An elementwise pass over `total` elements, last rows first: what the pass before read last is still in cache."""
    cdef Py_ssize_t step = max(<Py_ssize_t>1, RUN_BYTES // (job.width * u.item)) * job.width
    cdef Py_ssize_t tasks = (total + step - 1) // step, task, at
    for task in prange(tasks, num_threads=threads, schedule="static"):
        at = (tasks - 1 - task) * step
        run_one(u, job, at, min(step, total - at), backward)


cdef void run_one(const fc_ukr *u, const fc_norm_job *all_, Py_ssize_t at, Py_ssize_t n, bint backward) noexcept nogil:
    cdef fc_norm_job job = all_[0]
    job.n = n
    job.out = <char *>job.out + at * u.item
    job.x = <const char *>job.x + at * u.item
    if job.dy != NULL:
        job.dy = <const char *>job.dy + at * u.item
    if job.residual != NULL:
        job.residual = <const char *>job.residual + at * u.item
    if backward:
        u.norm_backward(&job)
    else:
        u.norm_forward(&job)


cdef Block coefficients(const fc_ukr *u, const Columns *c, fc_norm_job *job, const double *mean, const double *scale,
                        const double *shift, const double *slope, const double *offset):
    """Repeat the coefficients to wide rows and point the job at them; slope and offset may be NULL."""
    cdef Py_ssize_t size = c.width * u.item
    cdef Block b = block(5 * size)
    job.width = c.width
    job.past_cache = exceeds_cache(<double>c.rows * c.channels * u.item) and c.width % u.lanes == 0
    job.mean, job.scale, job.shift, job.slope, job.offset = b.data, b.data + size, b.data + 2 * size, NULL, NULL
    repeat(b.data, mean, c, u.item)
    repeat(b.data + size, scale, c, u.item)
    repeat(b.data + 2 * size, shift, c, u.item)
    if slope != NULL:
        job.slope, job.offset = b.data + 3 * size, b.data + 4 * size
        repeat(b.data + 3 * size, slope, c, u.item)
        repeat(b.data + 4 * size, offset, c, u.item)
    return b


cdef object normalise(const fc_ukr *u, cnp.ndarray x, const Columns *c, cnp.ndarray mean, cnp.ndarray scale, cnp.ndarray shift,
                      bint relu, double ceiling, object residual, int threads):
    """(x - mean) * scale + shift (+ residual) (ReLU)."""
    cdef cnp.ndarray y = result(x), r
    cdef fc_norm_job job
    cdef Block _held = coefficients(u, c, &job, data(mean), data(scale), data(shift), NULL, NULL)
    cdef Py_ssize_t total = x.size
    job.out, job.x, job.dy, job.y, job.residual = cnp.PyArray_BYTES(y), cnp.PyArray_BYTES(x), NULL, NULL, NULL
    job.relu, job.ceiling = relu, ceiling
    if residual is not None:
        r = same(residual, x, "residual", threads)
        job.residual = cnp.PyArray_BYTES(r)
    with nogil:
        run_all(u, &job, total, False, threads)
    return y


def batch_norm_forward(x, weight, bias, double eps, *, bint relu=False, double ceiling=INFINITY, residual=None, int threads=1):
    """Return (y, mean, var): y = weight * (x - mean) / sqrt(var + eps) + bias, with mean and biased variance of each channel.

    x is (batch, channels) or (batch, channels, height, width), float32 or float64; weight and bias are (channels,) or None.
    With `residual` (like x) it is added to y; with `relu` y is min(max(y, 0), ceiling) after that.
    """
    cdef cnp.ndarray a = rows_of(x, "batch_norm", "x", threads)
    cdef Py_ssize_t channels = cnp.PyArray_DIM(a, 1), k
    cdef cnp.ndarray scale, shift = per_channel(bias, channels, "bias", 0.0), gain = per_channel(weight, channels, "weight", 1.0)
    cdef cnp.ndarray mean = np.zeros(channels), var = np.zeros(channels)
    cdef cnp.ndarray mean_out, var_out
    cdef const fc_ukr *u = table(a.itemsize)
    cdef const char *src = cnp.PyArray_BYTES(a)
    cdef double *m = data(mean)
    cdef double *v = data(var)
    cdef double *s
    cdef Columns c
    cdef Block parts, scratch
    if a.size == 0:
        return result(a), mean.astype(a.dtype), var.astype(a.dtype)
    c = plan(u, a.size // channels, channels)
    threads = crew(2.0 * a.size * u.item, threads)
    parts = block(c.blocks * (2 * channels + 1) * sizeof(double))
    scratch = block(threads * 3 * scratch_width(&c) * u.item)
    with nogil:
        take_moments(u, &c, src, m, v, <double *>parts.data, scratch.data, threads)
        for k in range(channels):
            v[k] /= <double>c.rows
    # y is computed from the statistics as they are returned, so that backward sees the same numbers
    mean_out, var_out = mean.astype(a.dtype), var.astype(a.dtype)
    mean, var = mean_out.astype(np.float64), var_out.astype(np.float64)
    scale = np.empty(channels)
    v, s = data(var), data(scale)
    for k in range(channels):
        s[k] = data(gain)[k] / sqrt(v[k] + eps)
    return normalise(u, a, &c, mean, scale, shift, relu, ceiling, residual, threads), mean_out, var_out


def batch_norm_inference(x, weight, bias, mean, var, double eps, *, bint relu=False, double ceiling=INFINITY, residual=None,
                         int threads=1):
    """Return y = weight * (x - mean) / sqrt(var + eps) + bias with given statistics; arguments as in batch_norm_forward."""
    cdef cnp.ndarray a = rows_of(x, "batch_norm", "x", threads)
    cdef Py_ssize_t channels = cnp.PyArray_DIM(a, 1), k
    cdef cnp.ndarray scale = np.empty(channels), gain = per_channel(weight, channels, "weight", 1.0)
    cdef cnp.ndarray variance = per_channel(var, channels, "var", 1.0)
    cdef const fc_ukr *u = table(a.itemsize)
    cdef Columns c
    if a.size == 0:
        return result(a)
    for k in range(channels):
        data(scale)[k] = data(gain)[k] / sqrt(data(variance)[k] + eps)
    c = plan(u, a.size // channels, channels)
    return normalise(u, a, &c, per_channel(mean, channels, "mean", 0.0), scale, per_channel(bias, channels, "bias", 0.0), relu,
                     ceiling, residual, crew(2.0 * a.size * u.item, threads))


cdef void take_sums(const fc_ukr *u, const Columns *c, const fc_norm_job *all_, double *sums, double *products, double *parts,
                    int threads) noexcept nogil:
    """Sum of the gradient and of its product with x - mean for each channel; parts holds 2 * blocks * channels values."""
    cdef Py_ssize_t task, values = c.blocks * c.channels
    for task in prange(c.tasks, num_threads=threads, schedule="static"):
        sum_tile(u, c, all_, task, parts, parts + values, threadid())
    u.fold(sums, parts, c.blocks, c.channels)
    u.fold(products, parts + values, c.blocks, c.channels)


cdef void sum_tile(const fc_ukr *u, const Columns *c, const fc_norm_job *all_, Py_ssize_t task, double *sums, double *products,
                   int thread) noexcept nogil:
    cdef Tile t = tile(c, task)
    cdef fc_norm_job job = all_[0]
    job.scratch = <char *>job.scratch + thread * 2 * scratch_width(c) * u.item
    job.rows, job.width, job.stride = t.rows, t.width, t.stride
    job.x = <const char *>job.x + t.at * u.item
    job.dy = <const char *>job.dy + t.at * u.item
    if job.y != NULL:
        job.y = <const char *>job.y + t.at * u.item
        job.out = <char *>job.out + t.at * u.item
    job.mean = <const char *>job.mean + t.column * u.item
    job.scale = <const char *>job.scale + t.column * u.item
    job.shift = <const char *>job.shift + t.column * u.item
    u.norm_sums(&job, sums + t.part, products + t.part)


def batch_norm_backward(dy, x, weight, mean, var, double eps, *, bias=None, bint relu=False, double ceiling=INFINITY, y=None,
                        int threads=1):
    """Return (dx, dweight, dbias) of batch_norm_forward, through the statistics too.

    dx = weight / sqrt(var + eps) * (g - mean(g) - xhat * mean(g * xhat)), g the gradient behind the ReLU: dy itself; with
    `relu` dy where 0 < output < ceiling, recomputed from x (give the `bias` of forward). After a residual sum and a ReLU
    give the output `y` instead; the result is then (dx, dweight, dbias, dresidual).
    """
    cdef cnp.ndarray a = rows_of(x, "batch_norm", "x", threads), g = same(dy, a, "dy", threads), saved, dresidual = None
    cdef cnp.ndarray dx = result(a)
    cdef Py_ssize_t channels = cnp.PyArray_DIM(a, 1), k
    cdef cnp.ndarray gain = per_channel(weight, channels, "weight", 1.0), shift = per_channel(bias, channels, "bias", 0.0)
    cdef cnp.ndarray centre = per_channel(mean, channels, "mean", 0.0), variance = per_channel(var, channels, "var", 1.0)
    cdef cnp.ndarray table_ = np.zeros((6, channels))
    cdef double *rstd = data(table_)
    cdef double *scale = rstd + channels
    cdef double *sums = rstd + 2 * channels
    cdef double *products = rstd + 3 * channels
    cdef double *slope = rstd + 4 * channels
    cdef double *offset = rstd + 5 * channels
    cdef const fc_ukr *u = table(a.itemsize)
    cdef fc_norm_job job
    cdef Columns c
    cdef Block held, parts, scratch
    cdef Py_ssize_t total = a.size
    if y is not None:
        saved = same(y, a, "y", threads)
        dresidual = result(a)
    if total:
        c = plan(u, total // channels, channels)
        threads = crew(3.0 * total * u.item, threads)
        for k in range(channels):
            rstd[k] = 1 / sqrt(data(variance)[k] + eps)
            scale[k] = data(gain)[k] * rstd[k]
        held = coefficients(u, &c, &job, data(centre), scale, data(shift), NULL, NULL)
        parts = block(2 * c.blocks * channels * sizeof(double))
        scratch = block(threads * 2 * scratch_width(&c) * u.item)
        job.x, job.dy, job.residual, job.relu, job.scratch = cnp.PyArray_BYTES(a), cnp.PyArray_BYTES(g), NULL, relu, scratch.data
        job.y, job.out, job.ceiling = NULL, NULL, ceiling
        if y is not None:
            job.y, job.out = cnp.PyArray_BYTES(saved), cnp.PyArray_BYTES(dresidual)
        with nogil:
            take_sums(u, &c, &job, sums, products, <double *>parts.data, threads)
            for k in range(channels):
                products[k] *= rstd[k]  # = dweight
                slope[k] = -scale[k] * rstd[k] * products[k] / c.rows
                offset[k] = -scale[k] * sums[k] / c.rows
        held = coefficients(u, &c, &job, data(centre), scale, data(shift), slope, offset)
        if y is not None:
            job.dy, job.y, job.relu = job.out, NULL, False
        job.out = cnp.PyArray_BYTES(dx)
        with nogil:
            run_all(u, &job, total, True, threads)
    dw, db = table_[3].astype(a.dtype), table_[2].astype(a.dtype)
    return (dx, dw, db) if y is None else (dx, dw, db, dresidual)
