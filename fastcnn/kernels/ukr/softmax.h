/* kernels.ukr.softmax: softmax and softmax cross-entropy of one row; included by body.h, no guard. */

/* The largest of n values, n > 0; NaN may be passed over, it comes back as the exponential of itself. */
INLINE real FC_FN(largest)(const real *x, ptrdiff_t n) {
    real found = x[0];
    ptrdiff_t k = 0;
    if (n >= LANES) {
        vec most = load(x);
        for (k = LANES; k + LANES <= n; k += LANES) {
            const vec v = load(x + k);
            const ivec more = (ivec)(v > most);
            most = FC_BLEND(more, v, most);
        }
        for (int i = 0; i < FC_FN(lanes); i++) found = most[i] > found ? most[i] : found;
    }
    for (; k < n; k++) found = x[k] > found ? x[k] : found;
    return found;
}

/* probs = softmax(logits); returns the loss -sum q log p with q = (1 - smoothing) onehot(target) + smoothing / classes. */
static double FC_FN(cross_entropy_row)(void *probs_, const void *logits_, ptrdiff_t classes, ptrdiff_t target, double smoothing) {
    real *probs = probs_;
    const real *logits = logits_;
    const real largest = FC_FN(largest)(logits, classes);
    vec sums = splat(0), distances = splat(0);
    for (ptrdiff_t k = 0; k < classes; k += LANES) {
        const ptrdiff_t n = classes - k;
        vec d = load_part(logits + k, n) - splat(largest), e;
        if (n >= LANES) {
            e = FC_FN(exp_vec)(d);
        } else {
            const ivec valid = FC_FN(first_lanes)(n);
            d = (vec)((ivec)d & valid);
            e = (vec)((ivec)FC_FN(exp_vec)(d) & valid);
        }
        store_part(probs + k, e, n);
        sums += e;
        distances += d;
    }
    double sum = 0, distance = 0;
    for (int i = 0; i < FC_FN(lanes); i++) {
        sum += (double)sums[i];
        distance += (double)distances[i];
    }
    const vec divisor = splat((real)sum);
    for (ptrdiff_t k = 0; k < classes; k += LANES)
        store_part(probs + k, load_part(probs + k, classes - k) / divisor, classes - k);
    const double log_sum = __builtin_log(sum), loss = log_sum - ((double)logits[target] - (double)largest);
    /* a class of probability zero makes the smoothed loss infinite, the plain one not */
    return smoothing == 0 ? loss : (1 - smoothing) * loss + smoothing * (log_sum - distance / (double)classes);
}

/* dlogits = dloss * (probs - q). */
static void FC_FN(cross_entropy_gradient_row)(void *dlogits_, const void *probs_, ptrdiff_t classes, ptrdiff_t target,
                                              double dloss, double smoothing) {
    real *dlogits = dlogits_;
    const real *probs = probs_;
    const real share = (real)(smoothing / (double)classes);
    for (ptrdiff_t k = 0; k < classes; k += LANES) {
        const ptrdiff_t n = classes - k;
        store_part(dlogits + k, splat((real)dloss) * (load_part(probs + k, n) - splat(share)), n);
    }
    dlogits[target] = (real)(dloss * ((double)probs[target] - smoothing / (double)classes - (1 - smoothing)));
}

INLINE void FC_FN(softmax_as)(real *y, const real *x, ptrdiff_t n, const int logarithm) {
    const vec largest = splat(FC_FN(largest)(x, n));
    vec sums = splat(0);
    for (ptrdiff_t k = 0; k < n; k += LANES) {
        vec d = load_part(x + k, n - k) - largest, e;
        if (n - k >= LANES) {
            e = FC_FN(exp_vec)(d);
        } else {
            const ivec valid = FC_FN(first_lanes)(n - k);
            d = (vec)((ivec)d & valid);
            e = (vec)((ivec)FC_FN(exp_vec)(d) & valid);
        }
        store_part(y + k, logarithm ? d : e, n - k);
        sums += e;
    }
    const double sum = FC_FN(lane_sum)(sums);
    const vec divisor = splat((real)sum), shift = splat((real)__builtin_log(sum));
    for (ptrdiff_t k = 0; k < n; k += LANES) {
        const vec v = load_part(y + k, n - k);
        store_part(y + k, logarithm ? v - shift : v / divisor, n - k);
    }
}

/* y = softmax(x) or its logarithm, n > 0. */
static void FC_FN(softmax_row)(void *y, const void *x, ptrdiff_t n, int logarithm) {
    if (logarithm)
        FC_FN(softmax_as)(y, x, n, 1);
    else
        FC_FN(softmax_as)(y, x, n, 0);
}

