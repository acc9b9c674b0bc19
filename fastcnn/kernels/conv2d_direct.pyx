"""kernels.conv2d_direct: convolution forward and backward-data as products of image rows with packed weights, no im2col.

Channels-last makes an image row its own operand: for kernel row r the depth is kw * channels contiguous elements, and the next
output pixel starts stride * channels elements further. Both directions are one loop nest, `correlate`: backward-data is one small
forward convolution of dy for each phase of the image, stride_h * stride_w of them.
Borders: a task copies the rows that it needs, zero-padded, into scratch in L2; never a branch per pixel.
Results do not depend on the number of threads. Not here: Winograd, the weight gradient; 1x1 stride 1 goes to kernels.gemm.
"""

import numpy as np

cimport numpy as cnp
from cython.parallel cimport prange, threadid

from fastcnn.errors import ShapeError

from fastcnn.kernels.gemm cimport Gemm, gemm_run, past_cache, ready, team
from fastcnn.kernels.memory cimport Block, apart, block, empty_nchw
from fastcnn.kernels.micro cimport fc_streams, fc_tile_job, fc_ukr, table

cnp.import_array()

cdef enum:
    WINDOW_BYTES = 192 * 1024  # image rows that a task holds: they share L2 with one panel of weights

cdef struct Correlation:
    # dst[n, y, x, g*n_out + k] = bias + sum over taps i, j and depth c of src[n, y*sy + ty[i], x*sx + tx[j], g*depth + c] * w
    const char *src                                    # IN   channels-last image
    Py_ssize_t s_batch, s_row, s_pixel                 # strides of src, elements
    Py_ssize_t height, width
    const Py_ssize_t *ty                               # IN   ny row offsets, ascending
    const Py_ssize_t *tx                               # IN   nx column offsets, ascending
    Py_ssize_t ny, nx, sy, sx
    const char *panels                                 # IN   packed weights [group][panel][ny][nx][depth][nr]
    const char *bias                                   # IN   groups * n_out, or NULL
    char *dst                                          # OUT  channels-last image
    Py_ssize_t d_batch, d_row, d_pixel, oh, ow
    Py_ssize_t batch, groups, depth, n_out
    int relu
    # derived by `plan`
    bint pack                                          # copy windows to scratch
    Py_ssize_t pixel, row, cols                        # of the window: strides of a pixel and a row, columns
    Py_ssize_t rows, blocks, splits                    # output rows in a block, blocks in an image, parts of the panels
    Py_ssize_t nseg, kseg
    Py_ssize_t window_bytes
    fc_streams streams                                 # how to store dst


cdef Py_ssize_t span(const Py_ssize_t *t, Py_ssize_t n) noexcept nogil:
    return t[n - 1] - t[0]


