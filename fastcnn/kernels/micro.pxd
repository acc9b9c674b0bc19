# kernels.micro: the micro-kernel tables as Cython sees them; the structs are documented in ukr/ukr.h.

from libc.stdint cimport uint8_t

cdef extern from "ukr.h" nogil:
    enum:
        FC_ADD, FC_SUB, FC_MUL, FC_DIV, FC_POW, FC_POW_SLOPE, FC_POW_LOG, FC_MAXIMUM, FC_MINIMUM

    ctypedef struct fc_epilogue:
        Py_ssize_t away
        double low, high
        int adds, bounds

    ctypedef struct fc_tile_job:
        void *c
        const void *a
        const void *b
        const void *bias
        const Py_ssize_t *seg
        Py_ssize_t nseg, kseg, rows, cols, n, c_row, ldc, a_row, lda, ka, ldb
        int accumulate
        const fc_epilogue *epilogue

    ctypedef struct fc_ahead:
        size_t at, stop, end
        Py_ssize_t run, gap, lines

    ctypedef struct fc_streams:
        fc_ahead ahead[2]
        int past_cache, fresh
        void *moments

    ctypedef struct fc_slide_job:
        void *y
        const void *const *rows
        const void *b
        const void *bias
        Py_ssize_t n_rows, ow, n, width, taps, first, nseg, kseg, ldb, y_row
        const fc_epilogue *epilogue

    ctypedef struct fc_shift_job:
        void *y
        const void *t
        const void *bias
        Py_ssize_t ow, n, width, ld, taps, first, step
        const fc_epilogue *epilogue

    ctypedef struct fc_winograd_points:
        double a, b
        double weight[6][3]

    ctypedef struct fc_winograd_tile:
        Py_ssize_t image, y, x, number
        int part, opens

    ctypedef struct fc_winograd_block:
        const fc_winograd_tile *tiles
        Py_ssize_t start[5]
        Py_ssize_t height, width, batch_stride, row_stride, pixel_stride, channels, pad_top, pad_left, slice "slice", row

    ctypedef struct fc_span:
        Py_ssize_t at, count, tap, divisor
        double weight

    ctypedef struct fc_window_job:
        void *y, *index
        const void *x
        const fc_span *cols
        fc_span row
        Py_ssize_t ow, channels, first, last, x_row, step_y, step_x, kw, x_size
        const void *ahead
        Py_ssize_t ahead_size
        int wide_index
        const void *mean, *scale, *shift
        void *winners
        double ceiling

    ctypedef struct fc_places:
        Py_ssize_t first, last, start, step

    ctypedef struct fc_move_job:
        void *y
        const void *x, *blank
        fc_places rows, cols
        Py_ssize_t oh, ow, iw, size

    ctypedef struct fc_source:
        Py_ssize_t out, tap
        double weight

    ctypedef struct fc_resample_job:
        void *y, *scratch
        const void *x
        const fc_source *rows
        const fc_source *cols
        const Py_ssize_t *start
        Py_ssize_t n_rows, ow, iw, channels
        int copies, past_cache

    ctypedef struct fc_gather_job:
        void *dx
        const void *dy, *index
        const fc_source *rows, *cols
        const Py_ssize_t *start
        Py_ssize_t n_rows, iw, channels, first, last, dy_size
        const void *places, *x, *mean, *scale, *slope, *offset
        int wide_index, past_cache

    ctypedef struct fc_scatter_job:
        void *dx
        const void *dy, *index
        const fc_span *rows
        const fc_span *cols
        Py_ssize_t oh, ow, size, channels, first, last, row, step_y, step_x, kw
        int wide_index

    cdef enum:
        FC_CLAMP, FC_RELU6, FC_LEAKY_RELU, FC_ELU, FC_SIGMOID, FC_TANH, FC_SILU, FC_GELU, FC_GELU_TANH, FC_HARDSIGMOID
        FC_HARDSWISH, FC_SOFTPLUS, FC_EXP, FC_LOG, FC_SQRT, FC_ABS

    ctypedef struct fc_activation_job:
        void *out
        const void *dy, *x
        Py_ssize_t n
        double p, q
        int kind, past_cache

    ctypedef struct fc_norm_job:
        void *out, *scratch
        const void *x, *dy, *also, *y, *residual, *mean, *scale, *shift, *slope, *offset
        Py_ssize_t width, rows, stride, n
        double ceiling
        int relu, past_cache

    cdef enum:
        FC_SQUARE, FC_ABSOLUTE, FC_HUBER, FC_LOGITS, FC_WEIGHTED_LOGITS, FC_DIVERGENCE, FC_LOG_DIVERGENCE

    ctypedef struct fc_loss_job:
        void *out
        const void *x
        const void *target
        const void *weight
        const void *pos_weight
        const void *dy
        Py_ssize_t n
        double p, factor
        int kind, of_target

    ctypedef struct fc_soft_job:
        const void *x, *target, *weight
        void *kept, *out
        Py_ssize_t classes
        double smoothing, dloss
        int of_target

    ctypedef struct fc_group_job:
        void *mean
        void *scale
        void *shift
        void *slope
        void *offset
        const void *means
        const void *rstds
        const void *weight
        const void *bias
        const double *sums
        double count
        Py_ssize_t channels, groups

    ctypedef struct fc_run_norm_job:
        void *out, *mean, *rstd, *dweight, *dbias
        const void *x, *dy, *weight, *bias
        Py_ssize_t rows, groups, n
        double eps
        int past_cache

    ctypedef struct fc_depthwise_job:
        void *y
        const void *w, *bias
        const void *const *rows
        const Py_ssize_t *row_taps
        const Py_ssize_t *cols
        const Py_ssize_t *col_taps
        const void *const *ahead
        Py_ssize_t n_rows, n_outside, nx, step, up, shift, x0, w_tap, begin, end, width, first, last, y_pixel, x_pixel, n_ahead
        void *moments
        const fc_epilogue *epilogue
        int near, fresh, past_cache

    ctypedef struct fc_depthwise_weight_job:
        void *dw
        const void *dy
        const void *const *rows
        const void *dy_ahead
        const void *const *ahead
        Py_ssize_t kh, kw, w_tap, step, dilation, x0, begin, end, width, first, last, y_pixel, x_pixel, n_ahead

    ctypedef struct fc_update:
        double lr, weight_decay, eps, momentum, dampening, beta1, beta2, lr_decay, momentum_decay, trust_coefficient
        double step, fresh, root, trust
        int first, nesterov, decoupled, maximize

    ctypedef void (*fc_rule)(void *p, const void *g, void *const *states, Py_ssize_t n, const fc_update *options) noexcept nogil

    ctypedef void (*fc_measure)(const void *p, const void *g, void *const *states, Py_ssize_t n, const fc_update *options,
                                double *squares) noexcept nogil

    ctypedef struct fc_ukr:
        const char *name
        Py_ssize_t item, lanes, mr, nr
        void tile_rows(const fc_tile_job *job) noexcept nogil
        void tile_rows_streamed(const fc_tile_job *job, fc_streams *streams) noexcept nogil
        void tile_moments_end(double *mean, double *m2, const void *sums, double count, Py_ssize_t n) noexcept nogil
        void pack_run(void *dst, const void *src, Py_ssize_t n, Py_ssize_t width, Py_ssize_t count, Py_ssize_t stride_k,
                      Py_ssize_t stride_n) noexcept nogil
        void unpack_run(void *dst, const void *src, Py_ssize_t n, Py_ssize_t width, Py_ssize_t count, Py_ssize_t stride_k,
                        Py_ssize_t stride_n) noexcept nogil
        void pack_image(void *dst, const void *src, Py_ssize_t y0, Py_ssize_t rows, Py_ssize_t x0, Py_ssize_t cols,
                        Py_ssize_t height, Py_ssize_t width, Py_ssize_t row_stride, Py_ssize_t pixel_stride, Py_ssize_t channels,
                        Py_ssize_t dst_pixel) noexcept nogil
        void add(void *dst, const void *src, Py_ssize_t n) noexcept nogil
        void shift_row(const fc_shift_job *job) noexcept nogil
        void slide_rows(const fc_slide_job *job) noexcept nogil
        void winograd_weight(void *u, Py_ssize_t u_slice, const void *w, Py_ssize_t s_out, Py_ssize_t s_in, Py_ssize_t s_r,
                             Py_ssize_t s_s, Py_ssize_t n, Py_ssize_t depth, const fc_winograd_points *p) noexcept nogil
        void winograd_input(void *v, const void *x, const fc_winograd_block *blk, const fc_winograd_points *p) noexcept nogil
        void square_product(void *c, const void *a, const void *b, Py_ssize_t ldb, Py_ssize_t rows,
                            fc_streams *streams) noexcept nogil
        void winograd_output(void *y, const void *m, const void *bias, const fc_epilogue *e, void *moments,
                             const fc_winograd_block *blk, const fc_winograd_points *p) noexcept nogil
        void winograd_dy(void *v, const void *dy, const fc_winograd_block *blk, const fc_winograd_points *p) noexcept nogil
        void winograd_dw(void *panel, Py_ssize_t panel_tap, const void *m, Py_ssize_t m_slice, Py_ssize_t count, Py_ssize_t width,
                         const fc_winograd_points *p) noexcept nogil
        void repeat(void *y, const void *x, Py_ssize_t n, Py_ssize_t m) noexcept nogil
        void join(void *y, const void *x, Py_ssize_t n, Py_ssize_t m) noexcept nogil
        void relu(void *y, const void *x, Py_ssize_t n, int past_cache) noexcept nogil
        void relu_mask(void *dx, const void *dy, const void *y, Py_ssize_t n, int past_cache) noexcept nogil
        void activation(const fc_activation_job *job) noexcept nogil
        void column_sums(double *sums, void *scratch, const void *x, Py_ssize_t rows, Py_ssize_t width,
                         Py_ssize_t stride) noexcept nogil
        void fold(double *out, const double *part, Py_ssize_t blocks, Py_ssize_t width) noexcept nogil
        void transpose(void *dst, Py_ssize_t ldd, const void *src, Py_ssize_t lds, Py_ssize_t rows,
                       Py_ssize_t cols) noexcept nogil
        void binary_row(int op, void *z, Py_ssize_t sz, const void *a, Py_ssize_t sa, const void *b, Py_ssize_t sb,
                        Py_ssize_t n) noexcept nogil
        void share_row(void *dx, const void *dz, const void *a, Py_ssize_t sa, const void *b, Py_ssize_t sb,
                       Py_ssize_t n) noexcept nogil
        void where_row(void *z, const uint8_t *kept, const void *a, Py_ssize_t sa, const void *b, Py_ssize_t sb,
                       Py_ssize_t n) noexcept nogil
        void survive(uint8_t *kept, const float *draw, Py_ssize_t n, float p) noexcept nogil
        void drop(void *y, const void *x, const uint8_t *kept, Py_ssize_t n, double scale) noexcept nogil
        void blend(void *running, const void *statistic, Py_ssize_t n, double momentum, double factor) noexcept nogil
        void move_pixels(const fc_move_job *job) noexcept nogil
        void scale_pixels(void *y, const void *x, int bytes, Py_ssize_t n, const void *scale, const void *shift,
                          Py_ssize_t period) noexcept nogil
        void max_row(const fc_window_job *job) noexcept nogil
        void mean_row(const fc_window_job *job) noexcept nogil
        void resample_row(const fc_resample_job *job) noexcept nogil
        int gather_places(void *places, const fc_gather_job *job) noexcept nogil
        void gather_row(const fc_gather_job *job) noexcept nogil
        void scatter_image(const fc_scatter_job *job) noexcept nogil
        void depthwise_row(const fc_depthwise_job *job) noexcept nogil
        void depthwise_weight_row(const fc_depthwise_weight_job *job) noexcept nogil
        void moments(double *mean, double *m2, void *scratch, const void *x, Py_ssize_t rows, Py_ssize_t width,
                     Py_ssize_t stride) noexcept nogil
        void merge_moments(double *mean, double *m2, const double *part_mean, const double *part_m2, const double *count,
                           Py_ssize_t blocks, Py_ssize_t width) noexcept nogil
        void norm_forward(const fc_norm_job *job) noexcept nogil
        void norm_sums(const fc_norm_job *job, double *sums, double *products) noexcept nogil
        void norm_backward(const fc_norm_job *job) noexcept nogil
        void group_coefficients(const fc_group_job *job) noexcept nogil
        void run_norm(const fc_run_norm_job *job) noexcept nogil
        void run_norm_backward(const fc_run_norm_job *job) noexcept nogil
        void softmax_row(void *y, const void *x, Py_ssize_t n, int logarithm) noexcept nogil
        void softmax_gradient_row(void *dx, const void *dy, const void *y, Py_ssize_t n, int logarithm) noexcept nogil
        double soft_cross_entropy(const fc_soft_job *job) noexcept nogil
        void soft_cross_entropy_gradient(const fc_soft_job *job) noexcept nogil
        double loss(const fc_loss_job *job) noexcept nogil
        void loss_gradient(const fc_loss_job *job) noexcept nogil
        double cross_entropy_row(void *probs, const void *logits, Py_ssize_t classes, Py_ssize_t target,
                                 double smoothing) noexcept nogil
        void cross_entropy_gradient_row(void *dlogits, const void *probs, Py_ssize_t classes, Py_ssize_t target, double dloss,
                                        double smoothing) noexcept nogil
        fc_rule sgd, rmsprop, adam, nadam, adagrad, lamb
        fc_measure lars_norms, lamb_norms
        double square_sum(const void *x, Py_ssize_t n) noexcept nogil
        void scale(void *x, Py_ssize_t n, double factor) noexcept nogil
        double fma_burst(Py_ssize_t iterations) noexcept nogil


cdef const fc_ukr *table(Py_ssize_t item) except NULL
