/* kernels.ukr.activation: elementwise activations and their gradients; included by body.h, no guard.
 *
 * For each kind `<kind>_y(x, p, q)` and `<kind>_dx(dy, x, p, q)`, where x is what forward saved: the result for sigmoid, tanh,
 * exp and sqrt, the input for the others. Comparisons are written so that NaN and the ends of intervals go where PyTorch sends them. */

/* a where the mask is set, zero or b elsewhere. */
#define FC_WHERE(mask, a) ((vec)((ivec)(a) & (ivec)(mask)))
#define FC_EITHER(mask, a, b) FC_BLEND((ivec)(mask), (a), (b))

INLINE vec FC_FN(magnitude)(vec x) { return (vec)((ivec)x & ~(ivec)splat((real)-0.0)); }

INLINE vec FC_FN(clamp_y)(vec x, vec low, vec high) {
    const vec raised = FC_EITHER(x < low, low, x);
    return FC_EITHER(raised > high, high, raised);
}
INLINE vec FC_FN(clamp_dx)(vec dy, vec x, vec low, vec high) { return FC_WHERE((x >= low) & (x <= high), dy); }

INLINE vec FC_FN(relu6_y)(vec x, vec p, vec q) {
    (void)p, (void)q;
    return FC_FN(clamp_y)(x, splat(0), splat(6));
}
INLINE vec FC_FN(relu6_dx)(vec dy, vec x, vec p, vec q) {
    (void)p, (void)q;
    return FC_WHERE(~((x <= splat(0)) | (x >= splat(6))), dy);
}

INLINE vec FC_FN(leaky_relu_y)(vec x, vec slope, vec q) {
    (void)q;
    return FC_EITHER(x > splat(0), x, x * slope);
}
INLINE vec FC_FN(leaky_relu_dx)(vec dy, vec x, vec slope, vec q) {
    (void)q;
    return FC_EITHER(x > splat(0), dy, dy * slope);
}

/* x above 0, alpha (e^x - 1) below. */
INLINE vec FC_FN(elu_y)(vec x, vec alpha, vec q) {
    (void)q;
    return FC_EITHER(x > splat(0), x, alpha * FC_FN(expm1_vec)(FC_EITHER(x > splat(0), splat(0), x)));
}
INLINE vec FC_FN(elu_dx)(vec dy, vec x, vec alpha, vec q) {
    (void)q;
    return FC_EITHER(x > splat(0), dy, dy * alpha * FC_FN(exp_vec)(FC_EITHER(x > splat(0), splat(0), x)));
}

/* 1 / (1 + e^-x) and its complement, each without cancellation, from e^-|x| <= 1. */
INLINE vec FC_FN(logistic)(vec x, vec *complement) {
    const vec e = FC_FN(exp_vec)(-FC_FN(magnitude)(x)), r = splat(1) / (splat(1) + e), small = e * r;
    *complement = FC_EITHER(x < splat(0), r, small);
    return FC_EITHER(x < splat(0), small, r);
}
INLINE vec FC_FN(sigmoid_y)(vec x, vec p, vec q) {
    (void)p, (void)q;
    vec rest;
    return FC_FN(logistic)(x, &rest);
}
INLINE vec FC_FN(sigmoid_dx)(vec dy, vec y, vec p, vec q) {
    (void)p, (void)q;
    return dy * (splat(1) - y) * y;
}

/* sign(x) (1 - e^-2|x|) / (1 + e^-2|x|), the numerator by expm1. */
INLINE vec FC_FN(tanh_y)(vec x, vec p, vec q) {
    (void)p, (void)q;
    const vec m = FC_FN(expm1_vec)(splat(-2) * FC_FN(magnitude)(x)), t = -m / (m + splat(2));
    return (vec)((ivec)t | ((ivec)x & (ivec)splat((real)-0.0)));
}
INLINE vec FC_FN(tanh_dx)(vec dy, vec y, vec p, vec q) {
    (void)p, (void)q;
    return dy * (splat(1) - y * y);
}

INLINE vec FC_FN(silu_y)(vec x, vec p, vec q) {
    (void)p, (void)q;
    vec rest;
    return x * FC_FN(logistic)(x, &rest);
}
INLINE vec FC_FN(silu_dx)(vec dy, vec x, vec p, vec q) {
    (void)p, (void)q;
    vec rest;
    const vec s = FC_FN(logistic)(x, &rest);
    return dy * s * (splat(1) + x * rest);
}

/* P(X < x) for standard normal X, that is e^(-x^2 / 2) erfcx(|x| / sqrt 2) / 2 or its complement, with `bell` = e^(-x^2 / 2).
 * erfcx(z) = e^(z^2) erfc(z) is a polynomial in u = (z - 3) / (z + 3), divided by z + 3: interpolated at 60 Chebyshev points in 50
 * digits and cut; 3 rounding errors. */
