/* kernels.ukr.pool: windows of channels-last images: maximum and mean, what their gradients share; included by body.h, no guard.
 *
 * Vectors run over channels. Fewer channels than lanes: a vector reaches into the next pixel where the buffer allows it, and
 * what it writes there is overwritten when that pixel's turn comes (pixels go in ascending order). More channels: the last
 * vector overlaps the one before. Only the last pixels of a row or an image are touched lane by lane. */

INLINE ivec FC_FN(isplat)(FC_INT a) {
#if FC_VBYTES * 8 / FC_BITS == 2
    return (ivec)FC_SPLAT_2(a);
#elif FC_VBYTES * 8 / FC_BITS == 4
    return (ivec)FC_SPLAT_4(a);
#elif FC_VBYTES * 8 / FC_BITS == 8
    return (ivec)FC_SPLAT_8(a);
#else
    return (ivec)FC_SPLAT_16(a);
#endif
}

#define bytes FC_FN(bytes)
#define halves FC_FN(halves)
#define words FC_FN(words)
typedef uint8_t bytes __attribute__((vector_size(FC_VBYTES * 8 / FC_BITS)));
typedef uint16_t halves __attribute__((vector_size(2 * FC_VBYTES * 8 / FC_BITS)));
typedef int32_t words __attribute__((vector_size(4 * FC_VBYTES * 8 / FC_BITS)));

/* Taps of windows are saved as 1-byte or 4-byte integers, n lanes at element `at`. Conversions go in steps of two: GCC 12 takes
 * a step of four apart into single bytes (except where one instruction does it: narrowing of 512 bits). */
INLINE void FC_FN(store_taps)(void *index, ptrdiff_t at, ivec taps, ptrdiff_t n, int wide) {
    if (wide) {
        const words t = __builtin_convertvector(taps, words);
        memcpy((int32_t *)index + at, &t, n >= LANES ? sizeof t : (size_t)n * 4);
        return;
    }
#if FC_VBYTES == 64
    const bytes t = __builtin_convertvector(taps, bytes);
#else
    const bytes t = __builtin_convertvector(__builtin_convertvector(taps, halves), bytes);
#endif
    memcpy((uint8_t *)index + at, &t, n >= LANES ? sizeof t : (size_t)n);
}

INLINE ivec FC_FN(load_taps)(const void *index, ptrdiff_t at, ptrdiff_t n, int wide) {
    if (wide) {
        words t = {0};
        memcpy(&t, (const int32_t *)index + at, n >= LANES ? sizeof t : (size_t)n * 4);
        return __builtin_convertvector(t, ivec);
    }
    bytes t = {0};
    memcpy(&t, (const uint8_t *)index + at, n >= LANES ? sizeof t : (size_t)n);
    return __builtin_convertvector(__builtin_convertvector(__builtin_convertvector(t, halves), words), ivec);
}

/* The vector that starts at channel c or, for the tail of at least one vector of channels, ends at the last one. */
INLINE ptrdiff_t FC_FN(vector_at)(ptrdiff_t c, ptrdiff_t first, ptrdiff_t last) {
    return c + LANES > last && last - first >= LANES ? last - LANES : c;
}

/* The share of output q of what the next row of windows will read. The hardware sees rows that are read in short pieces and
 * does not follow: from memory this halves the time (3x3 stride 2, 64 channels at 112 x 112: 3.0 to 1.5 ms). */
INLINE void FC_FN(prefetch_share)(const fc_window_job *w, ptrdiff_t q, ptrdiff_t share) {
    const ptrdiff_t line = 64 / (ptrdiff_t)sizeof(real);
    const ptrdiff_t stop = (q + 1) * share < w->ahead_size ? (q + 1) * share : w->ahead_size;
    for (ptrdiff_t k = q * share; k < stop; k += line) __builtin_prefetch((const real *)w->ahead + k);
}

INLINE ptrdiff_t FC_FN(share)(const fc_window_job *w) { return w->ow ? (w->ahead_size + w->ow - 1) / w->ow : 0; }

/* Maxima without index, with it, or of normalised values with and without index. */
enum { FC_FN(max_plain), FC_FN(max_index), FC_FN(max_normal), FC_FN(max_normal_index) };

/* What is compared of the values x of channel c and those after it. */
INLINE vec FC_FN(compared)(const coefficients *f, vec x, const int how) {
    return how >= FC_FN(max_normal) ? FC_FN(normalised)(f, x) : x;
}

INLINE coefficients FC_FN(max_coefficients)(const fc_window_job *w, ptrdiff_t c, ptrdiff_t n, const int how) {
    coefficients f = {0};
    if (how < FC_FN(max_normal)) return f;
    f.mean = load_part((const real *)w->mean + c, n);
    f.scale = load_part((const real *)w->scale + c, n);
    f.shift = load_part((const real *)w->shift + c, n);
    f.ceiling = splat((real)w->ceiling);
    return f;
}

