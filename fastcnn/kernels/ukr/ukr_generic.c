/* kernels.ukr.ukr_generic: 128-bit vectors that every target has (SSE2, NEON). */
#include <string.h>

#include "ukr.h"

#define FC_LEVEL generic
#define FC_VBYTES 16
#if defined(__aarch64__)
#define FC_MR 14 /* 28 of 32 registers accumulate */
#else
#define FC_MR 6 /* 12 of 16 registers accumulate */
#endif
#define FC_STRING_(x) #x
#define FC_STRING(x) FC_STRING_(x)

#define FC_REAL float
#define FC_INT int32_t
#define FC_BITS 32
#include "body.h"
#undef FC_REAL
#undef FC_INT
#undef FC_BITS

#define FC_REAL double
#define FC_INT int64_t
#define FC_BITS 64
#include "body.h"
#undef FC_REAL
#undef FC_INT
#undef FC_BITS
