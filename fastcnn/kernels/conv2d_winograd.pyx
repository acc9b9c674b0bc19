"""kernels.conv2d_winograd: 3x3 stride-1 convolution by Winograd's F(4x4,3x3), forward and backward-data.

36 products of (tiles x channels) matrices replace 9 taps for each of 16 outputs: a quarter of the multiply-adds. A thread takes a
group of panels (nr output channels each) times a share of the tiles, and transforms on its own what these need: cores that share
no L3 pay more for a line that both touch than for transforming it twice. Two schedules: fused, where a block of tiles stays in L2
through products and output transform; and stationary, for large weights and few tiles, where a panel of weights is transformed,
meets all tiles of the share, and is forgotten. [Lavin2015], [Jia2018]. Backward-data is forward with rotated, transposed weights.
An element's sum has one order, whatever the schedule, the blocks and the threads. Inf and NaN spread over their 4x4 tile.
"""

cimport numpy as cnp
from cython.parallel cimport prange
from libc.string cimport memset

from fastcnn.errors import ArgumentError
from fastcnn.kernels.winograd import transform_constants

from fastcnn.kernels.conv2d_direct cimport Weights, biases, filters, image, weights_of
from fastcnn.kernels.gemm cimport team
from fastcnn.kernels.memory cimport Block, apart, block, empty_nchw
from fastcnn.kernels.micro cimport fc_tile_job, fc_ukr, fc_winograd_block, table

cnp.import_array()

cdef enum:
    FUSED_BYTES = 300 * 1024   # transformed tiles of a block: with products and weights in flight they fill a 1 MiB L2
    WIDE_TILES = 64            # tiles of a block when the weights stream from memory
    LARGE_WEIGHTS = 8 << 20    # transformed weights of a thread beyond this: transform a panel where it is used
    HUGE_WEIGHTS = 16 << 20    # they leave L3 too
    STATIONARY_TILES = 128     # with more tiles than this, a thread keeps its transformed weights for all its blocks
    # Cost of transforming an element of a slice in multiply-adds, measured with AVX-512; tiles count more because the image
    # was written by another core, and will be written by another one.
    TILE_COST = 24
    WEIGHT_COST = 9
    RESULT_COST = 10


def _set_points(double a, double b, list g):
    POINTS.a, POINTS.b = a, b
    for i in range(6):
        for j in range(3):
            POINTS.weight[i][j] = g[i][j]


_set_points(*transform_constants())


cdef struct Winograd:
    const char *src              # IN   channels-last image, `depth` channels
    const Weights *w             # IN   weights of any strides
    const char *bias             # IN   n_out, or NULL
    char *dst                    # OUT  channels-last image, n_out channels
    fc_winograd_block image      # geometry of src
    fc_winograd_block result     # geometry of dst
    Py_ssize_t tiles, depth, n_out, panels
    Py_ssize_t groups, shares    # parts of the panels, and of the tiles: a thread has one of each
    Py_ssize_t count             # tiles of a block at most
    Py_ssize_t v_row, v_slice    # transformed tiles of a block [36][tile][depth]
    Py_ssize_t m_slice           # products of a panel [36][tile][nr]
    Py_ssize_t u_slice           # transformed weights of a thread [36][panel][depth][nr]
    Py_ssize_t own               # bytes of scratch of a thread
    int relu, stationary


cdef void transform_weights(const fc_ukr *u, const Winograd *p, char *out, Py_ssize_t panel) noexcept nogil:
    u.winograd_weight(out, p.u_slice, p.w.data + panel * u.nr * p.w.s_out * u.item, p.w.s_out, p.w.s_in, p.w.s_r, p.w.s_s,
                      min(u.nr, p.n_out - panel * u.nr), p.depth, &POINTS)


cdef void transform_tiles(const fc_ukr *u, const Winograd *p, char *v, Py_ssize_t first, Py_ssize_t count) noexcept nogil:
    cdef fc_winograd_block source = p.image
    source.first, source.count, source.slice, source.row = first, count, p.v_slice, p.v_row
    u.winograd_input(v, p.src, &source, &POINTS)


cdef void multiply(const fc_ukr *u, const Winograd *p, char *m, const char *v, Py_ssize_t count, const char *weights,
                   Py_ssize_t panel) noexcept nogil:
    """m[xi][t] = v[xi][t] times the panel of weights[xi], for `count` tiles and 36 slices."""
    cdef fc_tile_job job
    cdef Py_ssize_t zero = 0, xi
    job.bias = NULL
    job.seg = &zero
    job.nseg = job.rows = job.ka = 1
    job.kseg = p.depth
    job.cols = count
    job.n = (min(u.nr, p.n_out - panel * u.nr) + u.lanes - 1) // u.lanes * u.lanes  # whole vectors: m has room
    job.lda = p.v_row
    job.ldc = job.ldb = u.nr
    job.a_row = job.c_row = 0
    job.accumulate = job.relu = 0
    for xi in range(36):
        job.a = v + xi * p.v_slice * u.item
        job.b = weights + xi * p.u_slice * u.item
        job.c = m + xi * p.m_slice * u.item
        u.tile_rows(&job)


