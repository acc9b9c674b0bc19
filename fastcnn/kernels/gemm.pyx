"""kernels.gemm: c = a b (+ bias, ReLU) on strided operands, blocked for the register tile of ukr/gemm.h.

The depth is cut into blocks of at most KC, the rows into blocks of MC that stay in L2; b is packed into panels of nr columns.
The result does not depend on the number of threads: each element is one sum in one order. [Goto2008] for the blocking.
"""

import numpy as np

cimport numpy as cnp
from cython.parallel cimport parallel, prange, threadid

from fastcnn.errors import DtypeError, ShapeError

from fastcnn.kernels.entry cimport emit, fc_flush, fc_restore, unrecorded
from fastcnn.kernels.memory cimport Block, apart, block, empty_like_shape
from fastcnn.kernels.micro cimport fc_ahead, fc_streams, fc_tile_job, fc_ukr, table
from fastcnn.kernels.epilogue cimport ask_epilogue, asked
from fastcnn.kernels.moments cimport SHARES, TILE_WIDTH, begin, finish, merge, room
from fastcnn.kernels.strided cimport ordered

cnp.import_array()

cdef enum:
    KC = 512              # depth of a block: a panel of b is 64 KiB in float32, and stays in L2 next to a
    A_BYTES = 256 * 1024  # rows of a that stay in L2 while every panel passes by
    PANEL_A_BYTES = 512 * 1024  # up to this, a is small enough to be read anew for each panel
    CROWD = 8             # rows of a tile that have a cache set in common: L1 has 8 or 12 ways
    CACHE_BYTES = 32 << 20  # of c, as in kernels.layout: from here on past the caches (16 -> 96 channels, 77 MB: 4.6 -> 2.9 ms)
    MOMENT_TILES = 32     # of rows in a chunk of moments, at most: their sums are in the precision of c
    LINE = 64             # bytes of a cache line
    SEGMENT = 32          # depth of a segment, at most: so many lines can be on their way
    SEGMENTS = 64         # of a block of depth, at most: none is shorter than 9 unless there is but one
    AHEAD_BYTES = 8192    # at least so far ahead of their use rows of a are fetched: some hundred cycles
    STREAM_BYTES = 256 * 1024  # of a, from which on it is fetched ahead
    SHARE_BYTES = 64 * 1024  # of packed panels, from which on it matters which core has written them
    MAX_THREADS = 256
    SERIAL_MACS = 200000  # measured: below this, waking a second thread costs more than it brings


cdef bint shared_out(Py_ssize_t panels, double panel_bytes, double image_bytes, int threads) noexcept nogil:
    """Should each thread have panels of its own, which it packs, rather than rows of its own?

    What one core has just written another reads slowly; an image that both read comes from L3.
    """
    return (threads > 1 and panels >= threads and (panels % threads == 0 or panels >= 8 * threads)
            and panel_bytes >= SHARE_BYTES and 4 * panel_bytes >= image_bytes)


cdef int team(double macs, int threads) noexcept nogil:
    """Threads worth waking for this many multiply-adds."""
    return 1 if macs < SERIAL_MACS else max(1, min(threads, MAX_THREADS))


cdef fc_streams past_cache(const fc_ukr *u, const char *c, Py_ssize_t ldc, double size) noexcept nogil:
    """How to store an output of `size` elements with `ldc` channels: past the caches if it is larger and has whole vectors."""
    cdef fc_streams s
    cdef Py_ssize_t i
    for i in range(2):
        s.ahead[i].at = s.ahead[i].end = 0
    s.moments, s.fresh = NULL, 0
    s.past_cache = size * u.item >= CACHE_BYTES and ldc % u.lanes == 0 and <size_t>c % (u.lanes * u.item) == 0
    return s


