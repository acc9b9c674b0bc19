/* kernels.ukr.floats: the floating-point state that kernels run in: denormals count as zero, results that would be denormal become
 * zero, rounding is to nearest, nothing traps.
 *
 * fc_flush returns the state of the calling thread as it was, fc_restore puts it back, bit for bit: what kernels raise (overflow,
 * inexact, ...) does not reach the caller. Each thread of a team does this for itself, and nothing is set while a team starts:
 * a new thread would inherit it, and the runtime's threads serve other libraries too. */
#ifndef FASTCNN_FLOATS_H
#define FASTCNN_FLOATS_H

#if defined(__x86_64__)
#include <xmmintrin.h>

static inline unsigned long long fc_flush(void) {
    const unsigned int was = _mm_getcsr();
    _mm_setcsr(0x9fc0); /* all exceptions masked (0x1f80), flush to zero (0x8000), denormals are zero (0x0040) */
    __asm__ volatile("" ::: "memory");
    return was;
}

static inline void fc_restore(unsigned long long was) {
    __asm__ volatile("" ::: "memory");
    _mm_setcsr((unsigned int)was);
}

static inline unsigned long long fc_floats(void) { return _mm_getcsr(); }

#elif defined(__aarch64__)

/* FPCR (control) in the lower half, FPSR (flags) in the upper. */
static inline unsigned long long fc_floats(void) {
    unsigned long long control, flags;
    __asm__ volatile("mrs %0, fpcr\n\tmrs %1, fpsr" : "=r"(control), "=r"(flags) : : "memory");
    return (flags << 32) | (control & 0xffffffffull);
}

static inline void fc_restore(unsigned long long was) {
    const unsigned long long control = was & 0xffffffffull, flags = was >> 32;
    __asm__ volatile("msr fpcr, %0\n\tmsr fpsr, %1" : : "r"(control), "r"(flags) : "memory");
}

static inline unsigned long long fc_flush(void) {
    const unsigned long long was = fc_floats();
    fc_restore(1ull << 24); /* FZ */
    return was;
}

#else

static inline unsigned long long fc_floats(void) { return 0; }
static inline unsigned long long fc_flush(void) { return 0; }
static inline void fc_restore(unsigned long long was) { (void)was; }

#endif
#endif
