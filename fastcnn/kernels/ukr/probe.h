/* kernels.ukr.probe: a loop of independent multiply-adds, to measure the peak that the other kernels are compared with. */

/* Runs `iterations` x 24 vector multiply-adds; returns the sum so that nothing is optimised away. */
static double FC_FN(fma_burst)(ptrdiff_t iterations) {
    enum { CHAINS = FC_MR >= 12 ? 24 : 12 };
    vec acc[CHAINS];
    volatile real one = 1, tiny = (real)1e-9; /* volatile: the compiler must not know the values */
    const vec a = splat(one), b = splat(tiny);
    _Pragma("GCC unroll 32") for (int i = 0; i < CHAINS; i++) acc[i] = splat((real)i);
    for (ptrdiff_t n = 0; n < iterations * 24 / CHAINS; n++) {
        _Pragma("GCC unroll 32") for (int i = 0; i < CHAINS; i++) acc[i] = acc[i] * a + b;
    }
    double sum = 0;
    _Pragma("GCC unroll 32") for (int i = 0; i < CHAINS; i++) sum += (double)acc[i][0];
    return sum;
}
