/* kernels.ukr.loss: losses of pairs of values, summed, and their slopes; included by body.h, no guard. */

/* log(1 + e^-x) */
INLINE vec FC_FN(log_of_no)(vec x) { return relu_vec(-x) + FC_FN(log1p_vec)(FC_FN(exp_vec)(-FC_FN(magnitude)(x))); }

INLINE vec FC_FN(loss_of)(vec x, vec t, vec w, vec pos, vec p, const int kind) {
    const vec d = x - t, size = FC_FN(magnitude)(kind == FC_LOGITS ? x : d);
    if (kind == FC_SQUARE) return d * d;
    if (kind == FC_ABSOLUTE) return size;
    if (kind == FC_LOGITS) return (relu_vec(x) - x * t) + FC_FN(log1p_vec)(FC_FN(exp_vec)(-size));
    if (kind == FC_WEIGHTED_LOGITS) return w * ((splat(1) - t) * x + (splat(1) + (pos - splat(1)) * t) * FC_FN(log_of_no)(x));
    if (kind == FC_DIVERGENCE) return (vec)((ivec)(t * (FC_FN(log_vec)(t) - x)) & ~(ivec)(t == splat(0)));
    if (kind == FC_LOG_DIVERGENCE) return FC_FN(exp_any)(t) * -d;
    const ivec near = (ivec)(size < p);
    const vec square = splat((real)0.5) * d * d, line = p * (size - splat((real)0.5) * p);
    return FC_BLEND(near, square, line);
}

INLINE vec FC_FN(loss_slope)(vec x, vec t, vec w, vec pos, vec p, const int kind) {
    const vec d = x - t;
    if (kind == FC_SQUARE) return d + d;
    if (kind == FC_LOGITS) {
        const vec e = FC_FN(exp_vec)(-FC_FN(magnitude)(x));
        const ivec below = (ivec)(x < splat(0));
        return FC_BLEND(below, e, splat(1)) / (splat(1) + e) - t;
    }
    if (kind == FC_WEIGHTED_LOGITS) {
        vec no;
        const vec yes = FC_FN(logistic)(x, &no);
        return w * ((splat(1) - t) * yes - pos * t * no);
    }
    if (kind == FC_DIVERGENCE) return -t;
    if (kind == FC_LOG_DIVERGENCE) return -FC_FN(exp_any)(t);
    /* NaN and zero stay, what lies further out is cut */
    const vec bound = kind == FC_ABSOLUTE ? splat(0) : p, far = kind == FC_ABSOLUTE ? splat(1) : p;
    const ivec above = (ivec)(d > bound), below = (ivec)(d < -bound);
    const vec cut = FC_BLEND(above, far, d);
    return FC_BLEND(below, -far, cut);
}

/* Along the target: of the losses that are not those of a difference. */
INLINE vec FC_FN(loss_target_slope)(vec x, vec t, vec w, vec pos, const int kind) {
    if (kind == FC_DIVERGENCE) return (splat(1) + FC_FN(log_vec)(t)) - x;
    if (kind == FC_LOG_DIVERGENCE) return FC_FN(exp_any)(t) * (splat(1) + t - x);
    if (kind == FC_WEIGHTED_LOGITS) return w * ((pos - splat(1)) * FC_FN(log_of_no)(x) - x);
    return -x;
}

INLINE double FC_FN(loss_as)(const fc_loss_job *f, const int kind) {
    const real *x = f->x, *t = f->target, *weight = f->weight, *pos_weight = f->pos_weight;
    real *out = f->out;
    const vec p = splat((real)f->p), factor = splat((real)f->factor);
    vec sums = splat(0);
    for (ptrdiff_t i = 0; i < f->n; i += LANES) {
        const ptrdiff_t n = f->n - i;
        const vec w = weight ? load_part(weight + i, n) : splat(1), pos = pos_weight ? load_part(pos_weight + i, n) : splat(1);
        vec each = FC_FN(loss_of)(load_part(x + i, n), load_part(t + i, n), w, pos, p, kind);
        if (n < LANES) each = (vec)((ivec)each & FC_FN(first_lanes)(n));
        sums += each;
        if (out) store_part(out + i, each * factor, n);
    }
    return FC_FN(lane_sum)(sums);
}

