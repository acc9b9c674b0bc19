/* kernels.ukr.pixels: images on their way into a net: windows and mirror images, scale and shift of channels; included by
 * body.h, no guard.
 *
 * Rows of small images are shorter than a call of memcpy takes: they are copied in pieces of 16 bytes, the last of which
 * overlaps the one before. */

INLINE void FC_FN(copy_row)(char *y, const char *x, ptrdiff_t n) {
    if (n >= 16) {
        for (ptrdiff_t i = 0; i + 16 <= n; i += 16) memcpy(y + i, x + i, 16);
        memcpy(y + n - 16, x + n - 16, 16);
        return;
    }
    if (n & 8) memcpy(y, x, 8), y += 8, x += 8;
    if (n & 4) memcpy(y, x, 4), y += 4, x += 4;
    if (n & 2) memcpy(y, x, 2), y += 2, x += 2;
    if (n & 1) *y = *x;
}

INLINE void FC_FN(mirror_pixels)(char *y, const char *x, ptrdiff_t count, const ptrdiff_t size) {
    for (ptrdiff_t i = 0; i < count; i++) memcpy(y + i * size, x + (count - 1 - i) * size, (size_t)size);
}

#if defined(FC_SHUFFLE)
/* Bytes of 16 that hold whole pixels of 1, 2, 3 or 4 bytes, their pixels in opposite order. Those of 3 bytes begin at byte 1. */
static const uint8_t FC_FN(opposite)[4][16] = {
    {15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0},
    {14, 15, 12, 13, 10, 11, 8, 9, 6, 7, 4, 5, 2, 3, 0, 1},
    {13, 14, 15, 10, 11, 12, 7, 8, 9, 4, 5, 6, 1, 2, 3, 0},
    {12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3},
};

INLINE void FC_FN(mirror_bytes)(char *y, const char *x, ptrdiff_t count, const ptrdiff_t size) {
    const ptrdiff_t whole = 16 / size, spare = 16 - whole * size; /* spare: the byte more that is read and written */
    ptrdiff_t i = 0;
    for (; count - i >= whole + spare; i += whole)
        FC_SHUFFLE(y + i * size, x + (count - i - whole) * size - spare, FC_FN(opposite)[size - 1]);
    if (i && !spare && i < count) {
        FC_SHUFFLE(y + (count - whole) * size, x, FC_FN(opposite)[size - 1]);
        return;
    }
    FC_FN(mirror_pixels)(y + i * size, x, count - i, size);
}
#else
#define mirror_bytes mirror_pixels
#endif

/* y = the row x of `count` pixels of `size` bytes in opposite order. */
INLINE void FC_FN(mirror_row)(char *y, const char *x, ptrdiff_t count, ptrdiff_t size) {
    switch (size) {
        case 1: FC_FN(mirror_bytes)(y, x, count, 1); break;
        case 2: FC_FN(mirror_bytes)(y, x, count, 2); break;
        case 3: FC_FN(mirror_bytes)(y, x, count, 3); break;
        case 4: FC_FN(mirror_bytes)(y, x, count, 4); break;
        case 8: FC_FN(mirror_pixels)(y, x, count, 8); break;
        case 12: FC_FN(mirror_pixels)(y, x, count, 12); break;
        default: FC_FN(mirror_pixels)(y, x, count, size);
    }
}

