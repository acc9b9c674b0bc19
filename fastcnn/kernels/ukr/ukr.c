/* kernels.ukr.ukr: the table of tables. */
#include "ukr.h"

extern const fc_ukr fc_f32_table__generic, fc_f64_table__generic;
#if defined(__x86_64__)
extern const fc_ukr fc_f32_table__avx2, fc_f64_table__avx2, fc_f32_table__avx512, fc_f64_table__avx512;
#endif

const fc_ukr *fc_ukr_table(int level, int item) {
    const int wide = item == 8;
    switch (level) {
        case 0: return wide ? &fc_f64_table__generic : &fc_f32_table__generic;
#if defined(__x86_64__)
        case 1: return wide ? &fc_f64_table__avx2 : &fc_f32_table__avx2;
        case 2: return wide ? &fc_f64_table__avx512 : &fc_f32_table__avx512;
#endif
        default: return NULL;
    }
}