INLINE vec FC_FN(normal_below)(vec x, vec *bell) {
#if FC_BITS == 32
    static const float c[] = {1.074006912f,     -0.883394234f,    0.5902279756f,    -0.3104717123f,
                              0.1195323007f,    -0.0268017216f,   -0.001232371042f, 0.002973370703f,
                              -5.078505785e-4f, -2.109296677e-4f, 6.782963557e-5f};
#else
    static const double c[] = {1.0740069070883397,     -0.88339445316987901,   0.59022835710410717,   -0.31046726190097461,
                               0.11952776128703104,    -0.026827234613875309,  -0.001212416622330286, 0.0030340618739448575,
                               -5.483097387420955e-4,  -2.7677699993361768e-4, 1.0756175221391305e-4, 3.0394736025250137e-5,
                               -1.7471517833041935e-5, -4.7403568103716807e-6, 2.7676472846559023e-6, 9.8395164466538969e-7,
                               -4.1156335213765417e-7, -2.172394436485114e-7,  4.9867072725372557e-8, 3.9523308796803588e-8,
                               -3.5299135046474816e-9, -4.0301290402877048e-9};
#endif
    enum { DEGREE = sizeof(c) / sizeof(c[0]) - 1 };
    const vec r = splat(1) / (FC_FN(magnitude)(x) * splat((real)0.70710678118654752) + splat(3)), u = splat(1) - splat(6) * r;
    vec sum = splat(c[DEGREE]);
    UNROLL
    for (int k = DEGREE - 1; k >= 0; k--) sum = sum * u + splat(c[k]);
    *bell = FC_FN(exp_vec)(splat((real)-0.5) * x * x);
    const vec tail = splat((real)0.5) * *bell * sum * r;
    return FC_EITHER(x < splat(0), tail, splat(1) - tail);
}
INLINE vec FC_FN(gelu_y)(vec x, vec p, vec q) {
    (void)p, (void)q;
    vec bell;
    return x * FC_FN(normal_below)(x, &bell);
}
INLINE vec FC_FN(gelu_dx)(vec dy, vec x, vec p, vec q) {
    (void)p, (void)q;
    vec bell;
    const vec below = FC_FN(normal_below)(x, &bell);
    return dy * (below + x * bell * splat((real)0.39894228040143268)); /* 1 / sqrt(2 pi) */
}

/* x (1 + tanh(a)) / 2 = x / (1 + e^-2a), a = sqrt(2 / pi) (x + 0.044715 x^3). */
#define FC_GELU_SCALE splat((real)1.5957691216057308) /* 2 sqrt(2 / pi) */
#define FC_GELU_CUBE splat((real)0.044715)
INLINE vec FC_FN(gelu_tanh_y)(vec x, vec p, vec q) {
    (void)p, (void)q;
    vec rest;
    return x * FC_FN(logistic)(FC_GELU_SCALE * (x + FC_GELU_CUBE * x * x * x), &rest);
}
INLINE vec FC_FN(gelu_tanh_dx)(vec dy, vec x, vec p, vec q) {
    (void)p, (void)q;
    vec rest;
    const vec s = FC_FN(logistic)(FC_GELU_SCALE * (x + FC_GELU_CUBE * x * x * x), &rest);
    const vec t = x * s * rest * FC_GELU_SCALE;
    return dy * (s + t + splat(3) * FC_GELU_CUBE * (t * x) * x); /* t is zero where x * x overflows */
}

INLINE vec FC_FN(hardsigmoid_y)(vec x, vec p, vec q) { return FC_FN(relu6_y)(x + splat(3), p, q) / splat(6); }
INLINE vec FC_FN(hardsigmoid_dx)(vec dy, vec x, vec p, vec q) {
    (void)p, (void)q;
    return FC_WHERE((x > splat(-3)) & (x < splat(3)), dy / splat(6));
}

INLINE vec FC_FN(hardswish_y)(vec x, vec p, vec q) { return x * FC_FN(hardsigmoid_y)(x, p, q); }
INLINE vec FC_FN(hardswish_dx)(vec dy, vec x, vec p, vec q) {
    (void)p, (void)q;
    const vec inside = dy * (x / splat(3) + splat((real)0.5));
    const vec upper = FC_EITHER(x < splat(3), inside, dy);
    return FC_WHERE(~(x <= splat(-3)), upper);
}

/* log(1 + e^(beta x)) / beta; x itself where beta x is above the threshold. */
INLINE vec FC_FN(softplus_y)(vec x, vec beta, vec threshold) {
    const vec z = x * beta, e = FC_FN(exp_vec)(-FC_FN(magnitude)(z));
    const vec value = (FC_EITHER(z > splat(0), z, splat(0)) + FC_FN(log1p_vec)(e)) / beta;
    return FC_EITHER(z > threshold, x, value);
}
INLINE vec FC_FN(softplus_dx)(vec dy, vec x, vec beta, vec threshold) {
    vec rest;
    const vec z = x * beta, s = FC_FN(logistic)(z, &rest);
    return FC_EITHER(z > threshold, dy, dy * s);
}