/* n maxima, behind a ReLU where they are of normalised values: one that it cuts has no tap. */
INLINE void FC_FN(max_store)(const fc_window_job *w, const coefficients *f, ptrdiff_t out, vec best, vec winner, ivec taps,
                             ptrdiff_t n, const int how) {
    const vec y = how >= FC_FN(max_normal) ? FC_FN(clipped)(f, best) : best;
    store_part((real *)w->y + out, y, n);
    if (how == FC_FN(max_normal_index)) {
        taps |= (ivec)(y <= splat(0)) | (ivec)(y >= f->ceiling);
        store_part((real *)w->winners + out, winner, n);
    }
    if (how == FC_FN(max_index) || how == FC_FN(max_normal_index)) FC_FN(store_taps)(w->index, out, taps, n, w->wide_index);
}

/* One vector of a window of 2 x 2 taps: the winner of each row, then of both. */
INLINE void FC_FN(max_quad)(const fc_window_job *w, const coefficients *f, ptrdiff_t from, ptrdiff_t out, ptrdiff_t first_tap,
                            const int how) {
    const real *p = (const real *)w->x + from;
    vec best[2], winner[2];
    ivec taps[2];
    UNROLL
    for (int r = 0; r < 2; r++) {
        const vec one = load(p + r * w->step_y), other = load(p + r * w->step_y + w->step_x);
        const vec left = FC_FN(compared)(f, one, how), right = FC_FN(compared)(f, other, how);
        const ivec wins = (ivec)(right > left) | (ivec)(right != right);
        best[r] = FC_BLEND(wins, right, left);
        winner[r] = FC_BLEND(wins, other, one);
        taps[r] = FC_FN(isplat)((FC_INT)(first_tap + r * w->kw)) - wins;
    }
    const ivec wins = (ivec)(best[1] > best[0]) | (ivec)(best[1] != best[1]);
    FC_FN(max_store)(w, f, out, FC_BLEND(wins, best[1], best[0]), FC_BLEND(wins, winner[1], winner[0]),
                     (taps[0] & ~wins) | (taps[1] & wins), LANES, how);
}

/* One window, nv vectors of channels from c on. The first tap inside the image starts, a later one wins when it is larger or
 * NaN. */
INLINE void FC_FN(max_window)(const fc_window_job *w, ptrdiff_t c, ptrdiff_t from, ptrdiff_t out, ptrdiff_t first_tap,
                              ptrdiff_t rows, ptrdiff_t cols, ptrdiff_t n, const int nv, const int how) {
    coefficients f[4];
    vec best[4], winner[4];
    ivec taps[4];
    UNROLL
    for (int v = 0; v < nv; v++) {
        f[v] = FC_FN(max_coefficients)(w, c + v * LANES, n, how);
        best[v] = winner[v] = splat(-(real)__builtin_inff());
        taps[v] = FC_FN(isplat)((FC_INT)first_tap);
    }
    for (ptrdiff_t r = 0; r < rows; r++)
        for (ptrdiff_t s = 0; s < cols; s++) {
            const real *p = (const real *)w->x + from + c + r * w->step_y + s * w->step_x;
            const ivec tap = FC_FN(isplat)((FC_INT)(first_tap + r * w->kw + s));
            UNROLL
            for (int v = 0; v < nv; v++) {
                const vec x = load_part(p + v * LANES, n), value = FC_FN(compared)(&f[v], x, how);
                const ivec wins = (ivec)(value > best[v]) | (ivec)(value != value);
                best[v] = FC_BLEND(wins, value, best[v]);
                if (how == FC_FN(max_index) || how == FC_FN(max_normal_index)) taps[v] = (taps[v] & ~wins) | (tap & wins);
                if (how == FC_FN(max_normal_index)) winner[v] = FC_BLEND(wins, x, winner[v]);
            }
        }
    UNROLL
    for (int v = 0; v < nv; v++) FC_FN(max_store)(w, &f[v], out + c + v * LANES, best[v], winner[v], taps[v], n, how);
}

/* May a vector be read at element `far` of x and written at element `out` of the row? */
INLINE int FC_FN(window_room)(const fc_window_job *w, ptrdiff_t far, ptrdiff_t out) {
    return far + LANES <= w->x_size && out + LANES <= w->ow * w->channels;
}

INLINE void FC_FN(max_pixel)(const fc_window_job *w, ptrdiff_t q, ptrdiff_t rows, ptrdiff_t cols, const int how) {
    const ptrdiff_t from = w->row.at * w->x_row + w->cols[q].at * w->channels, out = q * w->channels;
    const ptrdiff_t first_tap = rows && cols ? w->row.tap * w->kw + w->cols[q].tap : 0;
    ptrdiff_t c = w->first;
    if (FC_VBYTES == 64 || how < FC_FN(max_normal)) /* winners and coefficients need 32 registers */
        for (; c + 4 * LANES <= w->last; c += 4 * LANES) FC_FN(max_window)(w, c, from, out, first_tap, rows, cols, LANES, 4, how);
    for (; c + 2 * LANES <= w->last; c += 2 * LANES) FC_FN(max_window)(w, c, from, out, first_tap, rows, cols, LANES, 2, how);
    for (; c < w->last; c += LANES) {
        const ptrdiff_t at = FC_FN(vector_at)(c, w->first, w->last);
        if (at + LANES <= w->last || FC_FN(window_room)(w, from + (rows - 1) * w->step_y + (cols - 1) * w->step_x, out))
            FC_FN(max_window)(w, at, from, out, first_tap, rows, cols, LANES, 1, how);
        else
            FC_FN(max_window)(w, at, from, out, first_tap, rows, cols, w->last - at, 1, how);
    }
}

