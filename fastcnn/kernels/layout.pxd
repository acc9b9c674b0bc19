# kernels.layout: dense channels-last operands, and how many threads a pass over memory is worth.

cimport numpy as cnp

cdef cnp.ndarray channels_last(object array, str op, str name, int threads)
cdef cnp.ndarray rows_of(object array, str op, str name, int threads)
cdef bint exceeds_cache(double nbytes) noexcept nogil
cdef bint from_memory(double nbytes) noexcept nogil
cdef int crew(double nbytes, int threads) noexcept nogil
