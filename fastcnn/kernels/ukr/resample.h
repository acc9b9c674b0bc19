/* kernels.ukr.resample: rows of images made of weighted rows and pixels of others; included by body.h, no guard. */

/* dst[j] = sum over k of weight[k] * src[out[k] + j], j < n; zeros without a term. */
INLINE void FC_FN(weighted)(real *dst, const real *src, const fc_source *s, ptrdiff_t count, ptrdiff_t n) {
    for (ptrdiff_t j = 0; j < n; j += LANES) {
        vec sum = splat(0);
        if (count) sum = splat((real)s[0].weight) * load_part(src + s[0].out + j, n - j);
        for (ptrdiff_t k = 1; k < count; k++) sum += splat((real)s[k].weight) * load_part(src + s[k].out + j, n - j);
        store_part(dst + j, sum, n - j);
    }
}

/* One row of y: a weighted sum of rows of x, then each pixel a weighted sum of pixels of that. */
static void FC_FN(resample_row)(const fc_resample_job *job) {
    const fc_resample_job f = *job; /* a copy that no store can change */
    const real *line = f.scratch;
    if (f.n_rows == 1 && f.rows[0].weight == 1)
        line = (const real *)f.x + f.rows[0].out;
    else
        FC_FN(weighted)(f.scratch, f.x, f.rows, f.n_rows, f.iw * f.channels);
    for (ptrdiff_t q = 0; q < f.ow; q++)
        FC_FN(weighted)((real *)f.y + q * f.channels, line, f.cols + f.start[q], f.start[q + 1] - f.start[q], f.channels);
}
