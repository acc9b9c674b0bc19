/* kernels.ukr.ukr: the table of micro-kernels that one instruction set offers, and the jobs that they take.
 *
 * Pointers are void so that one loop nest serves float32 and float64; the table that the caller chose says which.
 * All strides and sizes are in elements. The contract of each function stands in docs/kernels.md. */
#ifndef FASTCNN_UKR_H
#define FASTCNN_UKR_H

#include <stddef.h>
#include <stdint.h>

/* What becomes of a result before it is stored: min(max(v + residual, low), high); NaN stays NaN. */
typedef struct {
    ptrdiff_t away; /* bytes from an element of the result to its residual */
    double low, high;
    int adds, bounds; /* which of the two */
} fc_epilogue;

/* Output pixels (`rows` image rows of `cols` pixels) times one panel of `n` <= nr output channels:
 *   c[y*c_row + x*ldc + j] (+)= sum_s sum_k a[y*a_row + x*lda + seg[s] + k*ka] * b[(s*kseg + k)*ldb + j]
 * then the epilogue unless it is NULL; bias[j] is where the sum starts when it does not accumulate. */
typedef struct {
    void *c;
    const void *a, *b, *bias; /* bias may be NULL; it is not read when accumulating */
    const ptrdiff_t *seg;
    ptrdiff_t nseg, kseg;
    ptrdiff_t rows, cols, n;
    ptrdiff_t c_row, ldc, a_row, lda, ka, ldb;
    int accumulate;
    const fc_epilogue *epilogue;
} fc_tile_job;

/* Winograd F(4x4,3x3) on the points 0, +-a, +-b, infinity: what the transforms need, see kernels/winograd.py. */
typedef struct {
    double a, b;
    double weight[6][3]; /* G */
} fc_winograd_points;

/* A Winograd tile: its first output pixel, its number in the block before they were sorted by kind, and for the moments of the
 * outputs the part of the block to which it belongs; `opens`: no tile of that part stands before it. */
typedef struct {
    ptrdiff_t image, y, x, number;
    int part, opens;
} fc_winograd_tile;

/* A block of Winograd tiles of one batch of images. Tiles start[k] <= t < start[k + 1] are of kind k; the outputs of the kinds are
 * 3x4, 4x4, 4x3 and 3x3 (rows x columns), so that those with four rows, and those with four columns, stand side by side. */
typedef struct {
    const fc_winograd_tile *tiles;
    ptrdiff_t start[5];
    ptrdiff_t height, width; /* of the image that this transform touches */
    ptrdiff_t batch_stride, row_stride, pixel_stride, channels;
    ptrdiff_t pad_top, pad_left; /* input transform only */
    ptrdiff_t slice, row;        /* v[xi*slice + t*row + channel] */
} fc_winograd_block;

/* Along one axis, the taps of a window that lie inside the image: `count` of them, the first at coordinate `at` is tap `tap` of
 * the kernel; `divisor` taps count for a mean, `weight` is its inverse. */
typedef struct {
    ptrdiff_t at, count, tap, divisor;
    double weight;
} fc_span;

/* One row of windows of a channels-last image, channels first <= c < last. */
typedef struct {
    void *y, *index; /* row of outputs; index may be NULL */
    const void *x;   /* image */
    const fc_span *cols;
    fc_span row;
    ptrdiff_t ow, channels, first, last;
    ptrdiff_t x_row, step_y, step_x, kw; /* steps from tap to tap, elements; taps in a kernel row */
    ptrdiff_t x_size;                    /* elements from x to the end of its buffer */
    const void *ahead;                   /* ahead_size elements that the next row will read: to be prefetched */
    ptrdiff_t ahead_size;
    int wide_index; /* int32, else uint8 */
    /* maxima behind a normalisation and its ReLU only, see max_row */
    const void *mean, *scale, *shift; /* NULL, or of each channel, repeated to channels + lanes */
    void *winners;                    /* row of outputs; needed with index */
    double ceiling;
} fc_window_job;

/* A row of windows that covers a row of pixels: its offset in dy in elements, kw times its tap, its weight in a mean. */
typedef struct {
    ptrdiff_t out, tap;
    double weight;
} fc_source;

/* One row of a resampled image from rows of x and then pixels of a row: sources start[q] .. start[q + 1] for pixel q. */
typedef struct {
    void *y, *scratch; /* scratch: iw * channels */
    const void *x;     /* image */
    const fc_source *rows, *cols;
    const ptrdiff_t *start;
    ptrdiff_t n_rows, ow, iw, channels;
    int copies;     /* each pixel of a row has one source, of weight 1 */
    int past_cache; /* y is aligned to a vector, channels a multiple of the lanes, and too large for caches */
} fc_resample_job;

