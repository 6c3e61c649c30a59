/* The GRU's loops over time, forwards and backwards: what cohort/modules/native_gru.py calls.

   Rows are independent of each other in time, so a block of them goes through all steps while what a step makes, and
   a part of the weights, stay in the processor's first cache: products, gates and memories are one pass over the
   rows, and so are all derivatives. Weights stand in torch's order r, z, n along their first dimension, 3 H long.

   Vectors are those of GCC and Clang, so that the file is the same for every processor. A row's numbers do not
   depend on which rows stand beside it. Compiled with -DDOUBLE it computes in doubles, for tests. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifdef __AVX512F__
#define VECTOR_BYTES 64
#else
#define VECTOR_BYTES 32
#endif

#ifdef DOUBLE
#include <math.h>
typedef double real;
#else
typedef float real;
#endif

typedef real vec __attribute__((vector_size(VECTOR_BYTES), may_alias));
typedef real unaligned __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(real)), may_alias));

#define INLINE static inline __attribute__((always_inline))
#define LANES ((int64_t)(VECTOR_BYTES / sizeof(real)))
#define COLUMNS (2 * LANES) /* of one packed panel of weights */
#define ROWS 6              /* of one product in registers: 12 sums, and what they need */
#define BLOCK 24            /* rows that go through time together */

INLINE int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

INLINE int64_t padded(int64_t size) { return (size + COLUMNS - 1) / COLUMNS * COLUMNS; }

INLINE vec all(real value) { return value - (vec){0}; }

/* Of `count` numbers from `from` on as many as a vector holds, zeros behind them. */
INLINE vec load(const real *from, int64_t count) {
    if (count >= LANES) return *(const unaligned *)from;
    vec values = {0};
    memcpy(&values, from, count * sizeof(real));
    return values;
}

INLINE void store(real *into, vec values, int64_t count) {
    if (count >= LANES) *(unaligned *)into = values;
    else memcpy(into, &values, count * sizeof(real));
}

#ifdef DOUBLE
INLINE vec exponential(vec x) {
    for (int i = 0; i < LANES; i++) x[i] = exp(x[i]);
    return x;
}
#else
typedef int32_t ivec __attribute__((vector_size(VECTOR_BYTES)));

INLINE vec chosen(ivec where, vec yes, vec no) { return (vec)((where & (ivec)yes) | (~where & (ivec)no)); }

/* e^x to about one unit in the last place (the Cephes library's polynomial); what is not a number stays so. */
INLINE vec exponential(vec x) {
    x = chosen(x > all(88.0f), all(88.0f), x);
    x = chosen(x < all(-87.0f), all(-87.0f), x);
    const vec shift = all(12582912.0f); /* 1.5 * 2^23: adding it rounds */
    vec n = (x * 1.44269504088896341f + shift) - shift;
    x = x - n * 0.693359375f;
    x = x + n * 2.12194440e-4f;
    vec p = x * 1.9875691500e-4f + 1.3981999507e-3f;
    p = p * x + 8.3334519073e-3f;
    p = p * x + 4.1665795894e-2f;
    p = p * x + 1.6666665459e-1f;
    p = p * x + 5.0000001201e-1f;
    p = p * x * x + x + 1.0f;
    ivec power = (__builtin_convertvector(n, ivec) + 127) << 23;
    return p * (vec)power;
}
#endif

INLINE vec sigmoid(vec x) { return 1 / (1 + exponential(-x)); }

/* tanh(x); its absolute error is what counts here */
INLINE vec hyperbolic_tangent(vec x) { return 2 * sigmoid(2 * x) - 1; }

/* out[rows, COLUMNS] (+)= a[rows, depth] panel[depth, COLUMNS], for at most ROWS rows. */
INLINE void product_of(int rows, int64_t depth, const real *a, int64_t a_row, const real *panel, real *out,
                       int64_t out_row, int add) {
    vec left[ROWS], right[ROWS];
#pragma GCC unroll 6
    for (int i = 0; i < rows; i++) {
        left[i] = add ? *(vec *)(out + i * out_row) : (vec){0};
        right[i] = add ? *(vec *)(out + i * out_row + LANES) : (vec){0};
    }
    for (int64_t k = 0; k < depth; k++) {
        vec first = *(const vec *)(panel + k * COLUMNS), second = *(const vec *)(panel + k * COLUMNS + LANES);
#pragma GCC unroll 6
        for (int i = 0; i < rows; i++) {
            vec value = all(a[i * a_row + k]);
            left[i] += value * first;
            right[i] += value * second;
        }
    }
#pragma GCC unroll 6
    for (int i = 0; i < rows; i++) {
        *(vec *)(out + i * out_row) = left[i];
        *(vec *)(out + i * out_row + LANES) = right[i];
    }
}

