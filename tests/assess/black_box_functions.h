/* black_box_functions: the functions that stand for a model in the tests of black boxes, as in
 * data/make_black_box.py. */
#ifndef STEWARD_TESTS_ASSESS_BLACK_BOX_FUNCTIONS_H
#define STEWARD_TESTS_ASSESS_BLACK_BOX_FUNCTIONS_H

#include "testing/testing.h"

#include "assess/black_box.h"
#include "base/file.h"

#include <math.h>
#include <stdatomic.h>

static inline double
wavy(const double *x)
{
    return x[0] * x[1] + sin(x[2]) + x[3] * x[3] * x[4] - 0.5 * x[0];
}

static inline double
logistic(const double *x)
{
    return 1 / (1 + exp(-(x[0] - x[1] + x[2] * x[3])));
}

static inline double
many(const double *x)
{
    double v = x[1] * x[5] * x[9] + (x[12] > x[13] ? 2 : 0) + x[3];
    for (int i = 0; i < 12; i += 2) {
        v += x[i] * x[i + 1];
    }
    return v;
}

/* ctx of the box is one of these. */
struct functions {
    double (*of[3])(const double *x);
    size_t features, outputs;
    _Atomic size_t calls, rows;
};

static inline struct status
functions_predict(void *ctx, const double *x, size_t rows, struct diag *diag, double *ret_score)
{
    (void)diag;
    struct functions *f = ctx;
    f->calls++;
    f->rows += rows;
    for (size_t i = 0; i < rows; i++) {
        for (size_t o = 0; o < f->outputs; o++) {
            ret_score[i * f->outputs + o] = f->of[o](x + i * f->features);
        }
    }
    return OK;
}

static inline struct black_box
box_of(struct functions *f, size_t batch)
{
    return (struct black_box){functions_predict, f, f->features, f->outputs, batch};
}

/* Numbers of a json array of numbers or of arrays of them, row-major, on malloc. */
static inline size_t
count_numbers(const json_t *value)
{
    if (!json_is_array(value)) {
        return 1;
    }
    size_t n = 0;
    for (size_t i = 0; i < json_array_size(value); i++) {
        n += count_numbers(json_array_get(value, i));
    }
    return n;
}

static inline double *
put_numbers(const json_t *value, double *at)
{
    if (!json_is_array(value)) {
        assert_true(json_is_number(value));
        *at = json_number_value(value);
        return at + 1;
    }
    for (size_t i = 0; i < json_array_size(value); i++) {
        at = put_numbers(json_array_get(value, i), at);
    }
    return at;
}

static inline double *
numbers_of(const json_t *o, const char *key, size_t expected)
{
    const json_t *value = json_object_get(o, key);
    assert_non_null(value);
    assert_int_equal(count_numbers(value), expected);
    double *numbers = calloc(expected, sizeof *numbers);
    assert_non_null(numbers);
    (void)put_numbers(value, numbers);
    return numbers;
}

static inline json_t *
black_box_vectors(void)
{
    DEFER(file_freep) char *path = testing_source("tests/assess/data/black_box.json");
    return testing_read_json(path);
}

#endif
