# kernels.repeat: channels of an image, each several times, and their sums.

cimport numpy as cnp

cdef cnp.ndarray repeated(cnp.ndarray x, Py_ssize_t m, int threads)
cdef cnp.ndarray joined(cnp.ndarray x, Py_ssize_t m, int threads)
