"""kernels.batch_norm_max_pool2d: batch normalisation, ReLU and max-pooling in one pass over x. [Ioffe2015]

The normalised image is never in memory. Forward keeps of each window the x that won and its tap, none where the ReLU cuts.
Backward: the two sums are sums over the winners alone; then one pass makes each pixel of dx from x and the windows that it won.
"""

import numpy as np

cimport numpy as cnp
from libc.math cimport INFINITY

from fastcnn.errors import DtypeError

from fastcnn.kernels.batch_norm cimport Norm, batch_statistics, given_statistics, gradient_coefficients, per_channel, plan_norm
from fastcnn.kernels.batch_norm cimport result, take_given
from fastcnn.kernels.entry cimport emit
from fastcnn.kernels.layout cimport channels_last, crew, exceeds_cache
from fastcnn.kernels.memory cimport Block, empty_like_shape, empty_nchw
from fastcnn.kernels.micro cimport fc_gather_job
from fastcnn.kernels.window cimport Axis, Gather, Pool, check_shape, gather_all, kernel_axis, plan_gather, plan_pool, pool_all
from fastcnn.kernels.window cimport taps_of

cnp.import_array()

cdef struct Forward:
    Norm norm
    Pool pool
    bint measured  # the statistics are those of the batch

cdef struct Backward:
    Norm norm  # of the winners
    Gather gather


cdef Py_ssize_t codes(case) except -1:
    """Values of an index: the taps, and one for none."""
    return case.kh * case.kw + 1


cdef int forward_all(const void *job) noexcept nogil:
    cdef const Forward *p = <const Forward *>job
    if p.measured:
        batch_statistics(&p.norm)
    else:
        given_statistics(&p.norm)
    return pool_all(&p.pool)


cdef tuple normalise(Forward *p, cnp.ndarray x, object weight, object bias, double eps, case, object statistics, double ceiling,
                     bint need_index, int threads):
    """Return (y, mean, var, winners, index), the statistics those of the batch with its moments, if any, or the given two."""
    cdef Py_ssize_t batch, channels, ih, iw, kh, kw, sh, sw, ph, pw, dh, dw, oh, ow
    batch, channels, ih, iw, kh, kw, sh, sw, ph, pw, dh, dw, oh, ow, _ = case
    check_shape("batch_norm", "x", x, batch, channels, ih, iw)
    cdef cnp.ndarray y = empty_nchw(batch, channels, oh, ow, x.dtype.num), winners = None, index = None
    cdef cnp.ndarray gain, shift, mean, var, given = None
    cdef Axis rows, cols
    cdef Block _scratch
    gain = per_channel(&p.norm.weight, weight, channels, "weight", 1.0)
    shift = per_channel(&p.norm.bias, bias, channels, "bias", 0.0)
    if p.measured:
        mean, var = empty_like_shape((channels,), x.dtype.num), empty_like_shape((channels,), x.dtype.num)
    else:
        mean = per_channel(&p.norm.mean, statistics[0], channels, "mean", 0.0)
        var = per_channel(&p.norm.var, statistics[1], channels, "var", 1.0)
    if need_index:
        winners = empty_nchw(batch, channels, oh, ow, x.dtype.num)
        index = empty_nchw(batch, channels, oh, ow, cnp.NPY_UINT8 if codes(case) <= 256 else cnp.NPY_INT32)
    if y.size == 0:
        if p.measured:
            mean, var = np.zeros(channels, x.dtype), np.zeros(channels, x.dtype)
        return y, mean, var, winners, index
    _scratch = plan_norm(&p.norm, x, eps, 3, True, ceiling, crew(2.0 * x.size * x.itemsize, threads))
    rows, cols = kernel_axis(ih, kh, sh, ph, dh, oh, False), kernel_axis(iw, kw, sw, pw, dw, ow, False)
    plan_pool(&p.pool, x, y, rows, cols, kw, index, True, threads)
    p.pool.windows.mean, p.pool.windows.scale, p.pool.windows.shift = p.norm.rows.mean, p.norm.rows.scale, p.norm.rows.shift
    p.pool.windows.ceiling = ceiling
    if need_index:
        p.pool.windows.winners = cnp.PyArray_BYTES(winners)
    if p.measured:
        given = take_given(&p.norm, statistics, channels)
        p.norm.first, p.norm.second = cnp.PyArray_BYTES(mean), cnp.PyArray_BYTES(var)
    emit(forward_all, p, sizeof(Forward), (y, mean, var, winners, index, x, given, gain, shift, rows.memory, cols.memory))
    return y, mean, var, winners, index


