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
    FC_ABS, FC_CLAMP, FC_ELU, FC_EXP, FC_GELU, FC_GELU_TANH, FC_HARDSIGMOID, FC_HARDSWISH, FC_LEAKY_RELU, FC_LOG, FC_RELU6,
    FC_SIGMOID, FC_SILU, FC_SOFTPLUS, FC_SQRT, FC_TANH, fc_activation_job, fc_ukr, table,
)
from fastcnn.kernels.strided cimport copy_into, empty_in_order_of, ordered, same_order

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
PLAIN = {"exp": FC_EXP, "log": FC_LOG, "sqrt": FC_SQRT, "abs": FC_ABS}


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


cdef cnp.ndarray laid_like(cnp.ndarray like, object array, str op, str name, int threads):
    """`array` with the memory order of `like`, which is dense: itself, or a copy."""
    cdef cnp.ndarray x = ready(array, op, name, like.dtype), y
    if np.shape(x) != np.shape(like):
        raise ShapeError(f"{op}: {name} must have shape {np.shape(like)}, got {name}.shape={np.shape(x)}")
    if same_order(x, like):
        return x
    y = empty_in_order_of(like, like.dtype.num)
    copy_into(y, x, threads)
    return y


def plain_forward(x, str kind, *, int threads=1):
    """Return exp, log, sqrt or abs of any array, element by element; the result lies in memory as x does."""
    cdef cnp.ndarray a = ready(np.asanyarray(x), kind, "x"), y
    cdef Activation job
    if kind not in PLAIN:
        raise ArgumentError(f"plain_forward: kind must be one of {', '.join(PLAIN)}, got {kind!r}")
    y = empty_in_order_of(a, a.dtype.num)
    a = laid_like(y, a, kind, "x", threads)
    job.u, job.n, job.threads = table(a.itemsize), a.size, crew(COST * 2.0 * a.size * a.itemsize, threads)
    job.all_.kind, job.all_.p, job.all_.q = PLAIN[kind], 0, 0
    job.all_.out, job.all_.dy, job.all_.x = cnp.PyArray_BYTES(y), NULL, cnp.PyArray_BYTES(a)
    job.all_.past_cache = exceeds_cache(<double>a.size * a.itemsize)
    emit(run, &job, sizeof(job), (y, a))
    return y


def plain_backward(dy, saved, str kind, *, int threads=1):
    """Return the gradient in the memory order of `saved`: the result of forward for exp and sqrt, its input for log and abs."""
    cdef cnp.ndarray a = ready(np.asanyarray(saved), kind, "saved"), g, dx
    cdef Activation job
    if kind not in PLAIN:
        raise ArgumentError(f"plain_backward: kind must be one of {', '.join(PLAIN)}, got {kind!r}")
    dx = empty_in_order_of(a, a.dtype.num)
    a, g = laid_like(dx, a, kind, "saved", threads), laid_like(dx, dy, kind, "dy", threads)
    job.u, job.n, job.threads = table(g.itemsize), g.size, crew(COST * 3.0 * g.size * g.itemsize, threads)
    job.all_.kind, job.all_.p, job.all_.q = PLAIN[kind], 0, 0
    job.all_.out, job.all_.dy, job.all_.x = cnp.PyArray_BYTES(dx), cnp.PyArray_BYTES(g), cnp.PyArray_BYTES(a)
    job.all_.past_cache = exceeds_cache(<double>g.size * g.itemsize)
    emit(run, &job, sizeof(job), (dx, g, a))
    return dx
