/* kernels.ukr.gemm: the register tile that GEMM and direct convolution share, and packing; included by body.h, no guard.
 *
 * One tile is MR pixels x NV vectors of output channels, held in registers over the whole depth. The rows of a tile stand in
 * two runs: the first (MR+1)/2 rows at `lo`, the others at `hi`. A plain tile has hi = lo + (MR+1)/2 rows; on narrow images
 * the halves are two image rows, so that a 7x7 image still fills a 14-row tile. */

#if !defined(FC_MASKED)
/* The last panel of an array whose channels do not fill it, by way of memory: j->n columns of each row of a tile. */
static __attribute__((noinline)) void FC_FN(load_columns)(const fc_tile_job *j, const real *c_lo, const real *c_hi, int mr,
                                                          real *tile) {
    const int half = (mr + 1) / 2;
    for (int i = 0; i < mr; i++) {
        const real *c = i < half ? c_lo + i * j->ldc : c_hi + (i - half) * j->ldc;
        for (ptrdiff_t k = 0; k < NR; k += LANES) store(tile + i * NR + k, load_part(c + k, j->n - k));
    }
}

static __attribute__((noinline)) void FC_FN(store_columns)(const fc_tile_job *j, real *c_lo, real *c_hi, int mr,
                                                           const real *tile) {
    const int half = (mr + 1) / 2;
    for (int i = 0; i < mr; i++) {
        real *c = i < half ? c_lo + i * j->ldc : c_hi + (i - half) * j->ldc;
        for (ptrdiff_t k = 0; k < j->n; k += LANES) store_part(c + k, load(tile + i * NR + k), j->n - k);
    }
}
#endif

/* Row i of a tile. */
#define FC_ROW(i) ((i) < half ? c_lo + (i) * j->ldc : c_hi + ((i) - half) * j->ldc)

/* In the functions of a tile every loop over its registers is unrolled, and every branch spans all of them. */
INLINE void FC_FN(tile_begin)(const fc_tile_job *j, const real *c_lo, const real *c_hi, vec acc[FC_MR][2], const int mr,
                              const int nv) {
    const int half = (mr + 1) / 2, last = nv - 1;
    const ptrdiff_t tail = j->n - last * LANES; /* columns of the last vector */
    if (!j->accumulate) {
        vec start[2] = {splat(0), splat(0)};
        if (j->bias) {
            if (nv == 2) start[0] = load(j->bias);
            start[last] = load_part((const real *)j->bias + last * LANES, tail);
        }
        UNROLL
        for (int i = 0; i < mr; i++) {
            UNROLL
            for (int v = 0; v < nv; v++) acc[i][v] = start[v];
        }
        return;
    }
    if (tail >= LANES) {
        UNROLL
        for (int i = 0; i < mr; i++) {
            UNROLL
            for (int v = 0; v < nv; v++) acc[i][v] = load(FC_ROW(i) + v * LANES);
        }
        return;
    }
#if defined(FC_MASKED)
    UNROLL
    for (int i = 0; i < mr; i++) {
        if (nv == 2) acc[i][0] = load(FC_ROW(i));
        acc[i][last] = load_tail(FC_ROW(i) + last * LANES, tail);
    }
#else
    real tile[FC_MR * NR];
    FC_FN(load_columns)(j, c_lo, c_hi, mr, tile);
    UNROLL
    for (int i = 0; i < mr; i++) {
        UNROLL
        for (int v = 0; v < nv; v++) acc[i][v] = load(tile + i * NR + v * LANES);
    }
#endif
}

/* Distances of a tile's columns from a centre, and their squares, onto streams->moments: centre, sums, sums of squares, NR values
 * each. The first tile after `fresh` was set makes its own mean the centre, so that little is lost to cancellation later. */
INLINE void FC_FN(tile_moments)(fc_streams *streams, vec acc[FC_MR][2], const int mr, const int nv) {
    real *m = streams->moments;
    vec sum[2], square[2];
    if (streams->fresh) {
        streams->fresh = 0;
        UNROLL
        for (int v = 0; v < nv; v++) {
            vec even = acc[0][v], odd = splat(0);
            UNROLL
            for (int i = 1; i < mr; i++) {
                if (i % 2)
                    odd += acc[i][v];
                else
                    even += acc[i][v];
            }
            store(m + v * LANES, (even + odd) * splat((real)1 / (real)mr));
            store(m + NR + v * LANES, splat(0));
            store(m + 2 * NR + v * LANES, splat(0));
        }
    }
    UNROLL
    for (int v = 0; v < nv; v++) {
        const vec centre = load(m + v * LANES);
        vec even = acc[0][v] - centre, odd = splat(0), even_sq = even * even, odd_sq = splat(0);
        UNROLL
        for (int i = 1; i < mr; i++) {
            const vec d = acc[i][v] - centre;
            if (i % 2) {
                odd += d;
                odd_sq += d * d;
            } else {
                even += d;
                even_sq += d * d;
            }
        }
        sum[v] = even + odd;
        square[v] = even_sq + odd_sq;
    }
    UNROLL
    for (int v = 0; v < nv; v++) {
        store(m + NR + v * LANES, load(m + NR + v * LANES) + sum[v]);
        store(m + 2 * NR + v * LANES, load(m + 2 * NR + v * LANES) + square[v]);
    }
}

