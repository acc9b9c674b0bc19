"""kernels.loss: losses of pairs of values, each or summed in one pass, and their gradients."""

import numpy as np

cimport numpy as cnp
from cython.parallel cimport parallel, prange

from fastcnn.errors import ArgumentError, DtypeError, ShapeError

from fastcnn.kernels.entry cimport emit, fc_flush, fc_restore
from fastcnn.kernels.gemm cimport ready
from fastcnn.kernels.layout cimport channels_last, crew
from fastcnn.kernels.memory cimport Block, block, empty_nchw, empty_of
from fastcnn.kernels.micro cimport (
    FC_ABSOLUTE, FC_DIVERGENCE, FC_HUBER, FC_LOG_DIVERGENCE, FC_LOGITS, FC_SQUARE, FC_WEIGHTED_LOGITS, fc_loss_job, fc_ukr, table,
)
from fastcnn.kernels.strided cimport ordered

cnp.import_array()

cdef enum:
    RUN = 8192  # values of one task: their sum is taken in the element type, the sums of tasks in float64

KINDS = {
    "square": FC_SQUARE,
    "absolute": FC_ABSOLUTE,
    "huber": FC_HUBER,
    "logits": FC_LOGITS,
    "divergence": FC_DIVERGENCE,
    "log_divergence": FC_LOG_DIVERGENCE,
}
REDUCTIONS = {"none": NONE, "sum": SUM, "mean": MEAN}


cdef struct Loss:
    const fc_ukr *u
    fc_loss_job pairs    # of all values; out: OUT each loss, or dx
    char *loss           # OUT  the reduced loss; backward: IN its gradient
    double *sums         # scratch of forward: of each task
    int reduction, threads


cdef int reduction_of(str op, str reduction) except -1:
    if reduction not in REDUCTIONS:
        raise ArgumentError(f"{op}: reduction must be one of {', '.join(REDUCTIONS)}, got {reduction!r}")
    return REDUCTIONS[reduction]


cdef inline fc_loss_job task_of(const Loss *p, Py_ssize_t task, double factor) noexcept nogil:
    cdef fc_loss_job job = p.pairs
    cdef Py_ssize_t at = task * RUN * p.u.item
    job.x = <const char *>job.x + at
    job.target = <const char *>job.target + at
    if job.out != NULL:
        job.out = <char *>job.out + at
    if job.dy != NULL:
        job.dy = <const char *>job.dy + at
    if job.weight != NULL:
        job.weight = <const char *>job.weight + at
    if job.pos_weight != NULL:
        job.pos_weight = <const char *>job.pos_weight + at
    job.n = min(<Py_ssize_t>RUN, p.pairs.n - task * RUN)
    job.factor = factor
    return job


cdef void forward_one(const Loss *p, Py_ssize_t task) noexcept nogil:
    cdef fc_loss_job job = task_of(p, task, p.pairs.factor)
    p.sums[task] = p.u.loss(&job)


cdef void backward_one(const Loss *p, Py_ssize_t task, double factor) noexcept nogil:
    cdef fc_loss_job job = task_of(p, task, factor)
    p.u.loss_gradient(&job)


cdef int forward_all(const void *job) noexcept nogil:
    cdef const Loss *p = <const Loss *>job
    cdef Py_ssize_t i, tasks = (p.pairs.n + RUN - 1) // RUN
    cdef double total = 0
    cdef unsigned long long floats = 0
    with parallel(num_threads=p.threads):
        floats = fc_flush()
        for i in prange(tasks, schedule="static"):
            forward_one(p, i)
        fc_restore(floats)
    if p.reduction == NONE:
        return 0
    for i in range(tasks):
        total += p.sums[i]
    put_total(p.loss, p.u.item, p.reduction, total * p.pairs.factor, p.pairs.n)
    return 0