cdef void look_ahead(fc_streams *streams, int i, const char *first, Py_ssize_t runs, Py_ssize_t run, Py_ssize_t stride,
                     Py_ssize_t segments) noexcept nogil:
    """Spread `runs` runs of `run` bytes, `stride` bytes from one to the next, over `segments` segments of tiles."""
    cdef fc_ahead *f = &streams.ahead[i]
    if run == stride:
        runs, run = 1, runs * run
    f.at, f.run, f.gap = <size_t>first, run, stride - run
    f.stop = f.end = f.at + max(<Py_ssize_t>0, run)
    f.end += (runs - 1) * stride
    f.lines = (runs * ((run + LINE - 1) // LINE) + segments - 1) // segments


cdef Py_ssize_t segment(Py_ssize_t depth) noexcept nogil:
    """Length of the equal segments that a depth is cut into, so that fetches can be spread over it."""
    cdef Py_ssize_t s
    for s in range(SEGMENT, SEGMENT // 4, -1):
        if depth % s == 0:
            return s
    return depth


cdef object ready(object array, str op, str name, object dtype=None):
    """Return `array` if a kernel can read it in place, an aligned native copy otherwise; check its dtype."""
    # the checks are those of C: attributes of Python would cost more than a small kernel
    if not cnp.PyArray_Check(array) or cnp.PyArray_TYPE(array) not in (cnp.NPY_FLOAT, cnp.NPY_DOUBLE):
        raise DtypeError(f"{op}: {name} must be a float32 or float64 array, got {getattr(array, 'dtype', type(array))}")
    if dtype is not None and (<cnp.ndarray>array).descr is not dtype and array.dtype != dtype:
        raise DtypeError(f"{op}: {name} must have dtype {dtype}, got {array.dtype}")
    cdef cnp.ndarray x = array
    cdef int i
    cdef bint fine = cnp.PyArray_ISALIGNED(x) and not cnp.PyArray_ISBYTESWAPPED(x)
    for i in range(x.ndim):
        fine = fine and cnp.PyArray_STRIDE(x, i) % cnp.PyArray_ITEMSIZE(x) == 0
    if fine:
        return array
    unrecorded(f"{op} of an array that is not aligned")
    return np.array(array, dtype=array.dtype.newbyteorder("="), order="C")


cdef void run_tiles(const Gemm *g, fc_tile_job *job, fc_streams *streams, Py_ssize_t rows) noexcept nogil:
    """Some rows of c times one panel; rows of a that would meet in one cache set by tiles of 8 or a little more."""
    cdef Py_ssize_t tiles = max(<Py_ssize_t>1, rows // CROWD) if g.crowded else 1, larger = rows % tiles, done
    job.rows, job.cols = tiles - larger, rows // tiles
    job.a_row, job.c_row = job.cols * job.lda, job.cols * job.ldc
    g.u.tile_rows_streamed(job, streams)
    if larger:
        done = job.rows * job.cols
        job.a, job.c = <const char *>job.a + done * job.lda * g.u.item, <char *>job.c + done * job.ldc * g.u.item
        job.rows, job.cols = larger, job.cols + 1
        job.a_row, job.c_row = job.cols * job.lda, job.cols * job.ldc
        g.u.tile_rows_streamed(job, streams)


cdef void look_at_panel(const Gemm *g, fc_streams *streams, Py_ssize_t p, Py_ssize_t k0, Py_ssize_t segments) noexcept nogil:
    """Have the part of b fetched that the next panel is packed from."""
    cdef const fc_ukr *u = g.u
    cdef Py_ssize_t n = min(u.nr, g.n - p * u.nr), kc = min(g.kc, g.k - k0)
    cdef const char *b = g.b + (k0 * g.kb + p * u.nr * g.ldb) * u.item
    if g.kb == 1:
        look_ahead(streams, 1, b, n, kc * u.item, g.ldb * u.item, segments)
    elif g.ldb == 1:
        look_ahead(streams, 1, b, kc, n * u.item, g.kb * u.item, segments)


cdef void run_block(const Gemm *g, const char *a, Py_ssize_t lda, Py_ssize_t ka, const char *panels, Py_ssize_t i0,
                    Py_ssize_t rows, Py_ssize_t p0, Py_ssize_t p1, Py_ssize_t k0, Py_ssize_t kc) noexcept nogil:
    """Rows i0.. of c times panels p0..p1, one depth block; `a` points at (i0, k0), panel p stands at panels + p*kc*nr."""
    cdef const fc_ukr *u = g.u
    cdef fc_tile_job job
    cdef fc_streams streams = past_cache(u, g.c, g.ldc, <double>g.m * g.ldc if kc == g.k else 0)
    cdef Py_ssize_t seg[SEGMENTS]
    cdef Py_ssize_t p, i, step = rows, tiles = (p1 - p0) * ((rows + u.mr - 1) // u.mr)
    # fetched meanwhile: the next block, or with one panel rows that follow soon
    cdef Py_ssize_t fetched = i0 + (rows if p1 - p0 > 1 else max(u.mr, (AHEAD_BYTES + kc * u.item - 1) // (kc * u.item)))
    cdef bint ahead = g.ahead and fetched < g.m
    cdef bint last = k0 + kc == g.k, taken = last and g.moments.out != NULL
    cdef double sums[3 * TILE_WIDTH]
    job.seg, job.kseg = seg, segment(kc) if ahead else kc
    job.nseg = kc // job.kseg
    for i in range(job.nseg):
        seg[i] = i * job.kseg * ka
    if ahead and g.ka != 1:
        look_ahead(&streams, 0, g.a + (fetched + k0 * g.ka) * u.item, kc, min(rows, g.m - fetched) * u.item, g.ka * u.item,
                   tiles * job.nseg)
    elif ahead:
        look_ahead(&streams, 0, g.a + (fetched * g.lda + k0) * u.item, min(rows, g.m - fetched), kc * u.item, g.lda * u.item,
                   tiles * job.nseg)
        if g.each and (k0 + kc < g.k or p1 < g.n_panels):
            look_at_panel(g, &streams, p0 if k0 + kc < g.k else p1, (k0 + kc) % g.k, tiles * job.nseg)
    job.ldc = g.ldc
    job.lda = lda
    job.ka = ka
    job.ldb = u.nr
    job.accumulate = k0 > 0
    job.epilogue = asked(&g.epilogue) if last else NULL
    if taken:
        step = g.chunk
    for p in range(p0, p1):
        job.b = panels + (p - p0) * kc * u.nr * u.item
        job.bias = g.bias + p * u.nr * u.item if g.bias != NULL else NULL
        job.n = min(u.nr, g.n - p * u.nr)
        i = 0
        while i < rows:
            job.a = a + i * lda * u.item
            job.c = g.c + ((i0 + i) * g.ldc + p * u.nr) * u.item
            if taken:
                begin(&g.moments, &streams, sums)
            run_tiles(g, &job, &streams if taken or streams.past_cache or ahead else NULL, min(step, rows - i))
            if taken:
                finish(u, &g.moments, sums, (i0 + i) // step, p * u.nr, job.n, min(step, rows - i))
            i += step


cdef inline void pack_panel(const Gemm *g, char *dst, Py_ssize_t p, Py_ssize_t k0, Py_ssize_t kc) noexcept nogil:
    cdef const fc_ukr *u = g.u
    u.pack_run(dst, g.b + (k0 * g.kb + p * u.nr * g.ldb) * u.item, min(u.nr, g.n - p * u.nr), u.nr, kc, g.kb, g.ldb)


cdef void panel_task(const Gemm *g, char *scratch, Py_ssize_t p) noexcept nogil:
    """All rows of panel p."""
    cdef Py_ssize_t k0 = 0, kc
    while k0 < g.k:
        kc = min(g.kc, g.k - k0)
        pack_panel(g, scratch, p, k0, kc)
        run_block(g, g.a + k0 * g.ka * g.u.item, g.lda, g.ka, scratch, 0, g.m, p, p + 1, k0, kc)
        k0 += kc


cdef void merge_chunks(const Gemm *g) noexcept nogil:
    cdef Py_ssize_t c
    if g.moments.out != NULL:
        for c in range(g.moments.chunks):
            g.moments.count[c] = min(g.chunk, g.m - c * g.chunk)
        merge(g.u, &g.moments, g.n, g.threads)


cdef int by_panels(const void *job) noexcept nogil:
    """Few rows: each task packs one panel and uses it at once on all of a."""
    cdef const Gemm *g = <const Gemm *>job
    cdef Py_ssize_t p
    cdef unsigned long long floats = 0
    with parallel(num_threads=g.threads):
        floats = fc_flush()
        for p in prange(g.n_panels, schedule="static"):
            panel_task(g, g.panels + threadid() * apart(g.kc * g.u.nr * g.u.item), p)
        fc_restore(floats)
    merge_chunks(g)
    return 0


cdef void rows_task(const Gemm *g, char *scratch, Py_ssize_t i0, Py_ssize_t p0, Py_ssize_t p1, Py_ssize_t k0,
                    Py_ssize_t kc) noexcept nogil:
    """Rows i0.. of panels p0..p1, one depth block."""
    cdef const fc_ukr *u = g.u
    cdef Py_ssize_t rows = min(g.mc, g.m - i0), lda = g.lda, ka = g.ka
    cdef const char *a = g.a + (i0 * lda + k0 * ka) * u.item
    if g.pack_a:
        u.pack_run(scratch, a, rows, rows, kc, ka, lda)  # columns: depth becomes the slow axis of a dense block
        a, lda, ka = scratch, 1, rows
    run_block(g, a, lda, ka, g.panels + p0 * kc * u.nr * u.item, i0, rows, p0, p1, k0, kc)


cdef int by_rows(const void *job) noexcept nogil:
    """Many rows: for each depth block, pack all panels, then hand out blocks of rows (and of panels, when rows are few)."""
    cdef const Gemm *g = <const Gemm *>job
    cdef Py_ssize_t blocks = (g.m + g.mc - 1) // g.mc, splits = 1, k0 = 0, kc, p, t
    cdef unsigned long long floats = 0
    if g.by_share:
        splits = g.threads
    while blocks * splits < g.threads and splits * 2 <= g.n_panels:
        splits *= 2
    while k0 < g.k:
        kc = min(g.kc, g.k - k0)
        for p in prange(g.n_panels, num_threads=g.threads, schedule="static"):
            pack_panel(g, g.panels + p * kc * g.u.nr * g.u.item, p, k0, kc)
        with parallel(num_threads=g.threads):
            floats = fc_flush()
            for t in prange(blocks * splits, schedule="static"):
                p = t // blocks if g.by_share else t % splits
                rows_task(g, g.rows + threadid() * g.rows_bytes, (t % blocks if g.by_share else t // splits) * g.mc,
                          p * g.n_panels // splits, (p + 1) * g.n_panels // splits, k0, kc)
            fc_restore(floats)
        k0 += kc
    merge_chunks(g)
    return 0


cdef Py_ssize_t chunk_rows(Py_ssize_t m, Py_ssize_t mr, Py_ssize_t most) noexcept nogil:
    """Rows of a chunk of moments: `most` tiles or some less, of which SHARES threads have about the same number."""
    cdef Py_ssize_t tiles = (m + mr - 1) // mr, size, share, best = 0, least = 0
    for size in range(most, most // 2, -1):
        share = ((tiles + size - 1) // size + SHARES - 1) // SHARES * size  # tiles of the thread that has most
        if best == 0 or share < least:
            best, least = size, share
    return best * mr


cdef int gemm_run(Gemm *g, tuple arrays) except -1:
    """Compute g, whose operands, u and threads are filled in; needs m, n, k > 0. `arrays`: who owns c, a, b and bias."""
    cdef const fc_ukr *u = g.u
    cdef Py_ssize_t depth_blocks = (g.k + KC - 1) // KC, blocks
    cdef Block panels, rows, _parts
    g.threads = team(<double>g.m * g.n * g.k, g.threads)
    g.n_panels = (g.n + u.nr - 1) // u.nr
    g.kc = min(g.k, ((g.k + depth_blocks - 1) // depth_blocks + 15) // 16 * 16)
    g.mc = max(u.mr, A_BYTES // (g.kc * u.item) // u.mr * u.mr)
    g.crowded = g.ka == 1 and g.lda * u.item % 4096 == 0 and u.mr > CROWD
    g.ahead = g.ka == 1 and g.m * g.k * u.item >= STREAM_BYTES
    g.chunk = chunk_rows(g.m, u.mr, min(g.mc // u.mr, MOMENT_TILES))
    _parts = room(&g.moments, (g.m + g.chunk - 1) // g.chunk)
    g.each = (g.m * g.kc * u.item <= PANEL_A_BYTES and g.n_panels >= 2 * g.threads and (g.ka == 1 or g.n_panels < 4)
              and (g.n_panels % g.threads == 0 or g.n_panels >= 8 * g.threads))
    if g.each:
        panels = block(g.threads * apart(g.kc * u.nr * u.item))
        g.panels = panels.data
        return emit(by_panels, g, sizeof(Gemm), arrays)
    blocks = ((g.m + g.mc - 1) // g.mc + g.threads - 1) // g.threads * g.threads  # as many for each thread, all alike
    g.mc = max(u.mr, (g.m + blocks - 1) // blocks) if g.moments.out == NULL else g.chunk
    g.pack_a = g.n_panels >= 4 and g.ka != 1
    g.ahead = g.ahead or (g.pack_a and g.lda == 1 and g.m * g.k * u.item >= STREAM_BYTES)
    g.by_share = shared_out(g.n_panels, <double>g.n * g.k * u.item, <double>g.m * g.k * u.item, g.threads)
    g.rows_bytes = apart(g.mc * KC * u.item) if g.pack_a else 0
    panels = block(g.n_panels * g.kc * u.nr * u.item)
    rows = block(g.threads * g.rows_bytes)
    g.panels, g.rows = panels.data, rows.data
    return emit(by_rows, g, sizeof(Gemm), arrays)


def gemm(a, b, bias=None, *, bounds=None, residual=None, int threads=1):
    """Return a @ b (+ bias[None, :]), shape (m, n), C order, finished as kernels.epilogue says.

    `a` is (m, k), `b` is (k, n), float32 or float64, with any strides: a transposed view costs no copy of the whole array.
    `bias` is (n,). Costs m*n*k multiply-adds and packs b once. Raises ShapeError or DtypeError.
    """
    cdef cnp.ndarray x = ready(a, "gemm", "a")
    cdef cnp.ndarray w = ready(b, "gemm", "b", x.descr)
    cdef cnp.ndarray bias_array = None, c
    cdef Gemm g
    if x.ndim != 2 or w.ndim != 2 or cnp.PyArray_DIM(x, 1) != cnp.PyArray_DIM(w, 0):
        raise ShapeError(f"gemm: a must be (m, k) and b (k, n), got a.shape={a.shape}, b.shape={b.shape}")
    g.u, g.threads = table(cnp.PyArray_ITEMSIZE(x)), threads
    g.m, g.k, g.n = cnp.PyArray_DIM(x, 0), cnp.PyArray_DIM(x, 1), cnp.PyArray_DIM(w, 1)
    if bias is not None:
        bias_array = ordered(ready(bias, "gemm", "bias", x.descr), threads)
        if bias_array.ndim != 1 or cnp.PyArray_DIM(bias_array, 0) != g.n:
            raise ShapeError(f"gemm: bias must be ({g.n},), got {bias.shape}")
    if g.m * g.n * g.k == 0:
        if g.m * g.n:
            unrecorded("gemm of depth 0")
        c = np.zeros((g.m, g.n), dtype=x.dtype)
        if bias is not None:
            c += bias_array
        added = ask_epilogue(&g.epilogue, "gemm", bounds, residual, c)
        if added is not None:
            c += added
        return c if bounds is None else np.clip(c, *bounds, out=c)
    c = empty_like_shape((g.m, g.n), cnp.PyArray_TYPE(x))
    added = ask_epilogue(&g.epilogue, "gemm", bounds, residual, c)
    g.c = cnp.PyArray_BYTES(c)
    g.a = cnp.PyArray_BYTES(x)
    g.b = cnp.PyArray_BYTES(w)
    g.bias = cnp.PyArray_BYTES(bias_array) if bias is not None else NULL
    g.ldc = g.n
    g.lda, g.ka = cnp.PyArray_STRIDE(x, 0) // g.u.item, cnp.PyArray_STRIDE(x, 1) // g.u.item
    g.kb, g.ldb = cnp.PyArray_STRIDE(w, 0) // g.u.item, cnp.PyArray_STRIDE(w, 1) // g.u.item
    g.moments.out = NULL
    gemm_run(&g, (c, x, w, bias_array, added))
    return c