/* The sums of a tile, as they are to be stored. */
INLINE void FC_FN(tile_epilogue)(const fc_tile_job *j, const real *c_lo, const real *c_hi, vec acc[FC_MR][2], const int mr,
                                 const int nv) {
    const fc_epilogue *e = j->epilogue;
    const int half = (mr + 1) / 2, last = nv - 1;
    const ptrdiff_t tail = j->n - last * LANES;
    if (e->adds) {
        c_lo = FC_FN(residual)(e, c_lo);
        c_hi = FC_FN(residual)(e, c_hi);
        UNROLL
        for (int i = 0; i < mr; i++) {
            if (nv == 2) acc[i][0] += load(FC_ROW(i));
            acc[i][last] += load_part(FC_ROW(i) + last * LANES, tail);
        }
    }
    if (e->bounds) {
        const vec low = splat((real)e->low), high = splat((real)e->high);
        UNROLL
        for (int i = 0; i < mr; i++) {
            UNROLL
            for (int v = 0; v < nv; v++) acc[i][v] = FC_FN(clip)(acc[i][v], low, high);
        }
    }
}

INLINE void FC_FN(tile_end)(const fc_tile_job *j, real *c_lo, real *c_hi, vec acc[FC_MR][2], const int mr, fc_streams *streams,
                            const int nv) {
    const int half = (mr + 1) / 2, last = nv - 1;
    const ptrdiff_t tail = j->n - last * LANES;
    if (j->epilogue) FC_FN(tile_epilogue)(j, c_lo, c_hi, acc, mr, nv);
    if (streams && streams->moments) FC_FN(tile_moments)(streams, acc, mr, nv);
    if (streams && streams->past_cache) {
        UNROLL
        for (int i = 0; i < mr; i++) {
            UNROLL
            for (int v = 0; v < nv; v++) stream(FC_ROW(i) + v * LANES, acc[i][v]);
        }
        return;
    }
    if (tail >= LANES) {
        UNROLL
        for (int i = 0; i < mr; i++) {
            UNROLL
            for (int v = 0; v < nv; v++) store(FC_ROW(i) + v * LANES, acc[i][v]);
        }
        return;
    }
#if defined(FC_MASKED)
    UNROLL
    for (int i = 0; i < mr; i++) {
        if (nv == 2) store(FC_ROW(i), acc[i][0]);
        store_tail(FC_ROW(i) + last * LANES, acc[i][last], tail);
    }
#else
    real tile[FC_MR * NR];
    UNROLL
    for (int i = 0; i < mr; i++) {
        UNROLL
        for (int v = 0; v < nv; v++) store(tile + i * NR + v * LANES, acc[i][v]);
    }
    FC_FN(store_columns)(j, c_lo, c_hi, mr, tile);
#endif
}

/* A burst of the lines that come next: few enough for the queue of misses, since the next burst is a segment away. */
INLINE void FC_FN(fetch)(fc_streams *streams) {
    for (int i = 0; i < 2; i++) {
        fc_ahead *f = &streams->ahead[i];
        uintptr_t p = f->at;
        for (ptrdiff_t n = f->lines; n > 0 && p < f->end;) {
            uintptr_t stop = p + 64 * (uintptr_t)n;
            if (stop > f->stop) stop = f->stop;
            for (; p < stop; p += 64, n--) __builtin_prefetch((const void *)p);
            if (p >= f->stop) {
                p = f->stop + (uintptr_t)f->gap;
                f->stop = p + (uintptr_t)f->run;
            }
        }
        f->at = p;
    }
}

/* Pointers as arguments, not in a struct: a struct goes through memory, and GCC 12 reads it as one vector right after writing
 * it by parts, which waits for every store before it (160 cycles a tile). */
