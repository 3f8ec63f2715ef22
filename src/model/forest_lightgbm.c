/* LightGBM's text model format (src/boosting/gbdt_model_text.cpp, versions 2 to 4) into a forest:
 * a head of key=value lines, the trees (lightgbm_tree.c), and after "end of trees" the categories
 * of pandas columns. Its averages of the labels stand in the leaves of the first trees. */
#include "base/json.h"
#include "base/text.h"
#include "model/forest_build.h"
#include "model/forest_formats.h"
#include "model/lightgbm_text.h"
#include "model/lightgbm_tree.h"

#include <math.h>
#include <string.h>

struct loader {
    struct diag *diag;
    struct forest_build b;
    struct forest *f; /* of b */
    bool average;     /* of the iterations, not the sum (random forests) */
    struct view objective, names, infos;
    struct view trees; /* from the first "Tree=" line on */
    struct view after; /* what follows "end of trees" */
};

/* ---- the head ---- */

static struct status
read_number(const struct loader *l, const struct lightgbm_line *line, int64_t low, int64_t high,
            uint32_t *ret_value)
{
    int64_t v = 0;
    if (!lightgbm_integers(line->value, 1, &v) || v < low || v > high) {
        diag_set(l->diag, "\"%.*s\" must be a whole number from %lld to %lld", (int)line->key.len,
                 (const char *)line->key.ptr, (long long)low, (long long)high);
        FAIL(INPUT);
    }
    *ret_value = (uint32_t)v;
    return OK;
}

static struct status
read_head_line(struct loader *l, const struct lightgbm_line *line)
{
    uint32_t last = 0;
    if (view_equal_str(line->key, "num_tree_per_iteration")) {
        return read_number(l, line, 1, FOREST_MAX_OUTPUTS, &l->f->outputs);
    }
    if (view_equal_str(line->key, "max_feature_idx")) {
        TRY(read_number(l, line, 0, FOREST_MAX_FEATURES - 1, &last));
        l->f->features = last + 1;
    } else if (view_equal_str(line->key, "objective")) {
        l->objective = line->value;
    } else if (view_equal_str(line->key, "feature_names")) {
        l->names = line->value;
    } else if (view_equal_str(line->key, "feature_infos")) {
        l->infos = line->value;
    } else if (view_equal_str(line->key, "average_output")) {
        l->average = true;
    }
    return OK;
}

static struct status
read_head(struct loader *l, struct view bytes)
{
    struct lightgbm_line line;
    l->f->outputs = 1;
    for (struct view rest = bytes; lightgbm_next_line(&rest, &line); bytes = rest) {
        if (view_equal_str(line.key, "Tree") || view_equal_str(line.key, "end of trees")) {
            break;
        }
        TRY(read_head_line(l, &line));
    }
    l->trees = bytes;
    if (l->f->features == 0) {
        diag_set(l->diag, "LightGBM: no \"max_feature_idx\" before the first tree");
        FAIL(INPUT);
    }
    return OK;
}

/* ---- the objective ---- */

static const struct {
    const char *name;
    enum forest_link link;
    const char *scale; /* the parameter that scales its link */
} objectives[] = {
    {"binary", FOREST_LOGISTIC, "sigmoid:"},
    {"multiclass", FOREST_SOFTMAX, NULL},
    {"multiclassova", FOREST_LOGISTIC, "sigmoid:"},
    {"cross_entropy", FOREST_LOGISTIC, NULL},
    {"cross_entropy_lambda", FOREST_LOG1P_EXP, NULL},
    {"poisson", FOREST_EXP, NULL},
    {"gamma", FOREST_EXP, NULL},
    {"tweedie", FOREST_EXP, NULL},
    {"regression", FOREST_IDENTITY, NULL},
    {"regression_l1", FOREST_IDENTITY, NULL},
    {"huber", FOREST_IDENTITY, NULL},
    {"fair", FOREST_IDENTITY, NULL},
    {"quantile", FOREST_IDENTITY, NULL},
    {"mape", FOREST_IDENTITY, NULL},
    {"lambdarank", FOREST_IDENTITY, NULL},
    {"rank_xendcg", FOREST_IDENTITY, NULL},
    {"custom", FOREST_IDENTITY, NULL},
    {"none", FOREST_IDENTITY, NULL},
};

/* "sigmoid:1.5" among the words after the name. */
static struct status
read_scale(const struct loader *l, struct view words, const char *key, double *ret_scale)
{
    struct view word;
    const size_t n = strlen(key);
    while (lightgbm_next_word(&words, &word)) {
        if (word.len > n && memcmp(word.ptr, key, n) == 0) {
            if (!status_ok(text_to_f64(view_of(word.ptr + n, word.len - n), ret_scale)) ||
                !(*ret_scale > 0)) {
                diag_set(l->diag, "objective: \"%s\" must be a number over 0", key);
                FAIL(INPUT);
            }
        }
    }
    return OK;
}