/* One row of pixels of dx from the windows that cover them, channels first <= c < last; see gather_row. */
typedef struct {
    void *dx;                     /* row */
    const void *dy, *index;       /* image of windows; index NULL: a mean */
    const fc_source *rows, *cols; /* tap of cols: not times kw */
    const ptrdiff_t *start;       /* cols start[q] .. start[q + 1] cover pixel q */
    ptrdiff_t n_rows, iw, channels, first, last;
    ptrdiff_t dy_size;  /* elements from dy to the end of its buffer */
    const void *places; /* NULL, or what gather_places has written: for windows apart and no more channels than lanes */
    /* NULL, or a normalisation before the maxima: its row of x, and of each channel, repeated to channels + lanes */
    const void *x, *mean, *scale, *slope, *offset;
    int wide_index;
    int past_cache; /* dx is aligned to a vector, channels a multiple of the lanes, and too large for caches */
} fc_gather_job;

/* The gradient of the maxima of one image, channels first <= c < last, by the saved taps alone: for windows of many taps. */
typedef struct {
    void *dx;               /* image */
    const void *dy, *index; /* image */
    const fc_span *rows, *cols;
    ptrdiff_t oh, ow, size, channels, first, last; /* size: pixels of dx */
    ptrdiff_t row, step_y, step_x, kw;             /* elements of a row of dx, from tap to tap; taps in a kernel row */
    int wide_index;
} fc_scatter_job;

/* The activations, see activation.h. */
enum {
    FC_CLAMP,
    FC_RELU6,
    FC_LEAKY_RELU,
    FC_ELU,
    FC_SIGMOID,
    FC_TANH,
    FC_SILU,
    FC_GELU,
    FC_GELU_TANH,
    FC_HARDSIGMOID,
    FC_HARDSWISH,
    FC_SOFTPLUS,
    FC_EXP,
    FC_LOG,
    FC_SQRT,
    FC_ABS
};
/* n elements of an activation, or of its gradient when dy is not NULL; x is then what forward saved. */
typedef struct {
    void *out;
    const void *dy, *x;
    ptrdiff_t n;
    double p, q; /* parameters */
    int kind;
    int past_cache; /* out is aligned to a vector and too large for caches */
} fc_activation_job;

/* What is needed soon: runs of `run` bytes with `gap` bytes between them, up to `end`, the present run up to `stop`; `lines` lines are
 * fetched with every segment of a tile's depth. Addresses are integers, since the last may lie beyond its array. */
typedef struct {
    uintptr_t at, stop, end;
    ptrdiff_t run, gap, lines;
} fc_ahead;

/* Operands of tiles that stream through the caches, and statistics of what they store. */
typedef struct {
    fc_ahead ahead[2];
    int past_cache; /* c is aligned to a vector, c_row, ldc and n are whole vectors, and c too large for caches */
    int fresh;      /* the next tile is the first of those in `moments` */
    void *moments;  /* of c as it is stored, 3 * nr elements for tile_moments_end; NULL: not asked for */
} fc_streams;

/* Normalisation of rows of `width` columns; see norm.h. The coefficients have `width` values each. */
typedef struct {
    void *out, *scratch;
    const void *x, *dy, *also, *y, *residual;          /* also (added to dy), y and residual may be NULL */
    const void *mean, *scale, *shift, *slope, *offset; /* slope, offset: backward only */
    ptrdiff_t width, rows, stride;                     /* of a tile of sums */
    ptrdiff_t n;                                       /* elements of an elementwise run */
    double ceiling;                                    /* of the ReLU; infinity: none */
    int relu;
    int past_cache; /* of an elementwise run: out is aligned to a vector, width a multiple of the lanes, and too large for caches */
} fc_norm_job;

/* The coefficients of one pixel of an image for norm_forward or, with sums, norm_backward; see group_coefficients. */
typedef struct {
    void *mean, *scale, *shift, *slope, *offset; /* of each channel; the first three, where NULL, are not written */
    const void *means, *rstds; /* of each group */
    const void *weight, *bias; /* of each channel, or NULL */
    const double *sums; /* NULL, or of each channel: of dy, then of dy * (x - mean) */
    double count; /* values of a group */
    ptrdiff_t channels, groups;
} fc_group_job;

