# kernels.memory: cached, aligned blocks of memory for outputs and scratch.

cimport numpy as cnp

cdef enum:
    CLASSES = 176


cdef struct Free:
    void *data
    Free *next


cdef class Arena:
    cdef Free *free_lists[CLASSES]
    cdef readonly size_t size
    cdef bint closed
    cdef void keep(self, void *data, int c) noexcept
    cdef void *take(self, int c) noexcept
    cdef void close(self) noexcept


cdef class Block:
    cdef char *data
    cdef int size_class
    cdef Arena arena
    cdef size_t size(self) noexcept


cdef Block block(size_t size)
cdef void use_arena(Arena arena) noexcept
cdef Py_ssize_t apart(Py_ssize_t size) noexcept nogil
cdef object empty_of(int ndim, cnp.npy_intp *shape, int typenum)
cdef object empty_like_shape(tuple shape, int typenum)
cdef object empty_nchw(Py_ssize_t batch, Py_ssize_t channels, Py_ssize_t height, Py_ssize_t width, int typenum)