/* out[rows, columns] (+)= a[rows, depth] b, with b packed in panels. */
static void product(int64_t rows, int64_t depth, int64_t columns, const real *a, int64_t a_row,
                    const real *panels, real *out, int64_t out_row, int add) {
    for (int64_t c = 0; c < columns; c += COLUMNS, panels += depth * COLUMNS) {
        for (int64_t i = 0; i < rows; i += ROWS) {
            const real *from = a + i * a_row;
            real *into = out + i * out_row + c;
            switch (smaller(ROWS, rows - i)) {
            case 6: product_of(6, depth, from, a_row, panels, into, out_row, add); break;
            case 5: product_of(5, depth, from, a_row, panels, into, out_row, add); break;
            case 4: product_of(4, depth, from, a_row, panels, into, out_row, add); break;
            case 3: product_of(3, depth, from, a_row, panels, into, out_row, add); break;
            case 2: product_of(2, depth, from, a_row, panels, into, out_row, add); break;
            default: product_of(1, depth, from, a_row, panels, into, out_row, add);
            }
        }
    }
}

/* sums[units, COLUMNS] += a^T b over `depth` rows, for at most ROWS units; each call's part is summed by itself. */
INLINE void gathered_of(int units, int64_t depth, const real *a, int64_t a_row, const real *b, int64_t b_row,
                        real *sums, int64_t sums_row) {
    vec left[ROWS], right[ROWS];
#pragma GCC unroll 6
    for (int i = 0; i < units; i++) left[i] = right[i] = (vec){0};
    for (int64_t k = 0; k < depth; k++) {
        vec first = *(const vec *)(b + k * b_row), second = *(const vec *)(b + k * b_row + LANES);
#pragma GCC unroll 6
        for (int i = 0; i < units; i++) {
            vec value = all(a[k * a_row + i]);
            left[i] += value * first;
            right[i] += value * second;
        }
    }
#pragma GCC unroll 6
    for (int i = 0; i < units; i++) {
        *(vec *)(sums + i * sums_row) += left[i];
        *(vec *)(sums + i * sums_row + LANES) += right[i];
    }
}

/* sums[units, columns] += a[depth, units]^T b[depth, columns]. */
static void gather(int64_t units, int64_t depth, int64_t columns, const real *a, int64_t a_row, const real *b,
                   real *sums) {
    for (int64_t i = 0; i < units; i += ROWS) {
        for (int64_t c = 0; c < columns; c += COLUMNS) {
            real *into = sums + i * columns + c;
            switch (smaller(ROWS, units - i)) {
            case 6: gathered_of(6, depth, a + i, a_row, b + c, columns, into, columns); break;
            case 5: gathered_of(5, depth, a + i, a_row, b + c, columns, into, columns); break;
            case 4: gathered_of(4, depth, a + i, a_row, b + c, columns, into, columns); break;
            case 3: gathered_of(3, depth, a + i, a_row, b + c, columns, into, columns); break;
            case 2: gathered_of(2, depth, a + i, a_row, b + c, columns, into, columns); break;
            default: gathered_of(1, depth, a + i, a_row, b + c, columns, into, columns);
            }
        }
    }
}

/* Zeros, for so many arrays of so many numbers each, one behind the other; NULL where there is no memory. */
static real *room(int count, const int64_t *numbers, real **parts) {
    int64_t total = 0;
    for (int i = 0; i < count; i++) total += (numbers[i] + LANES - 1) / LANES * LANES;
    real *begin = aligned_alloc(VECTOR_BYTES, (total + LANES) * sizeof(real));
    if (!begin) return NULL;
    memset(begin, 0, total * sizeof(real));
    int64_t place = 0;
    for (int i = 0; i < count; i++) {
        parts[i] = begin + place;
        place += (numbers[i] + LANES - 1) / LANES * LANES;
    }
    return begin;
}

/* Transposed weights in panels: [3H, depth] -> panels of [depth, COLUMNS], each gate's units padded to `wide`. */
static void pack_transposed(int64_t size, int64_t wide, int64_t depth, const real *weights, real *panels) {
    for (int64_t gate = 0; gate < 3; gate++)
        for (int64_t unit = 0; unit < size; unit++) {
            const int64_t c = gate * wide + unit;
            real *into = panels + c / COLUMNS * COLUMNS * depth + c % COLUMNS;
            const real *from = weights + (gate * size + unit) * depth;
            for (int64_t k = 0; k < depth; k++) into[k * COLUMNS] = from[k];
        }
}

