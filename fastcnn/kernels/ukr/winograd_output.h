/* kernels.ukr.winograd_output: products of narrow layers, A^T m A, moments of the outputs; included by winograd.h, no guard. */

/* c[t] = a[t] times b for `rows` rows of one vector each, `width` of them at a time: b stays in registers. */
INLINE void FC_FN(square_rows)(real *c, const real *a, const vec b[FC_FN(lanes)], const int width) {
    vec acc[8];
    UNROLL
    for (int r = 0; r < width; r++) acc[r] = splat(a[r * LANES]) * b[0];
    UNROLL
    for (int k = 1; k < FC_FN(lanes); k++) {
        UNROLL
        for (int r = 0; r < width; r++) acc[r] += splat(a[r * LANES + k]) * b[k];
    }
    UNROLL
    for (int r = 0; r < width; r++) store(c + r * LANES, acc[r]);
}

/* c[t][i] = sum_k a[t][k] * b[k*ldb + i] for rows of `lanes` elements; c is not a. */
static void FC_FN(square_product)(void *c_, const void *a_, const void *b_, ptrdiff_t ldb, ptrdiff_t rows, fc_streams *streams) {
    real *c = c_;
    const real *a = a_;
    vec b[FC_FN(lanes)];
    UNROLL
    for (int k = 0; k < FC_FN(lanes); k++) b[k] = load((const real *)b_ + k * ldb);
    const int width = FC_MR < 8 ? 4 : 8;
    ptrdiff_t t = 0;
    for (; t + width <= rows; t += width) {
        if (streams) FC_FN(fetch)(streams);
        FC_FN(square_rows)(c + t * LANES, a + t * LANES, b, width);
    }
    if (t < rows && rows >= width)
        FC_FN(square_rows)(c + (rows - width) * LANES, a + (rows - width) * LANES, b, width);
    else
        for (; t < rows; t++) FC_FN(square_rows)(c + t * LANES, a + t * LANES, b, 1);
}

/* A^T m: 6 -> 4. */
INLINE void FC_FN(winograd_a)(vec out[4], const vec m[6], real a, real b) {
    const vec sa = m[1] + m[2], da = m[1] - m[2], sb = m[3] + m[4], db = m[3] - m[4];
    out[0] = m[0] + sa + sb;
    out[1] = splat(a) * da + splat(b) * db;
    out[2] = splat(a * a) * sa + splat(b * b) * sb;
    out[3] = splat(a * a * a) * da + splat(b * b * b) * db + m[5];
}

/* The same without -b: 5 -> 3. */
INLINE void FC_FN(winograd_a5)(vec out[3], const vec m[5], real a, real b) {
    const vec sa = m[1] + m[2], da = m[1] - m[2];
    out[0] = m[0] + sa + m[3];
    out[1] = splat(a) * da + splat(b) * m[3];
    out[2] = splat(a * a) * sa + splat(b * b) * m[3] + m[4];
}

/* Add the outputs of a tile, as they were just stored, to the moments of its part: [centre, sum of distances, sum of their squares]
 * [NR]. The centre is the mean of the first tile: however large the mean of all, squares do not cancel. */
INLINE void FC_FN(winograd_tile_moments)(real *acc, const real *y, const fc_winograd_block *blk, ptrdiff_t rows, ptrdiff_t cols,
                                         ptrdiff_t n, const int opens) {
    /* four of each, so that no chain of additions leads from tile to tile */
    vec centre = splat(0), sum[4] = {splat(0), splat(0), splat(0), splat(0)},
        square[4] = {splat(0), splat(0), splat(0), splat(0)};
    if (opens) {
        UNROLL
        for (ptrdiff_t i = 0; i < rows; i++) UNROLL
        for (ptrdiff_t k = 0; k < cols; k++) sum[k] += load_part(y + i * blk->row_stride + k * blk->pixel_stride, n);
        centre = ((sum[0] + sum[1]) + (sum[2] + sum[3])) * splat((real)1 / (real)(rows * cols));
        store(acc, centre);
        sum[0] = sum[1] = sum[2] = sum[3] = splat(0);
    } else {
        centre = load(acc);
        sum[0] = load(acc + NR);
        square[0] = load(acc + 2 * NR);
    }
    UNROLL
    for (ptrdiff_t i = 0; i < rows; i++) UNROLL
    for (ptrdiff_t k = 0; k < cols; k++) {
        const vec d = load_part(y + i * blk->row_stride + k * blk->pixel_stride, n) - centre;
        sum[k] += d;
        square[k] += d * d;
    }
    store(acc + NR, (sum[0] + sum[1]) + (sum[2] + sum[3]));
    store(acc + 2 * NR, (square[0] + square[1]) + (square[2] + square[3]));
}

/* One tile and one vector of channels; `next` is how far the tile that follows stands from it. A whole tile that does not
 * open its part adds its moments from registers: what was just stored is slow to come back. */
