"""kernels.soft_cross_entropy: softmax cross-entropy of probabilities, one pass per sample in each direction. [Szegedy2016]

Of the softmax nothing is kept but three numbers for each sample: backward computes the exponentials anew.
"""

import numpy as np

cimport numpy as cnp
from cython.parallel cimport parallel, prange

from fastcnn.errors import DtypeError, ShapeError

from fastcnn.kernels.entry cimport emit, fc_flush, fc_restore
from fastcnn.kernels.gemm cimport ready
from fastcnn.kernels.layout cimport crew
from fastcnn.kernels.loss cimport MEAN, NONE, get, put, put_total, reduction_of
from fastcnn.kernels.memory cimport Block, block, empty_of
from fastcnn.kernels.micro cimport fc_soft_job, fc_ukr, table
from fastcnn.kernels.strided cimport fits, ordered

cnp.import_array()

cdef enum:
    EXP_COST = 4  # as in kernels.softmax
    KEPT = 3      # numbers of a sample: the largest logit, the sum of exponentials, the sum of the probabilities of the target


cdef struct Soft:
    const fc_ukr *u
    fc_soft_job first    # of the first sample
    char *loss           # OUT  (samples,) or ()    IN of backward: its gradient
    double *each         # scratch of forward, samples
    Py_ssize_t samples
    int reduction, threads


cdef inline fc_soft_job job_of(const Soft *p, Py_ssize_t i) noexcept nogil:
    cdef fc_soft_job job = p.first
    cdef Py_ssize_t at = i * job.classes * p.u.item
    job.x = <const char *>job.x + at
    job.target = <const char *>job.target + at
    job.kept = <char *>job.kept + i * KEPT * p.u.item
    if job.out != NULL:
        job.out = <char *>job.out + at
    return job


cdef void forward_one(const Soft *p, Py_ssize_t i) noexcept nogil:
    cdef fc_soft_job job = job_of(p, i)
    p.each[i] = p.u.soft_cross_entropy(&job)


cdef int forward_all(const void *job) noexcept nogil:
    cdef const Soft *p = <const Soft *>job
    cdef Py_ssize_t i
    cdef double total = 0
    cdef unsigned long long floats = 0
    with parallel(num_threads=p.threads):
        floats = fc_flush()
        for i in prange(p.samples, schedule="static"):
            forward_one(p, i)
        fc_restore(floats)
    for i in range(p.samples):
        if p.reduction == NONE:
            put(p.loss, p.u.item, i, p.each[i])
        total += p.each[i]
    put_total(p.loss, p.u.item, p.reduction, total, p.samples)
    return 0


cdef void backward_one(const Soft *p, Py_ssize_t i) noexcept nogil:
    cdef fc_soft_job job = job_of(p, i)
    job.dloss = get(p.loss, p.u.item, i if p.reduction == NONE else 0)
    if p.reduction == MEAN:
        job.dloss /= p.samples
    p.u.soft_cross_entropy_gradient(&job)


cdef int backward_all(const void *job) noexcept nogil:
    cdef const Soft *p = <const Soft *>job
    cdef Py_ssize_t i
    cdef unsigned long long floats = 0
    with parallel(num_threads=p.threads):
        floats = fc_flush()
        for i in prange(p.samples, schedule="static"):
            backward_one(p, i)
        fc_restore(floats)
    return 0


cdef cnp.ndarray matrix(object array, cnp.ndarray like, str name, int threads):
    cdef cnp.ndarray a = ready(array, "soft_cross_entropy", name)
    if a.ndim != 2:
        raise ShapeError(f"soft_cross_entropy: {name} must be (samples, classes), got {name}.shape={np.shape(a)}")
    if like is not None and not fits(a, like):
        raise (ShapeError if np.shape(a) != np.shape(like) else DtypeError)(
            f"soft_cross_entropy: {name} must be like x, got {a.dtype} {np.shape(a)} and {like.dtype} {np.shape(like)}")
    return ordered(a, threads)


