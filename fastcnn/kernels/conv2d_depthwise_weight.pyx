"""kernels.conv2d_depthwise_weight: the weight gradient of a convolution of each channel with its own kernel.

The rows of dy are cut into chunks, a number fixed by the shape, each with sums of its own that are added in order. Results do not
depend on the number of threads.
"""

cimport numpy as cnp
from cython.parallel cimport parallel, prange, threadid
from libc.string cimport memset

from fastcnn.kernels.conv2d_depthwise cimport L1_BYTES, each_apart, padded, plan_strips, split_at
from fastcnn.kernels.conv2d_direct cimport image
from fastcnn.kernels.entry cimport emit, fc_flush, fc_restore
from fastcnn.kernels.gemm cimport team
from fastcnn.kernels.layout cimport from_memory
from fastcnn.kernels.memory cimport Block, apart, block, empty_nchw
from fastcnn.kernels.micro cimport fc_depthwise_weight_job, fc_ukr, table
from fastcnn.kernels.repeat cimport repeated

cnp.import_array()

cdef enum:
    CHUNKS = 16           # parts that the rows of dy are cut into
    CHUNK_PIXELS = 96     # least pixels of a chunk: below, clearing and adding its sums shows

cdef struct WeightGradient:
    const fc_ukr *u
    fc_depthwise_weight_job pixels                     # of all rows
    # dw[c, r, s] = sum over n, y, q of dy[n, y, q, c] * x[n, y*sh + r*dh - pt, q*sw + s*dw - pl, c]
    const char *x                                      # IN   channels-last image
    const char *dy                                     # IN   channels-last image
    bint fetch                                         # prefetch the next row
    char *sums                                         # chunk after chunk [kh * kw][padded(channels)]
    Py_ssize_t batch, channels, ih, iw, oh, ow, kh, sh, dh, pt
    Py_ssize_t chunks, splits, strip, sum_bytes        # splits, strip: as of plan_strips
    char *out                                          # OUT  dw, (channels, kh, kw)
    char *rows                                         # scratch: `mine` bytes for each thread
    Py_ssize_t mine
    int threads


