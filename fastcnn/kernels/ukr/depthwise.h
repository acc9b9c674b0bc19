/* kernels.ukr.depthwise: convolution of each channel with its own kernel; a vector holds neighbouring channels of one pixel.
 *
 * A row of outputs is cut into blocks of FC_FN(pixels) pixels, which stay in registers: each vector of the image and each vector
 * of weights that is loaded serves all the outputs of the block that it touches. Taps beside the image multiply zeros, as if
 * zeros were written around it: NaN and Inf among the weights (or in dy, for their gradient) come out alike.
 * Not here: which rows of the image a row of outputs needs; more than one output channel for an input channel. */
#define UNROLL_ALL _Pragma("GCC unroll 64")
#define PIXELS 8 /* with 5 weights and one column in flight: 14 of 16 registers */

#define dw_load FC_FN(dw_load)
INLINE vec dw_load(const real *p, ptrdiff_t n, const int whole) { return whole ? load(p) : load_part(p, n); }

/* p + step. The empty statement keeps GCC from a register of its own for each of the pixels of a block, which it then moves
 * back and forth between general and vector registers. */
#define dw_next FC_FN(dw_next)
INLINE const real *dw_next(const real *p, ptrdiff_t step) {
    p += step;
#if defined(__x86_64__)
    __asm__("" : "+r"(p));
#endif
    return p;
}

/* The vector at x where `column` lies in a row of `width` columns, else zeros. A branch, since it repeats for all the vectors of
 * a pixel: choosing an address instead was up to 1.2 times slower. */
#define dw_column FC_FN(dw_column)
INLINE vec dw_column(const real *x, ptrdiff_t column, ptrdiff_t width, ptrdiff_t n, const int whole) {
    if (__builtin_expect((size_t)column < (size_t)width, 1)) return dw_load(x, n, whole);
    return splat(0);
}

/* Seven pixels fill the blocks better than eight do: networks for images of 224 x 224 have 7, 14 and 28. */
#define SEVENS(count) ((count) % 7 == 0 && (count) % 8)

/* Ask for one line of each of the pixels from <= i < to of a row that is needed next, or NULL. */
INLINE void FC_FN(depthwise_fetch)(const void *row, ptrdiff_t from, ptrdiff_t to, ptrdiff_t pixel, ptrdiff_t c) {
    if (!row) return;
    const real *p = (const real *)row + from * pixel + c;
    for (ptrdiff_t i = from; i < to; i++, p += pixel) __builtin_prefetch(p);
}

/* Columns of the source that a block of outputs reads. */
#define COLUMNS(pixels, nx, step, up, shift) ((((pixels) - 1) * (step) + (nx) - 1 + (shift)) / (up) + 1)

/* The sum that every output of the row starts from: bias, and 0 * w for each tap above and below the image. */
INLINE vec FC_FN(depthwise_start)(const fc_depthwise_job *g, ptrdiff_t c, ptrdiff_t n, const int whole) {
    vec start = g->bias ? dw_load((const real *)g->bias + c, n, whole) : splat(0);
    for (ptrdiff_t r = g->n_rows; r < g->n_rows + g->n_outside; r++)
        for (ptrdiff_t s = 0; s < g->nx; s++)
            start += splat(0) * dw_load((const real *)g->w + g->row_taps[r] + g->col_taps[s] + c, n, whole);
    return start;
}

/* Add outputs to g->moments: distances from a centre, and their squares. The first outputs of a chunk make their own mean the
 * centre: however large the mean of all, squares do not cancel. `all`: count is `pixels`. */
INLINE void FC_FN(depthwise_moments)(const fc_depthwise_job *g, const vec *y, ptrdiff_t q, ptrdiff_t count, ptrdiff_t c,
                                     const int pixels, const int all) {
    const size_t at = (size_t)(c - g->first);
    real *m = (real *)g->moments + at / NR * (3 * NR) + at % NR;
    vec sum[2] = {splat(0), splat(0)}, square[2] = {splat(0), splat(0)};
    if (g->fresh && q == g->begin) {
        UNROLL_ALL
        for (int i = 0; i < pixels; i++)
            if (all || i < count) sum[i % 2] += y[i];
        store(m, (sum[0] + sum[1]) * splat((real)1 / (real)count));
        sum[0] = sum[1] = splat(0);
        store(m + NR, splat(0));
        store(m + 2 * NR, splat(0));
    }
    const vec centre = load(m);
    UNROLL_ALL
    for (int i = 0; i < pixels; i++)
        if (all || i < count) {
            const vec d = y[i] - centre;
            sum[i % 2] += d;
            square[i % 2] += d * d;
        }
    store(m + NR, load(m + NR) + (sum[0] + sum[1]));
    store(m + 2 * NR, load(m + 2 * NR) + (square[0] + square[1]));
}

