"""kernels.conv2d_direct_weight: the weight gradient of convolution as products of image columns with dy, summed over pixels.

The same register tile as forward, with other strides: its rows are neighbouring elements of an image row (kernel column and input
channel), its depth runs over output pixels, its columns are output channels. A block of pixels is some rows of an image, or
several small images, long enough to pay for loading and storing the sums; channels come in parts, so that the image of a
block fits into L2. With a kernel of one tap x and dy may change places: the one with more channels is better as panels,
and a large dw needs no transposition.
Small dw: the pixels are cut into chunks, a number fixed by the shape, each with sums of its own that are added in order, so
that results do not depend on the number of threads.
"""

cimport numpy as cnp
from cython.parallel cimport parallel, prange, threadid

from fastcnn.kernels.conv2d_direct cimport above, clear, image
from fastcnn.kernels.entry cimport emit, fc_flush, fc_restore
from fastcnn.kernels.gemm cimport look_ahead, segment, team
from fastcnn.kernels.memory cimport Block, apart, block, empty_nchw
from fastcnn.kernels.micro cimport fc_streams, fc_tile_job, fc_ukr, table

cnp.import_array()

cdef enum:
    PIXELS = 384                  # of a block: fewer would load and store sums too often
    WINDOW_BYTES = 384 * 1024     # of the image that goes with a block: it shares L2 with panel and sums
    FLAT_PIXELS = 256             # the same of one long row of pixels: panels of dy stay in L1
    FLAT_MOST = 512               # up to so many are one block
    FLAT_WINDOW = 640 * 1024
    SEGMENT = 32                  # pixels of a segment where no divisor is near that: so many lines can be on their way
    CHUNKS = 16                   # most parts that the pixels are cut into
    CHUNK_PIXELS = 1024           # least pixels of a part
    SWAP_BYTES = 512 * 1024       # of dw, from which on its transposition costs more than the better panels bring
    SUMS_BYTES = 512 * 1024       # of the sums of all parts, when more than two
    HALVES_BYTES = 2 << 20        # of dw, up to which there are two parts
    NEAR_BYTES = 1024             # distance of pixels of dy up to which they are read in place

cdef struct WeightGradient:
    # dw[g*n_out + k, c, r, s] = sum over n, y, x of dy[n, y, x, g*n_out + k] * x[n, y*sh + r*dh - pt, x*sw + s*dw - pl, c'],
    # c' = g*depth + c
    const fc_ukr *u
    char *out                                          # OUT  (co, kh, kw, ci/groups)
    const char *x                                      # IN   channels-last image
    const char *dy                                     # IN   channels-last image
    Py_ssize_t x_batch, x_row, x_pixel, height, width
    Py_ssize_t y_batch, y_row, y_pixel, oh, ow
    Py_ssize_t batch, groups, depth, n_out, kh, kw, sh, sw, pt, pl, dh, dw
    bint flat                                          # 1x1 kernel, stride 1: the images are one long row of pixels
    bint swapped                                       # flat, and x is dy, dy is x: dw is written as it is summed
    int threads
    # derived by `plan_weight`
    bint direct                                        # swapped, one chunk: the sums stand in `out`
    bint pack, merged                                  # copy windows; a tap is a whole kernel row, not one element
    Py_ssize_t part, parts                             # channels of a part, parts of the depth
    Py_ssize_t pixel, row, image                       # of the window: strides
    Py_ssize_t images, rows, cols, blocks_n, blocks_y, blocks_x  # output pixels of a block: images * rows * cols at most
    Py_ssize_t unit                                    # columns come in so many, or less at the end of a row
    Py_ssize_t window_rows, window_cols                # of one image in the window
    Py_ssize_t segments                                # of a block: runs of pixels at one distance
    Py_ssize_t taps, tap_rows                          # taps of a panel, rows of one
    Py_ssize_t panels, chunks, window_bytes, panel_bytes, sum_bytes
    Py_ssize_t *seg                                    # scratch: where the segments begin
    char *scratch                                      # a window and a panel of dy for each thread
    char *sums                                         # scratch: of each chunk


