/* kernels.ukr.softmax: softmax cross-entropy of one sample; included by body.h, no guard. */

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
