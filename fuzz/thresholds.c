/* Thresholds or chances by group as a bundle's manifest has them: refused with a sentence, or rules
 * that decide each row of each level with a chance in [0,1] that does not fall, and are written as
 * they were read. */
#include "workspace/thresholds.h"

#include <math.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_decisions(const struct thresholds *t)
{
    static const double p[] = {0, 0.25, 0.5, 0.75, 1};
    static const float x[] = {1.5f, NAN, -0.0f};
    for (uint32_t k = 0; k < t->by.items[0].level_count; k++) {
        double before = 0;
        for (size_t i = 0; i < sizeof p / sizeof *p; i++) {
            const struct decision d = thresholds_decide(t, k, x, 3, p[i]);
            ASSERT(d.chance >= before && d.chance <= 1 &&
                   d.drawn == (d.chance > 0 && d.chance < 1));
            ASSERT(d.drawn ? t->drawn != NULL : d.positive == (d.chance > 0));
            before = d.chance;
        }
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char name[] = "x";
    static struct feature x = {name, COLUMN_FLOAT, NULL, 0};
    static const struct feature_list read = {&x, 1};
    struct diag diag = {0};
    double otherwise = 0, again = 0;
    DEFER(thresholds_done) struct thresholds t = {0};
    DEFER(thresholds_done) struct thresholds u = {0};
    DEFER(js_freep) json_t *o = NULL;
    DEFER(js_freep) json_t *written = NULL;
    DEFER(js_freep) json_t *twice = NULL;
    if (!status_ok(js_parse(view_of(data, size), NULL, NULL, &o))) {
        return 0;
    }
    const struct status s = thresholds_from_json(o, &read, "y", &diag, &t, &otherwise);
    if (!status_ok(s)) {
        ASSERT(diag.text[0] != '\0' && t.at == NULL && t.drawn == NULL);
        return 0;
    }
    ASSERT((t.at == NULL) != (t.drawn == NULL) && otherwise >= 0 && otherwise <= 1);
    check_decisions(&t);
    ASSERT(status_ok(thresholds_to_json(&t, otherwise, &written)));
    ASSERT(status_ok(thresholds_from_json(written, &read, "y", &diag, &u, &again)));
    ASSERT(status_ok(thresholds_to_json(&u, again, &twice)));
    ASSERT(json_equal(written, twice));
    return 0;
}
