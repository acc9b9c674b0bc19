"""kernels.conv2d_batch: convolution of images of few pixels, three directions: the rows of each product are images.

At 2x2 or 4x4 a row of pixels is too short for a register tile and most taps of a padded window lie outside the image. Here
every output pixel is one product over the batch: a row is an image, the depth the taps that lie inside, so that borders cost
nothing. In each direction a thread packs its own panels and uses them at once. No groups. Same bits for any thread count.
"""

import numpy as np

cimport numpy as cnp
from cython.parallel cimport parallel, prange, threadid

from fastcnn.kernels.conv2d_direct cimport Weights, biases, filters, image, weights_of
from fastcnn.kernels.entry cimport emit, fc_flush, fc_restore
from fastcnn.kernels.epilogue cimport ask_epilogue, asked
from fastcnn.kernels.gemm cimport team
from fastcnn.kernels.memory cimport Block, apart, block, empty_nchw
from fastcnn.kernels.micro cimport fc_epilogue, fc_tile_job, fc_ukr, table

cnp.import_array()

cdef enum:
    IMAGES_BYTES = 2 << 20  # images that all panels pass by: they come from L3, at 16 operations a byte

cdef struct Run:
    # one kernel row or several neighbouring kernel columns of one output coordinate
    Py_ssize_t at       # output coordinate
    Py_ssize_t tap      # first tap, in the order of the packed panel
    Py_ssize_t source   # coordinate that it reads
    Py_ssize_t count    # taps

cdef struct Batched:
    # dst[n, y, x, k] = bias + sum over the runs of y and x and depth c of src[n, row, col + j, c] * w
    const fc_ukr *u
    Weights w                         # IN
    const char *src                   # IN   channels-last images
    Py_ssize_t image, width, depth    # elements of an image; pixels of a row; channels
    const char *bias                  # IN   n_out, or NULL
    char *dst                         # OUT  channels-last images
    Py_ssize_t oh, ow, n_out
    const Run *rows
    const Run *cols
    Py_ssize_t n_rows, n_cols, kh, kw
    Py_ssize_t batch, images, panels  # images of one task
    fc_epilogue epilogue
    bint backward
    char *scratch                     # a packed panel for each thread
    Py_ssize_t scratch_bytes          # of one
    int threads


cdef list axis(Py_ssize_t count, Py_ssize_t size, Py_ssize_t k, Py_ssize_t stride, Py_ssize_t pad, Py_ssize_t dilation,
               bint backward, bint merge):
    """The taps of each output coordinate that read inside `size` coordinates, as rows of Run, ascending.

    Backward-data packs the taps in falling order, so that both directions read ascending coordinates.
    """
    cdef list runs = []
    cdef Py_ssize_t o, j, at
    for o in range(count):
        for j in range(k):
            at = o + pad - (k - 1 - j) * dilation if backward else o * stride - pad + j * dilation
            if backward:
                if at % stride:
                    continue
                at //= stride
            if 0 <= at < size:
                last = runs[len(runs) - 1] if runs else None
                if merge and last and last[0] == o and last[1] + last[3] == j and last[2] + last[3] == at:
                    last[3] += 1
                else:
                    runs.append([o, j, at, 1])
    return runs


cdef cnp.ndarray as_runs(list runs):
    return np.array(runs, dtype=np.intp).reshape(-1, 4)


cdef void pack_panel(const Batched *p, char *dst, Py_ssize_t panel) noexcept nogil:
    """[kh][kw][depth][nr], taps falling for backward-data."""
    cdef const fc_ukr *u = p.u
    cdef const Weights *w = &p.w
    cdef Py_ssize_t i, j, r, s
    for i in range(p.kh):
        for j in range(p.kw):
            r = p.kh - 1 - i if p.backward else i
            s = p.kw - 1 - j if p.backward else j
            u.pack_run(dst + (i * p.kw + j) * w.depth * u.nr * u.item,
                       w.data + (panel * u.nr * w.s_out + r * w.s_r + s * w.s_s) * u.item,
                       min(u.nr, w.n_out - panel * u.nr), u.nr, w.depth, w.s_in, w.s_out)


