"""kernels.conv2d_direct: convolution forward and backward-data as products of image rows with packed weights, no im2col.

Channels-last makes an image row its own operand: for kernel row r the depth is kw * channels contiguous elements, and the next
output pixel starts stride * channels elements further. Both directions are one loop nest, `correlate`: backward-data is one small
forward convolution of dy for each phase of the image, stride_h * stride_w of them.
Borders: a task copies the rows that it needs, zero-padded, into scratch in L2; never a branch per pixel.
Results do not depend on the number of threads. Not here: Winograd, the weight gradient; 1x1 stride 1 goes to kernels.gemm.
"""

cimport numpy as cnp
from cython.parallel cimport parallel, prange, threadid
from libc.string cimport memset

from fastcnn.errors import ShapeError

from fastcnn.kernels.entry cimport emit, fc_flush, fc_restore
from fastcnn.kernels.gemm cimport Gemm, gemm_run, look_ahead, past_cache, ready, shared_out, team
from fastcnn.kernels.layout cimport crew, from_memory
from fastcnn.kernels.memory cimport Block, apart, block, empty_nchw
from fastcnn.kernels.micro cimport fc_epilogue, fc_streams, fc_tile_job, fc_ukr, table
from fastcnn.kernels.epilogue cimport ask_epilogue, asked
from fastcnn.kernels.moments cimport SHARES, TILE_WIDTH, Moments, ask, begin, finish, merge, room
from fastcnn.kernels.strided cimport ordered

cnp.import_array()

cdef enum:
    WINDOW_BYTES = 192 * 1024  # image rows that a task holds: they share L2 with one panel of weights
    CLEAR_BYTES = 256 * 1024   # of a task that fills with zeros

cdef struct Correlation:
    # dst[n, y, x, g*n_out + k] = bias + sum over taps i, j and depth c of src[n, y*sy + ty[i], x*sx + tx[j], g*depth + c]
    #                                                                      * w[g, k, c, r[i], s[j]]
    const fc_ukr *u
    const char *src                                    # IN   channels-last image
    Py_ssize_t s_batch, s_row, s_pixel                 # strides of src, elements
    Py_ssize_t height, width
    const Py_ssize_t *ty                               # IN   ny row offsets, ascending
    const Py_ssize_t *tx                               # IN   nx column offsets, ascending
    Py_ssize_t ny, nx, sy, sx
    Weights w                                          # IN
    const Py_ssize_t *r                                # IN   ny kernel rows
    const Py_ssize_t *s                                # IN   nx kernel columns
    const char *bias                                   # IN   groups * n_out, or NULL
    char *dst                                          # OUT  channels-last image
    Py_ssize_t d_batch, d_row, d_pixel, oh, ow
    Py_ssize_t batch, groups, depth, n_out
    fc_epilogue epilogue
    int threads                                        # asked for
    Moments moments                                    # of dst
    # derived by `plan`
    bint ahead                                         # rows of the next block are fetched meanwhile
    bint pack, by_share                                # copy windows to scratch; each thread has panels of its own
    Py_ssize_t pixel, row, cols                        # of the window: strides of a pixel and a row, columns
    Py_ssize_t rows, blocks, splits                    # output rows in a block, blocks in an image, parts of the panels
    Py_ssize_t nseg, kseg, n_panels
    char *panels                                       # scratch: packed weights [group][panel][ny][nx][depth][nr]
    Py_ssize_t *seg                                    # scratch: offsets of the depth segments
    char *windows                                      # scratch of each thread
    Py_ssize_t window_bytes                            # of one
    fc_streams streams                                 # how to store dst


cdef Py_ssize_t span(const Py_ssize_t *t, Py_ssize_t n) noexcept nogil:
    return t[n - 1] - t[0]


