/* tests.arm64.ukr_test: the portable micro-kernels against plain loops, without Python: for cross-compiled builds under an emulator.
 *
 * Prints "N passed, M failed" and returns whether any failed. Values are small integers where equality is demanded. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ukr.h"

enum { MOST = 1 << 16 };

static const fc_ukr *kernels;
static int passed, failed;
static unsigned long long state = 1;

static int draw(int low, int high) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    return low + (int)((state >> 33) % (unsigned)(high - low + 1));
}

static double get(const void *p, ptrdiff_t i) { return kernels->item == 8 ? ((const double *)p)[i] : ((const float *)p)[i]; }

static void set(void *p, ptrdiff_t i, double v) {
    if (kernels->item == 8)
        ((double *)p)[i] = v;
    else
        ((float *)p)[i] = (float)v;
}

/* An array of n small integers that ends where its memory ends, so that an emulator or a sanitizer sees a read past it. */
static void *made(ptrdiff_t n) {
    void *p = malloc((size_t)(n > 0 ? n : 1) * (size_t)kernels->item);
    for (ptrdiff_t i = 0; i < n; i++) set(p, i, draw(-4, 4));
    return p;
}

static void *copied(const void *p, ptrdiff_t n) {
    void *q = malloc((size_t)(n > 0 ? n : 1) * (size_t)kernels->item);
    memcpy(q, p, (size_t)n * (size_t)kernels->item);
    return q;
}

static void check(const char *name, int same) {
    if (same) {
        passed++;
        return;
    }
    failed++;
    printf("%s, %s, %d bits: differs (case %d)\n", name, kernels->name, (int)kernels->item * 8, passed + failed);
}

static int equal(const void *a, const void *b, ptrdiff_t n) {
    for (ptrdiff_t i = 0; i < n; i++)
        if (!(get(a, i) == get(b, i))) return 0;
    return 1;
}

static double tile_sum(const fc_tile_job *j, ptrdiff_t y, ptrdiff_t x, ptrdiff_t n, double start) {
    double sum = start;
    for (ptrdiff_t s = 0; s < j->nseg; s++)
        for (ptrdiff_t k = 0; k < j->kseg; k++)
            sum += get(j->a, y * j->a_row + x * j->lda + j->seg[s] + k * j->ka) * get(j->b, (s * j->kseg + k) * j->ldb + n);
    return sum;
}

/* The epilogue by definition; `added`: the residual. */
static double ended(const fc_epilogue *e, double sum, double added) {
    if (!e) return sum;
    if (e->adds) sum += added;
    return !e->bounds ? sum : sum < e->low ? e->low : sum > e->high ? e->high : sum;
}

/* Rows and columns of pixels with a kernel of nseg rows; what lies beside the outputs must stay as it was. */
static void test_tile(void) {
    const ptrdiff_t nr = kernels->nr, rows = draw(1, 4), cols = draw(1, 19), n = draw(1, (int)nr), gap = draw(0, 3);
    const ptrdiff_t nseg = draw(1, 3), kseg = draw(1, 20), lda = draw(1, 5), a_row = cols * lda + kseg + 3, ldc = n + gap;
    ptrdiff_t seg[3];
    for (ptrdiff_t s = 0; s < nseg; s++) seg[s] = s * a_row;
    const ptrdiff_t size_a = (rows + nseg) * a_row, size_c = rows * cols * ldc;
    void *a = made(size_a), *b = made(nseg * kseg * nr), *bias = made(nr), *c = made(size_c), *want = copied(c, size_c);
    void *added = made(size_c);
    const fc_epilogue e = {(char *)added - (char *)c, -1, 2, draw(0, 1), draw(0, 1)};
    fc_tile_job j = {.c = c, .a = a, .b = b, .seg = seg, .nseg = nseg, .kseg = kseg, .rows = rows, .cols = cols, .n = n};
    j.c_row = cols * ldc, j.ldc = ldc, j.a_row = a_row, j.lda = lda, j.ka = 1, j.ldb = nr;
    j.accumulate = draw(0, 1), j.epilogue = draw(0, 1) ? &e : NULL, j.bias = draw(0, 1) ? bias : NULL;
    for (ptrdiff_t y = 0; y < rows; y++)
        for (ptrdiff_t x = 0; x < cols; x++)
            for (ptrdiff_t i = 0; i < n; i++) {
                const ptrdiff_t at = y * j.c_row + x * ldc + i;
                const double start = j.accumulate ? get(want, at) : j.bias ? get(bias, i) : 0;
                set(want, at, ended(j.epilogue, tile_sum(&j, y, x, i, start), get(added, at)));
            }
    kernels->tile_rows(&j);
    check("tile_rows", equal(c, want, size_c));
    free(a), free(b), free(bias), free(c), free(want), free(added);
}

