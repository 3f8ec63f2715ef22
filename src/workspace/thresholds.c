#include "workspace/thresholds.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FORMAT "steward-thresholds-1"
#define KEYS 4u
#define JSON_MAX (1u << 20)

void
thresholds_done(struct thresholds *t)
{
    feature_list_done(&t->by);
    free(t->at);
}

/* ---- in the manifest ---- */

struct status
thresholds_to_json(const struct thresholds *t, double otherwise, json_t **ret_json)
{
    DEFER(js_freep) json_t *o = json_object();
    DEFER(buf_done) struct buf text;
    json_t *columns = NULL, *at = json_array();
    buf_init(&text, JSON_MAX);
    CHECK(o != NULL, MEMORY);
    TRY(js_set(o, "format", json_string(FORMAT)));
    TRY(js_set(o, "at", at));
    for (uint32_t i = 0; i < t->by.items[0].level_count; i++) {
        CHECK(json_array_append_new(at, js_real(t->at[i])) == 0, MEMORY);
    }
    TRY(js_set(o, "default", js_real(otherwise)));
    TRY(feature_list_to_json(&t->by, &text));
    TRY(js_parse(buf_view(&text), "columns", NULL, &columns));
    TRY(js_set(o, "columns", columns));
    *ret_json = MOVE(o);
    return OK;
}

static struct status
refuse(struct diag *diag, const char *why)
{
    diag_set(diag, "thresholds by group: %s", why);
    FAIL(INPUT);
}

static struct status
check_column(const struct feature_list *by, const struct feature_list *read, const char *label,
             struct diag *diag)
{
    if (by->count != 1) {
        return refuse(diag, "they are by one column");
    }
    const struct feature *f = &by->items[0];
    if (f->level_count == 0 || f->level_count > MITIGATE_MAX_GROUPS) {
        return refuse(diag, "the column must have from 1 to 64 levels");
    }
    bool known = strcmp(f->name, label) == 0;
    for (uint32_t i = 0; i < read->count; i++) {
        known |= strcmp(f->name, read->items[i].name) == 0;
    }
    return known ? refuse(diag, "the column is one that the model reads or predicts") : OK;
}

static struct status
read_threshold(const json_t *value, struct diag *diag, double *ret_at)
{
    const double v = json_number_value(value);
    if (!json_is_number(value) || !(v >= 0 && v <= 1)) {
        return refuse(diag, "each one is a number from 0 to 1");
    }
    *ret_at = v;
    return OK;
}

static struct status
read_thresholds(const json_t *list, struct diag *diag, struct thresholds *t)
{
    const uint32_t n = t->by.items[0].level_count;
    if (json_array_size(list) != n) {
        return refuse(diag, "there must be one for each level");
    }
    t->at = calloc(n, sizeof *t->at);
    CHECK(t->at != NULL, MEMORY);
    for (uint32_t i = 0; i < n; i++) {
        TRY(read_threshold(json_array_get(list, i), diag, &t->at[i]));
    }
    return OK;
}

struct status
thresholds_from_json(const json_t *o, const struct feature_list *read, const char *label,
                     struct diag *diag, struct thresholds *ret_thresholds, double *ret_otherwise)
{
    const char *format = NULL;
    json_t *columns = NULL, *at = NULL;
    double otherwise = 0;
    DEFER(thresholds_done) struct thresholds t = {0};
    DEFER(buf_done) struct buf text;
    buf_init(&text, JSON_MAX);
    TRY(js_need_string(o, "format", diag, &format));
    if (strcmp(format, FORMAT) != 0 || json_object_size(o) != KEYS) {
        return refuse(diag, "not of the format that this program knows, " FORMAT);
    }
    TRY(js_need_array(o, "columns", diag, &columns));
    TRY(js_need_array(o, "at", diag, &at));
    TRY(js_put(&text, columns));
    TRY(feature_list_from_json(buf_view(&text), diag, &t.by));
    TRY(check_column(&t.by, read, label, diag));
    TRY(read_thresholds(at, diag, &t));
    TRY(read_threshold(json_object_get(o, "default"), diag, &otherwise));
    *ret_thresholds = t;
    *ret_otherwise = otherwise;
    t = (struct thresholds){0};
    return OK;
}

/* ---- choosing them ---- */

/* The rows that choose, at the front, and the levels that they have, numbered in the list's order.
 */