INLINE void FC_FN(max_row_as)(const fc_window_job *w, const int how) {
    const ptrdiff_t rows = w->row.count, share = FC_FN(share)(w), n = w->channels;
    ptrdiff_t q = 0;
    if (rows == 2 && w->first == 0 && w->last == n && n <= LANES) { /* the loop that has nothing to decide, while there is room */
        const coefficients f = FC_FN(max_coefficients)(w, 0, LANES, how);
        const ptrdiff_t origin = w->row.at * w->x_row, room = w->x_size - LANES - w->step_y - w->step_x - origin;
        for (; q < w->ow && w->cols[q].count == 2 && w->cols[q].at * n <= room && q * n + LANES <= w->ow * n; q++) {
            FC_FN(prefetch_share)(w, q, share);
            FC_FN(max_quad)(w, &f, origin + w->cols[q].at * n, q * n, w->row.tap * w->kw + w->cols[q].tap, how);
        }
    }
    for (; q < w->ow; q++) {
        const ptrdiff_t cols = w->cols[q].count;
        FC_FN(prefetch_share)(w, q, share);
        if (rows == 3 && cols == 3)
            FC_FN(max_pixel)(w, q, 3, 3, how);
        else if (rows == 2 && cols == 2)
            FC_FN(max_pixel)(w, q, 2, 2, how);
        else
            FC_FN(max_pixel)(w, q, rows, cols, how);
    }
}

/* One row of maxima and, unless index is NULL, the taps that won. A window without a tap gives -inf and tap 0. With `mean`, of
 * min(max((x - mean) * scale + shift, 0), ceiling); the index comes with the x that won, and is -1 where the ReLU cuts. */
static void FC_FN(max_row)(const fc_window_job *job) {
    const fc_window_job w = *job; /* a copy that no store can change */
    if (w.mean && w.index)
        FC_FN(max_row_as)(&w, FC_FN(max_normal_index));
    else if (w.mean)
        FC_FN(max_row_as)(&w, FC_FN(max_normal));
    else if (w.index)
        FC_FN(max_row_as)(&w, FC_FN(max_index));
    else
        FC_FN(max_row_as)(&w, FC_FN(max_plain));
}

/* The mean over one window; rows are summed one by one before they join, so that the error grows with rows + cols. */
INLINE void FC_FN(mean_window)(const fc_window_job *w, ptrdiff_t from, ptrdiff_t out, ptrdiff_t cols, vec divisor, ptrdiff_t n,
                               const int nv) {
    vec total[4];
    UNROLL
    for (int v = 0; v < nv; v++) total[v] = splat(0);
    for (ptrdiff_t r = 0; r < w->row.count; r++) {
        const real *p = (const real *)w->x + from + r * w->step_y;
        vec sum[4];
        UNROLL
        for (int v = 0; v < nv; v++) sum[v] = splat(0);
        for (ptrdiff_t s = 0; s < cols; s++, p += w->step_x) {
            UNROLL
            for (int v = 0; v < nv; v++) sum[v] += load_part(p + v * LANES, n);
        }
        UNROLL
        for (int v = 0; v < nv; v++) total[v] += sum[v];
    }
    UNROLL
    for (int v = 0; v < nv; v++) store_part((real *)w->y + out + v * LANES, total[v] / divisor, n);
}

/* One row of means: the sum of each window over row.divisor * cols[q].divisor. */
static void FC_FN(mean_row)(const fc_window_job *job) {
    const fc_window_job copy = *job, *w = &copy;
    const ptrdiff_t share = FC_FN(share)(w);
    for (ptrdiff_t q = 0; q < w->ow; q++) {
        FC_FN(prefetch_share)(w, q, share);
        const ptrdiff_t from = w->row.at * w->x_row + w->cols[q].at * w->channels, out = q * w->channels;
        const ptrdiff_t cols = w->cols[q].count, far = from + (w->row.count - 1) * w->step_y + (cols - 1) * w->step_x;
        const vec divisor = splat((real)(w->row.divisor * w->cols[q].divisor));
        ptrdiff_t c = w->first;
        for (; c + 4 * LANES <= w->last; c += 4 * LANES) FC_FN(mean_window)(w, from + c, out + c, cols, divisor, LANES, 4);
        for (; c < w->last; c += LANES) {
            const ptrdiff_t at = FC_FN(vector_at)(c, w->first, w->last);
            if (at + LANES <= w->last || FC_FN(window_room)(w, far, out))
                FC_FN(mean_window)(w, from + at, out + at, cols, divisor, LANES, 1);
            else
                FC_FN(mean_window)(w, from + at, out + at, cols, divisor, w->last - at, 1);
        }
    }
}

#include "pool_gradient.h"

#undef bytes
#undef halves
#undef words
