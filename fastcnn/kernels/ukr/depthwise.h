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

/* Columns of the source that a block of outputs reads. */
#define COLUMNS(pixels, nx, step, up, shift) ((((pixels)-1) * (step) + (nx)-1 + (shift)) / (up) + 1)

/* The sum that every output of the row starts from: bias, and 0 * w for each tap above and below the image. */
INLINE vec FC_FN(depthwise_start)(const fc_depthwise_job *g, ptrdiff_t c, ptrdiff_t n, const int whole) {
    vec start = g->bias ? dw_load((const real *)g->bias + c, n, whole) : splat(0);
    for (ptrdiff_t r = g->n_rows; r < g->n_rows + g->n_outside; r++)
        for (ptrdiff_t s = 0; s < g->nx; s++)
            start += splat(0) * dw_load((const real *)g->w + g->row_taps[r] + g->col_taps[s] + c, n, whole);
    return start;
}

INLINE void FC_FN(depthwise_store)(const fc_depthwise_job *g, ptrdiff_t at, vec v, ptrdiff_t n, const int whole) {
    if (g->relu) v = relu_vec(v);
    if (whole) store((real *)g->y + at, v);
    else store_part((real *)g->y + at, v, n);
}

/* `count` outputs from output q on, channels c.. of one vector; source column (i * step + s + shift) / up + from, where that is
 * whole, meets tap s of output i. Columns lo <= j < hi of the block lie in the image. */
INLINE void FC_FN(depthwise_block)(const fc_depthwise_job *g, ptrdiff_t q, ptrdiff_t count, ptrdiff_t from, ptrdiff_t lo,
                                   ptrdiff_t hi, ptrdiff_t c, ptrdiff_t n, const int nx, const int step, const int up,
                                   const int shift, const int middle, const int whole) {
    const int columns = COLUMNS(PIXELS, nx, step, up, shift);
    const ptrdiff_t pixel = g->x_pixel;
    const vec start = FC_FN(depthwise_start)(g, c, n, whole);
    vec acc[PIXELS];
    UNROLL_ALL
    for (int i = 0; i < PIXELS; i++) acc[i] = start;
    for (ptrdiff_t r = 0; r < g->n_rows; r++) {
        const real *x = (const real *)g->rows[r] + from * pixel + c;
        const real *w = (const real *)g->w + g->row_taps[r] + g->col_taps[0] + c;
        vec tap[5];
        UNROLL_ALL
        for (int s = 0; s < nx; s++) tap[s] = dw_load(w + s * g->w_tap, n, whole);
        UNROLL_ALL
        for (int j = 0; j < columns; j++) {
            const vec v = middle || (j >= lo && j < hi) ? dw_load(x + j * pixel, n, whole) : splat(0);
            UNROLL_ALL
            for (int s = 0; s < nx; s++) {
                const int at = j * up - s - shift; /* step times the output that meets column j by tap s */
                if (at >= 0 && at % step == 0 && at / step < PIXELS) acc[at / step] += v * tap[s];
            }
        }
    }
    UNROLL_ALL
    for (int i = 0; i < PIXELS; i++)
        if (middle || i < count) FC_FN(depthwise_store)(g, (q + i) * g->y_pixel + c, acc[i], n, whole);
}

/* A row of outputs, neighbouring taps. */
INLINE void FC_FN(depthwise_near)(const fc_depthwise_job *g, const int nx, const int step, const int up, const int shift) {
    const ptrdiff_t columns = COLUMNS(PIXELS, nx, step, up, shift);
    for (ptrdiff_t q = 0; q < g->ow; q += PIXELS) {
        const ptrdiff_t count = g->ow - q < PIXELS ? g->ow - q : PIXELS, from = q * step / up + g->x0;
        const ptrdiff_t lo = from < 0 ? -from : 0, hi = g->width - from;
        ptrdiff_t c = g->first;
        if (count == PIXELS && lo == 0 && hi >= columns)
            for (; c + LANES <= g->last; c += LANES)
                FC_FN(depthwise_block)(g, q, count, from, lo, hi, c, LANES, nx, step, up, shift, 1, 1);
        else
            for (; c + LANES <= g->last; c += LANES)
                FC_FN(depthwise_block)(g, q, count, from, lo, hi, c, LANES, nx, step, up, shift, 0, 1);
        if (c < g->last) FC_FN(depthwise_block)(g, q, count, from, lo, hi, c, g->last - c, nx, step, up, shift, 0, 0);
    }
}

