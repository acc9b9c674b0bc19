"""kernels.conv2d_depthwise: convolution of each channel with its own kernel, one vector for neighbouring channels of a pixel.

Forward and backward-data are one loop nest, `filter_all`: each row of outputs is made from the rows of the source that its taps
meet. Along an axis tap t of output o meets source (o * step + base + t * dilation) / up where that is whole: `up` is 1 forward,
the stride backward, where the taps stand in reverse order. The moments of outputs are taken from registers, over chunks that the
shape fixes. Results do not depend on the number of threads.
Not here: more than one output channel for an input channel (kernels.conv2d_direct); kernels.conv2d_depthwise_weight.
"""

cimport numpy as cnp
from cython.parallel cimport parallel, prange, threadid

from fastcnn.kernels.conv2d_direct cimport biases, filters, image
from fastcnn.kernels.entry cimport emit, fc_flush, fc_restore
from fastcnn.kernels.epilogue cimport ask_epilogue, asked
from fastcnn.kernels.gemm cimport team
from fastcnn.kernels.layout cimport exceeds_cache, from_memory
from fastcnn.kernels.memory cimport Block, block, empty_nchw
from fastcnn.kernels.micro cimport fc_depthwise_job, fc_epilogue, fc_ukr, table
from fastcnn.kernels.moments cimport SHARES, Moments, ask, finish, merge, room
from fastcnn.kernels.repeat cimport joined, repeated

cnp.import_array()

cdef enum:
    CHUNK = 512           # outputs of a chunk of moments: the centre is the mean of 7 or 8 of them
    PAGE = 4096           # bytes that the scratch of a thread is rounded up to
    STRIP = 8             # columns of the source below which the channels are split: whole pixels are better for prefetching

cdef struct Axis:
    Py_ssize_t size, out, taps, step, up, base, dilation  # size: of the source, out: of the outputs

cdef struct Taps:
    # w (channels, 1, kh, kw), any strides, packed as [kh * kw][padded(channels)]
    const char *w                                      # IN
    char *packed                                       # scratch
    Py_ssize_t channels, kh, kw, s_c, s_r, s_s

cdef struct Filter:
    const fc_ukr *u
    fc_depthwise_job outputs                           # of all rows
    fc_epilogue epilogue
    Taps w
    const char *src                                    # IN   channels-last image
    char *dst                                          # OUT  channels-last image
    Axis y, x
    Py_ssize_t batch, channels, kernel_row             # kernel_row: from one to the next in the packed weights
    bint fetch                                         # prefetch the next row
    bint zeros                                         # rows beside the source count as zeros
    const Py_ssize_t *cols                             # per phase of x: columns and taps, kw of each
    const Py_ssize_t *col_taps
    const Py_ssize_t *counts                           # per phase of x: taps
    const Py_ssize_t *all_taps                         # kw taps
    # derived by `plan_filter`
    Py_ssize_t splits, strip, blocks                   # parts of the channels, outputs of a strip, blocks of rows in an image
    char *scratch                                      # `mine` bytes for each thread: pointers, then sums of moments
    Py_ssize_t mine, pointers
    Moments moments                                    # of dst; chunks: `chunk` rows of a strip
    Py_ssize_t chunk, chunks, strips                   # chunks and strips of an image
    int threads


cdef Py_ssize_t padded(Py_ssize_t channels) noexcept nogil:
    """From tap to tap in packed weights: whole vectors."""
    return (channels + 15) // 16 * 16


cdef Py_ssize_t split_at(const fc_ukr *u, Py_ssize_t channels, Py_ssize_t part, Py_ssize_t splits) noexcept nogil:
    """First channel of a part: a multiple of nr, so that only the last part has a tail."""
    return channels if part == splits else channels // u.nr * part // splits * u.nr


cdef Block plan_taps(const fc_ukr *u, cnp.ndarray w, Taps *t):
    """Describe w; return the memory that it will be packed in."""
    cdef Block packed
    t.w = cnp.PyArray_BYTES(w)
    t.channels, t.kh, t.kw = cnp.PyArray_DIM(w, 0), cnp.PyArray_DIM(w, 2), cnp.PyArray_DIM(w, 3)
    t.s_c, t.s_r, t.s_s = cnp.PyArray_STRIDE(w, 0), cnp.PyArray_STRIDE(w, 2), cnp.PyArray_STRIDE(w, 3)
    packed = block(t.kh * t.kw * padded(t.channels) * u.item)
    t.packed = packed.data
    return packed