static struct status
read_objective(struct loader *l)
{
    struct view words = l->objective.len == 0 ? view_str("custom") : l->objective, name, word;
    (void)lightgbm_next_word(&words, &name);
    for (size_t i = 0; i < sizeof objectives / sizeof *objectives; i++) {
        if (!view_equal_str(name, objectives[i].name)) {
            continue;
        }
        l->f->objective = objectives[i].name;
        l->f->link = objectives[i].link;
        if (objectives[i].scale != NULL) {
            return read_scale(l, words, objectives[i].scale, &l->f->link_scale);
        }
        /* reg_sqrt: trained on the square root of the label */
        while (l->f->link == FOREST_IDENTITY && lightgbm_next_word(&words, &word)) {
            l->f->link = view_equal_str(word, "sqrt") ? FOREST_SIGNED_SQUARE : FOREST_IDENTITY;
        }
        return OK;
    }
    diag_set(l->diag, "objective \"%.*s\" is not one that is read here",
             (int)(name.len < 60 ? name.len : 60), (const char *)name.ptr);
    FAIL(UNSUPPORTED);
}

/* ---- names ---- */

/* "Column_7", which LightGBM writes for a column that had no name. */
static bool
is_made_up(struct view name, uint32_t i)
{
    char made[24];
    (void)snprintf(made, sizeof made, "Column_%u", i);
    return view_equal_str(name, made);
}

static struct status
read_names(struct loader *l)
{
    struct view rest = l->names, name;
    const char **list = NULL;
    uint32_t i = 0, made_up = 0;
    if (lightgbm_count_words(rest) != l->f->features) {
        diag_set(l->diag, "\"feature_names\" must hold %u names, one for each feature",
                 l->f->features);
        FAIL(INPUT);
    }
    CHECK(FOREST_TAKE(l->b.arena, list, l->f->features), MEMORY);
    while (lightgbm_next_word(&rest, &name)) {
        if (name.len == 0 || !text_is_utf8(name) || memchr(name.ptr, 0, name.len) != NULL) {
            diag_set(l->diag, "\"feature_names\": name %u is empty or no UTF-8 text", i);
            FAIL(INPUT);
        }
        made_up += is_made_up(name, i);
        list[i] = arena_strdup(l->b.arena, name);
        CHECK(list[i++] != NULL, MEMORY);
    }
    l->f->feature_names = made_up == l->f->features ? NULL : list;
    return OK;
}

/* Category names as pandas had them; numbers and truth values as they are written in JSON. */
static struct status
read_level(struct loader *l, const json_t *value, const char **ret_name)
{
    DEFER(buf_done) struct buf text;
    buf_init(&text, 1u << 20);
    if (json_is_string(value)) {
        buf_put_str(&text, json_string_value(value));
    } else if (json_is_number(value) || json_is_boolean(value)) {
        TRY(js_put(&text, value));
    } else {
        diag_set(l->diag, "\"pandas_categorical\": a category is neither text nor number");
        FAIL(INPUT);
    }
    TRY(buf_status(&text));
    *ret_name = arena_strdup(l->b.arena, buf_view(&text));
    CHECK(*ret_name != NULL, MEMORY);
    return OK;
}

static struct status
read_level_list(struct loader *l, const json_t *list, struct forest_levels *ret_levels)
{
    const size_t n = json_array_size(list);
    const char **names = NULL;
    if (!json_is_array(list) || n >= FOREST_CATEGORIES_END) {
        diag_set(l->diag, "\"pandas_categorical\" must be a list of lists");
        FAIL(INPUT);
    }
    CHECK(FOREST_TAKE(l->b.arena, names, n), MEMORY);
    for (size_t i = 0; i < n; i++) {
        TRY(read_level(l, json_array_get(list, i), &names[i]));
    }
    *ret_levels = (struct forest_levels){(uint32_t)n, names};
    return OK;
}

/* In feature_infos a category has its values, "-1:2:0:1", a number its range, "[0:9]". The lists
 * are those of the category columns in their order; where a column was left out as useless ("none")
 * the two cannot be brought together, and no level is told. */
static struct status
assign_levels(struct loader *l, const json_t *lists)
{
    struct forest_levels *levels = NULL;
    struct view rest = l->infos, info;
    size_t categories = 0;
    while (lightgbm_next_word(&rest, &info)) {
        categories += info.len > 0 && info.ptr[0] != '[' && !view_equal_str(info, "none");
    }
    if (categories != json_array_size(lists) || lightgbm_count_words(l->infos) != l->f->features) {
        return OK;
    }
    CHECK(FOREST_TAKE(l->b.arena, levels, l->f->features), MEMORY);
    rest = l->infos;
    size_t list = 0;
    for (uint32_t i = 0; lightgbm_next_word(&rest, &info); i++) {
        if (info.len > 0 && info.ptr[0] != '[' && !view_equal_str(info, "none")) {
            TRY(read_level_list(l, json_array_get(lists, list++), &levels[i]));
        }
    }
    l->f->levels = levels;
    return OK;
}

