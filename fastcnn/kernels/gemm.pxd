# kernels.gemm: blocked matrix product on strided operands, for the other loop nests.

from fastcnn.kernels.moments cimport Moments
from fastcnn.kernels.micro cimport fc_epilogue, fc_streams, fc_ukr

cdef struct Gemm:
    const fc_ukr *u
    # c[i*ldc + j] = sum_k a[i*lda + k*ka] * b[k*kb + j*ldb]  (+ bias[j]), then the epilogue; strides in elements
    char *c                      # OUT  m x n, n contiguous
    const char *a                # IN   m x k
    const char *b                # IN   k x n
    const char *bias             # IN   n, or NULL
    Py_ssize_t m, n, k
    Py_ssize_t ldc, lda, ka, kb, ldb
    fc_epilogue epilogue
    int threads                  # asked for
    Moments moments              # of c
    # derived by `gemm_run`
    Py_ssize_t n_panels, kc, mc  # panels of b; depth of a block; its rows
    Py_ssize_t chunk             # rows of a chunk of the moments
    bint each, ahead             # a task is a panel and all rows; what is used soon is fetched before
    bint crowded                 # the rows of a meet in one cache set
    bint pack_a, by_share        # each thread has panels of its own
    char *panels                 # scratch: packed panels
    char *rows                   # scratch: packed rows of a, for each thread
    Py_ssize_t rows_bytes        # of one thread

cdef int gemm_run(Gemm *g, tuple arrays) except -1
cdef void look_ahead(fc_streams *streams, int i, const char *first, Py_ssize_t runs, Py_ssize_t run, Py_ssize_t stride,
                     Py_ssize_t segments) noexcept nogil
cdef Py_ssize_t segment(Py_ssize_t depth) noexcept nogil
cdef fc_streams past_cache(const fc_ukr *u, const char *c, Py_ssize_t ldc, double size) noexcept nogil
cdef bint shared_out(Py_ssize_t panels, double panel_bytes, double image_bytes, int threads) noexcept nogil
cdef int team(double macs, int threads) noexcept nogil
cdef object ready(object array, str op, str name, object dtype=*)
