"""kernels.pixels: images on their way into a net: scale and shift of channels, windows and mirror images, filled boxes.

Each value is read and written once. One thread: a batch is made beside a training step that has the processors.
"""

import numpy as np

cimport numpy as cnp
from libc.string cimport memcpy

from fastcnn.errors import ArgumentError, DtypeError, ShapeError

from fastcnn.kernels.memory cimport empty_nchw

cnp.import_array()

cdef enum:
    REPEAT = 96  # values in which the channels' scales are repeated: whole vectors of 4, 8, 16 for 1, 2, 3, 4, 6 channels

ctypedef unsigned char byte

ctypedef fused stored:
    byte
    float
    double

ctypedef fused real:
    float
    double


cdef cnp.ndarray images(object x, str op):
    """`x` (batch, channels, height, width) as a C-order array (batch, height, width, channels)."""
    cdef cnp.ndarray a = np.asarray(x)
    if a.ndim != 4:
        raise ShapeError(f"{op}: x must have 4 axes (batch, channels, height, width), got x.shape={np.shape(x)}")
    if a.dtype.char not in "Bfd" or not a.dtype.isnative:
        raise DtypeError(f"{op}: x must be uint8, float32 or float64, got {a.dtype}")
    a = a.transpose(0, 2, 3, 1)
    return a if a.flags.c_contiguous and a.flags.aligned else np.require(a, requirements=["C", "A"])


cdef cnp.ndarray result(cnp.ndarray a, Py_ssize_t batch, Py_ssize_t oh, Py_ssize_t ow, int typenum):
    return empty_nchw(batch, cnp.PyArray_DIM(a, 3), oh, ow, typenum)


cdef cnp.ndarray per_channel(object values, Py_ssize_t channels, object dtype, str op, str name):
    """One value per channel, C order; a single value is repeated."""
    cdef cnp.ndarray given, a
    if isinstance(values, (int, float)) and (dtype != np.uint8 or (0 <= values <= 255 and values == int(values))):
        return np.full(channels, values, dtype)
    given = np.asarray(values)
    if given.size != 1 and np.shape(given) != (channels,):
        raise ShapeError(f"{op}: {name} must be a number or one per channel, x has {channels}, {name}.shape={np.shape(given)}")
    if dtype == np.uint8 and not ((given >= 0) & (given <= 255) & (given == np.rint(given))).all():
        raise ArgumentError(f"{op}: {name} must be whole numbers from 0 to 255 for uint8 images, got {values!r}")
    a = given.astype(dtype)
    return np.ascontiguousarray(a if a.size == channels and a.ndim == 1 else np.broadcast_to(a.reshape(-1), (channels,)))


cdef cnp.ndarray places(object values, Py_ssize_t batch, Py_ssize_t bound, str name):
    """int64 values between -1 and bound - 1, (batch, any), C order."""
    cdef cnp.ndarray a = np.ascontiguousarray(values, np.int64)
    cdef const cnp.int64_t *p = <const cnp.int64_t *>cnp.PyArray_DATA(a)
    cdef Py_ssize_t i, n = a.size
    cdef bint good = True
    if a.ndim != 2 or cnp.PyArray_DIM(a, 0) != batch:
        raise ShapeError(f"map_pixels: {name} must have one row per image of {batch}, got {name}.shape={np.shape(a)}")
    for i in range(n):
        good &= -1 <= p[i] < bound
    if not good:
        raise ArgumentError(f"map_pixels: {name} must lie between -1 and {bound - 1}, got {a.min()} to {a.max()}")
    return a


cdef void scale_values(real *dst, const stored *src, const real *scale, const real *shift, Py_ssize_t n,
                       Py_ssize_t period) noexcept nogil:
    """dst[i] = src[i] * scale[i % period] + shift[i % period]."""
    cdef Py_ssize_t start = 0, i, count
    cdef real a = scale[0], b = shift[0]
    if period == 1:
        for i in range(n):
            dst[i] = <real>src[i] * a + b
        return
    while start < n:
        count = min(period, n - start)
        for i in range(count):
            dst[start + i] = <real>src[start + i] * scale[i] + shift[i]
        start += period


