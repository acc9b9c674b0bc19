"""kernels.conv2d_narrow: convolution with few channels on one side: vectors that hold several kernel columns.

Few output channels leave most lanes of a vector empty. Forward and backward-data multiply each source pixel with all columns of
the kernel at once: the product of a row of pixels has kw * n columns, its depth is kernel rows times channels, and columns of
neighbouring pixels are then added where they belong, in one pass over a row in L1 [Vasudevan2017]. Where the depth is small that
pass would take longer than the products: the sums then stay in registers and move on by a pixel at a time (slide_rows). Columns
beside the image are not multiplied, rows above and below it by slide_rows only. No groups. Same bits for any thread count.
"""

cimport numpy as cnp
from cython.parallel cimport parallel, prange, threadid
from libc.string cimport memset

from fastcnn.kernels.conv2d_direct cimport Weights, above, biases, filters, image, weights_of
from fastcnn.kernels.entry cimport emit, fc_flush, fc_restore
from fastcnn.kernels.epilogue cimport ask_epilogue, asked
from fastcnn.kernels.gemm cimport team
from fastcnn.kernels.memory cimport Block, apart, block, empty_nchw
from fastcnn.kernels.micro cimport fc_epilogue, fc_shift_job, fc_slide_job, fc_tile_job, fc_ukr, table

cnp.import_array()

cdef enum:
    PRODUCT_BYTES = 16 * 1024  # of the products of a few rows, which are read again from L1
    TASKS = 4                  # least number for each thread, by cutting images into blocks of rows

cdef struct Narrow:
    # dst[n, y, x, k] = bias + sum over r, s, c of src[n, row, q, c] * w[k, c, r, s]; forward: row = y*sh - pt + r*dh and
    # q = x - pl + s; data: y = row*sh - pt + r*dh and x = q*step - pl + s
    const fc_ukr *u
    Weights w                     # IN   n_out is n
    const char *src               # IN   channels-last images
    const char *bias              # IN   n, or NULL
    char *dst                     # OUT  channels-last images
    Py_ssize_t batch, height, width, depth, oh, ow, n
    Py_ssize_t kh, kw, sh, dh, pt, first, step
    fc_epilogue epilogue
    bint backward
    Py_ssize_t *taps              # scratch: kernel rows in packed order, then their distances in src
    char *packed                  # scratch: weights [panel][kernel row][depth][nr]
    Py_ssize_t panels, ld         # of the kw * n columns
    char *products                # scratch of each thread: [rows][width][ld]
    Py_ssize_t rows, product_bytes
    Py_ssize_t blocks             # of rows in an image
    bint slide                    # sums in registers; products then holds the rows' addresses
    char *zeros                   # scratch: a row of src
    int threads


cdef Py_ssize_t gcd(Py_ssize_t a, Py_ssize_t b) noexcept nogil:
    while b:
        a, b = b, a % b
    return a


