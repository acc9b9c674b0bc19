/* kernels.ukr.winograd: F(4x4,3x3) on the points 0, +-a, +-b, infinity; included by body.h, no guard.
 *
 * [Lavin2015] 1509.09308 for the algorithm, [Barabasz2018] 1803.10986 for the points. Vectors run over channels. The pairs
 * of points make every matrix a sum and a difference of an even and an odd part. Here: what the transforms share. */

/* One call for each kind of tile, with the number of lines and columns of its points. */
#define FC_EACH_KIND(f, ...)                            \
    f(__VA_ARGS__, blk->start[0], blk->start[1], 5, 6); \
    f(__VA_ARGS__, blk->start[1], blk->start[2], 6, 6); \
    f(__VA_ARGS__, blk->start[2], blk->start[3], 6, 5); \
    f(__VA_ARGS__, blk->start[3], blk->start[4], 5, 5)

/* Slice of line i of the points of a tile with `lines` of them: five skip -b. */
#define FC_POINT(i, lines) ((i) + ((lines) == 5 && (i) == 4))

/* A stride with its multiples in bytes: six addresses of one base without arithmetic of their own. */
typedef struct {
    ptrdiff_t one, three, five;
} FC_FN(steps);

INLINE FC_FN(steps) FC_FN(steps_of)(ptrdiff_t elements) {
    const ptrdiff_t one = elements * (ptrdiff_t)sizeof(real);
    return (FC_FN(steps)){one, 3 * one, 5 * one};
}

/* p + i strides. */
INLINE real *FC_FN(step)(const real *p, FC_FN(steps) s, const int i) {
    return (real *)((const char *)p + (i == 5 ? s.five : i == 3 ? s.three : i * s.one));
}

#include "winograd_gradient.h"
#include "winograd_input.h"
#include "winograd_output.h"
#include "winograd_weight.h"

#undef FC_POINT
#undef FC_EACH_KIND