static struct status
read_pandas(struct loader *l)
{
    static const char key[] = "pandas_categorical:";
    struct view rest = l->after;
    struct lightgbm_line line;
    while (lightgbm_next_line(&rest, &line)) {
        const size_t n = sizeof key - 1;
        if (line.key.len <= n || memcmp(line.key.ptr, key, n) != 0) {
            continue;
        }
        DEFER(js_freep) json_t *lists = NULL;
        const uint8_t *from = line.key.ptr + n;
        /* the line was cut at '=', which a category may hold */
        const uint8_t *end =
            line.has_value ? line.value.ptr + line.value.len : line.key.ptr + line.key.len;
        if (view_equal_str(view_of(from, (size_t)(end - from)), "null")) {
            return OK;
        }
        TRY(js_parse_within(view_of(from, (size_t)(end - from)), FOREST_MAX_BYTES,
                            "pandas_categorical", l->diag, &lists));
        return json_is_array(lists) && json_array_size(lists) > 0 ? assign_levels(l, lists) : OK;
    }
    return OK;
}

/* ---- the trees ---- */

static struct status
check_total(const struct loader *l, size_t nodes, size_t categories)
{
    if (l->f->trees > FOREST_MAX_TREES || nodes > FOREST_MAX_NODES ||
        categories > FOREST_MAX_NODES) {
        diag_set(l->diag, "more than %u trees, or %u nodes or categories", FOREST_MAX_TREES,
                 FOREST_MAX_NODES);
        FAIL(LIMIT);
    }
    return OK;
}

/* "Tree=7" is taken from *rest; *ret_end when it is "end of trees" instead. */
static struct status
begin_tree(struct loader *l, uint32_t number, struct view *rest, bool *ret_end)
{
    struct lightgbm_line line = {0};
    int64_t said = -1;
    if (!lightgbm_next_line(rest, &line)) {
        diag_set(l->diag, "the file ends before \"end of trees\": a part of it is missing");
        FAIL(INPUT);
    }
    *ret_end = view_equal_str(line.key, "end of trees");
    if (!*ret_end && (!lightgbm_integers(line.value, 1, &said) || said != (int64_t)number)) {
        diag_set(l->diag, "tree %u: its first line must be \"Tree=%u\"", number, number);
        FAIL(INPUT);
    }
    return OK;
}

static struct status
count_trees(struct loader *l, size_t *ret_nodes, size_t *ret_categories)
{
    struct view rest = l->trees;
    bool end = false;
    struct lightgbm_tree t;
    for (;;) {
        TRY(begin_tree(l, l->f->trees, &rest, &end));
        if (end) {
            break;
        }
        size_t nodes = 0, categories = 0;
        TRY(lightgbm_tree_take(&rest, l->f->trees, l->diag, &t, &nodes, &categories));
        l->f->trees++;
        l->f->has_cover = l->f->has_cover && lightgbm_tree_has_counts(&t);
        *ret_nodes += nodes;
        *ret_categories += categories;
        TRY(check_total(l, *ret_nodes, *ret_categories));
    }
    l->after = rest;
    if (l->f->trees % l->f->outputs != 0) {
        diag_set(l->diag, "%u trees cannot be shared by %u trees an iteration", l->f->trees,
                 l->f->outputs);
        FAIL(INPUT);
    }
    return OK;
}

static struct status
read_trees(struct loader *l)
{
    size_t nodes = 0, categories = 0;
    TRY(count_trees(l, &nodes, &categories));
    TRY(forest_build_allocate(&l->b, nodes, categories));
    struct view rest = l->trees;
    struct lightgbm_tree t;
    const double weight = l->average ? (double)l->f->outputs / (double)l->f->trees : 1;
    for (uint32_t i = 0; i < l->f->trees; i++) {
        bool end = false;
        TRY(begin_tree(l, i, &rest, &end));
        TRY(lightgbm_tree_take(&rest, i, l->diag, &t, &nodes, &categories));
        l->b.tree_start[i] = l->b.nodes.used;
        l->b.tree_output[i] = i % l->f->outputs;
        l->b.tree_weight[i] = weight;
        TRY(lightgbm_tree_read(&t, l->diag, &l->b.nodes));
    }
    return OK;
}

static struct status
read_file(struct loader *l, struct view bytes)
{
    double *base = NULL;
    TRY(read_head(l, bytes));
    TRY(read_objective(l));
    TRY(read_names(l));
    CHECK(FOREST_TAKE(l->b.arena, base, l->f->outputs), MEMORY);
    l->f->base = base;
    TRY(read_trees(l));
    return read_pandas(l);
}

struct status
forest_load_lightgbm(struct view bytes, struct diag *diag, struct forest **ret_forest)
{
    struct loader l = {.diag = diag};
    TRY(forest_build_start(&l.b));
    l.f = l.b.f;
    const struct status s = read_file(&l, bytes);
    return forest_build_end(&l.b, s, ret_forest);
}