cdef void plan(const fc_ukr *u, Correlation *p, Py_ssize_t *seg, int threads) noexcept nogil:
    """Choose the blocks and write the offsets of the depth segments into `seg` (ny * nx entries)."""
    cdef Py_ssize_t i, j, panels = (p.n_out + u.nr - 1) // u.nr, images
    cdef bint crowded = p.sx * p.s_pixel * u.item % 4096 == 0  # the rows of a tile would meet in one cache set
    cdef bint border = (p.ty[0] < 0 or p.tx[0] < 0 or (p.oh - 1) * p.sy + p.ty[p.ny - 1] >= p.height
                        or (p.ow - 1) * p.sx + p.tx[p.nx - 1] >= p.width)
    p.streams = past_cache(u, p.dst, p.d_pixel, <double>p.batch * p.groups * p.oh * p.ow * p.n_out)
    p.streams.past_cache = p.streams.past_cache and p.n_out % u.lanes == 0
    p.pack = border or (crowded and panels >= 4)
    p.cols = (p.ow - 1) * p.sx + span(p.tx, p.nx) + 1
    p.pixel = (p.depth + (16 if p.sx * p.depth * u.item % 4096 == 0 else 0)) if p.pack else p.s_pixel
    p.row = p.cols * p.pixel if p.pack else p.s_row
    p.rows = (WINDOW_BYTES // (p.cols * p.depth * u.item) - span(p.ty, p.ny)) // p.sy
    p.rows = min(max(p.rows, 1), p.oh)
    p.blocks = (p.oh + p.rows - 1) // p.rows
    images = p.batch * p.groups
    if images * p.blocks < 4 * threads and threads > 1:  # few blocks: as many for each thread
        p.blocks = min(p.oh, (images * p.blocks + threads - 1) // threads * threads)
    p.rows = (p.oh + p.blocks - 1) // p.blocks
    p.blocks = (p.oh + p.rows - 1) // p.rows
    p.splits = 1
    while images * p.blocks * p.splits < 2 * threads and p.splits * 2 <= panels and threads > 1:
        p.splits *= 2
    p.window_bytes = apart(((p.rows - 1) * p.sy + span(p.ty, p.ny) + 1) * p.cols * p.pixel * u.item) if p.pack else 0
    if p.pixel == p.depth and span(p.tx, p.nx) == p.nx - 1:  # neighbouring taps are neighbours in memory
        p.nseg = p.ny
        p.kseg = p.nx * p.depth
        for i in range(p.ny):
            seg[i] = (p.ty[i] - p.ty[0]) * p.row
    else:
        p.nseg = p.ny * p.nx
        p.kseg = p.depth
        for i in range(p.ny):
            for j in range(p.nx):
                seg[i * p.nx + j] = (p.ty[i] - p.ty[0]) * p.row + (p.tx[j] - p.tx[0]) * p.pixel


cdef void correlate_block(const fc_ukr *u, const Correlation *p, const Py_ssize_t *seg, char *window, Py_ssize_t n, Py_ssize_t g,
                          Py_ssize_t y0, Py_ssize_t y1, Py_ssize_t p0, Py_ssize_t p1) noexcept nogil:
    """Output rows y0..y1 of group g of image n, panels p0..p1."""
    cdef fc_tile_job job
    cdef fc_streams streams = p.streams
    cdef Py_ssize_t panels = (p.n_out + u.nr - 1) // u.nr, panel, channel
    cdef Py_ssize_t top = y0 * p.sy + p.ty[0]
    cdef const char *source = p.src + (n * p.s_batch + g * p.depth) * u.item
    if p.pack:
        u.pack_image(window, source, top, (y1 - 1 - y0) * p.sy + span(p.ty, p.ny) + 1, p.tx[0], p.cols, p.height, p.width,
                     p.s_row, p.s_pixel, p.depth, p.pixel)
        job.a = window
    else:
        job.a = source + (top * p.s_row + p.tx[0] * p.s_pixel) * u.item
    job.a_row = p.sy * p.row
    job.lda = p.sx * p.pixel
    job.ka = 1
    job.seg = seg
    job.nseg = p.nseg
    job.kseg = p.kseg
    job.ldb = u.nr
    job.rows = y1 - y0
    job.cols = p.ow
    job.c_row = p.d_row
    job.ldc = p.d_pixel
    job.accumulate = 0
    job.relu = p.relu
    for panel in range(p0, p1):
        channel = g * p.n_out + panel * u.nr
        job.b = p.panels + (g * panels + panel) * p.ny * p.nx * p.depth * u.nr * u.item
        job.bias = p.bias + channel * u.item if p.bias != NULL else NULL
        job.c = p.dst + (n * p.d_batch + y0 * p.d_row + channel) * u.item
        job.n = min(u.nr, p.n_out - panel * u.nr)
        u.tile_rows_streamed(&job, &streams if streams.past_cache else NULL)


cdef void correlate_all(const fc_ukr *u, const Correlation *p, const Py_ssize_t *seg, char *windows, int threads) noexcept nogil:
    cdef Py_ssize_t panels = (p.n_out + u.nr - 1) // u.nr, t, split, blk, g, n
    for t in prange(p.batch * p.blocks * p.groups * p.splits, num_threads=threads, schedule="static"):
        split = t % p.splits
        g = t // p.splits % p.groups
        blk = t // p.splits // p.groups % p.blocks
        n = t // p.splits // p.groups // p.blocks
        correlate_block(u, p, seg, windows + threadid() * p.window_bytes, n, g, blk * p.rows, min(p.oh, (blk + 1) * p.rows),
                        split * panels // p.splits, (split + 1) * panels // p.splits)


cdef int correlate(const fc_ukr *u, Correlation *p, int threads) except -1:
    cdef Block seg = block(p.ny * p.nx * sizeof(Py_ssize_t))
    cdef Block windows
    cdef Py_ssize_t *offsets = <Py_ssize_t *>seg.data
    cdef char *scratch
    if p.oh < 1 or p.ow < 1:
        return 0
    threads = team(<double>p.batch * p.groups * p.oh * p.ow * p.n_out * p.ny * p.nx * p.depth, threads)
    plan(u, p, offsets, threads)
    windows = block(threads * p.window_bytes + 1)
    scratch = windows.data
    with nogil:
        correlate_all(u, p, offsets, scratch, threads)
    return 0


cdef Block pack_weights(const fc_ukr *u, const Weights *w, const Py_ssize_t *r, Py_ssize_t ny, const Py_ssize_t *s,
                        Py_ssize_t nx, int threads):
    """Pack taps r[0..ny) x s[0..nx) as [group][panel][ny][nx][depth][nr], zero beyond n_out."""
    cdef Py_ssize_t panels = (w.n_out + u.nr - 1) // u.nr, t, g, panel, i
    cdef Block packed = block(w.groups * panels * ny * nx * w.depth * u.nr * u.item)
    cdef char *dst = packed.data
    threads = team(4.0 * w.groups * w.n_out * ny * nx * w.depth, threads)
    with nogil:
        for t in prange(w.groups * panels * ny, num_threads=threads, schedule="static"):
            i = t % ny
            panel = t // ny % panels
            g = t // ny // panels
            pack_row(u, w, dst + t * nx * w.depth * u.nr * u.item, g, panel, r[i], s, nx)
    return packed


cdef void pack_row(const fc_ukr *u, const Weights *w, char *dst, Py_ssize_t g, Py_ssize_t panel, Py_ssize_t r,
                   const Py_ssize_t *s, Py_ssize_t nx) noexcept nogil:
    cdef Py_ssize_t n = min(u.nr, w.n_out - panel * u.nr), j
    cdef const char *src = w.data + (g * w.s_group + panel * u.nr * w.s_out + r * w.s_r) * u.item
    if w.s_s == w.depth * w.s_in and (nx == 1 or s[1] - s[0] == 1):
        u.pack_run(dst, src + s[0] * w.s_s * u.item, n, u.nr, nx * w.depth, w.s_in, w.s_out)
        return
    for j in range(nx):
        u.pack_run(dst + j * w.depth * u.nr * u.item, src + s[j] * w.s_s * u.item, n, u.nr, w.depth, w.s_in, w.s_out)


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
    return np.ascontiguousarray(shaped(ready(array, "conv2d", "bias", dtype), "bias", (case.co,)))


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


def conv2d_direct_forward(x, w, b, case, *, bint relu=False, int threads=1):
    """Return y of shape case.y_shape, channels-last: the cross-correlation of x with w (+ b, then ReLU).

    Costs case.macs multiply-adds; reads x once for each block of rows, packs w once. float32 or float64, any strides.
    """
    cdef cnp.ndarray xs = image(x, "x", case.x_shape)
    cdef cnp.ndarray ws = filters(w, case, xs.dtype)
    cdef cnp.ndarray bias = biases(b, case, xs.dtype)
    cdef const fc_ukr *u = table(xs.itemsize)
    cdef Py_ssize_t batch, ci, ih, iw, co, kh, kw, sh, sw, pt, pb, pl, pr, dh, dw, groups, oh, ow, i
    batch, ci, ih, iw, co, kh, kw, sh, sw, pt, pb, pl, pr, dh, dw, groups, oh, ow = case
    cdef cnp.ndarray y = empty_nchw(batch, co, oh, ow, xs.dtype.num)
    cdef Weights weights = weights_of(u, ws, groups)
    cdef Block taps, panels
    cdef Py_ssize_t *t
    cdef Gemm g
    cdef Correlation p
    if y.size == 0:
        return y
    if kh == 1 and kw == 1 and sh == 1 and sw == 1 and groups == 1 and pt + pb + pl + pr == 0:
        g.c, g.a, g.b = cnp.PyArray_BYTES(y), cnp.PyArray_BYTES(xs), weights.data
        g.bias = NULL if bias is None else cnp.PyArray_BYTES(bias)
        g.m, g.n, g.k = batch * oh * ow, co, ci
        g.ldc, g.lda, g.ka, g.kb, g.ldb, g.relu = co, ci, 1, weights.s_in, weights.s_out, relu
        gemm_run(u, &g, threads)
        return y
    taps = block(2 * (kh + kw) * sizeof(Py_ssize_t))
    t = <Py_ssize_t *>taps.data  # kernel rows, kernel columns, their offsets in the image
    for i in range(kh):
        t[i] = i
        t[kh + kw + i] = i * dh - pt
    for i in range(kw):
        t[kh + i] = i
        t[kh + kw + kh + i] = i * dw - pl
    threads = team(case.macs, threads)
    panels = pack_weights(u, &weights, t, kh, t + kh, kw, threads)
    p.src, p.panels, p.dst = cnp.PyArray_BYTES(xs), panels.data, cnp.PyArray_BYTES(y)
    p.bias = NULL if bias is None else cnp.PyArray_BYTES(bias)
    p.s_batch, p.s_row, p.s_pixel, p.height, p.width = ih * iw * ci, iw * ci, ci, ih, iw
    p.d_batch, p.d_row, p.d_pixel, p.oh, p.ow = oh * ow * co, ow * co, co, oh, ow
    p.ty, p.tx, p.ny, p.nx, p.sy, p.sx = t + kh + kw, t + kh + kw + kh, kh, kw, sh, sw
    p.batch, p.groups, p.depth, p.n_out, p.relu = batch, groups, ci // groups, co // groups, relu
    correlate(u, &p, threads)
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
    cdef const fc_ukr *u = table(dys.itemsize)
    cdef Py_ssize_t batch, ci, ih, iw, co, kh, kw, sh, sw, pt, pb, pl, pr, dh, dw, groups, oh, ow, py, px
    batch, ci, ih, iw, co, kh, kw, sh, sw, pt, pb, pl, pr, dh, dw, groups, oh, ow = case
    cdef cnp.ndarray dx = empty_nchw(batch, ci, ih, iw, dys.dtype.num)
    cdef Weights weights = weights_of(u, ws, groups)
    cdef Block taps, panels
    cdef Py_ssize_t *t
    cdef Gemm g
    cdef Correlation p
    if dx.size == 0:
        return dx
    # transposed: what was depth is now the output
    weights.n_out, weights.depth = weights.depth, weights.n_out
    weights.s_out, weights.s_in = weights.s_in, weights.s_out
    if kh == 1 and kw == 1 and sh == 1 and sw == 1 and groups == 1 and pt + pb + pl + pr == 0:
        g.c, g.a, g.b, g.bias = cnp.PyArray_BYTES(dx), cnp.PyArray_BYTES(dys), weights.data, NULL
        g.m, g.n, g.k = batch * ih * iw, ci, co
        g.ldc, g.lda, g.ka, g.kb, g.ldb, g.relu = ci, co, 1, weights.s_in, weights.s_out, 0
        gemm_run(u, &g, threads)
        return dx
    threads = team(case.macs, threads)
    taps = block(2 * (kh + kw) * sizeof(Py_ssize_t))
    t = <Py_ssize_t *>taps.data
    p.src, p.bias, p.relu = cnp.PyArray_BYTES(dys), NULL, 0
    p.s_batch, p.s_row, p.s_pixel, p.height, p.width = oh * ow * co, ow * co, co, oh, ow
    p.d_batch, p.d_row, p.d_pixel = ih * iw * ci, sh * iw * ci, sw * ci
    p.sy = p.sx = 1
    p.batch, p.groups, p.depth, p.n_out = batch, groups, co // groups, ci // groups
    if sh > min(kh, ih) or sw > min(kw, iw) or dh > 1 or dw > 1:
        dx.fill(0)  # some phases may have no tap at all
    for py in range(min(sh, ih)):
        for px in range(min(sw, iw)):
            p.ny = phase_taps(t, t + kh + kw, py, kh, sh, pt, dh)
            p.nx = phase_taps(t + kh, t + kh + kw + kh, px, kw, sw, pl, dw)
            if p.ny == 0 or p.nx == 0:
                continue
            p.ty, p.tx = t + kh + kw, t + kh + kw + kh
            panels = pack_weights(u, &weights, t, p.ny, t + kh, p.nx, threads)
            p.panels = panels.data
            p.dst = cnp.PyArray_BYTES(dx) + (py * iw + px) * ci * u.item
            p.oh, p.ow = (ih - py + sh - 1) // sh, (iw - px + sw - 1) // sw
            correlate(u, &p, threads)
    return dx
