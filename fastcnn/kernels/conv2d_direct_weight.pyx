"""kernels.conv2d_direct_weight: the weight gradient of convolution as products of image columns with dy, summed over pixels.

The same register tile as forward, with other strides: its rows are neighbouring elements of an image row (kernel column and input
channel), its depth runs over output pixels, its columns are output channels. Small dw: the pixels are cut into chunks, a number
fixed by the shape, each with sums of its own that are added in order, so that results do not depend on the number of threads.
"""

cimport numpy as cnp
from cython.parallel cimport prange, threadid

from fastcnn.kernels.conv2d_direct cimport image
from fastcnn.kernels.gemm cimport team
from fastcnn.kernels.memory cimport Block, apart, block, empty_nchw
from fastcnn.kernels.micro cimport fc_tile_job, fc_ukr, table

cnp.import_array()

cdef enum:
    WINDOW_BYTES = 192 * 1024     # image rows that a task holds
    CHUNKS = 16                   # parts that the pixels are cut into when dw is small
    SMALL_DW_BYTES = 256 * 1024

cdef struct WeightGradient:
    # dw[g*n_out + k, c, r, s] = sum over n, y, x of dy[n, y, x, g*n_out + k] * x[n, y*sh + r*dh - pt, x*sw + s*dw - pl, c'],
    # c' = g*depth + c
    const char *x                                      # IN   channels-last image
    const char *dy                                     # IN   channels-last image
    Py_ssize_t x_batch, x_row, x_pixel, height, width
    Py_ssize_t y_batch, y_row, y_pixel, oh, ow
    Py_ssize_t batch, groups, depth, n_out, kh, kw, sh, sw, pt, pl, dh, dw
    # derived by `plan_weight`
    bint pack, merged                                  # copy windows; a unit is a whole kernel row, not one tap
    Py_ssize_t pixel, row, cols                        # of the window
    Py_ssize_t rows, ow_block, blocks_y, blocks_x      # output pixels of a block
    Py_ssize_t taps, unit_rows, units                  # units of a (group, panel); rows of one; all units
    Py_ssize_t chunks, window_bytes, panel_bytes


