/* kernels.ukr.gemm: the register tile that GEMM and direct convolution share, and packing; included by body.h, no guard.
 *
 * One tile is MR pixels x NV vectors of output channels, held in registers over the whole depth. The rows of a tile stand in
 * two runs: the first (MR+1)/2 rows at `lo`, the others at `hi`. A plain tile has hi = lo + (MR+1)/2 rows; on narrow images
 * the halves are two image rows, so that a 7x7 image still fills a 14-row tile. */

typedef struct {
    real *c_lo, *c_hi;
    const real *a_lo, *a_hi;
} FC_FN(spot);

/* The last panel of an array whose channels do not fill it: n columns of a spilled tile. */
static __attribute__((noinline)) void FC_FN(store_columns)(const fc_tile_job *j, FC_FN(spot) at, int mr, const real *spill) {
    const int half = (mr + 1) / 2;
    for (int i = 0; i < mr; i++) {
        real *c = i < half ? at.c_lo + i * j->ldc : at.c_hi + (i - half) * j->ldc;
        for (ptrdiff_t k = 0; k < j->n; k += LANES) {
            vec r = load(spill + i * NR + k);
            if (j->accumulate) r += load_part(c + k, j->n - k);
            store_part(c + k, j->relu ? relu_vec(r) : r, j->n - k);
        }
    }
}

INLINE void FC_FN(tile)(const fc_tile_job *j, FC_FN(spot) at, const int mr, const int nv) {
    const int half = (mr + 1) / 2;
    const ptrdiff_t n = j->n;
    const int full = n >= nv * LANES;
    vec acc[FC_MR][2]; /* every loop over it is unrolled, every branch spans all of it: it must live in registers */
    if (j->accumulate && full) {
        UNROLL
        for (int i = 0; i < mr; i++) {
            const real *c = i < half ? at.c_lo + i * j->ldc : at.c_hi + (i - half) * j->ldc;
            UNROLL
            for (int v = 0; v < nv; v++) acc[i][v] = load(c + v * LANES);
        }
    } else {
        vec start[2] = {splat(0), splat(0)};
        if (j->bias && !j->accumulate) {
            start[0] = load_part((const real *)j->bias, n);
            if (nv == 2) start[1] = load_part((const real *)j->bias + LANES, n - LANES);
        }
        UNROLL
        for (int i = 0; i < mr; i++) {
            UNROLL
            for (int v = 0; v < nv; v++) acc[i][v] = start[v];
        }
    }
    const ptrdiff_t lda = j->lda, ka = j->ka, ldb = j->ldb, kseg = j->kseg, nseg = j->nseg;
    const ptrdiff_t *seg = j->seg;
    const real *b = j->b;
    for (ptrdiff_t s = 0; s < nseg; s++) {
        const real *lo = at.a_lo + seg[s], *hi = at.a_hi + seg[s];
        for (ptrdiff_t k = 0; k < kseg; k++) {
            vec bv[2];
            UNROLL
            for (int v = 0; v < nv; v++) bv[v] = load(b + v * LANES);
            UNROLL
            for (int i = 0; i < mr; i++) {
                const vec av = splat(i < half ? lo[i * lda] : hi[(i - half) * lda]);
                UNROLL
                for (int v = 0; v < nv; v++) acc[i][v] += av * bv[v];
            }
            lo += ka;
            hi += ka;
            b += ldb;
        }
    }
    if (!full) {
        real spill[FC_MR * NR];
        UNROLL
        for (int i = 0; i < mr; i++) {
            UNROLL
            for (int v = 0; v < nv; v++) store(spill + i * NR + v * LANES, acc[i][v]);
        }
        FC_FN(store_columns)(j, at, mr, spill);
        return;
    }
    if (j->relu) {
        UNROLL
        for (int i = 0; i < mr; i++) {
            UNROLL
            for (int v = 0; v < nv; v++) acc[i][v] = relu_vec(acc[i][v]);
        }
    }
    UNROLL
    for (int i = 0; i < mr; i++) {
        real *c = i < half ? at.c_lo + i * j->ldc : at.c_hi + (i - half) * j->ldc;
        UNROLL
        for (int v = 0; v < nv; v++) store(c + v * LANES, acc[i][v]);
    }
}

/* clang-format off */
#define FC_TILE_CASE(m) \
    case m: \
        if ((m) <= FC_MR) FC_FN(tile)(j, at, (m) <= FC_MR ? (m) : 1, nv); \
        break;

#define FC_TILE_SWITCH(stem, width) \
    static __attribute__((noinline)) void FC_FN(stem)(const fc_tile_job *j, FC_FN(spot) at, ptrdiff_t mr) { \
        const int nv = width; \
        switch (mr) { \
            FC_TILE_CASE(1) FC_TILE_CASE(2) FC_TILE_CASE(3) FC_TILE_CASE(4) FC_TILE_CASE(5) FC_TILE_CASE(6) FC_TILE_CASE(7) \
            FC_TILE_CASE(8) FC_TILE_CASE(9) FC_TILE_CASE(10) FC_TILE_CASE(11) FC_TILE_CASE(12) FC_TILE_CASE(13) FC_TILE_CASE(14) \
        } \
    }
/* clang-format on */
FC_TILE_SWITCH(tile_wide, 2)
FC_TILE_SWITCH(tile_narrow, 1)

