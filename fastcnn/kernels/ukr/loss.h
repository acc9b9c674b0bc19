/* kernels.ukr.loss: losses of pairs of values, summed, and their slopes; included by body.h, no guard. */

INLINE vec FC_FN(loss_of)(vec x, vec t, vec p, const int kind) {
    const vec d = x - t, size = FC_FN(magnitude)(kind == FC_LOGITS ? x : d);
    if (kind == FC_SQUARE) return d * d;
    if (kind == FC_ABSOLUTE) return size;
    if (kind == FC_LOGITS) return (relu_vec(x) - x * t) + FC_FN(log1p_vec)(FC_FN(exp_vec)(-size));
    const ivec near = (ivec)(size < p);
    const vec square = splat((real)0.5) * d * d, line = p * (size - splat((real)0.5) * p);
    return FC_BLEND(near, square, line);
}

INLINE vec FC_FN(loss_slope)(vec x, vec t, vec p, const int kind) {
    const vec d = x - t;
    if (kind == FC_SQUARE) return d + d;
    if (kind == FC_LOGITS) {
        const vec e = FC_FN(exp_vec)(-FC_FN(magnitude)(x));
        const ivec below = (ivec)(x < splat(0));
        return FC_BLEND(below, e, splat(1)) / (splat(1) + e) - t;
    }
    /* NaN and zero stay, what lies further out is cut */
    const vec bound = kind == FC_ABSOLUTE ? splat(0) : p, far = kind == FC_ABSOLUTE ? splat(1) : p;
    const ivec above = (ivec)(d > bound), below = (ivec)(d < -bound);
    const vec cut = FC_BLEND(above, far, d);
    return FC_BLEND(below, -far, cut);
}

INLINE double FC_FN(loss_as)(const fc_loss_job *f, const int kind) {
    const real *x = f->x, *t = f->target;
    real *out = f->out;
    const vec p = splat((real)f->p), factor = splat((real)f->factor);
    vec sums = splat(0);
    for (ptrdiff_t i = 0; i < f->n; i += LANES) {
        const ptrdiff_t n = f->n - i;
        vec each = FC_FN(loss_of)(load_part(x + i, n), load_part(t + i, n), p, kind);
        if (n < LANES) each = (vec)((ivec)each & FC_FN(first_lanes)(n));
        sums += each;
        if (out) store_part(out + i, each * factor, n);
    }
    return FC_FN(lane_sum)(sums);
}

/* The sum of the losses of n pairs; with `out` also each of them, times `factor`. */
static double FC_FN(loss)(const fc_loss_job *job) {
    const fc_loss_job f = *job; /* a copy that no store can change */
    if (f.kind == FC_SQUARE) return FC_FN(loss_as)(&f, FC_SQUARE);
    if (f.kind == FC_ABSOLUTE) return FC_FN(loss_as)(&f, FC_ABSOLUTE);
    if (f.kind == FC_LOGITS) return FC_FN(loss_as)(&f, FC_LOGITS);
    return FC_FN(loss_as)(&f, FC_HUBER);
}

INLINE void FC_FN(loss_gradient_as)(const fc_loss_job *f, const int kind) {
    const real *x = f->x, *t = f->target, *dy = f->dy;
    real *out = f->out;
    const vec p = splat((real)f->p), factor = splat((real)f->factor);
    for (ptrdiff_t i = 0; i < f->n; i += LANES) {
        const ptrdiff_t n = f->n - i;
        vec slope = FC_FN(loss_slope)(load_part(x + i, n), load_part(t + i, n), p, kind) * factor;
        if (dy) slope *= load_part(dy + i, n);
        store_part(out + i, slope, n);
    }
}

/* out = slope * factor (* dy) of each pair. */
static void FC_FN(loss_gradient)(const fc_loss_job *job) {
    const fc_loss_job f = *job; /* a copy that no store can change */
    if (f.kind == FC_SQUARE)
        FC_FN(loss_gradient_as)(&f, FC_SQUARE);
    else if (f.kind == FC_ABSOLUTE)
        FC_FN(loss_gradient_as)(&f, FC_ABSOLUTE);
    else if (f.kind == FC_LOGITS)
        FC_FN(loss_gradient_as)(&f, FC_LOGITS);
    else
        FC_FN(loss_gradient_as)(&f, FC_HUBER);
}
