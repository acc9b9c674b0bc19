/* kernels.ukr.repeat: each value m times, and the sums of m neighbours; included by body.h, no guard. */

/* y[i * m + j] = x[i] for i < n and j < m. */
INLINE void FC_FN(repeat_by)(real *restrict y, const real *restrict x, ptrdiff_t n, const ptrdiff_t m) {
    for (ptrdiff_t i = 0; i < n; i++)
        for (ptrdiff_t j = 0; j < m; j++) y[i * m + j] = x[i];
}

/* y[i] = the sum of x[i * m + j] over j < m, in the order of j. */
INLINE void FC_FN(join_by)(real *restrict y, const real *restrict x, ptrdiff_t n, const ptrdiff_t m) {
    for (ptrdiff_t i = 0; i < n; i++) {
        real sum = x[i * m];
        for (ptrdiff_t j = 1; j < m; j++) sum += x[i * m + j];
        y[i] = sum;
    }
}

/* The compiler makes vectors of a count that it knows. */
#define FC_BY_COUNT(stem)                                                       \
    static void FC_FN(stem)(void *y, const void *x, ptrdiff_t n, ptrdiff_t m) { \
        switch (m) {                                                            \
            case 2: FC_FN(stem##_by)(y, x, n, 2); break;                        \
            case 3: FC_FN(stem##_by)(y, x, n, 3); break;                        \
            case 4: FC_FN(stem##_by)(y, x, n, 4); break;                        \
            case 8: FC_FN(stem##_by)(y, x, n, 8); break;                        \
            default: FC_FN(stem##_by)(y, x, n, m);                              \
        }                                                                       \
    }
FC_BY_COUNT(repeat)
FC_BY_COUNT(join)
#undef FC_BY_COUNT
