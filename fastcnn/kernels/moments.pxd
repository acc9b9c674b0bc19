# kernels.moments: mean and centred sum of squares of each channel of what a loop nest stores, for the nests.

from fastcnn.kernels.memory cimport Block
from fastcnn.kernels.micro cimport fc_streams, fc_ukr

cdef enum:
    SHARES = 4       # parts that tasks of few chunks are made for: the count of threads must not matter
    TILE_WIDTH = 16  # of a register tile in doubles, at most

cdef struct Moments:
    double *out      # OUT  2 x channels: means, centred sums of squares; NULL: not asked for
    double *parts    # scratch, the same of each chunk: of nr channels and all chunks, of the next nr channels, ...
    double *count    # scratch: pixels of each chunk, which the nest fills in
    Py_ssize_t chunks, channels

cdef int ask(Moments *m, object array, Py_ssize_t channels) except -1
cdef Block room(Moments *m, Py_ssize_t chunks)
cdef void begin(const Moments *m, fc_streams *streams, void *sums) noexcept nogil
cdef void finish(const fc_ukr *u, const Moments *m, const void *sums, Py_ssize_t chunk, Py_ssize_t channel, Py_ssize_t n,
                 Py_ssize_t pixels) noexcept nogil
cdef void merge(const fc_ukr *u, const Moments *m, Py_ssize_t group, int threads) noexcept nogil
