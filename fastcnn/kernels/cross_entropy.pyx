"""kernels.cross_entropy: softmax cross-entropy with label smoothing, one pass per sample. [Szegedy2016]"""

import numpy as np

cimport numpy as cnp
from cython.parallel cimport prange

from fastcnn.errors import ArgumentError, ShapeError

from fastcnn.kernels.gemm cimport ready
from fastcnn.kernels.layout cimport crew
from fastcnn.kernels.memory cimport empty_like_shape
from fastcnn.kernels.micro cimport fc_ukr, table

cnp.import_array()


cdef enum:
    EXP_COST = 8  # an exponential costs about as much as streaming this many values


cdef cnp.ndarray matrix(object array, str name):
    cdef cnp.ndarray a = ready(array, "cross_entropy", name)
    if a.ndim != 2:
        raise ShapeError(f"cross_entropy: {name} must be (samples, classes), got {name}.shape={np.shape(array)}")
    return a if a.flags.c_contiguous else np.ascontiguousarray(a)


cdef cnp.ndarray labels(object target, Py_ssize_t samples, Py_ssize_t classes):
    """Return the class numbers as int64, checked: a kernel reads memory at them."""
    cdef cnp.ndarray t = np.ascontiguousarray(target, dtype=np.int64)
    cdef const cnp.int64_t *p = <const cnp.int64_t *>cnp.PyArray_BYTES(t)
    cdef Py_ssize_t i
    if t.ndim != 1 or cnp.PyArray_DIM(t, 0) != samples:
        raise ShapeError(f"cross_entropy: target must be ({samples},), got target.shape={np.shape(target)}")
    for i in range(samples):
        if p[i] < 0 or p[i] >= classes:
            raise ArgumentError(f"cross_entropy: target must be between 0 and {classes - 1}, got {p[i]}")
    return t


def cross_entropy_forward(logits, target, double label_smoothing=0.0, *, int threads=1):
    """Return (loss, probs) of shapes (samples,) and (samples, classes) in the dtype of logits.

    loss = -sum over k of q[k] log p[k], p = softmax(logits), q = (1 - label_smoothing) onehot(target)
    + label_smoothing / classes.
    """
    cdef cnp.ndarray a = matrix(logits, "logits")
    cdef Py_ssize_t samples = cnp.PyArray_DIM(a, 0), classes = cnp.PyArray_DIM(a, 1), i
    cdef cnp.ndarray t = labels(target, samples, classes)
    cdef cnp.ndarray probs = empty_like_shape((samples, classes), a.dtype.num), loss = np.empty(samples)
    cdef const fc_ukr *u = table(a.itemsize)
    cdef const char *src = cnp.PyArray_BYTES(a)
    cdef char *dst = cnp.PyArray_BYTES(probs)
    cdef const cnp.int64_t *label = <const cnp.int64_t *>cnp.PyArray_BYTES(t)
    cdef double *out = <double *>cnp.PyArray_BYTES(loss)
    threads = crew(EXP_COST * 2.0 * a.size * u.item, threads)
    with nogil:
        for i in prange(samples, num_threads=threads, schedule="static"):
            out[i] = u.cross_entropy_row(dst + i * classes * u.item, src + i * classes * u.item, classes, label[i],
                                         label_smoothing)
    return loss.astype(a.dtype, copy=False), probs


def cross_entropy_backward(dloss, probs, target, double label_smoothing=0.0, *, int threads=1):
    """Return dlogits = dloss[:, None] * (probs - q) of shape (samples, classes)."""
    cdef cnp.ndarray p = matrix(probs, "probs")
    cdef Py_ssize_t samples = cnp.PyArray_DIM(p, 0), classes = cnp.PyArray_DIM(p, 1), i
    cdef cnp.ndarray t = labels(target, samples, classes), g = np.ascontiguousarray(dloss, dtype=np.float64)
    if g.ndim != 1 or cnp.PyArray_DIM(g, 0) != samples:
        raise ShapeError(f"cross_entropy: dloss must be ({samples},), got dloss.shape={np.shape(dloss)}")
    cdef cnp.ndarray dlogits = empty_like_shape((samples, classes), p.dtype.num)
    cdef const fc_ukr *u = table(p.itemsize)
    cdef const char *src = cnp.PyArray_BYTES(p)
    cdef char *dst = cnp.PyArray_BYTES(dlogits)
    cdef const cnp.int64_t *label = <const cnp.int64_t *>cnp.PyArray_BYTES(t)
    cdef const double *weight = <const double *>cnp.PyArray_BYTES(g)
    threads = crew(2.0 * p.size * u.item, threads)
    with nogil:
        for i in prange(samples, num_threads=threads, schedule="static"):
            u.cross_entropy_gradient_row(dst + i * classes * u.item, src + i * classes * u.item, classes, label[i], weight[i],
                                         label_smoothing)
    return dlogits