INLINE void FC_FN(tile)(const fc_tile_job *j, real *c_lo, real *c_hi, const real *a_lo, const real *a_hi, const int mr,
                        fc_streams *streams, const int nv) {
    const int half = (mr + 1) / 2;
    vec acc[FC_MR][2];
    FC_FN(tile_begin)(j, c_lo, c_hi, acc, mr, nv);
    const ptrdiff_t lda = j->lda, ka = j->ka, ldb = j->ldb, kseg = j->kseg, nseg = j->nseg;
    const ptrdiff_t *seg = j->seg;
    const real *b = j->b;
    for (ptrdiff_t s = 0; s < nseg; s++) {
        const real *lo = a_lo + seg[s], *hi = a_hi + seg[s];
        if (streams) FC_FN(fetch)(streams);
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
    FC_FN(tile_end)(j, c_lo, c_hi, acc, mr, streams, nv);
}
#undef FC_ROW

/* clang-format off */
#define FC_TILE_CASE(m) \
    case m: \
        if ((m) <= FC_MR) FC_FN(tile)(j, c_lo, c_hi, a_lo, a_hi, (m) <= FC_MR ? (m) : 1, streams, nv); \
        break;

#define FC_TILE_SWITCH(stem, width) \
    static __attribute__((noinline)) void FC_FN(stem)(const fc_tile_job *j, real *c_lo, real *c_hi, const real *a_lo, \
                                                      const real *a_hi, ptrdiff_t mr, fc_streams *streams) { \
        const int nv = width; \
        switch (mr) { \
            FC_TILE_CASE(1) FC_TILE_CASE(2) FC_TILE_CASE(3) FC_TILE_CASE(4) FC_TILE_CASE(5) FC_TILE_CASE(6) FC_TILE_CASE(7) \
            FC_TILE_CASE(8) FC_TILE_CASE(9) FC_TILE_CASE(10) FC_TILE_CASE(11) FC_TILE_CASE(12) FC_TILE_CASE(13) FC_TILE_CASE(14) \
        } \
    }
/* clang-format on */
FC_TILE_SWITCH(tile_wide, 2)
FC_TILE_SWITCH(tile_narrow, 1)

static void FC_FN(tile_rows_streamed)(const fc_tile_job *j, fc_streams *streams) {
    void (*const run)(const fc_tile_job *, real *, real *, const real *, const real *, ptrdiff_t, fc_streams *) =
        j->n > LANES ? FC_FN(tile_wide) : FC_FN(tile_narrow);
    const real *a = j->a;
    real *c = j->c;
    ptrdiff_t y = 0;
    if (2 * j->cols <= FC_MR)
        for (; y + 2 <= j->rows; y += 2)
            run(j, c + y * j->c_row, c + (y + 1) * j->c_row, a + y * j->a_row, a + (y + 1) * j->a_row, 2 * j->cols, streams);
    /* equal tiles: 15 pixels are 8 + 7, not 14 + 1 */
    const ptrdiff_t tiles = (j->cols + FC_MR - 1) / FC_MR, least = j->cols / tiles, larger = j->cols % tiles;
    for (; y < j->rows; y++) {
        const real *at_a = a + y * j->a_row;
        real *at_c = c + y * j->c_row;
        for (ptrdiff_t t = 0; t < tiles; t++) {
            const ptrdiff_t mr = least + (t < larger), half = (mr + 1) / 2;
            run(j, at_c, at_c + half * j->ldc, at_a, at_a + half * j->lda, mr, streams);
            at_a += mr * j->lda;
            at_c += mr * j->ldc;
        }
    }
    if (streams && streams->past_cache) stream_end();
}

/* What tiles have left of `count` pixels in `sums` -> mean and centred sum of squares of n channels. */
static void FC_FN(tile_moments_end)(double *mean, double *m2, const void *sums_, double count, ptrdiff_t n) {
    const real *sums = sums_;
    for (ptrdiff_t k = 0; k < n; k++) {
        const double sum = (double)sums[NR + k], rest = sum / count;
        mean[k] = (double)sums[k] + rest;
        m2[k] = (double)sums[2 * NR + k] - rest * sum;
    }
}

static void FC_FN(tile_rows)(const fc_tile_job *j) { FC_FN(tile_rows_streamed)(j, NULL); }

/* Elements of a run that are copied by vectors: memcpy and memset are better for longer ones. */
#define FC_SHORT (8 * LANES)

INLINE void FC_FN(copy)(real *dst, const real *src, ptrdiff_t n) {
    if (n > FC_SHORT) {
        memcpy(dst, src, (size_t)n * sizeof(real));
        return;
    }
    for (ptrdiff_t k = 0; k < n; k += LANES) store_part(dst + k, load_part(src + k, n - k), n - k);
}

INLINE void FC_FN(clear)(real *dst, ptrdiff_t n) {
    if (n > FC_SHORT) {
        memset(dst, 0, (size_t)n * sizeof(real));
        return;
    }
    for (ptrdiff_t k = 0; k < n; k += LANES) store_part(dst + k, splat(0), n - k);
}

/* n <= LANES rows of src from column k on, transposed, missing rows and columns as zeros. */
INLINE void FC_FN(load_square)(vec v[FC_FN(lanes)], const real *src, ptrdiff_t n, ptrdiff_t cols, ptrdiff_t stride) {
    if (n == LANES && cols >= LANES) {
        UNROLL
        for (int i = 0; i < FC_FN(lanes); i++) v[i] = load(src + i * stride);
    } else {
        UNROLL
        for (int i = 0; i < FC_FN(lanes); i++) v[i] = i < n ? load_part(src + i * stride, cols) : splat(0);
    }
    FC_FN(transpose_square)(v);
}

/* dst[k*width + i] = src[k*stride_k + i*stride_n] for i < n, zero for n <= i < width. */
static void FC_FN(pack_run)(void *dst_, const void *src_, ptrdiff_t n, ptrdiff_t width, ptrdiff_t count, ptrdiff_t stride_k,
                            ptrdiff_t stride_n) {
    real *dst = dst_;
    const real *src = src_;
    if (stride_n == 1 && width == NR) {
        const ptrdiff_t low = n < LANES ? n : LANES, high = n - low;
        for (ptrdiff_t k = 0; k < count; k++) {
            store(dst + k * NR, load_part(src + k * stride_k, low));
            store(dst + k * NR + LANES, load_part(src + k * stride_k + LANES, high));
        }
        return;
    }
    if (stride_k == 1 && width % LANES == 0) {
        for (ptrdiff_t i = 0; i < width; i += LANES)
            for (ptrdiff_t k = 0; k < count; k += LANES) {
                const ptrdiff_t rows = n - i < LANES ? n - i : LANES, cols = count - k;
                vec v[FC_FN(lanes)];
                FC_FN(load_square)(v, src + i * stride_n + k, rows, cols, stride_n);
                UNROLL
                for (int c = 0; c < FC_FN(lanes); c++)
                    if (c < cols) store(dst + (k + c) * width + i, v[c]);
            }
        return;
    }
    for (ptrdiff_t k = 0; k < count; k++) {
        if (stride_n == 1)
            FC_FN(copy)(dst + k * width, src + k * stride_k, n);
        else
            for (ptrdiff_t i = 0; i < n; i++) dst[k * width + i] = src[k * stride_k + i * stride_n];
        FC_FN(clear)(dst + k * width + n, width - n);
    }
}

/* The inverse of pack_run: dst[k*stride_k + i*stride_n] = src[k*width + i] for i < n. */
static void FC_FN(unpack_run)(void *dst_, const void *src_, ptrdiff_t n, ptrdiff_t width, ptrdiff_t count, ptrdiff_t stride_k,
                              ptrdiff_t stride_n) {
    real *dst = dst_;
    const real *src = src_;
    if (stride_n == 1) {
        for (ptrdiff_t k = 0; k < count; k++) FC_FN(copy)(dst + k * stride_k, src + k * width, n);
        return;
    }
    if (stride_k == 1 && width % LANES == 0) {
        for (ptrdiff_t i = 0; i < n; i += LANES)
            for (ptrdiff_t k = 0; k < count; k += LANES) {
                const ptrdiff_t rows = n - i, cols = count - k;
                vec v[FC_FN(lanes)];
                FC_FN(load_square)(v, src + k * width + i, cols < LANES ? cols : LANES, LANES, width);
                UNROLL
                for (int r = 0; r < FC_FN(lanes); r++)
                    if (r < rows) store_part(dst + (i + r) * stride_n + k, v[r], cols);
            }
        return;
    }
    for (ptrdiff_t i = 0; i < n; i++)
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
            FC_FN(clear)(d, cols * dst_pixel);
            continue;
        }
        const real *s = (const real *)src_ + (y0 + y) * row_stride + (x0 + left) * pixel_stride;
        FC_FN(clear)(d, left * dst_pixel);
        if (pixel_stride == dst_pixel && pixel_stride == channels)
            FC_FN(copy)(d + left * dst_pixel, s, (stop - left) * channels);
        else
            for (ptrdiff_t x = left; x < stop; x++) FC_FN(copy)(d + x * dst_pixel, s + (x - left) * pixel_stride, channels);
        FC_FN(clear)(d + stop * dst_pixel, (cols - stop) * dst_pixel);
    }
}
#undef FC_SHORT

static void FC_FN(add)(void *dst_, const void *src_, ptrdiff_t n) {
    real *dst = dst_;
    const real *src = src_;
    ptrdiff_t i = 0;
    for (; i + LANES <= n; i += LANES) store(dst + i, load(dst + i) + load(src + i));
    for (; i < n; i++) dst[i] += src[i];
}
