"""kernels.conv2d_winograd: 3x3 stride-1 convolution by Winograd's F(4x4,3x3), forward and backward-data.

36 products of (tiles x channels) matrices replace 9 taps for each of 16 outputs: a quarter of the multiply-adds. A thread takes a
group of panels (nr output channels each) times a share of the tiles, and transforms on its own what these need: cores that share
no L3 pay more for a line that both touch than for transforming it twice. Two schedules: fused, where a block of tiles stays in L2
through products and output transform; and stationary, for large weights and few tiles, where a panel of weights is transformed,
meets all tiles of the share, and is forgotten. [Lavin2015], [Jia2018]. Backward-data is forward with rotated, transposed weights.
While a block's products are made, what the transforms of the next will touch is fetched. Sides that are no multiple of 4 end in
tiles of three outputs, which need fewer products. An element's sum has one order, whatever the schedule, the blocks and the
threads. Inf and NaN spread over their tile.
"""

cimport numpy as cnp
from cython.parallel cimport prange
from libc.string cimport memcpy, memset

from fastcnn.errors import ArgumentError
from fastcnn.kernels.winograd import transform_constants

from fastcnn.kernels.conv2d_direct cimport Weights, biases, filters, image, weights_of
from fastcnn.kernels.entry cimport emit, fc_flush, fc_restore, unrecorded
from fastcnn.kernels.epilogue cimport ask_epilogue, asked
from fastcnn.kernels.gemm cimport look_ahead, team
from fastcnn.kernels.memory cimport Block, apart, block, empty_nchw
from fastcnn.kernels.micro cimport fc_epilogue, fc_streams, fc_tile_job, fc_ukr, fc_winograd_block, fc_winograd_tile, table
from fastcnn.kernels.moments cimport Moments, ask, finish, merge, room

cnp.import_array()

cdef enum:
    # Transformed tiles of a block: with products, images of this block and the next, and weights in flight they fill a 1 MiB L2.
    FUSED_BYTES = 128 * 1024
    LEAST_TILES = 28           # of a block, or some less that fill register tiles: each block reads all transformed weights
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
    """Set the constants of every transform; bench/winograd_error.py compares points with it."""
    POINTS.a, POINTS.b = a, b
    for i in range(6):
        for j in range(3):
            POINTS.weight[i][j] = g[i][j]


_set_points(*transform_constants())


cdef struct Winograd:
    const fc_ukr *u
    const char *src              # IN   channels-last image, `depth` channels
    Weights w                    # IN   weights of any strides
    const char *bias             # IN   n_out, or NULL
    char *dst                    # OUT  channels-last image, n_out channels
    Moments moments              # of dst
    char *scratch                # of all threads
    fc_winograd_block image      # geometry of src
    fc_winograd_block result     # geometry of dst
    Tiling tiling                # of dst
    Py_ssize_t tiles, depth, n_out, panels
    Py_ssize_t groups, shares    # parts of the panels, and of the chunks: a thread has one of each
    Py_ssize_t chunks            # parts of the tiles, fixed by the shape: the moments of each are taken apart
    Py_ssize_t run, count        # chunks and tiles of a block at most
    Py_ssize_t v_row, v_slice    # transformed tiles of a block [36][tile][depth]
    Py_ssize_t m_row, m_slice    # products of a panel [36][tile][nr], or whole vectors of the outputs if these are fewer
    Py_ssize_t u_slice           # transformed weights of a thread [36][panel][depth][nr]
    Py_ssize_t list_bytes        # bytes of a block's list of tiles
    Py_ssize_t sum_bytes         # bytes of a block's moments [chunk][3][nr] and their counts
    Py_ssize_t own               # bytes of all scratch of a thread
    fc_epilogue epilogue
    int stationary


