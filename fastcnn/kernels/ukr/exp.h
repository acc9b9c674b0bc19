/* kernels.ukr.exp: exponential and logarithm of vectors; included by body.h, no guard. */

/* For x <= 0: 2^n into `power`, returns e^r - 1 where x = n ln 2 + r, |r| <= ln 2 / 2, by a Taylor polynomial in r. ln 2 is split
 * so that n * high is exact. */
INLINE vec FC_FN(exp_parts)(vec x, vec *power) {
    /* Far below zero 2^n leaves its bits, and the callers replace it: signed integers must not overflow, these wrap. */
    typedef FC_PASTE(FC_PASTE(uint, FC_BITS), _t) bits __attribute__((vector_size(FC_VBYTES)));
#if FC_BITS == 32
    enum { DEGREE = 7, MANTISSA = 23 }; /* (ln 2 / 2)^8 / 8! = 5e-9 */
    const double high = 355.0 / 512, low = -2.121944400546905827679e-4, magic = 12582912.0; /* 1.5 * 2^23 */
#else
    enum { DEGREE = 13, MANTISSA = 52 }; /* (ln 2 / 2)^14 / 14! = 4e-18 */
    const double high = 45426.0 / 65536, low = 1.42860682030941723212e-6, magic = 6755399441055744.0; /* 1.5 * 2^52 */
#endif
    static const double inverse_factorial[] = {
        1,          1,           1.0 / 2,      1.0 / 6,       1.0 / 24,       1.0 / 120,       1.0 / 720,
        1.0 / 5040, 1.0 / 40320, 1.0 / 362880, 1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600, 1.0 / 6227020800};
    const vec shifted = x * splat((real)1.4426950408889634) + splat((real)magic); /* n stands in the low bits */
    const vec n = shifted - splat((real)magic);
    const vec r = (x - n * splat((real)high)) - n * splat((real)low);
    vec sum = splat((real)inverse_factorial[DEGREE]);
    UNROLL
    for (int k = DEGREE - 1; k >= 1; k--) sum = sum * r + splat((real)inverse_factorial[k]);
    *power = (vec)((bits)splat(1) + ((bits)shifted << MANTISSA));
    return sum * r;
}

/* Below this the exponential is taken as zero: 2^n would leave the normal numbers. */
#define FC_EXP_LOWEST splat(FC_BITS == 32 ? -87 : -708)

/* e^x for x <= 0 within 2 ulp; 0 below about 1e-38 (1e-308), NaN for NaN. */
INLINE vec FC_FN(exp_vec)(vec x) {
    vec power;
    const vec part = FC_FN(exp_parts)(x, &power), value = part * power + power;
    const ivec tiny = (ivec)(x < FC_EXP_LOWEST), nan = (ivec)(x != x);
    const vec flushed = (vec)((ivec)value & ~tiny);
    return FC_BLEND(nan, x, flushed);
}

/* e^x - 1 for x <= 0, without cancellation near zero; NaN for NaN. */
INLINE vec FC_FN(expm1_vec)(vec x) {
    vec power;
    const vec part = FC_FN(exp_parts)(x, &power), value = part * power + (power - splat(1));
    const ivec tiny = (ivec)(x < FC_EXP_LOWEST), nan = (ivec)(x != x);
    const vec limited = FC_BLEND(tiny, splat(-1), value);
    return FC_BLEND(nan, x, limited);
}

/* e^x (1 + d) for every x, |d| far below 1; 0 below e^-87 (e^-708), Inf above the largest number, NaN for NaN. */
INLINE vec FC_FN(exp_corrected)(vec x, vec d, const int corrects) {
    typedef FC_PASTE(FC_PASTE(uint, FC_BITS), _t) bits __attribute__((vector_size(FC_VBYTES)));
    const vec highest = splat((real)(FC_BITS == 32 ? 88.72283172607422 : 709.782712893384));
    const ivec above = (ivec)(x > splat(0)), tiny = (ivec)(x < FC_EXP_LOWEST), huge = (ivec)(x > highest), nan = (ivec)(x != x);
    vec power;
    /* 2^(n - 1) twice above zero, 2^(n + 64) with 2^-64 below: 2^n itself may be too large, its products too small */
    const vec part = FC_FN(exp_parts)(x, &power);
    const bits shift = (64 + (bits)splat(0)) - ((bits)above & (65 + (bits)splat(0)));
    const vec moved = (vec)((bits)power + (shift << (FC_BITS == 32 ? 23 : 52)));
    vec value = part * moved + moved;
    if (corrects) value += value * d;
    value *= FC_BLEND(above, splat(2), splat((real)0x1p-64));
    const vec limited = FC_BLEND(huge, splat((real)__builtin_inf()), value);
    const vec flushed = (vec)((ivec)limited & ~tiny);
    return FC_BLEND(nan, x, flushed);
}