/* Losses of n pairs; see loss.h. */
enum { FC_SQUARE, FC_ABSOLUTE, FC_HUBER, FC_LOGITS, FC_WEIGHTED_LOGITS, FC_DIVERGENCE, FC_LOG_DIVERGENCE };
typedef struct {
    void *out; /* each loss, or NULL; of the gradient: dx */
    const void *x, *target;
    const void *weight, *pos_weight; /* of weighted logits; may be NULL */
    const void *dy; /* of the gradient: of each loss, or NULL */
    ptrdiff_t n;
    double p, factor; /* p: where the Huber loss becomes a line */
    int kind;
    int of_target; /* the gradient is that of the target */
} fc_loss_job;

/* Softmax cross-entropy of the probabilities of one sample; see softmax.h. */
typedef struct {
    const void *x, *target;
    const void *weight; /* of each class, or NULL */
    void *kept; /* three values: OUT of forward, IN of the gradient */
    void *out; /* of the gradient */
    ptrdiff_t classes;
    double smoothing, dloss;
    int of_target;
} fc_soft_job;

/* Normalisation of runs of n values, `groups` of them in a row; see run_norm.h. */
typedef struct {
    void *out; /* y, backward: dx */
    void *mean, *rstd; /* of each run: forward writes them, backward reads them */
    void *dweight, *dbias; /* backward: groups * n sums that the rows are added to */
    const void *x, *dy; /* dy: backward only */
    const void *weight, *bias; /* groups * n values; may be NULL */
    ptrdiff_t rows, groups, n;
    double eps;
    int past_cache; /* out is aligned to a vector, n a multiple of the lanes, and all of the result too large for caches */
} fc_run_norm_job;

/* One row of outputs of a depthwise convolution, channels first <= c < last; see depthwise.h. */
typedef struct {
    void *y; /* row */
    const void *w, *bias; /* bias may be NULL */
    const void *const *rows; /* n_rows rows of the source */
    const ptrdiff_t *row_taps; /* their kernel rows in w, elements; then those of n_outside rows beside the source */
    const ptrdiff_t *cols; /* nx columns of the source for output 0 */
    const ptrdiff_t *col_taps; /* their taps in a kernel row of w, elements */
    ptrdiff_t n_rows, n_outside, nx;
    ptrdiff_t step, up, shift, x0, w_tap; /* near: tap s of output q meets column x0 + (q * step + s + shift) / up */
    ptrdiff_t begin, end; /* outputs */
    ptrdiff_t width, first, last, y_pixel, x_pixel;
    const void *const *ahead; /* n_ahead rows of the source to fetch for the next row of outputs */
    ptrdiff_t n_ahead;
    void *moments; /* NULL, or of each nr channels from `first` on: centre, sums of distances from it, sums of their squares */
    const fc_epilogue *epilogue; /* or NULL */
    int near;
    int fresh; /* the row starts the sums */
    int past_cache; /* y is aligned to a vector, a pixel is a multiple of the lanes, and y too large for caches */
} fc_depthwise_job;

/* One row of dy and the rows of x that it meets; see depthwise.h. */
typedef struct {
    void *dw; /* sums [kh][kw][w_tap] */
    const void *dy;
    const void *const *rows; /* kh rows; NULL beside the image */
    const void *dy_ahead; /* row of dy to fetch, or NULL */
    const void *const *ahead; /* n_ahead rows of x to fetch */
    ptrdiff_t kh, kw, w_tap, step, dilation, x0;
    ptrdiff_t begin, end; /* outputs */
    ptrdiff_t width, first, last, y_pixel, x_pixel, n_ahead;
} fc_depthwise_weight_job;

/* `n_rows` <= mr / 2 rows of `ow` pixels of n channels from rows of sources; see shift.h. */
typedef struct {
    void *y;
    const void *const *rows; /* [n_rows][nseg] rows of `width` pixels of kseg channels */
    const void *b, *bias; /* bias may be NULL */
    ptrdiff_t n_rows, ow, n, width, taps, first, nseg, kseg, ldb, y_row;
    const fc_epilogue *epilogue; /* or NULL */
} fc_slide_job;

/* A row of `ow` pixels of n channels from `width` rows of products, which are `taps` neighbouring pixels each; see shift.h. */
typedef struct {
    void *y;
    const void *t, *bias; /* bias may be NULL */
    ptrdiff_t ow, n, width, ld, taps;
    ptrdiff_t first, step; /* product i, j belongs to pixel i * step + first + j */
    const fc_epilogue *epilogue; /* or NULL */
} fc_shift_job;

