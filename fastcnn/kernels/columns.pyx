"""kernels.columns: how sums over the rows of a (pixels x channels) matrix are cut into chunks, fixed by its shape.

A wide row is `group` pixels side by side, so that its length is a multiple of the vector lanes: 1, 3 or 10 channels run at
the speed of 64. Its columns are folded onto the channels at the end. Nothing here depends on the number of threads: partial
results are float64 and are added in their order.
"""

import numpy as np

cimport numpy as cnp
from cython.parallel cimport parallel, prange, threadid

from fastcnn.errors import DtypeError

from fastcnn.kernels.entry cimport emit, fc_flush, fc_restore
from fastcnn.kernels.layout cimport crew, rows_of
from fastcnn.kernels.memory cimport Block, block, empty_like_shape
from fastcnn.kernels.micro cimport fc_ukr, table
from fastcnn.kernels.strided cimport ordered
from fastcnn.kernels.strided import copy

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


cdef struct Sum:
    const fc_ukr *u
    char *out            # OUT  channels
    const char *x        # IN   the matrix
    double *sums         # scratch: channels, then the partial results
    char *scratch
    Columns columns
    double divisor
    int threads


cdef int sum_columns(const void *job) noexcept nogil:
    cdef const Sum *p = <const Sum *>job
    cdef const Columns *c = &p.columns
    cdef Py_ssize_t task, k, width = scratch_width(c)
    cdef double *part = p.sums + c.channels
    cdef Tile t
    cdef unsigned long long floats = 0
    with parallel(num_threads=p.threads):
        floats = fc_flush()
        for task in prange(c.tasks, schedule="static"):
            t = tile(c, task)
            p.u.column_sums(part + t.part, p.scratch + threadid() * width * p.u.item, p.x + t.at * p.u.item, t.rows, t.width,
                            t.stride)
        fc_restore(floats)
    floats = fc_flush()
    p.u.fold(p.sums, part, c.blocks, c.channels)
    for k in range(c.channels):
        if p.u.item == 4:
            (<float *>p.out)[k] = <float>(p.sums[k] / p.divisor)
        else:
            (<double *>p.out)[k] = p.sums[k] / p.divisor
    fc_restore(floats)
    return 0


cdef cnp.ndarray summed(cnp.ndarray x, Py_ssize_t rows, Py_ssize_t channels, tuple shape, double divisor, int threads):
    """The sums of the columns of a dense matrix, divided, as an array of `shape`."""
    cdef cnp.ndarray out = empty_like_shape(shape, cnp.PyArray_TYPE(x))
    cdef Sum p
    cdef Block parts, scratch
    if channels == 0:
        return out
    p.u, p.out, p.x, p.divisor = table(cnp.PyArray_ITEMSIZE(x)), cnp.PyArray_BYTES(out), cnp.PyArray_BYTES(x), divisor
    p.columns, p.threads = plan(p.u, rows, channels), crew(<double>x.size * cnp.PyArray_ITEMSIZE(x), threads)
    parts = block((p.columns.blocks + 1) * channels * sizeof(double))
    scratch = block(p.threads * scratch_width(&p.columns) * p.u.item)
    p.sums, p.scratch = <double *>parts.data, scratch.data
    emit(sum_columns, &p, sizeof(p), (out, x))
    return out


def conv2d_backward_bias(dy, *, int threads=1):
    """Return db (channels,): the sum of dy (batch, channels) or (batch, channels, height, width) over all other axes.

    float32 or float64, any strides. Reads dy once.
    """
    cdef cnp.ndarray g = rows_of(dy, "conv2d", "dy", threads)
    cdef Py_ssize_t channels = cnp.PyArray_DIM(g, 1)
    return summed(g, g.size // channels if channels else 0, channels, (channels,), 1.0, threads)


def total(x, double divisor=1.0, *, int threads=1):
    """Return the sum of all values of x, divided by `divisor`, as an array of shape (); partial sums are float64."""
    cdef cnp.ndarray a = x
    if cnp.PyArray_TYPE(a) not in (cnp.NPY_FLOAT, cnp.NPY_DOUBLE):
        raise DtypeError(f"total: x must be float32 or float64, got {a.dtype}")
    # channels-last images stay as they are: the order of the terms is that of the memory
    if a.ndim == 4:
        a = rows_of(a, "total", "x", threads)
    else:
        a = ordered(a if cnp.PyArray_ISALIGNED(a) and not cnp.PyArray_ISBYTESWAPPED(a) else copy(a), threads)
    return summed(a, a.size, 1, (), divisor, threads)


def over(x, tuple axes, double divisor=1.0, *, int threads=1):
    """Return the sums of x over `axes`, divided by `divisor`; the other axes stay, in memory in the order of x.

    float32 or float64, any strides; partial sums are float64. x is copied unless the axes are the slowest in memory.
    """
    cdef cnp.ndarray a = x
    if cnp.PyArray_TYPE(a) not in (cnp.NPY_FLOAT, cnp.NPY_DOUBLE):
        raise DtypeError(f"over: x must be float32 or float64, got {a.dtype}")
    a = a if cnp.PyArray_ISALIGNED(a) and not cnp.PyArray_ISBYTESWAPPED(a) else copy(a)
    order = sorted(range(a.ndim), key=lambda i: -abs(a.strides[i]))
    kept = [i for i in order if i not in axes]
    rows, channels = 1, 1
    for i in range(a.ndim):
        if i in axes:
            rows *= a.shape[i]
        else:
            channels *= a.shape[i]
    a = ordered(a.transpose([i for i in order if i in axes] + kept), threads)
    sums = summed(a, rows, channels, tuple([np.shape(x)[i] for i in kept]), divisor, threads)
    return sums.transpose([kept.index(i) for i in sorted(kept)])
