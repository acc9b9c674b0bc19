/* kernels.ukr.update: one step of an optimizer on flat arrays, in place; included by body.h, no guard.
 *
 * Plain loops: the compiler makes vectors of them, and memory sets the speed. The formulas are PyTorch's. */

/* Without decay p must not enter: 0 * Inf is NaN. */
INLINE real FC_FN(decayed)(real g, real p, real decay) { return decay != 0 ? g + decay * p : g; }

/* g += weight_decay p; buf = momentum buf + (1 - dampening) g (buf = g at first); p -= lr (g + momentum buf | buf | g).
 * [Sutskever2013] for Nesterov's form. */
static void FC_FN(sgd)(void *p_, const void *g_, void *buf_, ptrdiff_t n, const fc_sgd *o) {
    real *restrict p = p_, *restrict buf = buf_;
    const real *restrict g = g_;
    const real lr = (real)o->lr, decay = (real)o->weight_decay, momentum = (real)o->momentum, fresh = (real)(1 - o->dampening);
    if (!buf) {
        for (ptrdiff_t i = 0; i < n; i++) p[i] -= lr * FC_FN(decayed)(g[i], p[i], decay);
        return;
    }
    if (o->first) {
        for (ptrdiff_t i = 0; i < n; i++) buf[i] = FC_FN(decayed)(g[i], p[i], decay);
        const real scale = o->nesterov ? lr * (1 + momentum) : lr;
        for (ptrdiff_t i = 0; i < n; i++) p[i] -= scale * buf[i];
        return;
    }
    if (o->nesterov)
        for (ptrdiff_t i = 0; i < n; i++) {
            const real d = FC_FN(decayed)(g[i], p[i], decay), b = momentum * buf[i] + fresh * d;
            buf[i] = b;
            p[i] -= lr * (d + momentum * b);
        }
    else
        for (ptrdiff_t i = 0; i < n; i++) {
            const real b = momentum * buf[i] + fresh * FC_FN(decayed)(g[i], p[i], decay);
            buf[i] = b;
            p[i] -= lr * b;
        }
}

#if FC_BITS == 32
#define FC_SQRT __builtin_sqrtf
#else
#define FC_SQRT __builtin_sqrt
#endif

/* g += weight_decay p; square = alpha square + (1 - alpha) g^2; d = g / (sqrt(square - mean^2) + eps), mean only if centred;
 * p -= lr d, or with momentum buf = momentum buf + d; p -= lr buf. [Tieleman2012] */
static void FC_FN(rmsprop)(void *p_, const void *g_, void *square_, void *mean_, void *buf_, ptrdiff_t n, const fc_rmsprop *o) {
    real *restrict p = p_, *restrict square = square_, *restrict mean = mean_, *restrict buf = buf_;
    const real *restrict g = g_;
    const real lr = (real)o->lr, decay = (real)o->weight_decay, alpha = (real)o->alpha, fresh = (real)(1 - o->alpha);
    const real eps = (real)o->eps, momentum = (real)o->momentum;
    enum { PIECE = 256 }; /* the steps below communicate through L1 */
    for (ptrdiff_t from = 0; from < n; from += PIECE) {
        const ptrdiff_t to = n - from < PIECE ? n : from + PIECE;
        real d[PIECE];
        for (ptrdiff_t i = from; i < to; i++) {
            d[i - from] = FC_FN(decayed)(g[i], p[i], decay);
            square[i] = alpha * square[i] + fresh * d[i - from] * d[i - from];
        }
        if (mean)
            for (ptrdiff_t i = from; i < to; i++) {
                mean[i] += fresh * (d[i - from] - mean[i]);
                d[i - from] /= FC_SQRT(square[i] - mean[i] * mean[i]) + eps;
            }
        else
            for (ptrdiff_t i = from; i < to; i++) d[i - from] /= FC_SQRT(square[i]) + eps;
        if (buf)
            for (ptrdiff_t i = from; i < to; i++) d[i - from] = buf[i] = momentum * buf[i] + d[i - from];
        for (ptrdiff_t i = from; i < to; i++) p[i] -= lr * d[i - from];
    }
}

/* m += (1 - beta1) (g - m); v = beta2 v + (1 - beta2) g^2; p -= step m / (sqrt(v) / root + eps) with step = lr / (1 - beta1^t),
 * root = sqrt(1 - beta2^t); largest, if given, keeps the maximum of v and takes its place. Weight decay is added to g, or
 * (decoupled) shrinks p first. [Kingma2015] [Loshchilov2019] [Reddi2018] */
static void FC_FN(adam)(void *p_, const void *g_, void *m_, void *v_, void *largest_, ptrdiff_t n, const fc_adam *o) {
    real *restrict p = p_, *restrict m = m_, *restrict v = v_, *restrict largest = largest_;
    const real *restrict g = g_;
    const real shrink = o->decoupled ? (real)(1 - o->lr * o->weight_decay) : 1, decay = o->decoupled ? 0 : (real)o->weight_decay;
    const real fresh1 = (real)(1 - o->beta1), beta2 = (real)o->beta2, fresh2 = (real)(1 - o->beta2);
    const real step = (real)o->step, root = (real)o->root, eps = (real)o->eps;
    for (ptrdiff_t i = 0; i < n; i++) {
        const real q = p[i] * shrink, d = FC_FN(decayed)(g[i], q, decay);
        const real m1 = m[i] + fresh1 * (d - m[i]), v1 = beta2 * v[i] + fresh2 * d * d;
        real w = v1;
        m[i] = m1;
        v[i] = v1;
        if (largest) {
            w = largest[i] > v1 ? largest[i] : v1;
            largest[i] = w;
        }
        p[i] = q - step * m1 / (FC_SQRT(w) / root + eps);
    }
}
#undef FC_SQRT
