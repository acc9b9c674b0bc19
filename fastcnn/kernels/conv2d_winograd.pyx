"""kernels.conv2d_winograd: 3x3 stride-1 convolution by Winograd's F(4x4,3x3), forward and backward-data.

36 products of (tiles x channels) matrices replace 9 taps for each of 16 outputs: a quarter of the multiply-adds. Two schedules:
fused, where a task takes a block of tiles whose transform stays in L2 through products and output transform; and stationary, for
weights that would leave the caches, where a task takes a panel of weights, transforms a piece of it and multiplies all tiles of a
chunk by it at once. [Lavin2015], [Jia2018]. Backward-data is forward with rotated, transposed weights. An element's sum has one
order, whatever the schedule, the blocks and the threads. Inf and NaN spread over their 4x4 tile.
"""

cimport numpy as cnp
from cython.parallel cimport prange, threadid
from libc.string cimport memset

from fastcnn.errors import ArgumentError
from fastcnn.kernels.winograd import transform_constants

from fastcnn.kernels.conv2d_direct cimport Weights, biases, filters, image, pack_weights, weights_of
from fastcnn.kernels.gemm cimport team
from fastcnn.kernels.memory cimport Block, apart, block, empty_nchw
from fastcnn.kernels.micro cimport fc_tile_job, fc_ukr, fc_winograd_block, table

cnp.import_array()

cdef enum:
    FUSED_BYTES = 300 * 1024    # transformed tiles of a block: with products and weights in flight they fill a 1 MiB L2
    LARGE_WEIGHTS = 16 << 20    # transformed weights beyond this leave L3: transform them where they are used
    STATIONARY_TILES = 64       # their products of one panel take 36 * 64 * 128 bytes of L2


def _set_points(double a, double b, list g):
    POINTS.a, POINTS.b = a, b
    for i in range(6):
        for j in range(3):
            POINTS.weight[i][j] = g[i][j]


_set_points(*transform_constants())


cdef struct Winograd:
    const char *src              # IN   channels-last image, `depth` channels
    const char *u                # IN   transformed weights [36][panel][depth][nr]
    const char *bias             # IN   n_out, or NULL
    char *dst                    # OUT  channels-last image, n_out channels
    fc_winograd_block image      # geometry of src
    fc_winograd_block result     # geometry of dst
    Py_ssize_t tiles, depth, n_out, panels, u_slice
    Py_ssize_t u_copy            # bytes from the weights of one thread to those of the next; 0 when they share them
    Py_ssize_t v_row, m_row
    int relu


cdef void multiply(const fc_ukr *u, const Winograd *p, const char *v, Py_ssize_t count, const char *weights, Py_ssize_t depth,
                   Py_ssize_t n, char *m, bint accumulate) noexcept nogil:
    """m[t][0..n) (+)= v[t] times a panel of weights [depth][nr], for `count` tiles of one slice."""
    cdef fc_tile_job job
    cdef Py_ssize_t zero = 0
    job.a = v
    job.b = weights
    job.bias = NULL
    job.c = m
    job.seg = &zero
    job.nseg = 1
    job.kseg = depth
    job.rows = 1
    job.cols = count
    job.n = (n + u.lanes - 1) // u.lanes * u.lanes  # whole vectors: the weights are zero there, and m has room
    job.lda = p.v_row
    job.ldc = p.m_row
    job.ldb = u.nr
    job.ka = 1
    job.a_row = job.c_row = 0
    job.accumulate = accumulate
    job.relu = 0
    u.tile_rows(&job)


cdef void fused_block(const fc_ukr *u, const Winograd *p, const char *weights, char *v, char *m, Py_ssize_t v_slice,
                      Py_ssize_t m_slice, Py_ssize_t first, Py_ssize_t count) noexcept nogil:
    cdef fc_winograd_block source = p.image
    cdef fc_winograd_block result = p.result
    cdef Py_ssize_t panel, xi, n
    source.first = result.first = first
    source.count = result.count = count
    source.slice, source.row = v_slice, p.v_row
    result.slice, result.row = m_slice, p.m_row
    u.winograd_input(v, p.src, &source, &POINTS)
    for panel in range(p.panels):
        n = min(u.nr, p.n_out - panel * u.nr)
        for xi in range(36):
            multiply(u, p, v + xi * v_slice * u.item, count, weights + (xi * p.u_slice + panel * p.depth * u.nr) * u.item,
                     p.depth, n, m + xi * m_slice * u.item, False)
        result.channels = n
        u.winograd_output(p.dst + panel * u.nr * u.item, m, p.bias + panel * u.nr * u.item if p.bias != NULL else NULL, p.relu,
                          &result, &POINTS)


