# kernels.gemm: blocked matrix product on strided operands, for the other loop nests.

from fastcnn.kernels.micro cimport fc_streams, fc_ukr

cdef struct Gemm:
    # c[i*ldc + j] (+)= sum_k a[i*lda + k*ka] * b[k*kb + j*ldb]  (+ bias[j], ReLU), strides in elements
    char *c                      # OUT  m x n, n contiguous
    const char *a                # IN   m x k
    const char *b                # IN   k x n
    const char *bias             # IN   n, or NULL
    Py_ssize_t m, n, k
    Py_ssize_t ldc, lda, ka, kb, ldb
    int relu

cdef int gemm_run(const fc_ukr *u, Gemm *g, int threads) except -1
cdef fc_streams past_cache(const fc_ukr *u, const char *c, Py_ssize_t ldc, double size) noexcept nogil
cdef int team(double macs, int threads) noexcept nogil
cdef object ready(object array, str op, str name, object dtype=*)
