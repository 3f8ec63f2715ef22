/* Bytes as a linear model: loads or is refused with a sentence; what loads has sound numbers, and
 * predicts a row alone as among others. */
#include "model/linear.h"

#include <math.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ROWS 3u

static void
need(bool condition)
{
    if (!condition) {
        abort();
    }
}

static void
predict(const struct linear *m, const uint8_t *data, size_t size)
{
    const size_t width = m->features, outputs = m->outputs;
    float *x = calloc(ROWS * width, sizeof *x);
    double *all = calloc(ROWS * outputs, sizeof *all), *one = calloc(outputs, sizeof *one);
    need(x != NULL && all != NULL && one != NULL);
    for (size_t i = 0; i < ROWS * width; i++) {
        const uint8_t b = data[(i * 7 + 3) % size];
        x[i] = b % 5 == 0 ? NAN : (float)b / 4 - 8;
    }
    linear_margin(m, x, ROWS, 1, all);
    linear_margin(m, x + width, 1, 1, one);
    for (size_t k = 0; k < outputs; k++) {
        const double a = all[outputs + k];
        need(a == one[k] || (isnan(a) && isnan(one[k])));
    }
    link_apply(m->link, 1, m->outputs, all, ROWS);
    free(x);
    free(all);
    free(one);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct diag diag = {0};
    DEFER(linear_freep) struct linear *m = NULL;
    const struct status s = linear_load(view_of(data, size), &diag, &m);
    need(status_ok(s) == (m != NULL));
    need(status_ok(s) || diag.text[0] != '\0');
    if (m != NULL) {
        for (uint32_t j = 0; j < m->features; j++) {
            need(m->feature_names[j][0] != '\0' && isfinite(m->mean[j]) && m->scale[j] != 0);
        }
        predict(m, data, size);
    }
    return 0;
}