/* One row of weights in panels of `depth` rows. */
static void pack_row(int64_t row, int64_t depth, int64_t columns, const real *weights, real *panels) {
    for (int64_t c = 0; c < columns; c++)
        panels[c / COLUMNS * COLUMNS * depth + row * COLUMNS + c % COLUMNS] = weights[c];
}

static void copy_rows(int64_t rows, int64_t columns, const real *from, int64_t from_row, real *into,
                      int64_t into_row) {
    for (int64_t i = 0; i < rows; i++) memcpy(into + i * into_row, from + i * from_row, columns * sizeof(real));
}

/* The memories after every step: [R, H], step t's `sizes[t]` rows behind those of step t - 1. 0, or -1 without memory.

   inputs: [R, I]; w_input: [3H, I]; w_memory: [3H, H]; b_input, b_memory: [3H].
   gates: [R, 3H], gets r, z and n; gated: [R, H], gets W_n h + b; both NULL where nobody looks back. */
int gru_forward(int64_t steps, const int64_t *sizes, int64_t size, int64_t width, const real *inputs,
                const real *w_input, const real *w_memory, const real *b_input, const real *b_memory,
                real *memories, real *gates, real *gated) {
    const int64_t wide = padded(size), columns = 4 * wide; /* what enters r, z, n by the inputs, n by the memory */
    enum { INPUT_PANELS, MEMORY_PANELS, MEMORY, MADE, BIAS, PARTS };
    real *part[PARTS];
    real *begin = room(PARTS, (int64_t[]){3 * wide * width, 3 * wide * size, BLOCK * wide, BLOCK * columns, columns}, part);
    if (!begin) return -1;
    real *memory = part[MEMORY], *made = part[MADE], *bias = part[BIAS];
    const real *of_n = part[MEMORY_PANELS] + 2 * wide * size;
    pack_transposed(size, wide, width, w_input, part[INPUT_PANELS]);
    pack_transposed(size, wide, size, w_memory, part[MEMORY_PANELS]);
    for (int64_t j = 0; j < size; j++) {
        bias[j] = b_input[j] + b_memory[j];
        bias[wide + j] = b_input[size + j] + b_memory[size + j];
        bias[2 * wide + j] = b_input[2 * size + j];
        bias[3 * wide + j] = b_memory[2 * size + j];
    }
    for (int64_t first = 0; steps && first < sizes[0]; first += BLOCK) {
        memset(memory, 0, BLOCK * wide * sizeof(real));
        int64_t place = first; /* of the block's first row */
        for (int64_t t = 0; t < steps && sizes[t] > first; place += sizes[t++]) {
            const int64_t rows = smaller(BLOCK, sizes[t] - first);
            product(rows, width, 3 * wide, inputs + place * width, width, part[INPUT_PANELS], made, columns, 0);
            product(rows, size, 2 * wide, memory, wide, part[MEMORY_PANELS], made, columns, 1);
            product(rows, size, wide, memory, wide, of_n, made + 3 * wide, columns, 0);
            for (int64_t i = 0; i < rows; i++) {
                real *row = memory + i * wide;
                const real *entering = made + i * columns;
                const int64_t at = (place + i) * size;
                for (int64_t j = 0; j < size; j += LANES) {
                    const int64_t count = size - j;
#define ENTERING(gate) (*(const vec *)(entering + gate * wide + j) + *(const vec *)(bias + gate * wide + j))
                    vec reset = sigmoid(ENTERING(0)), update = sigmoid(ENTERING(1)), kept = ENTERING(3);
                    vec candidate = hyperbolic_tangent(ENTERING(2) + reset * kept);
#undef ENTERING
                    vec earlier = *(vec *)(row + j), after = candidate + update * (earlier - candidate);
                    if (gates) {
                        store(gates + 3 * at + j, reset, count);
                        store(gates + 3 * at + size + j, update, count);
                        store(gates + 3 * at + 2 * size + j, candidate, count);
                        store(gated + at + j, kept, count);
                    }
                    store(row + j, after, count);
                    store(memories + at + j, after, count);
                }
            }
        }
    }
    free(begin);
    return 0;
}

/* All derivatives; `grad`, [R, H], is that by the memories after every step. 0, or -1 without memory.

   by_inputs: [R, I], NULL where nobody asks; by_w_input: [3H, I]; by_w_memory: [3H, H]; by_b_input, by_b_memory: [3H].
   A step's deltas are those of what enters W_n h + b, r, z and n, in this order: the first three belong to the memory,
   the last three to the inputs. */
