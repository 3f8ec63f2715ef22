#include "workspace/thresholds.h"

#include "base/random.h"
#include "base/secret.h"
#include "base/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FORMAT_FIXED "steward-thresholds-1"
#define KEYS_FIXED 4u
#define FORMAT_DRAWN "steward-thresholds-2"
#define KEYS_DRAWN 5u
#define KEYS_GROUP 4u
#define JSON_MAX (1u << 20)
#define CHANCE_ERROR 1e-12

void
thresholds_done(struct thresholds *t)
{
    feature_list_done(&t->by);
    free(t->at);
    free(t->drawn);
    secret_wipe(t->seed, sizeof t->seed);
    secret_wipe(&t->key, sizeof t->key);
}

/* ---- deciding ---- */

#define DRAW_WORDS 256u

/* What an HMAC is of: the one before (none: zeros), then words, four bytes each, the least first.
 */
struct draw {
    const struct hmac_key *key;
    size_t words;
    uint8_t message[DIGEST_BYTES + 4 * DRAW_WORDS];
};

static void
draw_end_block(struct draw *d)
{
    struct digest mac;
    hmac_of(d->key, view_of(d->message, DIGEST_BYTES + 4 * d->words), &mac);
    memcpy(d->message, mac.bytes, DIGEST_BYTES);
    d->words = 0;
}

static void
draw_add(struct draw *d, uint32_t word)
{
    if (d->words == DRAW_WORDS) {
        draw_end_block(d);
    }
    for (unsigned i = 0; i < 4; i++) {
        d->message[DIGEST_BYTES + 4 * d->words + i] = (uint8_t)(word >> 8 * i);
    }
    d->words++;
}

/* One word for each value: every missing one is the same, and so are both zeros. */
static uint32_t
canonical(float v)
{
    uint32_t bits = 0;
    v = v == 0 ? 0 : v;
    memcpy(&bits, &v, sizeof bits);
    return isnan(v) ? UINT32_C(0x7fc00000) : bits;
}

/* In [0,1): the first 53 bits of the last HMAC. */
static double
draw_of(const struct hmac_key *key, uint32_t level, const float *x, uint32_t features)
{
    struct draw d = {.key = key};
    uint64_t bits = 0;
    draw_add(&d, level);
    for (uint32_t i = 0; i < features; i++) {
        draw_add(&d, canonical(x[i]));
    }
    draw_end_block(&d);
    for (unsigned i = 0; i < 8; i++) {
        bits = bits << 8 | d.message[i];
    }
    return (double)(bits >> 11) * 0x1p-53;
}

static double
chance_of(const struct thresholds_chances *c, double p)
{
    return c->chance[p >= c->high ? 2 : p >= c->low];
}

struct decision
thresholds_decide(const struct thresholds *t, uint32_t level, const float *x, uint32_t features,
                  double p)
{
    const double chance =
        t->drawn == NULL ? (double)(p >= t->at[level]) : chance_of(&t->drawn[level], p);
    const bool drawn = chance > 0 && chance < 1;
    const bool positive = drawn ? draw_of(&t->key, level, x, features) < chance : chance >= 1;
    return (struct decision){positive, drawn, chance};
}

/* ---- in the manifest ---- */

static struct status
put_at(const struct thresholds *t, json_t *o)
{
    json_t *at = json_array();
    TRY(js_set(o, "format", json_string(FORMAT_FIXED)));
    TRY(js_set(o, "at", at));
    for (uint32_t i = 0; i < t->by.items[0].level_count; i++) {
        CHECK(json_array_append_new(at, js_real(t->at[i])) == 0, MEMORY);
    }
    return OK;
}

