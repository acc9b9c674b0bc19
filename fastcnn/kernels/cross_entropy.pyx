"""kernels.cross_entropy: losses of class numbers: softmax cross-entropy, one pass per sample, and negative log-likelihood.
[Szegedy2016]"""

import numpy as np

cimport numpy as cnp
from cython cimport floating
from cython.parallel cimport parallel, prange
from libc.stdint cimport int64_t
from libc.string cimport memset

from fastcnn.errors import ArgumentError, ShapeError

from fastcnn.kernels.entry cimport emit, fc_flush, fc_restore
from fastcnn.kernels.gemm cimport ready
from fastcnn.kernels.layout cimport crew
from fastcnn.kernels.loss cimport MEAN, NONE, get, put, put_total, reduction_of
from fastcnn.kernels.memory cimport Block, block, empty_of
from fastcnn.kernels.micro cimport fc_ukr, table
from fastcnn.kernels.strided cimport ordered
from fastcnn.kernels.strided import integers

cnp.import_array()

cdef enum:
    EXP_COST = 8  # an exponential costs about as much as streaming this many values


cdef struct CrossEntropy:
    const fc_ukr *u
    char *out                # OUT  forward: probs, backward: dlogits  (samples, classes)
    char *loss               # OUT  forward: (samples,) or ()          IN   backward: its gradient
    double *each             # scratch of forward, samples
    const char *x            # IN   forward: logits, backward: probs   (samples, classes)
    const int64_t *label     # IN   samples
    const char *weight       # IN   classes; NULL: all 1
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


cdef inline double weight_of(const CrossEntropy *p, Py_ssize_t k) noexcept nogil:
    return 1.0 if p.weight == NULL else get(p.weight, p.u.item, k)


cdef double divisor(const CrossEntropy *p, Py_ssize_t n) noexcept nogil:
    """What the sum of n losses is divided by for a mean."""
    cdef Py_ssize_t i
    cdef double total = 0
    if p.weight == NULL:
        return n
    for i in range(p.samples):
        if p.label[i] != p.ignored:
            total += get(p.weight, p.u.item, p.label[i])
    return total


cdef double class_sum(const CrossEntropy *p) noexcept nogil:
    """The sum of the weights of all classes."""
    cdef Py_ssize_t k
    cdef double total = 0
    for k in range(p.classes):
        total += get(p.weight, p.u.item, k)
    return total


cdef double product_sum(const floating *a, const floating *b, Py_ssize_t n) noexcept nogil:
    """The sum of a[k] b[k] in float64, in a fixed order: 8 sums side by side."""
    cdef double sums[8]
    cdef double total = 0
    cdef Py_ssize_t k = 0, i
    for i in range(8):
        sums[i] = 0
    while k + 8 <= n:
        for i in range(8):
            sums[i] += <double>a[k + i] * <double>b[k + i]
        k += 8
    for i in range(8):
        total += sums[i]
    for i in range(k, n):
        total += <double>a[i] * <double>b[i]
    return total


cdef double weighted_loss(const CrossEntropy *p, const char *x, Py_ssize_t label, double loss, double all_) noexcept nogil:
    """-sum over k of q[k] weight[k] log p[k] from `loss` = -log p[label] and the sum of the weights."""
    cdef double products, log_sum = loss + get(x, p.u.item, label)
    cdef double own = (1 - p.smoothing) * get(p.weight, p.u.item, label) * loss
    if p.smoothing == 0:
        return own
    if p.u.item == 4:
        products = product_sum(<const float *>p.weight, <const float *>x, p.classes)
    else:
        products = product_sum(<const double *>p.weight, <const double *>x, p.classes)
    return own + p.smoothing / p.classes * (all_ * log_sum - products)


cdef void spread(floating *out, const floating *probs, const floating *weight, Py_ssize_t n, Py_ssize_t label, double scale,
                 double low, double own) noexcept nogil:
    """out[k] = scale probs[k] - low weight[k], less `own` at the label."""
    cdef Py_ssize_t k
    cdef floating a = <floating>scale, b = <floating>low
    cdef double at_label = scale * probs[label] - low * weight[label] - own
    for k in range(n):
        out[k] = a * probs[k] - b * weight[k]
    out[label] = <floating>at_label