/* `count` outputs from output q on, channels c.. of one vector; source column (i * step + s + shift) / up + from, where that is
 * whole, meets tap s of output i. `middle`: all outputs are wanted and all columns lie in the image. */
INLINE void FC_FN(depthwise_block)(const fc_depthwise_job *g, ptrdiff_t q, ptrdiff_t count, ptrdiff_t from, ptrdiff_t c,
                                   ptrdiff_t n, const int pixels, const int nx, const int step, const int up, const int shift,
                                   const int taken, const int middle, const int whole) {
    const int columns = COLUMNS(pixels, nx, step, up, shift);
    const ptrdiff_t x_pixel = g->x_pixel, y_pixel = g->y_pixel, w_tap = g->w_tap;
    const vec start = FC_FN(depthwise_start)(g, c, n, whole);
    const int twice = step > 1; /* many lines at once: some requests are lost, which are made again below */
    vec acc[PIXELS];
    UNROLL_ALL
    for (int i = 0; i < pixels; i++) acc[i] = start;
    for (ptrdiff_t r = 0; r < g->n_rows; r++) {
        const real *x = (const real *)g->rows[r] + from * x_pixel + c;
        const real *w = (const real *)g->w + g->row_taps[r] + c;
        const ptrdiff_t ahead_pixel = twice && r < g->n_ahead ? x_pixel : 0;
        const real *ahead = ahead_pixel ? (const real *)g->ahead[r] + (from + 1) * x_pixel + c : w;
        vec tap[5];
        UNROLL_ALL
        for (int s = 0; s < nx; s++) tap[s] = FC_FN(keep)(dw_load(w + s * w_tap, n, whole));
        UNROLL_ALL
        for (int j = 0; j < columns; j++) {
            const vec v = FC_FN(keep)(middle ? dw_load(x, n, whole) : dw_column(x, from + j, g->width, n, whole));
            x = dw_next(x, x_pixel);
            if (twice && j < pixels * step) {
                __builtin_prefetch(ahead);
                ahead = dw_next(ahead, ahead_pixel);
            }
            UNROLL_ALL
            for (int s = 0; s < nx; s++) {
                const int at = j * up - s - shift; /* step times the output that meets column j by tap s */
                if (at >= 0 && at % step == 0 && at / step < pixels) acc[at / step] += v * tap[s];
            }
        }
    }
    for (ptrdiff_t r = 0; r < g->n_ahead; r++) {
        const real *x = (const real *)g->ahead[r] + (from + 1) * x_pixel + c;
        UNROLL_ALL
        for (int j = 0; j < pixels * step / up; j++) {
            __builtin_prefetch(x);
            x = dw_next(x, x_pixel);
        }
    }
    real *y = (real *)g->y + q * y_pixel + c;
    if (g->epilogue) {
        UNROLL_ALL
        for (int i = 0; i < pixels; i++)
            if (middle || i < count) acc[i] = FC_FN(finished)(g->epilogue, acc[i], y + i * y_pixel, n);
    }
    if (taken) FC_FN(depthwise_moments)(g, acc, q, count, c, pixels, middle);
    if (g->past_cache && whole) {
        UNROLL_ALL
        for (int i = 0; i < pixels; i++) {
            if (middle || i < count) stream(y, acc[i]);
            y = (real *)dw_next(y, y_pixel);
        }
        return;
    }
    UNROLL_ALL
    for (int i = 0; i < pixels; i++) {
        if (!whole && i < count)
            store_part(y, acc[i], n);
        else if (middle || i < count)
            store(y, acc[i]);
        y = (real *)dw_next(y, y_pixel);
    }
}