static void FC_FN(tile_rows)(const fc_tile_job *j) {
    void (*const run)(const fc_tile_job *, FC_FN(spot), ptrdiff_t) = j->n > LANES ? FC_FN(tile_wide) : FC_FN(tile_narrow);
    const real *a = j->a;
    real *c = j->c;
    ptrdiff_t y = 0;
    if (2 * j->cols <= FC_MR)
        for (; y + 2 <= j->rows; y += 2) {
            FC_FN(spot) at = {c + y * j->c_row, c + (y + 1) * j->c_row, a + y * j->a_row, a + (y + 1) * j->a_row};
            run(j, at, 2 * j->cols);
        }
    const ptrdiff_t tiles = (j->cols + FC_MR - 1) / FC_MR; /* equal tiles: 15 pixels are 8 + 7, not 14 + 1 */
    for (; y < j->rows; y++)
        for (ptrdiff_t t = 0, x = 0; t < tiles; t++) {
            const ptrdiff_t mr = j->cols / tiles + (t < j->cols % tiles), half = (mr + 1) / 2;
            const real *at_a = a + y * j->a_row + x * j->lda;
            real *at_c = c + y * j->c_row + x * j->ldc;
            FC_FN(spot) at = {at_c, at_c + half * j->ldc, at_a, at_a + half * j->lda};
            run(j, at, mr);
            x += mr;
        }
}

/* dst[k*width + i] = src[k*stride_k + i*stride_n] for i < n, zero for n <= i < width. */
static void FC_FN(pack_run)(void *dst_, const void *src_, ptrdiff_t n, ptrdiff_t width, ptrdiff_t count, ptrdiff_t stride_k,
                            ptrdiff_t stride_n) {
    real *dst = dst_;
    const real *src = src_;
    if (n < width)
        for (ptrdiff_t k = 0; k < count; k++) memset(dst + k * width + n, 0, (size_t)(width - n) * sizeof(real));
    if (stride_n == 1) {
        for (ptrdiff_t k = 0; k < count; k++) memcpy(dst + k * width, src + k * stride_k, (size_t)n * sizeof(real));
        return;
    }
    ptrdiff_t i = 0;
    if (stride_k == 1)
        for (; i + 4 <= n; i += 4) { /* four source rows at a time: more would meet in few cache sets at power-of-two strides */
            const real *s0 = src + i * stride_n, *s1 = s0 + stride_n, *s2 = s1 + stride_n, *s3 = s2 + stride_n;
            for (ptrdiff_t k = 0; k < count; k++) {
                real *d = dst + k * width + i;
                d[0] = s0[k];
                d[1] = s1[k];
                d[2] = s2[k];
                d[3] = s3[k];
            }
        }
    for (; i < n; i++)
        for (ptrdiff_t k = 0; k < count; k++) dst[k * width + i] = src[k * stride_k + i * stride_n];
}

/* The inverse of pack_run: dst[k*stride_k + i*stride_n] = src[k*width + i] for i < n. */
static void FC_FN(unpack_run)(void *dst_, const void *src_, ptrdiff_t n, ptrdiff_t width, ptrdiff_t count, ptrdiff_t stride_k,
                              ptrdiff_t stride_n) {
    real *dst = dst_;
    const real *src = src_;
    if (stride_n == 1) {
        for (ptrdiff_t k = 0; k < count; k++) memcpy(dst + k * stride_k, src + k * width, (size_t)n * sizeof(real));
        return;
    }
    ptrdiff_t i = 0;
    if (stride_k == 1)
        for (; i + 4 <= n; i += 4) {
            real *d0 = dst + i * stride_n, *d1 = d0 + stride_n, *d2 = d1 + stride_n, *d3 = d2 + stride_n;
            for (ptrdiff_t k = 0; k < count; k++) {
                const real *s = src + k * width + i;
                d0[k] = s[0];
                d1[k] = s[1];
                d2[k] = s[2];
                d3[k] = s[3];
            }
        }
    for (; i < n; i++)
        for (ptrdiff_t k = 0; k < count; k++) dst[k * stride_k + i * stride_n] = src[k * width + i];
}

/* dst[y][x][c] (pixel stride dst_pixel) = the window of the image that starts at (y0, x0), zero outside the image. */
static void FC_FN(pack_image)(void *dst_, const void *src_, ptrdiff_t y0, ptrdiff_t rows, ptrdiff_t x0, ptrdiff_t cols,
                              ptrdiff_t height, ptrdiff_t width, ptrdiff_t row_stride, ptrdiff_t pixel_stride, ptrdiff_t channels,
                              ptrdiff_t dst_pixel) {
    const ptrdiff_t left = x0 < 0 ? (-x0 < cols ? -x0 : cols) : 0;
    const ptrdiff_t stop = width - x0 < cols ? (width - x0 > left ? width - x0 : left) : cols;
    for (ptrdiff_t y = 0; y < rows; y++) {
        real *d = (real *)dst_ + y * cols * dst_pixel;
        if (y0 + y < 0 || y0 + y >= height) {
            memset(d, 0, (size_t)(cols * dst_pixel) * sizeof(real));
            continue;
        }
        const real *s = (const real *)src_ + (y0 + y) * row_stride + (x0 + left) * pixel_stride;
        memset(d, 0, (size_t)(left * dst_pixel) * sizeof(real));
        if (pixel_stride == dst_pixel && pixel_stride == channels)
            memcpy(d + left * dst_pixel, s, (size_t)((stop - left) * channels) * sizeof(real));
        else
            for (ptrdiff_t x = left; x < stop; x++)
                memcpy(d + x * dst_pixel, s + (x - left) * pixel_stride, (size_t)channels * sizeof(real));
        memset(d + stop * dst_pixel, 0, (size_t)((cols - stop) * dst_pixel) * sizeof(real));
    }
}

static void FC_FN(add)(void *dst_, const void *src_, ptrdiff_t n) {
    real *dst = dst_;
    const real *src = src_;
    ptrdiff_t i = 0;
    for (; i + LANES <= n; i += LANES) store(dst + i, load(dst + i) + load(src + i));
    for (; i < n; i++) dst[i] += src[i];
}