/* Outputs first <= i < last of an axis come from place start + step * i of the source; step is 1 or -1. */
typedef struct {
    ptrdiff_t first, last, start, step;
} fc_places;

/* One image moved by whole pixels, in channels-last memory; see pixels.h. */
typedef struct {
    void *y; /* oh x ow pixels of `size` bytes */
    const void *x; /* rows of iw pixels */
    const void *blank; /* a row of ow pixels */
    fc_places rows, cols;
    ptrdiff_t oh, ow, iw, size;
} fc_move_job;

/* Of binary_row: a^b, its slope along a, and from a = x^y and b = x the slope along y; the larger and the smaller of a and b. */
enum { FC_ADD, FC_SUB, FC_MUL, FC_DIV, FC_POW, FC_POW_SLOPE, FC_POW_LOG, FC_MAXIMUM, FC_MINIMUM };

/* What a step of an optimizer is told about one parameter, see update.h: options of its group, and what follows from its count
 * of steps. Each optimizer reads its own. */
typedef struct {
    double lr, weight_decay, eps, momentum, dampening, beta1, beta2, lr_decay, momentum_decay, trust_coefficient;
    double step, fresh, root, trust; /* steps along the mean and along the gradient, root of v's correction, trust ratio */
    int first, nesterov, decoupled, maximize; /* first: the states hold nothing yet */
} fc_update;
typedef void (*fc_rule)(void *p, const void *g, void *const *states, ptrdiff_t n, const fc_update *options);
/* What a rule must know of the whole parameter before its step: squares[0] += the square of p's norm, [1] of the other's. */
typedef void (*fc_measure)(const void *p, const void *g, void *const *states, ptrdiff_t n, const fc_update *options,
                           double *squares);