def scale_channels(x, scale, shift):
    """Return x * scale[c] + shift[c].

    x: (batch, channels, height, width). uint8 and float32 give float32, float64 gives float64, channels-last.
    """
    cdef cnp.ndarray a = images(x, "scale_channels"), s, t, y
    cdef Py_ssize_t channels = cnp.PyArray_DIM(a, 3), period = 1, n = a.size
    cdef bint double_precision = a.dtype.char == "d"
    cdef int kind = a.itemsize
    dtype = np.float64 if double_precision else np.float32
    s = per_channel(scale, channels, dtype, "scale_channels", "scale")
    t = per_channel(shift, channels, dtype, "scale_channels", "shift")
    if channels > 1:  # several pixels make one longer row
        repeat = (REPEAT + channels - 1) // channels
        s, t = np.tile(s, repeat), np.tile(t, repeat)
        period = repeat * channels
    y = result(a, cnp.PyArray_DIM(a, 0), cnp.PyArray_DIM(a, 1), cnp.PyArray_DIM(a, 2),
               cnp.NPY_DOUBLE if double_precision else cnp.NPY_FLOAT)
    cdef char *dst = cnp.PyArray_BYTES(y)
    cdef const char *src = cnp.PyArray_BYTES(a)
    cdef const void *sp = cnp.PyArray_DATA(s)
    cdef const void *tp = cnp.PyArray_DATA(t)
    if n == 0:
        return y
    with nogil:
        if kind == 1:
            scale_values(<float *>dst, <const byte *>src, <const float *>sp, <const float *>tp, n, period)
        elif kind == 4:
            scale_values(<float *>dst, <const float *>src, <const float *>sp, <const float *>tp, n, period)
        else:
            scale_values(<double *>dst, <const double *>src, <const double *>sp, <const double *>tp, n, period)
    return y


cdef struct Run:
    # the columns first .. last - 1 of an image come from neighbouring columns; those outside are blank unless step is 0
    Py_ssize_t first, last
    int step  # 1: in their order, -1: mirrored, 0: no such run


cdef Run find_run(const cnp.int64_t *columns, Py_ssize_t ow) noexcept nogil:
    """The run of a window or of a mirror image: every column that is not blank is part of it."""
    cdef Run run
    cdef Py_ssize_t x
    run.first = 0
    while run.first < ow and columns[run.first] < 0:
        run.first += 1
    run.last = run.first + 1
    run.step = 1 if run.last < ow and columns[run.last] == columns[run.first] + 1 else -1
    while run.last < ow and columns[run.last] >= 0 and columns[run.last] == columns[run.last - 1] + run.step:
        run.last += 1
    for x in range(run.last, ow):
        if columns[x] >= 0:
            run.step = 0
    if run.first == ow:
        run.first, run.last = 0, 0
    return run


cdef void map_run(char *dst, const char *row, const char *blank, Run run, Py_ssize_t source, Py_ssize_t ow,
                  Py_ssize_t size) noexcept nogil:
    """Pixels of `size` bytes: the run begins with pixel `source` of the row, the rest is blank."""
    cdef Py_ssize_t x, count = run.last - run.first
    cdef char *out = dst + run.first * size
    cdef const char *src = row + source * size
    for x in range(run.first):
        memcpy(dst + x * size, blank, size)
    if run.step > 0:
        memcpy(out, src, count * size)
    elif size == 1:
        for x in range(count):
            out[x] = src[-x]
    elif size == 3:
        for x in range(count):
            memcpy(out + 3 * x, src - 3 * x, 3)
    elif size == 4:
        for x in range(count):
            memcpy(out + 4 * x, src - 4 * x, 4)
    else:
        for x in range(count):
            memcpy(out + x * size, src - x * size, size)
    for x in range(run.last, ow):
        memcpy(dst + x * size, blank, size)


cdef void map_row(char *dst, const char *row, const char *blank, const cnp.int64_t *columns, Py_ssize_t ow,
                  Py_ssize_t size) noexcept nogil:
    """Pixels of `size` bytes: dst[x] = row[columns[x]], or blank where columns[x] is -1."""
    cdef Py_ssize_t x
    for x in range(ow):
        memcpy(dst + x * size, blank if columns[x] < 0 else row + columns[x] * size, size)


