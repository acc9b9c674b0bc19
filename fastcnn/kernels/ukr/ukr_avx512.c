/* kernels.ukr.ukr_avx512: x86-64-v4: 512-bit vectors. */
#include <string.h>

#include "ukr.h"

#if defined(__x86_64__)
#include <immintrin.h>

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,bmi,bmi2"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,bmi,bmi2")
#endif

#define FC_LEVEL avx512
#define FC_VBYTES 64
#define FC_MR 14 /* 28 of 32 registers accumulate */
#define FC_MASKED 1
#define FC_MASK_LOAD_32(p, n) _mm512_maskz_loadu_ps((__mmask16)((1u << (n)) - 1), p)
#define FC_MASK_LOAD_64(p, n) _mm512_maskz_loadu_pd((__mmask8)((1u << (n)) - 1), p)
#define FC_MASK_STORE_32(p, v, n) _mm512_mask_storeu_ps(p, (__mmask16)((1u << (n)) - 1), (__m512)(v))
#define FC_MASK_STORE_64(p, v, n) _mm512_mask_storeu_pd(p, (__mmask8)((1u << (n)) - 1), (__m512d)(v))
#define FC_STREAMED 1
#define FC_STREAM_32(p, v) _mm512_stream_ps(p, (__m512)(v))
#define FC_STREAM_64(p, v) _mm512_stream_pd(p, (__m512d)(v))
#define FC_SHUFFLE(y, x, order) \
    _mm_storeu_si128((void *)(y), _mm_shuffle_epi8(_mm_loadu_si128((const void *)(x)), _mm_loadu_si128((const void *)(order))))
#define FC_BYTES_32(p) _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128((const void *)(p))))
#define FC_BYTES_64(p) _mm512_cvtepi32_pd(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const void *)(p))))
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
