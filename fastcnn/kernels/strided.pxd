# kernels.strided: arrays of any strides, walked row by row.

cimport numpy as cnp

cdef enum:
    AXES = 16

cdef struct Walk:
    int ndim                     # after axes that lie behind one another were made one; at least 1
    Py_ssize_t rows              # product of all sizes but the last
    Py_ssize_t shape[AXES]       # slowest first, in the memory order of operand 0
    Py_ssize_t step[3][AXES]     # bytes, of each operand

cdef bint plan_walk(Walk *w, cnp.ndarray out, cnp.ndarray a, cnp.ndarray b)
cdef tuple common_shape(cnp.ndarray a, cnp.ndarray b, cnp.ndarray c)
cdef void offsets(const Walk *w, Py_ssize_t row, Py_ssize_t *at) noexcept nogil
cdef void copy_row(char *dst, Py_ssize_t d, const char *src, Py_ssize_t s, Py_ssize_t n, Py_ssize_t item) noexcept nogil
cdef int copy_into(cnp.ndarray dst, cnp.ndarray src, int threads) except -1
cdef cnp.ndarray ordered(cnp.ndarray x, int threads)
cdef cnp.ndarray empty_common(int typenum, cnp.ndarray a, cnp.ndarray b, cnp.ndarray c)
cdef cnp.ndarray empty_in_order_of(cnp.ndarray x, int typenum)
cdef bint same_order(cnp.ndarray a, cnp.ndarray b) noexcept
cdef bint is_dense(cnp.ndarray a) noexcept
cdef bint fits(cnp.ndarray a, cnp.ndarray p) noexcept


cdef inline void begin_at(const Walk *w, Py_ssize_t row, Py_ssize_t first, Py_ssize_t *at, Py_ssize_t *step) noexcept nogil:
    """Write where value `first` of `row` is in each of the three operands, and the steps to the next one, in bytes."""
    cdef int i, k
    cdef Py_ssize_t index
    for k in range(3):
        step[k] = w.step[k][w.ndim - 1]
        at[k] = first * step[k]
    for i in range(w.ndim - 2, -1, -1):
        index = row % w.shape[i]
        row = row // w.shape[i]
        for k in range(3):
            at[k] += index * w.step[k][i]
