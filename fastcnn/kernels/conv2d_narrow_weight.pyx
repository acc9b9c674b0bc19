"""kernels.conv2d_narrow_weight: the weight gradient of a convolution with few channels: several pixels of dy as one.

Neighbouring pixels of dy count as one of as many channels, a convolution of another shape that conv2d_direct_weight computes;
then what belongs to one tap is added. No groups. Same bits for any thread count.
"""

cimport numpy as cnp

from fastcnn.kernels.conv2d_direct cimport above, image
from fastcnn.kernels.conv2d_direct_weight import conv2d_direct_backward_weight
from fastcnn.kernels.entry cimport emit, fc_flush, fc_restore
from fastcnn.kernels.memory cimport empty_nchw
from fastcnn.kernels.micro cimport table

cnp.import_array()

cdef struct Fold:
    # dw[k, e] = sum over pixels i of src[i * co + k, r, i * shift + e], e < row: a kernel row of channels
    const char *src      # IN   [pixels * co][kh][src_row]
    char *dw             # OUT  [co][kh][row]
    Py_ssize_t pixels, co, kh, row, src_row, shift, item


cdef int fold_all(const void *job) noexcept nogil:
    cdef const Fold *p = <const Fold *>job
    cdef Py_ssize_t t, i, e
    cdef const char *src
    cdef char *dst
    cdef float f
    cdef double d
    cdef unsigned long long floats = fc_flush()
    for t in range(p.co * p.kh):
        src, dst = p.src + t * p.src_row * p.item, p.dw + t * p.row * p.item
        for e in range(p.row):
            if p.item == 4:
                f = 0
                for i in range(p.pixels):
                    f += (<const float *>src)[i * (p.co * p.kh * p.src_row + p.shift) + e]
                (<float *>dst)[e] = f
            else:
                d = 0
                for i in range(p.pixels):
                    d += (<const double *>src)[i * (p.co * p.kh * p.src_row + p.shift) + e]
                (<double *>dst)[e] = d
    fc_restore(floats)
    return 0


cdef double weight_cost(Py_ssize_t pixels, Py_ssize_t lanes, Py_ssize_t ci, Py_ssize_t co, Py_ssize_t kh, Py_ssize_t kw,
                        Py_ssize_t sw, Py_ssize_t ow) noexcept nogil:
    """Of the weight gradient of one row of dy when `pixels` of them count as one; fitted to nine shapes on two threads."""
    cdef Py_ssize_t vectors = above(pixels * co, lanes)
    cdef double width = 1 + 0.65 * (vectors - 1) + (0.35 * (vectors - 2) if vectors > 2 else 0)
    return ow // pixels * (kh * (kw + (pixels - 1) * sw) * ci * width + 8)


cdef Py_ssize_t merged_pixels(object case, Py_ssize_t lanes):
    """How many pixels of dy count as one: a divisor of the width, at most four vectors; 1 where none can be merged."""
    cdef Py_ssize_t pixels, best = 1
    cdef Py_ssize_t ci = case.ci, co = case.co, kh = case.kh, kw = case.kw, sw = case.sw, ow = case.ow
    for pixels in range(2, min(ow, 4 * lanes // co) + 1):
        if ow % pixels == 0 and (best == 1 or weight_cost(pixels, lanes, ci, co, kh, kw, sw, ow)
                                 < weight_cost(best, lanes, ci, co, kh, kw, sw, ow)):
            best = pixels
    return best


def accepts(case, Py_ssize_t itemsize) -> bool:
    """Whether it can compute `case`: one group, kernel columns side by side, a width with a divisor."""
    return case.groups == 1 and case.dw == 1 and (case.ow == 0 or merged_pixels(case, table(itemsize).lanes) > 1)


def gain(case, Py_ssize_t itemsize) -> float:
    """Return the estimated time of the direct kernel over that of this one for a case that it accepts."""
    cdef Py_ssize_t lanes = table(itemsize).lanes, ci = case.ci, co = case.co, kh = case.kh, kw = case.kw, sw = case.sw
    cdef Py_ssize_t ow = case.ow
    if case.batch * case.oh * ow == 0:
        return 0.0
    return (weight_cost(1, lanes, ci, co, kh, kw, sw, ow)
            / weight_cost(merged_pixels(case, lanes), lanes, ci, co, kh, kw, sw, ow))


def conv2d_narrow_backward_weight(dy, x, case, *, int threads=1):
    """Return dw of logical shape case.w_shape (memory co, kh, kw, ci) from dy and x.

    Costs (kw + (pixels - 1) * sw) / kw as many multiply-adds as conv2d_direct_backward_weight, in vectors of pixels * co.
    """
    cdef cnp.ndarray dys = image(dy, "dy", case.y_shape)
    cdef cnp.ndarray xs = image(x, "x", case.x_shape, dys.dtype)
    cdef cnp.ndarray out = empty_nchw(case.co, case.ci, case.kh, case.kw, dys.dtype.num), wide
    cdef Py_ssize_t pixels = merged_pixels(case, table(dys.itemsize).lanes)
    cdef Fold p
    if out.size == 0 or dys.size == 0:
        out.fill(0)
        return out
    rows = dys.transpose(0, 2, 3, 1).reshape(case.batch, case.oh, case.ow // pixels, pixels * case.co)
    merged = case._replace(co=pixels * case.co, ow=case.ow // pixels, kw=case.kw + (pixels - 1) * case.sw, sw=pixels * case.sw)
    wide = conv2d_direct_backward_weight(rows.transpose(0, 3, 1, 2), xs, merged, threads=threads)
    p.src, p.dw, p.item = cnp.PyArray_BYTES(wide), cnp.PyArray_BYTES(out), out.itemsize
    p.pixels, p.co, p.kh, p.row, p.src_row = pixels, case.co, case.kh, case.kw * case.ci, merged.kw * case.ci
    p.shift = case.sw * case.ci
    emit(fold_all, &p, sizeof(p), (out, wide))
    return out
