/* kernels.ukr.convert: rows of values of any dtype: the same in another dtype, and comparisons. For kernels.convert; no vectors by
 * hand: these rows wait for memory. */
#ifndef FASTCNN_CONVERT_H
#define FASTCNN_CONVERT_H

#include <stddef.h>
#include <stdint.h>

enum { FC_BOOL, FC_U8, FC_I8, FC_U16, FC_I16, FC_U32, FC_I32, FC_U64, FC_I64, FC_F32, FC_F64, FC_DTYPES };
enum { FC_EQ, FC_NE, FC_LT, FC_LE, FC_GT, FC_GE };

/* dst[i] = src[i]; the steps are bytes. Whatever is not zero is true. */
#define FC_CONVERT_ROW(D, S, VALUE)                                 \
    do {                                                            \
        if (d == (ptrdiff_t)sizeof(D) && s == (ptrdiff_t)sizeof(S)) \
            for (ptrdiff_t i = 0; i < n; i++) {                     \
                const S x = ((const S *)src)[i];                    \
                ((D *)dst)[i] = VALUE;                              \
            }                                                       \
        else                                                        \
            for (ptrdiff_t i = 0; i < n; i++) {                     \
                const S x = *(const S *)(src + i * s);              \
                *(D *)(dst + i * d) = VALUE;                        \
            }                                                       \
    } while (0)
#define FC_CONVERT_FROM(D, VALUE)                               \
    switch (from) {                                             \
        case FC_BOOL:                                           \
        case FC_U8: FC_CONVERT_ROW(D, uint8_t, VALUE); break;   \
        case FC_I8: FC_CONVERT_ROW(D, int8_t, VALUE); break;    \
        case FC_U16: FC_CONVERT_ROW(D, uint16_t, VALUE); break; \
        case FC_I16: FC_CONVERT_ROW(D, int16_t, VALUE); break;  \
        case FC_U32: FC_CONVERT_ROW(D, uint32_t, VALUE); break; \
        case FC_I32: FC_CONVERT_ROW(D, int32_t, VALUE); break;  \
        case FC_U64: FC_CONVERT_ROW(D, uint64_t, VALUE); break; \
        case FC_I64: FC_CONVERT_ROW(D, int64_t, VALUE); break;  \
        case FC_F32: FC_CONVERT_ROW(D, float, VALUE); break;    \
        default: FC_CONVERT_ROW(D, double, VALUE);              \
    }

static inline void fc_convert_row(int to, char *dst, ptrdiff_t d, int from, const char *src, ptrdiff_t s, ptrdiff_t n) {
    switch (to) {
        case FC_BOOL: FC_CONVERT_FROM(uint8_t, x != 0) break;
        case FC_I64: FC_CONVERT_FROM(int64_t, (int64_t)x) break;
        case FC_F32: FC_CONVERT_FROM(float, (float)x) break;
        default: FC_CONVERT_FROM(double, (double)x)
    }
}
#undef FC_CONVERT_ROW
#undef FC_CONVERT_FROM

/* z[i] = a[i] OP b[i], bytes; the steps are bytes. */
#define FC_COMPARE_ROW(T, OP)                                                                                    \
    do {                                                                                                         \
        const T second = *(const T *)b;                                                                          \
        if (sz == 1 && sa == (ptrdiff_t)sizeof(T) && sb == (ptrdiff_t)sizeof(T))                                 \
            for (ptrdiff_t i = 0; i < n; i++) z[i] = ((const T *)a)[i] OP((const T *)b)[i];                      \
        else if (sz == 1 && sa == (ptrdiff_t)sizeof(T) && sb == 0)                                               \
            for (ptrdiff_t i = 0; i < n; i++) z[i] = ((const T *)a)[i] OP second;                                \
        else                                                                                                     \
            for (ptrdiff_t i = 0; i < n; i++) z[i * sz] = *(const T *)(a + i * sa) OP * (const T *)(b + i * sb); \
    } while (0)
#define FC_COMPARE_AS(OP)                                \
    switch (dtype) {                                     \
        case FC_BOOL:                                    \
        case FC_U8: FC_COMPARE_ROW(uint8_t, OP); break;  \
        case FC_I64: FC_COMPARE_ROW(int64_t, OP); break; \
        case FC_F32: FC_COMPARE_ROW(float, OP); break;   \
        default: FC_COMPARE_ROW(double, OP);             \
    }

static inline void fc_compare_row(int op, int dtype, uint8_t *z, ptrdiff_t sz, const char *a, ptrdiff_t sa, const char *b,
                                  ptrdiff_t sb, ptrdiff_t n) {
    if (n < 1) return;
    switch (op) {
        case FC_EQ: FC_COMPARE_AS(==) break;
        case FC_NE: FC_COMPARE_AS(!=) break;
        case FC_LT: FC_COMPARE_AS(<) break;
        case FC_LE: FC_COMPARE_AS(<=) break;
        case FC_GT: FC_COMPARE_AS(>) break;
        default: FC_COMPARE_AS(>=)
    }
}
#undef FC_COMPARE_ROW
#undef FC_COMPARE_AS

#endif
