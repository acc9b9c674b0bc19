/* kernels.ukr.update: one step of an optimizer on flat arrays, in place; included by body.h, no guard.
 *
 * Plain loops: the compiler makes vectors of them, and memory sets the speed. The formulas are PyTorch's. The gradient is first
 * read into a small buffer: where it lies a few bytes behind the parameter modulo 4 KiB (an array of NumPy's next to one of
 * ours), a load of it would wait for each store to the parameter just before (measured: twice the time). */

enum { FC_FN(piece) = 256 };
#define PIECES(from, count, n) \
    for (ptrdiff_t from = 0, count; count = n - from < FC_FN(piece) ? n - from : FC_FN(piece), from < n; from += FC_FN(piece))

/* d = g + decay p, or -g + decay p to maximize. Without decay p must not enter: 0 * Inf is NaN. */
INLINE void FC_FN(decayed)(real *restrict d, const real *restrict g, const real *restrict p, ptrdiff_t n, real decay,
                           int maximize) {
    const real sign = maximize ? -1 : 1;
    if (decay != 0)
        for (ptrdiff_t i = 0; i < n; i++) d[i] = sign * g[i] + decay * p[i];
    else
        for (ptrdiff_t i = 0; i < n; i++) d[i] = sign * g[i];
}

INLINE void FC_FN(sgd_piece)(real *restrict p, real *restrict buf, const real *restrict d, ptrdiff_t n, const fc_update *o) {
    const real lr = (real)o->lr, momentum = (real)o->momentum, fresh = (real)(1 - o->dampening);
    const real step = o->nesterov ? lr * (1 + momentum) : lr;
    if (!buf) {
        for (ptrdiff_t i = 0; i < n; i++) p[i] -= lr * d[i];
    } else if (o->first) {
        for (ptrdiff_t i = 0; i < n; i++) {
            buf[i] = d[i];
            p[i] -= step * d[i];
        }
    } else if (o->nesterov) {
        for (ptrdiff_t i = 0; i < n; i++) {
            const real b = momentum * buf[i] + fresh * d[i];
            buf[i] = b;
            p[i] -= lr * (d[i] + momentum * b);
        }
    } else {
        for (ptrdiff_t i = 0; i < n; i++) {
            const real b = momentum * buf[i] + fresh * d[i];
            buf[i] = b;
            p[i] -= lr * b;
        }
    }
}

/* states: buf. g = trust (g + weight_decay p); buf = momentum buf + (1 - dampening) g (buf = g at first); p -= lr (g + momentum buf | buf | g).
 * [Sutskever2013] for Nesterov's form. */
static void FC_FN(sgd)(void *p_, const void *g_, void *const *states, ptrdiff_t n, const fc_update *o) {
    real *p = p_, *buf = states[0];
    real d[FC_FN(piece)];
    PIECES(from, count, n) {
        FC_FN(decayed)(d, (const real *)g_ + from, p + from, count, (real)o->weight_decay, o->maximize);
        if (o->trust != 1)
            for (ptrdiff_t i = 0; i < count; i++) d[i] *= (real)o->trust;
        FC_FN(sgd_piece)(p + from, buf ? buf + from : NULL, d, count, o);
    }
}

#if FC_BITS == 32
#define FC_SQRT __builtin_sqrtf
#else
#define FC_SQRT __builtin_sqrt
#endif

/* states: square, mean, buf. g += weight_decay p; square = beta2 square + (1 - beta2) g^2; d = g / (sqrt(square - mean^2) + eps),
 * mean only if centred; p -= lr d, or with momentum buf = momentum buf + d; p -= lr buf. [Tieleman2012] */
static void FC_FN(rmsprop)(void *p_, const void *g_, void *const *states, ptrdiff_t n, const fc_update *o) {
    const real lr = (real)o->lr, alpha = (real)o->beta2, fresh = (real)(1 - o->beta2), eps = (real)o->eps;
    const real momentum = (real)o->momentum;
    real d[FC_FN(piece)];
    PIECES(from, count, n) {
        real *restrict p = (real *)p_ + from, *restrict square = (real *)states[0] + from;
        FC_FN(decayed)(d, (const real *)g_ + from, p, count, (real)o->weight_decay, o->maximize);
        for (ptrdiff_t i = 0; i < count; i++) square[i] = alpha * square[i] + fresh * d[i] * d[i];
        if (states[1]) {
            real *restrict mean = (real *)states[1] + from;
            for (ptrdiff_t i = 0; i < count; i++) {
                mean[i] += fresh * (d[i] - mean[i]);
                d[i] /= FC_SQRT(square[i] - mean[i] * mean[i]) + eps;
            }
        } else {
            for (ptrdiff_t i = 0; i < count; i++) d[i] /= FC_SQRT(square[i]) + eps;
        }
        if (states[2]) {
            real *restrict buf = (real *)states[2] + from;
            for (ptrdiff_t i = 0; i < count; i++) d[i] = buf[i] = momentum * buf[i] + d[i];
        }
        for (ptrdiff_t i = 0; i < count; i++) p[i] -= lr * d[i];
    }
}

