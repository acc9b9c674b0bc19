"""kernels.repeat: channels of an image, each several times, and the sums of what became of them.

Channel c * m + j of the larger image belongs to channel c of the smaller one: in channels-last memory each value stands m
times in a row.
"""

cimport numpy as cnp
from cython.parallel cimport parallel, prange

from fastcnn.kernels.entry cimport emit, fc_flush, fc_restore
from fastcnn.kernels.layout cimport crew
from fastcnn.kernels.memory cimport empty_nchw
from fastcnn.kernels.micro cimport fc_ukr, table

cnp.import_array()

cdef enum:
    RUN = 16384  # values of one task in the smaller image


cdef struct Repeat:
    const fc_ukr *u
    char *y          # OUT
    const char *x    # IN
    Py_ssize_t n, m  # values of the smaller image; how often each stands in the larger one
    bint join
    int threads


cdef int repeat_all(const void *job) noexcept nogil:
    cdef const Repeat *p = <const Repeat *>job
    cdef Py_ssize_t t, at, count, larger
    cdef unsigned long long floats = 0
    with parallel(num_threads=p.threads):
        floats = fc_flush()
        for t in prange((p.n + RUN - 1) // RUN, schedule="static"):
            at = t * RUN * p.u.item
            larger = at * p.m
            count = min(<Py_ssize_t>RUN, p.n - t * RUN)
            if p.join:
                p.u.join(p.y + at, p.x + larger, count, p.m)
            else:
                p.u.repeat(p.y + larger, p.x + at, count, p.m)
        fc_restore(floats)
    return 0


cdef cnp.ndarray run(cnp.ndarray x, Py_ssize_t channels, Py_ssize_t m, bint join, int threads):
    cdef cnp.ndarray y = empty_nchw(cnp.PyArray_DIM(x, 0), channels, cnp.PyArray_DIM(x, 2), cnp.PyArray_DIM(x, 3),
                                    cnp.PyArray_TYPE(x))
    cdef Repeat p
    p.u, p.y, p.x, p.m, p.join = table(cnp.PyArray_ITEMSIZE(x)), cnp.PyArray_BYTES(y), cnp.PyArray_BYTES(x), m, join
    p.n = y.size if join else x.size
    p.threads = crew(1.0 * (x.size + y.size) * p.u.item, threads)
    emit(repeat_all, &p, sizeof(p), (y, x))
    return y


cdef cnp.ndarray repeated(cnp.ndarray x, Py_ssize_t m, int threads):
    """Each channel of x, a channels-last image, m times."""
    return x if m == 1 else run(x, m * cnp.PyArray_DIM(x, 1), m, False, threads)


cdef cnp.ndarray joined(cnp.ndarray x, Py_ssize_t m, int threads):
    """The sums of m neighbouring channels of x, a channels-last image."""
    return x if m == 1 else run(x, cnp.PyArray_DIM(x, 1) // m, m, True, threads)
