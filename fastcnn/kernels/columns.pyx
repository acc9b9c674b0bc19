"""kernels.columns: how sums over the rows of a (pixels x channels) matrix are cut into chunks, fixed by its shape.

A wide row is `group` pixels side by side, so that its length is a multiple of the vector lanes: 1, 3 or 10 channels run at
the speed of 64. Its columns are folded onto the channels at the end. Nothing here depends on the number of threads: partial
results are float64 and are added in their order.
"""

import numpy as np

cimport numpy as cnp
from cython.parallel cimport prange, threadid

from fastcnn.kernels.layout cimport channels_last, crew
from fastcnn.kernels.memory cimport Block, block
from fastcnn.kernels.micro cimport fc_ukr, table

cnp.import_array()

cdef enum:
    CHUNK_BYTES = 64 * 1024  # a second pass over a chunk finds it in L2
    TILE_BYTES = 1024        # of a row: long enough to stream, and 64 rows of it make a chunk
    LONG_ROW = 16            # vectors; a row of this many is not made wider: its tail costs little


cdef Columns plan(const fc_ukr *u, Py_ssize_t rows, Py_ssize_t channels) noexcept nogil:
    cdef Columns c
    cdef Py_ssize_t a = channels, b = u.lanes
    c.rows, c.channels = rows, channels
    c.group = 1
    if channels < LONG_ROW * u.lanes:
        while b:
            a, b = b, a % b
        c.group = u.lanes // a
        while c.group * channels < 8 * u.lanes:
            c.group *= 2
    c.width = c.group * channels
    c.wide = rows // c.group
    c.tail = rows - c.wide * c.group
    c.tiles = (c.width * u.item + TILE_BYTES - 1) // TILE_BYTES
    c.tile = ((c.width + c.tiles - 1) // c.tiles + u.lanes - 1) // u.lanes * u.lanes
    c.tiles = (c.width + c.tile - 1) // c.tile
    c.chunk = max(<Py_ssize_t>8, CHUNK_BYTES // (c.tile * u.item) // 8 * 8)
    c.chunks = (c.wide + c.chunk - 1) // c.chunk
    c.blocks = c.chunks * c.group + (c.tail > 0)
    c.tasks = c.chunks * c.tiles + (c.tail > 0)
    return c


cdef Tile tile(const Columns *c, Py_ssize_t task) noexcept nogil:
    """The rows and columns of one task."""
    cdef Tile t
    cdef Py_ssize_t chunk = task // c.tiles
    if chunk == c.chunks:
        t.at = c.wide * c.width
        t.rows, t.width, t.stride = c.tail, c.channels, c.channels
        t.part = c.chunks * c.width
        t.column = 0
        return t
    t.column = task % c.tiles * c.tile
    t.at = chunk * c.chunk * c.width + t.column
    t.rows = min(c.chunk, c.wide - chunk * c.chunk)
    t.width = min(c.tile, c.width - t.column)
    t.stride = c.width
    t.part = chunk * c.width + t.column
    return t


cdef Py_ssize_t scratch_width(const Columns *c) noexcept nogil:
    """Columns of the widest task, rounded up so that two threads never write to one cache line."""
    return (max(c.tile, c.channels if c.tail else 0) + 15) // 16 * 16


cdef void repeat(char *dst, const double *src, const Columns *c, Py_ssize_t item) noexcept nogil:
    """One coefficient for each channel -> one for each column of a wide row."""
    cdef Py_ssize_t g, k
    for g in range(c.group):
        for k in range(c.channels):
            if item == 4:
                (<float *>dst)[g * c.channels + k] = <float>src[k]
            else:
                (<double *>dst)[g * c.channels + k] = src[k]


cdef void counts(double *count, const Columns *c) noexcept nogil:
    """How many values each block of partial results stands for."""
    cdef Py_ssize_t b
    for b in range(c.blocks):
        count[b] = min(c.chunk, c.wide - b // c.group * c.chunk)
    if c.tail:
        count[c.blocks - 1] = c.tail


cdef void sum_columns(const fc_ukr *u, const Columns *c, const char *x, double *out, double *part, char *scratch,
                      int threads) noexcept nogil:
    cdef Py_ssize_t task, width = scratch_width(c)
    cdef Tile t
    for task in prange(c.tasks, num_threads=threads, schedule="static"):
        t = tile(c, task)
        u.column_sums(part + t.part, scratch + threadid() * width * u.item, x + t.at * u.item, t.rows, t.width, t.stride)
    u.fold(out, part, c.blocks, c.channels)


def conv2d_backward_bias(dy, *, int threads=1):
    """Return db (channels,): the sum of dy (batch, channels, height, width) over batch and image.

    float32 or float64, any strides. Reads dy once.
    """
    cdef cnp.ndarray g = channels_last(dy, "conv2d", "dy", threads)
    cdef Py_ssize_t channels = cnp.PyArray_DIM(g, 1)
    cdef cnp.ndarray sums = np.zeros(channels, dtype=np.float64)
    cdef const fc_ukr *u = table(g.itemsize)
    cdef const char *x = cnp.PyArray_BYTES(g)
    cdef double *out = <double *>cnp.PyArray_BYTES(sums)
    cdef Columns c
    cdef Block parts, scratch
    if g.size:
        c = plan(u, g.size // channels, channels)
        threads = crew(<double>g.size * u.item, threads)
        parts = block(c.blocks * channels * sizeof(double))
        scratch = block(threads * scratch_width(&c) * u.item)
        with nogil:
            sum_columns(u, &c, x, out, <double *>parts.data, scratch.data, threads)
    return sums.astype(g.dtype, copy=False)
