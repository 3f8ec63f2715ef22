/* Which columns, alone or two together, tell the sensitive group. */
#include "report/bias_parts.h"

#include "assess/bias_proxy.h"
#include "num/cross.h"
#include "num/order.h"
#include "report/document.h"

#include <math.h>

#define PAIRS_LISTED 100u
#define KEPT_APART                                                                                 \
    (BIAS_PAIR_LEVELS - 2) /* of a column in a pair; then the others, the missing                  \
                            */

/* One factor's search. */
struct search {
    const struct bias_factor *f;
    int32_t *group;  /* rows: fold * groups + group; -1: not looked at */
    uint32_t groups; /* judged ones */
    uint64_t rows;
    struct single {
        const struct bias_column *column;
        uint32_t levels; /* after map */
        int32_t *map;    /* missing is a level */
        int32_t *coarse; /* to at most BIAS_PAIR_LEVELS */
        uint32_t coarse_levels;
        double auc, p;
        json_t *json;
    } * single;
    size_t singles;
    json_t **pair;
    size_t pairs;
};

static void
search_done(struct search *s)
{
    for (size_t i = 0; i < s->singles; i++) {
        free(s->single[i].map);
        free(s->single[i].coarse);
        json_decref(s->single[i].json);
    }
    for (size_t i = 0; i < s->pairs; i++) {
        json_decref(s->pair[i]);
    }
    free(s->single);
    free(s->pair);
    free(s->group);
}

/* Rows by their values in all columns and their group: rows that are equal in these may change
 * places, so that the folds are a function of the rows as a set. */
static struct status
place_rows(const struct search *s, const int32_t *index, uint32_t *ret_order)
{
    const struct bias_input *in = s->f->in;
    DEFER(memory_freep) uint64_t *hash = calloc(in->rows + 1, sizeof *hash);
    CHECK(hash != NULL, MEMORY);
    for (size_t i = 0; i < in->rows; i++) {
        ret_order[i] = (uint32_t)i;
        hash[i] = order_hash(0, (uint64_t)(index[s->f->column->codes[i] + 1] + 1));
    }
    for (size_t k = 0; k < in->column_count; k++) {
        const struct bias_column *c = &in->columns[k];
        for (size_t i = 0; i < in->rows && c->levels > 0 && c->levels < BIAS_MAX_LEVELS; i++) {
            hash[i] = order_hash(hash[i], (uint64_t)(c->codes[i] + 1));
        }
    }
    return order_by_hash(hash, in->rows, ret_order);
}

static struct status
mark_groups(struct search *s)
{
    const struct bias_factor *f = s->f;
    DEFER(memory_freep) int32_t *index = calloc(f->column->levels + (size_t)1, sizeof *index);
    s->group = calloc(f->in->rows + 1, sizeof *s->group);
    CHECK(index != NULL && s->group != NULL, MEMORY);
    index[0] = -1;
    for (uint32_t g = 0; g < f->column->levels; g++) {
        index[g + 1] = bias_judged(f, g) ? (int32_t)s->groups++ : -1;
    }
    DEFER(memory_freep) uint32_t *order = calloc(f->in->rows + 1, sizeof *order);
    CHECK(order != NULL, MEMORY);
    TRY(place_rows(s, index, order));
    for (size_t k = 0; k < f->in->rows; k++) {
        const int32_t g = index[f->column->codes[order[k]] + 1];
        s->group[order[k]] = g < 0 ? -1 : (int32_t)(proxy_fold(k) * s->groups) + g;
        s->rows += g >= 0;
    }
    return OK;
}

static json_t *
proxy_json(const struct proxy *p, const char *a, const char *b)
{
    json_t *columns = b == NULL ? json_pack("[s]", a) : json_pack("[s, s]", a, b);
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I}", "columns", columns,
                     "auc", js_real(p->auc), "auc_ci", bias_interval(p->auc_ci),
                     "mutual_information", js_real(p->mutual_information),
                     "normalized_mutual_information", js_real(p->normalized_mutual_information),
                     "uncertainty_coefficient", js_real(p->uncertainty), "statistic",
                     js_real(p->statistic), "df", js_real(p->df), "p_value", js_real(p->p_value),
                     "values_pooled", (json_int_t)p->pooled);
}

/* ---- one column ---- */

