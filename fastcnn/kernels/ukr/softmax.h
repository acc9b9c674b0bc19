/* kernels.ukr.softmax: softmax cross-entropy of one sample; included by body.h, no guard. */

/* e^x for x <= 0 within 2 ulp; 0 below about 1e-38 (1e-308), NaN for NaN. x = n ln 2 + r with |r| <= ln 2 / 2, a Taylor
 * polynomial in r, and n added to the exponent. ln 2 is split so that n * high is exact. */
INLINE vec FC_FN(exp_vec)(vec x) {
#if FC_BITS == 32
    enum { DEGREE = 7, MANTISSA = 23 }; /* (ln 2 / 2)^8 / 8! = 5e-9 */
    const double high = 355.0 / 512, lowest = -87, magic = 12582912.0; /* 1.5 * 2^23 */
#else
    enum { DEGREE = 13, MANTISSA = 52 }; /* (ln 2 / 2)^14 / 14! = 4e-18 */
    const double high = 45426.0 / 65536, lowest = -708, magic = 6755399441055744.0; /* 1.5 * 2^52 */
#endif
#if FC_BITS == 32
    const double low = -2.121944400546905827679e-4; /* ln 2 - high */
#else
    const double low = 1.42860682030941723212e-6; /* ln 2 - high */
#endif
    static const double inverse_factorial[] = {
        1,          1,           1.0 / 2,      1.0 / 6,       1.0 / 24,       1.0 / 120,       1.0 / 720,
        1.0 / 5040, 1.0 / 40320, 1.0 / 362880, 1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600, 1.0 / 6227020800};
    const vec shifted = x * splat((real)1.4426950408889634) + splat((real)magic); /* n stands in the low bits */
    const vec n = shifted - splat((real)magic);
    const vec r = (x - n * splat((real)high)) - n * splat((real)low);
    vec sum = splat((real)inverse_factorial[DEGREE]);
    UNROLL
    for (int k = DEGREE - 1; k >= 0; k--) sum = sum * r + splat((real)inverse_factorial[k]);
    const vec power = (vec)((ivec)sum + ((ivec)shifted << MANTISSA));
    const ivec tiny = (ivec)(x < splat((real)lowest)), nan = (ivec)(x != x);
    const vec flushed = (vec)((ivec)power & ~tiny);
    return FC_BLEND(nan, x, flushed);
}

/* All ones in the first n lanes. */
INLINE ivec FC_FN(first_lanes)(ptrdiff_t n) {
    ivec mask;
    UNROLL
    for (int i = 0; i < FC_FN(lanes); i++) mask[i] = i < n ? -1 : 0;
    return mask;
}

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