static void test_packing(void) {
    const ptrdiff_t nr = kernels->nr, n = draw(1, (int)nr), count = draw(1, 30), by_rows = draw(0, 1);
    const ptrdiff_t stride_k = by_rows ? n + draw(0, 3) : 1, stride_n = by_rows ? 1 : count + draw(0, 3);
    const ptrdiff_t size = (count - 1) * stride_k + (n - 1) * stride_n + 1;
    void *src = made(size), *packed = made(count * nr), *want = made(count * nr), *back = made(size), *whole = copied(back, size);
    for (ptrdiff_t k = 0; k < count; k++)
        for (ptrdiff_t i = 0; i < nr; i++) set(want, k * nr + i, i < n ? get(src, k * stride_k + i * stride_n) : 0);
    kernels->pack_run(packed, src, n, nr, count, stride_k, stride_n);
    check("pack_run", equal(packed, want, count * nr));
    for (ptrdiff_t k = 0; k < count; k++)
        for (ptrdiff_t i = 0; i < n; i++) set(whole, k * stride_k + i * stride_n, get(packed, k * nr + i));
    kernels->unpack_run(back, packed, n, nr, count, stride_k, stride_n);
    check("unpack_run", equal(back, whole, size));
    free(src), free(packed), free(want), free(back), free(whole);
}

static void test_image(void) {
    const ptrdiff_t height = draw(1, 9), width = draw(1, 9), channels = draw(1, 37), pixel = channels + draw(0, 2);
    const ptrdiff_t rows = draw(1, 7), cols = draw(1, 12), y0 = draw(-3, 8), x0 = draw(-3, 8), to = channels;
    const ptrdiff_t size = height * width * pixel;
    void *src = made(size), *got = made(rows * cols * to), *want = made(rows * cols * to);
    for (ptrdiff_t y = 0; y < rows; y++)
        for (ptrdiff_t x = 0; x < cols; x++)
            for (ptrdiff_t c = 0; c < channels; c++) {
                const int inside = y0 + y >= 0 && y0 + y < height && x0 + x >= 0 && x0 + x < width;
                set(want, (y * cols + x) * to + c, inside ? get(src, ((y0 + y) * width + x0 + x) * pixel + c) : 0);
            }
    kernels->pack_image(got, src, y0, rows, x0, cols, height, width, width * pixel, pixel, channels, to);
    check("pack_image", equal(got, want, rows * cols * to));
    free(src), free(got), free(want);
}

static void test_rows(void) {
    const ptrdiff_t n = draw(1, 70);
    void *x = made(n), *y = made(n), *want = made(n), *got = copied(y, n);
    for (ptrdiff_t i = 0; i < n; i++) set(want, i, get(y, i) + get(x, i));
    kernels->add(got, x, n);
    check("add", equal(got, want, n));
    for (ptrdiff_t i = 0; i < n; i++) set(want, i, get(x, i) < 0 ? 0 : get(x, i));
    kernels->relu(got, x, n, 0);
    check("relu", equal(got, want, n));
    for (ptrdiff_t i = 0; i < n; i++) set(want, i, get(y, i) <= 0 ? 0 : get(x, i));
    kernels->relu_mask(got, x, y, n, 0);
    check("relu_mask", equal(got, want, n));
    free(x), free(y), free(want), free(got);
}