cdef void plan_weight(const fc_ukr *u, WeightGradient *p, int threads) noexcept nogil:
    cdef Py_ssize_t panels = (p.n_out + u.nr - 1) // u.nr, span_y = (p.kh - 1) * p.dh, span_x = (p.kw - 1) * p.dw, bytes_
    p.pack = (p.pt > 0 or p.pl > 0 or (p.oh - 1) * p.sh - p.pt + span_y >= p.height
              or (p.ow - 1) * p.sw - p.pl + span_x >= p.width)
    p.ow_block = p.ow if p.oh > 1 else min(p.ow, 512)  # 1x1: the images are one long row
    p.cols = (p.ow_block - 1) * p.sw + span_x + 1
    p.pixel = p.depth if p.pack else p.x_pixel
    p.row = p.cols * p.pixel if p.pack else p.x_row
    p.merged = p.dw == 1 and p.pixel == p.depth
    p.rows = (WINDOW_BYTES // (p.cols * p.depth * u.item) - span_y) // p.sh
    p.rows = min(max(p.rows, 1), p.oh, max(1, 512 // p.ow_block))
    p.blocks_y = (p.oh + p.rows - 1) // p.rows
    p.blocks_x = (p.ow + p.ow_block - 1) // p.ow_block
    p.window_bytes = ((p.rows - 1) * p.sh + span_y + 1) * p.cols * p.pixel * u.item if p.pack else 0
    p.panel_bytes = p.rows * p.ow_block * u.nr * u.item
    p.taps = p.kh if p.merged else p.kh * p.kw
    p.unit_rows = p.kw * p.depth if p.merged else p.depth
    p.units = p.groups * panels * p.taps
    bytes_ = p.units * p.unit_rows * u.nr * u.item
    p.chunks = min(CHUNKS, p.batch * p.blocks_y * p.blocks_x) if bytes_ <= SMALL_DW_BYTES else 1


cdef void weight_block(const fc_ukr *u, const WeightGradient *p, const Py_ssize_t *seg, char *window, char *panel_dy, char *sums,
                       Py_ssize_t blk, Py_ssize_t u0, Py_ssize_t u1, bint accumulate) noexcept nogil:
    """Add the pixels of block `blk` to the units u0..u1; unit t stands at sums + t*unit_rows*nr."""
    cdef fc_tile_job job
    cdef Py_ssize_t panels = (p.n_out + u.nr - 1) // u.nr, bx = blk % p.blocks_x, by = blk // p.blocks_x % p.blocks_y
    cdef Py_ssize_t n = blk // p.blocks_x // p.blocks_y, y0 = by * p.rows, x0 = bx * p.ow_block
    cdef Py_ssize_t rows = min(p.rows, p.oh - y0), cols = min(p.ow_block, p.ow - x0)
    cdef Py_ssize_t top = y0 * p.sh - p.pt, left = x0 * p.sw - p.pl, t, tap, panel, g, y, last_group = -1, last_panel = -1, at
    cdef const char *source
    job.nseg = rows
    job.kseg = cols
    job.seg = seg
    job.rows = 1
    job.cols = p.unit_rows
    job.lda = 1
    job.ka = p.sw * p.pixel
    job.ldb = job.ldc = u.nr
    job.b = panel_dy
    job.bias = NULL
    job.c_row = job.a_row = 0
    job.accumulate = accumulate
    job.relu = 0
    for t in range(u0, u1):
        tap = t % p.taps
        panel = t // p.taps % panels
        g = t // p.taps // panels
        source = p.x + (n * p.x_batch + g * p.depth) * u.item
        if p.pack and g != last_group:
            u.pack_image(window, source, top, (rows - 1) * p.sh + (p.kh - 1) * p.dh + 1, left, p.cols, p.height, p.width, p.x_row,
                         p.x_pixel, p.depth, p.pixel)
        if panel != last_panel or g != last_group:
            at = n * p.y_batch + y0 * p.y_row + x0 * p.y_pixel + g * p.n_out + panel * u.nr
            for y in range(rows):
                u.pack_run(panel_dy + y * cols * u.nr * u.item, p.dy + (at + y * p.y_row) * u.item,
                           min(u.nr, p.n_out - panel * u.nr), u.nr, cols, p.y_pixel, 1)
        last_group = g
        last_panel = panel
        job.n = (min(u.nr, p.n_out - panel * u.nr) + u.lanes - 1) // u.lanes * u.lanes  # whole vectors: dy is zero there
        at = tap * p.dh * p.row if p.merged else tap // p.kw * p.dh * p.row + tap % p.kw * p.dw * p.pixel
        if not p.pack:
            at = at + top * p.x_row + left * p.x_pixel
        job.a = (<const char *>window if p.pack else source) + at * u.item
        job.c = sums + t * p.unit_rows * u.nr * u.item
        u.tile_rows(&job)


cdef void weight_all(const fc_ukr *u, const WeightGradient *p, const Py_ssize_t *seg, char *scratch, char *sums,
                     int threads) noexcept nogil:
    """Tasks: parts of the pixels when dw is small, each with sums of its own; parts of dw otherwise."""
    cdef Py_ssize_t blocks = p.batch * p.blocks_y * p.blocks_x, splits = threads if p.chunks == 1 else 1, t, c, s, blk, first
    cdef Py_ssize_t sum_bytes = p.units * p.unit_rows * u.nr * u.item
    cdef char *mine
    if splits > p.units:
        splits = p.units
    for t in prange(p.chunks * splits, num_threads=threads, schedule="static"):
        c = t // splits
        s = t % splits
        mine = scratch + threadid() * apart(p.window_bytes + p.panel_bytes)
        first = c * blocks // p.chunks
        for blk in range(first, (c + 1) * blocks // p.chunks):
            weight_block(u, p, seg, mine, mine + p.window_bytes, sums + c * sum_bytes, blk, s * p.units // splits,
                         (s + 1) * p.units // splits, blk > first)


cdef void weight_store(const fc_ukr *u, const WeightGradient *p, char *sums, char *dw, int threads) noexcept nogil:
    """Add the chunks in order and write dw as (co, kh, kw, ci/groups)."""
    cdef Py_ssize_t panels = (p.n_out + u.nr - 1) // u.nr, unit = p.unit_rows * u.nr, filter_ = p.kh * p.kw * p.depth, t, c
    for t in prange(p.units, num_threads=threads, schedule="static"):
        for c in range(1, p.chunks):
            u.add(sums + t * unit * u.item, sums + (c * p.units + t) * unit * u.item, unit)
        store_unit(u, p, sums + t * unit * u.item, dw, t // p.taps // panels, t // p.taps % panels, t % p.taps, filter_)


cdef void store_unit(const fc_ukr *u, const WeightGradient *p, const char *sums, char *dw, Py_ssize_t g, Py_ssize_t panel,
                     Py_ssize_t tap, Py_ssize_t filter_) noexcept nogil:
    cdef Py_ssize_t channel = g * p.n_out + panel * u.nr
    u.unpack_run(dw + (channel * filter_ + tap * p.unit_rows) * u.item, sums, min(u.nr, p.n_out - panel * u.nr), u.nr,
                 p.unit_rows, 1, filter_)


def conv2d_direct_backward_weight(dy, x, case, *, int threads=1):
    """Return dw of logical shape case.w_shape (memory co, kh, kw, ci/groups) from dy and x.

    Costs case.macs multiply-adds. Small dw: the pixels are cut into a number of chunks fixed by the shape, summed in order.
    """
    cdef cnp.ndarray dys = image(dy, "dy", case.y_shape)
    cdef cnp.ndarray xs = image(x, "x", case.x_shape, dys.dtype)
    cdef const fc_ukr *u = table(dys.itemsize)
    cdef Py_ssize_t batch, ci, ih, iw, co, kh, kw, sh, sw, pt, pb, pl, pr, dh, dw, groups, oh, ow, i
    batch, ci, ih, iw, co, kh, kw, sh, sw, pt, pb, pl, pr, dh, dw, groups, oh, ow = case
    cdef cnp.ndarray out = empty_nchw(co, ci // groups, kh, kw, dys.dtype.num)
    cdef WeightGradient p
    cdef Block seg, scratch, sums
    cdef Py_ssize_t *offsets
    cdef char *scratch_data
    cdef char *sums_data
    cdef char *out_data = cnp.PyArray_BYTES(out)
    if out.size == 0 or dys.size == 0:
        out.fill(0)
        return out
    threads = team(<double>batch * co * oh * ow * (ci // groups) * kh * kw, threads)
    if kh == 1 and kw == 1 and sh == 1 and sw == 1 and pt + pb + pl + pr == 0:
        ih, iw, oh, ow, batch = 1, batch * ih * iw, 1, batch * oh * ow, 1
    p.x, p.dy = cnp.PyArray_BYTES(xs), cnp.PyArray_BYTES(dys)
    p.x_batch, p.x_row, p.x_pixel, p.height, p.width = ih * iw * ci, iw * ci, ci, ih, iw
    p.y_batch, p.y_row, p.y_pixel, p.oh, p.ow = oh * ow * co, ow * co, co, oh, ow
    p.batch, p.groups, p.depth, p.n_out = batch, groups, ci // groups, co // groups
    p.kh, p.kw, p.sh, p.sw, p.pt, p.pl, p.dh, p.dw = kh, kw, sh, sw, pt, pl, dh, dw
    plan_weight(u, &p, threads)
    seg = block(p.rows * sizeof(Py_ssize_t))
    offsets = <Py_ssize_t *>seg.data
    for i in range(p.rows):
        offsets[i] = i * p.sh * p.row
    scratch = block(threads * apart(p.window_bytes + p.panel_bytes))
    sums = block(p.chunks * p.units * p.unit_rows * u.nr * u.item)
    scratch_data = scratch.data
    sums_data = sums.data
    with nogil:
        weight_all(u, &p, offsets, scratch_data, sums_data, threads)
        weight_store(u, &p, sums_data, out_data, threads)
    return out
