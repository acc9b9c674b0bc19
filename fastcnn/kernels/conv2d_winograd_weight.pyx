"""kernels.conv2d_winograd_weight: the weight gradient of a 3x3 stride-1 convolution by Winograd's F(3x3,4x4).

The 6x6 transform of x is forward's; dy is cut into 4x4 tiles; 36 products are summed over all tiles and one inverse transform
for each pair of channels gives the 3x3 gradient. The tiles are cut into chunks, a number fixed by the shape, whose sums are added
in order, so that results do not depend on the number of threads.
"""

cimport numpy as cnp
from cython.parallel cimport prange, threadid
from libc.string cimport memset

from fastcnn.kernels.conv2d_direct cimport image
from fastcnn.kernels.conv2d_winograd cimport DEPTH, POINTS, STAGE_TILES, odd_lines, set_geometry
from fastcnn.kernels.gemm cimport team
from fastcnn.kernels.memory cimport Block, apart, block, empty_nchw
from fastcnn.kernels.micro cimport fc_tile_job, fc_ukr, fc_winograd_block, table

cnp.import_array()

cdef enum:
    TILES_BYTES = 400 * 1024  # transformed tiles that a task holds: they share L2 with the sums
    SUMS_BYTES = 4 << 20      # sums of all chunks; with four chunks they may take more

cdef struct Gradient:
    const char *x                # IN   channels-last, ci channels
    const char *dy               # IN   channels-last, co channels
    char *dw                     # OUT  (co, 3, 3, ci)
    fc_winograd_block image, dimage
    Py_ssize_t tiles, ci, co, panels
    Py_ssize_t v_row, v_slice    # transformed x: [36][tile][ci]
    Py_ssize_t d_row, d_slice    # transformed dy: [36][tile][panel][nr], zero beyond co
    Py_ssize_t part, parts       # channels of x in a piece of the sums; pieces of a panel
    Py_ssize_t m_slice           # sums of a piece: [36][part][nr]


cdef void transform_pair(const fc_ukr *u, const Gradient *p, char *v, char *d, Py_ssize_t first, Py_ssize_t at,
                         Py_ssize_t count) noexcept nogil:
    cdef fc_winograd_block source = p.image
    cdef fc_winograd_block dimage = p.dimage
    source.first = dimage.first = first + at
    source.count = dimage.count = count
    source.slice, source.row = p.v_slice, p.v_row
    dimage.slice, dimage.row = p.d_slice, p.d_row
    u.winograd_input(v + at * p.v_row * u.item, p.x, &source, &POINTS)
    u.winograd_dy(d + at * p.d_row * u.item, p.dy, &dimage, &POINTS)


cdef void sum_slice(const fc_ukr *u, const Gradient *p, const char *v, const char *d, char *m, Py_ssize_t xi, Py_ssize_t panel,
                    Py_ssize_t c0, Py_ssize_t count, bint accumulate) noexcept nogil:
    """m[xi][c][:] (+)= sum over `count` tiles of v[xi][t][c0 + c] * d[xi][t][panel][:], for the channels of one piece."""
    cdef fc_tile_job job
    cdef Py_ssize_t zero = 0
    job.a = v + (xi * p.v_slice + c0) * u.item
    job.b = d + (xi * p.d_slice + panel * u.nr) * u.item
    job.c = m + xi * p.m_slice * u.item
    job.bias = NULL
    job.seg = &zero
    job.nseg = 1
    job.kseg = count
    job.rows = 1
    job.cols = min(p.part, p.ci - c0)
    job.ldc = u.nr
    job.n = (min(u.nr, p.co - panel * u.nr) + u.lanes - 1) // u.lanes * u.lanes
    job.lda = 1
    job.ka = p.v_row
    job.ldb = p.d_row
    job.a_row = job.c_row = 0
    job.accumulate = accumulate
    job.relu = 0
    u.tile_rows(&job)


cdef void store_piece(const fc_ukr *u, const Gradient *p, const char *m, char *scratch, Py_ssize_t panel,
                      Py_ssize_t c0) noexcept nogil:
    """Transform the sums of a piece back and write them to dw."""
    cdef Py_ssize_t tap, count = min(p.part, p.ci - c0)
    cdef char *at = p.dw + (panel * u.nr * 9 * p.ci + c0) * u.item
    u.winograd_dw(scratch, count * u.nr, m, p.m_slice, count, u.nr, &POINTS)
    for tap in range(9):
        u.unpack_run(at + tap * p.ci * u.item, scratch + tap * count * u.nr * u.item, min(u.nr, p.co - panel * u.nr), u.nr, count,
                     1, 9 * p.ci)