def batch_norm_max_pool2d_forward(x, weight, bias, double eps, case, *, double ceiling=INFINITY, moments=None,
                                  bint need_index=True, int threads=1):
    """Return (y, mean, var, winners, index): y the maxima over windows of min(max(normalised x, 0), ceiling).

    x is (batch, channels, ih, iw), float32 or float64; weight and bias are (channels,) or None; `moments` as in
    batch_norm_forward, mean and biased variance of each channel of x too. winners and index, both like y, are for backward, None
    unless needed: the x that won and its tap r * kw + s, the largest number of uint8 (-1 of int32, when kh * kw > 255) where
    y <= 0 or y >= ceiling. Each window needs a tap inside the image.
    """
    cdef cnp.ndarray a = channels_last(x, "batch_norm", "x", threads)
    cdef Forward p
    p.measured = True
    return normalise(&p, a, weight, bias, eps, case, moments, ceiling, need_index, threads)


def batch_norm_max_pool2d_inference(x, weight, bias, mean, var, double eps, case, *, double ceiling=INFINITY, int threads=1):
    """Return y with given statistics; arguments as in batch_norm_max_pool2d_forward."""
    cdef cnp.ndarray a = channels_last(x, "batch_norm", "x", threads)
    cdef Forward p
    p.measured = False
    return normalise(&p, a, weight, bias, eps, case, (mean, var), ceiling, False, threads)[0]


cdef int backward_all(const void *job) noexcept nogil:
    cdef const Backward *p = <const Backward *>job
    gradient_coefficients(&p.norm)
    return gather_all(&p.gather)


cdef cnp.ndarray pooled(object array, cnp.ndarray x, case, str name, int threads):
    """`array` as a dense operand of the shape of the maxima."""
    cdef cnp.ndarray a = channels_last(array, "batch_norm", name, threads)
    check_shape("batch_norm", name, a, case.batch, case.channels, case.oh, case.ow)
    if a.dtype != x.dtype:
        raise DtypeError(f"batch_norm: {name} must be {x.dtype} like x, got {a.dtype}")
    return a


def batch_norm_max_pool2d_backward(dy, x, weight, mean, var, double eps, winners, index, case, *, bias=None,
                                   double ceiling=INFINITY, int threads=1):
    """Return (dx, dweight, dbias) of batch_norm_max_pool2d_forward, through the statistics too.

    dx = weight / sqrt(var + eps) * (g - mean(g) - xhat * mean(g * xhat)), g the sum of the dy of the windows that a pixel won.
    """
    cdef cnp.ndarray a = channels_last(x, "batch_norm", "x", threads), g, w, taps, gain, shift, centre, variance
    cdef Py_ssize_t batch, channels, ih, iw, kh, kw, sh, sw, ph, pw, dh, dw, oh, ow
    batch, channels, ih, iw, kh, kw, sh, sw, ph, pw, dh, dw, oh, ow, _ = case
    check_shape("batch_norm", "x", a, batch, channels, ih, iw)
    g, w = pooled(dy, a, case, "dy", threads), pooled(winners, a, case, "winners", threads)
    taps = taps_of("batch_norm", index, (batch, channels, oh, ow), codes(case))
    cdef cnp.ndarray dx = result(a), dweight, dbias
    cdef Axis rows, cols
    cdef Backward p
    cdef fc_gather_job *job = &p.gather.windows
    cdef Block _scratch
    gain = per_channel(&p.norm.weight, weight, channels, "weight", 1.0)
    shift = per_channel(&p.norm.bias, bias, channels, "bias", 0.0)
    centre = per_channel(&p.norm.mean, mean, channels, "mean", 0.0)
    variance = per_channel(&p.norm.var, var, channels, "var", 1.0)
    if g.size == 0:
        return dx, np.zeros(channels, a.dtype), np.zeros(channels, a.dtype)
    dweight, dbias = empty_like_shape((channels,), a.dtype.num), empty_like_shape((channels,), a.dtype.num)
    _scratch = plan_norm(&p.norm, w, eps, 2, True, ceiling, crew(2.0 * w.size * w.itemsize, threads))
    p.norm.count, p.norm.rows.dy = batch * ih * iw, cnp.PyArray_BYTES(g)
    p.norm.first, p.norm.second = cnp.PyArray_BYTES(dweight), cnp.PyArray_BYTES(dbias)
    rows, cols = kernel_axis(ih, kh, sh, ph, dh, oh, False), kernel_axis(iw, kw, sw, pw, dw, ow, False)
    plan_gather(&p.gather, dx, g, rows, cols, kw, taps, threads)
    job.x, job.mean, job.scale = cnp.PyArray_BYTES(a), p.norm.rows.mean, p.norm.rows.scale
    job.slope, job.offset = p.norm.rows.slope, p.norm.rows.offset
    job.past_cache = exceeds_cache(<double>a.size * a.itemsize) and channels % p.norm.u.lanes == 0
    emit(backward_all, &p, sizeof(p), (dx, dweight, dbias, g, w, taps, a, gain, shift, centre, variance, rows.cover, cols.cover))
    return dx, dweight, dbias