INLINE vec FC_FN(exp_y)(vec x, vec p, vec q) {
    (void)p, (void)q;
    return FC_FN(exp_any)(x);
}
INLINE vec FC_FN(exp_dx)(vec dy, vec y, vec p, vec q) {
    (void)p, (void)q;
    return dy * y;
}

INLINE vec FC_FN(log_y)(vec x, vec p, vec q) {
    (void)p, (void)q;
    return FC_FN(log_vec)(x);
}
INLINE vec FC_FN(log_dx)(vec dy, vec x, vec p, vec q) {
    (void)p, (void)q;
    return dy / x;
}

INLINE vec FC_FN(sqrt_y)(vec x, vec p, vec q) {
    (void)p, (void)q;
    return sqrt_vec(x);
}
INLINE vec FC_FN(sqrt_dx)(vec dy, vec y, vec p, vec q) {
    (void)p, (void)q;
    return dy / (y + y);
}

INLINE vec FC_FN(abs_y)(vec x, vec p, vec q) {
    (void)p, (void)q;
    return FC_FN(magnitude)(x);
}
INLINE vec FC_FN(abs_dx)(vec dy, vec x, vec p, vec q) {
    (void)p, (void)q;
    const vec side = FC_EITHER(x > splat(0), dy, -dy), flat = FC_EITHER(x == splat(0), splat(0), x);
    return FC_EITHER((x > splat(0)) | (x < splat(0)), side, flat);
}

#define FC_PUT(i, v, n)                      \
    do {                                     \
        if ((n) >= LANES && past_cache)      \
            stream(out + (i), (v));          \
        else                                 \
            store_part(out + (i), (v), (n)); \
    } while (0)

/* One loop for each kind and direction, so that nothing is decided inside of it. */
#define FC_ACTIVATION(kind)                                                                                         \
    static void FC_FN(kind##_run)(const fc_activation_job *f) {                                                     \
        const real *x = f->x, *dy = f->dy;                                                                          \
        const ptrdiff_t n = f->n;                                                                                   \
        const int past_cache = f->past_cache;                                                                       \
        const vec p = splat((real)f->p), q = splat((real)f->q);                                                     \
        real *out = f->out;                                                                                         \
        ptrdiff_t i = 0;                                                                                            \
        if (dy) {                                                                                                   \
            for (; i + LANES <= n; i += LANES) FC_PUT(i, FC_FN(kind##_dx)(load(dy + i), load(x + i), p, q), LANES); \
            if (i < n) FC_PUT(i, FC_FN(kind##_dx)(load_part(dy + i, n - i), load_part(x + i, n - i), p, q), n - i); \
        } else {                                                                                                    \
            for (; i + LANES <= n; i += LANES) FC_PUT(i, FC_FN(kind##_y)(load(x + i), p, q), LANES);                \
            if (i < n) FC_PUT(i, FC_FN(kind##_y)(load_part(x + i, n - i), p, q), n - i);                            \
        }                                                                                                           \
        if (past_cache) stream_end();                                                                               \
    }
FC_ACTIVATION(clamp)
FC_ACTIVATION(relu6)
FC_ACTIVATION(leaky_relu)
FC_ACTIVATION(elu)
FC_ACTIVATION(sigmoid)
FC_ACTIVATION(tanh)
FC_ACTIVATION(silu)
FC_ACTIVATION(gelu)
FC_ACTIVATION(gelu_tanh)
FC_ACTIVATION(hardsigmoid)
FC_ACTIVATION(hardswish)
FC_ACTIVATION(softplus)
FC_ACTIVATION(exp)
FC_ACTIVATION(log)
FC_ACTIVATION(sqrt)
FC_ACTIVATION(abs)

static void FC_FN(activation)(const fc_activation_job *job) {
    static void (*const runs[])(const fc_activation_job *) = {
        [FC_CLAMP] = FC_FN(clamp_run),
        [FC_RELU6] = FC_FN(relu6_run),
        [FC_LEAKY_RELU] = FC_FN(leaky_relu_run),
        [FC_ELU] = FC_FN(elu_run),
        [FC_SIGMOID] = FC_FN(sigmoid_run),
        [FC_TANH] = FC_FN(tanh_run),
        [FC_SILU] = FC_FN(silu_run),
        [FC_GELU] = FC_FN(gelu_run),
        [FC_GELU_TANH] = FC_FN(gelu_tanh_run),
        [FC_HARDSIGMOID] = FC_FN(hardsigmoid_run),
        [FC_HARDSWISH] = FC_FN(hardswish_run),
        [FC_SOFTPLUS] = FC_FN(softplus_run),
        [FC_EXP] = FC_FN(exp_run),
        [FC_LOG] = FC_FN(log_run),
        [FC_SQRT] = FC_FN(sqrt_run),
        [FC_ABS] = FC_FN(abs_run),
    };
    runs[job->kind](job);
}
#undef FC_ACTIVATION
#undef FC_PUT
#undef FC_WHERE
#undef FC_EITHER
#undef FC_GELU_SCALE
#undef FC_GELU_CUBE