cdef void by_pieces(const fc_ukr *u, const Gradient *p, char *tiles, char *scratch, int threads) noexcept nogil:
    """Few tiles, large dw: transform all tiles; then a task sums the 36 slices of a piece in L2 and transforms them back."""
    cdef Py_ssize_t m_bytes = 36 * p.m_slice * u.item, own = apart(m_bytes + 9 * p.part * u.nr * u.item), t, xi
    cdef char *v = tiles
    cdef char *d = tiles + 36 * p.v_slice * u.item
    cdef char *m
    for t in prange((p.tiles + STAGE_TILES - 1) // STAGE_TILES, num_threads=threads, schedule="static"):
        transform_pair(u, p, v, d, 0, t * STAGE_TILES, min(STAGE_TILES, p.tiles - t * STAGE_TILES))
    for t in prange(p.panels * p.parts, num_threads=threads, schedule="dynamic"):
        m = scratch + threadid() * own
        for xi in range(36):
            sum_slice(u, p, v, d, m, xi, t // p.parts, t % p.parts * p.part, p.tiles, False)
        store_piece(u, p, m, m + m_bytes, t // p.parts, t % p.parts * p.part)


cdef void sum_chunk(const fc_ukr *u, const Gradient *p, char *v, char *d, char *sums, Py_ssize_t first, Py_ssize_t stop,
                    Py_ssize_t count) noexcept nogil:
    """Sum the tiles first..stop into all pieces, `count` tiles at a time that stay in this core's caches."""
    cdef Py_ssize_t m_bytes = 36 * p.m_slice * u.item, at = first, here, xi, i
    while at < stop:
        here = min(count, stop - at)
        transform_pair(u, p, v, d, at, 0, here)
        for xi in range(36):
            for i in range(p.panels * p.parts):
                sum_slice(u, p, v, d, sums + i * m_bytes, xi, i // p.parts, i % p.parts * p.part, here, at > first)
        at = at + here


cdef void by_chunks(const fc_ukr *u, const Gradient *p, char *tiles, char *sums, char *scratch, Py_ssize_t chunks,
                    Py_ssize_t count, int threads) noexcept nogil:
    """Many tiles: each chunk of tiles has sums of its own, so that a task shares nothing; the chunks are added in order."""
    cdef Py_ssize_t pieces = p.panels * p.parts, m_bytes = 36 * p.m_slice * u.item, t, c
    cdef Py_ssize_t v_bytes = 36 * p.v_slice * u.item, own = apart(v_bytes + 36 * p.d_slice * u.item)
    cdef Py_ssize_t tap_bytes = apart(9 * p.part * u.nr * u.item), sum_bytes = apart(pieces * m_bytes)
    for t in prange(chunks, num_threads=threads, schedule="static"):
        sum_chunk(u, p, tiles + threadid() * own, tiles + threadid() * own + v_bytes, sums + t * sum_bytes,
                  t * p.tiles // chunks, (t + 1) * p.tiles // chunks, count)
    for t in prange(pieces, num_threads=threads, schedule="static"):
        for c in range(1, chunks):
            u.add(sums + t * m_bytes, sums + c * sum_bytes + t * m_bytes, 36 * p.m_slice)
        store_piece(u, p, sums + t * m_bytes, scratch + threadid() * tap_bytes, t // p.parts, t % p.parts * p.part)


def conv2d_winograd_backward_weight(dy, x, case, *, int threads=1):
    """Return dw of logical shape case.w_shape (memory co, 3, 3, ci) by F(3x3,4x4); needs accepts(case)."""
    cdef cnp.ndarray dys = image(dy, "dy", case.y_shape)
    cdef cnp.ndarray xs = image(x, "x", case.x_shape, dys.dtype)
    cdef const fc_ukr *u = table(dys.itemsize)
    cdef cnp.ndarray out = empty_nchw(case.co, case.ci, 3, 3, dys.dtype.num)
    cdef Gradient p
    cdef Block tiles, sums, scratch
    cdef Py_ssize_t count, chunks, own
    if out.size == 0 or dys.size == 0:
        out.fill(0)
        return out
    cdef Py_ssize_t tiles_y = (case.oh + 3) // 4, tiles_x = (case.ow + 3) // 4
    p.x, p.dy, p.dw = cnp.PyArray_BYTES(xs), cnp.PyArray_BYTES(dys), cnp.PyArray_BYTES(out)
    set_geometry(&p.image, case.ci, case.ih, case.iw, tiles_y, tiles_x, case.pt, case.pl)
    set_geometry(&p.dimage, case.co, case.oh, case.ow, tiles_y, tiles_x, 0, 0)
    p.tiles, p.ci, p.co = case.batch * tiles_y * tiles_x, case.ci, case.co
    p.panels = (p.co + u.nr - 1) // u.nr
    p.v_row = (p.ci + u.lanes - 1) // u.lanes * u.lanes
    p.d_row = p.panels * u.nr
    threads = team(case.macs, threads)
    p.part = min(DEPTH, p.ci)
    cdef bint few = p.tiles * (p.v_row + p.d_row) <= 2 * p.v_row * p.d_row  # transformed tiles are no larger than transformed dw
    cdef Py_ssize_t owners = 1 if few else threads
    if few:
        chunks, count = 1, p.tiles
        while p.part > 16 and p.panels * ((p.ci + p.part - 1) // p.part) < 4 * threads:
            p.part //= 2
    else:
        chunks = max(1, min(max(4, min(16, SUMS_BYTES // (36 * p.v_row * p.d_row * u.item))), p.tiles // 32))
        count = min(max(TILES_BYTES // (36 * u.item * (p.v_row + p.d_row)), 56), (p.tiles + chunks - 1) // chunks)
    p.parts = (p.ci + p.part - 1) // p.part
    p.v_slice, p.d_slice = odd_lines(count * p.v_row, u.item), odd_lines(count * p.d_row, u.item)
    p.m_slice = odd_lines(p.part * u.nr, u.item)
    own = apart(36 * (p.v_slice + p.d_slice) * u.item)
    tiles = block(owners * own)
    if p.co % u.nr:  # the transform writes whole vectors up to co; the rest of the last panel must not be garbage (NaN)
        memset(tiles.data, 0, owners * own)
    sums = block(0 if few else chunks * apart(p.panels * p.parts * 36 * p.m_slice * u.item))
    scratch = block(threads * apart((36 * p.m_slice + 9 * p.part * u.nr) * u.item))
    cdef char *tiles_data = tiles.data
    cdef char *sums_data = sums.data
    cdef char *scratch_data = scratch.data
    with nogil:
        if few:
            by_pieces(u, &p, tiles_data, scratch_data, threads)
        else:
            by_chunks(u, &p, tiles_data, sums_data, scratch_data, chunks, count, threads)
    return out
