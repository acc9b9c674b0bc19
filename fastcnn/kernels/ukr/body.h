/* kernels.ukr.body: every micro-kernel for one (instruction set, element type) and the table that lists them.
 *
 * Included twice by each ukr_<level>.c: float32, then float64. */
#include "levels.h"

#include "gemm.h"
#include "probe.h"
#include "winograd.h"

const fc_ukr FC_FN(table) = {
    .name = FC_STRING(FC_LEVEL),
    .item = sizeof(real),
    .lanes = FC_VBYTES / sizeof(real),
    .mr = FC_MR,
    .nr = 2 * FC_VBYTES / sizeof(real),
    .tile_rows = FC_FN(tile_rows),
    .pack_run = FC_FN(pack_run),
    .unpack_run = FC_FN(unpack_run),
    .pack_image = FC_FN(pack_image),
    .add = FC_FN(add),
    .winograd_weight = FC_FN(winograd_weight),
    .winograd_input = FC_FN(winograd_input),
    .winograd_output = FC_FN(winograd_output),
    .fma_burst = FC_FN(fma_burst),
};

#undef vec
#undef ivec
#undef uvec
#undef splat
#undef load
#undef store
#undef load_part
#undef store_part
#undef relu_vec
#undef real