INLINE void FC_FN(adam_piece)(real *restrict p, real *restrict m, real *restrict v, real *restrict largest,
                              const real *restrict d, ptrdiff_t n, const fc_update *o) {
    const real shrink = o->decoupled ? (real)(1 - o->lr * o->weight_decay) : 1;
    const real fresh1 = (real)(1 - o->beta1), beta2 = (real)o->beta2, fresh2 = (real)(1 - o->beta2);
    const real step = (real)o->step, root = (real)o->root, eps = (real)o->eps;
    if (largest) {
        for (ptrdiff_t i = 0; i < n; i++) {
            m[i] += fresh1 * (d[i] - m[i]);
            v[i] = beta2 * v[i] + fresh2 * d[i] * d[i];
            largest[i] = largest[i] > v[i] ? largest[i] : v[i];
            p[i] = p[i] * shrink - step * m[i] / (FC_SQRT(largest[i]) * root + eps);
        }
    } else {
        for (ptrdiff_t i = 0; i < n; i++) {
            m[i] += fresh1 * (d[i] - m[i]);
            v[i] = beta2 * v[i] + fresh2 * d[i] * d[i];
            p[i] = p[i] * shrink - step * m[i] / (FC_SQRT(v[i]) * root + eps);
        }
    }
}

/* states: m, v, largest. m += (1 - beta1) (g - m); v = beta2 v + (1 - beta2) g^2; p -= step m / (root sqrt(v) + eps) with
 * step = lr / (1 - beta1^t), root = 1 / sqrt(1 - beta2^t); largest, if given, keeps the maximum of v and takes its place. Weight
 * decay is added to g, or (decoupled) shrinks p first. [Kingma2015] [Loshchilov2019] [Reddi2018] */
static void FC_FN(adam)(void *p_, const void *g_, void *const *states, ptrdiff_t n, const fc_update *o) {
    real *p = p_, *m = states[0], *v = states[1], *largest = states[2];
    real d[FC_FN(piece)];
    PIECES(from, count, n) {
        /* Fetch what the next piece will change: 5.6 against 6.2 ms for ResNet-50's 25.6 million parameters with AVX-512, but
         * 5.7 against 4.8 with AVX2 (2 threads). SGD and RMSprop gained nothing. */
        const ptrdiff_t next = from + count, ahead = n - next < FC_FN(piece) ? n - next : FC_FN(piece);
        for (ptrdiff_t i = next; FC_VBYTES == 64 && i < next + ahead; i += 64 / (ptrdiff_t)sizeof(real)) {
            __builtin_prefetch(p + i, 1);
            __builtin_prefetch(m + i, 1);
            __builtin_prefetch(v + i, 1);
            __builtin_prefetch((const real *)g_ + i);
        }
        FC_FN(decayed)(d, (const real *)g_ + from, p + from, count, o->decoupled ? 0 : (real)o->weight_decay, o->maximize);
        FC_FN(adam_piece)(p + from, m + from, v + from, largest ? largest + from : NULL, d, count, o);
    }
}

INLINE void FC_FN(nadam_piece)(real *restrict p, real *restrict m, real *restrict v, const real *restrict d, ptrdiff_t n,
                               const fc_update *o) {
    const real shrink = o->decoupled ? (real)(1 - o->lr * o->weight_decay) : 1;
    const real fresh1 = (real)(1 - o->beta1), beta2 = (real)o->beta2, fresh2 = (real)(1 - o->beta2);
    const real step = (real)o->step, fresh = (real)o->fresh, root = (real)o->root, eps = (real)o->eps;
    for (ptrdiff_t i = 0; i < n; i++) {
        m[i] += fresh1 * (d[i] - m[i]);
        v[i] = beta2 * v[i] + fresh2 * d[i] * d[i];
        p[i] = p[i] * shrink - (step * m[i] + fresh * d[i]) / (FC_SQRT(v[i]) * root + eps);
    }
}

/* states: m, v. As adam, but along step m + fresh g. [Dozat2016] */
static void FC_FN(nadam)(void *p_, const void *g_, void *const *states, ptrdiff_t n, const fc_update *o) {
    real *p = p_, *m = states[0], *v = states[1];
    real d[FC_FN(piece)];
    PIECES(from, count, n) {
        FC_FN(decayed)(d, (const real *)g_ + from, p + from, count, o->decoupled ? 0 : (real)o->weight_decay, o->maximize);
        FC_FN(nadam_piece)(p + from, m + from, v + from, d, count, o);
    }
}