cdef void pack_taps(const fc_ukr *u, const Taps *t) noexcept nogil:
    cdef Py_ssize_t ld = padded(t.channels), r, s
    if t.s_s == u.item and t.s_r == t.kw * u.item and t.s_c == t.kh * t.kw * u.item:
        u.transpose(t.packed, ld, t.w, t.kh * t.kw, t.channels, t.kh * t.kw)
        return
    for r in range(t.kh):
        for s in range(t.kw):
            u.pack_run(t.packed + (r * t.kw + s) * ld * u.item, t.w + r * t.s_r + s * t.s_s, 1, 1, t.channels, t.s_c // u.item, 1)


cdef Block plan_columns(Filter *p, Py_ssize_t tap):
    """Fill cols, col_taps and counts for each phase of x; `tap`: from tap to tap in the packed weights."""
    cdef Py_ssize_t up = p.x.up, k = p.x.taps, phase, t, at, n
    cdef Block memory = block((up * (2 * k + 1) + k) * sizeof(Py_ssize_t))
    cdef Py_ssize_t *cols = <Py_ssize_t *>memory.data
    cdef Py_ssize_t *taps = cols + up * k
    cdef Py_ssize_t *counts = taps + up * k
    cdef Py_ssize_t *all_taps = counts + up
    for t in range(k):
        all_taps[t] = t * tap
    for phase in range(up):
        n = 0
        for t in range(k):
            at = phase + p.x.base + t * p.x.dilation
            if at % up == 0:
                cols[phase * k + n], taps[phase * k + n] = at // up, t * tap
                n += 1
        counts[phase] = n
    p.cols, p.col_taps, p.counts, p.all_taps = cols, taps, counts, all_taps
    return memory


cdef void find_rows(const Filter *p, fc_depthwise_job *job, char *scratch, const char *src, Py_ssize_t row,
                    Py_ssize_t item) noexcept nogil:
    """Write which rows of the source the taps of output row `row` meet, ascending; those beside it are counted behind."""
    cdef const char **rows = <const char **>scratch
    cdef Py_ssize_t *taps = <Py_ssize_t *>(scratch + p.y.taps * sizeof(char *))
    cdef Py_ssize_t t, at
    job.rows, job.row_taps = <const void *const *>rows, taps
    job.n_rows = job.n_outside = 0
    for t in range(p.y.taps):
        at = row * p.y.step + p.y.base + t * p.y.dilation
        if at % p.y.up == 0 and at >= 0 and at // p.y.up < p.y.size:
            rows[job.n_rows] = src + at // p.y.up * p.x.size * p.channels * item
            taps[job.n_rows] = t * p.kernel_row
            job.n_rows += 1
    if p.zeros:
        for t in range(p.y.taps):
            at = row * p.y.step + p.y.base + t * p.y.dilation
            if at < 0 or at >= p.y.size:
                taps[job.n_rows + job.n_outside] = t * p.kernel_row
                job.n_outside += 1


cdef void find_ahead(const Filter *p, fc_depthwise_job *job, char *scratch, const char *src, Py_ssize_t row,
                     Py_ssize_t item) noexcept nogil:
    """Write which rows of the source output row `row` meets behind those of `job`."""
    cdef fc_depthwise_job next_
    cdef Py_ssize_t r
    find_rows(p, &next_, scratch, src, row, item)
    for r in range(next_.n_rows):
        if job.n_rows == 0 or <const char *>next_.rows[r] > <const char *>job.rows[job.n_rows - 1]:
            job.ahead, job.n_ahead = next_.rows + r, next_.n_rows - r
            break


cdef void filter_part(const fc_ukr *u, const Filter *p, fc_depthwise_job *job, char *dst) noexcept nogil:
    """A part of one row of outputs; `dst`: the row."""
    cdef Py_ssize_t phase, k = p.x.taps, begin = job.begin, end = job.end
    job.y = dst
    if job.near:
        u.depthwise_row(job)
        return
    for phase in range(p.x.up):
        job.y = dst + phase * p.channels * u.item
        job.begin = (begin - phase + p.x.up - 1) // p.x.up
        job.end = (end - phase + p.x.up - 1) // p.x.up
        job.cols, job.col_taps, job.nx = p.cols + phase * k, p.col_taps + phase * k, p.counts[phase]
        if job.begin < job.end:
            u.depthwise_row(job)


cdef void filter_block(const Filter *p, char *scratch, Py_ssize_t n, Py_ssize_t blk, Py_ssize_t part) noexcept nogil:
    """One block of rows of image n, one part of the channels, by strips: rows stay in L1 from one row of outputs to the next."""
    cdef const fc_ukr *u = p.u
    cdef fc_depthwise_job job = p.outputs
    job.epilogue = asked(&p.epilogue)
    cdef char *ahead = scratch + p.y.taps * (sizeof(char *) + sizeof(Py_ssize_t))
    cdef Py_ssize_t y0 = blk * p.y.out // p.blocks, y1 = (blk + 1) * p.y.out // p.blocks, y, strip, begin
    cdef Py_ssize_t row_bytes = p.x.out * p.channels * u.item
    cdef const char *src = p.src + n * p.y.size * p.x.size * p.channels * u.item
    cdef char *dst = p.dst + n * p.y.out * row_bytes
    job.first = split_at(u, p.channels, part, p.splits)
    job.last = split_at(u, p.channels, part + 1, p.splits)
    if p.moments.out != NULL:
        job.moments = scratch + p.pointers
        y0, y1 = blk * p.chunks // p.blocks * p.chunk, min((blk + 1) * p.chunks // p.blocks * p.chunk, p.y.out)
    for strip in range(p.strips):
        begin = strip * p.strip
        for y in range(y0, y1):
            find_rows(p, &job, scratch, src, y, u.item)
            job.n_ahead = 0
            if p.fetch and y + 1 < y1:
                find_ahead(p, &job, ahead, src, y + 1, u.item)
            job.begin, job.end = begin, min(begin + p.strip, p.x.out)
            if job.moments != NULL:
                job.fresh = y % p.chunk == 0
            filter_part(u, p, &job, dst + y * row_bytes)
            if job.moments != NULL and (y + 1 == y1 or (y + 1) % p.chunk == 0):
                keep_moments(p, &job, (n * p.chunks + y // p.chunk) * p.strips + strip, (y % p.chunk + 1) * (job.end - begin))


cdef void keep_moments(const Filter *p, const fc_depthwise_job *job, Py_ssize_t chunk, Py_ssize_t pixels) noexcept nogil:
    cdef Py_ssize_t nr = p.u.nr, t, n
    cdef const char *sums = <const char *>job.moments
    for t in range((job.last - job.first + nr - 1) // nr):
        n = min(nr, job.last - job.first - t * nr)
        finish(p.u, &p.moments, sums + 3 * t * nr * p.u.item, chunk, job.first + t * nr, n, pixels)
    if job.first == 0:
        p.moments.count[chunk] = pixels


cdef void plan_strips(const fc_ukr *u, Py_ssize_t nbytes, Py_ssize_t taps, Py_ssize_t channels, Py_ssize_t columns,
                      Py_ssize_t outputs, Py_ssize_t up, Py_ssize_t step, Py_ssize_t *splits, Py_ssize_t *strip) noexcept nogil:
    """Choose the parts of the channels and the outputs of a strip, so that the rows of a window and the next fill nbytes."""
    cdef Py_ssize_t held = nbytes // u.item // (taps + 2)  # elements of a strip's row
    splits[0] = max(<Py_ssize_t>1, min((channels * min(columns, STRIP) + held - 1) // held, channels // u.nr))
    # blocks of outputs in ukr/depthwise.h have 8 pixels, or 7 where that divides the row better
    cdef Py_ssize_t unit = 7 if up == 1 and outputs % 7 == 0 and outputs % 8 else 8
    strip[0] = min(max(unit, held * splits[0] // channels * up // step // unit * unit), outputs)


cdef void plan_filter(Filter *p) noexcept nogil:
    # Rows are read, or with a stride backward written, in the order of memory: strips of 8 pixels took up to twice the time. Two
    # new rows of the source side by side, for a stride forward, are better off with strips.
    cdef bint rows = p.y.step * p.x.step == 1 and p.x.size > STRIP
    plan_strips(p.u, L2_BYTES if rows else L1_BYTES, p.y.taps, p.channels, p.x.size, p.x.out, p.x.up, p.x.step,
                &p.splits, &p.strip)
    p.blocks = max(<Py_ssize_t>1, min((4 * p.threads + p.batch * p.splits - 1) // (p.batch * p.splits), p.y.out))
    if p.threads == 1:
        p.blocks = 1
    p.strips = (p.x.out + p.strip - 1) // p.strip
    p.chunk = p.chunks = 1
    if p.moments.out != NULL:  # nothing but `blocks` may depend on the count of threads
        p.chunks = max((p.y.out * p.strip + CHUNK - 1) // CHUNK, (4 * SHARES + p.batch * p.splits - 1) // (p.batch * p.splits))
        p.chunk = (p.y.out + p.chunks - 1) // p.chunks
        p.chunks = (p.y.out + p.chunk - 1) // p.chunk
        p.blocks = min(p.blocks, p.chunks)


cdef int filter_all(const void *job) noexcept nogil:
    cdef const Filter *p = <const Filter *>job
    cdef Py_ssize_t t
    cdef unsigned long long floats = 0
    pack_taps(p.u, &p.w)
    with parallel(num_threads=p.threads):
        floats = fc_flush()
        for t in prange(p.batch * p.blocks * p.splits, schedule="static"):
            filter_block(p, p.scratch + threadid() * p.mine, t // p.splits // p.blocks, t // p.splits % p.blocks, t % p.splits)
        fc_restore(floats)
    merge(p.u, &p.moments, p.channels, p.threads)
    return 0


cdef int filter_image(Filter *p, cnp.ndarray dst, cnp.ndarray src, cnp.ndarray w, cnp.ndarray bias, object bounds,
                      object residual, object moments, bint reverse, double macs, int threads) except -1:
    """Fill dst from src, finished as kernels.epilogue says, and its moments; `reverse`: the last packed tap comes first."""
    cdef const fc_ukr *u = table(src.itemsize)
    cdef fc_depthwise_job *job = &p.outputs
    cdef Block _packed = plan_taps(u, w, &p.w), columns, scratch, _parts
    cdef Py_ssize_t ld = padded(p.channels), tap = -ld if reverse else ld
    cdef bint large
    columns = plan_columns(p, tap)
    p.u, p.threads, p.src, p.dst = u, team(macs, threads), cnp.PyArray_BYTES(src), cnp.PyArray_BYTES(dst)
    p.kernel_row = p.x.taps * tap
    plan_filter(p)
    _parts = room(&p.moments, p.batch * p.chunks * p.strips)
    job.moments, job.fresh = NULL, 0
    job.w = p.w.packed + ((p.x.taps * p.y.taps - 1) * ld * u.item if reverse else 0)
    job.bias = NULL if bias is None else cnp.PyArray_BYTES(bias)
    added = ask_epilogue(&p.epilogue, "conv2d", bounds, residual, dst)
    large = from_memory(<double>p.batch * p.channels * (p.y.size * p.x.size + p.y.out * p.x.out) * u.item)
    job.past_cache = exceeds_cache(<double>p.batch * p.channels * p.y.out * p.x.out * u.item) and p.channels % u.lanes == 0
    p.fetch = large or p.y.step == 1  # out of a cache, the lines for a stride of 2 cost more than they gain
    job.step, job.up, job.w_tap, job.width, job.x_pixel = p.x.step, p.x.up, tap, p.x.size, p.channels
    job.near = p.x.dilation == 1 and (p.x.taps == 3 or p.x.taps == 5) and p.x.step * p.x.up <= 2
    job.shift = p.x.base % p.x.up
    if job.shift < 0:
        job.shift += p.x.up
    job.x0 = (p.x.base - job.shift) // p.x.up
    job.nx, job.y_pixel, job.cols, job.col_taps = p.x.taps, p.channels, NULL, p.all_taps
    if not job.near:
        job.y_pixel = p.x.up * p.channels
    p.pointers = (p.y.taps * 2 * (sizeof(char *) + sizeof(Py_ssize_t)) + 63) // 64 * 64
    # Pages of their own: sums close behind the packed weights, which the other thread reads, took 1.5 times the time.
    p.mine = (p.pointers + (0 if moments is None else 3 * (p.channels + u.nr) * u.item) + PAGE - 1) // PAGE * PAGE
    scratch = block(p.threads * p.mine + PAGE)
    p.scratch = scratch.data + (PAGE - <size_t>scratch.data % PAGE)
    emit(filter_all, p, sizeof(p[0]), (dst, src, w, bias, columns, moments, added))
    return 0


def accepts(case) -> bool:
    """Return whether these kernels compute this case: one kernel for each channel, or several for each of several channels."""
    return case.groups == case.ci and (case.co == case.ci or (case.ci > 1 and case.co % case.ci == 0))


cdef object each_apart(object case):
    """The case with as many channels of x as kernels."""
    return case if case.co == case.ci else case._replace(ci=case.co, groups=case.co)


def conv2d_depthwise_forward(x, w, b, case, *, bounds=None, residual=None, moments=None, int threads=1):
    """Return y of shape case.y_shape, channels-last: each channel of x with its kernels (+ b); needs accepts(case).

    Costs case.macs multiply-adds, and with several kernels for each channel a pass over as many copies of x. float32 or float64,
    any strides. `moments`, float64 (2, co) in C order, gets the mean and the
    centred sum of squares of each channel of y.
    """
    cdef cnp.ndarray xs = repeated(image(x, "x", case.x_shape), max(1, case.co // case.ci), threads)
    cdef cnp.ndarray ws = filters(w, case, xs.dtype)
    cdef cnp.ndarray bias = biases(b, case, xs.dtype)
    cdef Py_ssize_t batch, ci, ih, iw, co, kh, kw, sh, sw, pt, _pb, pl, _pr, dh, dw, _groups, oh, ow
    batch, ci, ih, iw, co, kh, kw, sh, sw, pt, _pb, pl, _pr, dh, dw, _groups, oh, ow = each_apart(case)
    cdef cnp.ndarray y = empty_nchw(batch, co, oh, ow, xs.dtype.num)
    cdef Filter p
    ask(&p.moments, moments, co)
    if y.size == 0:
        if moments is not None:
            moments.fill(0)
        return y
    p.batch, p.channels, p.zeros = batch, ci, True
    p.y = Axis(size=ih, out=oh, taps=kh, step=sh, up=1, base=-pt, dilation=dh)
    p.x = Axis(size=iw, out=ow, taps=kw, step=sw, up=1, base=-pl, dilation=dw)
    filter_image(&p, y, xs, ws, bias, bounds, residual, moments, False, case.macs, threads)
    return y


def conv2d_depthwise_backward_data(dy, w, case, *, int threads=1):
    """Return dx of shape case.x_shape, channels-last, from dy of shape case.y_shape; needs accepts(case).

    Each pixel gathers the outputs that have read it; costs case.macs multiply-adds, and a pass over the gradients of each kernel
    where a channel has several.
    """
    cdef cnp.ndarray dys = image(dy, "dy", case.y_shape)
    cdef cnp.ndarray ws = filters(w, case, dys.dtype)
    cdef Py_ssize_t batch, ci, ih, iw, _co, kh, kw, sh, sw, pt, _pb, pl, _pr, dh, dw, _groups, oh, ow
    batch, ci, ih, iw, _co, kh, kw, sh, sw, pt, _pb, pl, _pr, dh, dw, _groups, oh, ow = each_apart(case)
    cdef cnp.ndarray dx = empty_nchw(batch, ci, ih, iw, dys.dtype.num)
    cdef Filter p
    if dx.size == 0:
        return joined(dx, max(1, case.co // case.ci), threads)
    p.batch, p.channels, p.zeros = batch, ci, False
    p.y = Axis(size=oh, out=ih, taps=kh, step=1, up=sh, base=pt - (kh - 1) * dh, dilation=dh)
    p.x = Axis(size=ow, out=iw, taps=kw, step=1, up=sw, base=pl - (kw - 1) * dw, dilation=dw)
    ask(&p.moments, None, ci)
    filter_image(&p, dx, dys, ws, None, None, None, None, True, case.macs, threads)
    return joined(dx, max(1, case.co // case.ci), threads)
