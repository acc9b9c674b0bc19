# kernels.conv2d_depthwise: how channels and rows are cut, for the weight gradient.

from fastcnn.kernels.micro cimport fc_ukr

cdef enum:
    L1_BYTES = 32 * 1024   # what the rows of a strip may take of it
    L2_BYTES = 320 * 1024

cdef Py_ssize_t padded(Py_ssize_t channels) noexcept nogil
cdef Py_ssize_t split_at(const fc_ukr *u, Py_ssize_t channels, Py_ssize_t part, Py_ssize_t splits) noexcept nogil
cdef void plan_strips(const fc_ukr *u, Py_ssize_t nbytes, Py_ssize_t taps, Py_ssize_t channels, Py_ssize_t columns,
                      Py_ssize_t outputs, Py_ssize_t up, Py_ssize_t step, Py_ssize_t *splits, Py_ssize_t *strip) noexcept nogil
cdef object each_apart(object case)
