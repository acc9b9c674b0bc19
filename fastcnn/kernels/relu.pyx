"""kernels.relu: max(x, 0) and its gradient on flat memory."""

import numpy as np

cimport numpy as cnp
from cython.parallel cimport prange

from fastcnn.errors import DtypeError, ShapeError

from fastcnn.kernels.entry cimport emit
from fastcnn.kernels.gemm cimport ready
from fastcnn.kernels.layout cimport channels_last, crew, exceeds_cache
from fastcnn.kernels.memory cimport empty_nchw, empty_of
from fastcnn.kernels.micro cimport fc_ukr, table
from fastcnn.kernels.strided cimport fits, ordered

cnp.import_array()

cdef enum:
    RUN = 16384  # values of one task


cdef struct Relu:
    const fc_ukr *u
    char *out
    const char *x            # IN   x forward, dy backward
    const char *y            # IN   backward only, else NULL
    Py_ssize_t n
    bint past_cache
    int threads


cdef int relu_all(const void *job) noexcept nogil:
    """Comparisons only, which cost nothing on denormals: the floating-point state stays, denormals pass as they are."""
    cdef const Relu *p = <const Relu *>job
    cdef Py_ssize_t t, at, count
    for t in prange((p.n + RUN - 1) // RUN, num_threads=p.threads, schedule="static"):
        at = t * RUN * p.u.item
        count = min(<Py_ssize_t>RUN, p.n - t * RUN)
        if p.y == NULL:
            p.u.relu(p.out + at, p.x + at, count, p.past_cache)
        else:
            p.u.relu_mask(p.out + at, p.x + at, p.y + at, count, p.past_cache)
    return 0


cdef cnp.ndarray flat(object array, str name, int threads):
    """`array` with its values in a row: images channels-last, other ranks in C order."""
    cdef cnp.ndarray x = ready(array if cnp.PyArray_Check(array) else np.asanyarray(array), "relu", name)
    return channels_last(x, "relu", name, threads) if x.ndim == 4 else ordered(x, threads)


cdef cnp.ndarray result(cnp.ndarray x):
    if x.ndim == 4:
        return empty_nchw(cnp.PyArray_DIM(x, 0), cnp.PyArray_DIM(x, 1), cnp.PyArray_DIM(x, 2), cnp.PyArray_DIM(x, 3),
                          cnp.PyArray_TYPE(x))
    return empty_of(x.ndim, x.shape, cnp.PyArray_TYPE(x))


def relu_forward(x, *, int threads=1):
    """Return max(x, 0), NaN stays NaN. Any rank; an image comes back channels-last, other ranks in C order."""
    cdef cnp.ndarray a = flat(x, "x", threads), y = result(a)
    cdef Relu p
    p.u, p.out, p.x, p.y, p.n = table(cnp.PyArray_ITEMSIZE(a)), cnp.PyArray_BYTES(y), cnp.PyArray_BYTES(a), NULL, a.size
    p.past_cache, p.threads = exceeds_cache(<double>p.n * p.u.item), crew(2.0 * p.n * p.u.item, threads)
    emit(relu_all, &p, sizeof(p), (y, a))
    return y


def relu_backward(dy, y, *, int threads=1):
    """Return dy where y > 0, else 0; `y` is the output of the forward pass. Memory order as in relu_forward."""
    cdef cnp.ndarray g = flat(dy, "dy", threads), out = flat(y, "y", threads), dx
    cdef Relu p
    if not fits(g, out):
        if np.shape(g) != np.shape(out):
            raise ShapeError(f"relu: dy must be like y, got dy.shape={np.shape(g)}, y.shape={np.shape(out)}")
        raise DtypeError(f"relu: dy must be like y, got {g.dtype} and {out.dtype}")
    dx = result(g)
    p.u, p.out, p.x = table(cnp.PyArray_ITEMSIZE(g)), cnp.PyArray_BYTES(dx), cnp.PyArray_BYTES(g)
    p.y, p.n = cnp.PyArray_BYTES(out), g.size
    p.past_cache, p.threads = exceeds_cache(<double>p.n * p.u.item), crew(3.0 * p.n * p.u.item, threads)
    emit(relu_all, &p, sizeof(p), (dx, g, out))
    return dx