cdef int backward_all(const void *job) noexcept nogil:
    cdef const Loss *p = <const Loss *>job
    cdef Py_ssize_t i
    cdef double factor = p.pairs.factor
    cdef unsigned long long floats = 0
    if p.reduction != NONE:
        factor *= get(p.loss, p.u.item, 0)
    if p.reduction == MEAN:
        factor /= max(<Py_ssize_t>1, p.pairs.n)
    with parallel(num_threads=p.threads):
        floats = fc_flush()
        for i in prange((p.pairs.n + RUN - 1) // RUN, schedule="static"):
            backward_one(p, i, factor)
        fc_restore(floats)
    return 0


cdef cnp.ndarray flat(object array, cnp.ndarray like, str name, int threads):
    """`array` with its values in a row: images channels-last, other ranks in C order; of the shape and dtype of `like`."""
    cdef cnp.ndarray a = ready(np.asanyarray(array), "loss", name)
    if like is not None and (<object>a).shape != (<object>like).shape:
        raise ShapeError(f"loss: {name} must be like x, got {name}.shape={np.shape(a)}, x.shape={np.shape(like)}")
    if like is not None and cnp.PyArray_TYPE(a) != cnp.PyArray_TYPE(like):
        raise DtypeError(f"loss: {name} must be like x, got {a.dtype} and {like.dtype}")
    return channels_last(a, "loss", name, threads) if a.ndim == 4 else ordered(a, threads)


cdef cnp.ndarray result(cnp.ndarray x):
    if x.ndim == 4:
        return empty_nchw(cnp.PyArray_DIM(x, 0), cnp.PyArray_DIM(x, 1), cnp.PyArray_DIM(x, 2), cnp.PyArray_DIM(x, 3),
                          cnp.PyArray_TYPE(x))
    return empty_of(x.ndim, x.shape, cnp.PyArray_TYPE(x))


cdef cnp.ndarray weights(Loss *p, object array, cnp.ndarray x, str name, int threads):
    """`array`, which broadcasts to x, with one value for each of x; None stays None."""
    if array is None:
        return None
    if p.pairs.kind not in (FC_LOGITS, FC_WEIGHTED_LOGITS):
        raise ArgumentError(f"loss: {name} is for the kind 'logits' only")
    p.pairs.kind = FC_WEIGHTED_LOGITS
    return flat(np.broadcast_to(array, (<object>x).shape), x, name, threads)


cdef int describe(Loss *p, cnp.ndarray x, cnp.ndarray t, str kind, double parameter, double factor, str reduction, int cost,
                  int threads) except -1:
    if kind not in KINDS:
        raise ArgumentError(f"loss: kind must be one of {', '.join(KINDS)}, got {kind!r}")
    p.u, p.pairs.x, p.pairs.target, p.pairs.n = (
        table(cnp.PyArray_ITEMSIZE(x)), cnp.PyArray_BYTES(x), cnp.PyArray_BYTES(t), x.size)
    p.pairs.out, p.pairs.dy, p.pairs.kind, p.pairs.p, p.pairs.factor = NULL, NULL, KINDS[kind], parameter, factor
    p.pairs.weight, p.pairs.pos_weight, p.pairs.of_target = NULL, NULL, False
    p.loss, p.sums, p.reduction = NULL, NULL, reduction_of("loss", reduction)
    p.threads = crew(<double>cost * x.size * p.u.item, threads)
    return 0


cdef void point(Loss *p, cnp.ndarray weight, cnp.ndarray pos_weight) noexcept:
    if weight is not None:
        p.pairs.weight = cnp.PyArray_BYTES(weight)
    if pos_weight is not None:
        p.pairs.pos_weight = cnp.PyArray_BYTES(pos_weight)


def loss_forward(x, target, str kind, double p=0, double factor=1, str reduction="mean", *, weight=None, pos_weight=None,
                 int threads=1):
    """Return factor * loss of each pair for "none", else their sum or mean as an array of shape ().

    d = x - target. "square": d^2; "absolute": |d|; "huber": d^2 / 2 where |d| < p, else p (|d| - p / 2); "logits": the
    cross-entropy of sigmoid(x), times `weight`, and -log sigmoid(x) in it times `pos_weight`, which broadcast to x;
    "divergence": target (log target - x), 0 where target is 0; "log_divergence": the same of e^target. Sums of 8192 values are
    added in float64, in order. The mean of nothing is NaN.
    """
    cdef cnp.ndarray a = flat(x, None, "x", threads), t = flat(target, a, "target", threads), out
    cdef Loss job
    cdef Block sums = block((a.size // RUN + 1) * sizeof(double))
    describe(&job, a, t, kind, p, factor, reduction, 2, threads)
    cdef cnp.ndarray w = weights(&job, weight, a, "weight", threads), pos = weights(&job, pos_weight, a, "pos_weight", threads)
    point(&job, w, pos)
    if job.reduction == NONE:
        out = result(a)
        job.pairs.out = cnp.PyArray_BYTES(out)
    else:
        out = empty_of(0, NULL, cnp.PyArray_TYPE(a))
        job.loss = cnp.PyArray_BYTES(out)
    job.sums = <double *>sums.data
    emit(forward_all, &job, sizeof(job), (out, a, t, w, pos))
    return out


def loss_backward(dy, x, target, str kind, double p=0, double factor=1, str reduction="mean", *, weight=None, pos_weight=None,
                  bint of_target=False, int threads=1):
    """Return dx, or the gradient of the target; dy has the shape of x for "none", else ().

    For losses of a difference the gradient of the target is -dx, and is not computed here.
    """
    cdef cnp.ndarray a = flat(x, None, "x", threads), t = flat(target, a, "target", threads), dx = result(a), g
    cdef Loss job
    describe(&job, a, t, kind, p, factor, reduction, 3, threads)
    if of_target and job.pairs.kind in (FC_SQUARE, FC_ABSOLUTE, FC_HUBER):
        raise ArgumentError(f"loss: of_target is for losses that are not of a difference, got kind {kind!r}")
    job.pairs.of_target = of_target
    cdef cnp.ndarray w = weights(&job, weight, a, "weight", threads), pos = weights(&job, pos_weight, a, "pos_weight", threads)
    point(&job, w, pos)
    job.pairs.out = cnp.PyArray_BYTES(dx)
    if job.reduction == NONE:
        g = flat(dy, a, "dy", threads)
        job.pairs.dy = cnp.PyArray_BYTES(g)
    else:
        g = ordered(ready(np.asanyarray(dy), "loss", "dy", a.descr), threads)
        if g.ndim:
            raise ShapeError(f"loss: dy must have shape () when reduced, got dy.shape={np.shape(g)}")
        job.loss = cnp.PyArray_BYTES(g)
    emit(backward_all, &job, sizeof(job), (dx, g, a, t, w, pos))
    return dx
