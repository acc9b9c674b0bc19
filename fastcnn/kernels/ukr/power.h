/* kernels.ukr.power: powers of vectors; included by body.h, no guard.
 *
 * x^y = e^(y log x), y log x as a sum of two numbers. Each product whose error counts is of two numbers with half of the bits,
 * so it is exact, with a fused multiply-add and without one. */

/* x without the lower half of its bits. */
INLINE vec FC_FN(upper)(vec x) {
    const ivec low = (ivec)splat(0) + (((FC_INT)1 << (FC_BITS == 32 ? 12 : 27)) - 1);
    return (vec)((ivec)x & ~low);
}

/* log x = returned + rest for normal x > 0: about 7 bits more than one number holds. */
INLINE vec FC_FN(log_sum)(vec x, vec *rest) {
    vec k;
    const vec m = FC_FN(mantissa)(x, &k), f = m - splat(1), t = m + splat(1), s = f / t;
    const vec t_high = FC_FN(upper)(t), t_low = (splat(1) - t_high) + m;
    const vec s_high = FC_FN(upper)(s), s_low = ((f - s_high * t_high) - s_high * t_low) / t;
    const vec first = k * FC_LN2_HIGH, second = s_high + s_high, total = first + second;
    const vec small = ((first - total) + second) + ((s_low + s_low) + s * FC_FN(log_series)(s * s) + k * FC_LN2_LOW);
    const vec value = total + small;
    *rest = (total - value) + small;
    return value;
}

/* Is v >= 0 an integer? From 2^23 (2^52) on all are. */
INLINE ivec FC_FN(integral)(vec v) {
    const vec from = splat((real)(FC_BITS == 32 ? 8388608.0 : 4503599627370496.0));
    return (ivec)(v >= from) | (ivec)((v + from) - from == v);
}

/* x^y within 2 + |y log x| / 16 ulp where the result is a normal number, with the special values of C's pow. */
INLINE vec FC_FN(pow_vec)(vec x, vec y) {
    const vec infinity = splat((real)__builtin_inf()), limit = splat((real)(FC_BITS == 32 ? 0x1p60 : 0x1p500));
    const ivec sign = (ivec)splat((real)-0.0);
    const vec size = FC_FN(magnitude)(x), steps = FC_FN(magnitude)(y);
    /* y beyond the limit gives what the limit gives: 0, 1 or Inf */
    const ivec far = (ivec)(steps > limit);
    const vec near = (vec)((ivec)FC_BLEND(far, limit, steps) | ((ivec)y & sign));
    vec rest;
    const vec whole = FC_FN(log_sum)(size, &rest), high = FC_FN(upper)(whole), low = (whole - high) + rest;
    const vec y_high = FC_FN(upper)(near), y_low = near - y_high;
    const vec first = y_high * high, second = near * low + y_low * high, sum = first + second;
    const ivec zero = (ivec)(size == splat(0)), edge = zero | (ivec)(size == infinity);
    vec z = FC_FN(exp_corrected)(sum, (first - sum) + second, 1);
    const ivec grows = (ivec)(y > splat(0)) ^ zero;
    const vec end = (vec)((ivec)infinity & grows);
    z = FC_BLEND(edge, end, z);
    const ivec integer = FC_FN(integral)(steps), odd = integer & ~FC_FN(integral)(steps * splat((real)0.5));
    z = (vec)((ivec)z | ((ivec)x & sign & odd));
    const ivec nan = (ivec)(x != x) | (ivec)(y != y) | ((ivec)(x < splat(0)) & ~integer & (ivec)(size < infinity));
    z = FC_BLEND(nan, splat((real)__builtin_nan("")), z);
    const ivec one = (ivec)(y == splat(0)) | (ivec)(x == splat(1));
    return FC_BLEND(one, splat(1), z);
}

/* The slope of x^y along x, zero where y is. */
INLINE vec FC_FN(pow_dx)(vec x, vec y) { return (vec)((ivec)(y * FC_FN(pow_vec)(x, y - splat(1))) & ~(ivec)(y == splat(0))); }

/* The slope of z = x^y along y, zero where z is. */
INLINE vec FC_FN(pow_dy)(vec z, vec x) { return (vec)((ivec)(z * FC_FN(log_vec)(x)) & ~(ivec)(z == splat(0))); }
