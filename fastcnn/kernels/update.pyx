"""kernels.update: one step of an optimizer on one parameter, in place, in one pass over memory.

Arrays are walked as flat memory: the gradient, and a state that is laid out otherwise, are first brought into the memory order
of the parameter. The formulas are PyTorch's. Threads get ranges of the memory: each value is computed alone.
"""

import numpy as np

cimport numpy as cnp
from cython.parallel cimport prange
from libc.math cimport pow, sqrt

from fastcnn.errors import ArgumentError, DtypeError, ShapeError

from fastcnn.kernels.layout cimport crew
from fastcnn.kernels.layout import to_contiguous
from fastcnn.kernels.micro cimport fc_adam, fc_rmsprop, fc_sgd, fc_ukr, table

cnp.import_array()

cdef enum:
    RUN = 16384  # values of one task


cdef bint same_order(cnp.ndarray a, cnp.ndarray b) noexcept:
    """Do equal offsets in memory hold equal indices? (Axes of size 1 have no order.)"""
    cdef int i
    for i in range(a.ndim):
        if cnp.PyArray_DIM(a, i) != 1 and cnp.PyArray_STRIDE(a, i) != cnp.PyArray_STRIDE(b, i):
            return False
    return True


cdef bint is_dense(cnp.ndarray a) noexcept:
    """Is the memory of a one run without holes, in any order of the axes?"""
    cdef Py_ssize_t step = a.itemsize
    cdef int i, found = 0, before = -1
    cdef bint used[32]
    for i in range(a.ndim):
        used[i] = cnp.PyArray_DIM(a, i) == 1
        found += used[i]
    while found < a.ndim and found != before:
        before = found
        for i in range(a.ndim):
            if not used[i] and cnp.PyArray_STRIDE(a, i) == step:
                used[i] = True
                found += 1
                step *= cnp.PyArray_DIM(a, i)
                break
    return found == a.ndim


cdef cnp.ndarray parameter(object p, str op):
    """p itself if a kernel can change it in place, else a dense copy that `give_back` returns."""
    cdef cnp.ndarray a = p
    if a.dtype.char not in "fd" or not a.dtype.isnative:
        raise DtypeError(f"{op}: the parameter must be float32 or float64, got {a.dtype}")
    if not a.flags.writeable:
        raise ArgumentError(f"{op}: the parameter is read-only (shape {np.shape(a)})")
    if a.ndim > 32:
        raise ShapeError(f"{op}: the parameter has {a.ndim} axes, the most is 32")
    return a if is_dense(a) and a.flags.aligned else np.array(a, order="K")


cdef cnp.ndarray in_order_of(object array, cnp.ndarray p, str op, str name, int threads):
    """`array` in the memory order of p: itself, or a copy."""
    cdef cnp.ndarray a = array, out
    if np.shape(a) != np.shape(p):
        raise ShapeError(f"{op}: {name} must have the shape of the parameter, got {np.shape(a)} and {np.shape(p)}")
    if a.dtype == p.dtype and same_order(a, p) and a.flags.aligned:
        return a
    if a.dtype == p.dtype and a.ndim == 4 and p.flags.c_contiguous:
        return to_contiguous(a, threads=threads)
    out = np.empty_like(p)  # keeps the order of the axes in memory
    out[...] = a
    return out


cdef cnp.ndarray state(object array, cnp.ndarray p, str op, str name, int threads):
    """The state of an optimizer in the memory order of p; None stays None."""
    if array is None:
        return None
    if array.dtype != p.dtype or not array.flags.writeable:
        raise ArgumentError(f"{op}: {name} must be writeable {p.dtype}, got {array.dtype}")
    return in_order_of(array, p, op, name, threads)


cdef char *memory(cnp.ndarray a) noexcept:
    return NULL if a is None else cnp.PyArray_BYTES(a)


cdef inline Py_ssize_t head_of(const char *p, Py_ssize_t item) noexcept nogil:
    """Values before the first boundary of a cache line. NumPy's arrays start between two: vectors that cross lines cost twice
    the time here (measured: 574 against 303 us for SGD on 2.4 million values).
    """
    return (64 - <size_t>p % 64) % 64 // item


cdef inline Py_ssize_t task_start(Py_ssize_t t, Py_ssize_t head, Py_ssize_t n) noexcept nogil:
    """Where task t begins: task 0 is the head, the others are runs."""
    return 0 if t == 0 else min(n, head + (t - 1) * RUN)


cdef inline char *after(char *p, Py_ssize_t nbytes) noexcept nogil:
    return p + nbytes if p != NULL else NULL


cdef int give_back(object array, cnp.ndarray worked) except -1:
    """Copy the result to where the caller has it, when it was computed elsewhere."""
    if array is not worked:
        array[...] = worked
    return 0


