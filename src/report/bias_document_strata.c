/* The groups' rates within strata, where the adjusted difference comes from. */
#include "report/bias_parts.h"

#include "report/document.h"

#define GROUPS_LISTED 24u

static struct status
put_stratum(const struct bias_factor *f, uint32_t s, json_t *strata)
{
    const uint32_t groups = f->column->levels, known = f->in->strata->levels;
    uint64_t n = 0;
    json_t *list = json_array();
    json_t *o = json_pack("{s:s?, s:o}", "stratum", s < known ? f->in->strata->names[s] : NULL,
                          "groups", list);
    CHECK(json_array_append_new(strata, o) == 0, MEMORY);
    for (uint32_t g = 0; g < groups; g++) {
        const uint64_t *cell = f->count + ((size_t)s * groups + g) * 2;
        n += cell[0] + cell[1];
        if (groups <= GROUPS_LISTED) {
            json_t *r = json_pack("{s:s, s:o}", "group", f->column->names[g], "positive_rate",
                                  bias_rate(cell[1], cell[0] + cell[1], f->in->level));
            CHECK(json_array_append_new(list, r) == 0, MEMORY);
        }
    }
    return js_set(o, "n", json_integer((json_int_t)n));
}

/* Strata without rows are none. */
static struct status
list_strata(const struct bias_factor *f, json_t *all)
{
    for (uint32_t s = 0; s < f->strata; s++) {
        uint64_t n = 0;
        for (size_t k = 0; k < (size_t)f->column->levels * 2; k++) {
            n += f->count[(size_t)s * f->column->levels * 2 + k];
        }
        if (n > 0) {
            TRY(put_stratum(f, s, all));
        }
    }
    return OK;
}

struct status
bias_put_strata(const struct bias_factor *f, json_t *o)
{
    if (f->in->strata == NULL) {
        return OK;
    }
    DEFER(js_freep) json_t *all = json_array();
    DEFER(memory_freep) struct document_ranked *ranked = NULL;
    json_t *shown = json_array();
    CHECK(all != NULL, MEMORY);
    TRY(js_set(o, "by_stratum", shown));
    TRY(list_strata(f, all));
    TRY(document_rank(all, "n", DOCUMENT_LARGEST, &ranked));
    const size_t n = json_array_size(all);
    for (size_t i = 0; i < n && i < BIAS_STRATA_SHOWN; i++) {
        json_t *stratum = (json_t *)(uintptr_t)ranked[i].item;
        CHECK(json_array_append(shown, stratum) == 0, MEMORY);
    }
    return js_set(o, "strata_compared", json_integer((json_int_t)n));
}
