/* kernels.ukr.pool_gradient: gradients of maxima and means of windows; included by pool.h, no guard. */

/* What a pixel gets from the windows that cover it: a mean's share, dy where it is the maximum, or that behind a normalisation. */
enum { FC_FN(gather_mean), FC_FN(gather_max), FC_FN(gather_normal) };

/* The coefficients of the normalisation from channel c on. */
INLINE coefficients FC_FN(gather_coefficients)(const fc_gather_job *g, ptrdiff_t c, ptrdiff_t n, const int how) {
    coefficients f = {0};
    if (how != FC_FN(gather_normal)) return f;
    f.mean = load_part((const real *)g->mean + c, n);
    f.scale = load_part((const real *)g->scale + c, n);
    f.slope = load_part((const real *)g->slope + c, n);
    f.offset = load_part((const real *)g->offset + c, n);
    return f;
}

/* dx at element `at` of the row from the gradient behind the windows. */
INLINE void FC_FN(gather_store)(const fc_gather_job *g, const coefficients *f, ptrdiff_t at, vec sum, ptrdiff_t n,
                                const int how) {
    vec dx = sum;
    if (how == FC_FN(gather_normal))
        dx = sum * f->scale + ((load_part((const real *)g->x + at, n) - f->mean) * f->slope + f->offset);
    if (n == LANES && g->past_cache)
        stream((real *)g->dx + at, dx);
    else
        store_part((real *)g->dx + at, dx, n);
}

/* nv vectors of channels of pixel q from channel c on, which `count` columns of windows cover. */
INLINE void FC_FN(gather_pixel)(const fc_gather_job *g, ptrdiff_t q, ptrdiff_t c, ptrdiff_t count, ptrdiff_t n, const int nv,
                                const int how) {
    const fc_source *cols = g->cols + g->start[q];
    vec sum[4];
    UNROLL
    for (int v = 0; v < nv; v++) sum[v] = splat(0);
    for (ptrdiff_t r = 0; r < g->n_rows; r++)
        for (ptrdiff_t s = 0; s < count; s++) {
            const ptrdiff_t from = g->rows[r].out + cols[s].out + c;
            const ivec tap = FC_FN(isplat)((FC_INT)(g->rows[r].tap + cols[s].tap));
            const vec weight = splat((real)(g->rows[r].weight * cols[s].weight));
            UNROLL
            for (int v = 0; v < nv; v++) {
                const vec dy = load_part((const real *)g->dy + from + v * LANES, n);
                if (how == FC_FN(gather_mean))
                    sum[v] += dy * weight;
                else
                    sum[v] += (vec)((ivec)dy & (FC_FN(load_taps)(g->index, from + v * LANES, n, g->wide_index) == tap));
            }
        }
    UNROLL
    for (int v = 0; v < nv; v++) {
        const coefficients f = FC_FN(gather_coefficients)(g, c + v * LANES, n, how);
        FC_FN(gather_store)(g, &f, q * g->channels + c + v * LANES, sum[v], n, how);
    }
}

/* The same of `run` pixels side by side that one window covers, and no other. */
INLINE void FC_FN(gather_run)(const fc_gather_job *g, ptrdiff_t q, ptrdiff_t c, ptrdiff_t run, ptrdiff_t n, const int nv,
                              const int how) {
    const fc_source row = g->rows[0], *cols = g->cols + g->start[q];
    const ptrdiff_t from = row.out + cols[0].out + c;
    const vec weight = splat((real)(row.weight * cols[0].weight));
    coefficients f[2];
    vec dy[2];
    ivec won[2];
    UNROLL
    for (int v = 0; v < nv; v++) {
        f[v] = FC_FN(gather_coefficients)(g, c + v * LANES, n, how);
        dy[v] = FC_FN(keep)(load_part((const real *)g->dy + from + v * LANES, n));
        if (how == FC_FN(gather_mean))
            dy[v] *= weight;
        else
            won[v] = FC_FN(load_taps)(g->index, from + v * LANES, n, g->wide_index);
    }
    for (ptrdiff_t s = 0; s < run; s++) {
        const ivec tap = FC_FN(isplat)((FC_INT)(row.tap + cols[s].tap));
        UNROLL
        for (int v = 0; v < nv; v++) {
            const vec sum = how == FC_FN(gather_mean) ? dy[v] : (vec)((ivec)dy[v] & (won[v] == tap));
            FC_FN(gather_store)(g, &f[v], (q + s) * g->channels + c + v * LANES, sum, n, how);
        }
    }
}