cdef void weighted_gradient(const CrossEntropy *p, char *out, const char *probs, Py_ssize_t label, double dloss,
                            double all_) noexcept nogil:
    """dlogits[k] = dloss (p[k] sum(q weight) - q[k] weight[k]), q the smoothed one-hot label."""
    cdef double low = p.smoothing / p.classes, own = (1 - p.smoothing) * get(p.weight, p.u.item, label)
    if p.smoothing == 0:
        p.u.cross_entropy_gradient_row(out, probs, p.classes, label, dloss * own, 0)
    elif p.u.item == 4:
        spread(<float *>out, <const float *>probs, <const float *>p.weight, p.classes, label, dloss * (own + low * all_),
               dloss * low, dloss * own)
    else:
        spread(<double *>out, <const double *>probs, <const double *>p.weight, p.classes, label, dloss * (own + low * all_),
               dloss * low, dloss * own)


cdef int forward_all(const void *job) noexcept nogil:
    cdef const CrossEntropy *p = <const CrossEntropy *>job
    cdef Py_ssize_t i, at, n = counted(p)
    cdef double total = 0, all_ = 0, loss
    cdef unsigned long long floats = 0
    cdef bint skip
    if n < 0:
        return 1
    if p.weight != NULL:
        all_ = class_sum(p)
    with parallel(num_threads=p.threads):
        floats = fc_flush()
        for i in prange(p.samples, schedule="static"):
            at = i * p.classes * p.u.item
            skip = p.label[i] == p.ignored
            loss = p.u.cross_entropy_row(p.out + at, p.x + at, p.classes, 0 if skip else p.label[i],
                                         p.smoothing if p.weight == NULL else 0)
            if skip:
                loss = 0
            elif p.weight != NULL:
                loss = weighted_loss(p, p.x + at, p.label[i], loss, all_)
            p.each[i] = loss
        fc_restore(floats)
    for i in range(p.samples):
        if p.reduction == NONE:
            put(p.loss, p.u.item, i, p.each[i])
        total += p.each[i]
    put_total(p.loss, p.u.item, p.reduction, total, divisor(p, n))
    return 0


cdef int backward_all(const void *job) noexcept nogil:
    cdef const CrossEntropy *p = <const CrossEntropy *>job
    cdef Py_ssize_t i, at, n = counted(p)
    cdef double share, count, all_ = 0
    cdef unsigned long long floats = 0
    if n < 0:
        return 1
    count = divisor(p, n)
    if p.weight != NULL:
        all_ = class_sum(p)
    with parallel(num_threads=p.threads):
        floats = fc_flush()
        for i in prange(p.samples, schedule="static"):
            at = i * p.classes * p.u.item
            share = get(p.loss, p.u.item, i if p.reduction == NONE else 0)
            if p.reduction == MEAN:
                share = share / count if count else 0
            if p.label[i] == p.ignored:
                share = 0
            if p.weight != NULL and p.label[i] != p.ignored:
                weighted_gradient(p, p.out + at, p.x + at, p.label[i], share, all_)
            else:
                p.u.cross_entropy_gradient_row(p.out + at, p.x + at, p.classes, 0 if p.label[i] == p.ignored else p.label[i],
                                               share, p.smoothing)
        fc_restore(floats)
    return 0


cdef object refusal(str op, cnp.ndarray target, Py_ssize_t classes, Py_ssize_t ignored):
    """A function that raises the error for a label that is no class."""
    def explain():
        wrong = target[(target != ignored) & ((target < 0) | (target >= classes))]
        raise ArgumentError(f"{op}: target must be between 0 and {classes - 1}, got {wrong[0]} "
                            f"(x.shape={(target.size, classes)}, target.shape={np.shape(target)})")
    return explain


cdef cnp.ndarray matrix(str op, object array, str name, int threads):
    cdef cnp.ndarray a = ready(array, op, name)
    if a.ndim != 2:
        raise ShapeError(f"{op}: {name} must be (samples, classes), got {name}.shape={np.shape(array)}")
    return ordered(a, threads)


cdef cnp.ndarray labels(str op, object target, Py_ssize_t samples):
    """Return the class numbers as int64."""
    cdef cnp.ndarray t = integers(target if cnp.PyArray_Check(target) else np.asarray(target))
    if t.ndim != 1 or cnp.PyArray_DIM(t, 0) != samples:
        raise ShapeError(f"{op}: target must be ({samples},), got target.shape={np.shape(target)}")
    return t