static struct status
map_levels(struct single *x)
{
    const uint32_t levels = x->column->levels;
    x->levels = levels + 1;
    x->map = calloc(x->levels, sizeof *x->map);
    CHECK(x->map != NULL, MEMORY);
    x->map[0] = (int32_t)levels;
    for (uint32_t i = 0; i < levels; i++) {
        x->map[i + 1] = (int32_t)i;
    }
    return OK;
}

static uint64_t
rows_of(const uint64_t *count, size_t each, uint32_t level)
{
    uint64_t n = 0;
    for (size_t k = 0; k < each; k++) {
        n += count[level * each + k];
    }
    return n;
}

/* The most frequent levels stay, the others become one; missing is the last. */
static struct status
coarsen(const struct search *s, const uint64_t *count, struct single *x)
{
    const uint32_t levels = x->column->levels;
    const size_t each = (size_t)PROXY_FOLDS * s->groups;
    const bool few = x->levels <= BIAS_PAIR_LEVELS;
    x->coarse = calloc(x->levels, sizeof *x->coarse);
    DEFER(memory_freep) uint64_t *rows = calloc(x->levels, sizeof *rows);
    CHECK(x->coarse != NULL && rows != NULL, MEMORY);
    for (uint32_t i = 0; i < levels; i++) {
        rows[i] = rows_of(count, each, i);
    }
    for (uint32_t i = 0; i < levels; i++) {
        uint32_t ahead = 0;
        for (uint32_t k = 0; k < levels && !few; k++) {
            ahead += rows[k] > rows[i] || (rows[k] == rows[i] && k < i);
        }
        x->coarse[i + 1] = (int32_t)(few ? i : ahead < KEPT_APART ? ahead : KEPT_APART);
    }
    x->coarse_levels = few ? x->levels : BIAS_PAIR_LEVELS;
    x->coarse[0] = (int32_t)x->coarse_levels - 1;
    return OK;
}

static struct status
look_at(struct search *s, struct single *x)
{
    const struct bias_input *in = s->f->in;
    TRY(map_levels(x));
    const struct cross_column columns[2] = {
        {.codes = x->column->codes, .map = x->map, .levels = x->levels},
        {.codes = s->group, .levels = PROXY_FOLDS * s->groups},
    };
    uint64_t missing = 0;
    DEFER(memory_freep)
    uint64_t *count = calloc((size_t)x->levels * PROXY_FOLDS * s->groups, sizeof *count);
    DEFER(memory_freep) double *room = calloc(proxy_workspace(x->levels, s->groups), sizeof *room);
    CHECK(count != NULL && room != NULL, MEMORY);
    TRY(cross_count(columns, 2, in->rows, in->threads, count, &missing));
    struct proxy p;
    proxy_finish(count, x->levels, s->groups, in->level, room, &p);
    x->auc = p.auc;
    x->p = p.p_value;
    x->json = proxy_json(&p, x->column->name, NULL);
    CHECK(x->json != NULL, MEMORY);
    return coarsen(s, count, x);
}

static int
stronger_first(const void *a, const void *b)
{
    const struct single *x = a, *y = b;
    const double u = isnan(x->auc) ? -1 : x->auc, v = isnan(y->auc) ? -1 : y->auc;
    if (u != v) {
        return u < v ? 1 : -1;
    }
    return strcmp(x->column->name, y->column->name);
}

static struct status
look_at_all(struct search *s, json_t *o)
{
    const struct bias_input *in = s->f->in;
    json_t *left_out = json_array(), *proxies = json_array();
    TRY(js_set(o, "columns_left_out", left_out));
    TRY(js_set(o, "proxies", proxies));
    s->single = calloc(in->column_count + 1, sizeof *s->single);
    CHECK(s->single != NULL, MEMORY);
    for (size_t i = 0; i < in->column_count && s->groups > 1; i++) {
        const struct bias_column *c = &in->columns[i];
        if (strcmp(c->name, s->f->column->name) == 0) {
            continue;
        }
        if (c->levels == 0 || c->levels >= BIAS_MAX_LEVELS) {
            CHECK(json_array_append_new(left_out, json_string(c->name)) == 0, MEMORY);
            continue;
        }
        s->single[s->singles].column = c;
        s->singles++;
        TRY(look_at(s, &s->single[s->singles - 1]));
    }
    DEFER(memory_freep) json_t **items = calloc(s->singles + 1, sizeof(json_t *));
    CHECK(items != NULL, MEMORY);
    qsort(s->single, s->singles, sizeof *s->single, stronger_first);
    for (size_t i = 0; i < s->singles; i++) {
        items[i] = s->single[i].json;
        CHECK(json_array_append(proxies, items[i]) == 0, MEMORY);
    }
    return bias_adjust_p(items, s->singles);
}

