"""fastcnn.cpu_probe: which instruction sets this processor and this system support, and which one is in use."""

cdef extern from *:
    """
    static int fc_supports(int level) {
    #if defined(__x86_64__)
        __builtin_cpu_init();
        if (level == 1)
            return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
        if (level == 2)
            return fc_supports(1) && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                   __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
    #endif
        return level == 0;
    }
    """
    bint fc_supports(int level) nogil

cdef int in_use = 0


def supports(int level):
    """Return whether level 0 (generic), 1 (avx2) or 2 (avx512) can run here, the operating system's state included."""
    return fc_supports(level)


def level():
    """Return the level in use, 0 until `use`."""
    return in_use


def use(int level):
    """Take another level into use, which is supported."""
    global in_use
    in_use = level


cdef int level_in_use() noexcept nogil:
    """As `level`, for kernels, which ask at each call."""
    return in_use
