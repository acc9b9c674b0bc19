"""kernels.activation: elementwise activations and their gradients on flat memory; the formulas stand in ukr/activation.h."""

import numpy as np

cimport numpy as cnp
from cython.parallel cimport parallel, prange

from fastcnn.errors import ArgumentError, DtypeError, ShapeError

from fastcnn.kernels.entry cimport emit, fc_flush, fc_restore
from fastcnn.kernels.gemm cimport ready
from fastcnn.kernels.layout cimport channels_last, crew, exceeds_cache
from fastcnn.kernels.memory cimport empty_like_shape, empty_nchw
from fastcnn.kernels.micro cimport (
    FC_CLAMP, FC_ELU, FC_GELU, FC_GELU_TANH, FC_HARDSIGMOID, FC_HARDSWISH, FC_LEAKY_RELU, FC_RELU6, FC_SIGMOID, FC_SILU,
    FC_SOFTPLUS, FC_TANH, fc_activation_job, fc_ukr, table,
)
from fastcnn.kernels.strided cimport ordered

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
    return ordered(x, threads)


cdef cnp.ndarray result(cnp.ndarray x):
    if x.ndim == 4:
        return empty_nchw(cnp.PyArray_DIM(x, 0), cnp.PyArray_DIM(x, 1), cnp.PyArray_DIM(x, 2), cnp.PyArray_DIM(x, 3), x.dtype.num)
    return empty_like_shape(np.shape(x), x.dtype.num) if x.ndim <= 8 else np.empty_like(x)


cdef int number(str kind) except -1:
    try:
        return KINDS[kind]
    except KeyError:
        raise ArgumentError(f"activation: kind must be one of {', '.join(KINDS)}, got {kind!r}") from None


cdef struct Activation:
    const fc_ukr *u
    fc_activation_job all_
    Py_ssize_t n
    int threads


cdef int run(const void *job) noexcept nogil:
    """Cut the job into tasks of RUN values."""
    cdef const Activation *p = <const Activation *>job
    cdef Py_ssize_t t
    cdef unsigned long long floats = 0
    with parallel(num_threads=p.threads):
        floats = fc_flush()
        for t in prange((p.n + RUN - 1) // RUN, schedule="static"):
            run_one(p.all_, p.u.item, p.u, t * RUN, min(<Py_ssize_t>RUN, p.n - t * RUN))
        fc_restore(floats)
    return 0


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
    cdef Activation job
    job.u, job.n, job.threads = table(a.itemsize), a.size, crew(COST * 2.0 * a.size * a.itemsize, threads)
    job.all_.kind, job.all_.p, job.all_.q = number(kind), p, q
    job.all_.out, job.all_.dy, job.all_.x = cnp.PyArray_BYTES(y), NULL, cnp.PyArray_BYTES(a)
    job.all_.past_cache = exceeds_cache(<double>a.size * a.itemsize)
    emit(run, &job, sizeof(job), (y, a))
    return y


def activation_backward(dy, x, str kind, double p=0, double q=0, *, int threads=1):
    """Return the gradient; `x` is the result of forward for sigmoid and tanh, its input for the others."""
    cdef cnp.ndarray g = flat(dy, kind, "dy", threads), a = flat(x, kind, "x", threads), dx
    if np.shape(g) != np.shape(a):
        raise ShapeError(f"{kind}: dy must be like x, got dy.shape={np.shape(g)}, x.shape={np.shape(a)}")
    if g.dtype != a.dtype:
        raise DtypeError(f"{kind}: dy must be like x, got {g.dtype} and {a.dtype}")
    dx = result(g)
    cdef Activation job
    job.u, job.n, job.threads = table(g.itemsize), g.size, crew(COST * 3.0 * g.size * g.itemsize, threads)
    job.all_.kind, job.all_.p, job.all_.q = number(kind), p, q
    job.all_.out, job.all_.dy, job.all_.x = cnp.PyArray_BYTES(dx), cnp.PyArray_BYTES(g), cnp.PyArray_BYTES(a)
    job.all_.past_cache = exceeds_cache(<double>g.size * g.itemsize)
    emit(run, &job, sizeof(job), (dx, g, a))
    return dx
