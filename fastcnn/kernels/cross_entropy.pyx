"""kernels.cross_entropy: softmax cross-entropy with label smoothing, one pass per sample. [Szegedy2016]"""

import numpy as np

cimport numpy as cnp
from cython.parallel cimport parallel, prange
from libc.math cimport NAN
from libc.stdint cimport int64_t

from fastcnn.errors import ArgumentError, ShapeError

from fastcnn.kernels.entry cimport emit, fc_flush, fc_restore
from fastcnn.kernels.gemm cimport ready
from fastcnn.kernels.layout cimport crew
from fastcnn.kernels.memory cimport Block, block, empty_like_shape
from fastcnn.kernels.micro cimport fc_ukr, table
from fastcnn.kernels.strided cimport ordered
from fastcnn.kernels.strided import integers

cnp.import_array()

cdef enum:
    EXP_COST = 8  # an exponential costs about as much as streaming this many values

cdef enum:
    NONE, SUM, MEAN

REDUCTIONS = {"none": NONE, "sum": SUM, "mean": MEAN}


cdef struct CrossEntropy:
    const fc_ukr *u
    char *out                # OUT  forward: probs, backward: dlogits  (samples, classes)
    char *loss               # OUT  forward: (samples,) or ()          IN   backward: its gradient
    double *each             # scratch of forward, samples
    const char *x            # IN   forward: logits, backward: probs   (samples, classes)
    const int64_t *label     # IN   samples
    Py_ssize_t samples, classes
    int64_t ignored
    double smoothing
    int reduction, threads


cdef Py_ssize_t counted(const CrossEntropy *p) noexcept nogil:
    """Samples that are not ignored; -1 when a label is no class: a kernel reads memory at it."""
    cdef Py_ssize_t i, n = 0
    for i in range(p.samples):
        if p.label[i] == p.ignored:
            continue
        if p.label[i] < 0 or p.label[i] >= p.classes:
            return -1
        n += 1
    return n


cdef inline void put(const CrossEntropy *p, Py_ssize_t i, double value) noexcept nogil:
    if p.u.item == 4:
        (<float *>p.loss)[i] = <float>value
    else:
        (<double *>p.loss)[i] = value


cdef inline double get(const CrossEntropy *p, Py_ssize_t i) noexcept nogil:
    return (<float *>p.loss)[i] if p.u.item == 4 else (<double *>p.loss)[i]


cdef int forward_all(const void *job) noexcept nogil:
    cdef const CrossEntropy *p = <const CrossEntropy *>job
    cdef Py_ssize_t i, at, n = counted(p)
    cdef double total = 0
    cdef unsigned long long floats = 0
    cdef bint skip
    if n < 0:
        return 1
    with parallel(num_threads=p.threads):
        floats = fc_flush()
        for i in prange(p.samples, schedule="static"):
            at = i * p.classes * p.u.item
            skip = p.label[i] == p.ignored
            p.each[i] = p.u.cross_entropy_row(p.out + at, p.x + at, p.classes, 0 if skip else p.label[i], p.smoothing)
            if skip:
                p.each[i] = 0
        fc_restore(floats)
    for i in range(p.samples):
        if p.reduction == NONE:
            put(p, i, p.each[i])
        total += p.each[i]
    if p.reduction == SUM:
        put(p, 0, total)
    elif p.reduction == MEAN:
        put(p, 0, total / n if n else NAN)
    return 0


cdef int backward_all(const void *job) noexcept nogil:
    cdef const CrossEntropy *p = <const CrossEntropy *>job
    cdef Py_ssize_t i, at, n = counted(p)
    cdef double share
    cdef unsigned long long floats = 0
    if n < 0:
        return 1
    with parallel(num_threads=p.threads):
        floats = fc_flush()
        for i in prange(p.samples, schedule="static"):
            at = i * p.classes * p.u.item
            share = get(p, i if p.reduction == NONE else 0)
            if p.reduction == MEAN:
                share = share / n if n else 0
            if p.label[i] == p.ignored:
                share = 0
            p.u.cross_entropy_gradient_row(p.out + at, p.x + at, p.classes, 0 if p.label[i] == p.ignored else p.label[i], share,
                                           p.smoothing)
        fc_restore(floats)
    return 0


cdef object refusal(cnp.ndarray target, Py_ssize_t classes, Py_ssize_t ignored):
    """A function that raises the error for a label that is no class."""
    def explain():
        wrong = target[(target != ignored) & ((target < 0) | (target >= classes))]
        raise ArgumentError(f"cross_entropy: target must be between 0 and {classes - 1}, got {wrong[0]} "
                            f"(x.shape={(target.size, classes)}, target.shape={np.shape(target)})")
    return explain


