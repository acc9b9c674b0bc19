"""kernels.batch_norm: batch normalisation, with the ReLU (and the residual sum) that follows it. [Ioffe2015]

Forward: mean and centred sum of squares of each chunk of rows while it is in cache, merged in float64 [Chan1983], then one
pass that normalises: x is read twice from memory, or once when who made x gives its moments. Backward: one pass for the two
sums, one for dx. The ReLU costs no pass of its own: backward recomputes its sign from x.
"""

import numpy as np

cimport numpy as cnp
from cython.parallel cimport parallel, prange, threadid
from libc.math cimport INFINITY, sqrt

from fastcnn.errors import DtypeError, ShapeError

from fastcnn.kernels.columns cimport Columns, Tile, counts, plan, repeat, scratch_width, tile
from fastcnn.kernels.entry cimport emit, fc_flush, fc_restore, unrecorded
from fastcnn.kernels.layout cimport crew, exceeds_cache, rows_of
from fastcnn.kernels.memory cimport Block, block, empty_like_shape, empty_nchw
from fastcnn.kernels.micro cimport fc_norm_job, fc_ukr, table

cnp.import_array()

cdef enum:
    RUN_BYTES = 128 * 1024  # elements of one task of an elementwise pass

cdef cnp.ndarray result(cnp.ndarray x):
    if x.ndim == 4:
        return empty_nchw(cnp.PyArray_DIM(x, 0), cnp.PyArray_DIM(x, 1), cnp.PyArray_DIM(x, 2), cnp.PyArray_DIM(x, 3),
                          cnp.PyArray_TYPE(x))
    return empty_like_shape((cnp.PyArray_DIM(x, 0), cnp.PyArray_DIM(x, 1)), cnp.PyArray_TYPE(x))


cdef cnp.ndarray per_channel(Vector *v, object values, Py_ssize_t channels, str name, double fill):
    """Point v at `values`, (channels,) or None; return the array that it points to."""
    cdef cnp.ndarray a
    v.data, v.step, v.fill, v.wide = NULL, 0, fill, False
    if values is None:
        return None
    if not (isinstance(values, np.ndarray) and cnp.PyArray_ISBEHAVED_RO(values)
            and cnp.PyArray_TYPE(values) in (cnp.NPY_FLOAT, cnp.NPY_DOUBLE)):
        unrecorded(f"batch_norm with such a {name}")
        values = np.array(values, dtype=np.float64, order="C")
    a = values
    if a.ndim != 1 or cnp.PyArray_DIM(a, 0) != channels:
        raise ShapeError(f"batch_norm: {name} must be ({channels},), got {np.shape(values)}")
    v.data, v.step, v.wide = cnp.PyArray_BYTES(a), cnp.PyArray_STRIDE(a, 0), cnp.PyArray_ITEMSIZE(a) == 8
    return a


cdef double value(const Vector *v, Py_ssize_t k) noexcept nogil:
    if v.data == NULL:
        return v.fill
    if v.wide:
        return (<const double *>(v.data + k * v.step))[0]
    return (<const float *>(v.data + k * v.step))[0]


cdef double put(char *out, Py_ssize_t item, Py_ssize_t k, double number) noexcept nogil:
    """out[k] = number; return it as it is stored."""
    if item == 8:
        (<double *>out)[k] = number
        return number
    (<float *>out)[k] = <float>number
    return (<float *>out)[k]


cdef cnp.ndarray same(object array, cnp.ndarray x, str name, int threads):
    """`array` as a dense operand of the shape and dtype of x."""
    cdef cnp.ndarray out = rows_of(array, "batch_norm", name, threads)
    if np.shape(out) != np.shape(x) or out.dtype != x.dtype:
        raise (ShapeError if np.shape(out) != np.shape(x) else DtypeError)(
            f"batch_norm: {name} must be like x, got {name} {out.dtype} {np.shape(out)} and x {x.dtype} {np.shape(x)}")
    return out


