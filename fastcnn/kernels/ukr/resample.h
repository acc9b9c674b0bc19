/* kernels.ukr.resample: rows of images made of weighted rows and pixels of others; included by body.h, no guard. */

/* dst[j] = sum over k of weight[k] * src[out[k] + j], j < n; zeros without a term. */
INLINE void FC_FN(weighted_any)(real *dst, const real *src, const fc_source *s, ptrdiff_t count, ptrdiff_t n) {
    for (ptrdiff_t j = 0; j < n; j += LANES) {
        vec sum = splat(0);
        if (count) sum = splat((real)s[0].weight) * load_part(src + s[0].out + j, n - j);
        for (ptrdiff_t k = 1; k < count; k++) sum += splat((real)s[k].weight) * load_part(src + s[k].out + j, n - j);
        store_part(dst + j, sum, n - j);
    }
}

/* The same for a known count of terms, their weights in registers. */
INLINE void FC_FN(weighted_few)(real *dst, const real *src, const fc_source *s, ptrdiff_t n, const int count,
                                const int past_cache) {
    vec weight[4];
    const real *from[4];
    UNROLL
    for (int k = 0; k < count; k++) {
        weight[k] = splat((real)s[k].weight);
        from[k] = src + s[k].out;
    }
    ptrdiff_t j = 0;
    for (; j + LANES <= n; j += LANES) {
        vec sum = weight[0] * load(from[0] + j);
        UNROLL
        for (int k = 1; k < count; k++) sum += weight[k] * load(from[k] + j);
        if (past_cache)
            stream(dst + j, sum);
        else
            store(dst + j, sum);
    }
    if (j == n) return;
    vec sum = weight[0] * load_part(from[0] + j, n - j);
    UNROLL
    for (int k = 1; k < count; k++) sum += weight[k] * load_part(from[k] + j, n - j);
    store_part(dst + j, sum, n - j);
}

INLINE void FC_FN(weighted)(real *dst, const real *src, const fc_source *s, ptrdiff_t count, ptrdiff_t n, const int past_cache) {
    if (count == 1)
        FC_FN(weighted_few)(dst, src, s, n, 1, past_cache);
    else if (count == 2)
        FC_FN(weighted_few)(dst, src, s, n, 2, past_cache);
    else if (count == 4)
        FC_FN(weighted_few)(dst, src, s, n, 4, past_cache);
    else
        FC_FN(weighted_any)(dst, src, s, count, n);
}

INLINE void FC_FN(resample_pixels)(const fc_resample_job *f, const real *line, const int past_cache) {
    for (ptrdiff_t q = 0; q < f->ow; q++)
        FC_FN(weighted)((real *)f->y + q * f->channels, line, f->cols + f->start[q], f->start[q + 1] - f->start[q], f->channels,
                        past_cache);
}

/* Each pixel is one of the source. */
INLINE void FC_FN(copied_pixels)(const fc_resample_job *f, const real *line, const int past_cache) {
    const ptrdiff_t n = f->channels;
    for (ptrdiff_t q = 0; q < f->ow; q++) {
        const real *from = line + f->cols[q].out;
        real *to = (real *)f->y + q * n;
        ptrdiff_t j = 0;
        for (; j + LANES <= n; j += LANES) {
            if (past_cache)
                stream(to + j, load(from + j));
            else
                store(to + j, load(from + j));
        }
        if (j < n) store_part(to + j, load_part(from + j, n - j), n - j);
    }
}

/* One row of y: a weighted sum of rows of x, then each pixel a weighted sum of pixels of that. */
static void FC_FN(resample_row)(const fc_resample_job *job) {
    const fc_resample_job f = *job; /* a copy that no store can change */
    const real *line = f.scratch;
    if (f.n_rows == 1 && f.rows[0].weight == 1)
        line = (const real *)f.x + f.rows[0].out;
    else
        FC_FN(weighted)(f.scratch, f.x, f.rows, f.n_rows, f.iw * f.channels, 0);
    if (f.copies && f.past_cache)
        FC_FN(copied_pixels)(&f, line, 1);
    else if (f.copies)
        FC_FN(copied_pixels)(&f, line, 0);
    else if (f.past_cache)
        FC_FN(resample_pixels)(&f, line, 1);
    else
        FC_FN(resample_pixels)(&f, line, 0);
    if (f.past_cache) stream_end();
}
