"""kernels.softmax: softmax of rows and its logarithm, and their gradients."""

import numpy as np

cimport numpy as cnp
from cython.parallel cimport parallel, prange

from fastcnn.errors import DtypeError, ShapeError

from fastcnn.kernels.entry cimport emit, fc_flush, fc_restore
from fastcnn.kernels.gemm cimport ready
from fastcnn.kernels.layout cimport crew
from fastcnn.kernels.memory cimport empty_of
from fastcnn.kernels.micro cimport fc_ukr, table
from fastcnn.kernels.strided cimport fits, ordered

cnp.import_array()

cdef enum:
    EXP_COST = 4  # an exponential costs about as much as streaming this many values


cdef struct Softmax:
    const fc_ukr *u
    char *out         # OUT  y; backward: dx   [rows][n]
    const char *x     # IN   x; backward: y    [rows][n]
    const char *dy    # IN   backward          [rows][n]
    Py_ssize_t rows, n
    bint logarithm
    int threads


cdef int softmax_all(const void *job) noexcept nogil:
    cdef const Softmax *p = <const Softmax *>job
    cdef Py_ssize_t i, row = p.n * p.u.item
    cdef unsigned long long floats = 0
    with parallel(num_threads=p.threads):
        floats = fc_flush()
        for i in prange(p.rows, schedule="static"):
            if p.dy == NULL:
                p.u.softmax_row(p.out + i * row, p.x + i * row, p.n, p.logarithm)
            else:
                p.u.softmax_gradient_row(p.out + i * row, p.dy + i * row, p.x + i * row, p.n, p.logarithm)
        fc_restore(floats)
    return 0


cdef cnp.ndarray matrix(object array, str name, int threads):
    cdef cnp.ndarray a = ready(array, "softmax", name)
    if a.ndim != 2:
        raise ShapeError(f"softmax: {name} must be (rows, values), got {name}.shape={np.shape(array)}")
    return ordered(a, threads)


cdef cnp.ndarray run(cnp.ndarray x, cnp.ndarray dy, bint logarithm, int threads):
    cdef cnp.ndarray out = empty_of(2, x.shape, cnp.PyArray_TYPE(x))
    cdef Softmax p
    if x.size == 0:
        return out
    p.u, p.out, p.x, p.dy = table(cnp.PyArray_ITEMSIZE(x)), cnp.PyArray_BYTES(out), cnp.PyArray_BYTES(x), NULL
    if dy is not None:
        p.dy = cnp.PyArray_BYTES(dy)
    p.rows, p.n, p.logarithm = cnp.PyArray_DIM(x, 0), cnp.PyArray_DIM(x, 1), logarithm
    p.threads = crew(EXP_COST * 2.0 * x.size * p.u.item, threads)
    emit(softmax_all, &p, sizeof(p), (out, x, dy))
    return out


def softmax_forward(x, bint logarithm=False, *, int threads=1):
    """Return softmax(x) of each row of x (rows, values), or its logarithm; float32 or float64."""
    return run(matrix(x, "x", threads), None, logarithm, threads)


def softmax_backward(dy, y, bint logarithm=False, *, int threads=1):
    """Return dx = y (dy - sum(dy y)), or dy - exp(y) sum(dy) for the logarithm; y is the result of forward."""
    cdef cnp.ndarray a = matrix(y, "y", threads), g = matrix(dy, "dy", threads)
    if not fits(g, a):
        if np.shape(a) != np.shape(g):
            raise ShapeError(f"softmax: dy must be like y, got dy.shape={np.shape(g)}, y.shape={np.shape(a)}")
        raise DtypeError(f"softmax: dy must be like y, got {g.dtype} and {a.dtype}")
    return run(a, g, logarithm, threads)
