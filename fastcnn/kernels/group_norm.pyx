"""kernels.group_norm: normalisation of groups of channels of each image. [Wu2018]

Forward: the moments of each channel by chunks of pixels, merged in float64 over the channels of a group [Chan1983], then one
pass that normalises. Backward: one pass for the two sums of each channel, one for dx. A thread takes whole images, so that the
second pass finds them in its cache; few images are cut among the threads.
"""

import numpy as np

cimport numpy as cnp
from cython.parallel cimport parallel, prange, threadid
from libc.math cimport sqrt
from libc.string cimport memcpy, memset

from fastcnn.errors import ArgumentError, DtypeError, ShapeError

from fastcnn.kernels.columns cimport Columns, Tile, counts, plan, scratch_width, tile
from fastcnn.kernels.entry cimport emit, fc_flush, fc_restore
from fastcnn.kernels.gemm cimport ready
from fastcnn.kernels.layout cimport channels_last, crew, exceeds_cache
from fastcnn.kernels.memory cimport Block, apart, block, empty_like_shape, empty_nchw
from fastcnn.kernels.micro cimport fc_group_job, fc_norm_job, fc_ukr, table
from fastcnn.kernels.strided cimport ordered

cnp.import_array()

cdef enum:
    RUN_BYTES = 128 * 1024   # of one task of an elementwise pass
    WHOLE = 4                # images per thread from which on it does not matter that the last ones are not shared


cdef struct GroupNorm:
    const fc_ukr *u
    char *out                # OUT  y; backward: dx             [batch][pixels][channels]
    char *mean               # OUT  IN of backward              [batch][groups]
    char *rstd               # OUT  IN of backward              [batch][groups]
    char *dweight            # OUT  backward                    [channels]
    char *dbias              # OUT  backward                    [channels]
    const char *x            # IN                               [batch][pixels][channels]
    const char *dy           # IN   backward
    const char *weight       # IN   [channels] or NULL
    const char *bias         # IN   [channels] or NULL
    char *slots              # scratch of an image in work: partial results, sums of channels, coefficients
    char *scratch            # of a thread
    double *each             # scratch of backward: sums for bias and weight of each image, then their totals
    Py_ssize_t slot, tables, own   # bytes of a slot, of what stands in it before the coefficients, of a thread's scratch
    Py_ssize_t batch, channels, groups, pixels
    Columns columns          # of one image
    double eps
    bint whole, past_cache
    int threads


cdef inline void put(const GroupNorm *p, char *at, Py_ssize_t i, double value) noexcept nogil:
    if p.u.item == 4:
        (<float *>at)[i] = <float>value
    else:
        (<double *>at)[i] = value


cdef inline double get(const GroupNorm *p, const char *at, Py_ssize_t i) noexcept nogil:
    return (<const float *>at)[i] if p.u.item == 4 else (<const double *>at)[i]


cdef inline double *partial(const GroupNorm *p, Py_ssize_t slot) noexcept nogil:
    return <double *>(p.slots + slot * p.slot)


cdef inline char *coefficients(const GroupNorm *p, Py_ssize_t slot, int which) noexcept nogil:
    """mean, scale, shift, slope or offset of each column of a wide row."""
    return p.slots + slot * p.slot + p.tables + which * p.columns.width * p.u.item


cdef void take_moments(const GroupNorm *p, Py_ssize_t n, Py_ssize_t task, Py_ssize_t slot, int thread) noexcept nogil:
    cdef Tile t = tile(&p.columns, task)
    cdef double *part = partial(p, slot)
    p.u.moments(part + t.part, part + p.columns.blocks * p.channels + t.part, p.scratch + thread * p.own,
                p.x + (n * p.pixels * p.channels + t.at) * p.u.item, t.rows, t.width, t.stride)


cdef void merge(const GroupNorm *p, Py_ssize_t n, Py_ssize_t slot) noexcept nogil:
    """Mean and 1 / sqrt(var + eps) of each group from the moments of its channels."""
    cdef Py_ssize_t values = p.columns.blocks * p.channels, width = p.channels // p.groups, g, k
    cdef double *part = partial(p, slot)
    cdef double *count = part + 2 * values
    cdef double *mean = count + p.columns.blocks
    cdef double *m2 = mean + p.channels
    cdef double centre, square
    counts(count, &p.columns)
    p.u.merge_moments(mean, m2, part, part + values, count, p.columns.blocks, p.channels)
    for g in range(p.groups):
        centre = square = 0
        for k in range(g * width, (g + 1) * width):
            centre += mean[k]
        centre /= width
        for k in range(g * width, (g + 1) * width):
            square += m2[k] + p.pixels * (mean[k] - centre) * (mean[k] - centre)
        put(p, p.mean, n * p.groups + g, centre)
        put(p, p.rstd, n * p.groups + g, 1 / sqrt(square / (p.pixels * width) + p.eps))