/* e^x for every x, within 2 ulp. */
INLINE vec FC_FN(exp_any)(vec x) { return FC_FN(exp_corrected)(x, splat(0), 0); }

#undef FC_EXP_LOWEST

/* x > 0 as 2^k m, sqrt(1/2) <= m < sqrt(2): returns m, and k as a number. */
INLINE vec FC_FN(mantissa)(vec x, vec *k) {
    enum { MANTISSA = FC_BITS == 32 ? 23 : 52 };
    typedef FC_PASTE(FC_PASTE(uint, FC_BITS), _t) bits __attribute__((vector_size(FC_VBYTES)));
    const vec magic = splat((real)(FC_BITS == 32 ? 12582912.0 : 6755399441055744.0)); /* an integer stands in its low bits */
    const ivec exponent = ((ivec)x - (ivec)splat((real)0.70710678118654752)) >> MANTISSA;
    *k = (vec)((bits)magic + (bits)exponent) - magic;
    return (vec)((bits)x - ((bits)exponent << MANTISSA));
}

/* log m - 2 s, s = (m - 1) / (m + 1), divided by s: by the series of 2 artanh in z = s^2 <= 0.0295. */
INLINE vec FC_FN(log_series)(vec z) {
    enum { TERMS = FC_BITS == 32 ? 4 : 10 }; /* 2 z^5 / 11 = 4e-9, 2 z^11 / 23 = 1e-18 */
    vec sum = splat((real)(2.0 / (2 * TERMS + 1)));
    UNROLL
    for (int k = TERMS - 1; k >= 1; k--) sum = sum * z + splat((real)(2.0 / (2 * k + 1)));
    return sum * z;
}

#if FC_BITS == 32
#define FC_LN2_HIGH splat(355.0f / 512) /* k times it is exact */
#define FC_LN2_LOW splat(-2.121944400546905827679e-4f)
#else
#define FC_LN2_HIGH splat(45426.0 / 65536)
#define FC_LN2_LOW splat(1.42860682030941723212e-6)
#endif

/* log x within 2 ulp; -Inf at 0 and for denormals, NaN below and for NaN, Inf for Inf. */
INLINE vec FC_FN(log_vec)(vec x) {
    const vec infinity = splat((real)__builtin_inf());
    const ivec zero = (ivec)(x == splat(0)), wrong = ~(ivec)(x >= splat(0)), beyond = (ivec)(x == infinity);
    vec k;
    const vec f = FC_FN(mantissa)(x, &k) - splat(1), s = f / (splat(2) + f), square = splat((real)0.5) * f * f;
    /* 2 s = f - f^2 / 2 + s f^2 / 2: f is exact, what is added to it small */
    const vec rest = s * (square + FC_FN(log_series)(s * s)) + k * FC_LN2_LOW;
    vec value = k * FC_LN2_HIGH - ((square - rest) - f);
    value = FC_BLEND(beyond, infinity, value);
    value = FC_BLEND(zero, -infinity, value);
    return FC_BLEND(wrong, x - x + splat((real)__builtin_nan("")), value);
}

/* log(1 + x) for 0 <= x <= 1: 2 artanh(s), s = x / (2 + x) <= 1/3, by its series in s^2. */
INLINE vec FC_FN(log1p_vec)(vec x) {
    enum { TERMS = FC_BITS == 32 ? 8 : 17 }; /* (1/9)^8 / 17 = 1e-9, (1/9)^17 / 35 = 2e-18 */
    const vec s = x / (splat(2) + x), square = s * s;
    vec sum = splat((real)(1.0 / (2 * TERMS - 1)));
    UNROLL
    for (int k = TERMS - 2; k >= 0; k--) sum = sum * square + splat((real)(1.0 / (2 * k + 1)));
    return splat(2) * s * sum;
}