INLINE void FC_FN(softmax_gradient_as)(real *dx, const real *dy, const real *y, ptrdiff_t n, const int logarithm) {
    vec sums = splat(0);
    for (ptrdiff_t k = 0; k < n; k += LANES) {
        const vec g = load_part(dy + k, n - k);
        sums += logarithm ? g : g * load_part(y + k, n - k);
    }
    const vec sum = splat((real)FC_FN(lane_sum)(sums));
    for (ptrdiff_t k = 0; k < n; k += LANES) {
        const vec g = load_part(dy + k, n - k), v = load_part(y + k, n - k);
        store_part(dx + k, logarithm ? g - FC_FN(exp_vec)(v) * sum : v * (g - sum), n - k);
    }
}

/* dx = y (dy - sum(dy y)), or dy - exp(y) sum(dy) when y is the logarithm. */
static void FC_FN(softmax_gradient_row)(void *dx, const void *dy, const void *y, ptrdiff_t n, int logarithm) {
    if (logarithm)
        FC_FN(softmax_gradient_as)(dx, dy, y, n, 1);
    else
        FC_FN(softmax_gradient_as)(dx, dy, y, n, 0);
}

/* q = weight ((1 - smoothing) target + smoothing / classes) of a vector of classes that begins at k; plain: q = target. */
INLINE vec FC_FN(soft_target)(const fc_soft_job *f, ptrdiff_t k, const int plain) {
    const ptrdiff_t n = f->classes - k;
    vec q = load_part((const real *)f->target + k, n);
    if (plain) return q;
    q = q * splat((real)(1 - f->smoothing)) + splat((real)(f->smoothing / (double)f->classes));
    return f->weight ? q * load_part((const real *)f->weight + k, n) : q;
}

INLINE double FC_FN(soft_cross_entropy_as)(const fc_soft_job *f, const int plain) {
    const real *x = f->x;
    real *kept = f->kept;
    const real most = FC_FN(largest)(x, f->classes);
    vec sums = splat(0), shares = splat(0), products = splat(0);
    for (ptrdiff_t k = 0; k < f->classes; k += LANES) {
        const ptrdiff_t n = f->classes - k;
        vec d = load_part(x + k, n) - splat(most), q = FC_FN(soft_target)(f, k, plain), e;
        if (n >= LANES) {
            e = FC_FN(exp_vec)(d);
        } else {
            const ivec valid = FC_FN(first_lanes)(n);
            d = (vec)((ivec)d & valid);
            q = (vec)((ivec)q & valid);
            e = (vec)((ivec)FC_FN(exp_vec)(d) & valid);
        }
        sums += e;
        shares += q;
        products += q * d;
    }
    const double sum = FC_FN(lane_sum)(sums), share = FC_FN(lane_sum)(shares);
    kept[0] = most, kept[1] = (real)sum, kept[2] = (real)share;
    return __builtin_log(sum) * share - FC_FN(lane_sum)(products);
}

/* -sum q log p, p = softmax(x); keeps the largest of x, the sum of e^(x - largest) and that of q. */
static double FC_FN(soft_cross_entropy)(const fc_soft_job *job) {
    const fc_soft_job f = *job; /* a copy that no store can change */
    if (f.weight || f.smoothing != 0) return FC_FN(soft_cross_entropy_as)(&f, 0);
    return FC_FN(soft_cross_entropy_as)(&f, 1);
}

INLINE void FC_FN(soft_gradient_as)(const fc_soft_job *f, const int plain, const int of_target) {
    const real *x = f->x, *kept = f->kept, *weight = f->weight;
    real *out = f->out;
    const vec most = splat(kept[0]), dloss = splat((real)f->dloss);
    const vec gain = splat((real)(f->dloss * (double)kept[2] / (double)kept[1]));
    const vec log_sum = splat((real)__builtin_log((double)kept[1])), slope = splat((real)(f->dloss * (f->smoothing - 1)));
    for (ptrdiff_t k = 0; k < f->classes; k += LANES) {
        const ptrdiff_t n = f->classes - k;
        const vec d = load_part(x + k, n) - most;
        vec y;
        if (of_target) {
            y = slope * (d - log_sum);
            if (weight) y *= load_part(weight + k, n);
        } else {
            y = gain * FC_FN(exp_vec)(d) - dloss * FC_FN(soft_target)(f, k, plain);
        }
        store_part(out + k, y, n);
    }
}

/* out = dloss (p sum(q) - q), or the gradient of the target. */
static void FC_FN(soft_cross_entropy_gradient)(const fc_soft_job *job) {
    const fc_soft_job f = *job; /* a copy that no store can change */
    if (f.of_target)
        FC_FN(soft_gradient_as)(&f, 0, 1);
    else if (f.weight || f.smoothing != 0)
        FC_FN(soft_gradient_as)(&f, 0, 0);
    else
        FC_FN(soft_gradient_as)(&f, 1, 0);
}