cdef cnp.ndarray matrix(object array, str name, int threads):
    cdef cnp.ndarray a = ready(array, "cross_entropy", name)
    if a.ndim != 2:
        raise ShapeError(f"cross_entropy: {name} must be (samples, classes), got {name}.shape={np.shape(array)}")
    return ordered(a, threads)


cdef cnp.ndarray labels(object target, Py_ssize_t samples):
    """Return the class numbers as int64."""
    cdef cnp.ndarray t = integers(np.asarray(target))
    if t.ndim != 1 or cnp.PyArray_DIM(t, 0) != samples:
        raise ShapeError(f"cross_entropy: target must be ({samples},), got target.shape={np.shape(target)}")
    return t


def cross_entropy_forward(logits, target, double label_smoothing=0.0, *, Py_ssize_t ignore_index=-100, str reduction="none",
                          int threads=1):
    """Return (loss, probs) in the dtype of logits, loss (samples,) or () when reduced, probs (samples, classes).

    loss = -sum over k of q[k] log p[k], p = softmax(logits), q = (1 - label_smoothing) onehot(target)
    + label_smoothing / classes; 0 where target is `ignore_index`. "sum" adds them in float64, in order; "mean" divides by the
    number of samples that are not ignored.
    """
    cdef cnp.ndarray a = matrix(logits, "logits", threads)
    cdef Py_ssize_t samples = cnp.PyArray_DIM(a, 0), classes = cnp.PyArray_DIM(a, 1)
    cdef cnp.ndarray t = labels(target, samples)
    cdef cnp.ndarray probs = empty_like_shape((samples, classes), a.dtype.num)
    cdef cnp.ndarray loss = empty_like_shape((samples,) if reduction == "none" else (), a.dtype.num)
    cdef Block each = block(samples * sizeof(double))
    cdef CrossEntropy p
    p.u, p.out, p.loss, p.each = table(a.itemsize), cnp.PyArray_BYTES(probs), cnp.PyArray_BYTES(loss), <double *>each.data
    p.x, p.label = cnp.PyArray_BYTES(a), <const int64_t *>cnp.PyArray_BYTES(t)
    p.samples, p.classes, p.ignored, p.smoothing = samples, classes, ignore_index, label_smoothing
    p.reduction, p.threads = REDUCTIONS[reduction], crew(EXP_COST * 2.0 * a.size * a.itemsize, threads)
    emit(forward_all, &p, sizeof(p), (loss, probs, a, t), refusal(t, classes, ignore_index))
    return loss, probs


def cross_entropy_backward(dloss, probs, target, double label_smoothing=0.0, *, Py_ssize_t ignore_index=-100,
                           str reduction="none", int threads=1):
    """Return dlogits = dloss * (probs - q) of shape (samples, classes), zero where target is `ignore_index`.

    `dloss` is (samples,) or () when reduced, in the dtype of probs.
    """
    cdef cnp.ndarray a = matrix(probs, "probs", threads), g = ready(dloss, "cross_entropy", "dloss", probs.dtype)
    cdef Py_ssize_t samples = cnp.PyArray_DIM(a, 0), classes = cnp.PyArray_DIM(a, 1)
    cdef cnp.ndarray t = labels(target, samples)
    if np.shape(g) != ((samples,) if reduction == "none" else ()):
        raise ShapeError(f"cross_entropy: dloss must be ({samples},), or () when reduced, got dloss.shape={np.shape(dloss)}")
    g = ordered(g, threads)
    cdef cnp.ndarray dlogits = empty_like_shape((samples, classes), a.dtype.num)
    cdef CrossEntropy p
    p.u, p.out, p.loss, p.each = table(a.itemsize), cnp.PyArray_BYTES(dlogits), cnp.PyArray_BYTES(g), NULL
    p.x, p.label = cnp.PyArray_BYTES(a), <const int64_t *>cnp.PyArray_BYTES(t)
    p.samples, p.classes, p.ignored, p.smoothing = samples, classes, ignore_index, label_smoothing
    p.reduction, p.threads = REDUCTIONS[reduction], crew(2.0 * a.size * a.itemsize, threads)
    emit(backward_all, &p, sizeof(p), (dlogits, a, g, t), refusal(t, classes, ignore_index))
    return dlogits
