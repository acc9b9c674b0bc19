"""kernels.moments: mean and centred sum of squares of each channel of what a loop nest stores, taken while it is in registers.

A nest asks for them by the fc_streams that it gives to its tiles: `begin` before the first tile of a chunk of pixels and a panel
of channels, `finish` behind the last. Chunks are fixed by the shape and merged in their order, in float64 [Chan1983]: the same
bits for every number of threads. So that batch normalisation need not read the image for its statistics.
"""

import numpy as np

cimport numpy as cnp
from cython.parallel cimport parallel, prange

from fastcnn.errors import ArgumentError

from fastcnn.kernels.entry cimport fc_flush, fc_restore
from fastcnn.kernels.memory cimport block

cnp.import_array()

cdef enum:
    SERIAL_VALUES = 16384  # as in kernels.layout: 128 KiB of them


cdef int ask(Moments *m, object array, Py_ssize_t channels) except -1:
    """Check the array for the results, float64 (2, channels) in C order, and note it; None: not asked for."""
    cdef cnp.ndarray out
    m.out, m.channels = NULL, channels
    if array is None:
        return 0
    if not isinstance(array, np.ndarray):
        raise ArgumentError(f"conv2d: moments must be an array, got {type(array)}")
    if array.dtype != np.float64 or array.shape != (2, channels) or not (array.flags.carray and array.dtype.isnative):
        raise ArgumentError(f"conv2d: moments must be a writeable float64 array (2, {channels}) in C order, "
                            f"got {array.dtype} {array.shape}, strides {array.strides}")
    out = array
    m.out = <double *>cnp.PyArray_BYTES(out)
    return 0


cdef Block room(Moments *m, Py_ssize_t chunks):
    """Memory for what each chunk leaves."""
    cdef Block b = block((chunks * (2 * m.channels + 1) if m.out != NULL else 0) * sizeof(double))
    m.chunks, m.parts = chunks, <double *>b.data
    m.count = m.parts + 2 * chunks * m.channels
    return b


cdef void begin(const Moments *m, fc_streams *streams, void *sums) noexcept nogil:
    """Have tiles add to `sums`, 3 * nr elements."""
    streams.moments, streams.fresh = sums if m.out != NULL else NULL, 1


cdef void finish(const fc_ukr *u, const Moments *m, const void *sums, Py_ssize_t chunk, Py_ssize_t channel, Py_ssize_t n,
                 Py_ssize_t pixels) noexcept nogil:
    """Keep the moments of channels channel .. channel + n of one chunk, a panel of a group."""
    cdef double *mean = m.parts + channel * m.chunks + chunk * n
    if m.out != NULL:
        u.tile_moments_end(mean, mean + m.chunks * m.channels, sums, pixels, n)


cdef void merge(const fc_ukr *u, const Moments *m, Py_ssize_t group, int threads) noexcept nogil:
    """The results from all chunks; `group`: channels of one group."""
    cdef Py_ssize_t panels = (group + u.nr - 1) // u.nr, t, at, n
    cdef unsigned long long floats = 0
    if m.out == NULL:
        return
    with parallel(num_threads=threads if 2 * m.chunks * m.channels >= SERIAL_VALUES else 1):
        floats = fc_flush()
        for t in prange(m.channels // group * panels, schedule="static"):
            at = t // panels * group + t % panels * u.nr
            n = min(u.nr, group - t % panels * u.nr)
            u.merge_moments(m.out + at, m.out + m.channels + at, m.parts + at * m.chunks,
                            m.parts + (m.channels + at) * m.chunks, m.count, m.chunks, n)
        fc_restore(floats)
