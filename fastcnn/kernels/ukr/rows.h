/* kernels.ukr.rows: flat arrays and rows: ReLU, sums of columns, transposition; included by body.h, no guard. */

/* Lanes of a where the mask is set, of b elsewhere. A macro: GCC 12 makes one blend of it only where it sees the comparison
 * behind the mask, three operations inside of a function. */
#define FC_BLEND(mask, a, b) ((vec)(((ivec)(b) & ~(mask)) | ((ivec)(a) & (mask))))

INLINE void FC_FN(relu_as)(real *y, const real *x, ptrdiff_t n, const int past_cache) {
    ptrdiff_t i = 0;
    for (; i + 4 * LANES <= n; i += 4 * LANES) {
        UNROLL
        for (int v = 0; v < 4; v++) {
            const vec r = relu_vec(load(x + i + v * LANES));
            if (past_cache)
                stream(y + i + v * LANES, r);
            else
                store(y + i + v * LANES, r);
        }
    }
    for (; i < n; i += LANES) store_part(y + i, relu_vec(load_part(x + i, n - i)), n - i);
    if (past_cache) stream_end();
}

/* y = x below 0 ? 0 : x. `past_cache`: y is aligned to a vector and too large for the caches. */
static void FC_FN(relu)(void *y, const void *x, ptrdiff_t n, int past_cache) {
    if (past_cache)
        FC_FN(relu_as)(y, x, n, 1);
    else
        FC_FN(relu_as)(y, x, n, 0);
}

/* v as it is. The empty statement keeps GCC from merging the load of v with a mask that follows: such a load would wait for the
 * mask, and cache misses would no longer overlap (measured: 1.4 times the time from memory). */
INLINE vec FC_FN(keep)(vec v) {
#if defined(__x86_64__)
    __asm__("" : "+v"(v));
#endif
    return v;
}

/* 0 where y <= 0, dy elsewhere: behind NaN the gradient passes, as in PyTorch. */
INLINE vec FC_FN(positive)(vec dy, vec y) { return (vec)((ivec)FC_FN(keep)(dy) & ~(ivec)(y <= splat(0))); }

INLINE void FC_FN(relu_mask_as)(real *dx, const real *dy, const real *y, ptrdiff_t n, const int past_cache) {
    ptrdiff_t i = 0;
    for (; i + 4 * LANES <= n; i += 4 * LANES) {
        UNROLL
        for (int v = 0; v < 4; v++) {
            const vec r = FC_FN(positive)(load(dy + i + v * LANES), load(y + i + v * LANES));
            if (past_cache)
                stream(dx + i + v * LANES, r);
            else
                store(dx + i + v * LANES, r);
        }
    }
    for (; i < n; i += LANES) store_part(dx + i, FC_FN(positive)(load_part(dy + i, n - i), load_part(y + i, n - i)), n - i);
    if (past_cache) stream_end();
}

/* dx = 0 where y <= 0, dy elsewhere: a masked value, not a product, so that NaN and Inf behind a zero are cut. */
static void FC_FN(relu_mask)(void *dx, const void *dy, const void *y, ptrdiff_t n, int past_cache) {
    if (past_cache)
        FC_FN(relu_mask_as)(dx, dy, y, n, 1);
    else
        FC_FN(relu_mask_as)(dx, dy, y, n, 0);
}

/* Running sums of up to ABREAST vectors of a row stay in registers over BLOCK rows: memory is read vector after vector, for streams
 * of single vectors from several rows reach half of its speed. */
enum { FC_FN(abreast) = FC_VBYTES == 64 ? 8 : 4, FC_FN(block) = 48 };

INLINE void FC_FN(column_sums_strip)(real *acc, const real *x, ptrdiff_t rows, ptrdiff_t stride, ptrdiff_t n, const int vectors) {
    vec sum[FC_FN(abreast)], pair[FC_FN(abreast)];
    ptrdiff_t r = 0;
    UNROLL
    for (int k = 0; k < vectors; k++) sum[k] = load_part(acc + k * LANES, n);
    for (; r + 2 <= rows; r += 2) {
        UNROLL
        for (int k = 0; k < vectors; k++) pair[k] = load_part(x + r * stride + k * LANES, n);
        UNROLL
        for (int k = 0; k < vectors; k++) sum[k] += pair[k] + load_part(x + (r + 1) * stride + k * LANES, n);
    }
    if (r < rows) {
        UNROLL
        for (int k = 0; k < vectors; k++) sum[k] += load_part(x + r * stride + k * LANES, n);
    }
    UNROLL
    for (int k = 0; k < vectors; k++) store_part(acc + k * LANES, sum[k], n);
}

INLINE void FC_FN(column_sums_block)(real *acc, const real *x, ptrdiff_t rows, ptrdiff_t width, ptrdiff_t stride) {
    const ptrdiff_t strip = FC_FN(abreast) * LANES;
    ptrdiff_t j = 0;
    for (; j + strip <= width; j += strip) FC_FN(column_sums_strip)(acc + j, x + j, rows, stride, LANES, FC_FN(abreast));
    for (; j + LANES <= width; j += LANES) FC_FN(column_sums_strip)(acc + j, x + j, rows, stride, LANES, 1);
    if (j < width) FC_FN(column_sums_strip)(acc + j, x + j, rows, stride, width - j, 1);
}

