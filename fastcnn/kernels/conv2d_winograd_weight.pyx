"""kernels.conv2d_winograd_weight: the weight gradient of a 3x3 stride-1 convolution by Winograd's F(3x3,4x4).

The 6x6 transform of x is forward's; dy is cut into 4x4 tiles, or 3 where that suffices; 36 products are summed over all tiles
and one inverse transform for each pair of channels gives the 3x3 gradient. The tiles are cut into chunks, a number fixed by the
shape, whose gradients are added in order, so that results do not depend on the number of threads. A thread takes a share of the
chunks times a group of panels (nr channels of dy each) and works on memory of its own; large gradients of few tiles are one
chunk. Chunks go block by block; while the products of one are made, the images of the next are fetched.
"""

cimport numpy as cnp
from cython.parallel cimport prange
from libc.string cimport memcpy

from fastcnn.kernels.conv2d_direct cimport image
from fastcnn.kernels.conv2d_winograd cimport (
    POINTS, Tiling, lay_tiles, look_at_tiles, odd_lines, set_geometry, slice_begin, slice_end, tiling)
from fastcnn.kernels.entry cimport emit, fc_flush, fc_restore, unrecorded
from fastcnn.kernels.gemm cimport team
from fastcnn.kernels.memory cimport Block, apart, block, empty_nchw
from fastcnn.kernels.micro cimport fc_streams, fc_tile_job, fc_ukr, fc_winograd_block, fc_winograd_tile, table

cnp.import_array()

cdef enum:
    BLOCK_TILES = 84         # tiles of a block: enough to hide that sums are loaded and stored, and 2 to 3 MiB in most layers
    BLOCK_BYTES = 16 << 20   # transformed tiles of a block at most: they stay in L3
    NEAR_BYTES = 450 << 10   # the same of few channels, and the images of the next block: where the sums are small,
    L2_BYTES = 900 << 10     # all of it stays in L2
    PART = 256               # channels of x in a piece of the sums
    CHUNKS = 32              # at most; a chunk's error grows with its tiles
    TILE_COST = 24           # see conv2d_winograd


cdef struct Gradient:
    const fc_ukr *u
    const char *x                # IN   channels-last, ci channels
    const char *dy               # IN   channels-last, co channels
    char *dw                     # OUT  (co, 3, 3, ci)
    char *taps                   # sums of the chunks [chunk][panel][piece][9][part][nr], when there is more than one chunk
    char *scratch                # of all threads
    fc_winograd_block image, dimage
    Tiling tiling                # of dy
    Py_ssize_t tiles, ci, co, panels
    Py_ssize_t chunks, count     # parts of the tiles that are summed apart, fixed by the shape; tiles of a block at most
    Py_ssize_t shares, groups    # parts of the chunks, and of the panels: a thread has one of each
    Py_ssize_t v_row, v_slice    # transformed x of a block [36][tile][ci]
    Py_ssize_t d_row, d_slice    # transformed dy of a block [36][tile][co of these panels], zero to a whole vector
    Py_ssize_t part, parts       # channels of x in a piece of the sums; pieces of a panel
    Py_ssize_t m_slice           # sums of a piece [36][part][nr]
    Py_ssize_t m_step            # bytes from piece to piece; 0 when each is finished at once
    Py_ssize_t list_bytes, own   # bytes of a block's list of tiles, of all scratch of a thread


cdef void transform(const fc_ukr *u, const Gradient *p, Py_ssize_t *start, char *scratch, Py_ssize_t first, Py_ssize_t count,
                    Py_ssize_t p0, Py_ssize_t p1) noexcept nogil:
    """Transform `count` tiles of x, and of panels p0..p1 of dy, into scratch."""
    cdef fc_winograd_block source = p.image
    cdef fc_winograd_block dimage = p.dimage
    cdef fc_winograd_tile *tiles = <fc_winograd_tile *>scratch
    cdef char *v = scratch + p.list_bytes
    lay_tiles(&p.tiling, tiles, start, first, count)
    source.tiles = dimage.tiles = tiles
    memcpy(source.start, start, sizeof(source.start))
    memcpy(dimage.start, start, sizeof(source.start))
    source.slice, source.row = p.v_slice, p.v_row
    dimage.slice, dimage.row = p.d_slice, p.d_row
    dimage.channels = min(p.co, p1 * u.nr) - p0 * u.nr
    u.winograd_input(v, p.x, &source, &POINTS)
    u.winograd_dy(v + 36 * p.v_slice * u.item, p.dy + p0 * u.nr * u.item, &dimage, &POINTS)


