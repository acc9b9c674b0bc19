"""kernels.window: where the windows of pooling lie along one axis, and the loops over rows of windows.

Max, average and adaptive pooling differ in these tables and in the micro-kernel, not in their loops. Backward makes each row
of dx from the rows of windows that cover it, in ascending order: rows are independent, and nothing is written twice by two
threads.
"""

import numpy as np

cimport numpy as cnp
from cython.parallel cimport parallel, prange

from fastcnn.errors import ShapeError

from fastcnn.kernels.entry cimport emit, fc_flush, fc_restore, unrecorded
from fastcnn.kernels.layout cimport crew
from fastcnn.kernels.memory cimport Block, block, empty_nchw
from fastcnn.kernels.micro cimport fc_gather_job, fc_scatter_job, fc_source, fc_span, fc_ukr, fc_window_job, table

cnp.import_array()

cdef enum:
    MOST_PLACES = 256          # vectors of a row of few channels: 64 KiB of where they come from
    FEW_ROWS = 64              # of windows: not worth such a table
    PAST_BYTES = 32 << 20      # of dx; whoever reads smaller ones finds a part of them in the last cache
    MANY_TAPS = 32             # of a window on average: looking at each costs more than going to the one that won
    PREFETCH_BYTES = 16 << 20  # of the input: below this it is likely to be in a cache, where prefetching costs 5 %


cdef class Axis:
    """The windows of one axis."""

    cdef int find_sources(self, Py_ssize_t out_step, Py_ssize_t tap_step) except -1:
        """Invert the table: for each pixel the windows that cover it, ascending.

        Windows are given as offsets, `out_step` apart, taps as multiples of `tap_step`.
        """
        cdef Py_ssize_t o, t, i, total = 0
        cdef Py_ssize_t *start
        cdef fc_source *s
        for o in range(self.count):
            total += self.spans[o].count
        self.cover = block((self.size + 2) * sizeof(Py_ssize_t) + (total + 1) * sizeof(fc_source))
        start = self.start = <Py_ssize_t *>(self.cover.data + (total + 1) * sizeof(fc_source))
        self.sources = <fc_source *>self.cover.data
        # counted two places further on, so that filling moves each start to where it belongs
        for i in range(self.size + 2):
            start[i] = 0
        for o in range(self.count):
            for t in range(self.spans[o].count):
                start[self.spans[o].at + t * self.step + 2] += 1
        for i in range(2, self.size + 2):
            start[i] += start[i - 1]
        for o in range(self.count):
            for t in range(self.spans[o].count):
                i = self.spans[o].at + t * self.step
                s = &self.sources[start[i + 1]]
                s.out, s.tap, s.weight = o * out_step, (self.spans[o].tap + t) * tap_step, self.spans[o].weight
                start[i + 1] += 1
        return 0

    cdef bint apart(self) noexcept:
        """Does each window end before the next one begins?"""
        cdef Py_ssize_t o, end = 0
        for o in range(self.count):
            if self.spans[o].count:
                if self.spans[o].at < end:
                    return False
                end = self.spans[o].at + (self.spans[o].count - 1) * self.step + 1
        return True


cdef Axis new_axis(Py_ssize_t size, Py_ssize_t count, Py_ssize_t step):
    cdef Axis a = Axis.__new__(Axis)
    a.size, a.count, a.step = size, count, step
    a.memory = block((count + 1) * sizeof(fc_span))
    a.spans = <fc_span *>a.memory.data
    return a


