/* kernels.ukr.epilogue: what becomes of a result before it is stored; included by body.h, no guard. */

/* min(max(v, low), high) that keeps NaN. */
INLINE vec FC_FN(clip)(vec v, vec low, vec high) {
    const ivec below = (ivec)(v < low), above = (ivec)(v > high);
    return (vec)(((ivec)v & ~(below | above)) | ((ivec)low & below) | ((ivec)high & above));
}

/* The residual of the element at y. */
INLINE const real *FC_FN(residual)(const fc_epilogue *e, const real *y) { return (const real *)((const char *)y + e->away); }

/* v, which is to be stored in n lanes from y on; e may be NULL. */
INLINE vec FC_FN(finished)(const fc_epilogue *e, vec v, const real *y, ptrdiff_t n) {
    if (!e) return v;
    if (e->adds) v += load_part(FC_FN(residual)(e, y), n);
    return e->bounds ? FC_FN(clip)(v, splat((real)e->low), splat((real)e->high)) : v;
}