/* May a vector be read and written at pixel q, and read at all windows that cover it? */
INLINE int FC_FN(gather_room)(const fc_gather_job *g, ptrdiff_t q) {
    const ptrdiff_t last = g->start[q + 1] - 1;
    const ptrdiff_t far = g->n_rows && last >= g->start[q] ? g->rows[g->n_rows - 1].out + g->cols[last].out : 0;
    return q * g->channels + LANES <= g->iw * g->channels && far + LANES <= g->dy_size;
}

/* All channels of `run` pixels that one window covers, or of one pixel that `count` columns of windows cover. */
INLINE void FC_FN(gather_channels)(const fc_gather_job *g, ptrdiff_t q, ptrdiff_t run, ptrdiff_t count, const int how) {
    ptrdiff_t c = g->first;
    if (!run) /* with few taps of each window the loops over them are the work */
        for (; c + 4 * LANES <= g->last; c += 4 * LANES) FC_FN(gather_pixel)(g, q, c, count, LANES, 4, how);
    for (; c + 2 * LANES <= g->last; c += 2 * LANES)
        if (run)
            FC_FN(gather_run)(g, q, c, run, LANES, 2, how);
        else
            FC_FN(gather_pixel)(g, q, c, count, LANES, 2, how);
    for (; c < g->last; c += LANES) {
        const ptrdiff_t at = FC_FN(vector_at)(c, g->first, g->last);
        const int whole = at + LANES <= g->last || FC_FN(gather_room)(g, q + (run ? run - 1 : 0));
        if (run && whole)
            FC_FN(gather_run)(g, q, at, run, LANES, 1, how);
        else if (run)
            FC_FN(gather_run)(g, q, at, run, g->last - at, 1, how);
        else if (whole)
            FC_FN(gather_pixel)(g, q, at, count, LANES, 1, how);
        else
            FC_FN(gather_pixel)(g, q, at, count, g->last - at, 1, how);
    }
}

/* Pixels from q on that one window covers and no other; 0 where there are other windows, or none. */
INLINE ptrdiff_t FC_FN(gather_length)(const fc_gather_job *g, ptrdiff_t q) {
    ptrdiff_t run = 0;
    if (g->n_rows == 1)
        while (q + run < g->iw && g->start[q + run + 1] - g->start[q + run] == 1 &&
               g->cols[g->start[q + run]].out == g->cols[g->start[q]].out)
            run++;
    return run;
}

INLINE void FC_FN(gather_pixels)(const fc_gather_job *g, const int how) {
    for (ptrdiff_t q = 0; q < g->iw;) {
        const ptrdiff_t run = FC_FN(gather_length)(g, q);
        if (run == 2)
            FC_FN(gather_channels)(g, q, 2, 0, how);
        else if (run)
            FC_FN(gather_channels)(g, q, run, 0, how);
        else
            FC_FN(gather_channels)(g, q, 0, g->n_rows ? g->start[q + 1] - g->start[q] : 0, how);
        q += run ? run : 1;
    }
    if (g->past_cache) stream_end();
}

/* Where one vector of a row of dx comes from: lanes of the vector at element `from` (of a row of windows), their taps, weights. */
#define place FC_FN(place)
typedef struct {
    ivec lane, tap, from;
    vec weight;
} place;

/* Fill a place for each vector of a row, if each comes from a single vector. Windows share no pixel. */
static int FC_FN(gather_places)(void *places, const fc_gather_job *job) {
    const fc_gather_job g = *job;
    const ptrdiff_t size = g.iw * g.channels;
    place *out = places;
    for (ptrdiff_t at = 0; at < size; at += LANES, out++) {
        ptrdiff_t from = -1, source[FC_FN(lanes)];
        for (ptrdiff_t k = 0; k < LANES; k++) {
            const ptrdiff_t q = (at + k) / g.channels, c = (at + k) % g.channels;
            const int found = at + k < size && g.start[q] < g.start[q + 1];
            const fc_source col = found ? g.cols[g.start[q]] : (fc_source){0, -(1 << 30), 0};
            out->tap[k] = (FC_INT)col.tap;
            out->weight[k] = (real)col.weight;
            source[k] = found ? col.out + c : -1;
            if (found && (from < 0 || source[k] < from)) from = source[k];
        }
        if (from < 0) from = 0;
        out->from = FC_FN(isplat)((FC_INT)from);
        for (ptrdiff_t k = 0; k < LANES; k++) {
            const ptrdiff_t lane = source[k] < 0 ? 0 : source[k] - from;
            if (lane >= LANES) return 0;
            out->lane[k] = (FC_INT)lane;
        }
    }
    return 1;
}