struct chosen {
    double *score;
    uint8_t *y;
    int32_t *group;
    size_t rows;
    uint64_t left_out;
    uint32_t groups;
    uint32_t level[MITIGATE_MAX_GROUPS]; /* of each group: the column's level */
    struct threshold_rule rule[MITIGATE_MAX_GROUPS];
};

static void
chosen_done(struct chosen *k)
{
    free(k->score);
    free(k->y);
    free(k->group);
}

static struct status
need_levels(const struct thresholds_wish *wish, const struct table *t, struct diag *diag,
            const struct column **ret_column)
{
    TRY(table_need_column(t, "sensitive", wish->column, diag, ret_column));
    if ((*ret_column)->role == ROLE_LABEL) {
        diag_set(diag, "\"%s\" is the label, which no call can send", wish->column);
        FAIL(INPUT);
    }
    const enum column_type type = (*ret_column)->type;
    if (type != COLUMN_CATEGORY && type != COLUMN_BOOLEAN) {
        diag_set(diag,
                 "sensitive column \"%s\" is of type %s: thresholds are for the levels of a "
                 "category or a boolean",
                 wish->column, column_type_word(type));
        FAIL(INPUT);
    }
    return OK;
}

static struct status
number_levels(const struct column *c, const uint32_t *of_level, struct diag *diag, struct chosen *k)
{
    for (uint32_t i = 0; i < c->level_count; i++) {
        if (of_level[i] == 0) {
            continue;
        }
        if (k->groups == MITIGATE_MAX_GROUPS) {
            diag_set(diag, "sensitive column \"%s\": more than %u groups", c->name,
                     MITIGATE_MAX_GROUPS);
            FAIL(INPUT);
        }
        k->level[k->groups++] = i;
    }
    if (k->groups < 2) {
        diag_set(diag, "sensitive column \"%s\": the training rows are of %u group; 2 are needed",
                 c->name, k->groups);
        FAIL(INPUT);
    }
    return OK;
}

static struct status
take_rows(const struct table *t, const struct column *c, const uint8_t *used, const uint8_t *y,
          const double *score, struct diag *diag, struct chosen *k)
{
    const size_t rows = (size_t)t->rows;
    DEFER(memory_freep) uint32_t *place = calloc((size_t)c->level_count + 1, sizeof *place);
    k->score = calloc(rows + 1, sizeof *k->score);
    k->y = calloc(rows + 1, 1);
    k->group = calloc(rows + 1, sizeof *k->group);
    CHECK(place != NULL && k->score != NULL && k->y != NULL && k->group != NULL, MEMORY);
    for (size_t i = 0; i < rows; i++) {
        if (used[i] == 0 || y[i] > 1 || column_is_null(c, i)) {
            k->left_out += used[i] != 0;
            continue;
        }
        k->score[k->rows] = score[i];
        k->y[k->rows] = y[i];
        k->group[k->rows++] = c->code[i];
        place[c->code[i]] = 1;
    }
    TRY(number_levels(c, place, diag, k));
    for (uint32_t g = 0; g < k->groups; g++) {
        place[k->level[g]] = g;
    }
    for (size_t i = 0; i < k->rows; i++) {
        k->group[i] = (int32_t)place[k->group[i]];
    }
    return OK;
}

/* The kernel knows groups by number. */
static void
name_group(const struct column *c, const struct chosen *k, struct diag *diag)
{
    unsigned g = 0;
    char rest[400];
    if (diag != NULL && sscanf(diag->text, "group %u: %399[^\n]", &g, rest) == 2 && g < k->groups) {
        diag_set(diag, "%s = %s: %s", c->name, c->levels[k->level[g]], rest);
    }
}

static json_t *
plan_json(const struct threshold_plan *p)
{
    return json_pack("{s:o, s:o, s:o}", "objective", js_real(p->objective), "gap", js_real(p->gap),
                     "accuracy", js_real(p->accuracy));
}