cdef void weight_chunk(const WeightGradient *p, const char **rows, Py_ssize_t chunk, Py_ssize_t part) noexcept nogil:
    """Sum over the rows of dy of one chunk, one part of the channels."""
    cdef const fc_ukr *u = p.u
    cdef fc_depthwise_weight_job job = p.pixels
    cdef Py_ssize_t total = p.batch * p.oh, row, r, strip, dy_row = p.ow * p.channels * u.item, x_row = p.iw * p.channels * u.item
    cdef Py_ssize_t first = chunk * total // p.chunks, last = (chunk + 1) * total // p.chunks
    cdef const char **ahead = rows + p.kh
    job.dw = p.sums + chunk * p.sum_bytes
    job.rows = <const void *const *>rows
    job.first = split_at(u, p.channels, part, p.splits)
    job.last = split_at(u, p.channels, part + 1, p.splits)
    for r in range(job.kh * job.kw):
        memset(<char *>job.dw + (r * job.w_tap + job.first) * u.item, 0, (job.last - job.first) * u.item)
    for strip in range((p.ow + p.strip - 1) // p.strip):
        job.begin, job.end = strip * p.strip, min((strip + 1) * p.strip, p.ow)
        for row in range(first, last):
            job.dy = p.dy + row * dy_row
            weight_rows(p, rows, row, x_row)
            job.n_ahead = 0
            job.dy_ahead = NULL
            if p.fetch and row + 1 < last:
                job.dy_ahead = p.dy + (row + 1) * dy_row
                weight_rows(p, ahead, row + 1, x_row)
                job.n_ahead = min(p.kh, p.sh) if (row + 1) % p.oh and p.dh == 1 else p.kh
                job.ahead = <const void *const *>(ahead + p.kh - job.n_ahead)
                while job.n_ahead > 0 and job.ahead[job.n_ahead - 1] == NULL:
                    job.n_ahead -= 1
            u.depthwise_weight_row(&job)


cdef void weight_rows(const WeightGradient *p, const char **rows, Py_ssize_t row, Py_ssize_t x_row) noexcept nogil:
    """Write the kh rows of x that row `row` of all images' dy meets; NULL beside the image."""
    cdef Py_ssize_t r, at
    for r in range(p.kh):
        at = row % p.oh * p.sh + r * p.dh - p.pt
        rows[r] = p.x + (row // p.oh * p.ih + at) * x_row if 0 <= at < p.ih else NULL


cdef int weight_all(const void *job) noexcept nogil:
    cdef const WeightGradient *p = <const WeightGradient *>job
    cdef Py_ssize_t t, taps = p.pixels.kh * p.pixels.kw, ld = p.pixels.w_tap
    cdef unsigned long long floats = 0
    with parallel(num_threads=p.threads):
        floats = fc_flush()
        for t in prange(p.chunks * p.splits, schedule="static"):
            weight_chunk(p, <const char **>(p.rows + threadid() * p.mine), t // p.splits, t % p.splits)
        fc_restore(floats)
    floats = fc_flush()
    for t in range(1, p.chunks):
        p.u.add(p.sums, p.sums + t * p.sum_bytes, taps * ld)
    fc_restore(floats)
    p.u.transpose(p.out, taps, p.sums, ld, taps, p.channels)
    return 0


def conv2d_depthwise_backward_weight(dy, x, case, *, int threads=1):
    """Return dw of logical shape case.w_shape (memory co, kh, kw, 1) from dy and x; needs accepts(case).

    Costs case.macs multiply-adds. The rows of dy are cut into a number of chunks fixed by the shape, summed in order.
    """
    cdef cnp.ndarray dys = image(dy, "dy", case.y_shape)
    cdef cnp.ndarray xs = repeated(image(x, "x", case.x_shape, dys.dtype), max(1, case.co // case.ci), threads)
    cdef const fc_ukr *u = table(dys.itemsize)
    cdef Py_ssize_t batch, ci, ih, iw, co, kh, kw, sh, sw, pt, _pb, pl, _pr, dh, dw, _groups, oh, ow
    batch, ci, ih, iw, co, kh, kw, sh, sw, pt, _pb, pl, _pr, dh, dw, _groups, oh, ow = each_apart(case)
    cdef cnp.ndarray out = empty_nchw(co, 1, kh, kw, dys.dtype.num)
    cdef fc_depthwise_weight_job *job
    cdef WeightGradient p
    cdef Block sums, rows
    if out.size == 0 or dys.size == 0 or xs.size == 0:
        out.fill(0)
        return out
    p.u, p.out, p.x, p.dy = u, cnp.PyArray_BYTES(out), cnp.PyArray_BYTES(xs), cnp.PyArray_BYTES(dys)
    p.batch, p.channels, p.threads = batch, ci, team(case.macs, threads)
    p.ih, p.iw, p.oh, p.ow, p.kh, p.sh, p.dh, p.pt = ih, iw, oh, ow, kh, sh, dh, pt
    p.fetch = from_memory(<double>batch * ci * (ih * iw + oh * ow) * u.item)
    p.chunks = max(<Py_ssize_t>1, min(<Py_ssize_t>CHUNKS, batch * oh, batch * oh * ow // CHUNK_PIXELS))
    p.splits, p.strip = 1, ow
    plan_strips(u, L1_BYTES, kh, ci, iw, ow, 1, sw, &p.splits, &p.strip)
    p.sum_bytes = kh * kw * padded(ci) * u.item
    sums = block(p.chunks * p.sum_bytes)
    p.mine = apart(2 * kh * sizeof(char *))
    rows = block(p.threads * p.mine)
    p.sums, p.rows = sums.data, rows.data
    job = &p.pixels
    job.kh, job.kw, job.w_tap, job.step, job.dilation, job.x0 = kh, kw, padded(ci), sw, dw, -pl
    job.width, job.y_pixel, job.x_pixel = iw, ci, ci
    emit(weight_all, &p, sizeof(p), (out, dys, xs))
    return out