/* A row of outputs, any taps: column q * step + cols[s]. */
static void FC_FN(depthwise_far)(const fc_depthwise_job *g) {
    for (ptrdiff_t q = 0; q < g->ow; q++)
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
            FC_FN(depthwise_store)(g, q * g->y_pixel + c, acc, n, 0);
        }
}

/* One row of outputs: y[q, c] = bias[c] + sum over rows r, taps s of rows[r][column, c] * w[row_taps[r] + col_taps[s] + c]. */
static void FC_FN(depthwise_row)(const fc_depthwise_job *job) {
    const fc_depthwise_job copy = *job, *g = &copy; /* a copy that no store can change */
    const ptrdiff_t form = g->near ? g->nx * 1000 + g->step * 100 + g->up * 10 + g->shift : 0;
    switch (form) {
    case 3110: FC_FN(depthwise_near)(g, 3, 1, 1, 0); break;
    case 3210: FC_FN(depthwise_near)(g, 3, 2, 1, 0); break;
    case 3120: FC_FN(depthwise_near)(g, 3, 1, 2, 0); break;
    case 3121: FC_FN(depthwise_near)(g, 3, 1, 2, 1); break;
    case 5110: FC_FN(depthwise_near)(g, 5, 1, 1, 0); break;
    case 5210: FC_FN(depthwise_near)(g, 5, 2, 1, 0); break;
    case 5120: FC_FN(depthwise_near)(g, 5, 1, 2, 0); break;
    case 5121: FC_FN(depthwise_near)(g, 5, 1, 2, 1); break;
    default: FC_FN(depthwise_far)(g);
    }
}

/* Add output q to the sums of one kernel row; `checked`: columns may lie beside the image. */
#define dw_pixel FC_FN(dw_pixel)
INLINE void dw_pixel(const fc_depthwise_weight_job *g, const real *x, const real *dy, ptrdiff_t q, ptrdiff_t n, vec *acc,
                     const int nx, const int checked, const int whole) {
    const vec d = dw_load(dy + q * g->y_pixel, n, whole);
    UNROLL_ALL
    for (int s = 0; s < nx; s++) {
        const ptrdiff_t at = q * g->step + g->x0 + s;
        acc[s] += d * (!checked || (at >= 0 && at < g->width) ? dw_load(x + at * g->x_pixel, n, whole) : splat(0));
    }
}

#define SPAN 16 /* outputs of a row whose sums stay in registers: their pixels are near each other in memory */

