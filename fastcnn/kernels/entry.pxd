# kernels.entry: how every loop nest runs.

cdef extern from "floats.h" nogil:
    unsigned long long fc_flush()
    void fc_restore(unsigned long long was)

# Does the work that a job (a struct of this kernel: pointers, sizes, the count of threads) describes, and nothing but that: it
# may run again with the same job. Not 0: it stopped, because of what it read.
ctypedef int (*Work)(const void *job) noexcept nogil

cdef int emit(Work work, const void *job, size_t size, tuple held, object explain=*) except -1
cdef bint recording() noexcept
cdef void unrecorded(str what) noexcept
