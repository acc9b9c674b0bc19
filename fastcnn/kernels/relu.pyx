"""kernels.relu: max(x, 0) and its gradient on flat memory."""

import numpy as np

cimport numpy as cnp
from cython.parallel cimport prange

from fastcnn.errors import DtypeError, ShapeError

from fastcnn.kernels.gemm cimport ready
from fastcnn.kernels.layout cimport channels_last, crew, exceeds_cache
from fastcnn.kernels.memory cimport empty_like_shape, empty_nchw
from fastcnn.kernels.micro cimport fc_ukr, table

cnp.import_array()

cdef enum:
    RUN = 16384  # values of one task


cdef cnp.ndarray flat(object array, str name, int threads):
    """`array` with its values in a row: images channels-last, other ranks in C order."""
    cdef cnp.ndarray x = ready(np.asanyarray(array), "relu", name)
    if x.ndim == 4:
        return channels_last(x, "relu", name, threads)
    return x if x.flags.c_contiguous else np.ascontiguousarray(x)


cdef cnp.ndarray result(cnp.ndarray x):
    if x.ndim == 4:
        return empty_nchw(cnp.PyArray_DIM(x, 0), cnp.PyArray_DIM(x, 1), cnp.PyArray_DIM(x, 2), cnp.PyArray_DIM(x, 3), x.dtype.num)
    return empty_like_shape(np.shape(x), x.dtype.num) if x.ndim <= 8 else np.empty_like(x)


def relu_forward(x, *, int threads=1):
    """Return max(x, 0), NaN stays NaN. Any rank; an image comes back channels-last, other ranks in C order."""
    cdef cnp.ndarray a = flat(x, "x", threads), y = result(a)
    cdef const fc_ukr *u = table(a.itemsize)
    cdef const char *src = cnp.PyArray_BYTES(a)
    cdef char *dst = cnp.PyArray_BYTES(y)
    cdef Py_ssize_t n = a.size, t
    cdef bint past_cache = exceeds_cache(<double>n * u.item)
    threads = crew(2.0 * n * u.item, threads)
    with nogil:
        for t in prange((n + RUN - 1) // RUN, num_threads=threads, schedule="static"):
            u.relu(dst + t * RUN * u.item, src + t * RUN * u.item, min(<Py_ssize_t>RUN, n - t * RUN), past_cache)
    return y


def relu_backward(dy, y, *, int threads=1):
    """Return dy where y > 0, else 0; `y` is the output of the forward pass. Memory order as in relu_forward."""
    cdef cnp.ndarray g = flat(dy, "dy", threads), out = flat(y, "y", threads), dx
    if np.shape(g) != np.shape(out):
        raise ShapeError(f"relu: dy must be like y, got dy.shape={np.shape(g)}, y.shape={np.shape(out)}")
    if g.dtype != out.dtype:
        raise DtypeError(f"relu: dy must be like y, got {g.dtype} and {out.dtype}")
    dx = result(g)
    cdef const fc_ukr *u = table(g.itemsize)
    cdef const char *src = cnp.PyArray_BYTES(g)
    cdef const char *mask = cnp.PyArray_BYTES(out)
    cdef char *dst = cnp.PyArray_BYTES(dx)
    cdef Py_ssize_t n = g.size, t
    cdef bint past_cache = exceeds_cache(<double>n * u.item)
    threads = crew(3.0 * n * u.item, threads)
    with nogil:
        for t in prange((n + RUN - 1) // RUN, num_threads=threads, schedule="static"):
            u.relu_mask(dst + t * RUN * u.item, src + t * RUN * u.item, mask + t * RUN * u.item,
                        min(<Py_ssize_t>RUN, n - t * RUN), past_cache)
    return dx
