/* kernels.ukr.body: every micro-kernel for one (instruction set, element type) and the table that lists them.
 *
 * Included twice by each ukr_<level>.c: float32, then float64. */
#include "levels.h"

#include "rows.h"     /* first: others use it */
#include "epilogue.h" /* before what stores a convolution */
#include "exp.h"      /* before what has exponentials and logarithms */
#include "norm.h"     /* before pool.h */

#include "activation.h"
#include "power.h" /* before elementwise.h */
#include "depthwise.h"
#include "elementwise.h"
#include "gemm.h"
#include "loss.h"
#include "pixels.h"
#include "pool.h"
#include "probe.h"
#include "repeat.h"
#include "resample.h"
#include "run_norm.h"
#include "shift.h"
#include "softmax.h"
#include "update.h"
#include "winograd.h"

const fc_ukr FC_FN(table) = {
    .name = FC_STRING(FC_LEVEL),
    .item = sizeof(real),
    .lanes = FC_VBYTES / sizeof(real),
    .mr = FC_MR,
    .nr = 2 * FC_VBYTES / sizeof(real),
    .tile_rows = FC_FN(tile_rows),
    .tile_rows_streamed = FC_FN(tile_rows_streamed),
    .tile_moments_end = FC_FN(tile_moments_end),
    .pack_run = FC_FN(pack_run),
    .unpack_run = FC_FN(unpack_run),
    .pack_image = FC_FN(pack_image),
    .add = FC_FN(add),
    .shift_row = FC_FN(shift_row),
    .slide_rows = FC_FN(slide_rows),
    .winograd_weight = FC_FN(winograd_weight),
    .winograd_input = FC_FN(winograd_input),
    .square_product = FC_FN(square_product),
    .winograd_output = FC_FN(winograd_output),
    .winograd_dy = FC_FN(winograd_dy),
    .winograd_dw = FC_FN(winograd_dw),
    .repeat = FC_FN(repeat),
    .join = FC_FN(join),
    .relu = FC_FN(relu),
    .relu_mask = FC_FN(relu_mask),
    .activation = FC_FN(activation),
    .column_sums = FC_FN(column_sums),
    .fold = FC_FN(fold),
    .transpose = FC_FN(transpose),
    .binary_row = FC_FN(binary_row),
    .share_row = FC_FN(share_row),
    .where_row = FC_FN(where_row),
    .survive = FC_FN(survive),
    .drop = FC_FN(drop),
    .blend = FC_FN(blend),
    .move_pixels = FC_FN(move_pixels),
    .scale_pixels = FC_FN(scale_pixels),
    .max_row = FC_FN(max_row),
    .mean_row = FC_FN(mean_row),
    .resample_row = FC_FN(resample_row),
    .gather_places = FC_FN(gather_places),
    .gather_row = FC_FN(gather_row),
    .scatter_image = FC_FN(scatter_image),
    .depthwise_row = FC_FN(depthwise_row),
    .depthwise_weight_row = FC_FN(depthwise_weight_row),
    .moments = FC_FN(moments),
    .merge_moments = FC_FN(merge_moments),
    .norm_forward = FC_FN(norm_forward),
    .norm_sums = FC_FN(norm_sums),
    .norm_backward = FC_FN(norm_backward),
    .group_coefficients = FC_FN(group_coefficients),
    .run_norm = FC_FN(run_norm),
    .run_norm_backward = FC_FN(run_norm_backward),
    .cross_entropy_row = FC_FN(cross_entropy_row),
    .cross_entropy_gradient_row = FC_FN(cross_entropy_gradient_row),
    .soft_cross_entropy = FC_FN(soft_cross_entropy),
    .soft_cross_entropy_gradient = FC_FN(soft_cross_entropy_gradient),
    .softmax_row = FC_FN(softmax_row),
    .softmax_gradient_row = FC_FN(softmax_gradient_row),
    .loss = FC_FN(loss),
    .loss_gradient = FC_FN(loss_gradient),
    .sgd = FC_FN(sgd),
    .rmsprop = FC_FN(rmsprop),
    .adam = FC_FN(adam),
    .nadam = FC_FN(nadam),
    .adagrad = FC_FN(adagrad),
    .lamb = FC_FN(lamb),
    .lars_norms = FC_FN(lars_norms),
    .lamb_norms = FC_FN(lamb_norms),
    .square_sum = FC_FN(square_sum),
    .scale = FC_FN(scale),
    .fma_burst = FC_FN(fma_burst),
};

#undef coefficients
#undef vec
#undef ivec
#undef uvec
#undef splat
#undef load
#undef store
#undef load_part
#undef store_part
#undef load_tail
#undef store_tail
#undef stream
#undef stream_end
#undef relu_vec
#undef sqrt_vec
#undef FC_LN2_HIGH
#undef FC_LN2_LOW
#undef real