/* states: sum. g += weight_decay p; sum += g^2; p -= step g / (sqrt(sum) + eps). [Duchi2011] */
static void FC_FN(adagrad)(void *p_, const void *g_, void *const *states, ptrdiff_t n, const fc_update *o) {
    const real step = (real)o->step, eps = (real)o->eps;
    real d[FC_FN(piece)];
    PIECES(from, count, n) {
        real *restrict p = (real *)p_ + from, *restrict sum = (real *)states[0] + from;
        FC_FN(decayed)(d, (const real *)g_ + from, p, count, (real)o->weight_decay, o->maximize);
        for (ptrdiff_t i = 0; i < count; i++) {
            sum[i] += d[i] * d[i];
            p[i] -= step * d[i] / (FC_SQRT(sum[i]) + eps);
        }
    }
}

/* Sum of x^2 in float64. Sixteen partial sums that depend on nothing but the position: the same bits at every address. */
static double FC_FN(square_sum)(const void *x_, ptrdiff_t n) {
    const real *x = x_;
    double part[16] = {0}, sum = 0;
    ptrdiff_t i = 0;
    for (; i + 16 <= n; i += 16)
        for (int j = 0; j < 16; j++) part[j] += (double)x[i + j] * (double)x[i + j];
    for (; i < n; i++) part[i % 16] += (double)x[i] * (double)x[i];
    for (int j = 0; j < 16; j++) sum += part[j];
    return sum;
}

/* x *= factor. */
static void FC_FN(scale)(void *x_, ptrdiff_t n, double factor) {
    real *x = x_;
    for (ptrdiff_t i = 0; i < n; i++) x[i] *= (real)factor;
}

static void FC_FN(lars_norms)(const void *p, const void *g, void *const *states, ptrdiff_t n, const fc_update *o,
                              double *squares) {
    squares[0] += FC_FN(square_sum)(p, n);
    squares[1] += FC_FN(square_sum)(g, n);
}

/* u = step m / (root sqrt(v) + eps) + decay p; without decay p does not enter. */
INLINE void FC_FN(lamb_direction)(real *restrict u, const real *restrict p, const real *restrict m, const real *restrict v,
                                  ptrdiff_t n, const fc_update *o) {
    const real step = (real)o->step, root = (real)o->root, eps = (real)o->eps, decay = (real)o->weight_decay;
    for (ptrdiff_t i = 0; i < n; i++) u[i] = step * m[i] / (FC_SQRT(v[i]) * root + eps);
    if (decay != 0)
        for (ptrdiff_t i = 0; i < n; i++) u[i] += decay * p[i];
}

INLINE void FC_FN(running_moments)(real *restrict m, real *restrict v, const real *restrict d, ptrdiff_t n, const fc_update *o) {
    const real fresh1 = (real)(1 - o->beta1), beta2 = (real)o->beta2, fresh2 = (real)(1 - o->beta2);
    for (ptrdiff_t i = 0; i < n; i++) {
        m[i] += fresh1 * (d[i] - m[i]);
        v[i] = beta2 * v[i] + fresh2 * d[i] * d[i];
    }
}

/* The first half of LAMB: m and v as in adam, and the norm of u. [You2020] */
static void FC_FN(lamb_norms)(const void *p_, const void *g_, void *const *states, ptrdiff_t n, const fc_update *o,
                              double *squares) {
    const real *p = p_;
    real *m = states[0], *v = states[1];
    real d[FC_FN(piece)];
    PIECES(from, count, n) {
        FC_FN(decayed)(d, (const real *)g_ + from, p + from, count, 0, o->maximize);
        FC_FN(running_moments)(m + from, v + from, d, count, o);
        FC_FN(lamb_direction)(d, p + from, m + from, v + from, count, o);
        squares[0] += FC_FN(square_sum)(p + from, count);
        squares[1] += FC_FN(square_sum)(d, count);
    }
}

/* The second half: p -= lr trust u. */
static void FC_FN(lamb)(void *p_, const void *g_, void *const *states, ptrdiff_t n, const fc_update *o) {
    const real *m = states[0], *v = states[1];
    const real step = (real)(o->lr * o->trust);
    real u[FC_FN(piece)];
    PIECES(from, count, n) {
        real *restrict p = (real *)p_ + from;
        FC_FN(lamb_direction)(u, p, m + from, v + from, count, o);
        for (ptrdiff_t i = 0; i < count; i++) p[i] -= step * u[i];
    }
}
#undef FC_SQRT
#undef PIECES
