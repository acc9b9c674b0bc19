# kernels.elementwise: operands that broadcast, for what else works element by element.

cimport numpy as cnp

cdef bint plain(object x) noexcept
cdef bint in_steps(cnp.ndarray x) noexcept
cdef object binary(int op, object ufunc, object a, object b, int threads)
cdef cnp.ndarray alike(cnp.ndarray x, object array, str op, str name, int threads)
