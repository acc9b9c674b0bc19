# kernels.conv2d_direct: checked operands and a division, for the other convolution kernels.

cimport numpy as cnp

from fastcnn.kernels.micro cimport fc_ukr

cdef struct Weights:
    # element (out, in, r, s) of group g at data + (g*s_group + out*s_out + in*s_in + r*s_r + s*s_s) elements
    const char *data
    Py_ssize_t s_group, s_out, s_in, s_r, s_s
    Py_ssize_t groups, n_out, depth

cdef Weights weights_of(const fc_ukr *u, object w, Py_ssize_t groups)
cdef object image(object array, str name, tuple shape, object dtype=*)
cdef object filters(object array, object case, object dtype)
cdef object biases(object array, object case, object dtype)
cdef int clear(cnp.ndarray array, int threads) except -1


cdef inline Py_ssize_t above(Py_ssize_t a, Py_ssize_t b) noexcept nogil:
    """a / b, rounded up."""
    return (a + b - 1) // b
