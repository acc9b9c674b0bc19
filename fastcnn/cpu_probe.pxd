# cpu_probe: the instruction set in use.

cdef int level_in_use() noexcept nogil
