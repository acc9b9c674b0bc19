"""kernels.probe: measures this machine's peak of multiply-adds and its memory bandwidth, to compare kernels with."""

from cython.parallel cimport prange
from libc.string cimport memcpy
from time import perf_counter

from fastcnn.kernels.memory cimport Block, block
from fastcnn.kernels.micro cimport fc_ukr, table


def fma_peak(int threads, double seconds=0.2):
    """Return the best rate of float32 multiply-adds over `threads` threads in GFLOP/s (2 operations each)."""
    cdef const fc_ukr *u = table(4)
    cdef Py_ssize_t iterations = 200_000
    cdef double best = 0.0, sink = 0.0, stop, start
    cdef int _i
    stop = perf_counter() + seconds
    while True:
        start = perf_counter()
        for _i in prange(threads, num_threads=threads, schedule="static", nogil=True):
            sink += u.fma_burst(iterations)
        best = max(best, 2.0 * 24 * u.lanes * iterations * threads / (perf_counter() - start) * 1e-9)
        if perf_counter() > stop:
            return best if sink == sink else 0.0


def bandwidth(int threads, Py_ssize_t size=64 << 20, double seconds=0.3):
    """Return the best rate of a copy of `size` bytes, read plus written, over `threads` threads in GB/s."""
    cdef Block a = block(size), b = block(size)
    cdef char *src = a.data
    cdef char *dst = b.data
    cdef Py_ssize_t part = size // threads
    cdef double best = 0.0, stop, start
    cdef int i
    memcpy(src, dst, size)  # touch the pages of both before timing
    stop = perf_counter() + seconds
    while True:
        start = perf_counter()
        for i in prange(threads, num_threads=threads, schedule="static", nogil=True):
            memcpy(dst + i * part, src + i * part, part)
        best = max(best, 2.0 * part * threads / (perf_counter() - start) * 1e-9)
        if perf_counter() > stop:
            return best