static struct status
put_drawn(const struct thresholds *t, json_t *o)
{
    const struct feature *f = &t->by.items[0];
    json_t *groups = json_array();
    DEFER(buf_wipe) struct buf seed;
    buf_init(&seed, 2 * THRESHOLDS_SEED_BYTES + 1);
    text_put_hex(&seed, view_of(t->seed, sizeof t->seed));
    TRY(js_set(o, "format", json_string(FORMAT_DRAWN)));
    TRY(js_set(o, "seed", json_string(buf_str(&seed))));
    TRY(js_set(o, "groups", groups));
    for (uint32_t i = 0; i < f->level_count; i++) {
        json_t *g = NULL;
        TRY(thresholds_chances_to_json(&t->drawn[i], f->levels[i], &g));
        CHECK(json_array_append_new(groups, g) == 0, MEMORY);
    }
    return OK;
}

struct status
thresholds_chances_to_json(const struct thresholds_chances *c, const char *group, json_t **ret_json)
{
    *ret_json = json_pack("{s:s, s:o, s:o, s:[o, o, o]}", "group", group, "low", js_real(c->low),
                          "high", js_real(c->high), "chances", js_real(c->chance[0]),
                          js_real(c->chance[1]), js_real(c->chance[2]));
    CHECK(*ret_json != NULL, MEMORY);
    return OK;
}

struct status
thresholds_to_json(const struct thresholds *t, double otherwise, json_t **ret_json)
{
    DEFER(js_freep) json_t *o = json_object();
    DEFER(buf_done) struct buf text;
    json_t *columns = NULL;
    buf_init(&text, JSON_MAX);
    CHECK(o != NULL, MEMORY);
    TRY(t->drawn == NULL ? put_at(t, o) : put_drawn(t, o));
    TRY(js_set(o, "default", js_real(otherwise)));
    TRY(feature_list_to_json(&t->by, &text));
    TRY(js_parse(buf_view(&text), "columns", NULL, &columns));
    TRY(js_set(o, "columns", columns));
    *ret_json = MOVE(o);
    return OK;
}