/* One image: outputs rows.first <= i < rows.last, cols.first <= j < cols.last are pixels of the source, the rest is blank. */
static void FC_FN(move_pixels)(const fc_move_job *job) {
    const ptrdiff_t size = job->size, width = job->ow * size, left = job->cols.first * size;
    const ptrdiff_t count = job->cols.last - job->cols.first, right = width - left - count * size;
    const ptrdiff_t first = job->rows.first, last = count > 0 ? job->rows.last : first, pitch = job->iw * size;
    const int ahead = job->cols.step > 0;
    /* the first byte of the run of a source row */
    const ptrdiff_t column = job->cols.start + job->cols.step * (ahead ? job->cols.first : job->cols.last - 1);
    const char *x = (const char *)job->x + (job->rows.start + job->rows.step * first) * pitch + column * size;
    char *const y = job->y, *const inside = y + first * width, *const below = y + last * width;
    for (ptrdiff_t i = 0; i < first; i++) FC_FN(copy_row)(y + i * width, job->blank, width);
    for (ptrdiff_t i = last; i < job->oh; i++) FC_FN(copy_row)(y + i * width, job->blank, width);
    if (ahead && width == pitch && job->rows.step > 0 && last > first) { /* one piece; what it puts into the border goes below */
        memcpy(inside + left, x, (size_t)((last - first - 1) * width + count * size));
    } else if (ahead) {
        for (char *p = inside + left; p < below; p += width, x += job->rows.step * pitch) FC_FN(copy_row)(p, x, count * size);
    } else {
        for (char *p = inside + left; p < below; p += width, x += job->rows.step * pitch) FC_FN(mirror_row)(p, x, count, size);
    }
    if (left)
        for (char *p = inside; p < below; p += width) FC_FN(copy_row)(p, job->blank, left);
    if (right)
        for (char *p = inside + width - right; p < below; p += width) FC_FN(copy_row)(p, job->blank, right);
}

/* The product rounded before the sum: as in NumPy, whatever the instruction set. */
INLINE vec FC_FN(rounded)(vec v) {
#if defined(__x86_64__)
    __asm__("" : "+v"(v));
#endif
    return v;
}

/* A vector of values from as many bytes. Levels with an instruction for it define FC_BYTES_<bits>. */
INLINE vec FC_FN(load_bytes)(const uint8_t *x) {
#if defined(FC_BYTES_32)
    return (vec)FC_PASTE(FC_BYTES_, FC_BITS)(x);
#else
    vec v;
    UNROLL
    for (ptrdiff_t i = 0; i < LANES; i++) v[i] = x[i];
    return v;
#endif
}

INLINE vec FC_FN(load_byte_part)(const uint8_t *x, ptrdiff_t n) {
    uint8_t part[FC_VBYTES / sizeof(real)] = {0};
    for (ptrdiff_t i = 0; i < n; i++) part[i] = x[i];
    return FC_FN(load_bytes)(part);
}

INLINE void FC_FN(scale_run)(real *y, const void *x_, const int bytes, ptrdiff_t n, const real *scale, const real *shift) {
    const real *x = x_;
    const uint8_t *b = x_;
    ptrdiff_t i = 0;
    for (; i + LANES <= n; i += LANES)
        store(y + i, FC_FN(rounded)((bytes ? FC_FN(load_bytes)(b + i) : load(x + i)) * load(scale + i)) + load(shift + i));
    if (i < n) {
        const vec part = bytes ? FC_FN(load_byte_part)(b + i, n - i) : load_part(x + i, n - i);
        store_part(y + i, FC_FN(rounded)(part * load_part(scale + i, n - i)) + load_part(shift + i, n - i), n - i);
    }
}

INLINE void FC_FN(scale_runs)(real *y, const void *x, const int bytes, ptrdiff_t n, const real *scale, const real *shift,
                              ptrdiff_t period) {
    for (ptrdiff_t i = 0; i < n; i += period) {
        const void *from = bytes ? (const void *)((const uint8_t *)x + i) : (const void *)((const real *)x + i);
        FC_FN(scale_run)(y + i, from, bytes, n - i < period ? n - i : period, scale, shift);
    }
}

/* y[i] = x[i] * scale[i % period] + shift[i % period]; x holds bytes or values. */
static void FC_FN(scale_pixels)(void *y, const void *x, int bytes, ptrdiff_t n, const void *scale, const void *shift,
                                ptrdiff_t period) {
    if (bytes)
        FC_FN(scale_runs)(y, x, 1, n, scale, shift, period);
    else
        FC_FN(scale_runs)(y, x, 0, n, scale, shift, period);
}
#undef mirror_bytes