cdef void transform_weights(const fc_ukr *u, const Winograd *p, char *out, Py_ssize_t panel) noexcept nogil:
    u.winograd_weight(out, p.u_slice, p.w.data + panel * u.nr * p.w.s_out * u.item, p.w.s_out, p.w.s_in, p.w.s_r, p.w.s_s,
                      min(u.nr, p.n_out - panel * u.nr), p.depth, &POINTS)


cdef void multiply(const fc_ukr *u, const Winograd *p, char *m, const char *v, const Py_ssize_t *start, const char *weights,
                   Py_ssize_t panel, fc_streams *ahead) noexcept nogil:
    """m[xi][t] = v[xi][t] times the panel of weights[xi], for 36 slices and the tiles that have them."""
    cdef fc_tile_job job
    cdef Py_ssize_t zero = 0, xi, first
    job.bias = NULL
    job.seg = &zero
    job.nseg = job.rows = job.ka = 1
    job.kseg = p.depth
    job.n = (min(u.nr, p.n_out - panel * u.nr) + u.lanes - 1) // u.lanes * u.lanes  # whole vectors: m has room
    job.lda = p.v_row
    job.ldc = p.m_row
    job.ldb = u.nr
    job.a_row = job.c_row = 0
    job.accumulate, job.epilogue = 0, NULL
    for xi in range(36):
        first = slice_begin(start, xi)
        job.cols = slice_end(start, xi) - first
        job.a = v + (xi * p.v_slice + first * p.v_row) * u.item
        job.b = weights + xi * p.u_slice * u.item
        job.c = m + (xi * p.m_slice + first * p.m_row) * u.item
        if p.depth == u.lanes and p.m_row == u.lanes:
            u.square_product(job.c, job.a, job.b, u.nr, job.cols, ahead)
        elif job.cols > 0:
            u.tile_rows_streamed(&job, ahead)


cdef void finish_panel(const fc_ukr *u, const Winograd *p, fc_winograd_block *result, char *sums, char *m, const char *v,
                       const char *weights, Py_ssize_t panel, fc_streams *ahead) noexcept nogil:
    """Products and output transform of one panel for the tiles of a block."""
    multiply(u, p, m, v, result.start, weights, panel, ahead)
    result.channels = min(u.nr, p.n_out - panel * u.nr)
    u.winograd_output(p.dst + panel * u.nr * u.item, m, p.bias + panel * u.nr * u.item if p.bias != NULL else NULL,
                      asked(&p.epilogue), sums if p.moments.out != NULL else NULL, result, &POINTS)


cdef void name_chunks(const Winograd *p, fc_winograd_tile *tiles, const Py_ssize_t *start, double *counts, Py_ssize_t c0,
                      Py_ssize_t c1) noexcept nogil:
    """Say of each tile of a block to which of its chunks it belongs, and count the outputs of these."""
    cdef Py_ssize_t first = c0 * p.tiles // p.chunks, kind, t, rows, cols
    cdef fc_winograd_tile *tile
    memset(counts, 0, (c1 - c0) * sizeof(double))
    for kind in range(4):
        for t in range(start[kind], start[kind + 1]):
            tile = tiles + t
            tile.part = ((first + tile.number + 1) * p.chunks - 1) // p.tiles - c0
            tile.opens = counts[tile.part] == 0
            rows, cols = 3 + (kind == 1 or kind == 2), 3 + (kind < 2)
            counts[tile.part] += min(rows, p.result.height - tile.y) * min(cols, p.result.width - tile.x)


cdef void store_moments(const fc_ukr *u, const Winograd *p, const char *sums, const double *counts, Py_ssize_t c0,
                        Py_ssize_t c1, Py_ssize_t panel) noexcept nogil:
    """Moments of one panel in chunks c0..c1, of which a block consists."""
    cdef Py_ssize_t c
    for c in range(c0, c1):
        finish(u, &p.moments, sums + (c - c0) * 3 * u.nr * u.item, c, panel * u.nr, min(u.nr, p.n_out - panel * u.nr),
               <Py_ssize_t>counts[c - c0])
        if panel == 0:
            p.moments.count[c] = counts[c - c0]