/* sums[j] = sum over r of x[r*stride + j]. Rows are added in pairs: the error grows with rows / 2. `scratch` holds width values. */
static void FC_FN(column_sums)(double *sums, void *scratch, const void *x, ptrdiff_t rows, ptrdiff_t width, ptrdiff_t stride) {
    real *acc = scratch;
    memset(acc, 0, (size_t)width * sizeof(real));
    for (ptrdiff_t r = 0; r < rows; r += FC_FN(block)) {
        const ptrdiff_t count = rows - r < FC_FN(block) ? rows - r : FC_FN(block);
        FC_FN(column_sums_block)(acc, (const real *)x + r * stride, count, width, stride);
    }
    for (ptrdiff_t j = 0; j < width; j++) sums[j] = (double)acc[j];
}

/* out[j] = sum over blocks b of part[b*width + j], in this order: the end of every chunked sum. */
static void FC_FN(fold)(double *out, const double *part, ptrdiff_t blocks, ptrdiff_t width) {
    for (ptrdiff_t j = 0; j < width; j++) out[j] = 0;
    for (ptrdiff_t b = 0; b < blocks; b++)
        for (ptrdiff_t j = 0; j < width; j++) out[j] += part[b * width + j];
}

/* Perfect shuffles of two vectors; log2(lanes) rounds of them on a square of vectors transpose it. */
#if FC_VBYTES * 8 / FC_BITS == 2
#define FC_LOW 0, 2
#define FC_HIGH 1, 3
#elif FC_VBYTES * 8 / FC_BITS == 4
#define FC_LOW 0, 4, 1, 5
#define FC_HIGH 2, 6, 3, 7
#elif FC_VBYTES * 8 / FC_BITS == 8
#define FC_LOW 0, 8, 1, 9, 2, 10, 3, 11
#define FC_HIGH 4, 12, 5, 13, 6, 14, 7, 15
#else
#define FC_LOW 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define FC_HIGH 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#endif

enum { FC_FN(lanes) = FC_VBYTES * 8 / FC_BITS };

/* All ones in the first n lanes. */
INLINE ivec FC_FN(first_lanes)(ptrdiff_t n) {
    ivec mask;
    UNROLL
    for (int i = 0; i < FC_FN(lanes); i++) mask[i] = i < n ? -1 : 0;
    return mask;
}

INLINE double FC_FN(lane_sum)(vec v) {
    double sum = 0;
    for (int i = 0; i < FC_FN(lanes); i++) sum += (double)v[i];
    return sum;
}

INLINE void FC_FN(transpose_square)(vec v[FC_FN(lanes)]) {
    UNROLL
    for (int round = 1; round < FC_FN(lanes); round *= 2) {
        vec t[FC_FN(lanes)];
        UNROLL
        for (int i = 0; i < FC_FN(lanes) / 2; i++) {
            t[2 * i] = __builtin_shufflevector(v[i], v[i + FC_FN(lanes) / 2], FC_LOW);
            t[2 * i + 1] = __builtin_shufflevector(v[i], v[i + FC_FN(lanes) / 2], FC_HIGH);
        }
        UNROLL
        for (int i = 0; i < FC_FN(lanes); i++) v[i] = t[i];
    }
}
#undef FC_LOW
#undef FC_HIGH

/* dst[c*ldd + r] = src[r*lds + c] for r < rows, c < cols.
 *
 * Fewer than `lanes` channels of an image: vectors reach over a pixel's channels into the next pixel. What is written there
 * comes in ascending order, so the next pixel's own values follow; the last pixels go one by one. */
static void FC_FN(transpose)(void *dst_, ptrdiff_t ldd, const void *src_, ptrdiff_t lds, ptrdiff_t rows, ptrdiff_t cols) {
    real *dst = dst_;
    const real *src = src_;
    const int few_rows = rows > 4 && rows < LANES && ldd == rows, few_cols = cols > 4 && cols < LANES && lds == cols;
    for (ptrdiff_t r = 0; r < rows; r += LANES) {
        const ptrdiff_t nr = rows - r < LANES ? rows - r : LANES;
        for (ptrdiff_t c = 0; c < cols; c += LANES) {
            const ptrdiff_t nc = cols - c < LANES ? cols - c : LANES;
            const real *s = src + r * lds + c;
            real *d = dst + c * ldd + r;
            const int wide_in = nc == LANES || (few_cols && (r + LANES - 1) * lds + LANES <= rows * cols);
            const int wide_out = nr == LANES || (few_rows && (c + LANES - 1) * ldd + LANES <= rows * cols);
            if (wide_in && wide_out) {
                vec v[FC_FN(lanes)];
                UNROLL
                for (int i = 0; i < FC_FN(lanes); i++) v[i] = i < nr ? load(s + i * lds) : splat(0);
                FC_FN(transpose_square)(v);
                UNROLL
                for (int i = 0; i < FC_FN(lanes); i++)
                    if (i < nc) store(d + i * ldd, v[i]);
            } else if (nc >= nr) {
                for (ptrdiff_t k = 0; k < nc; k++)
                    for (ptrdiff_t i = 0; i < nr; i++) d[k * ldd + i] = s[i * lds + k];
            } else {
                for (ptrdiff_t i = 0; i < nr; i++)
                    for (ptrdiff_t k = 0; k < nc; k++) d[k * ldd + i] = s[i * lds + k];
            }
        }
    }
}
