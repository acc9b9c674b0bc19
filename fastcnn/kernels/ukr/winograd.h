/* kernels.ukr.winograd: the transforms of F(4x4,3x3) on the points 0, +-a, +-b, infinity; included by body.h, no guard.
 *
 * [Lavin2015] 1509.09308 for the algorithm, [Barabasz2018] 1803.10986 for the points. Vectors run over channels. The pairs
 * of points make every matrix a sum and a difference of an even and an odd part. */

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

/* One call for each kind of tile, with the number of lines and columns of its points. */
#define FC_EACH_KIND(f, ...)                            \
    f(__VA_ARGS__, blk->start[0], blk->start[1], 5, 6); \
    f(__VA_ARGS__, blk->start[1], blk->start[2], 6, 6); \
    f(__VA_ARGS__, blk->start[2], blk->start[3], 6, 5); \
    f(__VA_ARGS__, blk->start[3], blk->start[4], 5, 5)

/* Slice of line i of the points of a tile with `lines` of them: five skip -b. */
#define FC_POINT(i, lines) ((i) + ((lines) == 5 && (i) == 4))

/* G, without the zeros: the rows of a point and its negative differ in the sign of the middle. */
typedef struct {
    real n0, a0, a1, a2, b0, b1, b2;
} FC_FN(filter);

/* G g: 3 -> 6. */
INLINE void FC_FN(winograd_g)(vec out[6], const vec g[3], FC_FN(filter) f) {
    const vec even_a = splat(f.a0) * g[0] + splat(f.a2) * g[2], even_b = splat(f.b0) * g[0] + splat(f.b2) * g[2];
    out[0] = splat(f.n0) * g[0];
    out[1] = even_a + splat(f.a1) * g[1];
    out[2] = even_a - splat(f.a1) * g[1];
    out[3] = even_b + splat(f.b1) * g[1];
    out[4] = even_b - splat(f.b1) * g[1];
    out[5] = g[2];
}

/* u[xi][c][NR] = G g G^T for `count` channels; tap (r, s) of channel c stands at g + r*s_r + s*s_s + c*s_c. */
INLINE void FC_FN(winograd_weight_rows)(real *u, ptrdiff_t u_slice, const real *g, ptrdiff_t s_r, ptrdiff_t s_s, ptrdiff_t s_c,
                                        ptrdiff_t count, const int ahead, FC_FN(filter) f) {
    for (ptrdiff_t c = 0; c < count; c++)
        for (ptrdiff_t lane = 0; lane < NR; lane += LANES) {
            const real *at = g + c * s_c + lane;
            vec half[6][3]; /* G g */
            UNROLL
            for (int s = 0; s < 3; s++) {
                vec column[3], out[6];
                UNROLL
                for (int r = 0; r < 3; r++) {
                    column[r] = load(at + r * s_r + s * s_s);
                    if (ahead) __builtin_prefetch(at + r * s_r + s * s_s + 4 * s_c);
                }
                FC_FN(winograd_g)(out, column, f);
                UNROLL
                for (int i = 0; i < 6; i++) half[i][s] = out[i];
            }
            UNROLL
            for (int i = 0; i < 6; i++) {
                vec out[6];
                FC_FN(winograd_g)(out, half[i], f);
                UNROLL
                for (int k = 0; k < 6; k++) store(u + (i * 6 + k) * u_slice + c * NR + lane, out[k]);
            }
        }
}

/* u[xi][c][NR] = G g G^T for n outputs of `depth` channels of weights of any strides; zero beyond n. */
static void FC_FN(winograd_weight)(void *u_, ptrdiff_t u_slice, const void *w_, ptrdiff_t s_out, ptrdiff_t s_in, ptrdiff_t s_r,
                                   ptrdiff_t s_s, ptrdiff_t n, ptrdiff_t depth, const fc_winograd_points *p) {
    real *u = u_;
    const real *w = w_;
    const FC_FN(filter) f = {(real)p->weight[0][0], (real)p->weight[1][0], (real)p->weight[1][1], (real)p->weight[1][2],
                             (real)p->weight[3][0], (real)p->weight[3][1], (real)p->weight[3][2]};
    if (s_out == 1 && n == NR) {
        FC_FN(winograd_weight_rows)(u, u_slice, w, s_r, s_s, s_in, depth, 1, f);
        return;
    }
    real g[9][FC_FN(lanes) * 2 * FC_FN(lanes)]; /* [tap][channel][output] */
    for (ptrdiff_t c = 0; c < depth; c += LANES) {
        const ptrdiff_t count = depth - c < LANES ? depth - c : LANES;
        for (int tap = 0; tap < 9; tap++) {
            const real *from = w + c * s_in + tap / 3 * s_r + tap % 3 * s_s;
            if (s_in == 1 && count == LANES && n == NR)
                for (ptrdiff_t j = 0; j < NR; j += LANES) {
                    vec square[FC_FN(lanes)];
                    UNROLL
                    for (int i = 0; i < FC_FN(lanes); i++) {
                        square[i] = load(from + (j + i) * s_out);
                        __builtin_prefetch(from + (j + i) * s_out + LANES);
                    }
                    FC_FN(transpose_square)(square);
                    UNROLL
                    for (int i = 0; i < FC_FN(lanes); i++) store(g[tap] + i * NR + j, square[i]);
                }
            else
                FC_FN(pack_run)(g[tap], from, n, NR, count, s_in, s_out);
        }
        FC_FN(winograd_weight_rows)(u + c * NR, u_slice, g[0], 3 * LANES * NR, LANES * NR, NR, count, 0, f);
    }
}