INLINE void FC_FN(winograd_output_tile)(real *y, const real *m, vec add, const fc_epilogue *e, const fc_winograd_block *blk,
                                        ptrdiff_t next, ptrdiff_t rows, ptrdiff_t cols, ptrdiff_t n, real a, real b, real *acc,
                                        const int sums, const int ny, const int nx) {
    const FC_FN(steps) line = FC_FN(steps_of)(6 * blk->slice), row = FC_FN(steps_of)(blk->row_stride);
    const FC_FN(steps) pixel = FC_FN(steps_of)(blk->pixel_stride);
    const vec centre = sums ? load(acc) : splat(0);
    vec half[4][6], sum = splat(0), square = splat(0);
    UNROLL
    for (int k = 0; k < nx; k++) {
        const real *from = m + FC_POINT(k, nx) * blk->slice, *ahead = from + 2 * blk->row;
        vec column[6], out[4];
        UNROLL
        for (int i = 0; i < ny; i++) {
            column[i] = load(FC_FN(step)(from, line, FC_POINT(i, ny)));
            __builtin_prefetch(FC_FN(step)(ahead, line, FC_POINT(i, ny)));
        }
        if (ny == 6)
            FC_FN(winograd_a)(out, column, a, b);
        else
            FC_FN(winograd_a5)(out, column, a, b);
        UNROLL
        for (int i = 0; i < ny - 2; i++) half[i][k] = out[i];
        if (k < nx - 2) { /* own the lines of the next tile before its stores */
            UNROLL
            for (int i = 0; i < ny - 2; i++) __builtin_prefetch(FC_FN(step)(y + next + k * blk->pixel_stride, row, i), 1);
        }
    }
    UNROLL
    for (int i = 0; i < ny - 2; i++) {
        if (i >= rows) break;
        vec out[4];
        if (nx == 6)
            FC_FN(winograd_a)(out, half[i], a, b);
        else
            FC_FN(winograd_a5)(out, half[i], a, b);
        UNROLL
        for (int k = 0; k < nx - 2; k++) {
            out[k] += add;
            if (k < cols) {
                real *to = FC_FN(step)(y + i * blk->row_stride, pixel, k);
                out[k] = FC_FN(finished)(e, out[k], to, n);
                store_part(to, out[k], n);
            }
            out[k] -= centre;
        }
        if (sums) {
            const vec wide = nx == 6 ? out[3] : splat(0);
            sum += (out[0] + out[1]) + (out[2] + wide);
            square += (out[0] * out[0] + out[1] * out[1]) + (out[2] * out[2] + wide * wide);
        }
    }
    if (sums) {
        store(acc + NR, load(acc + NR) + sum);
        store(acc + 2 * NR, load(acc + 2 * NR) + square);
    }
}

INLINE void FC_FN(winograd_output_kind)(real *y_, const real *m_, const real *bias, const fc_epilogue *e, real *moments,
                                        const fc_winograd_block *blk, const fc_winograd_points *p, ptrdiff_t first,
                                        ptrdiff_t stop, const int ny, const int nx) {
    const real a = (real)p->a, b = (real)p->b;
    for (ptrdiff_t t = first; t < stop; t++) {
        const fc_winograd_tile at = blk->tiles[t], then = blk->tiles[t + 1 < stop ? t + 1 : t];
        const ptrdiff_t next =
            (then.image - at.image) * blk->batch_stride + (then.y - at.y) * blk->row_stride + (then.x - at.x) * blk->pixel_stride;
        const ptrdiff_t rows = blk->height - at.y < ny - 2 ? blk->height - at.y : ny - 2;
        const ptrdiff_t cols = blk->width - at.x < nx - 2 ? blk->width - at.x : nx - 2;
        for (ptrdiff_t c = 0; c < blk->channels; c += LANES) {
            const ptrdiff_t left = blk->channels - c;
            const real *m = m_ + t * blk->row + c;
            real *y = y_ + at.image * blk->batch_stride + at.y * blk->row_stride + at.x * blk->pixel_stride + c;
            real *acc = moments ? moments + at.part * 3 * NR + c : NULL;
            const int whole = rows == ny - 2 && cols == nx - 2 && left >= LANES, opens = acc && at.opens;
            const vec add = bias ? load_part(bias + c, left) : splat(0);
            if (whole && acc && !opens)
                FC_FN(winograd_output_tile)(y, m, add, e, blk, next, ny - 2, nx - 2, LANES, a, b, acc, 1, ny, nx);
            else if (whole)
                FC_FN(winograd_output_tile)(y, m, add, e, blk, next, ny - 2, nx - 2, LANES, a, b, NULL, 0, ny, nx);
            else
                FC_FN(winograd_output_tile)(y, m, add, e, blk, next, rows, cols, left, a, b, NULL, 0, ny, nx);
            if (acc && (opens || !whole)) FC_FN(winograd_tile_moments)(acc, y, blk, rows, cols, left, opens);
        }
    }
}

/* y = A^T m A (+ bias, ReLU) for the channels of one panel, clipped to the image; moments[part][3][NR] of y unless NULL. */
static void FC_FN(winograd_output)(void *y, const void *m, const void *bias, const fc_epilogue *e, void *moments,
                                   const fc_winograd_block *blk, const fc_winograd_points *p) {
    FC_EACH_KIND(FC_FN(winograd_output_kind), y, m, bias, e, moments, blk, p);
}
