/* kernels.ukr.norm: batch normalisation of a matrix whose columns are channels; included by body.h, no guard. [Ioffe2015]
 *
 * A row may hold several pixels (`width` is then a multiple of the channels, and the coefficients are repeated to `width`):
 * that is how few channels still fill vectors. Per column: y = (x - mean) * scale + shift, scale = weight / sqrt(var + eps). */

INLINE void FC_FN(moments_piece)(real *acc, ptrdiff_t width, const real *x, ptrdiff_t stride, ptrdiff_t n, const int rows) {
    const vec centre = load_part(acc, n);
    vec d[4];
    UNROLL
    for (int k = 0; k < rows; k++) d[k] = load_part(x + k * stride, n) - centre;
    real *sum = acc + width, *square = sum + width;
    store_part(sum, load_part(sum, n) + (rows == 1 ? d[0] : (d[0] + d[1]) + (d[2] + d[3])), n);
    const vec sq = rows == 1 ? d[0] * d[0] : (d[0] * d[0] + d[1] * d[1]) + (d[2] * d[2] + d[3] * d[3]);
    store_part(square, load_part(square, n) + sq, n);
}

INLINE void FC_FN(moments_row)(real *acc, const real *x, ptrdiff_t stride, ptrdiff_t width, const int rows) {
    ptrdiff_t j = 0;
    for (; j + LANES <= width; j += LANES) FC_FN(moments_piece)(acc + j, width, x + j, stride, LANES, rows);
    if (j < width) FC_FN(moments_piece)(acc + j, width, x + j, stride, width - j, rows);
}

/* Mean and centred sum of squares of each column, by the distances from a centre. The centre is the mean of the first eighth of
 * the rows: by convexity (centre - mean)^2 <= 8 var, so the correction at the end costs at most 4 bits of the sum, whatever the
 * values are. `scratch` holds 3 * width values. */
static void FC_FN(moments)(double *mean, double *m2, void *scratch, const void *x, ptrdiff_t rows, ptrdiff_t width,
                           ptrdiff_t stride) {
    real *acc = scratch; /* centre, sum of distances, sum of their squares */
    ptrdiff_t r = 0, first = (rows + 7) / 8 < 8 ? 8 : (rows + 7) / 8;
    if (first > rows) first = rows;
    FC_FN(column_sums)(mean, acc, x, first, width, stride);
    for (ptrdiff_t j = 0; j < width; j++) acc[j] = (real)(mean[j] / (double)first);
    memset(acc + width, 0, (size_t)(2 * width) * sizeof(real));
    for (; r + 4 <= rows; r += 4) FC_FN(moments_row)(acc, (const real *)x + r * stride, stride, width, 4);
    for (; r < rows; r++) FC_FN(moments_row)(acc, (const real *)x + r * stride, stride, width, 1);
    for (ptrdiff_t j = 0; j < width; j++) {
        const double sum = (double)acc[width + j], rest = sum / (double)rows;
        mean[j] = (double)acc[j] + rest;
        m2[j] = (double)acc[2 * width + j] - rest * sum;
    }
}

/* Merge blocks of moments, block b over count[b] values: mean = sum n_b mean_b / N, m2 = sum m2_b + n_b (mean_b - mean)^2. */
static void FC_FN(merge_moments)(double *mean, double *m2, const double *part_mean, const double *part_m2, const double *count,
                                 ptrdiff_t blocks, ptrdiff_t width) {
    double total = 0;
    for (ptrdiff_t j = 0; j < width; j++) mean[j] = m2[j] = 0;
    for (ptrdiff_t b = 0; b < blocks; b++) {
        total += count[b];
        for (ptrdiff_t j = 0; j < width; j++) mean[j] += count[b] * part_mean[b * width + j];
    }
    for (ptrdiff_t j = 0; j < width; j++) mean[j] /= total;
    for (ptrdiff_t b = 0; b < blocks; b++)
        for (ptrdiff_t j = 0; j < width; j++) {
            const double d = part_mean[b * width + j] - mean[j];
            m2[j] += part_m2[b * width + j] + count[b] * d * d;
        }
}

/* The coefficients of one vector of columns; slope and offset in backward only. `ceiling` is the ReLU's. */
#define coefficients FC_FN(coefficients)
typedef struct {
    vec mean, scale, shift, slope, offset, ceiling;
} coefficients;

INLINE coefficients FC_FN(coefficients_at)(const fc_norm_job *f, ptrdiff_t j, ptrdiff_t n, const int backward) {
    coefficients c;
    c.mean = load_part((const real *)f->mean + j, n);
    c.scale = load_part((const real *)f->scale + j, n);
    c.shift = load_part((const real *)f->shift + j, n);
    c.slope = backward ? load_part((const real *)f->slope + j, n) : splat(0);
    c.offset = backward ? load_part((const real *)f->offset + j, n) : splat(0);
    c.ceiling = splat((real)f->ceiling);
    return c;
}