cdef void panel_task(const Batched *p, const char *packed, Py_ssize_t panel, Py_ssize_t first, Py_ssize_t images) noexcept nogil:
    """All output pixels of one panel of channels and of a block of images."""
    cdef const fc_ukr *u = p.u
    cdef fc_tile_job job
    cdef Py_ssize_t zero = 0, y, x, r = 0, c, c0, r0
    cdef const char *src = p.src + first * p.image * u.item
    cdef char *dst = p.dst + (first * p.oh * p.ow * p.n_out + panel * u.nr) * u.item
    job.seg, job.rows, job.cols, job.n = &zero, 1, images, min(u.nr, p.n_out - panel * u.nr)
    job.bias = p.bias + panel * u.nr * u.item if p.bias != NULL else NULL
    job.c_row, job.a_row, job.ldc, job.lda, job.ka, job.ldb = 0, 0, p.oh * p.ow * p.n_out, p.image, 1, u.nr
    for y in range(p.oh):
        r0 = r
        c = 0
        for x in range(p.ow):
            job.c = dst + (y * p.ow + x) * p.n_out * u.item
            job.accumulate, job.epilogue = 0, NULL
            c0 = c
            r = r0
            while r < p.n_rows and p.rows[r].at == y:
                c = c0
                while c < p.n_cols and p.cols[c].at == x:
                    job.nseg, job.kseg = 1, p.cols[c].count * p.depth
                    job.a = src + (p.rows[r].source * p.width + p.cols[c].source) * p.depth * u.item
                    job.b = packed + (p.rows[r].tap * p.kw + p.cols[c].tap) * p.depth * u.nr * u.item
                    if last_of(p.rows, r, p.n_rows) and last_of(p.cols, c, p.n_cols):
                        job.epilogue = asked(&p.epilogue)
                    u.tile_rows(&job)
                    job.accumulate = 1
                    c = c + 1
                r = r + 1
            if not job.accumulate:  # no tap inside: the bias alone
                while c < p.n_cols and p.cols[c].at == x:
                    c = c + 1
                job.nseg, job.epilogue = 0, asked(&p.epilogue)
                u.tile_rows(&job)


