/* kernels.ukr.largest: where the largest or the least of values side by side is. For kernels.largest. Comparisons alone: the same place with any
 * instruction set, so vectors of the least one are enough. */
#ifndef FASTCNN_LARGEST_H
#define FASTCNN_LARGEST_H

#include <stddef.h>
#include <stdint.h>

/* The first of n >= 1 values that no other one exceeds in the sense of OP, > or <, the first NaN before all others: the value first, then its block, then its place. */
#define FC_FIRST(NAME, T, I, OP)                                                                      \
    typedef T NAME##_vec __attribute__((vector_size(16), aligned(sizeof(T)), may_alias));             \
    typedef I NAME##_mask __attribute__((vector_size(16)));                                           \
    static inline int NAME##_any(NAME##_mask m) {                                                     \
        typedef int64_t pair __attribute__((vector_size(16)));                                        \
        const pair p = (pair)m;                                                                       \
        return (p[0] | p[1]) != 0;                                                                    \
    }                                                                                                 \
    static inline ptrdiff_t NAME(const T *x, ptrdiff_t n) {                                           \
        enum { SIDE = 16 / sizeof(T), STEP = 4 * SIDE };                                              \
        T best = x[0];                                                                                \
        ptrdiff_t k = 0;                                                                              \
        int odd = x[0] != x[0];                                                                       \
        if (n >= STEP) {                                                                              \
            NAME##_vec most[4];                                                                       \
            NAME##_mask strange = {0};                                                                \
            for (int i = 0; i < 4; i++) most[i] = *(const NAME##_vec *)(x + i * SIDE);                \
            for (; k + STEP <= n; k += STEP)                                                          \
                for (int i = 0; i < 4; i++) {                                                         \
                    const NAME##_vec v = *(const NAME##_vec *)(x + k + i * SIDE);                     \
                    const NAME##_mask more = v OP most[i];                                            \
                    most[i] = (NAME##_vec)(((NAME##_mask)v & more) | ((NAME##_mask)most[i] & ~more)); \
                    strange |= v != v;                                                                \
                }                                                                                     \
            odd |= NAME##_any(strange);                                                               \
            for (int i = 0; i < 4; i++)                                                               \
                for (int j = 0; j < SIDE; j++) best = most[i][j] OP best ? most[i][j] : best;         \
        }                                                                                             \
        for (; k < n; k++) {                                                                          \
            best = x[k] OP best ? x[k] : best;                                                        \
            odd |= x[k] != x[k];                                                                      \
        }                                                                                             \
        k = 0;                                                                                        \
        if (odd) {                                                                                    \
            while (x[k] == x[k]) k++;                                                                 \
            return k;                                                                                 \
        }                                                                                             \
        for (; k + STEP <= n; k += STEP) {                                                            \
            NAME##_mask equal = {0};                                                                  \
            for (int i = 0; i < 4; i++) equal |= *(const NAME##_vec *)(x + k + i * SIDE) == best;     \
            if (NAME##_any(equal)) break;                                                             \
        }                                                                                             \
        while (x[k] != best) k++;                                                                     \
        return k;                                                                                     \
    }

FC_FIRST(fc_first_largest_f32, float, int32_t, >)
FC_FIRST(fc_first_largest_f64, double, int64_t, >)
FC_FIRST(fc_first_least_f32, float, int32_t, <)
FC_FIRST(fc_first_least_f64, double, int64_t, <)
#undef FC_FIRST

#endif