cdef void transform_back(const fc_ukr *u, const Winograd *p, const char *m, Py_ssize_t panel, Py_ssize_t first,
                         Py_ssize_t count) noexcept nogil:
    cdef fc_winograd_block result = p.result
    result.first, result.count, result.slice, result.row = first, count, p.m_slice, u.nr
    result.channels = min(u.nr, p.n_out - panel * u.nr)
    u.winograd_output(p.dst + panel * u.nr * u.item, m, p.bias + panel * u.nr * u.item if p.bias != NULL else NULL, p.relu,
                      &result, &POINTS)


cdef void fused(const fc_ukr *u, const Winograd *p, char *scratch, Py_ssize_t p0, Py_ssize_t p1, Py_ssize_t first,
                Py_ssize_t count) noexcept nogil:
    """Transform panels p0..p1 of the weights; then blocks of tiles go through input transform, products, output transform."""
    cdef Py_ssize_t blocks = (count + p.count - 1) // p.count, i, at, here, panel
    cdef char *v = scratch
    cdef char *m = v + 36 * p.v_slice * u.item
    cdef char *weights = m + 36 * p.m_slice * u.item
    for panel in range(p0, p1):
        transform_weights(u, p, weights + (panel - p0) * p.depth * u.nr * u.item, panel)
    for i in range(blocks):
        at = i * count // blocks
        here = (i + 1) * count // blocks - at
        transform_tiles(u, p, v, first + at, here)
        for panel in range(p0, p1):
            multiply(u, p, m, v, here, weights + (panel - p0) * p.depth * u.nr * u.item, panel)
            transform_back(u, p, m, panel, first + at, here)


cdef void stationary(const fc_ukr *u, const Winograd *p, char *scratch, Py_ssize_t p0, Py_ssize_t p1, Py_ssize_t first,
                     Py_ssize_t count) noexcept nogil:
    """Transform all tiles; then each panel of weights is transformed, meets them, and is forgotten."""
    cdef Py_ssize_t panel
    cdef char *v = scratch
    cdef char *m = v + 36 * p.v_slice * u.item
    cdef char *weights = m + 36 * p.m_slice * u.item
    transform_tiles(u, p, v, first, count)
    for panel in range(p0, p1):
        transform_weights(u, p, weights, panel)
        multiply(u, p, m, v, count, weights, panel)
        transform_back(u, p, m, panel, first, count)


cdef void convolve_part(const fc_ukr *u, const Winograd *p, char *scratch, Py_ssize_t group, Py_ssize_t share) noexcept nogil:
    """Everything that one thread does: a group of panels times a share of the tiles."""
    cdef Py_ssize_t p0 = group * p.panels // p.groups, p1 = (group + 1) * p.panels // p.groups
    cdef Py_ssize_t first = share * p.tiles // p.shares, count = (share + 1) * p.tiles // p.shares - first
    if p.stationary:
        stationary(u, p, scratch, p0, p1, first, count)
    else:
        fused(u, p, scratch, p0, p1, first, count)


