"""kernels.interpolate: resized images and their gradients: rows, then pixels, as weighted sums of a few of the source.

Both directions run the same loop over rows of the result; backward with the tables inverted, so that each row of dx is one
task and sums run in ascending order.
"""

import numpy as np

cimport numpy as cnp
from cython.parallel cimport parallel, prange, threadid

from fastcnn.errors import ShapeError

from fastcnn.kernels.entry cimport emit, fc_flush, fc_restore
from fastcnn.kernels.layout cimport channels_last, crew
from fastcnn.kernels.memory cimport Block, block, empty_nchw
from fastcnn.kernels.micro cimport fc_resample_job, fc_source, fc_ukr, table
from fastcnn.kernels.window cimport check_shape

cnp.import_array()

cdef enum:
    PAST_BYTES = 32 << 20  # of a result; with the 4 MiB of layout.exceeds_cache 16 MiB took twice as long

SOURCE = np.dtype([("out", np.int64), ("tap", np.int64), ("weight", np.float64)])  # fc_source


def sources(axis_table, Py_ssize_t size, Py_ssize_t step, bint inverted):
    """Return (sources, start) of one axis: what each place of the result is made of, `step` elements apart in the source.

    `axis_table` is (first, second, weight of the second) for each place of the resized axis, `size` the length of the other.
    """
    first, second, weight = axis_table
    if len(first) and (min(first.min(), second.min()) < 0 or max(first.max(), second.max()) >= size):
        raise ShapeError(f"interpolate: the table must name pixels of an axis of {size}")
    places = np.arange(len(first))
    two = weight != 0
    resized, original = np.concatenate([places, places[two]]), np.concatenate([first, second[two]])
    weights = np.concatenate([1 - weight, weight[two]])
    to, of, count = (original, resized, size) if inverted else (resized, original, len(first))
    order = np.lexsort((of, to))
    found = np.zeros(len(order), dtype=SOURCE)
    found["out"], found["weight"] = of[order] * step, weights[order]
    return found, np.searchsorted(to[order], np.arange(count + 1)).astype(np.int64)


MOST_KNOWN = 1024
_known = {}  # (id of a table, options) -> (the table, its sources): a network repeats a few


cdef tuple remembered(tuple axis_table, Py_ssize_t size, Py_ssize_t step, bint inverted):
    """The sources of a table, kept when nobody can write to it, and whether each place is a copy of one."""
    cdef object key = (id(axis_table), size, step, inverted), known = _known.get(key), made
    if known is not None and known[0] is axis_table:
        return known[1]
    found, start = sources(axis_table, size, step, inverted)
    made = found, start, bool((np.diff(start) == 1).all() and (found["weight"] == 1).all())
    if not any([np.asarray(part).flags.writeable for part in axis_table]):
        if len(_known) >= MOST_KNOWN:
            _known.clear()
        _known[key] = axis_table, made
    return made


cdef struct Resample:
    const fc_ukr *u
    fc_resample_job pixels   # of all rows
    const fc_source *rows
    const Py_ssize_t *start
    Py_ssize_t batch, oh, image, scratch
    int threads


cdef void row(const Resample *p, Py_ssize_t at, int thread) noexcept nogil:
    cdef fc_resample_job job = p.pixels
    cdef Py_ssize_t i = at % p.oh
    job.x = <const char *>job.x + at // p.oh * p.image * p.u.item
    job.y = <char *>job.y + at * job.ow * job.channels * p.u.item
    job.scratch = <char *>job.scratch + thread * p.scratch
    job.rows = p.rows + p.start[i]
    job.n_rows = p.start[i + 1] - p.start[i]
    p.u.resample_row(&job)


cdef int resample_all(const void *job) noexcept nogil:
    cdef const Resample *p = <const Resample *>job
    cdef Py_ssize_t t
    cdef unsigned long long floats = 0
    with parallel(num_threads=p.threads):
        floats = fc_flush()
        for t in prange(p.batch * p.oh, schedule="static"):
            row(p, t, threadid())
        fc_restore(floats)
    return 0


cdef object resample(cnp.ndarray x, tuple tables, Py_ssize_t oh, Py_ssize_t ow, bint inverted, int threads):
    cdef Py_ssize_t batch = cnp.PyArray_DIM(x, 0), channels = cnp.PyArray_DIM(x, 1), ih = cnp.PyArray_DIM(x, 2)
    cdef Py_ssize_t iw = cnp.PyArray_DIM(x, 3)
    cdef cnp.ndarray y = empty_nchw(batch, channels, oh, ow, x.dtype.num), rows, start, cols, starts
    cdef fc_resample_job *job
    cdef Resample p
    cdef Block lines
    if y.size == 0:
        return y
    rows, start, _ = remembered(tables[0], oh if inverted else ih, iw * channels, inverted)
    cols, starts, copies = remembered(tables[1], ow if inverted else iw, channels, inverted)
    job = &p.pixels
    p.u, p.batch, p.oh, p.image = table(x.itemsize), batch, oh, ih * iw * channels
    p.rows, p.start = <const fc_source *>cnp.PyArray_BYTES(rows), <const Py_ssize_t *>cnp.PyArray_BYTES(start)
    job.x, job.y, job.iw, job.ow, job.channels = cnp.PyArray_BYTES(x), cnp.PyArray_BYTES(y), iw, ow, channels
    job.cols, job.start = <const fc_source *>cnp.PyArray_BYTES(cols), <const Py_ssize_t *>cnp.PyArray_BYTES(starts)
    job.copies = copies
    job.past_cache = y.size * p.u.item >= PAST_BYTES and channels % p.u.lanes == 0
    p.threads = crew(<double>(x.size + y.size) * p.u.item, threads)
    p.scratch = (iw * channels * p.u.item + 127) // 64 * 64
    lines = block(p.threads * p.scratch)
    job.scratch = lines.data
    emit(resample_all, &p, sizeof(p), (y, x, (rows, start, cols, starts)))
    return y


def interpolate_forward(x, tables, *, int threads=1):
    """Return y (batch, channels, oh, ow), channels-last: rows and pixels of x mixed as the two tables say.

    A table is (first, second, weight of the second), arrays of the new length.
    """
    cdef cnp.ndarray a = channels_last(x, "interpolate", "x", threads)
    return resample(a, tables, len(tables[0][0]), len(tables[1][0]), False, threads)


def interpolate_backward(dy, tables, x_size, *, int threads=1):
    """Return dx (batch, channels, *x_size), channels-last: the adjoint of forward."""
    cdef cnp.ndarray g = channels_last(dy, "interpolate", "dy", threads)
    cdef Py_ssize_t ih, iw
    ih, iw = x_size
    check_shape("interpolate", "dy", g, cnp.PyArray_DIM(g, 0), cnp.PyArray_DIM(g, 1), len(tables[0][0]), len(tables[1][0]))
    return resample(g, tables, ih, iw, True, threads)