/* ---- two columns ---- */

static struct status
look_at_pair(struct search *s, const struct single *a, const struct single *b, uint64_t *count,
             double *room)
{
    const struct bias_input *in = s->f->in;
    const struct cross_column columns[3] = {
        {.codes = a->column->codes, .map = a->coarse, .levels = a->coarse_levels},
        {.codes = b->column->codes, .map = b->coarse, .levels = b->coarse_levels},
        {.codes = s->group, .levels = PROXY_FOLDS * s->groups},
    };
    uint64_t missing = 0;
    struct proxy p;
    memset(count, 0, cross_cells(columns, 3, SIZE_MAX / 8) * sizeof *count);
    TRY(cross_count(columns, 3, in->rows, in->threads, count, &missing));
    proxy_finish_pair(count, a->coarse_levels, b->coarse_levels, s->groups, in->level, room, &p);
    json_t *o = proxy_json(&p, a->column->name, b->column->name);
    CHECK(o != NULL, MEMORY);
    s->pair[s->pairs++] = o;
    return js_set(o, "gain", js_real(p.auc - a->auc)); /* a is the stronger of the two */
}

static struct status
look_at_pairs(struct search *s)
{
    const size_t n = s->singles < BIAS_PAIR_COLUMNS ? s->singles : BIAS_PAIR_COLUMNS;
    const uint32_t cells = BIAS_PAIR_LEVELS * BIAS_PAIR_LEVELS;
    s->pair = calloc(n * n + 1, sizeof(json_t *));
    DEFER(memory_freep)
    uint64_t *count = calloc((size_t)cells * PROXY_FOLDS * s->groups + 1, sizeof *count);
    DEFER(memory_freep) double *room = calloc(proxy_workspace(cells, s->groups), sizeof *room);
    CHECK(s->pair != NULL && count != NULL && room != NULL, MEMORY);
    for (size_t i = 0; i < n; i++) {
        for (size_t k = i + 1; k < n; k++) {
            TRY(look_at_pair(s, &s->single[i], &s->single[k], count, room));
        }
    }
    return bias_adjust_p(s->pair, s->pairs);
}

/* Those whose second column adds something: in the sample beyond chance, and outside it. */
static struct status
put_pairs(struct search *s, json_t *o)
{
    DEFER(js_freep) json_t *kept = json_array();
    DEFER(memory_freep) struct document_ranked *ranked = NULL;
    json_t *listed = json_array();
    TRY(js_set(o, "proxy_pairs", listed));
    TRY(js_set(o, "pairs_looked_at", json_integer((json_int_t)s->pairs)));
    for (size_t i = 0; i < s->pairs; i++) {
        const bool adds = document_number(s->pair[i], "p_adjusted") < s->f->in->fdr &&
                          document_number(s->pair[i], "gain") > 0;
        CHECK(!adds || json_array_append(kept, s->pair[i]) == 0, MEMORY);
    }
    TRY(document_rank(kept, "auc", DOCUMENT_LARGEST, &ranked));
    for (size_t i = 0; i < json_array_size(kept) && i < PAIRS_LISTED; i++) {
        json_t *p = (json_t *)(uintptr_t)ranked[i].item;
        CHECK(json_array_append(listed, p) == 0, MEMORY);
    }
    return js_set(o, "pairs_that_add", json_integer((json_int_t)json_array_size(kept)));
}

struct status
bias_put_proxies(const struct bias_factor *f, json_t *o)
{
    DEFER(search_done) struct search s = {.f = f};
    TRY(mark_groups(&s));
    TRY(look_at_all(&s, o));
    TRY(js_set(o, "proxy_folds", json_integer(PROXY_FOLDS)));
    TRY(js_set(o, "proxy_rows", json_integer((json_int_t)s.rows)));
    TRY(look_at_pairs(&s));
    return put_pairs(&s, o);
}
