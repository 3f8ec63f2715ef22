/* What stands before the model file: the rows that it reads, of a table or of a call. */
#include "workspace/models_parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Whether the group's column is one of the remover's: its place, or the number of those. */
static uint32_t
shared_place(const struct model *m)
{
    const struct feature *group = model_group(m);
    uint32_t i = 0;
    while (i < m->remover.by.count && group != NULL &&
           strcmp(m->remover.by.items[i].name, group->name) != 0) {
        i++;
    }
    return group == NULL ? m->remover.by.count : i;
}

bool
model_group_fits(const struct model *m)
{
    const uint32_t at = shared_place(m);
    return model_group(m) == NULL || at == m->remover.by.count ||
           m->remover.by.items[at].level_count > 0;
}

uint32_t
model_besides(const struct model *m)
{
    const bool own = model_group(m) != NULL && shared_place(m) == m->remover.by.count;
    return m->remover.by.count + own;
}

const struct feature *
model_beside(const struct model *m, uint32_t i)
{
    return i < m->remover.by.count ? &m->remover.by.items[i] : model_group(m);
}

void
model_prepare(const struct model *m, const float *beside, size_t rows, float *x, float *ret_group)
{
    const uint32_t besides = model_besides(m), at = shared_place(m);
    const struct feature *group = model_group(m);
    for (size_t i = 0; i < rows && group != NULL; i++) {
        const float v = beside[i * besides + at];
        const struct feature *as = model_beside(m, at);
        const int32_t level = isnan(v)      ? -1
                              : as == group ? (int32_t)v
                                            : feature_level(group, as->levels[(size_t)v]);
        ret_group[i] = level < 0 ? NAN : (float)level;
    }
    remover_apply(&m->remover, beside, besides, rows, m->features.count, x);
}

struct status
models_matrix(const struct feature_list *features, const struct remover *r, const struct table *t,
              json_t *remarks, struct diag *diag, float *ret_x, uint64_t *ret_missing)
{
    DEFER(memory_freep) float *s = NULL;
    *ret_missing = 0;
    TRY(matrix_from_table(t, features, remarks, diag, ret_x));
    if (r->by.count > 0) {
        TRY(remover_read(r, t, remarks, diag, &s, ret_missing));
        remover_apply(r, s, r->by.count, (size_t)t->rows, features->count, ret_x);
    }
    return OK;
}

struct status
model_matrix(const struct model *m, const struct table *t, json_t *remarks, struct diag *diag,
             float *ret_x, uint64_t *ret_missing)
{
    return models_matrix(&m->features, &m->remover, t, remarks, diag, ret_x, ret_missing);
}