typedef struct {
    const char *name;
    ptrdiff_t item, lanes, mr, nr; /* bytes of an element, vector lanes, rows and columns of the register tile */

    /* gemm.h */
    void (*tile_rows)(const fc_tile_job *job);
    void (*tile_rows_streamed)(const fc_tile_job *job, fc_streams *streams);
    void (*tile_moments_end)(double *mean, double *m2, const void *sums, double count, ptrdiff_t n);
    void (*pack_run)(void *dst, const void *src, ptrdiff_t n, ptrdiff_t width, ptrdiff_t count, ptrdiff_t stride_k,
                     ptrdiff_t stride_n);
    void (*unpack_run)(void *dst, const void *src, ptrdiff_t n, ptrdiff_t width, ptrdiff_t count, ptrdiff_t stride_k,
                       ptrdiff_t stride_n);
    void (*pack_image)(void *dst, const void *src, ptrdiff_t y0, ptrdiff_t rows, ptrdiff_t x0, ptrdiff_t cols, ptrdiff_t height,
                       ptrdiff_t width, ptrdiff_t row_stride, ptrdiff_t pixel_stride, ptrdiff_t channels, ptrdiff_t dst_pixel);
    void (*add)(void *dst, const void *src, ptrdiff_t n);

    /* shift.h */
    void (*shift_row)(const fc_shift_job *job);
    void (*slide_rows)(const fc_slide_job *job);

    /* winograd.h */
    void (*winograd_weight)(void *u, ptrdiff_t u_slice, const void *w, ptrdiff_t s_out, ptrdiff_t s_in, ptrdiff_t s_r,
                            ptrdiff_t s_s, ptrdiff_t n, ptrdiff_t depth, const fc_winograd_points *p);
    void (*winograd_input)(void *v, const void *x, const fc_winograd_block *blk, const fc_winograd_points *p);
    void (*square_product)(void *c, const void *a, const void *b, ptrdiff_t ldb, ptrdiff_t rows, fc_streams *streams);
    void (*winograd_output)(void *y, const void *m, const void *bias, const fc_epilogue *e, void *moments,
                            const fc_winograd_block *blk, const fc_winograd_points *p);
    void (*winograd_dy)(void *v, const void *dy, const fc_winograd_block *blk, const fc_winograd_points *p);
    void (*winograd_dw)(void *panel, ptrdiff_t panel_tap, const void *m, ptrdiff_t m_slice, ptrdiff_t count, ptrdiff_t width,
                        const fc_winograd_points *p);

    /* rows.h */
    void (*repeat)(void *y, const void *x, ptrdiff_t n, ptrdiff_t m);
    void (*join)(void *y, const void *x, ptrdiff_t n, ptrdiff_t m);
    void (*relu)(void *y, const void *x, ptrdiff_t n, int past_cache);
    void (*relu_mask)(void *dx, const void *dy, const void *y, ptrdiff_t n, int past_cache);
    void (*activation)(const fc_activation_job *job); /* activation.h */
    void (*column_sums)(double *sums, void *scratch, const void *x, ptrdiff_t rows, ptrdiff_t width, ptrdiff_t stride);
    void (*fold)(double *out, const double *part, ptrdiff_t blocks, ptrdiff_t width);
    void (*transpose)(void *dst, ptrdiff_t ldd, const void *src, ptrdiff_t lds, ptrdiff_t rows, ptrdiff_t cols);

    /* elementwise.h */
    void (*binary_row)(int op, void *z, ptrdiff_t sz, const void *a, ptrdiff_t sa, const void *b, ptrdiff_t sb, ptrdiff_t n);
    void (*share_row)(void *dx, const void *dz, const void *a, ptrdiff_t sa, const void *b, ptrdiff_t sb, ptrdiff_t n);
    void (*where_row)(void *z, const uint8_t *kept, const void *a, ptrdiff_t sa, const void *b, ptrdiff_t sb, ptrdiff_t n);
    void (*survive)(uint8_t *kept, const float *draw, ptrdiff_t n, float p);
    void (*drop)(void *y, const void *x, const uint8_t *kept, ptrdiff_t n, double scale);
    void (*blend)(void *running, const void *statistic, ptrdiff_t n, double momentum, double factor);

    /* pixels.h */
    void (*move_pixels)(const fc_move_job *job);
    void (*scale_pixels)(void *y, const void *x, int bytes, ptrdiff_t n, const void *scale, const void *shift, ptrdiff_t period);

    /* pool.h */
    void (*max_row)(const fc_window_job *job);
    void (*mean_row)(const fc_window_job *job);
    void (*resample_row)(const fc_resample_job *job); /* resample.h */
    int (*gather_places)(void *places, const fc_gather_job *job);
    void (*gather_row)(const fc_gather_job *job);
    void (*scatter_image)(const fc_scatter_job *job);

    /* depthwise.h */
    void (*depthwise_row)(const fc_depthwise_job *job);
    void (*depthwise_weight_row)(const fc_depthwise_weight_job *job);

    /* norm.h */
    void (*moments)(double *mean, double *m2, void *scratch, const void *x, ptrdiff_t rows, ptrdiff_t width, ptrdiff_t stride);
    void (*merge_moments)(double *mean, double *m2, const double *part_mean, const double *part_m2, const double *count,
                          ptrdiff_t blocks, ptrdiff_t width);
    void (*norm_forward)(const fc_norm_job *job);
    void (*norm_sums)(const fc_norm_job *job, double *sums, double *products);
    void (*norm_backward)(const fc_norm_job *job);
    void (*group_coefficients)(const fc_group_job *job);

    /* run_norm.h */
    void (*run_norm)(const fc_run_norm_job *job);
    void (*run_norm_backward)(const fc_run_norm_job *job);

    /* softmax.h */
    double (*cross_entropy_row)(void *probs, const void *logits, ptrdiff_t classes, ptrdiff_t target, double smoothing);
    void (*cross_entropy_gradient_row)(void *dlogits, const void *probs, ptrdiff_t classes, ptrdiff_t target, double dloss,
                                       double smoothing);

    double (*soft_cross_entropy)(const fc_soft_job *job);
    void (*soft_cross_entropy_gradient)(const fc_soft_job *job);
    void (*softmax_row)(void *y, const void *x, ptrdiff_t n, int logarithm);
    void (*softmax_gradient_row)(void *dx, const void *dy, const void *y, ptrdiff_t n, int logarithm);

    /* loss.h */
    double (*loss)(const fc_loss_job *job);
    void (*loss_gradient)(const fc_loss_job *job);

    /* update.h */
    fc_rule sgd, rmsprop, adam, nadam, adagrad, lamb;
    fc_measure lars_norms, lamb_norms;
    double (*square_sum)(const void *x, ptrdiff_t n);
    void (*scale)(void *x, ptrdiff_t n, double factor);

    /* probe.h */
    double (*fma_burst)(ptrdiff_t iterations);
} fc_ukr;

/* level: 0 generic, 1 avx2, 2 avx512; item: 4 or 8. NULL when this build does not have the level. */
const fc_ukr *fc_ukr_table(int level, int item);

#endif
