/* kernels.ukr.ukr_avx2: x86-64-v3: 256-bit vectors with FMA. */
#include <string.h>

#include "ukr.h"

#if defined(__x86_64__)
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma,bmi,bmi2"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma,bmi,bmi2")
#endif

#define FC_LEVEL avx2
#define FC_VBYTES 32
#define FC_MR 6 /* 12 of 16 registers accumulate */
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

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif
