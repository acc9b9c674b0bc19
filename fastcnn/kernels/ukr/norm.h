/* kernels.ukr.norm: batch normalisation of a matrix whose columns are channels; included by body.h, no guard. [Ioffe2015]
 *
 * A row may hold several pixels (`width` is then a multiple of the channels, and the coefficients are repeated to `width`):
 * that is how few channels still fill vectors. Per column: y = (x - mean) * scale + shift, scale = weight / sqrt(var + eps). */

INLINE void FC_FN(moments_strip)(real *acc, ptrdiff_t width, const real *x, ptrdiff_t rows, ptrdiff_t stride, ptrdiff_t n,
                                 const int vectors) {
    vec centre[FC_FN(abreast)], sum[FC_FN(abreast)], square[FC_FN(abreast)];
    UNROLL
    for (int k = 0; k < vectors; k++) {
        centre[k] = load_part(acc + k * LANES, n);
        sum[k] = load_part(acc + width + k * LANES, n);
        square[k] = load_part(acc + 2 * width + k * LANES, n);
    }
    for (ptrdiff_t r = 0; r < rows; r++) {
        UNROLL
        for (int k = 0; k < vectors; k++) {
            const vec d = load_part(x + r * stride + k * LANES, n) - centre[k];
            sum[k] += d;
            square[k] += d * d;
        }
    }
    UNROLL
    for (int k = 0; k < vectors; k++) {
        store_part(acc + width + k * LANES, sum[k], n);
        store_part(acc + 2 * width + k * LANES, square[k], n);
    }
}

INLINE void FC_FN(moments_block)(real *acc, const real *x, ptrdiff_t rows, ptrdiff_t width, ptrdiff_t stride) {
    const ptrdiff_t strip = FC_FN(abreast) * LANES;
    ptrdiff_t j = 0;
    for (; j + strip <= width; j += strip) FC_FN(moments_strip)(acc + j, width, x + j, rows, stride, LANES, FC_FN(abreast));
    for (; j + LANES <= width; j += LANES) FC_FN(moments_strip)(acc + j, width, x + j, rows, stride, LANES, 1);
    if (j < width) FC_FN(moments_strip)(acc + j, width, x + j, rows, stride, width - j, 1);
}

/* Mean and centred sum of squares of each column, by the distances from a centre. The centre is the mean of the first 2^k rows, a
 * sixteenth of all at least: by convexity (centre - mean)^2 <= 16 var, so the correction at the end costs at most 5 bits of the
 * sum, whatever the values are; and the mean of integers is exact. `scratch` holds 3 * width values. */
static void FC_FN(moments)(double *mean, double *m2, void *scratch, const void *x, ptrdiff_t rows, ptrdiff_t width,
                           ptrdiff_t stride) {
    real *acc = scratch; /* centre, sum of distances, sum of their squares */
    ptrdiff_t first = 1;
    while (2 * first <= rows && (first < 8 || 16 * first <= rows)) first *= 2;
    FC_FN(column_sums)(mean, acc, x, first, width, stride);
    for (ptrdiff_t j = 0; j < width; j++) acc[j] = (real)(mean[j] / (double)first);
    memset(acc + width, 0, (size_t)(2 * width) * sizeof(real));
    for (ptrdiff_t r = 0; r < rows; r += FC_FN(block)) {
        const ptrdiff_t count = rows - r < FC_FN(block) ? rows - r : FC_FN(block);
        FC_FN(moments_block)(acc, (const real *)x + r * stride, count, width, stride);
    }
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

INLINE void FC_FN(norm_piece)(const fc_norm_job *f, ptrdiff_t at, ptrdiff_t j, ptrdiff_t n, const int residual, const int relu) {
    const coefficients c = FC_FN(coefficients_at)(f, j, n, 0);
    vec y = FC_FN(normalised)(&c, load_part((const real *)f->x + at + j, n));
    if (residual) y += load_part((const real *)f->residual + at + j, n);
    FC_FN(norm_store)(f, at + j, relu ? FC_FN(clipped)(&c, y) : y, n);
}

/* Vector by vector in the order of memory: several rows abreast would load the coefficients once for all, and slow the memory. */
INLINE void FC_FN(norm_forward_as)(const fc_norm_job *f, const int residual, const int relu) {
    for (ptrdiff_t at = 0; at < f->n; at += f->width) {
        const ptrdiff_t width = f->width < f->n - at ? f->width : f->n - at;
        ptrdiff_t j = 0;
        for (; j + LANES <= width; j += LANES) FC_FN(norm_piece)(f, at, j, LANES, residual, relu);
        if (j < width) FC_FN(norm_piece)(f, at, j, width - j, residual, relu);
    }
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
INLINE vec FC_FN(norm_gradient)(const fc_norm_job *f, const coefficients *c, ptrdiff_t at, vec x, ptrdiff_t n, const int mask,
                                const int also) {
    vec g = load_part((const real *)f->dy + at, n);
    if (also) g += load_part((const real *)f->also + at, n);
    if (mask != FC_FN(mask_none))
        g = FC_FN(inside)(c, g, mask == FC_FN(mask_saved) ? load_part((const real *)f->y + at, n) : FC_FN(normalised)(c, x));
    if (also || mask == FC_FN(mask_saved)) store_part((real *)f->out + at, g, n);
    return g;
}

/* The columns of `vectors` vectors, whose sums stay in registers; the hardware does not fetch rows ahead of steps that long. */
INLINE void FC_FN(norm_sums_strip)(const fc_norm_job *f, ptrdiff_t j, ptrdiff_t n, const int mask, const int also,
                                   const int vectors) {
    real *sums = (real *)f->scratch + j, *products = sums + f->width;
    const ptrdiff_t ahead = 8 * f->stride;
    coefficients c[FC_FN(abreast)];
    vec sum[FC_FN(abreast)], product[FC_FN(abreast)];
    UNROLL
    for (int k = 0; k < vectors; k++) {
        c[k] = FC_FN(coefficients_at)(f, j + k * LANES, n, 0);
        sum[k] = product[k] = splat(0);
    }
    for (ptrdiff_t r = 0; r < f->rows; r++) {
        UNROLL
        for (int k = 0; k < vectors; k++) {
            const ptrdiff_t at = r * f->stride + j + k * LANES;
            const vec x = load_part((const real *)f->x + at, n), g = FC_FN(norm_gradient)(f, &c[k], at, x, n, mask, also);
            __builtin_prefetch((const real *)f->x + at + ahead);
            __builtin_prefetch((const real *)f->dy + at + ahead);
            if (also) __builtin_prefetch((const real *)f->also + at + ahead);
            if (mask == FC_FN(mask_saved)) __builtin_prefetch((const real *)f->y + at + ahead);
            sum[k] += g;
            product[k] += g * (x - c[k].mean);
        }
    }
    UNROLL
    for (int k = 0; k < vectors; k++) {
        store_part(sums + k * LANES, sum[k], n);
        store_part(products + k * LANES, product[k], n);
    }
}

INLINE void FC_FN(norm_sums_as)(const fc_norm_job *f, const int mask, const int also) {
    enum { HALF = FC_FN(abreast) / 2 };
    ptrdiff_t j = 0;
    for (; j + HALF * LANES <= f->width; j += HALF * LANES) FC_FN(norm_sums_strip)(f, j, LANES, mask, also, HALF);
    for (; j + LANES <= f->width; j += LANES) FC_FN(norm_sums_strip)(f, j, LANES, mask, also, 1);
    if (j < f->width) FC_FN(norm_sums_strip)(f, j, f->width - j, mask, also, 1);
}

INLINE void FC_FN(norm_sums_of)(const fc_norm_job *f, const int mask) {
    if (f->also)
        FC_FN(norm_sums_as)(f, mask, 1);
    else
        FC_FN(norm_sums_as)(f, mask, 0);
}

/* Per column of a tile: sums[j] = sum g, products[j] = sum g * (x - mean), g = dy (+ also) behind the ReLU. With a saved y or
 * two gradients g is written to out. */
static void FC_FN(norm_sums)(const fc_norm_job *job, double *sums, double *products) {
    const fc_norm_job f = *job; /* a copy that no store can change */
    const real *sum = f.scratch, *product = sum + f.width;
    if (f.y)
        FC_FN(norm_sums_of)(&f, FC_FN(mask_saved));
    else if (f.relu)
        FC_FN(norm_sums_of)(&f, FC_FN(mask_recompute));
    else
        FC_FN(norm_sums_of)(&f, FC_FN(mask_none));
    for (ptrdiff_t j = 0; j < f.width; j++) {
        sums[j] = (double)sum[j];
        products[j] = (double)product[j];
    }
}

INLINE void FC_FN(norm_backward_piece)(const fc_norm_job *f, ptrdiff_t at, ptrdiff_t j, ptrdiff_t n, const int mask) {
    const coefficients c = FC_FN(coefficients_at)(f, j, n, 1);
    const vec x = load_part((const real *)f->x + at + j, n), g = FC_FN(norm_gradient)(f, &c, at + j, x, n, mask, 0);
    FC_FN(norm_store)(f, at + j, g * c.scale + ((x - c.mean) * c.slope + c.offset), n);
}

INLINE void FC_FN(norm_backward_as)(const fc_norm_job *f, const int mask) {
    for (ptrdiff_t at = 0; at < f->n; at += f->width) {
        const ptrdiff_t width = f->width < f->n - at ? f->width : f->n - at;
        ptrdiff_t j = 0;
        for (; j + LANES <= width; j += LANES) FC_FN(norm_backward_piece)(f, at, j, LANES, mask);
        if (j < width) FC_FN(norm_backward_piece)(f, at, j, width - j, mask);
    }
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

/* sums[0] += sum w[k] * a[k], sums[1] += sum w[k] * b[k], w = 1 without weight: four sums abreast, a chain of additions would wait. */
INLINE void FC_FN(group_sums)(double sums[2], const real *w, const double *a, const double *b, ptrdiff_t n) {
    double s[2][4] = {{0}};
    ptrdiff_t k = 0;
    for (; k + 4 <= n; k += 4) {
        UNROLL
        for (int j = 0; j < 4; j++) {
            const double weight = w ? (double)w[k + j] : 1;
            s[0][j] += weight * a[k + j];
            s[1][j] += weight * b[k + j];
        }
    }
    for (; k < n; k++) {
        const double weight = w ? (double)w[k] : 1;
        s[0][0] += weight * a[k];
        s[1][0] += weight * b[k];
    }
    UNROLL
    for (int i = 0; i < 2; i++) sums[i] = (s[i][0] + s[i][1]) + (s[i][2] + s[i][3]);
}

/* The coefficients of one pixel of an image whose groups of channels have their own mean and rstd; see ukr.h. */
static void FC_FN(group_coefficients)(const fc_group_job *job) {
    const fc_group_job f = *job; /* a copy that no store can change */
    const ptrdiff_t width = f.channels / f.groups;
    for (ptrdiff_t g = 0; g < f.groups; g++) {
        const real mean = ((const real *)f.means)[g], rstd = ((const real *)f.rstds)[g];
        const ptrdiff_t first = g * width;
        double sums[2] = {0, 0};
        if (f.sums && f.weight)
            FC_FN(group_sums)(sums, (const real *)f.weight + first, f.sums + first, f.sums + f.channels + first, width);
        else if (f.sums)
            FC_FN(group_sums)(sums, NULL, f.sums + first, f.sums + f.channels + first, width);
        const double r = (double)rstd;
        const vec slope = splat((real)(-sums[1] * r * r * r / f.count)), offset = splat((real)(-sums[0] * r / f.count));
        for (ptrdiff_t k = first; k < first + width; k += LANES) {
            const ptrdiff_t n = first + width - k;
            const vec scale = splat(rstd);
            if (f.mean) store_part((real *)f.mean + k, splat(mean), n);
            if (f.scale) store_part((real *)f.scale + k, f.weight ? scale * load_part((const real *)f.weight + k, n) : scale, n);
            if (f.shift) store_part((real *)f.shift + k, f.bias ? load_part((const real *)f.bias + k, n) : splat(0), n);
            if (!f.sums) continue;
            store_part((real *)f.slope + k, slope, n);
            store_part((real *)f.offset + k, offset, n);
        }
    }
}