cdef void convolve(const fc_ukr *u, const Winograd *p, char *scratch) noexcept nogil:
    cdef Py_ssize_t t, threads = p.groups * p.shares
    for t in prange(threads, num_threads=threads, schedule="static"):
        convolve_part(u, p, scratch + t * p.own, t % p.groups, t // p.groups)


cdef void divide(const fc_ukr *u, Winograd *p, int threads) noexcept nogil:
    """Choose p.groups and p.shares: each group transforms the tiles of its share anew, each share the weights of its group."""
    cdef Py_ssize_t groups, shares
    cdef double tiles, n, cost, best = 0
    for groups in range(1, min(threads, p.panels) + 1):
        shares = min(threads // groups, p.tiles)
        tiles = (p.tiles + shares - 1) // shares
        n = (p.panels + groups - 1) // groups * u.nr
        cost = tiles * p.depth * n + TILE_COST * tiles * p.depth + WEIGHT_COST * p.depth * n + RESULT_COST * tiles * n
        if groups == 1 or cost < best:
            best = cost
            p.groups, p.shares = groups, shares


cdef int run(const fc_ukr *u, Winograd *p, str schedule, int threads) except -1:
    cdef Py_ssize_t panels, share, size
    cdef Block scratch
    cdef char *data
    if schedule not in ("auto", "fused", "stationary"):
        raise ArgumentError(f"conv2d: schedule must be 'auto', 'fused' or 'stationary', got {schedule!r}")
    p.panels = (p.n_out + u.nr - 1) // u.nr
    p.v_row = (p.depth + u.lanes - 1) // u.lanes * u.lanes
    if p.v_row * u.item % 4096 == 0:
        p.v_row += u.lanes
    divide(u, p, threads)
    panels = (p.panels + p.groups - 1) // p.groups
    share = (p.tiles + p.shares - 1) // p.shares
    size = 36 * panels * p.depth * u.nr * u.item
    p.stationary = schedule == "stationary" or (schedule == "auto" and share <= STATIONARY_TILES and size > LARGE_WEIGHTS)
    p.count = share
    if not p.stationary:
        p.count = min(share, WIDE_TILES if size > HUGE_WEIGHTS else max(FUSED_BYTES // (36 * p.v_row * u.item), 2 * u.mr))
    p.v_slice, p.m_slice = odd_lines(p.count * p.v_row, u.item), odd_lines(p.count * u.nr, u.item)
    p.u_slice = odd_lines((1 if p.stationary else panels) * p.depth * u.nr, u.item)
    p.own = apart(36 * (p.v_slice + p.m_slice + p.u_slice) * u.item)
    scratch = block(p.groups * p.shares * p.own)
    data = scratch.data
    with nogil:
        convolve(u, p, data)
    return 0


cdef void set_geometry(fc_winograd_block *blk, Py_ssize_t channels, Py_ssize_t height, Py_ssize_t width, Py_ssize_t tiles_y,
                       Py_ssize_t tiles_x, Py_ssize_t pad_top, Py_ssize_t pad_left) noexcept nogil:
    memset(blk, 0, sizeof(fc_winograd_block))
    blk.channels, blk.height, blk.width = channels, height, width
    blk.tiles_y, blk.tiles_x = tiles_y, tiles_x
    blk.batch_stride, blk.row_stride, blk.pixel_stride = height * width * channels, width * channels, channels
    blk.pad_top, blk.pad_left = pad_top, pad_left


def accepts(case) -> bool:
    """Return whether Winograd computes this case: 3x3, stride 1, no dilation, one group."""
    return (case.kh, case.kw, case.sh, case.sw, case.dh, case.dw, case.groups) == (3, 3, 1, 1, 1, 1, 1)


def conv2d_winograd_forward(x, w, b, case, *, bint relu=False, str schedule="auto", int threads=1):
    """Return y of shape case.y_shape, channels-last, by F(4x4,3x3); needs accepts(case).

    Costs a quarter of case.macs plus the transforms. The error against float64 is about 1e-6 of the output's rms in float32.
    """
    cdef cnp.ndarray xs = image(x, "x", case.x_shape)
    cdef cnp.ndarray ws = filters(w, case, xs.dtype)
    cdef cnp.ndarray bias = biases(b, case, xs.dtype)
    cdef const fc_ukr *u = table(xs.itemsize)
    cdef cnp.ndarray y = empty_nchw(case.batch, case.co, case.oh, case.ow, xs.dtype.num)
    cdef Weights weights = weights_of(u, ws, 1)
    cdef Winograd p
    p.w = &weights
    if y.size == 0:
        return y
    p.src, p.dst, p.relu = cnp.PyArray_BYTES(xs), cnp.PyArray_BYTES(y), relu
    p.bias = NULL if bias is None else cnp.PyArray_BYTES(bias)
    p.depth, p.n_out = case.ci, case.co
    cdef Py_ssize_t tiles_y = (case.oh + 3) // 4, tiles_x = (case.ow + 3) // 4
    p.tiles = case.batch * tiles_y * tiles_x
    set_geometry(&p.image, case.ci, case.ih, case.iw, tiles_y, tiles_x, case.pt, case.pl)
    set_geometry(&p.result, case.co, case.oh, case.ow, tiles_y, tiles_x, 0, 0)
    run(u, &p, schedule, team(case.macs, threads))
    return y


def conv2d_winograd_backward_data(dy, w, case, *, str schedule="auto", int threads=1):
    """Return dx of shape case.x_shape, channels-last: the forward of dy with rotated, transposed weights; needs accepts(case)."""
    cdef cnp.ndarray dys = image(dy, "dy", case.y_shape)
    cdef cnp.ndarray ws = filters(w, case, dys.dtype)
    cdef const fc_ukr *u = table(dys.itemsize)
    cdef cnp.ndarray dx = empty_nchw(case.batch, case.ci, case.ih, case.iw, dys.dtype.num)
    cdef Weights weights = weights_of(u, ws, 1)
    cdef Winograd p
    p.w = &weights
    if dx.size == 0:
        return dx
    weights.n_out, weights.depth = weights.depth, weights.n_out
    weights.s_out, weights.s_in = weights.s_in, weights.s_out
    weights.data += 2 * (weights.s_r + weights.s_s) * u.item  # rotated: the last tap first
    weights.s_r, weights.s_s = -weights.s_r, -weights.s_s
    p.src, p.dst, p.bias, p.relu = cnp.PyArray_BYTES(dys), cnp.PyArray_BYTES(dx), NULL, 0
    p.depth, p.n_out = case.co, case.ci
    cdef Py_ssize_t tiles_y = (case.ih + 3) // 4, tiles_x = (case.iw + 3) // 4
    p.tiles = case.batch * tiles_y * tiles_x
    set_geometry(&p.image, case.co, case.oh, case.ow, tiles_y, tiles_x, 2 - case.pt, 2 - case.pl)
    set_geometry(&p.result, case.ci, case.ih, case.iw, tiles_y, tiles_x, 0, 0)
    run(u, &p, schedule, team(case.macs, threads))
    return dx