static struct status
optimise(const struct threshold_options *o, const struct column *c, struct diag *diag,
         struct chosen *k, json_t *note)
{
    struct threshold_rule random[MITIGATE_MAX_GROUPS];
    struct threshold_plan fixed = {.rule = k->rule}, chance = {.rule = random};
    DEFER(threshold_curves_freep) struct threshold_curves *curves = NULL;
    const bool odds = o->constraint == THRESHOLD_EQUALIZED_ODDS; /* equal at random */
    size_t tried = 0;
    const struct status s =
        threshold_curves_new(k->score, k->y, k->group, k->rows, k->groups, o, diag, &curves);
    if (!status_ok(s)) {
        name_group(c, k, diag);
        return s;
    }
    TRY(threshold_deterministic(curves, o->tolerance, &fixed, &tried));
    TRY(threshold_randomised(curves, odds ? 0 : o->tolerance, &chance));
    TRY(js_set(note, "thresholds_tried", json_integer((json_int_t)tried)));
    TRY(js_set(note, "kept", plan_json(&fixed)));
    return js_set(note, "randomised", plan_json(&chance));
}

/* "Over x" is "from the next double on". Nobody: from 1 on, which is checked to be nobody. */
static double
from(const struct threshold *t)
{
    return isinf(t->at) ? (t->at > 0 ? 1 : 0) : nextafter(t->at, INFINITY);
}

/* That the thresholds decide every row as the rules do. */
static struct status
check_same(const struct chosen *k, const double *at, struct diag *diag)
{
    for (size_t i = 0; i < k->rows; i++) {
        const struct threshold_rule *r = &k->rule[k->group[i]];
        if ((k->score[i] >= at[k->group[i]]) != (threshold_decide(r, k->score[i]) > 0.5)) {
            return refuse(diag, "probabilities of 1 occur, which no threshold up to 1 refuses; try "
                                "another constraint, goal or tolerance");
        }
    }
    return OK;
}

static struct status
make_thresholds(const struct column *c, const struct chosen *k, struct diag *diag,
                struct thresholds *t)
{
    struct feature *f = calloc(1, sizeof *f);
    CHECK(f != NULL, MEMORY);
    t->by = (struct feature_list){f, 1};
    f->type = c->type;
    f->name = strdup(c->name);
    f->levels = calloc(k->groups, sizeof *f->levels);
    t->at = calloc(k->groups, sizeof *t->at);
    CHECK(f->name != NULL && f->levels != NULL && t->at != NULL, MEMORY);
    for (uint32_t g = 0; g < k->groups; g++) {
        f->levels[g] = strdup(c->levels[k->level[g]]);
        CHECK(f->levels[g] != NULL, MEMORY);
        f->level_count++;
        t->at[g] = from(&k->rule[g].threshold[0]);
    }
    return check_same(k, t->at, diag);
}

static struct status
put_wish(const struct thresholds_wish *wish, const struct chosen *k, json_t *note)
{
    const struct threshold_options *o = &wish->options;
    TRY(js_set(note, "method", json_string("threshold")));
    TRY(js_set(note, "sensitive", json_pack("[s]", wish->column)));
    TRY(js_set(note, "groups", json_integer(k->groups)));
    TRY(js_set(note, "constraint", json_string(threshold_constraint_word(o->constraint))));
    TRY(js_set(note, "goal", json_string(threshold_objective_word(o->objective))));
    TRY(js_set(note, "tolerance", js_real(o->tolerance)));
    TRY(js_set(note, "rows", json_integer((json_int_t)k->rows)));
    return js_set(note, "rows_left_out", json_integer((json_int_t)k->left_out));
}

struct status
thresholds_choose(const struct thresholds_wish *wish, const struct table *t, const uint8_t *used,
                  const uint8_t *y, const double *score, struct diag *diag,
                  struct thresholds *ret_thresholds, json_t **ret_note)
{
    const struct column *c = NULL;
    DEFER(chosen_done) struct chosen k = {0};
    DEFER(thresholds_done) struct thresholds made = {0};
    DEFER(js_freep) json_t *note = json_object();
    CHECK(note != NULL, MEMORY);
    if (wish->options.flip) {
        return refuse(diag, "a model's are such from which on it is positive; --flip is for files");
    }
    TRY(need_levels(wish, t, diag, &c));
    TRY(take_rows(t, c, used, y, score, diag, &k));
    TRY(put_wish(wish, &k, note));
    TRY(optimise(&wish->options, c, diag, &k, note));
    TRY(make_thresholds(c, &k, diag, &made));
    *ret_thresholds = made;
    *ret_note = MOVE(note);
    made = (struct thresholds){0};
    return OK;
}