/* The sum of the losses of n pairs; with `out` also each of them, times `factor`. */
static double FC_FN(loss)(const fc_loss_job *job) {
    const fc_loss_job f = *job; /* a copy that no store can change */
    switch (f.kind) {
        case FC_SQUARE: return FC_FN(loss_as)(&f, FC_SQUARE);
        case FC_ABSOLUTE: return FC_FN(loss_as)(&f, FC_ABSOLUTE);
        case FC_LOGITS: return FC_FN(loss_as)(&f, FC_LOGITS);
        case FC_WEIGHTED_LOGITS: return FC_FN(loss_as)(&f, FC_WEIGHTED_LOGITS);
        case FC_DIVERGENCE: return FC_FN(loss_as)(&f, FC_DIVERGENCE);
        case FC_LOG_DIVERGENCE: return FC_FN(loss_as)(&f, FC_LOG_DIVERGENCE);
        default: return FC_FN(loss_as)(&f, FC_HUBER);
    }
}

INLINE void FC_FN(loss_gradient_as)(const fc_loss_job *f, const int kind, const int of_target) {
    const real *x = f->x, *t = f->target, *dy = f->dy, *weight = f->weight, *pos_weight = f->pos_weight;
    real *out = f->out;
    const vec p = splat((real)f->p), factor = splat((real)f->factor);
    for (ptrdiff_t i = 0; i < f->n; i += LANES) {
        const ptrdiff_t n = f->n - i;
        const vec w = weight ? load_part(weight + i, n) : splat(1), pos = pos_weight ? load_part(pos_weight + i, n) : splat(1);
        const vec a = load_part(x + i, n), b = load_part(t + i, n);
        vec slope = of_target ? FC_FN(loss_target_slope)(a, b, w, pos, kind) : FC_FN(loss_slope)(a, b, w, pos, p, kind);
        slope *= factor;
        if (dy) slope *= load_part(dy + i, n);
        store_part(out + i, slope, n);
    }
}

/* out = slope * factor (* dy) of each pair. */
static void FC_FN(loss_gradient)(const fc_loss_job *job) {
    const fc_loss_job f = *job; /* a copy that no store can change */
    if (f.of_target) {
        switch (f.kind) {
            case FC_WEIGHTED_LOGITS: FC_FN(loss_gradient_as)(&f, FC_WEIGHTED_LOGITS, 1); break;
            case FC_DIVERGENCE: FC_FN(loss_gradient_as)(&f, FC_DIVERGENCE, 1); break;
            case FC_LOG_DIVERGENCE: FC_FN(loss_gradient_as)(&f, FC_LOG_DIVERGENCE, 1); break;
            default: FC_FN(loss_gradient_as)(&f, FC_LOGITS, 1);
        }
        return;
    }
    switch (f.kind) {
        case FC_SQUARE: FC_FN(loss_gradient_as)(&f, FC_SQUARE, 0); break;
        case FC_ABSOLUTE: FC_FN(loss_gradient_as)(&f, FC_ABSOLUTE, 0); break;
        case FC_LOGITS: FC_FN(loss_gradient_as)(&f, FC_LOGITS, 0); break;
        case FC_WEIGHTED_LOGITS: FC_FN(loss_gradient_as)(&f, FC_WEIGHTED_LOGITS, 0); break;
        case FC_DIVERGENCE: FC_FN(loss_gradient_as)(&f, FC_DIVERGENCE, 0); break;
        case FC_LOG_DIVERGENCE: FC_FN(loss_gradient_as)(&f, FC_LOG_DIVERGENCE, 0); break;
        default: FC_FN(loss_gradient_as)(&f, FC_HUBER, 0);
    }
}
