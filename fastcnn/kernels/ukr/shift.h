/* kernels.ukr.shift: convolution with kernel columns side by side in a vector; included by body.h, no guard.
 *
 * shift_row adds up products that were stored; slide_rows keeps the sums of the pixels that a kernel row covers in registers and
 * moves them by one pixel at a time. Vectors run over channels. Fewer channels than lanes: what a vector writes into the next pixels is overwritten when their turn
 * comes; the last pixels of the row go by part. */

/* Pixels q0 <= q < q1, any of them. */
static void FC_FN(shift_pixels)(const fc_shift_job *s, ptrdiff_t q0, ptrdiff_t q1) {
    const ptrdiff_t size = s->ow * s->n, back = s->step * s->n - s->ld;
    for (ptrdiff_t q = q0; q < q1; q++) {
        /* rows of products that begin at or before the pixel, and that end before it */
        const ptrdiff_t far = q - s->first, near = far - s->taps;
        ptrdiff_t last = far < 0 ? -1 : far / s->step;
        const ptrdiff_t ended = near < 0 ? -1 : near / s->step;
        if (last >= s->width) last = s->width - 1;
        const real *t = (const real *)s->t + last * s->ld + (far - last * s->step) * s->n;
        for (ptrdiff_t k = 0; k < s->n; k += LANES, t += LANES) {
            const ptrdiff_t at = q * s->n + k, left = s->n - k;
            vec sum = s->bias ? load_part((const real *)s->bias + k, left) : splat(0);
            for (ptrdiff_t i = last; i > ended; i--) sum += load(t + (last - i) * back);
            sum = FC_FN(finished)(s->epilogue, sum, (real *)s->y + at, at + LANES <= size ? LANES : left);
            if (at + LANES <= size)
                store((real *)s->y + at, sum);
            else
                store_part((real *)s->y + at, sum, left);
        }
    }
}

/* Pixels that take all `taps` products, whole vectors; y and t: of the first. */
INLINE void FC_FN(shift_inside)(const fc_shift_job *s, real *y, const real *t, ptrdiff_t pixels, const int taps) {
    const ptrdiff_t n = s->n, ld = s->ld, back = n - ld;
    const fc_epilogue *e = s->epilogue;
    for (ptrdiff_t k = 0; k < n; k += LANES) {
        const vec start = s->bias ? load_part((const real *)s->bias + k, n - k) : splat(0);
        for (ptrdiff_t q = 0; q < pixels; q++) {
            const real *p = t + q * ld + k;
            vec sum = start;
            UNROLL
            for (int i = 0; i < taps; i++) sum += load(p + i * back);
            sum = FC_FN(finished)(e, sum, y + q * n + k, n <= LANES ? LANES : n - k);
            /* a part: the first channels of the next pixel may stand there already */
            if (n <= LANES)
                store(y + q * n, sum);
            else
                store_part(y + q * n + k, sum, n - k);
        }
    }
}

static void FC_FN(shift_row)(const fc_shift_job *s) {
    const ptrdiff_t n = s->n, begin = s->first + s->taps - 1 > 0 ? s->first + s->taps - 1 : 0, end = s->width + s->first;
    ptrdiff_t stop = n < LANES ? (s->ow * n - LANES) / n + 1 : s->ow; /* from here on a vector would reach beyond the row */
    if (end < stop) stop = end;
    if (s->step > 1 || s->ow * n < LANES || begin >= stop) {
        FC_FN(shift_pixels)(s, 0, s->ow);
        return;
    }
    real *y = (real *)s->y + begin * n;
    const real *t = (const real *)s->t + (begin - s->first) * s->ld;
    FC_FN(shift_pixels)(s, 0, begin);
    switch (s->taps) {
        case 2: FC_FN(shift_inside)(s, y, t, stop - begin, 2); break;
        case 3: FC_FN(shift_inside)(s, y, t, stop - begin, 3); break;
        case 4: FC_FN(shift_inside)(s, y, t, stop - begin, 4); break;
        case 5: FC_FN(shift_inside)(s, y, t, stop - begin, 5); break;
        case 7: FC_FN(shift_inside)(s, y, t, stop - begin, 7); break;
        default: FC_FN(shift_pixels)(s, begin, stop);
    }
    FC_FN(shift_pixels)(s, stop, s->ow);
}

/* Lane i of the result is lane at[i] of a and b side by side. */
INLINE vec FC_FN(moved)(vec a, vec b, ivec at) {
#if defined(__clang__)
    real t[2 * FC_VBYTES / sizeof(real)];
    vec out;
    store(t, a);
    store(t + LANES, b);
    for (ptrdiff_t i = 0; i < LANES; i++) out[i] = t[at[i]];
    return out;
#else
    return __builtin_shuffle(a, b, at);
#endif
}