cdef void order_taps(const Narrow *p) noexcept nogil:
    """Kernel rows so that those of one row of dst stand together, by ascending row of src."""
    cdef Py_ssize_t classes = p.sh // gcd(p.sh, p.dh) if p.backward else 1, at = 0, c, r, i
    for c in range(classes):
        if p.backward:
            for r in range(p.kh - 1, -1, -1):
                if r % classes == c:
                    p.taps[at] = r
                    at = at + 1
        else:
            for r in range(p.kh):
                p.taps[r] = r
    for i in range(p.kh):
        p.taps[p.kh + i] = i * (p.dh * classes // p.sh if p.backward else p.dh) * p.width * p.depth


cdef void pack(const Narrow *p) noexcept nogil:
    """Column j * n + k of the product is the tap of src that reaches pixel `first` + j, output channel k."""
    cdef Py_ssize_t item = p.u.item, nr = p.u.nr, i, j, k, c, r, column
    cdef const char *src
    cdef char *dst
    memset(p.packed, 0, p.panels * p.kh * p.depth * nr * item)
    for i in range(p.kh):
        for j in range(p.kw):
            r = p.taps[i] * p.w.s_r + (j if p.backward else p.kw - 1 - j) * p.w.s_s
            for k in range(p.n):
                column = j * p.n + k
                src = p.w.data + (r + k * p.w.s_out) * item
                dst = p.packed + ((column // nr * p.kh + i) * p.depth * nr + column % nr) * item
                for c in range(p.depth):
                    if item == 4:
                        (<float *>dst)[c * nr] = (<const float *>src)[c * p.w.s_in]
                    else:
                        (<double *>dst)[c * nr] = (<const double *>src)[c * p.w.s_in]


cdef Py_ssize_t reach(const Narrow *p, Py_ssize_t y, Py_ssize_t *tap, Py_ssize_t *row) noexcept nogil:
    """How many kernel rows reach row y of dst from inside src; the first of them in packed order, and its row."""
    cdef Py_ssize_t i, at, count = 0
    for i in range(p.kh):
        if p.backward:
            at = y + p.pt - p.taps[i] * p.dh
            if at % p.sh:
                continue
            at = at // p.sh
        else:
            at = y * p.sh - p.pt + p.taps[i] * p.dh
        if 0 <= at < p.height:
            if count == 0:
                tap[0], row[0] = i, at
            count = count + 1
    return count


cdef void multiply(const Narrow *p, const char *src, char *products, Py_ssize_t rows, Py_ssize_t step, Py_ssize_t tap,
                   Py_ssize_t count) noexcept nogil:
    """The products of `rows` rows of dst, whose sources begin `step` rows apart, with `count` kernel rows each."""
    cdef const fc_ukr *u = p.u
    cdef fc_tile_job job
    cdef Py_ssize_t panel
    job.a, job.seg, job.nseg, job.kseg, job.bias = src, p.taps + p.kh, count, p.depth, NULL
    job.rows, job.cols, job.c_row, job.ldc = rows, p.width, p.width * p.ld, p.ld
    job.a_row, job.lda, job.ka, job.ldb = step * p.width * p.depth, p.depth, 1, u.nr
    job.accumulate, job.epilogue = 0, NULL
    for panel in range(p.panels):
        job.n = u.lanes if p.kw * p.n - panel * u.nr <= u.lanes else u.nr
        job.b = p.packed + (panel * p.kh + tap) * p.depth * u.nr * u.item
        job.c = products + panel * u.nr * u.item
        u.tile_rows(&job)


cdef void rows_task(const Narrow *p, char *products, Py_ssize_t n, Py_ssize_t y0, Py_ssize_t y1) noexcept nogil:
    """Rows y0..y1 of an image: as many at a time as have the same kernel rows and sources at one distance."""
    cdef const fc_ukr *u = p.u
    cdef const char *src = p.src + n * p.height * p.width * p.depth * u.item
    cdef char *dst = p.dst + n * p.oh * p.ow * p.n * u.item
    cdef fc_shift_job job
    cdef Py_ssize_t y = y0, i, rows, count, tap = 0, row = 0, more, next_tap = 0, next_row = 0, step = 1 if p.backward else p.sh
    job.bias, job.ow, job.n, job.ld, job.taps, job.first, job.step, job.epilogue = (
        p.bias, p.ow, p.n, p.ld, p.kw, p.first, p.step, asked(&p.epilogue))
    while y < y1:
        count = reach(p, y, &tap, &row)
        rows = 1
        while rows < p.rows and y + rows < y1:
            more = reach(p, y + rows, &next_tap, &next_row)
            if more != count or (count > 0 and (next_tap != tap or next_row != row + rows * step)):
                break
            rows = rows + 1
        job.width = p.width if count > 0 else 0
        if count > 0:
            multiply(p, src + row * p.width * p.depth * u.item, products, rows, step, tap, count)
        for i in range(rows):
            job.t = products + i * p.width * p.ld * u.item
            job.y = dst + (y + i) * p.ow * p.n * u.item
            u.shift_row(&job)
        y = y + rows


cdef void slide_task(const Narrow *p, const void **sources, Py_ssize_t n, Py_ssize_t y0, Py_ssize_t y1) noexcept nogil:
    """Rows y0..y1 of an image, at most half a register tile."""
    cdef const fc_ukr *u = p.u
    cdef Py_ssize_t row = p.width * p.depth * u.item, y, i, at
    cdef fc_slide_job job
    for y in range(y0, y1):
        for i in range(p.kh):
            at = y + p.pt - p.taps[i] * p.dh if p.backward else y * p.sh - p.pt + p.taps[i] * p.dh
            sources[(y - y0) * p.kh + i] = p.src + (n * p.height + at) * row if 0 <= at < p.height else p.zeros
    job.y, job.rows, job.b, job.bias = p.dst + (n * p.oh + y0) * p.ow * p.n * u.item, sources, p.packed, p.bias
    job.n_rows, job.ow, job.n, job.width, job.taps, job.first = y1 - y0, p.ow, p.n, p.width, p.kw, p.first
    job.nseg, job.kseg, job.ldb, job.y_row, job.epilogue = p.kh, p.depth, u.nr, p.ow * p.n, asked(&p.epilogue)
    u.slide_rows(&job)


cdef void task(const Narrow *p, char *scratch, Py_ssize_t n, Py_ssize_t y0, Py_ssize_t y1) noexcept nogil:
    if p.slide:
        slide_task(p, <const void **>scratch, n, y0, y1)
    else:
        rows_task(p, scratch, n, y0, y1)


cdef int run_all(const void *job) noexcept nogil:
    cdef const Narrow *p = <const Narrow *>job
    cdef Py_ssize_t t
    cdef unsigned long long floats = 0
    order_taps(p)
    pack(p)
    memset(p.zeros, 0, p.width * p.depth * p.u.item)
    with parallel(num_threads=p.threads):
        floats = fc_flush()
        for t in prange(p.batch * p.blocks, schedule="static"):
            task(p, p.products + threadid() * p.product_bytes, t // p.blocks, t % p.blocks * p.oh // p.blocks,
                 (t % p.blocks + 1) * p.oh // p.blocks)
        fc_restore(floats)
    return 0


# Estimates for one image, in multiply-adds of a vector; what a pixel costs besides is fitted to 19 shapes on two threads (avx512,
# float32): the gain over direct is within a factor of 1.25 of the true one without slide_rows, of 1.5 with it.

cdef double rows_inside(Py_ssize_t oh, Py_ssize_t kh, Py_ssize_t ih, Py_ssize_t pad) noexcept nogil:
    """About how many pairs of a row of dy and a kernel row meet inside the image; `pad` rows above and below it."""
    return <double>oh * kh * ih / (ih + pad)


cdef bint slides(const fc_ukr *u, Py_ssize_t kw, Py_ssize_t n) noexcept nogil:
    """Do the columns suit slide_rows?"""
    return kw * n <= u.lanes or (u.lanes <= (kw - 1) * n and kw * n <= u.nr)


cdef double slide_cost(const fc_ukr *u, Py_ssize_t oh, Py_ssize_t ow, Py_ssize_t width, Py_ssize_t depth, Py_ssize_t n,
                       Py_ssize_t kh, Py_ssize_t kw) noexcept nogil:
    return <double>oh * above(kw * n, u.lanes) * (width * kh * depth + 2 * (ow + kw))


cdef double shift_cost(const fc_ukr *u, double pixels, double products, Py_ssize_t depth, Py_ssize_t n, Py_ssize_t kw,
                       Py_ssize_t step) noexcept nogil:
    """`products`: source pixels times the kernel rows that they meet."""
    return products * depth * above(kw * n, u.lanes) + pixels * (20 if step == 1 else 30) * above(n, u.lanes)


cdef int run(Narrow *p, double rows, tuple arrays) except -1:
    """`rows`: pairs of a row of dy and a kernel row inside the image."""
    cdef const fc_ukr *u = p.u
    cdef Block taps, packed, products, zeros = block(p.width * p.depth * u.item)
    p.panels = above(p.kw * p.n, u.nr)
    p.ld = u.lanes if p.kw * p.n <= u.lanes else p.panels * u.nr
    p.rows = max(<Py_ssize_t>1, PRODUCT_BYTES // (p.width * p.ld * u.item))
    p.product_bytes = apart((p.rows * p.width * p.ld + u.lanes) * u.item)
    p.blocks = min(p.oh, above(TASKS * p.threads, p.batch)) if p.threads > 1 else 1
    p.slide = (p.step == 1 and (p.sh == 1 or not p.backward) and slides(u, p.kw, p.n)
               and slide_cost(u, p.oh, p.ow, p.width, p.depth, p.n, p.kh, p.kw)
               < shift_cost(u, <double>p.oh * p.ow, rows * p.width, p.depth, p.n, p.kw, p.step))
    if p.slide:
        p.product_bytes = apart(u.mr // 2 * p.kh * sizeof(void *))
        p.blocks = above(p.oh, u.mr // 2)
    taps, packed = block(2 * p.kh * sizeof(Py_ssize_t)), block(p.panels * p.kh * p.depth * u.nr * u.item)
    products = block(p.threads * p.product_bytes)
    p.taps, p.packed, p.products, p.zeros = <Py_ssize_t *>taps.data, packed.data, products.data, zeros.data
    return emit(run_all, p, sizeof(Narrow), arrays)


def accepts(case) -> bool:
    """Whether forward can compute `case`: one group, kernel columns and windows side by side."""
    return case.groups == 1 and case.dw == 1 and case.sw == 1


def accepts_data(case) -> bool:
    """Whether backward-data can compute `case`: one group, kernel columns side by side."""
    return case.groups == 1 and case.dw == 1


def gain(case, str op, Py_ssize_t itemsize) -> float:
    """Return the estimated time of the direct kernel over that of this one for a case that it accepts."""
    cdef const fc_ukr *u = table(itemsize)
    cdef Py_ssize_t batch, ci, ih, iw, co, kh, kw, sh, sw, pt, pb, _pl, _pr, _dh, _dw, _groups, oh, ow
    cdef double direct, narrow, rows
    batch, ci, ih, iw, co, kh, kw, sh, sw, pt, pb, _pl, _pr, _dh, _dw, _groups, oh, ow = case
    if batch * oh * ow == 0:
        return 0.0
    rows = rows_inside(oh, kh, ih, pt + pb)
    if op == "conv2d_forward":
        direct = <double>oh * ow * (kh * kw * ci * above(co, u.lanes) + 8)
        narrow = shift_cost(u, <double>oh * ow, rows * iw, ci, co, kw, 1)
        if slides(u, kw, co):
            narrow = min(narrow, slide_cost(u, oh, ow, iw, ci, co, kh, kw))
    else:
        direct = <double>ih * iw * (<double>kh * kw * co * above(ci, u.lanes) / (sh * sw) + 8)
        narrow = shift_cost(u, <double>ih * iw, rows * ow, co, ci, kw, sw)
        if slides(u, kw, ci) and sh == 1 and sw == 1:
            narrow = min(narrow, slide_cost(u, ih, iw, ow, co, ci, kh, kw))
    return direct / narrow


def conv2d_narrow_forward(x, w, b, case, *, bounds=None, residual=None, int threads=1):
    """Return y of shape case.y_shape, channels-last, as conv2d_direct_forward does.

    Costs a multiply-add for each lane of the vectors that hold kw * co columns, pixel of x, kernel row inside the image and
    channel of x.
    """
    cdef cnp.ndarray xs = image(x, "x", case.x_shape)
    cdef cnp.ndarray ws = filters(w, case, xs.dtype)
    cdef cnp.ndarray bias = biases(b, case, xs.dtype)
    cdef cnp.ndarray y = empty_nchw(case.batch, case.co, case.oh, case.ow, xs.dtype.num)
    cdef Narrow p
    if y.size == 0:
        return y
    added = ask_epilogue(&p.epilogue, "conv2d", bounds, residual, y)
    p.u, p.threads, p.backward = table(xs.itemsize), team(case.macs, threads), False
    p.w = weights_of(p.u, ws, 1)
    p.src, p.dst = cnp.PyArray_BYTES(xs), cnp.PyArray_BYTES(y)
    p.bias = NULL if bias is None else cnp.PyArray_BYTES(bias)
    p.batch, p.depth, p.height, p.width, p.n, p.kh, p.kw, p.sh, _, p.pt, _, _, _, p.dh, _, _, p.oh, p.ow = case
    p.first, p.step = case.pl - p.kw + 1, 1
    run(&p, rows_inside(p.oh, p.kh, p.height, case.pt + case.pb), (y, xs, ws, bias, added))
    return y


def conv2d_narrow_backward_data(dy, w, case, *, int threads=1):
    """Return dx of shape case.x_shape, channels-last, from dy of shape case.y_shape; cost as forward, ci in place of co."""
    cdef cnp.ndarray dys = image(dy, "dy", case.y_shape)
    cdef cnp.ndarray ws = filters(w, case, dys.dtype)
    cdef cnp.ndarray dx = empty_nchw(case.batch, case.ci, case.ih, case.iw, dys.dtype.num)
    cdef Narrow p
    if dx.size == 0:
        return dx
    ask_epilogue(&p.epilogue, "conv2d", None, None, dx)
    p.u, p.threads, p.backward = table(dys.itemsize), team(case.macs, threads), True
    p.w = weights_of(p.u, ws, 1)
    p.w.n_out, p.w.depth = p.w.depth, p.w.n_out
    p.w.s_out, p.w.s_in = p.w.s_in, p.w.s_out
    p.src, p.dst, p.bias = cnp.PyArray_BYTES(dys), cnp.PyArray_BYTES(dx), NULL
    p.batch, p.n, p.oh, p.ow, p.depth, p.kh, p.kw, p.sh, p.step, p.pt, _, p.first, _, p.dh, _, _, p.height, p.width = case
    p.first = -p.first
    run(&p, rows_inside(p.height, p.kh, p.oh, case.pt + case.pb), (dx, dys, ws))
    return dx