/* One vector after the other: few channels would fill only a part of each. */
INLINE void FC_FN(gather_vectors)(const fc_gather_job *g, const int how) {
    const ptrdiff_t size = g->iw * g->channels;
    const place *from = g->places;
    const ivec first = FC_FN(isplat)((FC_INT)g->rows[0].tap);
    const vec weight = splat((real)g->rows[0].weight);
    for (ptrdiff_t at = 0; at < size; at += LANES, from++) {
        const ptrdiff_t source = g->rows[0].out + from->from[0], n = g->dy_size - source;
        const vec dy = __builtin_shuffle(load_part((const real *)g->dy + source, n), from->lane);
        vec dx = (vec)((ivec)(dy * (weight * from->weight)) & (from->tap >= 0));
        if (how == FC_FN(gather_max)) {
            /* a copy of a length that GCC does not know is a call */
            const ivec taps = n >= LANES ? FC_FN(load_taps)(g->index, source, LANES, g->wide_index)
                                         : FC_FN(load_taps)(g->index, source, n, g->wide_index);
            const ivec won = __builtin_shuffle(taps, from->lane);
            dx = (vec)((ivec)dy & (won == first + from->tap));
        }
        store_part((real *)g->dx + at, dx, size - at);
    }
}
#undef place

/* One row of dx from the windows that cover it, ascending: with an index, dy of each window that a pixel won; without, dy times
 * the weights. With x, scale * that + slope * (x - mean) + offset. */
static void FC_FN(gather_row)(const fc_gather_job *job) {
    const fc_gather_job g = *job; /* a copy that no store can change */
    if (g.x)
        FC_FN(gather_pixels)(&g, FC_FN(gather_normal));
    else if (g.places && g.n_rows && g.index)
        FC_FN(gather_vectors)(&g, FC_FN(gather_max));
    else if (g.places && g.n_rows)
        FC_FN(gather_vectors)(&g, FC_FN(gather_mean));
    else if (g.index)
        FC_FN(gather_pixels)(&g, FC_FN(gather_max));
    else
        FC_FN(gather_pixels)(&g, FC_FN(gather_mean));
}

INLINE void FC_FN(scatter_window)(const fc_scatter_job *g, fc_span row, fc_span col, ptrdiff_t at, const uint8_t (*taps)[2],
                                  const int wide_index) {
    real *dx = (real *)g->dx + row.at * g->row + col.at * g->channels;
    const real *dy = (const real *)g->dy + at;
    const uint8_t *narrow = (const uint8_t *)g->index + at;
    const int32_t *wide = (const int32_t *)g->index + at;
    for (ptrdiff_t c = g->first; c < g->last; c++) {
        /* a tap outside of its window becomes large without its sign */
        const size_t r = (size_t)((wide_index ? wide[c] / g->kw : taps[narrow[c]][0]) - row.tap);
        const size_t s = (size_t)((wide_index ? wide[c] % g->kw : taps[narrow[c]][1]) - col.tap);
        if (r < (size_t)row.count && s < (size_t)col.count) dx[(ptrdiff_t)r * g->step_y + (ptrdiff_t)s * g->step_x + c] += dy[c];
    }
}

/* dx of one image: zeros, then dy of each window, windows ascending, at the tap that won. A tap that is not of the window is
 * left out. */
static void FC_FN(scatter_image)(const fc_scatter_job *job) {
    const fc_scatter_job g = *job; /* a copy that no store can change */
    uint8_t taps[256][2]; /* row and column of a tap: a division for each output would cost more than all else */
    if (!g.wide_index)
        for (ptrdiff_t t = 0; t < 256; t++) taps[t][0] = (uint8_t)(t / g.kw), taps[t][1] = (uint8_t)(t % g.kw);
    for (ptrdiff_t x = 0; x < g.size; x++)
        memset((real *)g.dx + x * g.channels + g.first, 0, (size_t)(g.last - g.first) * sizeof(real));
    for (ptrdiff_t o = 0; o < g.oh; o++)
        for (ptrdiff_t q = 0; q < g.ow; q++) {
            const ptrdiff_t at = (o * g.ow + q) * g.channels;
            if (g.wide_index)
                FC_FN(scatter_window)(&g, g.rows[o], g.cols[q], at, taps, 1);
            else
                FC_FN(scatter_window)(&g, g.rows[o], g.cols[q], at, taps, 0);
        }
}