/* The vectors hold the sums of `taps` pixels of n channels. The first is complete after the products of a source pixel: it is
 * stored and leaves, and a new one enters behind the last, with the bias. */
INLINE void FC_FN(slide)(const fc_slide_job *s, const int rows, const int nv) {
    const ptrdiff_t n = s->n, stay = (s->taps - 1) * n, size = s->ow * n, kseg = s->kseg, nseg = s->nseg, ldb = s->ldb;
    const fc_epilogue *e = s->epilogue;
    vec acc[FC_MR / 2][2], start[2], enter = splat(0);
    ivec at[2];
    for (ptrdiff_t i = 0; i < nv * LANES; i++) {
        const ptrdiff_t lane = i % LANES;
        start[i / LANES][lane] = s->bias && i < stay + n ? ((const real *)s->bias)[i % n] : 0;
        at[i / LANES][lane] = (FC_INT)(i < stay ? i + n - i / LANES * LANES : LANES + lane);
        if (i >= stay) enter[lane] = start[i / LANES][lane];
    }
    UNROLL
    for (int r = 0; r < rows; r++) {
        UNROLL
        for (int v = 0; v < nv; v++) acc[r][v] = start[v];
    }
    for (ptrdiff_t q = 0, to = s->first * n; to < size; q++, to += n) {
        const real *b = s->b;
        for (ptrdiff_t k = 0; k < nseg && q < s->width; k++) {
            const real *const *from = (const real *const *)s->rows + k;
            for (ptrdiff_t c = q * kseg; c < (q + 1) * kseg; c++, b += ldb) {
                vec bv[2];
                UNROLL
                for (int v = 0; v < nv; v++) bv[v] = load(b + v * LANES);
                UNROLL
                for (int r = 0; r < rows; r++) {
                    const vec a = splat(from[r * nseg][c]);
                    UNROLL
                    for (int v = 0; v < nv; v++) acc[r][v] += a * bv[v];
                }
            }
        }
        real *y = (real *)s->y + to;
        if (to >= 0 && to + LANES <= size) {
            UNROLL
            for (int r = 0; r < rows; r++) store(y + r * s->y_row, FC_FN(finished)(e, acc[r][0], y + r * s->y_row, LANES));
        } else if (to >= 0) {
            UNROLL
            for (int r = 0; r < rows; r++) store_part(y + r * s->y_row, FC_FN(finished)(e, acc[r][0], y + r * s->y_row, n), n);
        }
        UNROLL
        for (int r = 0; r < rows; r++) {
            acc[r][0] = FC_FN(moved)(acc[r][0], nv == 2 ? acc[r][1] : enter, at[0]);
            if (nv == 2) acc[r][1] = FC_FN(moved)(acc[r][1], enter, at[1]);
        }
    }
}

/* clang-format off */
#define FC_SLIDE_CASE(m) \
    case m: \
        if ((m) <= FC_MR / 2) FC_FN(slide)(s, (m) <= FC_MR / 2 ? (m) : 1, nv); \
        break;

#define FC_SLIDE_SWITCH(stem, width) \
    static __attribute__((noinline)) void FC_FN(stem)(const fc_slide_job *s) { \
        const int nv = width; \
        switch (s->n_rows) { \
            FC_SLIDE_CASE(1) FC_SLIDE_CASE(2) FC_SLIDE_CASE(3) FC_SLIDE_CASE(4) FC_SLIDE_CASE(5) FC_SLIDE_CASE(6) FC_SLIDE_CASE(7) \
        } \
    }
/* clang-format on */
FC_SLIDE_SWITCH(slide_wide, 2)
FC_SLIDE_SWITCH(slide_narrow, 1)

static void FC_FN(slide_rows)(const fc_slide_job *s) {
    /* pixels before the first that a source reaches: the bias alone */
    const ptrdiff_t early = s->first < 0 ? 0 : s->first < s->ow ? s->first : s->ow;
    for (ptrdiff_t r = 0; r < s->n_rows; r++)
        for (ptrdiff_t q = 0; q < early; q++) {
            const vec bias = s->bias ? load_part(s->bias, s->n) : splat(0);
            real *y = (real *)s->y + r * s->y_row + q * s->n;
            store_part(y, FC_FN(finished)(s->epilogue, bias, y, s->n), s->n);
        }
    if (s->taps * s->n > LANES)
        FC_FN(slide_wide)(s);
    else
        FC_FN(slide_narrow)(s);
}
#undef FC_SLIDE_SWITCH
#undef FC_SLIDE_CASE