cdef Axis kernel_axis(Py_ssize_t size, Py_ssize_t k, Py_ssize_t stride, Py_ssize_t pad, Py_ssize_t dilation, Py_ssize_t count,
                      bint include_pad):
    """Windows of k taps, `dilation` apart; window o starts at o * stride - pad. Taps beyond the padding never count."""
    cdef Axis a = new_axis(size, count, dilation)
    cdef Py_ssize_t o, start, first, stop
    for o in range(count):
        start = o * stride - pad
        first = 0 if start >= 0 else (-start + dilation - 1) // dilation
        stop = min(k, max(<Py_ssize_t>0, (size - start + dilation - 1) // dilation)) if start < size else 0
        a.spans[o].count = max(<Py_ssize_t>0, stop - first)
        a.spans[o].tap = first if stop > first else 0
        a.spans[o].at = start + first * dilation if stop > first else 0
        a.spans[o].divisor = min(k, (size + pad - start + dilation - 1) // dilation) if include_pad else a.spans[o].count
        a.spans[o].weight = 1.0 / a.spans[o].divisor
    return a


cdef Axis bin_axis(Py_ssize_t size, Py_ssize_t count):
    """Bins [floor(o * size / count), ceil((o + 1) * size / count))."""
    cdef Axis a = new_axis(size, count, 1)
    cdef Py_ssize_t o
    for o in range(count):
        a.spans[o].at = o * size // count
        a.spans[o].tap = 0
        a.spans[o].count = a.spans[o].divisor = ((o + 1) * size + count - 1) // count - o * size // count
        a.spans[o].weight = 1.0 / a.spans[o].divisor
    return a


cdef int check_shape(str op, str name, cnp.ndarray a, Py_ssize_t n, Py_ssize_t c, Py_ssize_t h, Py_ssize_t w) except -1:
    if (cnp.PyArray_DIM(a, 0) != n or cnp.PyArray_DIM(a, 1) != c or cnp.PyArray_DIM(a, 2) != h or cnp.PyArray_DIM(a, 3) != w):
        raise ShapeError(f"{op}: {name} must be {(n, c, h, w)}, got {name}.shape={np.shape(a)}")
    return 0


cdef cnp.ndarray taps_of(str op, object index, tuple shape, Py_ssize_t area):
    """The saved index in channels-last memory, in the dtype that `area` values need; a copy only when it is not one of ours."""
    cdef cnp.ndarray taps
    if np.shape(index) != shape:
        raise ShapeError(f"{op}: index must be {shape}, got index.shape={np.shape(index)}")
    taps = np.ascontiguousarray(index.transpose(0, 2, 3, 1), dtype=np.uint8 if area <= 256 else np.int32)
    if cnp.PyArray_BYTES(taps) != cnp.PyArray_BYTES(index):
        unrecorded(f"{op} with an index that it did not make")
    return taps.transpose(0, 3, 1, 2)


cdef Py_ssize_t channel_splits(const fc_ukr *u, Py_ssize_t rows, Py_ssize_t channels, int threads) noexcept nogil:
    """Parts of the channels, each at least a vector, when there are few rows to share out."""
    if rows >= 4 * threads or threads == 1:
        return 1
    return max(<Py_ssize_t>1, min((4 * threads + rows - 1) // rows, channels // u.lanes))


cdef inline Py_ssize_t split_at(const fc_ukr *u, Py_ssize_t channels, Py_ssize_t part, Py_ssize_t splits) noexcept nogil:
    """First channel of a part: a multiple of the lanes, so that only the last part has a tail."""
    return channels if part == splits else channels // u.lanes * part // splits * u.lanes


cdef void look_ahead(const fc_ukr *u, fc_window_job *job, const fc_span *rows, Py_ssize_t oh, Py_ssize_t x_batch,
                     Py_ssize_t row) noexcept nogil:
    """Point the job at the rows of the image that the row of windows after `row` reads first."""
    cdef fc_span here = rows[row % oh], there = rows[(row + 1) % oh]
    cdef Py_ssize_t step = job.step_y // job.x_row, first = there.at, stop = there.at + (there.count - 1) * step + 1
    if (row + 1) % oh:
        first = max(first, here.at + (here.count - 1) * step + 1)
    job.ahead = <const char *>job.x + ((row + 1) // oh * x_batch + first * job.x_row) * u.item
    job.ahead_size = max(<Py_ssize_t>0, stop - first) * job.x_row


cdef void pool_row(const Pool *p, Py_ssize_t row, Py_ssize_t part) noexcept nogil:
    cdef const fc_ukr *u = p.u
    cdef fc_window_job job = p.windows
    cdef Py_ssize_t n = row // p.oh, width = job.ow * job.channels
    job.row = p.rows[row % p.oh]
    if job.ahead_size and ((row + 1) % p.oh or job.x_size > (n + 1) * p.x_batch):
        look_ahead(u, &job, p.rows, p.oh, p.x_batch, row)
    else:
        job.ahead_size = 0
    job.x = <const char *>job.x + n * p.x_batch * u.item
    job.x_size -= n * p.x_batch
    job.y = <char *>job.y + row * width * u.item
    if job.index != NULL:
        job.index = <char *>job.index + row * width * (4 if job.wide_index else 1)
    if job.winners != NULL:
        job.winners = <char *>job.winners + row * width * u.item
    job.first = split_at(u, job.channels, part, p.splits)
    job.last = split_at(u, job.channels, part + 1, p.splits)
    if p.maximum:
        u.max_row(&job)
    else:
        u.mean_row(&job)


cdef int pool_all(const void *job) noexcept nogil:
    cdef const Pool *p = <const Pool *>job
    cdef Py_ssize_t t
    cdef unsigned long long floats = 0
    if p.maximum and p.windows.mean == NULL:  # only compares and copies
        for t in prange(p.tasks, num_threads=p.threads, schedule="static"):
            pool_row(p, t // p.splits, t % p.splits)
        return 0
    with parallel(num_threads=p.threads):
        floats = fc_flush()
        for t in prange(p.tasks, schedule="static"):
            pool_row(p, t // p.splits, t % p.splits)
        fc_restore(floats)
    return 0


cdef void plan_pool(Pool *p, cnp.ndarray x, cnp.ndarray y, Axis rows, Axis cols, Py_ssize_t kw, cnp.ndarray index, bint maximum,
                    int threads):
    """Describe the pooling of a dense channels-last x that fills y and, unless it is None, `index`."""
    cdef Py_ssize_t batch = cnp.PyArray_DIM(x, 0), channels = cnp.PyArray_DIM(x, 1), oh = rows.count
    cdef fc_window_job *job = &p.windows
    p.u, p.rows, p.oh, p.maximum = table(cnp.PyArray_ITEMSIZE(x)), rows.spans, oh, maximum
    p.x_batch = rows.size * cols.size * channels
    job.x, job.y, job.index, job.winners = cnp.PyArray_BYTES(x), cnp.PyArray_BYTES(y), NULL, NULL
    job.mean, job.wide_index = NULL, False
    if index is not None:
        job.index, job.wide_index = cnp.PyArray_BYTES(index), cnp.PyArray_ITEMSIZE(index) == 4
    job.cols, job.ow, job.channels, job.kw = cols.spans, cols.count, channels, kw
    job.x_row, job.step_y, job.step_x = cols.size * channels, rows.step * cols.size * channels, cols.step * channels
    job.x_size = x.size
    job.ahead_size = x.size * p.u.item >= PREFETCH_BYTES
    p.threads = crew(<double>(x.size + y.size) * p.u.item, threads)
    p.splits = channel_splits(p.u, batch * oh, channels, p.threads)
    p.tasks = batch * oh * p.splits


cdef object pool(cnp.ndarray x, Axis rows, Axis cols, Py_ssize_t kw, cnp.ndarray index, bint maximum, int threads):
    """Return y (batch, channels, rows.count, cols.count) of a dense channels-last x; fills `index` unless it is None."""
    cdef cnp.ndarray y = empty_nchw(cnp.PyArray_DIM(x, 0), cnp.PyArray_DIM(x, 1), rows.count, cols.count, cnp.PyArray_TYPE(x))
    cdef Pool p
    if y.size:
        plan_pool(&p, x, y, rows, cols, kw, index, maximum, threads)
        emit(pool_all, &p, sizeof(p), (y, x, index, rows.memory, cols.memory))
    return y


cdef struct Scatter:
    const fc_ukr *u
    fc_scatter_job windows  # of all images
    Py_ssize_t image, dy_image, tasks, splits
    int threads


cdef void scatter_part(const Scatter *p, Py_ssize_t n, Py_ssize_t part) noexcept nogil:
    cdef fc_scatter_job job = p.windows
    job.dx = <char *>job.dx + n * p.image * p.u.item
    job.dy = <const char *>job.dy + n * p.dy_image * p.u.item
    job.index = <const char *>job.index + n * p.dy_image * (4 if job.wide_index else 1)
    job.first = split_at(p.u, job.channels, part, p.splits)
    job.last = split_at(p.u, job.channels, part + 1, p.splits)
    p.u.scatter_image(&job)


cdef int scatter_all(const void *job) noexcept nogil:
    cdef const Scatter *p = <const Scatter *>job
    cdef Py_ssize_t t
    cdef unsigned long long floats = 0
    with parallel(num_threads=p.threads):
        floats = fc_flush()
        for t in prange(p.tasks, schedule="static"):
            scatter_part(p, t // p.splits, t % p.splits)
        fc_restore(floats)
    return 0


cdef Py_ssize_t covered(Axis a) noexcept:
    """Taps of all windows together."""
    cdef Py_ssize_t o, total = 0
    for o in range(a.count):
        total += a.spans[o].count
    return total


cdef object scatter(cnp.ndarray dx, cnp.ndarray dy, Axis rows, Axis cols, Py_ssize_t kw, cnp.ndarray index, int threads):
    """Fill dx image by image: each dy goes to the pixel that the index names."""
    cdef Py_ssize_t batch = cnp.PyArray_DIM(dy, 0), channels = cnp.PyArray_DIM(dy, 1)
    cdef Scatter p
    cdef fc_scatter_job *job = &p.windows
    p.u = table(cnp.PyArray_ITEMSIZE(dy))
    p.image, p.dy_image = rows.size * cols.size * channels, rows.count * cols.count * channels
    job.dx, job.dy, job.index = cnp.PyArray_BYTES(dx), cnp.PyArray_BYTES(dy), cnp.PyArray_BYTES(index)
    job.rows, job.cols, job.oh, job.ow, job.kw = rows.spans, cols.spans, rows.count, cols.count, kw
    job.size, job.channels, job.row = rows.size * cols.size, channels, cols.size * channels
    job.step_y, job.step_x = rows.step * cols.size * channels, cols.step * channels
    job.wide_index = cnp.PyArray_ITEMSIZE(index) == 4
    p.threads = crew(<double>(dx.size + dy.size) * p.u.item, threads)
    p.splits = channel_splits(p.u, batch, channels, p.threads)
    p.tasks = batch * p.splits
    emit(scatter_all, &p, sizeof(p), (dx, dy, index, rows.memory, cols.memory))
    return dx


cdef void gradient_row(const Gather *p, Py_ssize_t row, Py_ssize_t part) noexcept nogil:
    """A row of dx of all images, a part of its channels."""
    cdef const fc_ukr *u = p.u
    cdef fc_gather_job job = p.windows
    cdef Py_ssize_t n = row // p.ih, i = row % p.ih, at = row * job.iw * job.channels * u.item
    job.rows = p.sources + p.start[i]
    job.n_rows = p.start[i + 1] - p.start[i]
    job.dx = <char *>job.dx + at
    job.dy = <const char *>job.dy + n * p.dy_batch * u.item
    job.dy_size -= n * p.dy_batch
    if job.x != NULL:
        job.x = <const char *>job.x + at
    if job.index != NULL:
        job.index = <const char *>job.index + n * p.dy_batch * (4 if job.wide_index else 1)
    job.first = split_at(u, job.channels, part, p.splits)
    job.last = split_at(u, job.channels, part + 1, p.splits)
    u.gather_row(&job)


cdef int gather_all(const void *job) noexcept nogil:
    cdef const Gather *p = <const Gather *>job
    cdef Py_ssize_t t
    cdef unsigned long long floats = 0
    with parallel(num_threads=p.threads):
        floats = fc_flush()
        for t in prange(p.tasks, schedule="static"):
            gradient_row(p, t // p.splits, t % p.splits)
        fc_restore(floats)
    return 0


cdef Block plan_gather(Gather *p, cnp.ndarray dx, cnp.ndarray dy, Axis rows, Axis cols, Py_ssize_t kw, cnp.ndarray index,
                       int threads):
    """Describe how dx gathers from a dense channels-last dy, a mean when `index` is None; return a table to be held, or None."""
    cdef Py_ssize_t batch = cnp.PyArray_DIM(dy, 0), channels = cnp.PyArray_DIM(dy, 1), ih = rows.size, vectors
    cdef fc_gather_job *job = &p.windows
    cdef Block places
    rows.find_sources(cols.count * channels, kw)
    cols.find_sources(channels, 1)
    p.u, p.sources, p.start, p.ih = table(cnp.PyArray_ITEMSIZE(dy)), rows.sources, rows.start, ih
    p.dy_batch = rows.count * cols.count * channels
    job.dx, job.dy, job.index, job.x, job.places = cnp.PyArray_BYTES(dx), cnp.PyArray_BYTES(dy), NULL, NULL, NULL
    job.wide_index = False
    if index is not None:
        job.index, job.wide_index = cnp.PyArray_BYTES(index), cnp.PyArray_ITEMSIZE(index) == 4
    job.cols, job.start, job.iw, job.channels, job.dy_size = cols.sources, cols.start, cols.size, channels, dy.size
    job.past_cache = dx.size * p.u.item >= PAST_BYTES and channels % p.u.lanes == 0
    p.threads = crew(<double>(dx.size + dy.size) * p.u.item, threads)
    p.splits = channel_splits(p.u, batch * ih, channels, p.threads)
    p.tasks = batch * ih * p.splits
    vectors = (cols.size * channels + p.u.lanes - 1) // p.u.lanes
    if channels > p.u.lanes or vectors > MOST_PLACES or batch * rows.count < FEW_ROWS or not (rows.apart() and cols.apart()):
        return None
    places = block(vectors * 4 * p.u.lanes * p.u.item)
    if not p.u.gather_places(places.data, job):
        return None
    job.places = places.data
    return places


cdef object gather(cnp.ndarray dy, Axis rows, Axis cols, Py_ssize_t kw, cnp.ndarray index, int threads):
    """Return dx (batch, channels, rows.size, cols.size) of a dense channels-last dy; a mean when `index` is None."""
    cdef Py_ssize_t batch = cnp.PyArray_DIM(dy, 0), channels = cnp.PyArray_DIM(dy, 1)
    cdef cnp.ndarray dx = empty_nchw(batch, channels, rows.size, cols.size, cnp.PyArray_TYPE(dy))
    cdef Gather p
    cdef Block places
    if dx.size == 0:
        return dx
    if index is not None and covered(rows) * covered(cols) >= MANY_TAPS * rows.count * cols.count:
        return scatter(dx, dy, rows, cols, kw, index, threads)
    places = plan_gather(&p, dx, dy, rows, cols, kw, index, threads)
    emit(gather_all, &p, sizeof(p), (dx, dy, index, rows.cover, cols.cover, places))
    return dx