cdef cnp.ndarray class_weights(str op, object weight, cnp.ndarray x, int threads):
    """Return the weights of the classes in a row, or None."""
    if weight is None:
        return None
    cdef cnp.ndarray w = ready(weight, op, "weight", x.descr)
    if w.ndim != 1 or cnp.PyArray_DIM(w, 0) != cnp.PyArray_DIM(x, 1):
        raise ShapeError(f"{op}: weight must be ({cnp.PyArray_DIM(x, 1)},), got weight.shape={np.shape(w)}")
    return ordered(w, threads)


cdef int describe(CrossEntropy *p, cnp.ndarray out, cnp.ndarray loss, cnp.ndarray x, cnp.ndarray t, cnp.ndarray w,
                  Py_ssize_t ignored, str reduction, double cost, int threads) except -1:
    p.u, p.each, p.smoothing, p.weight = table(cnp.PyArray_ITEMSIZE(x)), NULL, 0, NULL
    p.out, p.loss = NULL if out is None else cnp.PyArray_BYTES(out), cnp.PyArray_BYTES(loss)
    p.x, p.label = NULL if x is None else cnp.PyArray_BYTES(x), <const int64_t *>cnp.PyArray_BYTES(t)
    p.samples, p.classes, p.ignored = cnp.PyArray_DIM(x, 0), cnp.PyArray_DIM(x, 1), ignored
    if w is not None:
        p.weight = cnp.PyArray_BYTES(w)
    p.reduction, p.threads = reduction_of("cross_entropy", reduction), crew(cost * x.size * p.u.item, threads)
    return 0


cdef cnp.ndarray loss_gradient(str op, object dloss, object dtype, Py_ssize_t samples, str reduction, int threads):
    cdef cnp.ndarray g = ready(dloss, op, "dloss", dtype)
    if np.shape(g) != ((samples,) if reduction == "none" else ()):
        raise ShapeError(f"{op}: dloss must be ({samples},), or () when reduced, got dloss.shape={np.shape(dloss)}")
    return ordered(g, threads)


def cross_entropy_forward(logits, target, double label_smoothing=0.0, weight=None, Py_ssize_t ignore_index=-100,
                          str reduction="none", *, int threads=1):
    """Return (loss, probs) in the dtype of logits, loss (samples,) or () when reduced, probs (samples, classes).

    loss = -sum over k of weight[k] q[k] log p[k], p = softmax(logits), q = (1 - label_smoothing) onehot(target)
    + label_smoothing / classes; 0 where target is `ignore_index`. "sum" adds them in float64, in order; "mean" divides by the
    number of samples that are not ignored, or by the sum of weight[target].
    """
    cdef cnp.ndarray a = matrix("cross_entropy", logits, "logits", threads)
    cdef Py_ssize_t samples = cnp.PyArray_DIM(a, 0), classes = cnp.PyArray_DIM(a, 1)
    cdef cnp.ndarray t = labels("cross_entropy", target, samples), w = class_weights("cross_entropy", weight, a, threads)
    cdef cnp.ndarray probs = empty_of(2, a.shape, cnp.PyArray_TYPE(a))
    cdef cnp.ndarray loss = empty_of(1 if reduction == "none" else 0, a.shape, cnp.PyArray_TYPE(a))
    cdef Block each = block(samples * sizeof(double))
    cdef CrossEntropy p
    describe(&p, probs, loss, a, t, w, ignore_index, reduction, EXP_COST * 2.0, threads)
    p.each, p.smoothing = <double *>each.data, label_smoothing
    emit(forward_all, &p, sizeof(p), (loss, probs, a, t, w), refusal("cross_entropy", t, classes, ignore_index))
    return loss, probs