/* A stride with its multiples in bytes: six addresses of one base without arithmetic of their own. */
typedef struct {
    ptrdiff_t one, three, five;
} FC_FN(steps);

INLINE FC_FN(steps) FC_FN(steps_of)(ptrdiff_t elements) {
    const ptrdiff_t one = elements * (ptrdiff_t)sizeof(real);
    return (FC_FN(steps)){one, 3 * one, 5 * one};
}

/* p + i strides. */
INLINE real *FC_FN(step)(const real *p, FC_FN(steps) s, const int i) {
    return (real *)((const char *)p + (i == 5 ? s.five : i == 3 ? s.three : i * s.one));
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

/* Mean and centred sum of squares of `count` values in each of n channels of a part. */
static void FC_FN(winograd_moments)(double *mean, double *m2, const void *moments, double count, ptrdiff_t n) {
    const real *acc = moments;
    const double share = 1 / count;
    for (ptrdiff_t j = 0; j < n; j++) {
        const double sum = (double)acc[NR + j], rest = sum * share;
        mean[j] = (double)acc[j] + rest;
        m2[j] = (double)acc[2 * NR + j] - rest * sum;
    }
}

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
static void FC_FN(square_product)(void *c_, const void *a_, const void *b_, ptrdiff_t ldb, ptrdiff_t rows) {
    real *c = c_;
    const real *a = a_;
    vec b[FC_FN(lanes)];
    UNROLL
    for (int k = 0; k < FC_FN(lanes); k++) b[k] = load((const real *)b_ + k * ldb);
    const int width = FC_MR < 8 ? 4 : 8;
    ptrdiff_t t = 0;
    for (; t + width <= rows; t += width) FC_FN(square_rows)(c + t * LANES, a + t * LANES, b, width);
    if (t < rows && rows >= width)
        FC_FN(square_rows)(c + (rows - width) * LANES, a + (rows - width) * LANES, b, width);
    else
        for (; t < rows; t++) FC_FN(square_rows)(c + t * LANES, a + t * LANES, b, 1);
}

/* One tile and one vector of channels; `next` is how far the tile that follows stands from it. A whole tile that does not
 * open its part adds its moments from registers: what was just stored is slow to come back. */
INLINE void FC_FN(winograd_output_tile)(real *y, const real *m, vec add, int relu, const fc_winograd_block *blk, ptrdiff_t next,
                                        ptrdiff_t rows, ptrdiff_t cols, ptrdiff_t n, real a, real b, real *acc, const int sums,
                                        const int ny, const int nx) {
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
            if (relu) out[k] = relu_vec(out[k]);
            if (k < cols) store_part(FC_FN(step)(y + i * blk->row_stride, pixel, k), out[k], n);
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

INLINE void FC_FN(winograd_output_kind)(real *y_, const real *m_, const real *bias, int relu, real *moments,
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
                FC_FN(winograd_output_tile)(y, m, add, relu, blk, next, ny - 2, nx - 2, LANES, a, b, acc, 1, ny, nx);
            else if (whole)
                FC_FN(winograd_output_tile)(y, m, add, relu, blk, next, ny - 2, nx - 2, LANES, a, b, NULL, 0, ny, nx);
            else
                FC_FN(winograd_output_tile)(y, m, add, relu, blk, next, rows, cols, left, a, b, NULL, 0, ny, nx);
            if (acc && (opens || !whole)) FC_FN(winograd_tile_moments)(acc, y, blk, rows, cols, left, opens);
        }
    }
}

/* y = A^T m A (+ bias, ReLU) for the channels of one panel, clipped to the image; moments[part][3][NR] of y unless NULL. */
static void FC_FN(winograd_output)(void *y, const void *m, const void *bias, int relu, void *moments,
                                   const fc_winograd_block *blk, const fc_winograd_points *p) {
    FC_EACH_KIND(FC_FN(winograd_output_kind), y, m, bias, relu, moments, blk, p);
}

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
#undef FC_POINT
#undef FC_EACH_KIND