cdef void convolve_block(const fc_ukr *u, const Winograd *p, char *scratch, Py_ssize_t p0, Py_ssize_t p1, Py_ssize_t c0,
                         Py_ssize_t c1, Py_ssize_t c2) noexcept nogil:
    """Chunks c0..c1 times panels p0..p1, whose transformed weights stand in scratch unless they are to be made one by one.

    What chunks c1..c2 will read and write is fetched meanwhile: the products leave memory idle, the transforms wait for it.
    """
    cdef fc_winograd_block source = p.image
    cdef fc_winograd_block result = p.result
    cdef fc_winograd_tile *tiles = <fc_winograd_tile *>scratch
    cdef fc_streams ahead
    cdef Py_ssize_t panel, first = c0 * p.tiles // p.chunks, stop = c1 * p.tiles // p.chunks, calls
    cdef char *sums = scratch + p.list_bytes
    cdef double *counts = <double *>(sums + p.run * 3 * u.nr * u.item)
    cdef char *v = sums + p.sum_bytes
    cdef char *m = v + 36 * p.v_slice * u.item
    cdef char *weights = m + 36 * p.m_slice * u.item
    lay_tiles(&p.tiling, tiles, source.start, first, stop - first)
    if p.moments.out != NULL:
        name_chunks(p, tiles, source.start, counts, c0, c1)
    memcpy(result.start, source.start, sizeof(source.start))
    source.tiles = result.tiles = tiles
    u.winograd_input(v, p.src, &source, &POINTS)
    calls = (p1 - p0) * 36 * ((source.start[4] + u.mr - 1) // u.mr)
    look_at_tiles(&ahead, 0, p.src, &p.image, &p.tiling, 6 - p.image.pad_top, stop, c2 * p.tiles // p.chunks, u.item, calls)
    look_at_tiles(&ahead, 1, p.dst, &p.result, &p.tiling, 4, stop, c2 * p.tiles // p.chunks, u.item, calls)
    for panel in range(p0, p1):
        if p.stationary:
            transform_weights(u, p, weights, panel)
            finish_panel(u, p, &result, sums, m, v, weights, panel, &ahead)
        else:
            finish_panel(u, p, &result, sums, m, v, weights + (panel - p0) * p.depth * u.nr * u.item, panel, &ahead)
        if p.moments.out != NULL:
            store_moments(u, p, sums, counts, c0, c1, panel)


cdef void convolve_part(const fc_ukr *u, const Winograd *p, char *scratch, Py_ssize_t group, Py_ssize_t share) noexcept nogil:
    """Everything that one thread does: a group of panels times a share of the chunks."""
    cdef Py_ssize_t p0 = group * p.panels // p.groups, p1 = (group + 1) * p.panels // p.groups, panel, i, at
    cdef Py_ssize_t first = share * p.chunks // p.shares, count = (share + 1) * p.chunks // p.shares - first
    cdef Py_ssize_t blocks = (count + p.run - 1) // p.run
    cdef char *weights = scratch + p.list_bytes + p.sum_bytes + 36 * (p.v_slice + p.m_slice) * u.item
    cdef unsigned long long floats = fc_flush()
    if not p.stationary:
        for panel in range(p0, p1):
            transform_weights(u, p, weights + (panel - p0) * p.depth * u.nr * u.item, panel)
    for i in range(blocks):
        at = i * count // blocks
        convolve_block(u, p, scratch, p0, p1, first + at, first + (i + 1) * count // blocks,
                       first + min(i + 2, blocks) * count // blocks)
    fc_restore(floats)


cdef int convolve(const void *job) noexcept nogil:
    cdef const Winograd *p = <const Winograd *>job
    cdef Py_ssize_t t, threads = p.groups * p.shares
    for t in prange(threads, num_threads=threads, schedule="static"):
        convolve_part(p.u, p, p.scratch + t * p.own, t % p.groups, t // p.groups)
    merge(p.u, &p.moments, p.n_out, threads)
    return 0


cdef void divide(const fc_ukr *u, Winograd *p, int threads) noexcept nogil:
    """Choose p.groups and p.shares: each group transforms the tiles of its share anew, each share the weights of its group."""
    cdef Py_ssize_t groups, shares
    cdef double tiles, n, cost, best = 0
    for groups in range(1, min(threads, p.panels) + 1):
        shares = min(threads // groups, p.chunks)
        tiles = ((p.chunks + shares - 1) // shares) * <double>p.tiles / p.chunks
        n = (p.panels + groups - 1) // groups * u.nr
        cost = tiles * p.depth * n + TILE_COST * tiles * p.depth + WEIGHT_COST * p.depth * n + RESULT_COST * tiles * n
        if groups == 1 or cost < best:
            best = cost
            p.groups, p.shares = groups, shares


cdef int run(const fc_ukr *u, Winograd *p, str schedule, int threads, tuple held) except -1:
    cdef Py_ssize_t panels, share, size, limit, chunk
    cdef Block scratch, _parts
    if schedule not in ("auto", "fused", "stationary"):
        raise ArgumentError(f"conv2d: schedule must be 'auto', 'fused' or 'stationary', got {schedule!r}")
    p.u = u
    p.panels = (p.n_out + u.nr - 1) // u.nr
    p.v_row = (p.depth + u.lanes - 1) // u.lanes * u.lanes
    if p.v_row * u.item % 4096 == 0:
        p.v_row += u.lanes
    limit = max(FUSED_BYTES // (36 * p.v_row * u.item), LEAST_TILES // u.mr * u.mr)
    # A chunk is a block where there are many, else a quarter; a multiple of 8 makes equal shares for 2, 4 and 8 threads.
    chunk = limit if p.tiles >= 60 * limit else limit // 4
    p.chunks = min(((p.tiles + chunk - 1) // chunk + 7) // 8 * 8, p.tiles)
    divide(u, p, threads)
    panels = (p.panels + p.groups - 1) // p.groups
    p.count = (p.tiles + p.chunks - 1) // p.chunks
    p.run = (p.chunks + p.shares - 1) // p.shares
    share = p.run * p.tiles // p.chunks
    size = 36 * panels * p.depth * u.nr * u.item
    p.stationary = schedule == "stationary" or (schedule == "auto" and share <= STATIONARY_TILES and size > LARGE_WEIGHTS)
    if not p.stationary:
        p.run = min(p.run, max((WIDE_TILES if size > HUGE_WEIGHTS else limit) // p.count, 1))
    p.count *= p.run
    p.m_row = min(u.nr, (p.n_out + u.lanes - 1) // u.lanes * u.lanes)
    p.v_slice, p.m_slice = odd_lines(p.count * p.v_row, u.item), odd_lines(p.count * p.m_row, u.item)
    p.u_slice = odd_lines((1 if p.stationary else panels) * p.depth * u.nr, u.item)
    p.list_bytes = (p.count * sizeof(fc_winograd_tile) + 63) // 64 * 64
    p.sum_bytes = (p.run * (3 * u.nr * u.item + sizeof(double)) + 63) // 64 * 64 if p.moments.out != NULL else 0
    p.result.slice, p.result.row = p.m_slice, p.m_row
    p.image.slice, p.image.row = p.v_slice, p.v_row
    p.own = apart(p.list_bytes + p.sum_bytes + 36 * (p.v_slice + p.m_slice + p.u_slice) * u.item)
    scratch = block(p.groups * p.shares * p.own)
    _parts = room(&p.moments, p.chunks)
    p.scratch = scratch.data
    emit(convolve, p, sizeof(Winograd), held)
    return 0


cdef void set_geometry(fc_winograd_block *blk, Py_ssize_t channels, Py_ssize_t height, Py_ssize_t width, Py_ssize_t pad_top,
                       Py_ssize_t pad_left) noexcept nogil:
    memset(blk, 0, sizeof(fc_winograd_block))
    blk.channels, blk.height, blk.width = channels, height, width
    blk.batch_stride, blk.row_stride, blk.pixel_stride = height * width * channels, width * channels, channels
    blk.pad_top, blk.pad_left = pad_top, pad_left


cdef Tiling tiling(Py_ssize_t height, Py_ssize_t width) noexcept nogil:
    """Cut an image into tiles of 4x4 outputs, with 3 instead of 4 where that suffices: 7 is 4 + 3, 14 is 4 + 4 + 3 + 3."""
    cdef Tiling g
    cdef Py_ssize_t down = (height + 3) // 4
    g.across = (width + 3) // 4
    g.per_image = down * g.across
    g.tall, g.wide = max(0, height - 3 * down), max(0, width - 3 * g.across)
    return g


cdef inline void next_tile(const Tiling *g, Py_ssize_t *sample, Py_ssize_t *ty, Py_ssize_t *tx) noexcept nogil:
    tx[0] += 1
    if tx[0] == g.across:
        tx[0] = 0
        ty[0] += 1
        if ty[0] * g.across == g.per_image:
            ty[0] = 0
            sample[0] += 1


cdef Py_ssize_t lines_until(const fc_winograd_block *blk, const Tiling *g, Py_ssize_t tile, Py_ssize_t lines) noexcept nogil:
    """Elements of the images before the end of so many lines, the first of them that of the outputs of a tile."""
    cdef Py_ssize_t ty = tile % g.per_image // g.across
    return tile // g.per_image * blk.batch_stride + min(3 * ty + min(ty, g.tall) + lines, blk.height) * blk.row_stride


cdef void look_at_tiles(fc_streams *ahead, int i, const char *data, const fc_winograd_block *blk, const Tiling *g,
                        Py_ssize_t lines, Py_ssize_t first, Py_ssize_t stop, Py_ssize_t item, Py_ssize_t calls) noexcept nogil:
    """Let stream i fetch, in so many calls, the `lines` lines of each of the tiles first..stop unless a tile before has them."""
    cdef Py_ssize_t begin = lines_until(blk, g, first - 1, lines) * item, end = lines_until(blk, g, stop - 1, lines) * item
    ahead.past_cache, ahead.fresh, ahead.moments = 0, 0, NULL
    look_ahead(ahead, i, data + begin, 1, end - begin, end - begin, calls)


cdef void lay_tiles(const Tiling *g, fc_winograd_tile *tiles, Py_ssize_t *start, Py_ssize_t first,
                    Py_ssize_t count) noexcept nogil:
    """List `count` tiles, numbered along rows and images, sorted by kind; start as in fc_winograd_block."""
    cdef Py_ssize_t[2][2] kind
    cdef Py_ssize_t[4] at
    cdef Py_ssize_t _n, n, sample = first // g.per_image, ty = first % g.per_image // g.across, tx = first % g.across, k
    cdef fc_winograd_tile *tile
    kind[0][0], kind[0][1], kind[1][1], kind[1][0] = 3, 0, 1, 2  # [four rows][four columns]
    memset(start, 0, 5 * sizeof(Py_ssize_t))
    for _n in range(count):
        start[1 + kind[ty < g.tall][tx < g.wide]] += 1
        next_tile(g, &sample, &ty, &tx)
    for k in range(4):
        start[k + 1] += start[k]
        at[k] = start[k]
    sample, ty, tx = first // g.per_image, first % g.per_image // g.across, first % g.across
    for n in range(count):
        k = kind[ty < g.tall][tx < g.wide]
        tile = tiles + at[k]
        tile.number, tile.image = n, sample
        tile.y, tile.x = 3 * ty + min(ty, g.tall), 3 * tx + min(tx, g.wide)
        at[k] += 1
        next_tile(g, &sample, &ty, &tx)


def accepts(case) -> bool:
    """Return whether Winograd computes this case: 3x3, stride 1, no dilation, one group."""
    return (case.kh, case.kw, case.sh, case.sw, case.dh, case.dw, case.groups) == (3, 3, 1, 1, 1, 1, 1)


def conv2d_winograd_forward(x, w, b, case, *, bounds=None, residual=None, moments=None, str schedule="auto", int threads=1):
    """Return y of shape case.y_shape, channels-last, by F(4x4,3x3), finished as kernels.epilogue says; needs accepts(case).

    `moments`, float64 (2, co) in C order, receives the mean of each channel of y and the sum of its squared distances from it,
    taken while y is in L1; the same bits whatever the schedule and the threads.
    Costs a quarter of case.macs plus the transforms. The error against float64 is about 1e-6 of the output's rms in float32.
    """
    cdef cnp.ndarray xs = image(x, "x", case.x_shape)
    cdef cnp.ndarray ws = filters(w, case, xs.dtype)
    cdef cnp.ndarray bias = biases(b, case, xs.dtype)
    cdef const fc_ukr *u = table(xs.itemsize)
    cdef cnp.ndarray y = empty_nchw(case.batch, case.co, case.oh, case.ow, xs.dtype.num)
    cdef Winograd p
    ask(&p.moments, moments, case.co)
    if y.size == 0:
        if moments is not None:
            unrecorded("moments of nothing")
            moments.fill(0)
        return y
    p.w = weights_of(u, ws, 1)
    added = ask_epilogue(&p.epilogue, "conv2d", bounds, residual, y)
    p.src, p.dst = cnp.PyArray_BYTES(xs), cnp.PyArray_BYTES(y)
    p.bias = NULL if bias is None else cnp.PyArray_BYTES(bias)
    p.depth, p.n_out = case.ci, case.co
    p.tiling = tiling(case.oh, case.ow)
    p.tiles = case.batch * p.tiling.per_image
    set_geometry(&p.image, case.ci, case.ih, case.iw, case.pt, case.pl)
    set_geometry(&p.result, case.co, case.oh, case.ow, 0, 0)
    run(u, &p, schedule, team(case.macs, threads), (y, moments, xs, ws, bias, added))
    return y


def conv2d_winograd_backward_data(dy, w, case, *, str schedule="auto", int threads=1):
    """Return dx of shape case.x_shape, channels-last: the forward of dy with rotated, transposed weights; needs accepts(case)."""
    cdef cnp.ndarray dys = image(dy, "dy", case.y_shape)
    cdef cnp.ndarray ws = filters(w, case, dys.dtype)
    cdef const fc_ukr *u = table(dys.itemsize)
    cdef cnp.ndarray dx = empty_nchw(case.batch, case.ci, case.ih, case.iw, dys.dtype.num)
    cdef Winograd p
    if dx.size == 0:
        return dx
    ask(&p.moments, None, case.ci)
    ask_epilogue(&p.epilogue, "conv2d", None, None, dx)
    p.w = weights_of(u, ws, 1)
    p.w.n_out, p.w.depth = p.w.depth, p.w.n_out
    p.w.s_out, p.w.s_in = p.w.s_in, p.w.s_out
    p.w.data += 2 * (p.w.s_r + p.w.s_s) * u.item  # rotated: the last tap first
    p.w.s_r, p.w.s_s = -p.w.s_r, -p.w.s_s
    p.src, p.dst, p.bias = cnp.PyArray_BYTES(dys), cnp.PyArray_BYTES(dx), NULL
    p.depth, p.n_out = case.co, case.ci
    p.tiling = tiling(case.ih, case.iw)
    p.tiles = case.batch * p.tiling.per_image
    set_geometry(&p.image, case.co, case.oh, case.ow, 2 - case.pt, 2 - case.pl)
    set_geometry(&p.result, case.ci, case.ih, case.iw, 0, 0)
    run(u, &p, schedule, team(case.macs, threads), (dx, dys, ws))
    return dx