def cross_entropy_backward(dloss, probs, target, double label_smoothing=0.0, weight=None, Py_ssize_t ignore_index=-100,
                           str reduction="none", *, int threads=1):
    """Return dlogits = dloss (sum(weight q) probs - weight q), (samples, classes), zero where target is `ignore_index`.

    `dloss` is (samples,) or () when reduced, in the dtype of probs.
    """
    cdef cnp.ndarray a = matrix("cross_entropy", probs, "probs", threads)
    cdef Py_ssize_t samples = cnp.PyArray_DIM(a, 0), classes = cnp.PyArray_DIM(a, 1)
    cdef cnp.ndarray t = labels("cross_entropy", target, samples), w = class_weights("cross_entropy", weight, a, threads)
    cdef cnp.ndarray g = loss_gradient("cross_entropy", dloss, a.descr, samples, reduction, threads)
    cdef cnp.ndarray dlogits = empty_of(2, a.shape, cnp.PyArray_TYPE(a))
    cdef CrossEntropy p
    describe(&p, dlogits, g, a, t, w, ignore_index, reduction, 2.0, threads)
    p.smoothing = label_smoothing
    emit(backward_all, &p, sizeof(p), (dlogits, a, g, t, w), refusal("cross_entropy", t, classes, ignore_index))
    return dlogits


cdef int likelihood_all(const void *job) noexcept nogil:
    cdef const CrossEntropy *p = <const CrossEntropy *>job
    cdef Py_ssize_t i, n = counted(p)
    cdef double total = 0, loss
    if n < 0:
        return 1
    for i in range(p.samples):
        loss = 0
        if p.label[i] != p.ignored:
            loss = -get(p.x, p.u.item, i * p.classes + p.label[i]) * weight_of(p, p.label[i])
        if p.reduction == NONE:
            put(p.loss, p.u.item, i, loss)
        total += loss
    put_total(p.loss, p.u.item, p.reduction, total, divisor(p, n))
    return 0


cdef int likelihood_gradient_all(const void *job) noexcept nogil:
    cdef const CrossEntropy *p = <const CrossEntropy *>job
    cdef Py_ssize_t i, n = counted(p)
    cdef double share, count
    if n < 0:
        return 1
    memset(p.out, 0, p.samples * p.classes * p.u.item)
    count = divisor(p, n) if p.reduction == MEAN else 1
    for i in range(p.samples):
        if p.label[i] == p.ignored:
            continue
        share = -get(p.loss, p.u.item, i if p.reduction == NONE else 0) * weight_of(p, p.label[i]) / (count if count else 1)
        if p.u.item == 4:
            (<float *>p.out)[i * p.classes + p.label[i]] = <float>share
        else:
            (<double *>p.out)[i * p.classes + p.label[i]] = share
    return 0


def nll_loss_forward(x, target, *, weight=None, Py_ssize_t ignore_index=-100, str reduction="none", int threads=1):
    """Return -weight[target] x[sample, target], (samples,) or () when reduced as in `cross_entropy_forward`."""
    cdef cnp.ndarray a = matrix("nll_loss", x, "x", threads)
    cdef Py_ssize_t samples = cnp.PyArray_DIM(a, 0), classes = cnp.PyArray_DIM(a, 1)
    cdef cnp.ndarray t = labels("nll_loss", target, samples), w = class_weights("nll_loss", weight, a, threads)
    cdef cnp.ndarray loss = empty_of(1 if reduction == "none" else 0, a.shape, cnp.PyArray_TYPE(a))
    cdef CrossEntropy p
    describe(&p, None, loss, a, t, w, ignore_index, reduction, 1.0, 1)
    emit(likelihood_all, &p, sizeof(p), (loss, a, t, w), refusal("nll_loss", t, classes, ignore_index))
    return loss


def nll_loss_backward(dloss, x, target, *, weight=None, Py_ssize_t ignore_index=-100, str reduction="none", int threads=1):
    """Return dx (samples, classes), zero but for the classes in target; `x` gives shape and dtype, its values are not read."""
    cdef cnp.ndarray a = matrix("nll_loss", x, "x", threads)
    cdef Py_ssize_t samples = cnp.PyArray_DIM(a, 0), classes = cnp.PyArray_DIM(a, 1)
    cdef cnp.ndarray t = labels("nll_loss", target, samples), w = class_weights("nll_loss", weight, a, threads)
    cdef cnp.ndarray g = loss_gradient("nll_loss", dloss, a.descr, samples, reduction, threads)
    cdef cnp.ndarray dx = empty_of(2, a.shape, cnp.PyArray_TYPE(a))
    cdef CrossEntropy p
    describe(&p, dx, g, a, t, w, ignore_index, reduction, 1.0, 1)
    emit(likelihood_gradient_all, &p, sizeof(p), (dx, g, t, w), refusal("nll_loss", t, classes, ignore_index))
    return dx