/* A row of outputs, neighbouring taps. `taken`: the moments are wanted. */
INLINE void FC_FN(depthwise_near)(const fc_depthwise_job *g, const int pixels, const int nx, const int step, const int up,
                                  const int shift, const int taken) {
    const ptrdiff_t columns = COLUMNS(pixels, nx, step, up, shift);
    for (ptrdiff_t q = g->begin; q < g->end; q += pixels) {
        const ptrdiff_t count = g->end - q < pixels ? g->end - q : pixels, from = q * step / up + g->x0;
        ptrdiff_t c = g->first;
        if (count == pixels && from >= 0 && from + columns <= g->width)
            for (; c + LANES <= g->last; c += LANES)
                FC_FN(depthwise_block)(g, q, count, from, c, LANES, pixels, nx, step, up, shift, taken, 1, 1);
        else
            for (; c + LANES <= g->last; c += LANES)
                FC_FN(depthwise_block)(g, q, count, from, c, LANES, pixels, nx, step, up, shift, taken, 0, 1);
        if (c < g->last) FC_FN(depthwise_block)(g, q, count, from, c, g->last - c, pixels, nx, step, up, shift, taken, 0, 0);
    }
}

/* A row of outputs, any taps: column q * step + cols[s]. */
static void FC_FN(depthwise_far)(const fc_depthwise_job *g) {
    for (ptrdiff_t q = g->begin; q < g->end; q++)
        for (ptrdiff_t c = g->first; c < g->last; c += LANES) {
            const ptrdiff_t n = g->last - c;
            vec acc = FC_FN(depthwise_start)(g, c, n, 0);
            for (ptrdiff_t r = 0; r < g->n_rows; r++)
                for (ptrdiff_t s = 0; s < g->nx; s++) {
                    const ptrdiff_t at = q * g->step + g->cols[s];
                    const int inside = at >= 0 && at < g->width;
                    const vec v = inside ? load_part((const real *)g->rows[r] + at * g->x_pixel + c, n) : splat(0);
                    acc += v * load_part((const real *)g->w + g->row_taps[r] + g->col_taps[s] + c, n);
                }
            acc = FC_FN(finished)(g->epilogue, acc, (real *)g->y + q * g->y_pixel + c, n);
            if (g->moments) FC_FN(depthwise_moments)(g, &acc, q, 1, c, 1, 1);
            store_part((real *)g->y + q * g->y_pixel + c, acc, n);
        }
}

/* Forward, neighbouring taps; 0: another form. */
INLINE int FC_FN(depthwise_forward)(const fc_depthwise_job *g, ptrdiff_t form, const int taken) {
    const int sevens = SEVENS(g->end - g->begin);
    if (form == 3110 && sevens)
        FC_FN(depthwise_near)(g, 7, 3, 1, 1, 0, taken);
    else if (form == 3110)
        FC_FN(depthwise_near)(g, PIXELS, 3, 1, 1, 0, taken);
    else if (form == 3210 && sevens)
        FC_FN(depthwise_near)(g, 7, 3, 2, 1, 0, taken);
    else if (form == 3210)
        FC_FN(depthwise_near)(g, PIXELS, 3, 2, 1, 0, taken);
    else if (form == 5110)
        FC_FN(depthwise_near)(g, PIXELS, 5, 1, 1, 0, taken);
    else if (form == 5210)
        FC_FN(depthwise_near)(g, PIXELS, 5, 2, 1, 0, taken);
    else
        return 0;
    return 1;
}

/* One row of outputs: y[q, c] = bias[c] + sum over rows r, taps s of rows[r][column, c] * w[row_taps[r] + col_taps[s] + c]. */
static void FC_FN(depthwise_row)(const fc_depthwise_job *job) {
    const fc_depthwise_job copy = *job, *g = &copy; /* a copy that no store can change */
    const ptrdiff_t form = g->near ? g->nx * 1000 + g->step * 100 + g->up * 10 + g->shift : 0;
    if (!(g->moments ? FC_FN(depthwise_forward)(g, form, 1) : FC_FN(depthwise_forward)(g, form, 0))) switch (form) {
            case 3120: FC_FN(depthwise_near)(g, PIXELS, 3, 1, 2, 0, 0); break;
            case 3121: FC_FN(depthwise_near)(g, PIXELS, 3, 1, 2, 1, 0); break;
            case 5120: FC_FN(depthwise_near)(g, PIXELS, 5, 1, 2, 0, 0); break;
            case 5121: FC_FN(depthwise_near)(g, PIXELS, 5, 1, 2, 1, 0); break;
            default: FC_FN(depthwise_far)(g);
        }
    if (g->past_cache) stream_end();
}