def sgd(p, grad, momentum_buffer, *, double lr, double momentum=0.0, double dampening=0.0, double weight_decay=0.0,
        bint nesterov=False, bint first=False, int threads=1):
    """p -= lr * d, d = grad + weight_decay * p, or with a momentum buffer d = buffer = momentum * buffer + (1 - dampening) * d.

    `momentum_buffer` is None without momentum; `first` starts it as d; `nesterov` steps along d + momentum * buffer.
    Changes p and the buffer.
    """
    cdef cnp.ndarray a = parameter(p, "sgd"), g = in_order_of(grad, a, "sgd", "grad", threads)
    cdef cnp.ndarray b = state(momentum_buffer, a, "sgd", "momentum_buffer", threads)
    cdef fc_sgd o
    cdef char *at = memory(a)
    cdef char *buf = memory(b)
    cdef const char *source = memory(g)
    cdef const fc_ukr *u = table(a.itemsize)
    cdef Py_ssize_t n = a.size, head = head_of(at, u.item), t, i, count
    o.lr, o.momentum, o.dampening, o.weight_decay, o.nesterov, o.first = lr, momentum, dampening, weight_decay, nesterov, first
    threads = crew(5.0 * n * u.item, threads)
    with nogil:
        for t in prange((n + RUN - 1) // RUN + 1, num_threads=threads, schedule="static"):
            i = task_start(t, head, n) * u.item
            count = task_start(t + 1, head, n) - task_start(t, head, n)
            u.sgd(at + i, source + i, after(buf, i), count, &o)
    give_back(p, a)
    give_back(momentum_buffer, b)


def rmsprop(p, grad, square_avg, grad_avg=None, momentum_buffer=None, *, double lr, double alpha=0.99, double eps=1e-8,
            double momentum=0.0, double weight_decay=0.0, int threads=1):
    """square_avg = alpha * square_avg + (1 - alpha) * d^2, d = grad + weight_decay * p; p -= lr * d / (sqrt(square_avg) + eps).

    `grad_avg` (centred form) is the running mean of d, whose square is subtracted under the root; with a `momentum_buffer`
    the step is buffer = momentum * buffer + d / (...). Changes p and the three states.
    """
    cdef cnp.ndarray a = parameter(p, "rmsprop"), g = in_order_of(grad, a, "rmsprop", "grad", threads)
    cdef cnp.ndarray s = state(square_avg, a, "rmsprop", "square_avg", threads)
    cdef cnp.ndarray m = state(grad_avg, a, "rmsprop", "grad_avg", threads)
    cdef cnp.ndarray b = state(momentum_buffer, a, "rmsprop", "momentum_buffer", threads)
    cdef fc_rmsprop o
    cdef char *at = memory(a)
    cdef char *square = memory(s)
    cdef char *mean = memory(m)
    cdef char *buf = memory(b)
    cdef const char *source = memory(g)
    cdef const fc_ukr *u = table(a.itemsize)
    cdef Py_ssize_t n = a.size, head = head_of(at, u.item), t, i, count
    o.lr, o.alpha, o.eps, o.momentum, o.weight_decay = lr, alpha, eps, momentum, weight_decay
    threads = crew(5.0 * n * u.item, threads)
    with nogil:
        for t in prange((n + RUN - 1) // RUN + 1, num_threads=threads, schedule="static"):
            i = task_start(t, head, n) * u.item
            count = task_start(t + 1, head, n) - task_start(t, head, n)
            u.rmsprop(at + i, source + i, square + i, after(mean, i), after(buf, i), count, &o)
    give_back(p, a)
    give_back(square_avg, s)
    give_back(grad_avg, m)
    give_back(momentum_buffer, b)


def adam(p, grad, exp_avg, exp_avg_sq, max_exp_avg_sq=None, *, Py_ssize_t step, double lr, double beta1=0.9, double beta2=0.999,
         double eps=1e-8, double weight_decay=0.0, bint decoupled=False, int threads=1):
    """Step number `step` (1, 2, ...) of Adam; of AdamW when `decoupled`.

    m = beta1 m + (1 - beta1) d, v = beta2 v + (1 - beta2) d^2, p -= lr m / (1 - beta1^step) / (sqrt(v / (1 - beta2^step)) + eps),
    d = grad + weight_decay * p (decoupled: p *= 1 - lr * weight_decay first). `max_exp_avg_sq` (AMSGrad) keeps the largest v and
    replaces it. Changes p and the states.
    """
    if step < 1:
        raise ArgumentError(f"adam: step must be at least 1, got {step}")
    cdef cnp.ndarray a = parameter(p, "adam"), g = in_order_of(grad, a, "adam", "grad", threads)
    cdef cnp.ndarray m = state(exp_avg, a, "adam", "exp_avg", threads)
    cdef cnp.ndarray v = state(exp_avg_sq, a, "adam", "exp_avg_sq", threads)
    cdef cnp.ndarray w = state(max_exp_avg_sq, a, "adam", "max_exp_avg_sq", threads)
    cdef fc_adam o
    cdef char *at = memory(a)
    cdef char *mean = memory(m)
    cdef char *square = memory(v)
    cdef char *largest = memory(w)
    cdef const char *source = memory(g)
    cdef const fc_ukr *u = table(a.itemsize)
    cdef Py_ssize_t n = a.size, head = head_of(at, u.item), t, i, count
    o.lr, o.beta1, o.beta2, o.eps, o.weight_decay, o.decoupled = lr, beta1, beta2, eps, weight_decay, decoupled
    o.step, o.root = lr / (1 - pow(beta1, step)), 1 / sqrt(1 - pow(beta2, step))
    threads = crew(7.0 * n * u.item, threads)
    with nogil:
        for t in prange((n + RUN - 1) // RUN + 1, num_threads=threads, schedule="static"):
            i = task_start(t, head, n) * u.item
            count = task_start(t + 1, head, n) - task_start(t, head, n)
            u.adam(at + i, source + i, mean + i, square + i, after(largest, i), count, &o)
    give_back(p, a)
    give_back(exp_avg, m)
    give_back(exp_avg_sq, v)
    give_back(max_exp_avg_sq, w)
