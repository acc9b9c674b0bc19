/* kernels.ukr.levels: vector types and names for one (instruction set, element type); included by body.h for each pair.
 *
 * Needs FC_LEVEL (a name), FC_VBYTES (bytes of a vector), FC_MR (rows of the register tile), FC_REAL, FC_INT and FC_BITS. */
#define FC_PASTE_(a, b) a##b
#define FC_PASTE(a, b) FC_PASTE_(a, b)
#define FC_NAME_(bits, stem, level) fc_f##bits##_##stem##__##level
#define FC_NAME__(bits, stem, level) FC_NAME_(bits, stem, level)
#define FC_FN(stem) FC_NAME__(FC_BITS, stem, FC_LEVEL)

#define real FC_REAL
#define LANES ((ptrdiff_t)(FC_VBYTES / sizeof(real)))
#define NR (2 * LANES)
#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")

#define vec FC_FN(vec)
#define ivec FC_FN(ivec)
#define uvec FC_FN(uvec)
typedef real vec __attribute__((vector_size(FC_VBYTES)));
typedef FC_INT ivec __attribute__((vector_size(FC_VBYTES))); /* masks: comparisons give 0 or -1 */
typedef real uvec __attribute__((vector_size(FC_VBYTES), aligned(sizeof(real)), may_alias)); /* loads and stores anywhere */

/* A splat written out, so that GCC sees one broadcast. Not `vec{0} + a`: -0.0 keeps that addition alive; not a loop over
 * lanes: GCC 12 makes a masked move of each. */
#define FC_SPLAT_2(a) {a, a}
#define FC_SPLAT_4(a) {a, a, a, a}
#define FC_SPLAT_8(a) {a, a, a, a, a, a, a, a}
#define FC_SPLAT_16(a) {a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a}
#define splat FC_FN(splat)
INLINE vec splat(real a) {
#if FC_VBYTES * 8 / FC_BITS == 2
    return (vec)FC_SPLAT_2(a);
#elif FC_VBYTES * 8 / FC_BITS == 4
    return (vec)FC_SPLAT_4(a);
#elif FC_VBYTES * 8 / FC_BITS == 8
    return (vec)FC_SPLAT_8(a);
#else
    return (vec)FC_SPLAT_16(a);
#endif
}
#define load FC_FN(load)
INLINE vec load(const real *p) { return *(const uvec *)p; }
#define store FC_FN(store)
INLINE void store(real *p, vec v) { *(uvec *)p = v; }

/* The first n lanes only; the rest read as zero. For tails: never touches a byte past the array. Levels that have masked
 * moves define FC_MASK_LOAD_<bits> and FC_MASK_STORE_<bits>. */
#define load_part FC_FN(load_part)
INLINE vec load_part(const real *p, ptrdiff_t n) {
    if (n >= LANES) return load(p);
#if defined(FC_MASKED)
    return (vec)FC_PASTE(FC_MASK_LOAD_, FC_BITS)(p, n < 0 ? 0 : n);
#else
    real t[FC_VBYTES / sizeof(real)] = {0};
    for (ptrdiff_t i = 0; i < n; i++) t[i] = p[i];
    return load(t);
#endif
}
#define store_part FC_FN(store_part)
INLINE void store_part(real *p, vec v, ptrdiff_t n) {
    if (n >= LANES) {
        store(p, v);
        return;
    }
#if defined(FC_MASKED)
    FC_PASTE(FC_MASK_STORE_, FC_BITS)(p, v, n < 0 ? 0 : n);
#else
    real t[FC_VBYTES / sizeof(real)];
    store(t, v);
    for (ptrdiff_t i = 0; i < n; i++) p[i] = t[i];
#endif
}
#if defined(FC_MASKED)
/* The same for 1 <= n <= LANES, without a branch: for registers of a tile. */
#define load_tail FC_FN(load_tail)
INLINE vec load_tail(const real *p, ptrdiff_t n) { return (vec)FC_PASTE(FC_MASK_LOAD_, FC_BITS)(p, n); }
#define store_tail FC_FN(store_tail)
INLINE void store_tail(real *p, vec v, ptrdiff_t n) { FC_PASTE(FC_MASK_STORE_, FC_BITS)(p, v, n); }
#endif
/* A store past the caches, for outputs that are larger: a plain store reads the line first. p is aligned to a vector; a kernel
 * that streams ends with stream_end, so that other threads see what it wrote. */
#define stream FC_FN(stream)
INLINE void stream(real *p, vec v) {
#if defined(FC_STREAMED)
    FC_PASTE(FC_STREAM_, FC_BITS)(p, v);
#else
    store(p, v);
#endif
}
#define stream_end FC_FN(stream_end)
INLINE void stream_end(void) {
#if defined(FC_STREAMED)
    _mm_sfence();
#endif
}
#define sqrt_vec FC_FN(sqrt_vec)
INLINE vec sqrt_vec(vec v) {
    real t[FC_VBYTES / sizeof(real)];
    store(t, v);
    for (int i = 0; i < LANES; i++)
        t[i] = FC_BITS == 32 ? (real)__builtin_sqrtf((float)t[i]) : (real)__builtin_sqrt((double)t[i]);
    return load(t);
}
/* max(v, 0) that keeps NaN. */
#define relu_vec FC_FN(relu_vec)
INLINE vec relu_vec(vec v) { return (vec)((ivec)v & ~(ivec)(v < splat(0))); }
