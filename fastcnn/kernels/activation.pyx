"""kernels.activation: elementwise activations and their gradients on flat memory; the formulas stand in ukr/activation.h."""

import numpy as np

cimport numpy as cnp
from cython.parallel cimport prange

from fastcnn.errors import ArgumentError, DtypeError, ShapeError

from fastcnn.kernels.gemm cimport ready
from fastcnn.kernels.layout cimport channels_last, crew, exceeds_cache
from fastcnn.kernels.memory cimport empty_like_shape, empty_nchw
from fastcnn.kernels.micro cimport (
    FC_CLAMP, FC_ELU, FC_GELU, FC_GELU_TANH, FC_HARDSIGMOID, FC_HARDSWISH, FC_LEAKY_RELU, FC_RELU6, FC_SIGMOID, FC_SILU,
    FC_SOFTPLUS, FC_TANH, fc_activation_job, fc_ukr, table,
)

cnp.import_array()

cdef enum:
    RUN = 16384   # values of one task
    COST = 4      # an exponential and a division cost about as much as streaming this many values

KINDS = {
    "clamp": FC_CLAMP,
    "relu6": FC_RELU6,
    "leaky_relu": FC_LEAKY_RELU,
    "elu": FC_ELU,
    "sigmoid": FC_SIGMOID,
    "tanh": FC_TANH,
    "silu": FC_SILU,
    "gelu": FC_GELU,
    "gelu_tanh": FC_GELU_TANH,
    "hardsigmoid": FC_HARDSIGMOID,
    "hardswish": FC_HARDSWISH,
    "softplus": FC_SOFTPLUS,
}


cdef cnp.ndarray flat(object array, str op, str name, int threads):
    """`array` with its values in a row: images channels-last, other ranks in C order."""
    cdef cnp.ndarray x = ready(np.asanyarray(array), op, name)
    if x.ndim == 4:
        return channels_last(x, op, name, threads)
    return x if x.flags.c_contiguous else np.ascontiguousarray(x)


cdef cnp.ndarray result(cnp.ndarray x):
    if x.ndim == 4:
        return empty_nchw(cnp.PyArray_DIM(x, 0), cnp.PyArray_DIM(x, 1), cnp.PyArray_DIM(x, 2), cnp.PyArray_DIM(x, 3), x.dtype.num)
    return empty_like_shape(np.shape(x), x.dtype.num) if x.ndim <= 8 else np.empty_like(x)


cdef int number(str kind) except -1:
    try:
        return KINDS[kind]
    except KeyError:
        raise ArgumentError(f"activation: kind must be one of {', '.join(KINDS)}, got {kind!r}") from None


cdef void run(fc_activation_job all_, Py_ssize_t item, const fc_ukr *u, Py_ssize_t n, int threads) noexcept nogil:
    """Cut the job into tasks of RUN values."""
    cdef Py_ssize_t t
    all_.past_cache = exceeds_cache(<double>n * item)
    for t in prange((n + RUN - 1) // RUN, num_threads=threads, schedule="static"):
        run_one(all_, item, u, t * RUN, min(<Py_ssize_t>RUN, n - t * RUN))


cdef void run_one(fc_activation_job job, Py_ssize_t item, const fc_ukr *u, Py_ssize_t at, Py_ssize_t n) noexcept nogil:
    job.out = <char *>job.out + at * item
    job.x = <const char *>job.x + at * item
    if job.dy != NULL:
        job.dy = <const char *>job.dy + at * item
    job.n = n
    u.activation(&job)


def activation_forward(x, str kind, double p=0, double q=0, *, int threads=1):
    """Return the activation `kind` with parameters p and q of any array; an image comes back channels-last."""
    cdef cnp.ndarray a = flat(x, kind, "x", threads), y = result(a)
    cdef fc_activation_job job
    cdef const fc_ukr *u = table(a.itemsize)
    cdef Py_ssize_t n = a.size
    job.kind, job.p, job.q = number(kind), p, q
    job.out, job.dy, job.x = cnp.PyArray_BYTES(y), NULL, cnp.PyArray_BYTES(a)
    threads = crew(COST * 2.0 * n * u.item, threads)
    with nogil:
        run(job, u.item, u, n, threads)
    return y


def activation_backward(dy, x, str kind, double p=0, double q=0, *, int threads=1):
    """Return the gradient; `x` is the result of forward for sigmoid and tanh, its input for the others."""
    cdef cnp.ndarray g = flat(dy, kind, "dy", threads), a = flat(x, kind, "x", threads), dx
    if np.shape(g) != np.shape(a):
        raise ShapeError(f"{kind}: dy must be like x, got dy.shape={np.shape(g)}, x.shape={np.shape(a)}")
    if g.dtype != a.dtype:
        raise DtypeError(f"{kind}: dy must be like x, got {g.dtype} and {a.dtype}")
    dx = result(g)
    cdef fc_activation_job job
    cdef const fc_ukr *u = table(g.itemsize)
    cdef Py_ssize_t n = g.size
    job.kind, job.p, job.q = number(kind), p, q
    job.out, job.dy, job.x = cnp.PyArray_BYTES(dx), cnp.PyArray_BYTES(g), cnp.PyArray_BYTES(a)
    threads = crew(COST * 3.0 * n * u.item, threads)
    with nogil:
        run(job, u.item, u, n, threads)
    return dx