cdef cnp.ndarray describe(Soft *p, cnp.ndarray x, cnp.ndarray target, object weight, double smoothing, str reduction,
                          int threads):
    """Fill in what both directions need; return the weights of the classes as they are read, or None."""
    cdef cnp.ndarray w = None
    p.reduction = reduction_of("soft_cross_entropy", reduction)
    p.samples, p.first.classes = cnp.PyArray_DIM(x, 0), cnp.PyArray_DIM(x, 1)
    if p.samples and not p.first.classes:
        raise ShapeError(f"soft_cross_entropy: x must have at least one class, got x.shape={np.shape(x)}")
    if weight is not None:
        w = ordered(ready(weight, "soft_cross_entropy", "weight", x.dtype), threads)
        if w.ndim != 1 or cnp.PyArray_DIM(w, 0) != p.first.classes:
            raise ShapeError(f"soft_cross_entropy: weight must be ({p.first.classes},), got weight.shape={np.shape(w)}")
    p.u, p.first.x, p.first.target = table(cnp.PyArray_ITEMSIZE(x)), cnp.PyArray_BYTES(x), cnp.PyArray_BYTES(target)
    p.first.weight = NULL if w is None else cnp.PyArray_BYTES(w)
    p.first.smoothing, p.first.of_target, p.first.out, p.each = smoothing, False, NULL, NULL
    p.threads = crew(EXP_COST * 2.0 * x.size * p.u.item, threads)
    return w


def soft_cross_entropy_forward(x, target, weight=None, double label_smoothing=0.0, str reduction="none", *, int threads=1):
    """Return (loss, kept): loss (samples,), or () when reduced, and kept (samples, 3), which backward needs; dtype of x.

    loss = -sum over k of q[k] log p[k], p = softmax(x), q = weight ((1 - label_smoothing) target + label_smoothing / classes).
    x and target are (samples, classes), weight is (classes,) or None. Sums over samples are float64, in order.
    """
    cdef cnp.ndarray a = matrix(x, None, "x", threads), t = matrix(target, a, "target", threads), loss, kept, w
    cdef cnp.npy_intp shape[2]
    cdef Block each
    cdef Soft p
    w = describe(&p, a, t, weight, label_smoothing, reduction, threads)
    shape[0], shape[1] = p.samples, KEPT
    kept = empty_of(2, shape, cnp.PyArray_TYPE(a))
    loss = empty_of(1 if p.reduction == NONE else 0, shape, cnp.PyArray_TYPE(a))
    each = block(p.samples * sizeof(double))
    p.loss, p.first.kept, p.each = cnp.PyArray_BYTES(loss), cnp.PyArray_BYTES(kept), <double *>each.data
    emit(forward_all, &p, sizeof(p), (loss, kept, a, t, w))
    return loss, kept


def soft_cross_entropy_backward(dloss, x, target, kept, weight=None, double label_smoothing=0.0, str reduction="none",
                                bint of_target=False, *, int threads=1):
    """Return dx = dloss (p sum(q) - q), or the gradient of the target; dloss is (samples,), or () when reduced."""
    cdef cnp.ndarray a = matrix(x, None, "x", threads), t = matrix(target, a, "target", threads), dx, w, g, k
    cdef Soft p
    w = describe(&p, a, t, weight, label_smoothing, reduction, threads)
    g = ordered(ready(np.asanyarray(dloss), "soft_cross_entropy", "dloss", a.dtype), threads)
    k = ordered(ready(kept, "soft_cross_entropy", "kept", a.dtype), threads)
    if np.shape(g) != ((p.samples,) if p.reduction == NONE else ()) or np.shape(k) != (p.samples, KEPT):
        raise ShapeError(f"soft_cross_entropy: dloss must be ({p.samples},), or () when reduced, and kept ({p.samples}, {KEPT}), "
                         f"got dloss.shape={np.shape(g)}, kept.shape={np.shape(k)}")
    dx = empty_of(2, a.shape, cnp.PyArray_TYPE(a))
    p.loss, p.first.kept, p.first.out = cnp.PyArray_BYTES(g), cnp.PyArray_BYTES(k), cnp.PyArray_BYTES(dx)
    p.first.of_target = of_target
    emit(backward_all, &p, sizeof(p), (dx, g, a, t, k, w))
    return dx
