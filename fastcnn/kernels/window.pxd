# kernels.window: where the windows of pooling lie along one axis, and the loops over rows of windows.

cimport numpy as cnp

from fastcnn.kernels.memory cimport Block
from fastcnn.kernels.micro cimport fc_gather_job, fc_source, fc_span, fc_ukr, fc_window_job

cdef class Axis:
    cdef Py_ssize_t size, count, step   # of the image; windows; from tap to tap
    cdef Block memory, cover
    cdef fc_span *spans                 # one for each window
    cdef fc_source *sources             # the windows that cover pixel i: start[i] .. start[i + 1], ascending
    cdef Py_ssize_t *start
    cdef int find_sources(self, Py_ssize_t out_step, Py_ssize_t tap_step) except -1
    cdef bint apart(self) noexcept

cdef struct Pool:
    const fc_ukr *u
    fc_window_job windows  # of all rows
    const fc_span *rows
    Py_ssize_t oh, x_batch, tasks, splits
    bint maximum
    int threads

cdef struct Gather:
    const fc_ukr *u
    fc_gather_job windows  # of all rows
    const fc_source *sources
    const Py_ssize_t *start
    Py_ssize_t ih, dy_batch, tasks, splits
    int threads

cdef Axis kernel_axis(Py_ssize_t size, Py_ssize_t k, Py_ssize_t stride, Py_ssize_t pad, Py_ssize_t dilation, Py_ssize_t count,
                      bint include_pad)
cdef Axis bin_axis(Py_ssize_t size, Py_ssize_t count)
cdef int check_shape(str op, str name, cnp.ndarray a, Py_ssize_t n, Py_ssize_t c, Py_ssize_t h, Py_ssize_t w) except -1
cdef cnp.ndarray taps_of(str op, object index, tuple shape, Py_ssize_t area)
cdef object pool(cnp.ndarray x, Axis rows, Axis cols, Py_ssize_t kw, cnp.ndarray index, bint maximum, int threads)
cdef object gather(cnp.ndarray dy, Axis rows, Axis cols, Py_ssize_t kw, cnp.ndarray index, int threads)
cdef void plan_pool(Pool *p, cnp.ndarray x, cnp.ndarray y, Axis rows, Axis cols, Py_ssize_t kw, cnp.ndarray index, bint maximum,
                    int threads)
cdef int pool_all(const void *job) noexcept nogil
cdef Block plan_gather(Gather *p, cnp.ndarray dx, cnp.ndarray dy, Axis rows, Axis cols, Py_ssize_t kw, cnp.ndarray index,
                       int threads)
cdef int gather_all(const void *job) noexcept nogil
