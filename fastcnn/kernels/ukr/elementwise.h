/* kernels.ukr.elementwise: arithmetic on rows of values, dropout, running averages; included by body.h, no guard. */

/* z[i * sz] = VALUE of p = a[i * sa] and q = b[i * sb]. The strides of most rows are 1, or 0 for an operand that is repeated. */
#define FC_EACH(VALUE)                                   \
    do {                                                 \
        if (sz == 1 && sa == 1 && sb == 1)               \
            for (ptrdiff_t i = 0; i < n; i++) {          \
                const real p = a[i], q = b[i];           \
                z[i] = VALUE;                            \
            }                                            \
        else if (sz == 1 && sa == 1 && sb == 0)          \
            for (ptrdiff_t i = 0; i < n; i++) {          \
                const real p = a[i], q = second;         \
                z[i] = VALUE;                            \
            }                                            \
        else if (sz == 1 && sa == 0 && sb == 1)          \
            for (ptrdiff_t i = 0; i < n; i++) {          \
                const real p = first, q = b[i];          \
                z[i] = VALUE;                            \
            }                                            \
        else                                             \
            for (ptrdiff_t i = 0; i < n; i++) {          \
                const real p = a[i * sa], q = b[i * sb]; \
                z[i * sz] = VALUE;                       \
            }                                            \
    } while (0)

/* Up to LANES values, `step` apart. */
INLINE vec FC_FN(gathered)(const real *x, ptrdiff_t step, ptrdiff_t n) {
    if (step == 1) return load_part(x, n);
    if (step == 0) return splat(x[0]);
    vec v = splat(0);
    for (ptrdiff_t i = 0; i < LANES && i < n; i++) v[i] = x[i * step];
    return v;
}

/* z = FUNCTION(a, b) by vectors. */
#define FC_VECTORS(FUNCTION)                                                                                    \
    for (ptrdiff_t i = 0; i < n; i += LANES) {                                                                  \
        const vec v = FUNCTION(FC_FN(gathered)(a + i * sa, sa, n - i), FC_FN(gathered)(b + i * sb, sb, n - i)); \
        if (sz == 1)                                                                                            \
            store_part(z + i, v, n - i);                                                                        \
        else                                                                                                    \
            for (ptrdiff_t k = 0; k < LANES && k < n - i; k++) z[(i + k) * sz] = v[k];                          \
    }

INLINE vec FC_FN(square_of)(vec x, vec y) { return (void)y, x * x; }
INLINE vec FC_FN(cube_of)(vec x, vec y) { return (void)y, x * x * x; }
INLINE vec FC_FN(root_of)(vec x, vec y) { return (void)y, sqrt_vec(x); }
INLINE vec FC_FN(inverse_of)(vec x, vec y) { return (void)y, splat(1) / x; }

static void FC_FN(power_row)(real *z, ptrdiff_t sz, const real *a, ptrdiff_t sa, const real *b, ptrdiff_t sb, ptrdiff_t n) {
    const real exponent = sb == 0 ? b[0] : 0;
    if (exponent == 2)
        FC_VECTORS(FC_FN(square_of))
    else if (exponent == 3)
        FC_VECTORS(FC_FN(cube_of))
    else if (exponent == (real)0.5)
        FC_VECTORS(FC_FN(root_of))
    else if (exponent == -1)
        FC_VECTORS(FC_FN(inverse_of))
    else
        FC_VECTORS(FC_FN(pow_vec))
}

INLINE vec FC_FN(twice)(vec x, vec y) { return (void)y, x + x; }

static void FC_FN(power_slope_row)(real *z, ptrdiff_t sz, const real *a, ptrdiff_t sa, const real *b, ptrdiff_t sb, ptrdiff_t n) {
    if (sb == 0 && b[0] == 2)
        FC_VECTORS(FC_FN(twice))
    else
        FC_VECTORS(FC_FN(pow_dx))
}

static void FC_FN(power_log_row)(real *z, ptrdiff_t sz, const real *a, ptrdiff_t sa, const real *b, ptrdiff_t sb, ptrdiff_t n) {
    FC_VECTORS(FC_FN(pow_dy))
}

static void FC_FN(binary_row)(int op, void *z_, ptrdiff_t sz, const void *a_, ptrdiff_t sa, const void *b_, ptrdiff_t sb,
                              ptrdiff_t n) {
    real *z = z_;
    const real *a = a_, *b = b_;
    if (n < 1) return;
    const real first = a[0], second = b[0];
    switch (op) {
        case FC_ADD: FC_EACH(p + q); break;
        case FC_SUB: FC_EACH(p - q); break;
        case FC_MUL: FC_EACH(p * q); break;
        case FC_POW: FC_FN(power_row)(z, sz, a, sa, b, sb, n); break;
        case FC_POW_SLOPE: FC_FN(power_slope_row)(z, sz, a, sa, b, sb, n); break;
        case FC_POW_LOG: FC_FN(power_log_row)(z, sz, a, sa, b, sb, n); break;
        case FC_MAXIMUM: FC_EACH((p > q) | (p != p) ? p : q); break;
        case FC_MINIMUM: FC_EACH((p < q) | (p != p) ? p : q); break;
        default: FC_EACH(p / q);
    }
}
#undef FC_VECTORS

/* The gradient of max(a, b) along a: dz where a is larger or one of them is NaN, dz / 2 where they are equal, 0 where b is larger. */
static void FC_FN(share_row)(void *dx, const void *dz_, const void *a_, ptrdiff_t sa, const void *b_, ptrdiff_t sb, ptrdiff_t n) {
    real *z = dx;
    const real *dz = dz_, *a = a_, *b = b_;
    const ptrdiff_t sz = 1;
    if (n < 1) return;
    const real first = a[0], second = b[0];
    FC_EACH(p < q ? 0 : p == q ? dz[i] * (real)0.5 : dz[i]);
}

/* z = kept ? a : b; bits are moved as they are. */
static void FC_FN(where_row)(void *z_, const uint8_t *kept, const void *a_, ptrdiff_t sa, const void *b_, ptrdiff_t sb,
                             ptrdiff_t n) {
    real *z = z_;
    const real *a = a_, *b = b_;
    const ptrdiff_t sz = 1;
    if (n < 1) return;
    const real first = a[0], second = b[0];
    FC_EACH(kept[i] ? p : q);
}
#undef FC_EACH

/* kept[i] = draw[i] >= p. */
static void FC_FN(survive)(uint8_t *kept, const float *draw, ptrdiff_t n, float p) {
    for (ptrdiff_t i = 0; i < n; i++) kept[i] = draw[i] >= p;
}

/* y = x * kept * scale. */
static void FC_FN(drop)(void *y_, const void *x_, const uint8_t *kept, ptrdiff_t n, double scale_) {
    real *y = y_;
    const real *x = x_, scale = (real)scale_;
    for (ptrdiff_t i = 0; i < n; i++) y[i] = x[i] * (real)kept[i] * scale;
}

/* running += momentum * (statistic * factor - running). */
static void FC_FN(blend)(void *running_, const void *statistic_, ptrdiff_t n, double momentum_, double factor_) {
    real *running = running_;
    const real *statistic = statistic_, momentum = (real)momentum_, factor = (real)factor_;
    for (ptrdiff_t i = 0; i < n; i++) running[i] += momentum * (statistic[i] * factor - running[i]);
}