/* Add the outputs q <= i < q + pixels to the sums of kernel rows r <= i < r + rows. A single row has two sums for each tap, for
 * even and odd outputs, which halves the chains of additions. `middle`: all columns lie in the image. */
INLINE void FC_FN(depthwise_weight_block)(const fc_depthwise_weight_job *g, ptrdiff_t r, ptrdiff_t c, ptrdiff_t q, ptrdiff_t n,
                                          vec acc[3][5], const int rows, const int pixels, const int nx, const int step,
                                          const int middle, const int whole) {
    const int columns = COLUMNS(pixels, nx, step, 1, 0);
    const ptrdiff_t x_pixel = g->x_pixel, y_pixel = g->y_pixel, from = q * step + g->x0;
    const real *dy = (const real *)g->dy + q * y_pixel + c;
    vec d[PIXELS];
    UNROLL_ALL
    for (int i = 0; i < pixels; i++) {
        d[i] = dw_load(dy, n, whole);
        dy = dw_next(dy, y_pixel);
    }
    UNROLL_ALL
    for (int k = 0; k < rows; k++) {
        const real *x = (const real *)g->rows[r + k] + from * x_pixel + c;
        UNROLL_ALL
        for (int j = 0; j < columns; j++) {
            const vec v = FC_FN(keep)(middle ? dw_load(x, n, whole) : dw_column(x, from + j, g->width, n, whole));
            x = dw_next(x, x_pixel);
            UNROLL_ALL
            for (int s = 0; s < nx; s++) {
                const int at = j - s; /* step times the output that meets column j by tap s */
                if (at >= 0 && at % step == 0 && at / step < pixels) acc[rows > 1 ? k : at / step % 2][s] += v * d[at / step];
            }
        }
    }
}

/* The outputs of a part of a row and kernel rows r <= i < r + rows, one vector of channels. */
INLINE void FC_FN(depthwise_weight_span)(const fc_depthwise_weight_job *g, ptrdiff_t r, ptrdiff_t c, ptrdiff_t n, const int rows,
                                         const int pixels, const int nx, const int step, const int whole) {
    const ptrdiff_t columns = COLUMNS(pixels, nx, step, 1, 0);
    vec acc[3][5];
    UNROLL_ALL
    for (int k = 0; k < 3; k++) {
        UNROLL_ALL
        for (int s = 0; s < nx; s++) acc[k][s] = splat(0);
    }
    ptrdiff_t q = g->begin;
    for (; q + pixels <= g->end; q += pixels) {
        const ptrdiff_t from = q * step + g->x0;
        if (from >= 0 && from + columns <= g->width)
            FC_FN(depthwise_weight_block)(g, r, c, q, n, acc, rows, pixels, nx, step, 1, whole);
        else
            FC_FN(depthwise_weight_block)(g, r, c, q, n, acc, rows, pixels, nx, step, 0, whole);
    }
    for (; q < g->end; q++) FC_FN(depthwise_weight_block)(g, r, c, q, n, acc, rows, 1, nx, step, 0, whole);
    UNROLL_ALL
    for (int k = 0; k < rows; k++) {
        UNROLL_ALL
        for (int s = 0; s < nx; s++) {
            real *dw = (real *)g->dw + ((r + k) * nx + s) * g->w_tap + c;
            const vec sum = rows > 1 ? acc[k][s] : acc[0][s] + acc[1][s];
            if (whole)
                store(dw, load(dw) + sum);
            else
                store_part(dw, load_part(dw, n) + sum, n);
        }
    }
}

/* A kernel row beside the image: its sums get 0 * dy. */
static void FC_FN(depthwise_weight_outside)(const fc_depthwise_weight_job *g, ptrdiff_t r) {
    for (ptrdiff_t c = g->first; c < g->last; c += LANES) {
        const ptrdiff_t n = g->last - c;
        vec acc = splat(0);
        for (ptrdiff_t q = g->begin; q < g->end; q++) acc += splat(0) * load_part((const real *)g->dy + q * g->y_pixel + c, n);
        for (ptrdiff_t s = 0; s < g->kw; s++) {
            real *dw = (real *)g->dw + (r * g->kw + s) * g->w_tap + c;
            store_part(dw, load_part(dw, n) + acc, n);
        }
    }
}