INLINE vec FC_FN(normalised)(const coefficients *c, vec x) { return (x - c->mean) * c->scale + c->shift; }

/* NaN stays NaN. */
INLINE vec FC_FN(clipped)(const coefficients *c, vec y) {
    const ivec above = (ivec)(y > c->ceiling);
    return relu_vec((vec)(((ivec)y & ~above) | ((ivec)c->ceiling & above)));
}

/* dy where 0 < y < ceiling or y is NaN, else zero. */
INLINE vec FC_FN(inside)(const coefficients *c, vec dy, vec y) {
    return (vec)((ivec)FC_FN(positive)(dy, y) & ~(ivec)(y >= c->ceiling));
}

INLINE void FC_FN(norm_store)(const fc_norm_job *f, ptrdiff_t at, vec v, ptrdiff_t n) {
    if (n == LANES && f->past_cache)
        stream((real *)f->out + at, v);
    else
        store_part((real *)f->out + at, v, n);
}

/* One vector of columns of `rows` rows: the coefficients are loaded once for all. */
INLINE void FC_FN(norm_piece)(const fc_norm_job *f, ptrdiff_t at, ptrdiff_t j, ptrdiff_t n, const int rows, const int residual,
                              const int relu) {
    const coefficients c = FC_FN(coefficients_at)(f, j, n, 0);
    UNROLL
    for (int k = 0; k < rows; k++) {
        const ptrdiff_t here = at + k * f->width + j;
        vec y = FC_FN(normalised)(&c, load_part((const real *)f->x + here, n));
        if (residual) y += load_part((const real *)f->residual + here, n);
        FC_FN(norm_store)(f, here, relu ? FC_FN(clipped)(&c, y) : y, n);
    }
}

INLINE void FC_FN(norm_rows)(const fc_norm_job *f, ptrdiff_t at, ptrdiff_t width, const int rows, const int residual,
                             const int relu) {
    ptrdiff_t j = 0;
    for (; j + LANES <= width; j += LANES) FC_FN(norm_piece)(f, at, j, LANES, rows, residual, relu);
    if (j < width) FC_FN(norm_piece)(f, at, j, width - j, rows, residual, relu);
}

INLINE void FC_FN(norm_forward_as)(const fc_norm_job *f, const int residual, const int relu) {
    ptrdiff_t at = 0;
    for (; at + 4 * f->width <= f->n; at += 4 * f->width) FC_FN(norm_rows)(f, at, f->width, 4, residual, relu);
    for (; at + f->width <= f->n; at += f->width) FC_FN(norm_rows)(f, at, f->width, 1, residual, relu);
    if (at < f->n) FC_FN(norm_rows)(f, at, f->n - at, 1, residual, relu);
    if (f->past_cache) stream_end();
}

/* out = (x - mean) * scale + shift (+ residual) (ReLU) on n elements that start with a row. */
static void FC_FN(norm_forward)(const fc_norm_job *job) {
    const fc_norm_job f = *job; /* a copy that no store can change */
    if (f.residual) {
        if (f.relu)
            FC_FN(norm_forward_as)(&f, 1, 1);
        else
            FC_FN(norm_forward_as)(&f, 1, 0);
    } else {
        if (f.relu)
            FC_FN(norm_forward_as)(&f, 0, 1);
        else
            FC_FN(norm_forward_as)(&f, 0, 0);
    }
}

enum { FC_FN(mask_none), FC_FN(mask_recompute), FC_FN(mask_saved) };

/* The gradient behind the ReLU that forward fused, if any: its sign comes from the same expression or from the saved y. */
INLINE vec FC_FN(norm_gradient)(const fc_norm_job *f, const coefficients *c, ptrdiff_t at, vec x, ptrdiff_t n, const int mask) {
    const vec dy = load_part((const real *)f->dy + at, n);
    if (mask == FC_FN(mask_none)) return dy;
    const vec y = mask == FC_FN(mask_saved) ? load_part((const real *)f->y + at, n) : FC_FN(normalised)(c, x);
    const vec masked = FC_FN(inside)(c, dy, y);
    if (mask == FC_FN(mask_saved)) store_part((real *)f->out + at, masked, n);
    return masked;
}