int gru_backward(int64_t steps, const int64_t *sizes, int64_t size, int64_t width, const real *inputs,
                 const real *w_input, const real *w_memory, const real *memories, const real *gates,
                 const real *gated, const real *grad, real *by_inputs, real *by_w_input, real *by_w_memory,
                 real *by_b_input, real *by_b_memory) {
    const int64_t wide = padded(size), input_wide = padded(width), depth = 3 * size, delta_row = 4 * size;
    enum { INPUT_PANELS, MEMORY_PANELS, TOTALS, BEFORE, READ, DELTAS, INPUT_SUMS, MEMORY_SUMS, SUMS, ALL_SUMS, PARTS };
    real *part[PARTS];
    real *begin = room(PARTS, (int64_t[]){depth * input_wide, depth * wide, BLOCK * wide, BLOCK * wide,
                                          BLOCK * input_wide, BLOCK * delta_row, depth * input_wide, depth * wide,
                                          4 * wide, 4 * wide}, part);
    if (!begin) return -1;
    real *totals = part[TOTALS], *before = part[BEFORE], *read = part[READ], *deltas = part[DELTAS];
    for (int64_t k = 0; k < depth; k++) {
        pack_row(k, depth, width, w_input + k * width, part[INPUT_PANELS]);
        pack_row((k + size) % depth, depth, size, w_memory + k * size, part[MEMORY_PANELS]); /* n first */
    }
    int64_t all_rows = 0;
    for (int64_t t = 0; t < steps; t++) all_rows += sizes[t];
    for (int64_t first = 0; steps && first < sizes[0]; first += BLOCK) {
        memset(totals, 0, BLOCK * wide * sizeof(real));
        memset(part[SUMS], 0, 4 * wide * sizeof(real));
        int64_t step_begins = all_rows;
        for (int64_t t = steps - 1; t >= 0; t--) {
            step_begins -= sizes[t];
            if (sizes[t] <= first) continue;
            const int64_t rows = smaller(BLOCK, sizes[t] - first), place = step_begins + first;
            if (t) copy_rows(rows, size, memories + (place - sizes[t - 1]) * size, size, before, wide);
            else memset(before, 0, BLOCK * wide * sizeof(real));
            copy_rows(rows, width, inputs + place * width, width, read, input_wide);
            for (int64_t i = 0; i < rows; i++) {
                const int64_t at = (place + i) * size;
                const real *gate = gates + 3 * at;
                real *delta = deltas + i * delta_row, *row = totals + i * wide, *sums = part[SUMS];
                for (int64_t j = 0; j < size; j += LANES) {
                    const int64_t count = size - j;
                    vec total = *(vec *)(row + j) + load(grad + at + j, count);
                    vec reset = load(gate + j, count), update = load(gate + size + j, count);
                    vec candidate = load(gate + 2 * size + j, count), keep = 1 - update;
                    vec by_new = total * keep * (1 - candidate * candidate), by_gated = by_new * reset;
                    vec by_reset = by_gated * load(gated + at + j, count) * (1 - reset);
                    vec by_update = total * (*(vec *)(before + i * wide + j) - candidate) * update * keep;
                    store(delta + j, by_gated, count);
                    store(delta + size + j, by_reset, count);
                    store(delta + 2 * size + j, by_update, count);
                    store(delta + 3 * size + j, by_new, count);
                    *(vec *)(sums + j) += by_gated;
                    *(vec *)(sums + wide + j) += by_reset;
                    *(vec *)(sums + 2 * wide + j) += by_update;
                    *(vec *)(sums + 3 * wide + j) += by_new;
                    *(vec *)(row + j) = total * update;
                }
            }
            gather(depth, rows, input_wide, deltas + size, delta_row, read, part[INPUT_SUMS]);
            if (by_inputs) {
                product(rows, depth, input_wide, deltas + size, delta_row, part[INPUT_PANELS], read, input_wide, 0);
                copy_rows(rows, width, read, input_wide, by_inputs + place * width, width);
            }
            if (t) {
                gather(depth, rows, wide, deltas, delta_row, before, part[MEMORY_SUMS]);
                product(rows, depth, wide, deltas, delta_row, part[MEMORY_PANELS], totals, wide, 1);
            }
        }
        for (int64_t k = 0; k < 4 * wide; k++) part[ALL_SUMS][k] += part[SUMS][k];
    }
    copy_rows(depth, width, part[INPUT_SUMS], input_wide, by_w_input, width);
    copy_rows(2 * size, size, part[MEMORY_SUMS] + size * wide, wide, by_w_memory, size);
    copy_rows(size, size, part[MEMORY_SUMS], wide, by_w_memory + 2 * size * size, size);
    copy_rows(3, size, part[ALL_SUMS] + wide, wide, by_b_input, size);
    copy_rows(2, size, part[ALL_SUMS] + wide, wide, by_b_memory, size);
    copy_rows(1, size, part[ALL_SUMS], wide, by_b_memory + 2 * size, size);
    free(begin);
    return 0;
}