struct status
thresholds_hide_seed(json_t *o)
{
    struct digest digest;
    const char *seed = json_string_value(json_object_get(o, "seed"));
    DEFER(buf_done) struct buf hex;
    buf_init(&hex, 2 * DIGEST_BYTES + 1);
    if (seed == NULL) {
        return OK;
    }
    digest_of(view_str(seed), &digest);
    digest_put_hex(&hex, &digest);
    TRY(js_set(o, "seed_sha256", json_string(buf_str(&hex))));
    (void)json_object_del(o, "seed");
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
read_number(const json_t *value, struct diag *diag, double *ret_number)
{
    const double v = json_number_value(value);
    if (!json_is_number(value) || !(v >= 0 && v <= 1)) {
        return refuse(diag, "each one is a number from 0 to 1, and so is each chance");
    }
    *ret_number = v;
    return OK;
}

static struct status
read_list(const json_t *o, const char *key, const struct thresholds *t, struct diag *diag,
          json_t **ret_list)
{
    TRY(js_need_array(o, key, diag, ret_list));
    return json_array_size(*ret_list) == t->by.items[0].level_count
               ? OK
               : refuse(diag, "there must be one for each level");
}

static struct status
read_at(const json_t *o, struct diag *diag, struct thresholds *t)
{
    const uint32_t n = t->by.items[0].level_count;
    json_t *list = NULL;
    TRY(read_list(o, "at", t, diag, &list));
    t->at = calloc(n, sizeof *t->at);
    CHECK(t->at != NULL, MEMORY);
    for (uint32_t i = 0; i < n; i++) {
        TRY(read_number(json_array_get(list, i), diag, &t->at[i]));
    }
    return OK;
}

static struct status
read_chances(const json_t *o, const char *level, struct diag *diag, struct thresholds_chances *c)
{
    const char *group = json_string_value(json_object_get(o, "group"));
    const json_t *list = json_object_get(o, "chances");
    if (group == NULL || strcmp(group, level) != 0) {
        return refuse(diag, "groups are the column's levels, in the same order");
    }
    if (json_object_size(o) != KEYS_GROUP || json_array_size(list) != 3) {
        return refuse(diag, "a group has low, high and three chances");
    }
    TRY(read_number(json_object_get(o, "low"), diag, &c->low));
    TRY(read_number(json_object_get(o, "high"), diag, &c->high));
    for (size_t i = 0; i < 3; i++) {
        TRY(read_number(json_array_get(list, i), diag, &c->chance[i]));
    }
    if (c->low > c->high) {
        return refuse(diag, "low is at most high");
    }
    return c->chance[0] <= c->chance[1] && c->chance[1] <= c->chance[2]
               ? OK
               : refuse(diag, "a higher probability has no lower chance");
}

static void
make_key(struct thresholds *t)
{
    hmac_key_of(view_of(t->seed, sizeof t->seed), &t->key);
}

static struct status
read_seed(const json_t *o, struct diag *diag, struct thresholds *t)
{
    const char *hex = json_string_value(json_object_get(o, "seed"));
    DEFER(buf_wipe) struct buf seed;
    buf_init(&seed, THRESHOLDS_SEED_BYTES);
    if (hex == NULL || !status_ok(text_from_hex(view_str(hex), &seed)) ||
        seed.len != THRESHOLDS_SEED_BYTES) {
        return refuse(diag, "drawing needs a seed, 32 bytes in hexadecimal");
    }
    memcpy(t->seed, seed.ptr, sizeof t->seed);
    make_key(t);
    return OK;
}

static struct status
read_drawn(const json_t *o, struct diag *diag, struct thresholds *t)
{
    const struct feature *f = &t->by.items[0];
    json_t *list = NULL;
    TRY(read_seed(o, diag, t));
    TRY(read_list(o, "groups", t, diag, &list));
    t->drawn = calloc(f->level_count, sizeof *t->drawn);
    CHECK(t->drawn != NULL, MEMORY);
    for (uint32_t i = 0; i < f->level_count; i++) {
        TRY(read_chances(json_array_get(list, i), f->levels[i], diag, &t->drawn[i]));
    }
    return OK;
}

static struct status
read_format(const json_t *o, struct diag *diag, bool *ret_drawn)
{
    const char *format = NULL;
    TRY(js_need_string(o, "format", diag, &format));
    *ret_drawn = strcmp(format, FORMAT_DRAWN) == 0;
    if ((!*ret_drawn && strcmp(format, FORMAT_FIXED) != 0) ||
        json_object_size(o) != (*ret_drawn ? KEYS_DRAWN : KEYS_FIXED)) {
        return refuse(diag, "not of one of the formats that this program knows, " FORMAT_FIXED
                            " and " FORMAT_DRAWN);
    }
    return OK;
}

struct status
thresholds_from_json(const json_t *o, const struct feature_list *read, const char *label,
                     struct diag *diag, struct thresholds *ret_thresholds, double *ret_otherwise)
{
    bool drawn = false;
    json_t *columns = NULL;
    double otherwise = 0;
    DEFER(thresholds_done) struct thresholds t = {0};
    DEFER(buf_done) struct buf text;
    buf_init(&text, JSON_MAX);
    TRY(read_format(o, diag, &drawn));
    TRY(js_need_array(o, "columns", diag, &columns));
    TRY(js_put(&text, columns));
    TRY(feature_list_from_json(buf_view(&text), diag, &t.by));
    TRY(check_column(&t.by, read, label, diag));
    TRY(drawn ? read_drawn(o, diag, &t) : read_at(o, diag, &t));
    TRY(read_number(json_object_get(o, "default"), diag, &otherwise));
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

/* The rules of the kind that is wanted go to k->rule. */
static struct status
optimise(const struct thresholds_wish *wish, const struct column *c, struct diag *diag,
         struct chosen *k, json_t *note)
{
    const struct threshold_options *o = &wish->options;
    struct threshold_rule other[MITIGATE_MAX_GROUPS];
    struct threshold_plan fixed = {.rule = wish->drawn ? other : k->rule},
                          chance = {.rule = wish->drawn ? k->rule : other};
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
    TRY(js_set(note, "drawn", json_boolean(wish->drawn)));
    TRY(js_set(note, "kept", plan_json(wish->drawn ? &chance : &fixed)));
    return js_set(note, wish->drawn ? "deterministic" : "randomised",
                  plan_json(wish->drawn ? &fixed : &chance));
}

/* "Over x" is "from the next double on". Nobody: from 1 on, which is checked to be nobody. */
static double
from(const struct threshold *t)
{
    return isinf(t->at) ? (t->at > 0 ? 1 : 0) : nextafter(t->at, INFINITY);
}

/* That `made` decides every row as the rules do; to rounding, of chances. */
static struct status
check_same(const struct chosen *k, const struct thresholds *made, struct diag *diag)
{
    for (size_t i = 0; i < k->rows; i++) {
        const int32_t g = k->group[i];
        const double rule = threshold_decide(&k->rule[g], k->score[i]);
        if (made->drawn != NULL
                ? fabs(chance_of(&made->drawn[g], k->score[i]) - rule) > CHANCE_ERROR
                : (k->score[i] >= made->at[g]) != (rule > 0.5)) {
            return refuse(diag, "probabilities of 1 occur, which no threshold up to 1 refuses; try "
                                "another constraint, goal or tolerance");
        }
    }
    return OK;
}

/* Two thresholds and a coin as chances. What lies over an infinite threshold is nobody. */
static struct thresholds_chances
chances_of(const struct threshold_rule *r)
{
    const bool swap = r->threshold[0].at > r->threshold[1].at;
    const struct threshold *low = &r->threshold[swap], *high = &r->threshold[!swap];
    const double coin = r->ignore * r->constant, rest = 1 - r->ignore;
    const bool any = !(isinf(low->at) && low->at > 0), both = !(isinf(high->at) && high->at > 0);
    struct thresholds_chances c = {.low = from(low), .high = from(high)};
    c.chance[0] = coin;
    c.chance[1] = any ? coin + rest * r->p[swap] : coin;
    c.chance[2] = both ? coin + rest : c.chance[1];
    for (size_t i = 0; i < 3; i++) {
        c.chance[i] = fmin(fmax(c.chance[i], i == 0 ? 0 : c.chance[i - 1]), 1);
    }
    return c;
}

static struct status
make_rules(const struct thresholds_wish *wish, const struct chosen *k, struct thresholds *t)
{
    if (!wish->drawn) {
        t->at = calloc(k->groups, sizeof *t->at);
        CHECK(t->at != NULL, MEMORY);
        for (uint32_t g = 0; g < k->groups; g++) {
            t->at[g] = from(&k->rule[g].threshold[0]);
        }
        return OK;
    }
    t->drawn = calloc(k->groups, sizeof *t->drawn);
    CHECK(t->drawn != NULL, MEMORY);
    for (uint32_t g = 0; g < k->groups; g++) {
        t->drawn[g] = chances_of(&k->rule[g]);
    }
    random_bytes(t->seed, sizeof t->seed);
    make_key(t);
    return OK;
}

static struct status
make_thresholds(const struct thresholds_wish *wish, const struct column *c, const struct chosen *k,
                struct diag *diag, struct thresholds *t)
{
    struct feature *f = calloc(1, sizeof *f);
    CHECK(f != NULL, MEMORY);
    t->by = (struct feature_list){f, 1};
    f->type = c->type;
    f->name = strdup(c->name);
    f->levels = calloc(k->groups, sizeof *f->levels);
    CHECK(f->name != NULL && f->levels != NULL, MEMORY);
    for (uint32_t g = 0; g < k->groups; g++) {
        f->levels[g] = strdup(c->levels[k->level[g]]);
        CHECK(f->levels[g] != NULL, MEMORY);
        f->level_count++;
    }
    TRY(make_rules(wish, k, t));
    return check_same(k, t, diag);
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
    TRY(optimise(wish, c, diag, &k, note));
    TRY(make_thresholds(wish, c, &k, diag, &made));
    *ret_thresholds = made;
    *ret_note = MOVE(note);
    made = (struct thresholds){0};
    return OK;
}
