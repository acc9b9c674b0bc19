# kernels.batch_norm: batch normalisation, with the ReLU (and the residual sum) that follows it.

cimport numpy as cnp

from fastcnn.kernels.columns cimport Columns
from fastcnn.kernels.memory cimport Block
from fastcnn.kernels.micro cimport fc_norm_job, fc_ukr

cdef enum:  # tables of one value for each channel; the first five also of one for each column of a wide row
    MEAN, SCALE, SHIFT, SLOPE, OFFSET, OTHER, TABLES

cdef struct Vector:
    # IN  one value for each channel, float32 or float64 (wide), `step` bytes apart; without data: `fill`
    const char *data
    Py_ssize_t step
    double fill
    bint wide

cdef struct Norm:
    const fc_ukr *u
    fc_norm_job rows       # the matrices as a whole
    Columns columns
    Vector weight, bias, mean, var
    const double *moments  # IN   mean and centred sum of squares, 2 x channels; NULL: to be computed
    char *first            # OUT  channels: mean of forward, dweight of backward
    char *second           # OUT  channels: var of forward, dbias of backward
    char *dx               # OUT  of backward
    char *wide             # scratch: coefficients of a wide row, `wide_size` bytes each
    double *tables         # scratch: TABLES x channels
    double *parts          # scratch: partial results
    Py_ssize_t wide_size
    Py_ssize_t count       # values of a channel that the statistics are of
    double eps
    int threads

cdef cnp.ndarray result(cnp.ndarray x)
cdef cnp.ndarray per_channel(Vector *v, object values, Py_ssize_t channels, str name, double fill)
cdef cnp.ndarray take_given(Norm *p, object moments, Py_ssize_t channels)
cdef Block plan_norm(Norm *p, cnp.ndarray x, double eps, Py_ssize_t rows, bint relu, double ceiling, int threads)
cdef void batch_statistics(const Norm *p) noexcept nogil
cdef void given_statistics(const Norm *p) noexcept nogil
cdef void gradient_coefficients(const Norm *p) noexcept nogil
