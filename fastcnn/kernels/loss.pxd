# kernels.loss: reductions of losses, for the other kinds of them.

from libc.math cimport NAN

cdef enum:
    NONE, SUM, MEAN

cdef int reduction_of(str op, str reduction) except -1


cdef inline double get(const char *x, Py_ssize_t item, Py_ssize_t i) noexcept nogil:
    """x[i] of elements of `item` bytes."""
    return (<const float *>x)[i] if item == 4 else (<const double *>x)[i]


cdef inline void put(char *x, Py_ssize_t item, Py_ssize_t i, double value) noexcept nogil:
    if item == 4:
        (<float *>x)[i] = <float>value
    else:
        (<double *>x)[i] = value


cdef inline void put_total(char *loss, Py_ssize_t item, int reduction, double total, double count) noexcept nogil:
    """Write the sum of the losses, or their mean; nothing for NONE."""
    if reduction == SUM:
        put(loss, item, 0, total)
    elif reduction == MEAN:
        put(loss, item, 0, total / count if count else NAN)
