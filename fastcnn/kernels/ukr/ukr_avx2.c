/* kernels.ukr.ukr_avx2: x86-64-v3: 256-bit vectors with FMA. */
#include <string.h>

#include "ukr.h"

#if defined(__x86_64__)
#include <immintrin.h>

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma,bmi,bmi2"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma,bmi,bmi2")
#endif

#define FC_LEVEL avx2
#define FC_VBYTES 32
#define FC_MR 6 /* 12 of 16 registers accumulate */
#define FC_MASKED 1
#define FC_LANES_32(n) _mm256_cmpgt_epi32(_mm256_set1_epi32((int)(n)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7))
#define FC_LANES_64(n) _mm256_cmpgt_epi64(_mm256_set1_epi64x(n), _mm256_setr_epi64x(0, 1, 2, 3))
#define FC_MASK_LOAD_32(p, n) _mm256_maskload_ps(p, FC_LANES_32(n))
#define FC_MASK_LOAD_64(p, n) _mm256_maskload_pd(p, FC_LANES_64(n))
#define FC_MASK_STORE_32(p, v, n) _mm256_maskstore_ps(p, FC_LANES_32(n), (__m256)(v))
#define FC_MASK_STORE_64(p, v, n) _mm256_maskstore_pd(p, FC_LANES_64(n), (__m256d)(v))
#define FC_STREAMED 1
#define FC_STREAM_32(p, v) _mm256_stream_ps(p, (__m256)(v))
#define FC_STREAM_64(p, v) _mm256_stream_pd(p, (__m256d)(v))
#define FC_SHUFFLE(y, x, order) \
    _mm_storeu_si128((void *)(y), _mm_shuffle_epi8(_mm_loadu_si128((const void *)(x)), _mm_loadu_si128((const void *)(order))))
#define FC_BYTES_32(p) _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const void *)(p))))
#define FC_BYTES_64(p) _mm256_cvtepi32_pd(_mm_cvtepu8_epi32(_mm_loadu_si32(p)))
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