cdef void sum_piece(const fc_ukr *u, const Gradient *p, char *m, const char *v, const char *d, const Py_ssize_t *start,
                    Py_ssize_t panel, Py_ssize_t c0, bint accumulate, fc_streams *ahead) noexcept nogil:
    """m[xi][c][:] (+)= sum over tiles of v[xi][t][c0 + c] * d[xi][t][:], for 36 slices and the channels of one piece."""
    cdef fc_tile_job job
    cdef Py_ssize_t zero = 0, xi, first
    job.bias = NULL
    job.seg = &zero
    job.nseg = job.rows = job.lda = 1
    job.cols = min(p.part, p.ci - c0)
    job.n = (min(u.nr, p.co - panel * u.nr) + u.lanes - 1) // u.lanes * u.lanes
    job.ldc = u.nr
    job.ka = p.v_row
    job.ldb = p.d_row
    job.a_row = job.c_row = 0
    job.accumulate = accumulate
    job.epilogue = NULL
    for xi in range(36):
        first = slice_begin(start, xi)
        job.kseg = max(0, slice_end(start, xi) - first)
        job.a = v + (xi * p.v_slice + first * p.v_row + c0) * u.item
        job.b = d + (xi * p.d_slice + first * p.d_row) * u.item
        job.c = m + xi * p.m_slice * u.item
        u.tile_rows_streamed(&job, ahead)


cdef void store_piece(const fc_ukr *u, const Gradient *p, const char *taps, Py_ssize_t panel,
                      Py_ssize_t c0) noexcept nogil:
    """Write a piece [9][part][nr] to dw."""
    cdef Py_ssize_t count = min(p.part, p.ci - c0), tap
    cdef char *at = p.dw + (panel * u.nr * 9 * p.ci + c0) * u.item
    for tap in range(9):
        u.unpack_run(at + tap * p.ci * u.item, taps + tap * p.part * u.nr * u.item, min(u.nr, p.co - panel * u.nr), u.nr, count,
                     1, 9 * p.ci)