cdef void plan_weight(WeightGradient *p) noexcept nogil:
    """Choose the blocks of pixels, the parts of the depth and the chunks: by the shape alone."""
    cdef const fc_ukr *u = p.u
    cdef Py_ssize_t span_y = (p.kh - 1) * p.dh, span_x = (p.kw - 1) * p.dw, pixels = p.batch * p.oh * p.ow, channel_bytes
    cdef bint border = (p.pt > 0 or p.pl > 0 or (p.oh - 1) * p.sh - p.pt + span_y >= p.height
                        or (p.ow - 1) * p.sw - p.pl + span_x >= p.width)
    p.panels = above(p.n_out, u.nr)
    p.sum_bytes = p.groups * p.panels * p.kh * p.kw * p.depth * u.nr * u.item
    p.chunks = 1
    while p.chunks < CHUNKS and 2 * p.chunks * CHUNK_PIXELS <= pixels and (
            2 * p.chunks * p.sum_bytes <= SUMS_BYTES or (p.chunks == 1 and p.sum_bytes <= HALVES_BYTES)):
        p.chunks *= 2
    p.unit = 1
    p.blocks_x = 1
    if p.flat:
        p.unit = segment(p.ow)
        if p.unit > FLAT_PIXELS:  # no divisor
            p.unit = SEGMENT
        p.blocks_x = 1 if p.ow <= FLAT_MOST else above(above(p.ow, FLAT_PIXELS), p.chunks) * p.chunks
    elif p.ow > 2 * PIXELS:
        p.blocks_x = above(p.ow, PIXELS)
    p.direct = p.swapped and p.chunks == 1
    p.cols = above(above(p.ow, p.unit), p.blocks_x) * p.unit
    p.rows = min(p.oh, max(<Py_ssize_t>1, PIXELS // p.cols)) if p.blocks_x == 1 else 1
    p.blocks_y = above(p.oh, p.rows)
    p.rows = above(p.oh, p.blocks_y)
    p.images = 1
    if p.blocks_y == 1 and p.blocks_x == 1:
        p.images = min(p.batch, above(PIXELS, p.oh * p.ow))
        p.images = above(p.batch, min(p.batch, above(above(p.batch, p.images), p.chunks) * p.chunks))
    p.blocks_n = above(p.batch, p.images)
    p.segments = p.cols // p.unit if p.flat else p.images * p.rows
    p.chunks = min(p.chunks, p.blocks_n * p.blocks_y * p.blocks_x)
    p.window_rows = (p.rows - 1) * p.sh + span_y + 1
    p.window_cols = (p.cols - 1) * p.sw + span_x + 1
    channel_bytes = p.images * p.window_rows * p.window_cols * u.item
    p.parts = above(p.depth, max(<Py_ssize_t>32, (FLAT_WINDOW if p.flat else WINDOW_BYTES) // channel_bytes))
    p.part = p.depth if p.parts == 1 else above(above(p.depth, p.parts), 16) * 16
    p.parts = above(p.depth, p.part)
    # without a border, copy only what would meet in few cache sets or pages, and is read more than once
    p.pack = border or (p.sw * p.x_pixel * u.item >= 2048 and p.panels > 1)
    p.pixel, p.row, p.image = p.x_pixel, p.x_row, p.x_batch
    if p.pack:
        p.pixel = p.part + (16 if p.sw * p.part * u.item % 1024 == 0 else 0)
        p.row = p.window_cols * p.pixel
        p.image = p.window_rows * p.row
    p.merged = p.parts == 1 and p.dw == 1 and p.pixel == p.depth
    p.taps = p.kh if p.merged else p.kh * p.kw
    p.tap_rows = p.kw * p.depth if p.merged else p.depth
    p.window_bytes = p.images * p.image * u.item if p.pack else 0
    p.panel_bytes = p.images * p.rows * p.cols * u.nr * u.item


cdef Py_ssize_t column(const WeightGradient *p, Py_ssize_t bx) noexcept nogil:
    """Where block bx of a row of outputs begins: all have about the same length."""
    return min(p.ow, bx * above(p.ow, p.unit) // p.blocks_x * p.unit)


cdef bint in_place(const WeightGradient *p, Py_ssize_t n) noexcept nogil:
    """Can n channels of dy be the operand as they stand? Whole vectors, near each other or seldom read."""
    return n % p.u.lanes == 0 and (p.y_pixel * p.u.item <= NEAR_BYTES or p.taps * p.tap_rows <= 2 * p.u.mr)


cdef void weight_panel(const WeightGradient *p, fc_tile_job *job, fc_streams *ahead, const char *x, const char *dy,
                       char *panel_dy, char *sums, Py_ssize_t n, Py_ssize_t channels) noexcept nogil:
    """Add one block of pixels to one panel: all taps of `channels` channels. `x`, `dy`: the first pixel of the block."""
    cdef const fc_ukr *u = p.u
    cdef Py_ssize_t tap
    job.n = n if p.direct else above(n, u.lanes) * u.lanes  # whole vectors: dy is zero there
    job.b, job.ldb = dy, p.y_pixel
    if not in_place(p, n):
        u.pack_run(panel_dy, dy, n, u.nr, job.nseg * job.kseg, p.y_pixel, 1)
        job.b, job.ldb = panel_dy, u.nr
    if p.merged:
        job.rows, job.cols = p.kh, p.tap_rows
        job.a_row, job.c_row = p.dh * p.row, p.tap_rows * u.nr
        job.a, job.c = x, sums
        u.tile_rows_streamed(job, ahead)
        return
    job.rows, job.cols = 1, channels
    for tap in range(p.taps):
        job.a = x + (tap // p.kw * p.dh * p.row + tap % p.kw * p.dw * p.pixel) * u.item
        job.c = sums + tap * p.depth * u.nr * u.item
        u.tile_rows_streamed(job, ahead)


cdef void look_at_pixels(const WeightGradient *p, fc_streams *ahead, Py_ssize_t blk, Py_ssize_t x_channel, Py_ssize_t channels,
                         Py_ssize_t y_channel, Py_ssize_t n_out, Py_ssize_t segments) noexcept nogil:
    """Spread the pixels of x and dy that block `blk` reads over `segments` segments; nothing behind the last block."""
    cdef Py_ssize_t item = p.u.item, x0 = column(p, blk % p.blocks_x), y0 = blk // p.blocks_x % p.blocks_y * p.rows
    cdef Py_ssize_t n = blk // p.blocks_x // p.blocks_y * p.images, images = max(<Py_ssize_t>0, min(p.images, p.batch - n))
    cdef Py_ssize_t top = max(<Py_ssize_t>0, y0 * p.sh - p.pt), bottom = min(p.height, y0 * p.sh - p.pt + p.window_rows)
    cdef Py_ssize_t left = max(<Py_ssize_t>0, x0 * p.sw - p.pl), right = min(p.width, x0 * p.sw - p.pl + p.window_cols)
    cdef Py_ssize_t pixels = right - left
    if p.blocks_x == 1:  # whole rows
        left, pixels = 0, (bottom - top) * p.width
        if images > 1:  # whole images
            pixels = (images - 1) * p.height * p.width + pixels
    look_ahead(ahead, 0, p.dy + (n * p.y_batch + y0 * p.y_row + x0 * p.y_pixel + y_channel) * item,
               images * min(p.rows, p.oh - y0) * (column(p, blk % p.blocks_x + 1) - x0), n_out * item, p.y_pixel * item, segments)
    look_ahead(ahead, 1, p.x + (n * p.x_batch + top * p.x_row + left * p.x_pixel + x_channel) * item,
               pixels if images > 0 else 0, channels * item, p.x_pixel * item, segments)


cdef void weight_block(const WeightGradient *p, char *window, char *sums, Py_ssize_t blk, Py_ssize_t g, Py_ssize_t part,
                       Py_ssize_t p0, Py_ssize_t p1, bint accumulate) noexcept nogil:
    """Add the pixels of block `blk` to part `part` of panels p0..p1 of group g; `window`: scratch, a panel of dy behind it."""
    cdef const fc_ukr *u = p.u
    cdef fc_tile_job job
    cdef fc_streams ahead
    cdef Py_ssize_t bx = blk % p.blocks_x, by = blk // p.blocks_x % p.blocks_y, n = blk // p.blocks_x // p.blocks_y * p.images
    cdef Py_ssize_t y0 = by * p.rows, x0 = column(p, bx), images = min(p.images, p.batch - n), panel, i
    cdef Py_ssize_t rows = min(p.rows, p.oh - y0), top = y0 * p.sh - p.pt, left = x0 * p.sw - p.pl
    cdef Py_ssize_t channels = min(p.part, p.depth - part * p.part)
    cdef const char *x = p.x + (n * p.x_batch + g * p.depth + part * p.part) * u.item
    cdef const char *dy = p.dy + (n * p.y_batch + y0 * p.y_row + x0 * p.y_pixel + g * p.n_out) * u.item
    if p.pack:
        for i in range(images):
            u.pack_image(window + i * p.image * u.item, x + i * p.x_batch * u.item, top, (rows - 1) * p.sh
                         + (p.kh - 1) * p.dh + 1, left, p.window_cols, p.height, p.width, p.x_row, p.x_pixel, channels, p.pixel)
        x = window
    else:
        x = x + (top * p.x_row + left * p.x_pixel) * u.item
    job.seg, job.nseg, job.kseg = p.seg, images * rows, column(p, bx + 1) - x0
    if p.flat and job.kseg % p.unit == 0:
        job.nseg, job.kseg = job.kseg // p.unit, p.unit
    job.lda, job.ka, job.ldc = 1, p.sw * p.pixel, p.n_out if p.direct else u.nr
    job.c_row = job.a_row = 0
    job.bias, job.accumulate, job.epilogue = NULL, accumulate, NULL
    ahead.past_cache, ahead.moments = 0, NULL
    look_at_pixels(p, &ahead, blk + 1, g * p.depth + part * p.part, channels, g * p.n_out + p0 * u.nr,
                   min(p1 * u.nr, p.n_out) - p0 * u.nr, (p1 - p0) * p.taps * job.nseg * above(channels, u.mr))
    for panel in range(p0, p1):
        weight_panel(p, &job, &ahead, x, dy + panel * u.nr * u.item, window + p.window_bytes,
                     p.out + ((g * p.depth + part * p.part) * p.n_out + panel * u.nr) * u.item if p.direct else
                     sums + ((g * p.panels + panel) * p.kh * p.kw * p.depth + part * p.part) * u.nr * u.item,
                     min(u.nr, p.n_out - panel * u.nr), channels)


cdef void weight_chunk(const WeightGradient *p, char *window, char *sums, Py_ssize_t first, Py_ssize_t last, Py_ssize_t u0,
                       Py_ssize_t u1) noexcept nogil:
    """Sum over blocks first..last for units u0..u1: a unit is a panel of a part of a group."""
    cdef Py_ssize_t unit = u0, stop, blk, p0
    while unit < u1:
        stop = min(u1, (unit // p.panels + 1) * p.panels)
        p0 = unit % p.panels
        for blk in range(first, last):
            weight_block(p, window, sums, blk, unit // p.panels // p.parts, unit // p.panels % p.parts, p0, p0 + stop - unit,
                         blk > first)
        unit = stop


cdef void weight_task(const WeightGradient *p, char *scratch, Py_ssize_t chunk, Py_ssize_t split,
                      Py_ssize_t splits) noexcept nogil:
    cdef Py_ssize_t blocks = p.blocks_n * p.blocks_y * p.blocks_x, units = p.groups * p.parts * p.panels
    weight_chunk(p, scratch, p.sums + chunk * p.sum_bytes, chunk * blocks // p.chunks, (chunk + 1) * blocks // p.chunks,
                 split * units // splits, (split + 1) * units // splits)


cdef void store_task(const WeightGradient *p, Py_ssize_t t) noexcept nogil:
    """Add the chunks of one tap of one panel in order and write it."""
    cdef const fc_ukr *u = p.u
    cdef Py_ssize_t unit = p.tap_rows * u.nr, filter_ = p.kh * p.kw * p.depth, group = t // p.taps // p.panels, c
    cdef Py_ssize_t first = t // p.taps % p.panels * u.nr, n = min(u.nr, p.n_out - first)
    cdef char *sums = p.sums + t * unit * u.item
    for c in range(1, p.chunks):
        u.add(sums, sums + c * p.sum_bytes, unit)
    if p.swapped:
        u.unpack_run(p.out + (group * p.depth * p.n_out + first) * u.item, sums, n, u.nr, unit // u.nr, p.n_out, 1)
    else:
        u.unpack_run(p.out + ((group * p.n_out + first) * filter_ + t % p.taps * p.tap_rows) * u.item, sums, n, u.nr,
                     unit // u.nr, 1, filter_)


cdef int weight_all(const void *job) noexcept nogil:
    """Tasks: the chunks, and parts of dw where there are more threads; then the sums of the chunks."""
    cdef const WeightGradient *p = <const WeightGradient *>job
    cdef Py_ssize_t splits = min(p.groups * p.parts * p.panels, above(p.threads, p.chunks)), t
    cdef unsigned long long floats = 0
    for t in range(p.segments):
        p.seg[t] = t * p.unit * p.pixel if p.flat else t // p.rows * p.image + t % p.rows * p.sh * p.row
    with parallel(num_threads=p.threads):
        floats = fc_flush()
        for t in prange(p.chunks * splits, schedule="static"):
            weight_task(p, p.scratch + threadid() * apart(p.window_bytes + p.panel_bytes), t // splits, t % splits, splits)
        fc_restore(floats)
    if p.direct:
        return 0
    with parallel(num_threads=p.threads):
        floats = fc_flush()
        for t in prange(p.groups * p.panels * p.taps, schedule="static"):
            store_task(p, t)
        fc_restore(floats)
    return 0


def conv2d_direct_backward_weight(dy, x, case, *, int threads=1):
    """Return dw of logical shape case.w_shape (memory co, kh, kw, ci/groups) from dy and x.

    Costs case.macs multiply-adds. Small dw: the pixels are cut into a number of chunks fixed by the shape, summed in order.
    """
    cdef cnp.ndarray dys = image(dy, "dy", case.y_shape)
    cdef cnp.ndarray xs = image(x, "x", case.x_shape, dys.dtype)
    cdef Py_ssize_t batch, ci, ih, iw, co, kh, kw, sh, sw, pt, pb, pl, pr, dh, dw, groups, oh, ow
    batch, ci, ih, iw, co, kh, kw, sh, sw, pt, pb, pl, pr, dh, dw, groups, oh, ow = case
    cdef cnp.ndarray out = empty_nchw(co, ci // groups, kh, kw, dys.dtype.num)
    cdef WeightGradient p
    cdef Block seg, scratch, sums
    if out.size == 0 or dys.size == 0:
        clear(out, threads)
        return out
    p.u, p.threads = table(dys.itemsize), team(<double>batch * co * oh * ow * (ci // groups) * kh * kw, threads)
    p.out, p.x, p.dy, p.flat = cnp.PyArray_BYTES(out), cnp.PyArray_BYTES(xs), cnp.PyArray_BYTES(dys), False
    p.x_batch, p.x_row, p.x_pixel = ih * iw * ci, iw * ci, ci
    if kh == 1 and kw == 1 and pt + pb + pl + pr == 0:
        p.flat = sh == 1 and sw == 1
        if p.flat:
            oh, ow, batch = 1, batch * oh * ow, 1
        # a stride leaves out pixels: an image of its own, with other distances
        ih, iw, p.x_row, p.x_pixel, sh, sw = oh, ow, sh * p.x_row, sw * p.x_pixel, 1, 1
    p.height, p.width = ih, iw
    p.y_batch, p.y_row, p.y_pixel, p.oh, p.ow = oh * ow * co, ow * co, co, oh, ow
    p.batch, p.groups, p.depth, p.n_out = batch, groups, ci // groups, co // groups
    p.kh, p.kw, p.sh, p.sw, p.pt, p.pl, p.dh, p.dw = kh, kw, sh, sw, pt, pl, dh, dw
    p.swapped = p.flat and (ci >= co or out.nbytes >= SWAP_BYTES)
    if p.swapped:
        p.x, p.dy, p.depth, p.n_out = p.dy, p.x, p.n_out, p.depth
        p.x_row, p.x_pixel, p.y_row, p.y_pixel = p.y_row, p.y_pixel, p.x_row, p.x_pixel
    plan_weight(&p)
    seg = block((p.segments + 1) * sizeof(Py_ssize_t))
    scratch = block(p.threads * apart(p.window_bytes + p.panel_bytes))
    sums = block(0 if p.direct else p.chunks * p.sum_bytes)
    p.seg, p.scratch, p.sums = <Py_ssize_t *>seg.data, scratch.data, sums.data
    emit(weight_all, &p, sizeof(p), (out, dys, xs))
    return out