cdef int fused(const fc_ukr *u, Winograd *p, Py_ssize_t count, int threads) except -1:
    p.m_row = u.nr
    cdef Py_ssize_t v_slice = odd_lines(count * p.v_row, u.item), m_slice = odd_lines(count * p.m_row, u.item)
    cdef Py_ssize_t bytes_ = apart(36 * (v_slice + m_slice) * u.item), t
    cdef Block scratch = block(threads * bytes_)
    cdef char *data = scratch.data
    cdef char *mine
    # static: a thread meets the same images in every layer, in its own cache
    for t in prange((p.tiles + count - 1) // count, num_threads=threads, schedule="static", nogil=True):
        mine = data + threadid() * bytes_
        fused_block(u, p, p.u + threadid() * p.u_copy, mine, mine + 36 * v_slice * u.item, v_slice, m_slice,
                    t * count, min(count, p.tiles - t * count))
    return 0


cdef void transform_in(const fc_ukr *u, const Winograd *p, char *v, Py_ssize_t v_slice, Py_ssize_t first, Py_ssize_t at,
                       Py_ssize_t count) noexcept nogil:
    cdef fc_winograd_block source = p.image
    source.first, source.count, source.slice, source.row = first + at, count, v_slice, p.v_row
    u.winograd_input(v + at * p.v_row * u.item, p.src, &source, &POINTS)


cdef void stationary_panel(const fc_ukr *u, const Winograd *p, const Weights *w, const char *v, Py_ssize_t v_slice, char *scratch,
                           Py_ssize_t first, Py_ssize_t count, Py_ssize_t panel) noexcept nogil:
    """One panel of outputs for `count` tiles: the weights are transformed DEPTH channels at a time and used at once."""
    cdef fc_winograd_block result = p.result
    cdef Py_ssize_t m_slice = odd_lines(count * u.nr, u.item), piece = DEPTH * u.nr, piece_slice = odd_lines(piece, u.item)
    cdef Py_ssize_t n = min(u.nr, p.n_out - panel * u.nr), c0 = 0, depth, tap, xi
    cdef char *packed = scratch
    cdef char *transformed = packed + 9 * piece * u.item
    cdef char *m = transformed + 36 * piece_slice * u.item
    cdef const char *src = w.data + panel * u.nr * w.s_out * u.item
    while c0 < p.depth:
        depth = min(DEPTH, p.depth - c0)
        for tap in range(9):
            u.pack_run(packed + tap * piece * u.item,
                       src + (c0 * w.s_in + (tap // 3) * w.s_r + (tap % 3) * w.s_s) * u.item, n, u.nr, depth, w.s_in, w.s_out)
        u.winograd_weight(transformed, piece_slice, packed, piece, depth, u.nr, &POINTS)
        for xi in range(36):
            multiply(u, p, v + (xi * v_slice + c0) * u.item, count, transformed + xi * piece_slice * u.item, depth, n,
                     m + xi * m_slice * u.item, c0 > 0)
        c0 = c0 + depth
    result.first, result.count, result.slice, result.row, result.channels = first, count, m_slice, p.m_row, n
    u.winograd_output(p.dst + panel * u.nr * u.item, m, p.bias + panel * u.nr * u.item if p.bias != NULL else NULL, p.relu,
                      &result, &POINTS)


cdef int stationary(const fc_ukr *u, Winograd *p, const Weights *w, Py_ssize_t count, int threads) except -1:
    p.m_row = u.nr
    cdef Py_ssize_t v_slice = odd_lines(count * p.v_row, u.item), first = 0, here, t, parts
    cdef Py_ssize_t piece = DEPTH * u.nr
    cdef Py_ssize_t bytes_ = apart((9 * piece + 36 * (odd_lines(piece, u.item) + odd_lines(count * u.nr, u.item))) * u.item)
    cdef Block tiles = block(36 * v_slice * u.item), scratch = block(threads * bytes_)
    cdef char *v = tiles.data
    cdef char *data = scratch.data
    with nogil:
        while first < p.tiles:
            here = min(count, p.tiles - first)
            parts = (here + STAGE_TILES - 1) // STAGE_TILES
            for t in prange(parts, num_threads=threads, schedule="dynamic"):
                transform_in(u, p, v, v_slice, first, t * STAGE_TILES, min(STAGE_TILES, here - t * STAGE_TILES))
            for t in prange(p.panels, num_threads=threads, schedule="dynamic"):
                stationary_panel(u, p, w, v, v_slice, data + threadid() * bytes_, first, here, t)
            first += here
    return 0


cdef Block transform_weights(const fc_ukr *u, Winograd *p, const Weights *w, int threads):
    """Return [copy][36][panel][depth][nr] and set p.u, p.u_slice, p.u_copy."""
    cdef Py_ssize_t[3] taps
    cdef Py_ssize_t t, panel_size = p.depth * u.nr, parts, c0, panel, copies
    cdef Block packed, out
    cdef const char *src
    cdef char *dst
    cdef char *out_data
    taps[0], taps[1], taps[2] = 0, 1, 2
    packed = pack_weights(u, w, taps, 3, taps, 3, threads)
    p.u_slice = odd_lines(p.panels * panel_size, u.item)
    parts = (p.depth + 15) // 16
    # Cores that share no L3 fetch a line that another one wrote again and again, across the chip. With many tiles for each
    # thread a copy for each costs a few percent at most: transforming an element takes as long as multiplying 24 tiles by it.
    copies = threads if p.tiles >= 250 * threads else 1
    p.u_copy = apart(36 * p.u_slice * u.item) if copies > 1 else 0
    out = block(36 * p.u_slice * u.item + (copies - 1) * p.u_copy)
    src, out_data = packed.data, out.data
    p.u = out_data
    for t in prange(copies * p.panels * parts, num_threads=threads, schedule="static", nogil=True):
        c0 = t % parts * 16
        panel = t // parts % p.panels
        dst = out_data + t // parts // p.panels * p.u_copy
        u.winograd_weight(dst + (panel * panel_size + c0 * u.nr) * u.item, p.u_slice,
                          src + (panel * 9 * panel_size + c0 * u.nr) * u.item, panel_size, min(16, p.depth - c0), u.nr, &POINTS)
    return out


cdef int run(const fc_ukr *u, Winograd *p, const Weights *w, str schedule, int threads) except -1:
    cdef Py_ssize_t count, share = (p.tiles + 4 * threads - 1) // (4 * threads)
    cdef Block _held  # keeps p.u alive
    if schedule not in ("auto", "fused", "stationary"):
        raise ArgumentError(f"conv2d: schedule must be 'auto', 'fused' or 'stationary', got {schedule!r}")
    p.panels = (p.n_out + u.nr - 1) // u.nr
    p.v_row = (p.depth + u.lanes - 1) // u.lanes * u.lanes
    if p.v_row * u.item % 4096 == 0:
        p.v_row += u.lanes
    if schedule == "stationary" or (schedule == "auto" and p.panels >= threads and (
            p.tiles <= STATIONARY_TILES or 36 * p.depth * p.n_out * u.item > LARGE_WEIGHTS)):
        count = (p.tiles + STATIONARY_TILES - 1) // STATIONARY_TILES
        return stationary(u, p, w, (p.tiles + count - 1) // count, threads)
    _held = transform_weights(u, p, w, threads)
    count = max(u.mr, min(max(FUSED_BYTES // (36 * p.v_row * u.item), 2 * u.mr), share) // u.mr * u.mr)
    return fused(u, p, min(count, p.tiles), threads)


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
    if y.size == 0:
        return y
    p.src, p.dst, p.relu = cnp.PyArray_BYTES(xs), cnp.PyArray_BYTES(y), relu
    p.bias = NULL if bias is None else cnp.PyArray_BYTES(bias)
    p.depth, p.n_out = case.ci, case.co
    cdef Py_ssize_t tiles_y = (case.oh + 3) // 4, tiles_x = (case.ow + 3) // 4
    p.tiles = case.batch * tiles_y * tiles_x
    set_geometry(&p.image, case.ci, case.ih, case.iw, tiles_y, tiles_x, case.pt, case.pl)
    set_geometry(&p.result, case.co, case.oh, case.ow, tiles_y, tiles_x, 0, 0)
    run(u, &p, &weights, schedule, team(case.macs, threads))
    return y


def conv2d_winograd_backward_data(dy, w, case, *, str schedule="auto", int threads=1):
    """Return dx of shape case.x_shape, channels-last: the forward of dy with rotated, transposed weights; needs accepts(case)."""
    cdef cnp.ndarray dys = image(dy, "dy", case.y_shape)
    cdef cnp.ndarray ws = filters(w, case, dys.dtype)
    cdef const fc_ukr *u = table(dys.itemsize)
    cdef cnp.ndarray dx = empty_nchw(case.batch, case.ci, case.ih, case.iw, dys.dtype.num)
    cdef Weights weights = weights_of(u, ws, 1)
    cdef Winograd p
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
    run(u, &p, &weights, schedule, team(case.macs, threads))
    return dx