cdef void sum_chunk(const fc_ukr *u, const Gradient *p, char *scratch, Py_ssize_t chunk, Py_ssize_t p0,
                    Py_ssize_t p1, Py_ssize_t last) noexcept nogil:
    """Sum the tiles of a chunk, block by block, into the pieces of panels p0..p1 and transform these back.

    The images of as many tiles, before `last`, are fetched meanwhile.
    """
    cdef Py_ssize_t first = chunk * p.tiles // p.chunks, tiles = (chunk + 1) * p.tiles // p.chunks - first
    cdef Py_ssize_t blocks = (tiles + p.count - 1) // p.count, b, at, here, i, panel, c0
    cdef Py_ssize_t[5] start
    cdef char *v = scratch + p.list_bytes
    cdef char *d = v + 36 * p.v_slice * u.item
    cdef char *spare = d + 36 * p.d_slice * u.item
    cdef char *sums = spare + 9 * p.part * u.nr * u.item
    cdef char *m
    cdef char *taps
    cdef fc_streams ahead
    cdef Py_ssize_t then, stop, calls = (p1 - p0) * 36 * ((p.ci + u.mr - 1) // u.mr)
    for b in range(blocks):
        at = b * tiles // blocks
        here = (b + 1) * tiles // blocks - at
        transform(u, p, start, scratch, first + at, here, p0, p1)
        then = first + at + here
        stop = min(then + here, last)
        look_at_tiles(&ahead, 0, p.x, &p.image, &p.tiling, 6 - p.image.pad_top, then, stop, u.item, calls)
        look_at_tiles(&ahead, 1, p.dy, &p.dimage, &p.tiling, 4, then, stop, u.item, calls)
        for i in range((p1 - p0) * p.parts):
            panel, c0 = p0 + i // p.parts, i % p.parts * p.part
            m = sums + i * p.m_step
            sum_piece(u, p, m, v, d + (panel - p0) * u.nr * u.item, start, panel, c0, b > 0, &ahead)
            if b + 1 == blocks:
                taps = spare
                if p.chunks > 1:
                    taps = p.taps + ((chunk * p.panels + panel) * p.parts + i % p.parts) * 9 * p.part * u.nr * u.item
                u.winograd_dw(taps, p.part * u.nr, m, p.m_slice, min(p.part, p.ci - c0), u.nr, &POINTS)
                if p.chunks == 1:
                    store_piece(u, p, taps, panel, c0)


cdef void sum_share(const fc_ukr *u, const Gradient *p, char *scratch, Py_ssize_t group, Py_ssize_t share) noexcept nogil:
    """Everything that one thread does before the chunks are added: a share of them for a group of panels."""
    cdef Py_ssize_t chunk
    cdef unsigned long long floats = fc_flush()
    for chunk in range(share * p.chunks // p.shares, (share + 1) * p.chunks // p.shares):
        sum_chunk(u, p, scratch, chunk, group * p.panels // p.groups, (group + 1) * p.panels // p.groups,
                  (share + 1) * p.chunks // p.shares * p.tiles // p.chunks)
    fc_restore(floats)


cdef void add_chunks(const fc_ukr *u, const Gradient *p, Py_ssize_t piece) noexcept nogil:
    cdef Py_ssize_t size = 9 * p.part * u.nr, pieces = p.panels * p.parts, i
    cdef char *taps = p.taps + piece * size * u.item
    cdef unsigned long long floats = fc_flush()
    for i in range(1, p.chunks):
        u.add(taps, taps + i * pieces * size * u.item, size)
    store_piece(u, p, taps, piece // p.parts, piece % p.parts * p.part)
    fc_restore(floats)


cdef int gradient(const void *job) noexcept nogil:
    cdef const Gradient *p = <const Gradient *>job
    cdef Py_ssize_t t, threads = p.shares * p.groups
    for t in prange(threads, num_threads=threads, schedule="static"):
        sum_share(p.u, p, p.scratch + t * p.own, t % p.groups, t // p.groups)
    if p.chunks > 1:
        for t in prange(p.panels * p.parts, num_threads=threads, schedule="static"):
            add_chunks(p.u, p, t)
    return 0


cdef void plan(const fc_ukr *u, Gradient *p, int threads) noexcept nogil:
    """Cut the tiles into chunks and blocks by the shape alone, the work among at most `threads` threads, and lay out scratch."""
    cdef Py_ssize_t groups, shares, n, near, panels, ratio = p.tiles * (p.ci + p.co) // (p.ci * p.co)
    cdef double tiles, cost, best = 0
    cdef bint single
    cdef Py_ssize_t tile_bytes = (36 + 16) * (p.ci + p.co) * u.item  # transformed, and of the image that the next block has
    p.panels = (p.co + u.nr - 1) // u.nr
    p.part = min(PART, p.ci)
    p.parts = (p.ci + p.part - 1) // p.part
    # Chunks cost sums of their own, but no two threads need transform the same tiles: worth it when tiles outweigh sums.
    p.chunks = 1 if ratio < 8 else 4
    while ratio >= 32 * p.chunks and p.chunks < CHUNKS:
        p.chunks *= 2
    p.chunks = min(p.chunks, (p.tiles + u.mr - 1) // u.mr)
    n = (p.tiles + p.chunks - 1) // p.chunks
    p.v_row = (p.ci + u.lanes - 1) // u.lanes * u.lanes
    near = max(NEAR_BYTES // tile_bytes, 2 * u.mr)
    if near > BLOCK_TILES or 36 * p.ci * p.co * u.item + near * tile_bytes > L2_BYTES:
        near = BLOCK_TILES
    p.count = min(n, near, max(BLOCK_BYTES // (36 * u.item * (p.v_row + p.panels * u.nr)), u.mr))
    single = n == p.count
    for groups in range(1, min(threads, p.panels) + 1):
        shares = min(threads // groups, p.chunks)
        tiles = n * ((p.chunks + shares - 1) // shares)
        panels = (p.panels + groups - 1) // groups
        cost = tiles * (p.ci * panels * u.nr + TILE_COST * (p.ci + panels * u.nr))
        if groups == 1 or cost < best:
            best = cost
            p.groups, p.shares = groups, shares
    panels = (p.panels + p.groups - 1) // p.groups
    p.d_row = min(panels * u.nr, (p.co + u.lanes - 1) // u.lanes * u.lanes)
    p.v_slice, p.d_slice = odd_lines(p.count * p.v_row, u.item), odd_lines(p.count * p.d_row, u.item)
    p.m_slice = odd_lines(p.part * u.nr, u.item)
    p.m_step = 0 if single else 36 * p.m_slice * u.item
    n = 1 if single else panels * p.parts
    p.list_bytes = (p.count * sizeof(fc_winograd_tile) + 63) // 64 * 64
    p.own = apart(p.list_bytes + (36 * (p.v_slice + p.d_slice + n * p.m_slice) + 9 * p.part * u.nr) * u.item)


def conv2d_winograd_backward_weight(dy, x, case, *, int threads=1):
    """Return dw of logical shape case.w_shape (memory co, 3, 3, ci) by F(3x3,4x4); needs accepts(case)."""
    cdef cnp.ndarray dys = image(dy, "dy", case.y_shape)
    cdef cnp.ndarray xs = image(x, "x", case.x_shape, dys.dtype)
    cdef const fc_ukr *u = table(dys.itemsize)
    cdef cnp.ndarray out = empty_nchw(case.co, case.ci, 3, 3, dys.dtype.num)
    cdef Gradient p
    cdef Block scratch, taps
    if out.size == 0 or dys.size == 0:
        unrecorded("conv2d of an empty batch")
        out.fill(0)
        return out
    p.u = u
    p.x, p.dy, p.dw = cnp.PyArray_BYTES(xs), cnp.PyArray_BYTES(dys), cnp.PyArray_BYTES(out)
    set_geometry(&p.image, case.ci, case.ih, case.iw, case.pt, case.pl)
    set_geometry(&p.dimage, case.co, case.oh, case.ow, 0, 0)
    p.tiling = tiling(case.oh, case.ow)
    p.tiles, p.ci, p.co = case.batch * p.tiling.per_image, case.ci, case.co
    plan(u, &p, team(case.macs, threads))
    scratch = block(p.shares * p.groups * p.own)
    taps = block(p.chunks * p.panels * p.parts * 9 * p.part * u.nr * u.item if p.chunks > 1 else 1)
    p.scratch, p.taps = scratch.data, taps.data
    emit(gradient, &p, sizeof(p), (out, dys, xs))
    return out