INLINE void FC_FN(depthwise_weight_near)(const fc_depthwise_weight_job *g, const int pixels, const int nx, const int step) {
    const int three = nx == 3 && g->kh == 3 && g->rows[0] && g->rows[1] && g->rows[2];
    ptrdiff_t c = g->first;
    for (; c + LANES <= g->last; c += LANES) {
        if (three)
            FC_FN(depthwise_weight_span)(g, 0, c, LANES, nx == 3 ? 3 : 1, pixels, nx, step, 1);
        else
            for (ptrdiff_t r = 0; r < g->kh; r++)
                if (g->rows[r]) FC_FN(depthwise_weight_span)(g, r, c, LANES, 1, pixels, nx, step, 1);
        FC_FN(depthwise_fetch)(g->dy_ahead, g->begin, g->end, g->y_pixel, c);
        for (ptrdiff_t r = 0; r < g->n_ahead; r++)
            FC_FN(depthwise_fetch)(g->ahead[r], g->begin * step, g->end * step, g->x_pixel, c);
    }
    if (c < g->last)
        for (ptrdiff_t r = 0; r < g->kh; r++)
            if (g->rows[r]) FC_FN(depthwise_weight_span)(g, r, c, g->last - c, 1, 2, nx, step, 0);
}

/* Any kernel: one tap after the other. */
static void FC_FN(depthwise_weight_far)(const fc_depthwise_weight_job *g) {
    for (ptrdiff_t c = g->first; c < g->last; c += LANES)
        for (ptrdiff_t t = 0; t < g->kh * g->kw; t++) {
            const ptrdiff_t n = g->last - c;
            const real *x = (const real *)g->rows[t / g->kw], *dy = (const real *)g->dy + c;
            real *dw = (real *)g->dw + t * g->w_tap + c;
            if (!x) continue;
            vec acc = splat(0);
            for (ptrdiff_t q = g->begin; q < g->end; q++) {
                const ptrdiff_t at = q * g->step + g->x0 + t % g->kw * g->dilation;
                const vec v = at >= 0 && at < g->width ? load_part(x + at * g->x_pixel + c, n) : splat(0);
                acc += v * load_part(dy + q * g->y_pixel, n);
            }
            store_part(dw, load_part(dw, n) + acc, n);
        }
}

/* One row of dy: dw[(r * kw + s) * w_tap + c] += sum over q of dy[q, c] * rows[r][q * step + s * dilation + x0, c]. */
static void FC_FN(depthwise_weight_row)(const fc_depthwise_weight_job *job) {
    const fc_depthwise_weight_job copy = *job, *g = &copy; /* a copy that no store can change */
    for (ptrdiff_t r = 0; r < g->kh; r++)
        if (!g->rows[r]) FC_FN(depthwise_weight_outside)(g, r);
    if (SEVENS(g->end - g->begin) && g->dilation == 1 && g->kw == 3 && g->step <= 2) {
        if (g->step == 1)
            FC_FN(depthwise_weight_near)(g, 7, 3, 1);
        else
            FC_FN(depthwise_weight_near)(g, 7, 3, 2);
        return;
    }
    switch (g->dilation == 1 ? g->kw * 10 + g->step : 0) {
        case 31: FC_FN(depthwise_weight_near)(g, FC_MR < 14 ? 4 : PIXELS, 3, 1); break;
        case 32: FC_FN(depthwise_weight_near)(g, FC_MR < 14 ? 4 : PIXELS, 3, 2); break;
        case 51: FC_FN(depthwise_weight_near)(g, PIXELS, 5, 1); break;
        case 52: FC_FN(depthwise_weight_near)(g, PIXELS, 5, 2); break;
        default: FC_FN(depthwise_weight_far)(g);
    }
}
#undef dw_load
#undef dw_next
#undef dw_pixel
#undef UNROLL_ALL
#undef PIXELS
#undef COLUMNS
#undef dw_column
#undef SEVENS
