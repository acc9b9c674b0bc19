/* kernels.ukr.winograd_input: B^T d B, the transform of the image; included by winograd.h, no guard. */

/* B^T d: 6 -> 6. */
INLINE void FC_FN(winograd_b)(vec out[6], const vec d[6], real a, real b) {
    const real a2 = a * a, b2 = b * b, s = a2 + b2, p = a2 * b2;
    const vec even_a = d[4] - splat(b2) * d[2], odd_a = splat(a) * (d[3] - splat(b2) * d[1]);
    const vec even_b = d[4] - splat(a2) * d[2], odd_b = splat(b) * (d[3] - splat(a2) * d[1]);
    out[0] = splat(p) * d[0] - splat(s) * d[2] + d[4];
    out[1] = even_a + odd_a;
    out[2] = even_a - odd_a;
    out[3] = even_b + odd_b;
    out[4] = even_b - odd_b;
    out[5] = splat(p) * d[1] - splat(s) * d[3] + d[5];
}

/* The same for tiles of three outputs, which leave -b out: 5 -> 5. A row is scaled by its point + b, so that the transformed
 * weights of F(4,3) fit. */
INLINE void FC_FN(winograd_b5)(vec out[5], const vec d[5], real a, real b) {
    const real a2 = a * a;
    const vec q = d[3] - splat(a2) * d[1];
    out[0] = splat(b) * q - splat(b * b) * (d[2] - splat(a2) * d[0]);
    out[1] = splat(a + b) * (d[3] + splat(a - b) * d[2] - splat(a * b) * d[1]);
    out[2] = splat(b - a) * (d[3] - splat(a + b) * d[2] + splat(a * b) * d[1]);
    out[3] = splat(2 * b) * q;
    out[4] = d[4] - splat(a2) * d[2] - splat(b) * q;
}

/* Lines i0 to i1 of v[xi] = B^T d B for the ny x nx patch at x, pixel (y0, x0) of the image, zero outside of it. Three lines that are
 * made at once stay in registers. */
INLINE void FC_FN(winograd_input_lines)(real *v, const real *x, const fc_winograd_block *blk, ptrdiff_t y0, ptrdiff_t x0,
                                        ptrdiff_t next, ptrdiff_t n, FC_FN(steps) slice, FC_FN(steps) row, real a, real b,
                                        const int inside, const int ny, const int nx, const int i0, const int i1) {
    static const real zeros[FC_FN(lanes)];
    vec half[3][6]; /* B^T d, columns done */
    UNROLL
    for (int k = 0; k < nx; k++) {
        vec d[6], column[6];
        UNROLL
        for (int i = 0; i < ny; i++) {
            const int ok = inside || ((size_t)(y0 + i) < (size_t)blk->height && (size_t)(x0 + k) < (size_t)blk->width);
            d[i] = load_part(ok ? FC_FN(step)(x, row, i) : zeros, n);
            /* 36 short streams are beyond the hardware's prefetcher; two columns are here already */
            if (i0 == 0 && k >= 2) __builtin_prefetch(FC_FN(step)(x + next, row, i));
        }
        if (ny == 6)
            FC_FN(winograd_b)(column, d, a, b);
        else
            FC_FN(winograd_b5)(column, d, a, b);
        UNROLL
        for (int i = i0; i < i1; i++) half[i - i0][k] = column[i];
        x += blk->pixel_stride;
    }
    UNROLL
    for (int i = i0; i < i1; i++) {
        real *to = v + 6 * FC_POINT(i, ny) * blk->slice;
        vec line[6];
        if (nx == 6)
            FC_FN(winograd_b)(line, half[i - i0], a, b);
        else
            FC_FN(winograd_b5)(line, half[i - i0], a, b);
        UNROLL
        for (int k = 0; k < nx; k++) store(FC_FN(step)(to, slice, FC_POINT(k, nx)), line[k]);
    }
}

INLINE void FC_FN(winograd_input_tile)(real *v, const real *x, const fc_winograd_block *blk, ptrdiff_t y0, ptrdiff_t x0,
                                       ptrdiff_t next, ptrdiff_t n, real a, real b, const int inside, const int ny,
                                       const int nx) {
    const FC_FN(steps) slice = FC_FN(steps_of)(blk->slice), row = FC_FN(steps_of)(blk->row_stride);
    FC_FN(winograd_input_lines)(v, x, blk, y0, x0, next, n, slice, row, a, b, inside, ny, nx, 0, 3);
    FC_FN(winograd_input_lines)(v, x, blk, y0, x0, next, n, slice, row, a, b, inside, ny, nx, 3, ny);
}

INLINE void FC_FN(winograd_input_kind)(real *v_, const real *x_, const fc_winograd_block *blk, const fc_winograd_points *p,
                                       ptrdiff_t first, ptrdiff_t stop, const int ny, const int nx) {
    const real a = (real)p->a, b = (real)p->b;
    for (ptrdiff_t t = first; t < stop; t++) {
        const fc_winograd_tile at = blk->tiles[t], then = blk->tiles[t + 1 < stop ? t + 1 : t];
        const ptrdiff_t y0 = at.y - blk->pad_top, x0 = at.x - blk->pad_left;
        const ptrdiff_t next =
            (then.image - at.image) * blk->batch_stride + (then.y - at.y) * blk->row_stride + (then.x - at.x) * blk->pixel_stride;
        const int inside = y0 >= 0 && x0 >= 0 && y0 + ny <= blk->height && x0 + nx <= blk->width;
        for (ptrdiff_t c = 0; c < blk->channels; c += LANES) {
            const real *x = x_ + at.image * blk->batch_stride + y0 * blk->row_stride + x0 * blk->pixel_stride + c;
            real *v = v_ + t * blk->row + c;
            if (c + LANES > blk->channels)
                FC_FN(winograd_input_tile)(v, x, blk, y0, x0, next, blk->channels - c, a, b, 0, ny, nx);
            else if (inside)
                FC_FN(winograd_input_tile)(v, x, blk, y0, x0, next, LANES, a, b, 1, ny, nx);
            else
                FC_FN(winograd_input_tile)(v, x, blk, y0, x0, next, LANES, a, b, 0, ny, nx);
        }
    }
}

/* v[xi][t][channel] = B^T d B; channels up to the next multiple of the lanes are written (as zero). */
static void FC_FN(winograd_input)(void *v, const void *x, const fc_winograd_block *blk, const fc_winograd_points *p) {
    FC_EACH_KIND(FC_FN(winograd_input_kind), v, x, blk, p);
}
