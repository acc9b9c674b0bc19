/* kernels.ukr.shift: the sum of products that stand for neighbouring pixels; included by body.h, no guard.
 *
 * Vectors run over channels. Fewer channels than lanes: what a vector writes into the next pixels is overwritten when their turn
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
            if (s->relu) sum = relu_vec(sum);
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
    const int relu = s->relu;
    for (ptrdiff_t k = 0; k < n; k += LANES) {
        const vec start = s->bias ? load_part((const real *)s->bias + k, n - k) : splat(0);
        for (ptrdiff_t q = 0; q < pixels; q++) {
            const real *p = t + q * ld + k;
            vec sum = start;
            UNROLL
            for (int i = 0; i < taps; i++) sum += load(p + i * back);
            sum = relu ? relu_vec(sum) : sum;
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
