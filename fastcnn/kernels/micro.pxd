# kernels.micro: the micro-kernel tables as Cython sees them; the structs are documented in ukr/ukr.h.

cdef extern from "ukr.h" nogil:
    ctypedef struct fc_tile_job:
        void *c
        const void *a
        const void *b
        const void *bias
        const Py_ssize_t *seg
        Py_ssize_t nseg, kseg, rows, cols, n, c_row, ldc, a_row, lda, ka, ldb
        int accumulate, relu

    ctypedef struct fc_winograd_points:
        double a, b
        double weight[6][3]

    ctypedef struct fc_winograd_block:
        Py_ssize_t tiles_y, tiles_x, height, width, batch_stride, row_stride, pixel_stride, channels
        Py_ssize_t pad_top, pad_left, slice "slice", row, first, count

    ctypedef struct fc_ukr:
        const char *name
        Py_ssize_t item, lanes, mr, nr
        void tile_rows(const fc_tile_job *job) noexcept nogil
        void pack_run(void *dst, const void *src, Py_ssize_t n, Py_ssize_t width, Py_ssize_t count, Py_ssize_t stride_k,
                      Py_ssize_t stride_n) noexcept nogil
        void unpack_run(void *dst, const void *src, Py_ssize_t n, Py_ssize_t width, Py_ssize_t count, Py_ssize_t stride_k,
                        Py_ssize_t stride_n) noexcept nogil
        void pack_image(void *dst, const void *src, Py_ssize_t y0, Py_ssize_t rows, Py_ssize_t x0, Py_ssize_t cols,
                        Py_ssize_t height, Py_ssize_t width, Py_ssize_t row_stride, Py_ssize_t pixel_stride, Py_ssize_t channels,
                        Py_ssize_t dst_pixel) noexcept nogil
        void add(void *dst, const void *src, Py_ssize_t n) noexcept nogil
        void winograd_weight(void *u, Py_ssize_t u_slice, const void *panel, Py_ssize_t panel_tap, Py_ssize_t count,
                             Py_ssize_t width, const fc_winograd_points *p) noexcept nogil
        void winograd_input(void *v, const void *x, const fc_winograd_block *blk, const fc_winograd_points *p) noexcept nogil
        void winograd_output(void *y, const void *m, const void *bias, int relu, const fc_winograd_block *blk,
                             const fc_winograd_points *p) noexcept nogil
        double fma_burst(Py_ssize_t iterations) noexcept nogil


cdef const fc_ukr *table(Py_ssize_t item) except NULL
