/* kernels.ukr.ukr: the table of micro-kernels that one instruction set offers, and the jobs that they take.
 *
 * Pointers are void so that one loop nest serves float32 and float64; the table that the caller chose says which.
 * All strides and sizes are in elements. The contract of each function stands in docs/kernels.md. */
#ifndef FASTCNN_UKR_H
#define FASTCNN_UKR_H

#include <stddef.h>
#include <stdint.h>

/* Output pixels (`rows` image rows of `cols` pixels) times one panel of `n` <= nr output channels:
 *   c[y*c_row + x*ldc + j] (+)= sum_s sum_k a[y*a_row + x*lda + seg[s] + k*ka] * b[(s*kseg + k)*ldb + j]
 * then ReLU if asked; bias[j] is where the sum starts when it does not accumulate. */
typedef struct {
    void *c;
    const void *a, *b, *bias; /* bias may be NULL; it is not read when accumulating */
    const ptrdiff_t *seg;
    ptrdiff_t nseg, kseg;
    ptrdiff_t rows, cols, n;
    ptrdiff_t c_row, ldc, a_row, lda, ka, ldb;
    int accumulate, relu;
} fc_tile_job;

/* Winograd F(4x4,3x3) on the points 0, +-a, +-b, infinity: what the transforms need, see kernels/winograd.py. */
typedef struct {
    double a, b;
    double weight[6][3]; /* G */
} fc_winograd_points;

/* A block of Winograd tiles of one batch of images; tile t covers output rows 4*ty.. and columns 4*tx.. of image n. */
typedef struct {
    ptrdiff_t tiles_y, tiles_x, height, width; /* of the image that this transform touches */
    ptrdiff_t batch_stride, row_stride, pixel_stride, channels;
    ptrdiff_t pad_top, pad_left; /* input transform only */
    ptrdiff_t slice, row;        /* v[xi*slice + t*row + channel] */
    ptrdiff_t first, count;      /* tiles of this block */
} fc_winograd_block;

typedef struct {
    const char *name;
    ptrdiff_t item, lanes, mr, nr; /* bytes of an element, vector lanes, rows and columns of the register tile */

    /* gemm.h */
    void (*tile_rows)(const fc_tile_job *job);
    void (*pack_run)(void *dst, const void *src, ptrdiff_t n, ptrdiff_t width, ptrdiff_t count, ptrdiff_t stride_k,
                     ptrdiff_t stride_n);
    void (*unpack_run)(void *dst, const void *src, ptrdiff_t n, ptrdiff_t width, ptrdiff_t count, ptrdiff_t stride_k,
                       ptrdiff_t stride_n);
    void (*pack_image)(void *dst, const void *src, ptrdiff_t y0, ptrdiff_t rows, ptrdiff_t x0, ptrdiff_t cols, ptrdiff_t height,
                       ptrdiff_t width, ptrdiff_t row_stride, ptrdiff_t pixel_stride, ptrdiff_t channels, ptrdiff_t dst_pixel);
    void (*add)(void *dst, const void *src, ptrdiff_t n);

    /* winograd.h */
    void (*winograd_weight)(void *u, ptrdiff_t u_slice, const void *panel, ptrdiff_t panel_tap, ptrdiff_t count, ptrdiff_t width,
                            const fc_winograd_points *p);
    void (*winograd_input)(void *v, const void *x, const fc_winograd_block *blk, const fc_winograd_points *p);
    void (*winograd_output)(void *y, const void *m, const void *bias, int relu, const fc_winograd_block *blk,
                            const fc_winograd_points *p);

    /* probe.h */
    double (*fma_burst)(ptrdiff_t iterations);
} fc_ukr;

/* level: 0 generic, 1 avx2, 2 avx512; item: 4 or 8. NULL when this build does not have the level. */
const fc_ukr *fc_ukr_table(int level, int item);

#endif
