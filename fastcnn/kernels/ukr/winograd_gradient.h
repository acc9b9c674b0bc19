/* kernels.ukr.winograd_gradient: what the weight gradient does to dy and to the sums; included by winograd.h, no guard. */

/* G' d for the weight gradient F(3x3,4x4): 4 -> 6. */
INLINE void FC_FN(winograd_g4)(vec out[6], const vec d[4], real a, real b, real n0, real na, real nb) {
    const vec even_a = splat(na) * (d[0] + splat(a * a) * d[2]), odd_a = splat(na * a) * (d[1] + splat(a * a) * d[3]);
    const vec even_b = splat(nb) * (d[0] + splat(b * b) * d[2]), odd_b = splat(nb * b) * (d[1] + splat(b * b) * d[3]);
    out[0] = splat(n0) * d[0];
    out[1] = even_a + odd_a;
    out[2] = even_a - odd_a;
    out[3] = even_b + odd_b;
    out[4] = even_b - odd_b;
    out[5] = d[3];
}

/* The same for tiles of three, without -b: 3 -> 5. */
INLINE void FC_FN(winograd_g3)(vec out[5], const vec d[3], real a, real b, real n0, real na, real nb) {
    const vec even_a = splat(na) * (d[0] + splat(a * a) * d[2]), odd_a = splat(na * a) * d[1];
    out[0] = splat(n0) * d[0];
    out[1] = even_a + odd_a;
    out[2] = even_a - odd_a;
    out[3] = splat(nb) * (d[0] + splat(b) * d[1] + splat(b * b) * d[2]);
    out[4] = d[2];
}

/* One tile, rows x cols outputs of ny - 2 times nx - 2, and one vector of channels. */
INLINE void FC_FN(winograd_dy_tile)(real *v, const real *dy, const fc_winograd_block *blk, const fc_winograd_points *p,
                                    ptrdiff_t next, ptrdiff_t rows, ptrdiff_t cols, ptrdiff_t n, const int ny, const int nx) {
    const real a = (real)p->a, b = (real)p->b;
    const real n0 = (real)p->weight[0][0], na = (real)p->weight[1][0], nb = (real)p->weight[3][0]; /* 1/N of each point */
    const FC_FN(steps) slice = FC_FN(steps_of)(blk->slice), line = FC_FN(steps_of)(blk->row_stride);
    vec half[6][4];
    UNROLL
    for (int k = 0; k < nx - 2; k++) {
        const real *from = dy + k * blk->pixel_stride, *ahead = from + next;
        vec d[4], column[6];
        UNROLL
        for (int i = 0; i < ny - 2; i++) {
            d[i] = i < rows && k < cols ? load_part(FC_FN(step)(from, line, i), n) : splat(0);
            __builtin_prefetch(FC_FN(step)(ahead, line, i));
        }
        if (ny == 6)
            FC_FN(winograd_g4)(column, d, a, b, n0, na, nb);
        else
            FC_FN(winograd_g3)(column, d, a, b, n0, na, nb);
        UNROLL
        for (int i = 0; i < ny; i++) half[i][k] = column[i];
    }
    UNROLL
    for (int i = 0; i < ny; i++) {
        real *to = v + 6 * FC_POINT(i, ny) * blk->slice;
        vec row[6];
        if (nx == 6)
            FC_FN(winograd_g4)(row, half[i], a, b, n0, na, nb);
        else
            FC_FN(winograd_g3)(row, half[i], a, b, n0, na, nb);
        UNROLL
        for (int k = 0; k < nx; k++) store(FC_FN(step)(to, slice, FC_POINT(k, nx)), row[k]);
    }
}

INLINE void FC_FN(winograd_dy_kind)(real *v_, const real *dy_, const fc_winograd_block *blk, const fc_winograd_points *p,
                                    ptrdiff_t first, ptrdiff_t stop, const int ny, const int nx) {
    for (ptrdiff_t t = first; t < stop; t++) {
        const fc_winograd_tile at = blk->tiles[t], then = blk->tiles[t + 1 < stop ? t + 1 : t];
        const ptrdiff_t next =
            (then.image - at.image) * blk->batch_stride + (then.y - at.y) * blk->row_stride + (then.x - at.x) * blk->pixel_stride;
        const ptrdiff_t rows = blk->height - at.y, cols = blk->width - at.x;
        for (ptrdiff_t c = 0; c < blk->channels; c += LANES) {
            const ptrdiff_t left = blk->channels - c;
            const real *dy = dy_ + at.image * blk->batch_stride + at.y * blk->row_stride + at.x * blk->pixel_stride + c;
            real *v = v_ + t * blk->row + c;
            if (rows >= ny - 2 && cols >= nx - 2 && left >= LANES)
                FC_FN(winograd_dy_tile)(v, dy, blk, p, next, 4, 4, LANES, ny, nx);
            else
                FC_FN(winograd_dy_tile)(v, dy, blk, p, next, rows, cols, left, ny, nx);
        }
    }
}

/* v[xi][t][channel] = G' dy G'^T of the tiles of dy; they are clipped at the right and bottom border. */
static void FC_FN(winograd_dy)(void *v, const void *dy, const fc_winograd_block *blk, const fc_winograd_points *p) {
    FC_EACH_KIND(FC_FN(winograd_dy_kind), v, dy, blk, p);
}

/* A'^T m: 6 -> 3. */
INLINE void FC_FN(winograd_a3)(vec out[3], const vec m[6], real a, real b) {
    const vec sa = m[1] + m[2], sb = m[3] + m[4];
    out[0] = m[0] + sa + sb;
    out[1] = splat(a) * (m[1] - m[2]) + splat(b) * (m[3] - m[4]);
    out[2] = splat(a * a) * sa + splat(b * b) * sb + m[5];
}

/* panel[tap*panel_tap + i] = A'^T m A' for count*width elements m[xi*m_slice + i]. */
static void FC_FN(winograd_dw)(void *panel_, ptrdiff_t panel_tap, const void *m_, ptrdiff_t m_slice, ptrdiff_t count,
                               ptrdiff_t width, const fc_winograd_points *p) {
    const real a = (real)p->a, b = (real)p->b;
    for (ptrdiff_t c = 0; c < count * width; c += LANES) {
        const real *m = (const real *)m_ + c;
        real *panel = (real *)panel_ + c;
        vec half[3][6];
        for (int k = 0; k < 6; k++) {
            vec column[6], out[3];
            for (int i = 0; i < 6; i++) column[i] = load(m + (i * 6 + k) * m_slice);
            FC_FN(winograd_a3)(out, column, a, b);
            for (int i = 0; i < 3; i++) half[i][k] = out[i];
        }
        for (int i = 0; i < 3; i++) {
            vec out[3];
            FC_FN(winograd_a3)(out, half[i], a, b);
            for (int k = 0; k < 3; k++) store(panel + (i * 3 + k) * panel_tap, out[k]);
        }
    }
}
