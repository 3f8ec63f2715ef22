#include "report/assessment_parts.h"

#include "assess/errors.h"
#include "report/errors_parts.h"

#include <math.h>
#include <stdlib.h>

#define TREE_DEPTH 3u
#define TREE_LEAF 20u
#define MAP_BINS 8u

/* The two features that tell most of the mistakes. */
static struct status
put_map(const struct errors_columns *columns, const struct errors_feature *features,
        const double *loss, json_t *errors)
{
    DEFER(memory_freep) uint32_t *order = calloc((size_t)columns->count + 1, sizeof *order);
    DEFER(memory_freep) struct errors_mutual *m = calloc((size_t)columns->count + 1, sizeof *m);
    CHECK(order != NULL && m != NULL, MEMORY);
    if (columns->count < 2) {
        return OK;
    }
    TRY(errors_mutual_of(features, columns->count, loss, columns->rows, m));
    errors_mutual_order(m, columns->count, order);
    return errors_put_map(columns, order[0], order[1], loss, MAP_BINS, ERRORS_EQUAL_COUNT, errors);
}

struct status
assessment_put_errors(const struct assessment_input *in, const uint8_t *decision, json_t *d)
{
    const uint32_t width = in->forest->features;
    const struct errors_tree_options options = {TREE_DEPTH, ERRORS_MAX_NODES, TREE_LEAF};
    DEFER(memory_freep)
    struct errors_feature *features = calloc((size_t)width + 1, sizeof *features);
    DEFER(memory_freep) double *loss = calloc(in->rows + 1, sizeof *loss);
    DEFER(memory_freep) struct errors_tree *t = calloc(1, sizeof *t);
    DEFER(errors_columns_done) struct errors_columns columns = {0};
    CHECK(features != NULL && loss != NULL && t != NULL, MEMORY);
    TRY(errors_columns_of(in->features, width, in->rows, &columns));
    for (uint32_t i = 0; i < width; i++) {
        features[i] = (struct errors_feature){in->features[i].value, in->features[i].level_count};
    }
    for (size_t i = 0; i < in->rows; i++) {
        loss[i] = decision[i] != in->y[i];
    }
    json_t *o = json_object();
    TRY(js_set(d, "errors", o));
    TRY(js_set(o, "max_depth", json_integer(TREE_DEPTH)));
    TRY(js_set(o, "min_rows", json_integer(TREE_LEAF)));
    TRY(errors_tree_grow(features, width, loss, in->rows, &options, t));
    TRY(errors_put_tree(&columns, t, o));
    return put_map(&columns, features, loss, o);
}
