#include "serve/contributions.h"

#include "base/json.h"
#include "base/text.h"

#include <math.h>

bool
contributions_possible(const struct model *m)
{
    return attribution_needs_no_background(m->file);
}

struct status
contributions_new(const struct model *m, struct attribution **ret_attribution)
{
    const struct attribution_options o = {
        .precision = EXPLAIN_RECORD, .expected_rows = 1, .threads = 1};
    return attribution_new(m->file, &o, ret_attribution);
}

static uint32_t
count_masked(const struct model *m, const bool *visible)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < m->features.count; i++) {
        n += !visible[i];
    }
    return n;
}

/* A row that has no margin (a linear model, a value missing that it has none for) has none. */
static void
put_number(struct buf *b, double v)
{
    if (isnan(v)) {
        buf_put_str(b, "null");
    } else {
        js_put_f64(b, v == 0 ? 0 : v); /* no "-0" */
    }
}

/* One row and output: the features that are seen, then the sum of the others. */
static void
put_line(const struct model *m, const bool *visible, bool masks, const double *phi, struct buf *b)
{
    double sum = 0;
    bool first = true;
    for (uint32_t i = 0; i < m->features.count; i++) {
        if (visible[i]) {
            buf_put_str(b, first ? "" : ",");
            put_number(b, phi[i]);
            first = false;
        } else {
            sum += phi[i];
        }
    }
    if (masks) {
        buf_put_str(b, first ? "" : ",");
        put_number(b, sum);
    }
}

static void
put_matrix(const struct model *m, const struct attribution *a, size_t rows, const bool *visible,
           const double *phi, struct buf *b)
{
    const uint32_t outputs = m->file->outputs, features = m->features.count,
                   masked = count_masked(m, visible);
    buf_put_str(b, "{\"name\":\"contributions\",\"datatype\":\"FP64\",\"shape\":[");
    text_put_u64(b, rows);
    if (outputs > 1) {
        buf_put_str(b, ",");
        text_put_u64(b, outputs);
    }
    buf_printf(b, ",%u],\"parameters\":{\"method\":\"%s\",\"of\":\"%s\",\"masked\":%u},\"data\":[",
               features - masked + (masked > 0), attribution_method(a),
               m->file->link == FOREST_LOGISTIC ? "log odds" : "margin", masked);
    for (size_t i = 0; i < rows * outputs; i++) {
        buf_put_str(b, i == 0 ? "" : ",");
        put_line(m, visible, masked > 0, phi + i * features, b);
    }
    buf_put_str(b, "]}");
}

static void
put_base(const struct model *m, const double *expected, struct buf *b)
{
    buf_put_str(b, ",{\"name\":\"contributions.base\",\"datatype\":\"FP64\",\"shape\":[");
    text_put_u64(b, m->file->outputs);
    buf_put_str(b, "],\"data\":[");
    for (uint32_t i = 0; i < m->file->outputs; i++) {
        buf_put_str(b, i == 0 ? "" : ",");
        put_number(b, expected[i]);
    }
    buf_put_str(b, "]}");
}

static void
put_names(const struct model *m, const bool *visible, struct buf *b)
{
    const uint32_t masked = count_masked(m, visible);
    bool first = true;
    buf_printf(b, ",{\"name\":\"contributions.features\",\"datatype\":\"BYTES\",\"shape\":[%u],",
               m->features.count - masked + (masked > 0));
    buf_put_str(b, "\"data\":[");
    for (uint32_t i = 0; i < m->features.count; i++) {
        if (visible[i]) {
            buf_put_str(b, first ? "" : ",");
            js_put_string(b, view_str(m->features.items[i].name));
            first = false;
        }
    }
    buf_put_str(b, masked == 0 ? "]}" : first ? "\"masked\"]}" : ",\"masked\"]}");
}

struct status
contributions_put(const struct model *m, const struct attribution *a, const struct infer_request *q,
                  const bool *visible, struct arena *arena, struct buf *ret_json)
{
    const uint32_t outputs = m->file->outputs;
    double *phi = NULL, *expected = NULL;
    size_t cells = 0;
    CHECK(!__builtin_mul_overflow(q->rows * outputs, (size_t)m->features.count, &cells), LIMIT);
    phi = arena_alloc(arena, cells, sizeof *phi);
    expected = arena_alloc(arena, outputs, sizeof *expected);
    CHECK(phi != NULL && expected != NULL, LIMIT);
    TRY(attribution_rows(a, q->x, q->rows, 1, phi, NULL));
    attribution_expected(a, expected);
    put_matrix(m, a, q->rows, visible, phi, ret_json);
    put_base(m, expected, ret_json);
    put_names(m, visible, ret_json);
    return buf_status(ret_json);
}