cdef void plan(Correlation *p) noexcept nogil:
    """Choose the blocks."""
    cdef const fc_ukr *u = p.u
    cdef Py_ssize_t images = p.batch * p.groups, shares = p.threads if p.moments.out == NULL else SHARES
    cdef bint crowded = p.sx * p.s_pixel * u.item % 4096 == 0  # the rows of a tile would meet in one cache set
    cdef bint border = (p.ty[0] < 0 or p.tx[0] < 0 or (p.oh - 1) * p.sy + p.ty[p.ny - 1] >= p.height
                        or (p.ow - 1) * p.sx + p.tx[p.nx - 1] >= p.width)
    p.n_panels = (p.n_out + u.nr - 1) // u.nr
    p.streams = past_cache(u, p.dst, p.d_pixel, <double>p.batch * p.groups * p.oh * p.ow * p.n_out)
    p.streams.past_cache = p.streams.past_cache and p.n_out % u.lanes == 0
    p.pack = border or (crowded and p.n_panels >= 4)
    p.cols = (p.ow - 1) * p.sx + span(p.tx, p.nx) + 1
    p.pixel = (p.depth + (16 if p.sx * p.depth * u.item % 4096 == 0 else 0)) if p.pack else p.s_pixel
    p.row = p.cols * p.pixel if p.pack else p.s_row
    p.rows = (WINDOW_BYTES // (p.cols * p.depth * u.item) - span(p.ty, p.ny)) // p.sy
    p.rows = min(max(p.rows, 1), p.oh)
    p.blocks = (p.oh + p.rows - 1) // p.rows
    if images * p.blocks < 4 * shares and shares > 1:  # few blocks: as many for each thread
        p.blocks = min(p.oh, (images * p.blocks + shares - 1) // shares * shares)
    p.rows = (p.oh + p.blocks - 1) // p.blocks
    p.blocks = (p.oh + p.rows - 1) // p.rows
    p.by_share = p.groups == 1 and shared_out(p.n_panels, <double>p.n_out * p.ny * p.nx * p.depth * u.item,
                                              <double>p.batch * p.oh * p.ow * p.depth * u.item, p.threads)
    p.splits = p.threads if p.by_share else 1
    while images * p.blocks * p.splits < 2 * p.threads and p.splits * 2 <= p.n_panels and p.threads > 1:
        p.splits *= 2
    p.window_bytes = apart(((p.rows - 1) * p.sy + span(p.ty, p.ny) + 1) * p.cols * p.pixel * u.item) if p.pack else 0
    p.ahead = p.groups == 1 and from_memory(<double>p.batch * p.s_batch * u.item)
    p.nseg, p.kseg = p.ny * p.nx, p.depth
    if p.pixel == p.depth and span(p.tx, p.nx) == p.nx - 1:  # neighbouring taps are neighbours in memory
        p.nseg, p.kseg = p.ny, p.nx * p.depth


cdef void look_at_rows(const Correlation *p, fc_streams *streams, Py_ssize_t n, Py_ssize_t y1, Py_ssize_t part,
                       Py_ssize_t parts) noexcept nogil:
    """Have a part of the rows fetched that the block behind output row y1 of image n reads anew."""
    cdef Py_ssize_t item = p.u.item, first, last, top
    if y1 < p.oh:
        first, last = (y1 - 1) * p.sy + p.ty[p.ny - 1] + 1, (min(p.oh, y1 + p.rows) - 1) * p.sy + p.ty[p.ny - 1] + 1
    else:
        n, first, last = n + 1, p.ty[0], (p.rows - 1) * p.sy + p.ty[p.ny - 1] + 1
    first, last = max(first, 0), min(last, p.height)
    top = first + part * (last - first) // parts
    last = first + (part + 1) * (last - first) // parts
    if last > top + 1 and p.s_row != p.width * p.s_pixel:
        last = top + 1  # pixels of two rows at one distance: only where rows follow each other
    look_ahead(streams, 0, p.src + (n * p.s_batch + top * p.s_row) * item, max(<Py_ssize_t>0, last - top) * p.width,
               p.depth * item, p.s_pixel * item, p.nseg * p.rows * ((p.ow + p.u.mr - 1) // p.u.mr))


cdef void correlate_block(const Correlation *p, char *window, Py_ssize_t n, Py_ssize_t g, Py_ssize_t y0, Py_ssize_t y1,
                          Py_ssize_t p0, Py_ssize_t p1) noexcept nogil:
    """Output rows y0..y1 of group g of image n, panels p0..p1."""
    cdef const fc_ukr *u = p.u
    cdef fc_tile_job job
    cdef fc_streams streams = p.streams
    cdef bint taken = p.moments.out != NULL, ahead = p.ahead and (y1 < p.oh or n + 1 < p.batch)
    cdef double sums[3 * TILE_WIDTH]
    cdef Py_ssize_t panel, channel, top = y0 * p.sy + p.ty[0]
    cdef const char *source = p.src + (n * p.s_batch + g * p.depth) * u.item
    if p.pack:
        u.pack_image(window, source, top, (y1 - 1 - y0) * p.sy + span(p.ty, p.ny) + 1, p.tx[0], p.cols, p.height, p.width,
                     p.s_row, p.s_pixel, p.depth, p.pixel)
        job.a = window
    else:
        job.a = source + (top * p.s_row + p.tx[0] * p.s_pixel) * u.item
    job.a_row, job.lda, job.ka, job.ldb = p.sy * p.row, p.sx * p.pixel, 1, u.nr
    job.seg, job.nseg, job.kseg = p.seg, p.nseg, p.kseg
    job.rows, job.cols, job.c_row, job.ldc = y1 - y0, p.ow, p.d_row, p.d_pixel
    job.accumulate, job.epilogue = 0, asked(&p.epilogue)
    for panel in range(p0, p1):
        channel = g * p.n_out + panel * u.nr
        job.b = p.panels + (g * p.n_panels + panel) * p.ny * p.nx * p.depth * u.nr * u.item
        job.bias = p.bias + channel * u.item if p.bias != NULL else NULL
        job.c = p.dst + (n * p.d_batch + y0 * p.d_row + channel) * u.item
        job.n = min(u.nr, p.n_out - panel * u.nr)
        if taken:
            begin(&p.moments, &streams, sums)
        if ahead:
            look_at_rows(p, &streams, n, y1, panel - p0, p1 - p0)
        u.tile_rows_streamed(&job, &streams if taken or streams.past_cache or ahead else NULL)
        if taken:
            finish(u, &p.moments, sums, n * p.blocks + y0 // p.rows, channel, job.n, job.rows * job.cols)


cdef int correlate_all(const void *job) noexcept nogil:
    cdef const Correlation *p = <const Correlation *>job
    cdef Py_ssize_t row = p.nx * p.depth * p.u.nr * p.u.item, t, i, j
    cdef unsigned long long floats = 0
    for i in range(p.ny):
        for j in range(p.nseg // p.ny):
            p.seg[i * p.nseg // p.ny + j] = (p.ty[i] - p.ty[0]) * p.row + (p.tx[j] - p.tx[0]) * p.pixel
    for t in prange(p.groups * p.n_panels * p.ny, schedule="static",
                    num_threads=team(4.0 * p.groups * p.n_out * p.ny * p.nx * p.depth, p.threads)):
        pack_row(p, p.panels + t * row, t // p.ny // p.n_panels, t // p.ny % p.n_panels, p.r[t % p.ny])
    with parallel(num_threads=p.threads):
        floats = fc_flush()
        for t in prange(p.batch * p.blocks * p.groups * p.splits, schedule="static"):
            correlate_task(p, t)
        fc_restore(floats)
    if p.moments.out != NULL:
        for t in range(p.moments.chunks):
            p.moments.count[t] = (min(p.oh, (t % p.blocks + 1) * p.rows) - t % p.blocks * p.rows) * p.ow
        merge(p.u, &p.moments, p.n_out, p.threads)
    return 0


cdef void correlate_task(const Correlation *p, Py_ssize_t t) noexcept nogil:
    cdef Py_ssize_t split = t % p.splits, rest = t // p.splits, g, blk
    if p.by_share:
        split, rest = t // (p.batch * p.blocks), t % (p.batch * p.blocks)
    g, blk = rest % p.groups, rest // p.groups % p.blocks
    correlate_block(p, p.windows + threadid() * p.window_bytes, rest // p.groups // p.blocks, g, blk * p.rows,
                    min(p.oh, (blk + 1) * p.rows), split * p.n_panels // p.splits, (split + 1) * p.n_panels // p.splits)


cdef int correlate(Correlation *p, tuple held) except -1:
    """Compute p, whose first part is filled in; `held`: who owns what it points to."""
    cdef Block panels, seg, windows, _parts
    if p.oh < 1 or p.ow < 1:
        return 0
    p.threads = team(<double>p.batch * p.groups * p.oh * p.ow * p.n_out * p.ny * p.nx * p.depth, p.threads)
    plan(p)
    _parts = room(&p.moments, p.batch * p.blocks)
    panels = block(p.groups * p.n_panels * p.ny * p.nx * p.depth * p.u.nr * p.u.item)
    seg = block(p.nseg * sizeof(Py_ssize_t))
    windows = block(p.threads * p.window_bytes)
    p.panels, p.seg, p.windows = panels.data, <Py_ssize_t *>seg.data, windows.data
    return emit(correlate_all, p, sizeof(Correlation), held)


cdef void pack_row(const Correlation *p, char *dst, Py_ssize_t g, Py_ssize_t panel, Py_ssize_t r) noexcept nogil:
    """Taps s[0..nx) of kernel row r as [nx][depth][nr], zero beyond n_out."""
    cdef const fc_ukr *u = p.u
    cdef const Weights *w = &p.w
    cdef Py_ssize_t n = min(u.nr, w.n_out - panel * u.nr), j
    cdef const char *src = w.data + (g * w.s_group + panel * u.nr * w.s_out + r * w.s_r) * u.item
    if w.s_s == w.depth * w.s_in and (p.nx == 1 or p.s[1] - p.s[0] == 1):
        u.pack_run(dst, src + p.s[0] * w.s_s * u.item, n, u.nr, p.nx * w.depth, w.s_in, w.s_out)
        return
    for j in range(p.nx):
        u.pack_run(dst + j * w.depth * u.nr * u.item, src + p.s[j] * w.s_s * u.item, n, u.nr, w.depth, w.s_in, w.s_out)


cdef object shaped(cnp.ndarray array, str name, tuple shape):
    if (<object>array).shape != shape:
        raise ShapeError(f"conv2d: {name} must have shape {shape} in this case, got {name}.shape={(<object>array).shape}")
    return array


cdef object filters(object array, object case, object dtype):
    """Check the weights of a case; any strides."""
    return shaped(ready(array, "conv2d", "weight", dtype), "weight", case.w_shape)


cdef object biases(object array, object case, object dtype):
    """Check the bias of a case (or None) and return it contiguous."""
    if array is None:
        return None
    return ordered(shaped(ready(array, "conv2d", "bias", dtype), "bias", (case.co,)), 1)


cdef object image(object array, str name, tuple shape, object dtype=None):
    """Return `array`, whose shape and dtype are checked, as a dense channels-last image."""
    cdef cnp.ndarray x = shaped(ready(array, "conv2d", name, dtype), name, shape)
    cdef Py_ssize_t step = x.itemsize, axis
    cdef bint dense = True
    for axis in (1, 3, 2, 0):
        dense = dense and (cnp.PyArray_DIM(x, axis) == 1 or cnp.PyArray_STRIDE(x, axis) == step)
        step *= cnp.PyArray_DIM(x, axis)
    if dense:
        return x
    from fastcnn.kernels.select import to_channels_last
    return to_channels_last(x)


cdef Weights weights_of(const fc_ukr *u, object w, Py_ssize_t groups):
    """Describe w (co, ci/groups, kh, kw), of any strides, for forward."""
    cdef Weights out
    cdef cnp.ndarray a = w
    out.data = cnp.PyArray_BYTES(a)
    out.groups = groups
    out.n_out = cnp.PyArray_DIM(a, 0) // groups
    out.depth = cnp.PyArray_DIM(a, 1)
    out.s_out = cnp.PyArray_STRIDE(a, 0) // u.item
    out.s_group = out.n_out * out.s_out
    out.s_in = cnp.PyArray_STRIDE(a, 1) // u.item
    out.s_r = cnp.PyArray_STRIDE(a, 2) // u.item
    out.s_s = cnp.PyArray_STRIDE(a, 3) // u.item
    return out


cdef struct Clear:
    char *dst
    Py_ssize_t size
    int threads


cdef int clear_all(const void *job) noexcept nogil:
    cdef const Clear *p = <const Clear *>job
    cdef Py_ssize_t t
    for t in prange((p.size + CLEAR_BYTES - 1) // CLEAR_BYTES, num_threads=p.threads, schedule="static"):
        memset(p.dst + t * CLEAR_BYTES, 0, min(<Py_ssize_t>CLEAR_BYTES, p.size - t * CLEAR_BYTES))
    return 0


cdef int clear(cnp.ndarray array, int threads) except -1:
    """Fill a dense array with zeros."""
    cdef Clear p
    p.dst, p.size, p.threads = cnp.PyArray_BYTES(array), array.nbytes, crew(array.nbytes, threads)
    return emit(clear_all, &p, sizeof(p), (array,))


cdef int multiply(const fc_ukr *u, cnp.ndarray y, cnp.ndarray x, cnp.ndarray w, const Weights *weights, cnp.ndarray bias,
                  const fc_epilogue *epilogue, object moments, tuple held, int threads) except -1:
    """y = x w (+ bias), then the epilogue, for 1x1 kernels, stride 1, one group: the images are one long row of pixels."""
    cdef Gemm g
    g.u, g.threads, g.epilogue = u, threads, epilogue[0]
    ask(&g.moments, moments, weights.n_out)
    g.c, g.a, g.b = cnp.PyArray_BYTES(y), cnp.PyArray_BYTES(x), weights.data
    g.bias = NULL if bias is None else cnp.PyArray_BYTES(bias)
    g.n, g.k = weights.n_out, weights.depth
    g.m = y.size // g.n
    g.ldc, g.lda, g.ka, g.kb, g.ldb = g.n, g.k, 1, weights.s_in, weights.s_out
    return gemm_run(&g, (y, x, w, bias, moments, *held))


def conv2d_direct_forward(x, w, b, case, *, bounds=None, residual=None, moments=None, int threads=1):
    """Return y of shape case.y_shape, channels-last: the cross-correlation of x with w (+ b), finished as kernels.epilogue says.

    `moments`, float64 (2, co) in C order, gets the mean and the centred sum of squares of each channel of y.
    Costs case.macs multiply-adds; reads x once for each block of rows, packs w once. float32 or float64, any strides.
    """
    cdef cnp.ndarray xs = image(x, "x", case.x_shape)
    cdef cnp.ndarray ws = filters(w, case, xs.dtype)
    cdef cnp.ndarray bias = biases(b, case, xs.dtype)
    cdef Py_ssize_t batch, ci, ih, iw, co, kh, kw, sh, sw, pt, pb, pl, pr, dh, dw, groups, oh, ow, i
    batch, ci, ih, iw, co, kh, kw, sh, sw, pt, pb, pl, pr, dh, dw, groups, oh, ow = case
    cdef cnp.ndarray y = empty_nchw(batch, co, oh, ow, xs.dtype.num)
    cdef Block taps
    cdef Py_ssize_t *t
    cdef Correlation p
    ask(&p.moments, moments, co)
    if y.size == 0:
        if moments is not None:
            clear(moments, 1)
        return y
    added = ask_epilogue(&p.epilogue, "conv2d", bounds, residual, y)
    p.u = table(xs.itemsize)
    p.w = weights_of(p.u, ws, groups)
    if kh == 1 and kw == 1 and sh == 1 and sw == 1 and groups == 1 and pt + pb + pl + pr == 0:
        multiply(p.u, y, xs, ws, &p.w, bias, &p.epilogue, moments, (added,), threads)
        return y
    taps = block(2 * (kh + kw) * sizeof(Py_ssize_t))
    t = <Py_ssize_t *>taps.data  # kernel rows, kernel columns, their offsets in the image
    for i in range(kh):
        t[i] = i
        t[kh + kw + i] = i * dh - pt
    for i in range(kw):
        t[kh + i] = i
        t[kh + kw + kh + i] = i * dw - pl
    p.src, p.dst = cnp.PyArray_BYTES(xs), cnp.PyArray_BYTES(y)
    p.bias = NULL if bias is None else cnp.PyArray_BYTES(bias)
    p.s_batch, p.s_row, p.s_pixel, p.height, p.width = ih * iw * ci, iw * ci, ci, ih, iw
    p.d_batch, p.d_row, p.d_pixel, p.oh, p.ow = oh * ow * co, ow * co, co, oh, ow
    p.r, p.s, p.ty, p.tx, p.ny, p.nx, p.sy, p.sx = t, t + kh, t + kh + kw, t + kh + kw + kh, kh, kw, sh, sw
    p.batch, p.groups, p.depth, p.n_out, p.threads = batch, groups, ci // groups, co // groups, threads
    if kh == 1 and kw == 1 and pt + pb + pl + pr == 0:  # the pixels that are read are an image of their own
        p.s_row, p.s_pixel, p.height, p.width, p.sy, p.sx = sh * p.s_row, sw * p.s_pixel, oh, ow, 1, 1
    correlate(&p, (y, xs, ws, bias, taps, moments, added))
    return y


cdef Py_ssize_t phase_taps(Py_ssize_t *taps, Py_ssize_t *offsets, Py_ssize_t phase, Py_ssize_t k, Py_ssize_t stride,
                           Py_ssize_t pad, Py_ssize_t dilation) noexcept nogil:
    """Kernel taps that reach image positions `phase` + stride * i, by ascending position in dy; returns how many."""
    cdef Py_ssize_t n = 0, r, at
    for r in range(k - 1, -1, -1):
        at = phase + pad - r * dilation
        if at % stride == 0:
            taps[n] = r
            offsets[n] = at // stride  # exact, so the rounding of negative quotients does not matter
            n += 1
    return n


def conv2d_direct_backward_data(dy, w, case, *, int threads=1):
    """Return dx of shape case.x_shape, channels-last, from dy of shape case.y_shape.

    One stride-1 convolution of dy for each of the stride_h * stride_w phases of the image; costs case.macs multiply-adds.
    """
    cdef cnp.ndarray dys = image(dy, "dy", case.y_shape)
    cdef cnp.ndarray ws = filters(w, case, dys.dtype)
    cdef Py_ssize_t batch, ci, ih, iw, co, kh, kw, sh, sw, pt, pb, pl, pr, dh, dw, groups, oh, ow, py, px
    batch, ci, ih, iw, co, kh, kw, sh, sw, pt, pb, pl, pr, dh, dw, groups, oh, ow = case
    cdef cnp.ndarray dx = empty_nchw(batch, ci, ih, iw, dys.dtype.num)
    cdef Block taps
    cdef Py_ssize_t *t
    cdef Correlation p
    if dx.size == 0:
        return dx
    p.u = table(dys.itemsize)
    p.w = weights_of(p.u, ws, groups)
    ask_epilogue(&p.epilogue, "conv2d", None, None, dx)
    # transposed: what was depth is now the output
    p.w.n_out, p.w.depth = p.w.depth, p.w.n_out
    p.w.s_out, p.w.s_in = p.w.s_in, p.w.s_out
    if kh == 1 and kw == 1 and sh == 1 and sw == 1 and groups == 1 and pt + pb + pl + pr == 0:
        multiply(p.u, dx, dys, ws, &p.w, None, &p.epilogue, None, (), threads)
        return dx
    p.src, p.bias, p.moments.out = cnp.PyArray_BYTES(dys), NULL, NULL
    p.s_batch, p.s_row, p.s_pixel, p.height, p.width = oh * ow * co, ow * co, co, oh, ow
    p.d_batch, p.d_row, p.d_pixel = ih * iw * ci, sh * iw * ci, sw * ci
    p.sy = p.sx = 1
    p.batch, p.groups, p.depth, p.n_out = batch, groups, co // groups, ci // groups
    if sh > min(kh, ih) or sw > min(kw, iw) or dh > 1 or dw > 1:
        clear(dx, threads)  # some phases may have no tap at all
    for py in range(min(sh, ih)):
        for px in range(min(sw, iw)):
            taps = block(2 * (kh + kw) * sizeof(Py_ssize_t))
            t = <Py_ssize_t *>taps.data
            p.r, p.s, p.ty, p.tx = t, t + kh, t + kh + kw, t + kh + kw + kh
            p.ny = phase_taps(t, t + kh + kw, py, kh, sh, pt, dh)
            p.nx = phase_taps(t + kh, t + kh + kw + kh, px, kw, sw, pl, dw)
            if p.ny == 0 or p.nx == 0:
                continue
            p.dst = cnp.PyArray_BYTES(dx) + (py * iw + px) * ci * p.u.item
            p.oh, p.ow, p.threads = (ih - py + sh - 1) // sh, (iw - px + sw - 1) // sw, threads
            correlate(&p, (dx, dys, ws, taps))
    return dx