cdef inline bint last_of(const Run *runs, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    return i + 1 == n or runs[i + 1].at != runs[i].at


cdef int run_all(const void *job) noexcept nogil:
    cdef const Batched *p = <const Batched *>job
    cdef Py_ssize_t blocks = (p.batch + p.images - 1) // p.images, t, first
    cdef char *mine
    cdef unsigned long long floats = 0
    with parallel(num_threads=p.threads):
        floats = fc_flush()
        for t in prange(blocks * p.panels, schedule="static"):
            mine = p.scratch + threadid() * p.scratch_bytes
            first = t // p.panels * p.images
            pack_panel(p, mine, t % p.panels)
            panel_task(p, mine, t % p.panels, first, min(p.images, p.batch - first))
        fc_restore(floats)
    return 0


cdef int run(Batched *p, list rows, list cols, tuple arrays) except -1:
    cdef cnp.ndarray row_table = as_runs(rows), col_table = as_runs(cols)
    cdef Block scratch
    p.rows, p.cols = <const Run *>cnp.PyArray_BYTES(row_table), <const Run *>cnp.PyArray_BYTES(col_table)
    p.n_rows, p.n_cols = len(rows), len(cols)
    p.panels = (p.n_out + p.u.nr - 1) // p.u.nr
    p.images = min(p.batch, max(<Py_ssize_t>4 * p.u.mr, IMAGES_BYTES // (p.image * p.u.item)))
    p.scratch_bytes = apart(p.kh * p.kw * p.w.depth * p.u.nr * p.u.item)
    scratch = block(p.threads * p.scratch_bytes)
    p.scratch = scratch.data
    return emit(run_all, p, sizeof(Batched), (*arrays, (row_table, col_table)))


def accepts(case) -> bool:
    """Whether these kernels can compute `case`: one group."""
    return case.groups == 1


def conv2d_batch_forward(x, w, b, case, *, bounds=None, residual=None, int threads=1):
    """Return y of shape case.y_shape, channels-last, as conv2d_direct_forward does.

    Costs the multiply-adds of the taps inside the image; packs w once for each 2 MiB of images.
    """
    cdef cnp.ndarray xs = image(x, "x", case.x_shape)
    cdef cnp.ndarray ws = filters(w, case, xs.dtype)
    cdef cnp.ndarray bias = biases(b, case, xs.dtype)
    cdef Py_ssize_t batch, ci, ih, iw, co, kh, kw, sh, sw, pt, _pb, pl, _pr, dh, dw, _groups, oh, ow
    batch, ci, ih, iw, co, kh, kw, sh, sw, pt, _pb, pl, _pr, dh, dw, _groups, oh, ow = case
    cdef cnp.ndarray y = empty_nchw(batch, co, oh, ow, xs.dtype.num)
    cdef Batched p
    if y.size == 0:
        return y
    added = ask_epilogue(&p.epilogue, "conv2d", bounds, residual, y)
    p.u, p.threads, p.backward = table(xs.itemsize), team(case.macs, threads), False
    p.w = weights_of(p.u, ws, 1)
    p.src, p.image, p.width, p.depth, p.dst = cnp.PyArray_BYTES(xs), ih * iw * ci, iw, ci, cnp.PyArray_BYTES(y)
    p.bias = NULL if bias is None else cnp.PyArray_BYTES(bias)
    p.oh, p.ow, p.n_out, p.kh, p.kw, p.batch = oh, ow, co, kh, kw, batch
    run(&p, axis(oh, ih, kh, sh, pt, dh, False, False), axis(ow, iw, kw, sw, pl, dw, False, True), (y, xs, ws, bias, added))
    return y


def conv2d_batch_backward_data(dy, w, case, *, int threads=1):
    """Return dx of shape case.x_shape, channels-last, from dy of shape case.y_shape; cost as forward."""
    cdef cnp.ndarray dys = image(dy, "dy", case.y_shape)
    cdef cnp.ndarray ws = filters(w, case, dys.dtype)
    cdef Py_ssize_t batch, ci, ih, iw, co, kh, kw, sh, sw, pt, _pb, pl, _pr, dh, dw, _groups, oh, ow
    batch, ci, ih, iw, co, kh, kw, sh, sw, pt, _pb, pl, _pr, dh, dw, _groups, oh, ow = case
    cdef cnp.ndarray dx = empty_nchw(batch, ci, ih, iw, dys.dtype.num)
    cdef Batched p
    if dx.size == 0:
        return dx
    ask_epilogue(&p.epilogue, "conv2d", None, None, dx)
    p.u, p.threads, p.backward = table(dys.itemsize), team(case.macs, threads), True
    p.w = weights_of(p.u, ws, 1)
    p.w.n_out, p.w.depth = p.w.depth, p.w.n_out
    p.w.s_out, p.w.s_in = p.w.s_in, p.w.s_out
    p.src, p.image, p.width, p.depth, p.dst = cnp.PyArray_BYTES(dys), oh * ow * co, ow, co, cnp.PyArray_BYTES(dx)
    p.bias = NULL
    p.oh, p.ow, p.n_out, p.kh, p.kw, p.batch = ih, iw, ci, kh, kw, batch
    run(&p, axis(ih, oh, kh, sh, pt, dh, True, False), axis(iw, ow, kw, sw, pl, dw, True, True), (dx, dys, ws))
    return dx


cdef struct WeightGradient:
    # dw[k, r, s, c] = sum over images and output pixels of dy[n, y, x, k] * x[n, row, col, c]
    const fc_ukr *u
    const char *x
    const char *dy
    char *dw                         # OUT  (co, kh, kw, ci)
    Py_ssize_t ih, iw, oh, ow, kh, kw, sh, sw, pt, pl, dh, dw_, ci, co
    Py_ssize_t batch, images, panels
    Py_ssize_t dy_row                # elements between the images of a packed output pixel
    char *scratch                    # packed pixels of a block of images for each thread: a panel of x, then dy
    Py_ssize_t x_bytes, dy_bytes
    int threads


cdef void pack_gradient(const WeightGradient *p, char *packed, Py_ssize_t first, Py_ssize_t images) noexcept nogil:
    """[oh*ow][images][dy_row] from dy: the stride between images is not a power of two."""
    cdef const fc_ukr *u = p.u
    cdef Py_ssize_t pixel
    for pixel in range(p.oh * p.ow):
        u.pack_run(packed + pixel * images * p.dy_row * u.item, p.dy + (first * p.oh * p.ow + pixel) * p.co * u.item, p.co,
                   p.dy_row, images, p.oh * p.ow * p.co, 1)


cdef void weight_panel(const WeightGradient *p, char *packed, const char *dys, Py_ssize_t panel, Py_ssize_t first,
                       Py_ssize_t images) noexcept nogil:
    """dw of one panel of input channels (+)= a block of images; `packed` holds the panel of x as [ih*iw][images][nr]."""
    cdef const fc_ukr *u = p.u
    cdef fc_tile_job job
    cdef Py_ssize_t zero = 0, n = min(u.nr, p.ci - panel * u.nr), pixel, r, s, y, row, x0, x1, x
    cdef bint started
    for pixel in range(p.ih * p.iw):
        u.pack_run(packed + pixel * images * u.nr * u.item, p.x + ((first * p.ih * p.iw + pixel) * p.ci + panel * u.nr) * u.item,
                   n, u.nr, images, p.ih * p.iw * p.ci, 1)
    job.seg, job.bias, job.rows, job.cols, job.n, job.epilogue = &zero, NULL, 1, p.co, n, NULL
    job.c_row, job.a_row, job.ldc, job.lda, job.ka, job.ldb = 0, 0, p.kh * p.kw * p.ci, 1, p.dy_row, u.nr
    for r in range(p.kh):
        for s in range(p.kw):
            job.c = p.dw + ((r * p.kw + s) * p.ci + panel * u.nr) * u.item
            started = first > 0
            # output columns whose tap s lies inside; a run of them is one product while they are neighbours in x too
            x0 = 0
            while x0 < p.ow and x0 * p.sw - p.pl + s * p.dw_ < 0:
                x0 = x0 + 1
            x1 = x0
            while x1 < p.ow and x1 * p.sw - p.pl + s * p.dw_ < p.iw:
                x1 = x1 + 1
            for y in range(p.oh):
                row = y * p.sh - p.pt + r * p.dh
                if row < 0 or row >= p.ih:
                    continue
                x = x0
                while x < x1:
                    job.nseg, job.accumulate = 1, started
                    job.kseg = ((x1 - x) if p.sw == 1 else 1) * images
                    job.a = dys + (y * p.ow + x) * images * p.dy_row * u.item
                    job.b = packed + (row * p.iw + x * p.sw - p.pl + s * p.dw_) * images * u.nr * u.item
                    u.tile_rows(&job)
                    started = True
                    x = x1 if p.sw == 1 else x + 1
            if not started:  # this tap lies outside for every output pixel
                job.nseg, job.accumulate = 0, 0
                u.tile_rows(&job)


cdef void weight_part(const WeightGradient *p, char *scratch, Py_ssize_t part) noexcept nogil:
    """A thread's panels of dw; it packs dy for itself, once for each block of images."""
    cdef Py_ssize_t first = 0, images, i
    while first < p.batch:
        images = min(p.images, p.batch - first)
        pack_gradient(p, scratch + p.x_bytes, first, images)
        for i in range(part * p.panels // p.threads, (part + 1) * p.panels // p.threads):
            weight_panel(p, scratch, scratch + p.x_bytes, i, first, images)
        first += images


cdef int weight_all(const void *job) noexcept nogil:
    cdef const WeightGradient *p = <const WeightGradient *>job
    cdef Py_ssize_t t
    cdef unsigned long long floats = 0
    with parallel(num_threads=p.threads):
        floats = fc_flush()
        for t in prange(p.threads, schedule="static"):
            weight_part(p, p.scratch + t * apart(p.x_bytes + p.dy_bytes), t)
        fc_restore(floats)
    return 0


def conv2d_batch_backward_weight(dy, x, case, *, int threads=1):
    """Return dw of logical shape case.w_shape (memory co, kh, kw, ci) from dy and x.

    Costs the multiply-adds of the taps inside the image; a block of images is a term of each sum, blocks follow in order.
    """
    cdef cnp.ndarray dys = image(dy, "dy", case.y_shape)
    cdef cnp.ndarray xs = image(x, "x", case.x_shape, dys.dtype)
    cdef const fc_ukr *u = table(dys.itemsize)
    cdef Py_ssize_t batch, ci, ih, iw, co, kh, kw, sh, sw, pt, _pb, pl, _pr, dh, dw, _groups, oh, ow
    batch, ci, ih, iw, co, kh, kw, sh, sw, pt, _pb, pl, _pr, dh, dw, _groups, oh, ow = case
    cdef cnp.ndarray out = empty_nchw(co, ci, kh, kw, dys.dtype.num)
    cdef WeightGradient p
    cdef Block scratch
    if out.size == 0 or dys.size == 0:
        out.fill(0)
        return out
    p.u = u
    p.x, p.dy, p.dw = cnp.PyArray_BYTES(xs), cnp.PyArray_BYTES(dys), cnp.PyArray_BYTES(out)
    p.ih, p.iw, p.oh, p.ow, p.kh, p.kw, p.sh, p.sw = ih, iw, oh, ow, kh, kw, sh, sw
    p.pt, p.pl, p.dh, p.dw_, p.ci, p.co, p.batch = pt, pl, dh, dw, ci, co, batch
    p.panels = (ci + u.nr - 1) // u.nr
    p.dy_row = (co + u.lanes - 1) // u.lanes * u.lanes + u.lanes
    p.images = min(batch, max(<Py_ssize_t>16, IMAGES_BYTES // (max(oh * ow * p.dy_row, ih * iw * u.nr) * u.item)))
    p.x_bytes = p.images * ih * iw * u.nr * u.item
    p.dy_bytes = p.images * oh * ow * p.dy_row * u.item
    p.threads = max(1, min(team(case.macs, threads), p.panels))
    scratch = block(p.threads * apart(p.x_bytes + p.dy_bytes))
    p.scratch = scratch.data
    emit(weight_all, &p, sizeof(p), (out, dys, xs))
    return out