/* Outputs q0 <= q < q1, of which first <= q < last see only columns of the image, and kernel row r; one vector of channels. */
INLINE void FC_FN(depthwise_weight_span)(const fc_depthwise_weight_job *g, ptrdiff_t r, ptrdiff_t c, ptrdiff_t n, ptrdiff_t q0,
                                         ptrdiff_t q1, ptrdiff_t first, ptrdiff_t last, const int nx, const int step,
                                         const int whole) {
    enum { BLOCK = 4 };
    const int columns = COLUMNS(BLOCK, nx, step, 1, 0);
    const real *x = (const real *)g->rows[r] + c, *dy = (const real *)g->dy + c;
    const ptrdiff_t a = first < q0 ? q0 : first > q1 ? q1 : first, b = last > q1 ? q1 : last < a ? a : last;
    const ptrdiff_t pixel = g->x_pixel;
    vec acc[5], odd[5];
    UNROLL_ALL
    for (int s = 0; s < nx; s++) acc[s] = odd[s] = splat(0);
    ptrdiff_t q = q0;
    for (; q < a; q++) dw_pixel(g, x, dy, q, n, acc, nx, 1, whole);
    for (; q + BLOCK <= b; q += BLOCK) {
        const real *p = x + (q * step + g->x0) * pixel;
        vec d[BLOCK];
        UNROLL_ALL
        for (int i = 0; i < BLOCK; i++) d[i] = dw_load(dy + (q + i) * g->y_pixel, n, whole);
        UNROLL_ALL
        for (int j = 0; j < columns; j++) {
            const vec v = dw_load(p + j * pixel, n, whole);
            UNROLL_ALL
            for (int s = 0; s < nx; s++)
                if (j >= s && (j - s) % step == 0 && (j - s) / step < BLOCK) {
                    if ((j - s) / step % 2) odd[s] += v * d[(j - s) / step];
                    else acc[s] += v * d[(j - s) / step];
                }
        }
    }
    for (; q < b; q++) dw_pixel(g, x, dy, q, n, acc, nx, 0, whole);
    for (; q < q1; q++) dw_pixel(g, x, dy, q, n, acc, nx, 1, whole);
    UNROLL_ALL
    for (int s = 0; s < nx; s++) {
        real *dw = (real *)g->dw + (r * nx + s) * g->w_tap + c;
        store_part(dw, dw_load(dw, n, whole) + (acc[s] + odd[s]), n);
    }
}

/* A kernel row beside the image: its sums get 0 * dy. */
static void FC_FN(depthwise_weight_outside)(const fc_depthwise_weight_job *g, ptrdiff_t r) {
    for (ptrdiff_t c = g->first; c < g->last; c += LANES) {
        const ptrdiff_t n = g->last - c;
        vec acc = splat(0);
        for (ptrdiff_t q = 0; q < g->ow; q++) acc += splat(0) * load_part((const real *)g->dy + q * g->y_pixel + c, n);
        for (ptrdiff_t s = 0; s < g->kw; s++) {
            real *dw = (real *)g->dw + (r * g->kw + s) * g->w_tap + c;
            store_part(dw, load_part(dw, n) + acc, n);
        }
    }
}

INLINE void FC_FN(depthwise_weight_near)(const fc_depthwise_weight_job *g, const int nx, const int step) {
    const ptrdiff_t room = g->width - g->x0 - nx; /* largest q * step, if not negative */
    const ptrdiff_t first = g->x0 < 0 ? (-g->x0 + step - 1) / step : 0, last = room < 0 ? 0 : room / step + 1;
    for (ptrdiff_t q = 0; q < g->ow; q += SPAN) {
        const ptrdiff_t end = g->ow - q < SPAN ? g->ow : q + SPAN;
        ptrdiff_t c = g->first;
        for (; c + LANES <= g->last; c += LANES)
            for (ptrdiff_t r = 0; r < g->kh; r++)
                if (g->rows[r]) FC_FN(depthwise_weight_span)(g, r, c, LANES, q, end, first, last, nx, step, 1);
        if (c < g->last)
            for (ptrdiff_t r = 0; r < g->kh; r++)
                if (g->rows[r]) FC_FN(depthwise_weight_span)(g, r, c, g->last - c, q, end, first, last, nx, step, 0);
    }
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
            for (ptrdiff_t q = 0; q < g->ow; q++) {
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
    switch (g->dilation == 1 ? g->kw * 10 + g->step : 0) {
    case 31: FC_FN(depthwise_weight_near)(g, 3, 1); break;
    case 32: FC_FN(depthwise_weight_near)(g, 3, 2); break;
    case 51: FC_FN(depthwise_weight_near)(g, 5, 1); break;
    case 52: FC_FN(depthwise_weight_near)(g, 5, 2); break;
    default: FC_FN(depthwise_weight_far)(g);
    }
}
#undef dw_load
#undef dw_pixel
#undef UNROLL_ALL
#undef PIXELS
#undef COLUMNS
#undef SPAN