def map_pixels(x, rows, columns, fill=0):
    """Return y[n, :, i, j] = x[n, :, rows[n, i], columns[n, j]], or `fill` where a row or a column is -1.

    x: (batch, channels, height, width), y: (batch, channels, rows.shape[1], columns.shape[1]), channels-last. fill: a number, or
    one per channel.
    """
    cdef cnp.ndarray a = images(x, "map_pixels"), r, c, blank, y
    cdef Py_ssize_t batch = cnp.PyArray_DIM(a, 0), ih = cnp.PyArray_DIM(a, 1), iw = cnp.PyArray_DIM(a, 2), oh, ow, n, i, j
    cdef Py_ssize_t size = cnp.PyArray_DIM(a, 3) * a.itemsize
    r = places(rows, batch, ih, "rows")
    c = places(columns, batch, iw, "columns")
    oh, ow = cnp.PyArray_DIM(r, 1), cnp.PyArray_DIM(c, 1)
    blank = per_channel(fill, cnp.PyArray_DIM(a, 3), a.dtype, "map_pixels", "fill")
    y = result(a, batch, oh, ow, a.dtype.num)
    cdef const cnp.int64_t *row = <const cnp.int64_t *>cnp.PyArray_DATA(r)
    cdef const cnp.int64_t *column = <const cnp.int64_t *>cnp.PyArray_DATA(c)
    cdef const char *src = cnp.PyArray_BYTES(a)
    cdef const char *empty = cnp.PyArray_BYTES(blank)
    cdef char *dst = cnp.PyArray_BYTES(y)
    cdef const char *line
    cdef char *out
    cdef Run run
    with nogil:
        for n in range(batch):
            run = find_run(column + n * ow, ow)
            for i in range(oh):
                out = dst + (n * oh + i) * ow * size
                line = src + (n * ih + row[n * oh + i]) * iw * size
                if row[n * oh + i] < 0:
                    for j in range(ow):
                        memcpy(out + j * size, empty, size)
                elif run.step:
                    map_run(out, line, empty, run, column[n * ow + run.first] if run.first < ow else 0, ow, size)
                else:
                    map_row(out, line, empty, column + n * ow, ow, size)
    return y


def fill_boxes(x, boxes, fill=0):
    """Return a copy of x in which y[n, :, top:bottom, left:right] = fill for boxes[n] = (top, bottom, left, right).

    x: (batch, channels, height, width), any strides; the copy is channels-last. Boxes are cut off at the border; one that ends
    before it begins is empty. fill: a number, or one per channel.
    """
    cdef cnp.ndarray a = images(x, "fill_boxes"), blank, y, b
    cdef Py_ssize_t batch = cnp.PyArray_DIM(a, 0), h = cnp.PyArray_DIM(a, 1), w = cnp.PyArray_DIM(a, 2), n, i, j
    cdef Py_ssize_t size = cnp.PyArray_DIM(a, 3) * a.itemsize
    cdef cnp.int64_t top, bottom, left, right
    b = np.ascontiguousarray(boxes, np.int64)
    if np.shape(b) != (batch, 4):
        raise ShapeError(f"fill_boxes: boxes must be (batch, 4) = ({batch}, 4), got {np.shape(b)}")
    blank = per_channel(fill, cnp.PyArray_DIM(a, 3), a.dtype, "fill_boxes", "fill")
    y = result(a, batch, h, w, a.dtype.num)
    cdef const cnp.int64_t *box = <const cnp.int64_t *>cnp.PyArray_DATA(b)
    cdef const char *src = cnp.PyArray_BYTES(a)
    cdef const char *empty = cnp.PyArray_BYTES(blank)
    cdef char *dst = cnp.PyArray_BYTES(y)
    with nogil:
        memcpy(dst, src, batch * h * w * size)
        for n in range(batch):
            top, bottom = max(box[4 * n], 0), min(box[4 * n + 1], h)
            left, right = max(box[4 * n + 2], 0), min(box[4 * n + 3], w)
            for i in range(top, bottom):
                for j in range(left, right):
                    memcpy(dst + ((n * h + i) * w + j) * size, empty, size)
    return y