cdef enum:  # what a pass needs: coefficients() of these numbers
    FOR_Y, FOR_SUMS, FOR_DX


cdef void prepare(const GroupNorm *p, Py_ssize_t n, Py_ssize_t slot, int what, const double *sums) noexcept nogil:
    """The coefficients of image n, one for each column of a wide row; those of dx from the sums of each channel."""
    cdef Py_ssize_t size = p.channels * p.u.item, g
    cdef fc_group_job job
    cdef char *out[5]
    cdef int k
    for k in range(5):
        out[k] = coefficients(p, slot, k) if needed(k, what) else NULL
    job.mean, job.scale, job.shift, job.slope, job.offset = out[0], out[1], out[2], out[3], out[4]
    job.means, job.rstds = p.mean + n * p.groups * p.u.item, p.rstd + n * p.groups * p.u.item
    job.weight, job.bias, job.sums, job.channels, job.groups = p.weight, p.bias, sums, p.channels, p.groups
    job.count = <double>(p.pixels * (p.channels // p.groups))
    p.u.group_coefficients(&job)
    for k in range(5):
        if out[k] != NULL:
            for g in range(1, p.columns.group):
                memcpy(out[k] + g * size, out[k], size)


cdef inline bint needed(int which, int what) noexcept nogil:
    if what == FOR_Y:
        return which < 3
    return which == 0 if what == FOR_SUMS else which in (1, 3, 4)


cdef fc_norm_job job_at(const GroupNorm *p, Py_ssize_t at, Py_ssize_t slot, Py_ssize_t column) noexcept nogil:
    """The job of what starts with element `at`, in column `column` of a wide row."""
    cdef fc_norm_job job
    cdef Py_ssize_t skip = column * p.u.item
    memset(&job, 0, sizeof(job))
    job.x = p.x + at * p.u.item
    if p.dy != NULL:
        job.dy = p.dy + at * p.u.item
    job.mean = coefficients(p, slot, 0) + skip
    job.scale = coefficients(p, slot, 1) + skip
    job.shift = coefficients(p, slot, 2) + skip
    job.slope = coefficients(p, slot, 3) + skip
    job.offset = coefficients(p, slot, 4) + skip
    return job


cdef Py_ssize_t run_size(const GroupNorm *p) noexcept nogil:
    return max(<Py_ssize_t>1, RUN_BYTES // (p.columns.width * p.u.item)) * p.columns.width


cdef Py_ssize_t runs(const GroupNorm *p) noexcept nogil:
    return (p.pixels * p.channels + run_size(p) - 1) // run_size(p)


cdef void write_run(const GroupNorm *p, Py_ssize_t n, Py_ssize_t run, Py_ssize_t slot) noexcept nogil:
    """y or dx of a part of an image, last part first: what the pass before read last is still in cache."""
    cdef Py_ssize_t size = run_size(p), image = p.pixels * p.channels, at = (runs(p) - 1 - run) * size
    cdef fc_norm_job job = job_at(p, n * image + at, slot, 0)
    job.out = p.out + (n * image + at) * p.u.item
    job.n = min(size, image - at)
    job.width = p.columns.width
    job.past_cache = p.past_cache
    if p.dy == NULL:
        p.u.norm_forward(&job)
    else:
        p.u.norm_backward(&job)


cdef void write_all(const GroupNorm *p) noexcept nogil:
    """y or dx of all images, cut among the threads."""
    cdef Py_ssize_t i, parts = runs(p)
    cdef unsigned long long floats = 0
    with parallel(num_threads=p.threads):
        floats = fc_flush()
        for i in prange(p.batch * parts, schedule="static"):
            write_run(p, i // parts, i % parts, i // parts)
        fc_restore(floats)


cdef void take_sums(const GroupNorm *p, Py_ssize_t n, Py_ssize_t task, Py_ssize_t slot, int thread) noexcept nogil:
    """Sums of dy and of dy * (x - mean)."""
    cdef Tile t = tile(&p.columns, task)
    cdef double *part = partial(p, slot)
    cdef fc_norm_job job = job_at(p, n * p.pixels * p.channels + t.at, slot, t.column)
    job.scratch = p.scratch + thread * p.own
    job.rows, job.width, job.stride = t.rows, t.width, t.stride
    p.u.norm_sums(&job, part + t.part, part + p.columns.blocks * p.channels + t.part)


cdef void fold_image(const GroupNorm *p, Py_ssize_t n, Py_ssize_t slot) noexcept nogil:
    """The image's part of the gradients of bias and weight, and the coefficients of its dx."""
    cdef Py_ssize_t width = p.channels // p.groups, g, k
    cdef double *part = partial(p, slot)
    cdef double *sums = p.each + n * 2 * p.channels
    cdef double rstd
    p.u.fold(sums, part, p.columns.blocks, p.channels)
    p.u.fold(sums + p.channels, part + p.columns.blocks * p.channels, p.columns.blocks, p.channels)
    prepare(p, n, slot, FOR_DX, sums)
    for g in range(p.groups):
        rstd = get(p, p.rstd, n * p.groups + g)
        for k in range(g * width, (g + 1) * width):
            sums[p.channels + k] *= rstd


cdef void finish(const GroupNorm *p) noexcept nogil:
    """dweight and dbias from the sums of the images, in their order."""
    cdef Py_ssize_t k
    cdef double *total = p.each + p.batch * 2 * p.channels
    p.u.fold(total, p.each, p.batch, 2 * p.channels)
    for k in range(p.channels):
        put(p, p.dbias, k, total[k])
        put(p, p.dweight, k, total[p.channels + k])


cdef void forward_image(const GroupNorm *p, Py_ssize_t n, int thread) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(p.columns.tasks):
        take_moments(p, n, i, thread, thread)
    merge(p, n, thread)
    prepare(p, n, thread, FOR_Y, NULL)
    for i in range(runs(p)):
        write_run(p, n, i, thread)


cdef int forward_images(const void *job) noexcept nogil:
    cdef const GroupNorm *p = <const GroupNorm *>job
    cdef Py_ssize_t i, tasks = p.columns.tasks
    cdef unsigned long long floats = 0
    if p.whole:
        with parallel(num_threads=p.threads):
            floats = fc_flush()
            for i in prange(p.batch, schedule="static"):
                forward_image(p, i, threadid())
            fc_restore(floats)
        return 0
    with parallel(num_threads=p.threads):
        floats = fc_flush()
        for i in prange(p.batch * tasks, schedule="static"):
            take_moments(p, i // tasks, i % tasks, i // tasks, threadid())
        fc_restore(floats)
    floats = fc_flush()
    for i in range(p.batch):
        merge(p, i, i)
        prepare(p, i, i, FOR_Y, NULL)
    fc_restore(floats)
    write_all(p)
    return 0


cdef void backward_image(const GroupNorm *p, Py_ssize_t n, int thread) noexcept nogil:
    cdef Py_ssize_t i
    prepare(p, n, thread, FOR_SUMS, NULL)
    for i in range(p.columns.tasks):
        take_sums(p, n, i, thread, thread)
    fold_image(p, n, thread)
    for i in range(runs(p)):
        write_run(p, n, i, thread)


cdef int backward_images(const void *job) noexcept nogil:
    cdef const GroupNorm *p = <const GroupNorm *>job
    cdef Py_ssize_t i, tasks = p.columns.tasks
    cdef unsigned long long floats = 0
    if p.whole:
        with parallel(num_threads=p.threads):
            floats = fc_flush()
            for i in prange(p.batch, schedule="static"):
                backward_image(p, i, threadid())
            fc_restore(floats)
    else:
        for i in range(p.batch):
            prepare(p, i, i, FOR_SUMS, NULL)
        with parallel(num_threads=p.threads):
            floats = fc_flush()
            for i in prange(p.batch * tasks, schedule="static"):
                take_sums(p, i // tasks, i % tasks, i // tasks, threadid())
            fc_restore(floats)
        floats = fc_flush()
        for i in range(p.batch):
            fold_image(p, i, i)
        fc_restore(floats)
        write_all(p)
    floats = fc_flush()
    finish(p)
    fc_restore(floats)
    return 0


cdef cnp.ndarray checked(cnp.ndarray a, cnp.ndarray x, str name, tuple shape):
    if np.shape(a) != shape:
        raise ShapeError(f"group_norm: {name} must have shape {shape}, got {np.shape(a)} (x.shape={np.shape(x)})")
    if a.dtype != x.dtype:
        raise DtypeError(f"group_norm: {name} must have x's dtype {x.dtype}, got {a.dtype}")
    return a


cdef cnp.ndarray vector(object array, cnp.ndarray x, str name, tuple shape, int threads):
    """`array` in C order; None stays None."""
    return None if array is None else checked(ordered(ready(array, "group_norm", name), threads), x, name, shape)


cdef inline char *address(cnp.ndarray a) noexcept:
    return NULL if a is None else cnp.PyArray_BYTES(a)


cdef int describe(GroupNorm *p, cnp.ndarray x, Py_ssize_t groups, bint backward, int threads) except -1:
    """Sizes, and how the work is cut: what is summed together depends on the shape alone."""
    cdef Py_ssize_t values = x.size
    memset(p, 0, sizeof(p[0]))
    p.u, p.x, p.groups = table(x.itemsize), cnp.PyArray_BYTES(x), groups
    p.batch, p.channels = cnp.PyArray_DIM(x, 0), cnp.PyArray_DIM(x, 1)
    p.pixels = cnp.PyArray_DIM(x, 2) * cnp.PyArray_DIM(x, 3)
    if groups < 1 or p.channels % groups:
        raise ArgumentError(f"group_norm: groups must divide the {p.channels} channels, got {groups} (x.shape={np.shape(x)})")
    if values == 0:
        return 0
    p.threads = crew((3.0 if backward else 2.0) * values * p.u.item, threads)
    p.columns = plan(p.u, p.pixels, p.channels)
    p.whole = p.batch % p.threads == 0 or p.batch >= WHOLE * p.threads
    p.past_cache = (exceeds_cache(<double>values * p.u.item) and p.columns.width % p.u.lanes == 0
                    and p.pixels * p.channels % p.u.lanes == 0)
    p.tables = ((2 * p.columns.blocks + 2) * p.channels + p.columns.blocks) * sizeof(double)
    p.slot = apart(p.tables + 5 * p.columns.width * p.u.item)
    p.own = apart(3 * scratch_width(&p.columns) * p.u.item)
    return 0


def group_norm_forward(x, Py_ssize_t groups, weight, bias, double eps, *, int threads=1):
    """Return (y, mean, rstd): y = weight * (x - mean) * rstd + bias, rstd = 1 / sqrt(var + eps), over each group of each image.

    x is (batch, channels, height, width), float32 or float64; weight and bias are (channels,) or None; mean and rstd are
    (batch, groups).
    """
    cdef cnp.ndarray a = channels_last(x, "group_norm", "x", threads), y, mean, rstd, w, b
    cdef GroupNorm p
    cdef Block slots, scratch
    describe(&p, a, groups, False, threads)
    y = empty_nchw(p.batch, p.channels, cnp.PyArray_DIM(a, 2), cnp.PyArray_DIM(a, 3), a.dtype.num)
    mean, rstd = empty_like_shape((p.batch, groups), a.dtype.num), empty_like_shape((p.batch, groups), a.dtype.num)
    w = vector(weight, a, "weight", (p.channels,), threads)
    b = vector(bias, a, "bias", (p.channels,), threads)
    if a.size == 0:
        mean.fill(0)
        rstd.fill(1 / sqrt(eps))
        return y, mean, rstd
    p.out, p.mean, p.rstd, p.eps = address(y), address(mean), address(rstd), eps
    p.weight, p.bias = address(w), address(b)
    slots = block((p.threads if p.whole else p.batch) * p.slot)
    scratch = block(p.threads * p.own)
    p.slots, p.scratch = slots.data, scratch.data
    emit(forward_images, &p, sizeof(p), (y, mean, rstd, a, w, b))
    return y, mean, rstd


def group_norm_backward(dy, x, Py_ssize_t groups, weight, mean, rstd, *, int threads=1):
    """Return (dx, dweight, dbias); `mean` and `rstd` are those of the forward pass.

    dx = rstd * (g - mean(g) - xhat * mean(g * xhat)), g = weight * dy, xhat = (x - mean) * rstd, means over each group.
    """
    cdef cnp.ndarray a = channels_last(x, "group_norm", "x", threads), dx, m, r, w, dw, db
    cdef cnp.ndarray g = checked(channels_last(dy, "group_norm", "dy", threads), a, "dy", np.shape(a))
    cdef GroupNorm p
    cdef Block each, slots, scratch
    describe(&p, a, groups, True, threads)
    dx = empty_nchw(p.batch, p.channels, cnp.PyArray_DIM(a, 2), cnp.PyArray_DIM(a, 3), a.dtype.num)
    dw, db = empty_like_shape((p.channels,), a.dtype.num), empty_like_shape((p.channels,), a.dtype.num)
    m = vector(mean, a, "mean", (p.batch, groups), threads)
    r = vector(rstd, a, "rstd", (p.batch, groups), threads)
    w = vector(weight, a, "weight", (p.channels,), threads)
    if a.size == 0:
        dw.fill(0)
        db.fill(0)
        return dx, dw, db
    p.out, p.dweight, p.dbias, p.dy = address(dx), address(dw), address(db), address(g)
    p.mean, p.rstd, p.weight = address(m), address(r), address(w)
    each = block((p.batch + 1) * 2 * p.channels * sizeof(double))
    slots = block((p.threads if p.whole else p.batch) * p.slot)
    scratch = block(p.threads * p.own)
    p.each, p.slots, p.scratch = <double *>each.data, slots.data, scratch.data
    emit(backward_images, &p, sizeof(p), (dx, dw, db, g, a, w, m, r))
    return dx, dw, db
