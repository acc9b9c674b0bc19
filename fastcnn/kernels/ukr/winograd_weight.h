/* kernels.ukr.winograd_weight: G g G^T, the transform of the weights; included by winograd.h, no guard. */

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
