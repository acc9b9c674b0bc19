/* kernels.ukr.elementwise: arithmetic on rows of values, dropout, running averages; included by body.h, no guard. */

/* z = a OP b, element by element. The strides of most rows are 1, or 0 for an operand that is repeated. */
#define FC_ROW(OP)                                                                \
    do {                                                                          \
        if (sz == 1 && sa == 1 && sb == 1)                                        \
            for (ptrdiff_t i = 0; i < n; i++) z[i] = a[i] OP b[i];                \
        else if (sz == 1 && sa == 1 && sb == 0)                                   \
            for (ptrdiff_t i = 0; i < n; i++) z[i] = a[i] OP second;              \
        else if (sz == 1 && sa == 0 && sb == 1)                                   \
            for (ptrdiff_t i = 0; i < n; i++) z[i] = first OP b[i];               \
        else                                                                      \
            for (ptrdiff_t i = 0; i < n; i++) z[i * sz] = a[i * sa] OP b[i * sb]; \
    } while (0)

static void FC_FN(binary_row)(int op, void *z_, ptrdiff_t sz, const void *a_, ptrdiff_t sa, const void *b_, ptrdiff_t sb,
                              ptrdiff_t n) {
    real *z = z_;
    const real *a = a_, *b = b_;
    if (n < 1) return;
    const real first = a[0], second = b[0];
    switch (op) {
        case FC_ADD: FC_ROW(+); break;
        case FC_SUB: FC_ROW(-); break;
        case FC_MUL: FC_ROW(*); break;
        default: FC_ROW(/);
    }
}
#undef FC_ROW

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