static void test_choices(void) {
    const ptrdiff_t n = draw(1, 70), sa = draw(0, 2), sb = draw(0, 2);
    void *a = made(1 + (n - 1) * sa), *b = made(1 + (n - 1) * sb), *dz = made(n), *got = made(n);
    void *larger = made(n), *smaller = made(n), *shared = made(n), *chosen = made(n);
    uint8_t *kept = malloc((size_t)n);
    for (ptrdiff_t i = 0; i < n; i++) {
        const double p = get(a, i * sa), q = get(b, i * sb);
        kept[i] = (uint8_t)draw(0, 1);
        set(larger, i, p > q ? p : q);
        set(smaller, i, p < q ? p : q);
        set(shared, i, p < q ? 0 : p == q ? get(dz, i) / 2 : get(dz, i));
        set(chosen, i, kept[i] ? p : q);
    }
    kernels->binary_row(FC_MAXIMUM, got, 1, a, sa, b, sb, n);
    check("maximum", equal(got, larger, n));
    kernels->binary_row(FC_MINIMUM, got, 1, a, sa, b, sb, n);
    check("minimum", equal(got, smaller, n));
    kernels->share_row(got, dz, a, sa, b, sb, n);
    check("share_row", equal(got, shared, n));
    kernels->where_row(got, kept, a, sa, b, sb, n);
    check("where_row", equal(got, chosen, n));
    free(a), free(b), free(dz), free(got), free(larger), free(smaller), free(shared), free(chosen), free(kept);
}

static void test_matrices(void) {
    const ptrdiff_t rows = draw(1, 40), cols = draw(1, 40), lds = cols, ldd = rows;
    void *x = made(rows * cols), *got = made(rows * cols), *want = made(rows * cols), *scratch = made(3 * cols);
    double *sums = malloc((size_t)cols * sizeof(double)), *squares = malloc((size_t)cols * sizeof(double));
    int same = 1;
    for (ptrdiff_t r = 0; r < rows; r++)
        for (ptrdiff_t c = 0; c < cols; c++) set(want, c * ldd + r, get(x, r * lds + c));
    kernels->transpose(got, ldd, x, lds, rows, cols);
    check("transpose", equal(got, want, rows * cols));
    kernels->column_sums(sums, scratch, x, rows, cols, lds);
    for (ptrdiff_t c = 0; c < cols; c++) {
        double sum = 0;
        for (ptrdiff_t r = 0; r < rows; r++) sum += get(x, r * lds + c);
        same &= sum == sums[c];
    }
    check("column_sums", same);
    kernels->moments(sums, squares, scratch, x, rows, cols, lds);
    same = 1;
    for (ptrdiff_t c = 0; c < cols; c++) {
        double sum = 0, square = 0;
        for (ptrdiff_t r = 0; r < rows; r++) sum += get(x, r * lds + c);
        for (ptrdiff_t r = 0; r < rows; r++) square += pow(get(x, r * lds + c) - sum / (double)rows, 2);
        same &= fabs(sums[c] - sum / (double)rows) < 1e-5 && fabs(squares[c] - square) < 1e-4 * (1 + square);
    }
    check("moments", same);
    free(x), free(got), free(want), free(scratch), free(sums), free(squares);
}

static void test_softmax(void) {
    const ptrdiff_t n = draw(1, 40), target = draw(0, (int)n - 1);
    void *x = made(n), *p = made(n);
    double total = 0;
    for (ptrdiff_t i = 0; i < n; i++) total += exp(get(x, i));
    const double loss = kernels->cross_entropy_row(p, x, n, target, 0.0), want = log(total) - get(x, target);
    int same = fabs(loss - want) < 1e-5 * (1 + want);
    for (ptrdiff_t i = 0; i < n; i++) same &= fabs(get(p, i) - exp(get(x, i)) / total) < 1e-6;
    check("cross_entropy_row", same);
    free(x), free(p);
}

int main(int count, char **arguments) {
    const int rounds = count > 1 ? atoi(arguments[1]) : 300;
    for (int item = 4; item <= 8; item += 4) {
        kernels = fc_ukr_table(0, item);
        for (int i = 0; i < rounds; i++) {
            test_tile();
            test_packing();
            test_image();
            test_rows();
            test_choices();
            test_matrices();
            test_softmax();
        }
    }
    printf("%d passed, %d failed\n", passed, failed);
    return failed > 0 || passed == 0;
}
