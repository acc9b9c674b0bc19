# kernels.memory: cached, aligned blocks of memory for outputs and scratch.

cdef class Block:
    cdef char *data
    cdef int size_class


cdef Block block(size_t size)
cdef Py_ssize_t apart(Py_ssize_t size) noexcept nogil
cdef object empty_like_shape(tuple shape, int typenum)
cdef object empty_nchw(Py_ssize_t batch, Py_ssize_t channels, Py_ssize_t height, Py_ssize_t width, int typenum)