cdef Block plan_norm(Norm *p, cnp.ndarray x, double eps, Py_ssize_t rows, bint relu, double ceiling, int threads):
    """Describe the matrix x, `rows` of which are scratch of each thread; return the memory of all scratch."""
    cdef Py_ssize_t channels = cnp.PyArray_DIM(x, 1), each
    cdef const fc_ukr *u = table(cnp.PyArray_ITEMSIZE(x))
    cdef Columns *c = &p.columns
    cdef Block memory
    c[0] = plan(u, x.size // channels, channels)
    p.u, p.eps, p.threads, p.moments, p.count = u, eps, threads, NULL, c.rows
    p.wide_size = (c.width * u.item + 63) // 64 * 64
    each = rows * scratch_width(c) * u.item
    memory = block(OTHER * p.wide_size + threads * each + (TABLES * channels + c.blocks * (2 * channels + 1)) * sizeof(double))
    p.wide = memory.data
    p.rows.scratch = p.wide + OTHER * p.wide_size
    p.tables = <double *>(<char *>p.rows.scratch + threads * each)
    p.parts = p.tables + TABLES * channels
    p.rows.mean, p.rows.scale, p.rows.shift = p.wide, p.wide + SCALE * p.wide_size, p.wide + SHIFT * p.wide_size
    p.rows.slope, p.rows.offset = p.wide + SLOPE * p.wide_size, p.wide + OFFSET * p.wide_size
    p.rows.width, p.rows.relu, p.rows.ceiling = c.width, relu, ceiling
    p.rows.past_cache = exceeds_cache(<double>c.rows * channels * u.item) and c.width % u.lanes == 0
    p.rows.x, p.rows.out, p.rows.dy, p.rows.also, p.rows.y, p.rows.residual = cnp.PyArray_BYTES(x), NULL, NULL, NULL, NULL, NULL
    return memory


cdef void widen(const Norm *p, int count) noexcept nogil:
    """Repeat the first `count` tables to wide rows."""
    cdef int i
    for i in range(count):
        repeat(p.wide + i * p.wide_size, p.tables + i * p.columns.channels, &p.columns, p.u.item)


cdef void take_moments(const Norm *p, double *mean, double *m2) noexcept nogil:
    """Mean and centred sum of squares of each channel."""
    cdef const Columns *c = &p.columns
    cdef Py_ssize_t task, width = scratch_width(c), values = c.blocks * c.channels
    cdef const char *x = <const char *>p.rows.x
    cdef char *scratch = <char *>p.rows.scratch
    cdef Tile t
    cdef unsigned long long floats = 0
    with parallel(num_threads=p.threads):
        floats = fc_flush()
        for task in prange(c.tasks, schedule="static"):
            t = tile(c, task)
            p.u.moments(p.parts + t.part, p.parts + values + t.part, scratch + threadid() * 3 * width * p.u.item,
                        x + t.at * p.u.item, t.rows, t.width, t.stride)
        fc_restore(floats)
    floats = fc_flush()
    counts(p.parts + 2 * values, c)
    p.u.merge_moments(mean, m2, p.parts, p.parts + values, p.parts + 2 * values, c.blocks, c.channels)
    fc_restore(floats)


cdef void run_all(const Norm *p, const fc_norm_job *rows, bint backward) noexcept nogil:
    """An elementwise pass over all of x: a thread takes the rows of its earlier pass, or of its share of the convolution that
    made x, and begins with the last, which its own cache still has."""
    cdef Py_ssize_t step = max(<Py_ssize_t>1, RUN_BYTES // (rows.width * p.u.item)) * rows.width
    cdef Py_ssize_t total = p.columns.rows * p.columns.channels, tasks = (total + step - 1) // step, share, first, last
    for share in prange(p.threads, num_threads=p.threads, schedule="static"):
        first, last = share * tasks // p.threads, (share + 1) * tasks // p.threads
        run_share(p.u, rows, first * step, min(last * step, total), step, backward)


cdef void run_share(const fc_ukr *u, const fc_norm_job *rows, Py_ssize_t first, Py_ssize_t last, Py_ssize_t step,
                    bint backward) noexcept nogil:
    cdef unsigned long long floats = fc_flush()
    cdef Py_ssize_t task
    for task in range((last - first + step - 1) // step - 1, -1, -1):
        run_one(u, rows, first + task * step, min(step, last - first - task * step), backward)
    fc_restore(floats)


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


cdef void batch_statistics(const Norm *p) noexcept nogil:
    """Mean and variance of each channel, and the coefficients that follow from them."""
    cdef Py_ssize_t channels = p.columns.channels, k
    cdef double *t = p.tables
    cdef const double *mean = p.moments
    cdef double var
    cdef unsigned long long floats
    if mean == NULL:
        take_moments(p, t + MEAN * channels, t + SCALE * channels)
        mean = t
    floats = fc_flush()
    for k in range(channels):
        # y is computed from the statistics as they are returned, so that backward sees the same numbers
        var = put(p.second, p.u.item, k, mean[channels + k] / <double>p.columns.rows)
        t[MEAN * channels + k] = put(p.first, p.u.item, k, mean[k])
        t[SCALE * channels + k] = value(&p.weight, k) / sqrt(var + p.eps)
        t[SHIFT * channels + k] = value(&p.bias, k)
    widen(p, SLOPE)
    fc_restore(floats)


cdef int forward_all(const void *job) noexcept nogil:
    cdef const Norm *p = <const Norm *>job
    batch_statistics(p)
    run_all(p, &p.rows, False)
    return 0


cdef cnp.ndarray take_given(Norm *p, object moments, Py_ssize_t channels):
    """Have p use `moments` if there are any, and return them."""
    cdef cnp.ndarray given
    if moments is None:
        return None
    given = moments
    if cnp.PyArray_TYPE(given) != cnp.NPY_DOUBLE or np.shape(given) != (2, channels) or not cnp.PyArray_ISCARRAY_RO(given):
        raise ShapeError(f"batch_norm: moments must be float64 (2, {channels}) in C order, got {given.dtype} {np.shape(given)}")
    p.moments = <const double *>cnp.PyArray_BYTES(given)
    return given


def batch_norm_forward(x, weight, bias, double eps, *, bint relu=False, double ceiling=INFINITY, residual=None, moments=None,
                       int threads=1):
    """Return (y, mean, var): y = weight * (x - mean) / sqrt(var + eps) + bias, with mean and biased variance of each channel.

    x is (batch, channels) or (batch, channels, height, width), float32 or float64; weight and bias are (channels,) or None.
    With `residual` (like x) it is added to y; with `relu` y is min(max(y, 0), ceiling) after that. `moments`: mean and centred
    sum of squares of each channel, float64 (2, channels) in C order, from the kernel that made x; else x is read once more.
    """
    cdef cnp.ndarray a = rows_of(x, "batch_norm", "x", threads), y = result(a), r = None, given = None, mean, var, gain, shift
    cdef Py_ssize_t channels = cnp.PyArray_DIM(a, 1)
    cdef Norm p
    cdef Block _scratch
    gain, shift = per_channel(&p.weight, weight, channels, "weight", 1.0), per_channel(&p.bias, bias, channels, "bias", 0.0)
    if residual is not None:
        r = same(residual, a, "residual", threads)
    if a.size == 0:
        return y, np.zeros(channels, a.dtype), np.zeros(channels, a.dtype)
    mean, var = empty_like_shape((channels,), cnp.PyArray_TYPE(a)), empty_like_shape((channels,), cnp.PyArray_TYPE(a))
    _scratch = plan_norm(&p, a, eps, 3, relu, ceiling, crew(2.0 * a.size * cnp.PyArray_ITEMSIZE(a), threads))
    given = take_given(&p, moments, channels)
    p.first, p.second, p.rows.out = cnp.PyArray_BYTES(mean), cnp.PyArray_BYTES(var), cnp.PyArray_BYTES(y)
    if r is not None:
        p.rows.residual = cnp.PyArray_BYTES(r)
    emit(forward_all, &p, sizeof(p), (y, mean, var, a, r, given, gain, shift))
    return y, mean, var


cdef void given_statistics(const Norm *p) noexcept nogil:
    cdef Py_ssize_t channels = p.columns.channels, k
    cdef double *t = p.tables
    cdef unsigned long long floats = fc_flush()
    for k in range(channels):
        t[MEAN * channels + k] = value(&p.mean, k)
        t[SCALE * channels + k] = value(&p.weight, k) / sqrt(value(&p.var, k) + p.eps)
        t[SHIFT * channels + k] = value(&p.bias, k)
    widen(p, SLOPE)
    fc_restore(floats)


cdef int inference_all(const void *job) noexcept nogil:
    cdef const Norm *p = <const Norm *>job
    given_statistics(p)
    run_all(p, &p.rows, False)
    return 0


def batch_norm_inference(x, weight, bias, mean, var, double eps, *, bint relu=False, double ceiling=INFINITY, residual=None,
                         int threads=1):
    """Return y = weight * (x - mean) / sqrt(var + eps) + bias with given statistics; arguments as in batch_norm_forward."""
    cdef cnp.ndarray a = rows_of(x, "batch_norm", "x", threads), y = result(a), r = None, gain, shift, centre, variance
    cdef Py_ssize_t channels = cnp.PyArray_DIM(a, 1)
    cdef Norm p
    cdef Block _scratch
    gain, shift = per_channel(&p.weight, weight, channels, "weight", 1.0), per_channel(&p.bias, bias, channels, "bias", 0.0)
    centre, variance = per_channel(&p.mean, mean, channels, "mean", 0.0), per_channel(&p.var, var, channels, "var", 1.0)
    if residual is not None:
        r = same(residual, a, "residual", threads)
    if a.size == 0:
        return y
    _scratch = plan_norm(&p, a, eps, 0, relu, ceiling, crew(2.0 * a.size * cnp.PyArray_ITEMSIZE(a), threads))
    p.rows.out = cnp.PyArray_BYTES(y)
    if r is not None:
        p.rows.residual = cnp.PyArray_BYTES(r)
    emit(inference_all, &p, sizeof(p), (y, a, r, gain, shift, centre, variance))
    return y


cdef void take_sums(const Norm *p, double *sums, double *products) noexcept nogil:
    """Sum of the gradient and of its product with x - mean for each channel."""
    cdef const Columns *c = &p.columns
    cdef Py_ssize_t task, values = c.blocks * c.channels
    cdef unsigned long long floats = 0
    with parallel(num_threads=p.threads):
        floats = fc_flush()
        for task in prange(c.tasks, schedule="static"):
            sum_tile(p.u, c, &p.rows, task, p.parts, p.parts + values, threadid())
        fc_restore(floats)
    floats = fc_flush()
    p.u.fold(sums, p.parts, c.blocks, c.channels)
    p.u.fold(products, p.parts + values, c.blocks, c.channels)
    fc_restore(floats)


cdef void sum_tile(const fc_ukr *u, const Columns *c, const fc_norm_job *all_, Py_ssize_t task, double *sums, double *products,
                   int thread) noexcept nogil:
    cdef Tile t = tile(c, task)
    cdef fc_norm_job job = all_[0]
    job.scratch = <char *>job.scratch + thread * 2 * scratch_width(c) * u.item
    job.rows, job.width, job.stride = t.rows, t.width, t.stride
    job.x = <const char *>job.x + t.at * u.item
    job.dy = <const char *>job.dy + t.at * u.item
    if job.also != NULL:
        job.also = <const char *>job.also + t.at * u.item
    if job.y != NULL:
        job.y = <const char *>job.y + t.at * u.item
    if job.out != NULL:
        job.out = <char *>job.out + t.at * u.item
    job.mean = <const char *>job.mean + t.column * u.item
    job.scale = <const char *>job.scale + t.column * u.item
    job.shift = <const char *>job.shift + t.column * u.item
    u.norm_sums(&job, sums + t.part, products + t.part)


cdef void gradient_coefficients(const Norm *p) noexcept nogil:
    """dweight and dbias, and the coefficients of dx that follow from them."""
    cdef Py_ssize_t channels = p.columns.channels, k
    cdef double *scale = p.tables + SCALE * channels
    cdef double *slope = p.tables + SLOPE * channels
    cdef double *offset = p.tables + OFFSET * channels
    cdef double *rstd = p.tables + OTHER * channels
    cdef unsigned long long floats = fc_flush()
    for k in range(channels):
        rstd[k] = 1 / sqrt(value(&p.var, k) + p.eps)
        p.tables[MEAN * channels + k] = value(&p.mean, k)
        scale[k] = value(&p.weight, k) * rstd[k]
        p.tables[SHIFT * channels + k] = value(&p.bias, k)
    widen(p, SLOPE)
    fc_restore(floats)
    take_sums(p, offset, slope)
    floats = fc_flush()
    for k in range(channels):
        slope[k] *= rstd[k]  # = dweight
        put(p.first, p.u.item, k, slope[k])
        put(p.second, p.u.item, k, offset[k])
        slope[k] = -scale[k] * rstd[k] * slope[k] / p.count
        offset[k] = -scale[k] * offset[k] / p.count
    widen(p, OTHER)
    fc_restore(floats)


cdef int backward_all(const void *job) noexcept nogil:
    cdef const Norm *p = <const Norm *>job
    cdef fc_norm_job rows = p.rows
    gradient_coefficients(p)
    if rows.out != NULL:  # has the gradient behind the ReLU
        rows.dy, rows.y, rows.relu = rows.out, NULL, False
    rows.out = p.dx
    run_all(p, &rows, True)
    return 0


def batch_norm_backward(dy, x, weight, mean, var, double eps, *, bias=None, bint relu=False, double ceiling=INFINITY, y=None,
                        also=None, int threads=1):
    """Return (dx, dweight, dbias) of batch_norm_forward, through the statistics too.

    dx = weight / sqrt(var + eps) * (g - mean(g) - xhat * mean(g * xhat)), g the gradient behind the ReLU: dy itself; with
    `relu` dy where 0 < output < ceiling, recomputed from x (give the `bias` of forward). After a residual sum and a ReLU
    give the output `y` instead; the result is then (dx, dweight, dbias, dresidual). `also` is a second gradient that counts as
    if it were added to dy; the result then has dresidual too.
    """
    cdef cnp.ndarray a = rows_of(x, "batch_norm", "x", threads), g = same(dy, a, "dy", threads)
    cdef cnp.ndarray saved = None, more = None, dresidual = None, dx = result(a), dw, db, gain, shift, centre, variance
    cdef Py_ssize_t channels = cnp.PyArray_DIM(a, 1)
    cdef Norm p
    cdef Block _scratch
    gain, shift = per_channel(&p.weight, weight, channels, "weight", 1.0), per_channel(&p.bias, bias, channels, "bias", 0.0)
    centre, variance = per_channel(&p.mean, mean, channels, "mean", 0.0), per_channel(&p.var, var, channels, "var", 1.0)
    if y is not None:
        saved = same(y, a, "y", threads)
    if also is not None:
        more = same(also, a, "also", threads)
    if y is not None or also is not None:
        dresidual = result(a)
    if a.size == 0:
        dw, db = np.zeros(channels, a.dtype), np.zeros(channels, a.dtype)
    else:
        dw, db = empty_like_shape((channels,), cnp.PyArray_TYPE(a)), empty_like_shape((channels,), cnp.PyArray_TYPE(a))
        _scratch = plan_norm(&p, a, eps, 2, relu, ceiling, crew(3.0 * a.size * cnp.PyArray_ITEMSIZE(a), threads))
        p.first, p.second, p.dx, p.rows.dy = (cnp.PyArray_BYTES(dw), cnp.PyArray_BYTES(db), cnp.PyArray_BYTES(dx),
                                              cnp.PyArray_BYTES(g))
        if saved is not None:
            p.rows.y = cnp.PyArray_BYTES(saved)
        if more is not None:
            p.rows.also = cnp.PyArray_BYTES(more)
        if dresidual is not None:
            p.rows.out = cnp.PyArray_BYTES(dresidual)
        emit(backward_all, &p, sizeof(p), (dx, dw, db, dresidual, g, a, saved, more, gain, shift, centre, variance))
    return (dx, dw, db) if dresidual is None else (dx, dw, db, dresidual)
