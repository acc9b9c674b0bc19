/* kernels.ukr.run_norm: normalisation of runs, n values side by side that share one mean; included by body.h, no guard. [Ba2016]
 *
 * Sums are taken over blocks of a run in vectors, the blocks are added in float64. */
enum { FC_FN(run_block) = 4096 };

/* What is summed of vector i of a block: the distances from a centre and their squares, or g and g * distance. */
INLINE void FC_FN(run_add)(vec sums[2], const real *x, const real *dy, const real *weight, vec centre, ptrdiff_t n,
                           const int what) {
    const vec v = load_part(x, n);
    vec d = v - centre;
    if (what == 0) {
        sums[0] += v;
        return;
    }
    if (what == 1) {
        if (n < LANES) d = (vec)((ivec)d & FC_FN(first_lanes)(n));
        sums[0] += d;
        sums[1] += d * d;
        return;
    }
    vec g = load_part(dy, n);
    if (what == 3) g *= load_part(weight, n);
    sums[0] += g;
    sums[1] += g * d;
}

INLINE void FC_FN(run_sums_as)(double out[2], const real *x, const real *dy, const real *weight, real mean, ptrdiff_t n,
                               const int what) {
    const vec centre = splat(mean);
    out[0] = out[1] = 0;
    for (ptrdiff_t first = 0; first < n; first += FC_FN(run_block)) {
        const ptrdiff_t end = first + FC_FN(run_block) < n ? first + FC_FN(run_block) : n;
        vec sums[4][2];
        ptrdiff_t i = first;
        UNROLL
        for (int k = 0; k < 4; k++) sums[k][0] = sums[k][1] = splat(0);
        for (; i + 4 * LANES <= end; i += 4 * LANES) {
            UNROLL
            for (int k = 0; k < 4; k++)
                FC_FN(run_add)(sums[k], x + i + k * LANES, dy + i + k * LANES, weight + i + k * LANES, centre, LANES, what);
        }
        for (; i < end; i += LANES) FC_FN(run_add)(sums[0], x + i, dy + i, weight + i, centre, end - i, what);
        UNROLL
        for (int k = 0; k < 2; k++) out[k] += FC_FN(lane_sum)((sums[0][k] + sums[1][k]) + (sums[2][k] + sums[3][k]));
    }
}

/* Mean and centred sum of squares: the second pass corrects the rounding of the first. */
INLINE void FC_FN(run_moments)(const real *x, ptrdiff_t n, double *mean, double *m2) {
    double sums[2];
    FC_FN(run_sums_as)(sums, x, x, x, 0, n, 0);
    const real centre = (real)(sums[0] / (double)n);
    FC_FN(run_sums_as)(sums, x, x, x, centre, n, 1);
    const double rest = sums[0] / (double)n;
    *mean = (double)centre + rest;
    *m2 = sums[1] - rest * sums[0];
}

/* Whole runs are whole vectors where results are stored past the caches. */
INLINE void FC_FN(run_store)(const fc_run_norm_job *f, real *at, vec v, ptrdiff_t n) {
    if (n >= LANES && f->past_cache)
        stream(at, v);
    else
        store_part(at, v, n);
}

INLINE void FC_FN(run_write)(const fc_run_norm_job *f, real *y, const real *x, const real *weight, const real *bias, real mean,
                             real rstd, ptrdiff_t n, const int scaled, const int shifted) {
    const vec centre = splat(mean), factor = splat(rstd);
    for (ptrdiff_t i = 0; i < n; i += LANES) {
        vec v = (load_part(x + i, n - i) - centre) * factor;
        if (scaled) v *= load_part(weight + i, n - i);
        if (shifted) v += load_part(bias + i, n - i);
        FC_FN(run_store)(f, y + i, v, n - i);
    }
}

/* y = (x - mean) * rstd (* weight) (+ bias) of each run; mean and rstd are kept, and used as they are kept. */
static void FC_FN(run_norm)(const fc_run_norm_job *job) {
    const fc_run_norm_job f = *job; /* a copy that no store can change */
    real *means = f.mean, *rstds = f.rstd;
    for (ptrdiff_t run = 0; run < f.rows * f.groups; run++) {
        const ptrdiff_t at = run * f.n, of = run % f.groups * f.n;
        const real *x = (const real *)f.x + at, *weight = f.weight, *bias = f.bias;
        real *y = (real *)f.out + at;
        double mean, m2;
        FC_FN(run_moments)(x, f.n, &mean, &m2);
        means[run] = (real)mean;
        rstds[run] = (real)(1 / __builtin_sqrt(m2 / (double)f.n + f.eps));
        if (weight && bias)
            FC_FN(run_write)(&f, y, x, weight + of, bias + of, means[run], rstds[run], f.n, 1, 1);
        else if (weight)
            FC_FN(run_write)(&f, y, x, weight + of, x, means[run], rstds[run], f.n, 1, 0);
        else if (bias)
            FC_FN(run_write)(&f, y, x, x, bias + of, means[run], rstds[run], f.n, 0, 1);
        else
            FC_FN(run_write)(&f, y, x, x, x, means[run], rstds[run], f.n, 0, 0);
    }
    if (f.past_cache) stream_end();
}

INLINE void FC_FN(run_gradient)(const fc_run_norm_job *f, ptrdiff_t run, const int scaled) {
    const ptrdiff_t at = run * f->n, of = run % f->groups * f->n, n = f->n;
    const real *x = (const real *)f->x + at, *dy = (const real *)f->dy + at,
               *weight = (const real *)f->weight + (scaled ? of : 0);
    real *dx = (real *)f->out + at, *dweight = (real *)f->dweight + of, *dbias = (real *)f->dbias + of;
    const real mean = ((const real *)f->mean)[run], rstd = ((const real *)f->rstd)[run];
    double sums[2];
    FC_FN(run_sums_as)(sums, x, dy, weight, mean, n, scaled ? 3 : 2);
    const double r = (double)rstd;
    const vec centre = splat(mean), scale = splat(rstd);
    const vec slope = splat((real)(-r * r * r * sums[1] / (double)n)), offset = splat((real)(-r * sums[0] / (double)n));
    for (ptrdiff_t i = 0; i < n; i += LANES) {
        const vec d = load_part(x + i, n - i) - centre, given = load_part(dy + i, n - i);
        const vec g = scaled ? given * load_part(weight + i, n - i) : given;
        FC_FN(run_store)(f, dx + i, g * scale + (d * slope + offset), n - i);
        store_part(dweight + i, load_part(dweight + i, n - i) + given * (d * scale), n - i);
        store_part(dbias + i, load_part(dbias + i, n - i) + given, n - i);
    }
}

/* dx = rstd * (g - mean(g) - xhat * mean(g * xhat)), g = dy (* weight), means over the run; dweight += dy * xhat, dbias += dy. */
static void FC_FN(run_norm_backward)(const fc_run_norm_job *job) {
    const fc_run_norm_job f = *job; /* a copy that no store can change */
    for (ptrdiff_t run = 0; run < f.rows * f.groups; run++) {
        if (f.weight)
            FC_FN(run_gradient)(&f, run, 1);
        else
            FC_FN(run_gradient)(&f, run, 0);
    }
    if (f.past_cache) stream_end();
}