INLINE void FC_FN(norm_sums_piece)(const fc_norm_job *f, ptrdiff_t r, ptrdiff_t j, ptrdiff_t n, const int mask, const int rows) {
    real *sum = (real *)f->scratch + j, *product = sum + f->width;
    const coefficients c = FC_FN(coefficients_at)(f, j, n, 0);
    vec a[4], b[4];
    UNROLL
    for (int k = 0; k < rows; k++) {
        const ptrdiff_t at = (r + k) * f->stride + j;
        const vec x = load_part((const real *)f->x + at, n);
        a[k] = FC_FN(norm_gradient)(f, &c, at, x, n, mask);
        b[k] = a[k] * (x - c.mean);
    }
    store_part(sum, load_part(sum, n) + (rows == 4 ? (a[0] + a[1]) + (a[2] + a[3]) : a[0]), n);
    store_part(product, load_part(product, n) + (rows == 4 ? (b[0] + b[1]) + (b[2] + b[3]) : b[0]), n);
}

INLINE void FC_FN(norm_sums_row)(const fc_norm_job *f, ptrdiff_t r, const int mask, const int rows) {
    ptrdiff_t j = 0;
    for (; j + LANES <= f->width; j += LANES) FC_FN(norm_sums_piece)(f, r, j, LANES, mask, rows);
    if (j < f->width) FC_FN(norm_sums_piece)(f, r, j, f->width - j, mask, rows);
}

INLINE void FC_FN(norm_sums_as)(const fc_norm_job *f, const int mask) {
    ptrdiff_t r = 0;
    for (; r + 4 <= f->rows; r += 4) FC_FN(norm_sums_row)(f, r, mask, 4);
    for (; r < f->rows; r++) FC_FN(norm_sums_row)(f, r, mask, 1);
}

/* Per column of a tile: sums[j] = sum g, products[j] = sum g * (x - mean), g = dy behind the ReLU. With a saved y the masked
 * gradient is also written to out. */
static void FC_FN(norm_sums)(const fc_norm_job *job, double *sums, double *products) {
    const fc_norm_job f = *job; /* a copy that no store can change */
    const real *sum = f.scratch, *product = sum + f.width;
    memset(f.scratch, 0, (size_t)(2 * f.width) * sizeof(real));
    if (f.y)
        FC_FN(norm_sums_as)(&f, FC_FN(mask_saved));
    else if (f.relu)
        FC_FN(norm_sums_as)(&f, FC_FN(mask_recompute));
    else
        FC_FN(norm_sums_as)(&f, FC_FN(mask_none));
    for (ptrdiff_t j = 0; j < f.width; j++) {
        sums[j] = (double)sum[j];
        products[j] = (double)product[j];
    }
}

INLINE void FC_FN(norm_backward_piece)(const fc_norm_job *f, ptrdiff_t at, ptrdiff_t j, ptrdiff_t n, const int rows,
                                       const int mask) {
    const coefficients c = FC_FN(coefficients_at)(f, j, n, 1);
    UNROLL
    for (int k = 0; k < rows; k++) {
        const ptrdiff_t here = at + k * f->width + j;
        const vec x = load_part((const real *)f->x + here, n);
        const vec g = FC_FN(norm_gradient)(f, &c, here, x, n, mask);
        FC_FN(norm_store)(f, here, g * c.scale + ((x - c.mean) * c.slope + c.offset), n);
    }
}

INLINE void FC_FN(norm_backward_rows)(const fc_norm_job *f, ptrdiff_t at, ptrdiff_t width, const int rows, const int mask) {
    ptrdiff_t j = 0;
    for (; j + LANES <= width; j += LANES) FC_FN(norm_backward_piece)(f, at, j, LANES, rows, mask);
    if (j < width) FC_FN(norm_backward_piece)(f, at, j, width - j, rows, mask);
}

INLINE void FC_FN(norm_backward_as)(const fc_norm_job *f, const int mask) {
    ptrdiff_t at = 0;
    for (; at + 4 * f->width <= f->n; at += 4 * f->width) FC_FN(norm_backward_rows)(f, at, f->width, 4, mask);
    for (; at + f->width <= f->n; at += f->width) FC_FN(norm_backward_rows)(f, at, f->width, 1, mask);
    if (at < f->n) FC_FN(norm_backward_rows)(f, at, f->n - at, 1, mask);
    if (f->past_cache) stream_end();
}

/* out = scale * g + slope * (x - mean) + offset on n elements that start with a row. */
static void FC_FN(norm_backward)(const fc_norm_job *job) {
    const fc_norm_job f = *job; /* a copy that no store can change */
    if (f.relu)
        FC_FN(norm_backward_as)(&f, FC_FN(mask_recompute));
    else
        FC_FN(norm_backward_as)(&f, FC_FN(mask_none));
}
#undef coefficients
