/* Thresholds by group: what a manifest may say, how they are chosen, what they decide, and that a
 * model with them is sealed, signed and assessed as any other. */
#include "testing/testing.h"

#include "base/file.h"
#include "base/secret.h"
#include "workspace/assessments.h"
#include "workspace/decisions.h"
#include "workspace/forge.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ROWS 900

struct room {
    char *dir;
    struct workspace *w;
    struct model *old;
};

/* The answer follows x; the x of "a" is higher than its answers are. Some rows have no
 * group. */
static void
put_rows(struct buf *csv)
{
    uint64_t s = 88172645463325252u;
    buf_init(csv, 1u << 20);
    buf_put_str(csv, "x,group,one,size,note,answer\n");
    for (int i = 0; i < ROWS; i++) {
        s ^= s << 13;
        s ^= s >> 7;
        s ^= s << 17;
        const unsigned x = (unsigned)(s >> 40) % 100 + (i % 3 == 0 ? 35 : 0),
                       noise = (unsigned)(s >> 20) % 60;
        const char *group = i % 20 == 0 ? "" : i % 3 == 0 ? "a" : "b";
        const unsigned mark = i % 3 == 0 ? 100 : 75;
        buf_printf(csv, "%u,%s,same,%d,n%d,%s\n", x, group, i, i,
                   x + noise / 2 > mark ? "yes" : "no");
    }
}

static void
add_and_train(struct room *r, const char *csv)
{
    static const char *const sensitive[] = {"group", "one", "size"};
    const struct import_override text[] = {
        {.column = "note", .has_type = true, .type = COLUMN_TEXT}};
    const struct import_options data = {.label = "answer",
                                        .positive = "yes",
                                        .sensitive = sensitive,
                                        .sensitive_count = 3,
                                        .overrides = text,
                                        .override_count = 1};
    struct model_train_options o = {.dataset = "people", .split = 0.7, .seed = 7};
    struct dataset_info info;
    struct diag diag = {0};
    train_defaults(&o.train);
    o.train.rounds = 10;
    o.train.threads = 1;
    assert_ok(dataset_add(r->w, "people", csv, &data, &diag, &info));
    assert_ok(model_train(r->w, "answers", &o, &diag, &r->old));
}

static int
set_up(void **state)
{
    struct room *r = calloc(1, sizeof *r);
    DEFER(secret_done) struct secret passphrase = {0};
    DEFER(buf_done) struct buf csv;
    r->dir = testing_dir();
    char home[512], path[512];
    (void)snprintf(home, sizeof home, "%s/home", r->dir);
    (void)snprintf(path, sizeof path, "%s/people.csv", r->dir);
    put_rows(&csv);
    testing_write(path, buf_view(&csv));
    assert_ok(secret_from(view_str("a passphrase"), &passphrase));
    const struct workspace_init_options init = {.passphrase = &passphrase};
    const struct workspace_open_options open = {.passphrase = &passphrase};
    assert_ok(workspace_init(home, &init, NULL));
    assert_ok(workspace_open(home, &open, NULL, &r->w));
    add_and_train(r, path);
    *state = r;
    return 0;
}

static int
tear_down(void **state)
{
    struct room *r = *state;
    model_free(r->old);
    workspace_close(r->w);
    testing_dirp(&r->dir);
    free(r);
    return 0;
}

static struct thresholds_wish
wish_of(const char *column)
{
    return (struct thresholds_wish){
        .column = column,
        .options = {.constraint = THRESHOLD_DEMOGRAPHIC_PARITY, .tolerance = 0.02}};
}

/* ---- what a manifest may say ---- */

#define COLUMN "{\"name\":\"g\",\"type\":\"category\",\"levels\":[\"a\",\"b\"]}"
#define THRESHOLDS(FORMAT, COLUMNS, AT, REST)                                                      \
    "{\"format\":\"" FORMAT "\",\"columns\":" COLUMNS ",\"at\":" AT ",\"default\":" REST "}"
#define KNOWN "steward-thresholds-1"

static struct status
read_text(const char *text, struct diag *diag, struct thresholds *t, double *otherwise)
{
    static char x[] = "x";
    static struct feature feature = {x, COLUMN_FLOAT, NULL, 0};
    const struct feature_list read = {&feature, 1};
    DEFER(js_freep) json_t *o = NULL;
    assert_ok(js_parse(view_str(text), "text", NULL, &o));
    return thresholds_from_json(o, &read, "answer", diag, t, otherwise);
}

static void
refuses_a_manifest_that_is_not_exactly_one_of_thresholds(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"{}", "format"},
        {THRESHOLDS("steward-thresholds-3", "[" COLUMN "]", "[0.1,0.2]", "0.5"), "the formats"},
        {THRESHOLDS("steward-thresholds-2", "[" COLUMN "]", "[0.1,0.2]", "0.5"), "the formats"},
        {THRESHOLDS(KNOWN, "[" COLUMN "]", "[0.1,0.2]", "0.5,\"flip\":true"), "the format"},
        {THRESHOLDS(KNOWN, "[]", "[]", "0.5"), "by one column"},
        {THRESHOLDS(KNOWN, "[" COLUMN "," COLUMN "]", "[0.1,0.2]", "0.5"), "twice"},
        {THRESHOLDS(KNOWN, "7", "[0.1,0.2]", "0.5"), "columns"},
        {THRESHOLDS(KNOWN, "[{\"name\":\"g\",\"type\":\"float\"}]", "[0.1]", "0.5"), "levels"},
        {THRESHOLDS(KNOWN, "[{\"name\":\"x\",\"type\":\"boolean\",\"levels\":[\"a\",\"b\"]}]",
                    "[0.1,0.2]", "0.5"),
         "reads or predicts"},
        {THRESHOLDS(KNOWN, "[{\"name\":\"answer\",\"type\":\"boolean\",\"levels\":[\"a\",\"b\"]}]",
                    "[0.1,0.2]", "0.5"),
         "reads or predicts"},
        {THRESHOLDS(KNOWN, "[" COLUMN "]", "[0.1]", "0.5"), "one for each level"},
        {THRESHOLDS(KNOWN, "[" COLUMN "]", "[0.1,0.2,0.3]", "0.5"), "one for each level"},
        {THRESHOLDS(KNOWN, "[" COLUMN "]", "[0.1,1.0000001]", "0.5"), "from 0 to 1"},
        {THRESHOLDS(KNOWN, "[" COLUMN "]", "[-1e-9,0.2]", "0.5"), "from 0 to 1"},
        {THRESHOLDS(KNOWN, "[" COLUMN "]", "[null,0.2]", "0.5"), "from 0 to 1"},
        {THRESHOLDS(KNOWN, "[" COLUMN "]", "[\"NaN\",0.2]", "0.5"), "from 0 to 1"},
        {THRESHOLDS(KNOWN, "[" COLUMN "]", "[0.1,0.2]", "2"), "from 0 to 1"},
        {THRESHOLDS(KNOWN, "[" COLUMN "]", "[0.1,0.2]", "null"), "from 0 to 1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct thresholds t = {0};
        struct diag diag = {0};
        double otherwise = 7;
        const struct status s = read_text(cases[i].text, &diag, &t, &otherwise);
        if (s.code != STATUS_INPUT || strstr(diag.text, cases[i].says) == NULL) {
            print_error("%s\n: %s: %s\n", cases[i].text, status_word(s.code), diag.text);
            fail();
        }
        assert_null(t.at);
        assert_near(otherwise, 7, 0);
    }
}

static void
reads_back_every_digit(void **state)
{
    (void)state;
    struct diag diag = {0};
    double otherwise = 0, again = 0;
    DEFER(thresholds_done) struct thresholds t = {0};
    DEFER(thresholds_done) struct thresholds u = {0};
    DEFER(js_freep) json_t *o = NULL;
    DEFER(buf_done) struct buf text;
    buf_init(&text, 1 << 16);
    assert_ok(read_text(THRESHOLDS(KNOWN, "[" COLUMN "]", "[0,1]", "0.5"), &diag, &t, &otherwise));
    t.at[0] = nextafter(0.1, 1);
    t.at[1] = nextafter(1, 0);
    assert_ok(thresholds_to_json(&t, nextafter(0.5, 1), &o));
    assert_ok(js_put(&text, o));
    assert_ok(read_text(buf_str(&text), &diag, &u, &again));
    assert_true(u.at[0] == t.at[0] && u.at[1] == t.at[1] && again == nextafter(0.5, 1));
    assert_string_equal(u.by.items[0].name, "g");
}

struct forged {
    const char *thresholds; /* NULL: none */
    bool one;
};

static void
edit(json_t *manifest, const void *ctx)
{
    const struct forged *f = ctx;
    DEFER(js_freep) json_t *set = NULL;
    if (f->thresholds != NULL) {
        assert_ok(js_parse(view_str(f->thresholds), "thresholds", NULL, &set));
        (void)json_object_set(manifest, "thresholds", set);
    }
    if (!f->one) {
        (void)json_object_del(manifest, "threshold");
    }
}

/* With such thresholds, with or without its one threshold. */
static struct status
forge(const struct room *r, const char *thresholds, bool one, struct diag *diag)
{
    const struct forged f = {thresholds, one};
    return forge_model(r->w, "answers", 1, edit, &f, diag);
}

static void
a_signed_manifest_that_is_wrong_makes_no_model(void **state)
{
    const struct room *r = *state;
    struct diag diag = {0};
    /* As a program that knows no thresholds reads one that has them: nothing decides. */
    assert_status(forge(r, NULL, false, &diag), INPUT);
    assert_says(&diag, "threshold");
    assert_status(forge(r, THRESHOLDS(KNOWN, "[" COLUMN "]", "[0.1,0.2]", "0.5"), true, &diag),
                  INTEGRITY);
    assert_says(&diag, "both one threshold and thresholds by group");
    assert_status(forge(r, THRESHOLDS(KNOWN, "[" COLUMN "]", "[1.5,0.2]", "0.5"), false, &diag),
                  INPUT);
    assert_says(&diag, "each one is a number from 0 to 1");
    assert_ok(forge(r, THRESHOLDS(KNOWN, "[" COLUMN "]", "[0.1,0.2]", "0.5"), false, &diag));
}

/* ---- choosing ---- */

static void
refuses_columns_that_make_no_groups(void **state)
{
    const struct room *r = *state;
    static const struct {
        const char *column, *says;
    } cases[] = {
        {"grup", "did you mean \"group\"?"},
        {"size", "is of type integer: thresholds are for the levels"},
        {"note", "is of type text"},
        {"one", "of 1 group; 2 are needed"},
        {"answer", "is the label"},
    };
    uint64_t newest = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct diag diag = {0};
        struct model *m = NULL;
        const struct thresholds_wish wish = wish_of(cases[i].column);
        assert_status(model_set_thresholds(r->w, r->old, &wish, 1, &diag, &m), INPUT);
        assert_says(&diag, cases[i].says);
        assert_null(m);
    }
    struct diag diag = {0};
    struct model *m = NULL;
    struct thresholds_wish wish = wish_of("group");
    wish.options.flip = true;
    assert_status(model_set_thresholds(r->w, r->old, &wish, 1, &diag, &m), INPUT);
    assert_says(&diag, "--flip is for files");
    assert_ok(registry_newest(r->w, "model", "answers", &newest));
    assert_int_equal(newest, 1); /* none was registered */
}

/* A table of one column "g" and as many rows as letters: '-' has no group. */
static struct table *
table_of(const struct room *r, const char *name, const char *letters)
{
    char path[512];
    struct table *t = NULL;
    struct diag diag = {0};
    DEFER(buf_done) struct buf csv;
    const struct import_override category[] = {
        {.column = name, .has_type = true, .type = COLUMN_CATEGORY}};
    const struct import_options o = {.overrides = category, .override_count = 1};
    buf_init(&csv, 1 << 16);
    buf_printf(&csv, "%s,i\n", name);
    for (size_t i = 0; letters[i] != '\0'; i++) {
        buf_printf(&csv, "%.*s,%zu\n", letters[i] != '-', &letters[i], i);
    }
    (void)snprintf(path, sizeof path, "%s/t.csv", r->dir);
    testing_write(path, buf_view(&csv));
    assert_ok(import_file(path, &o, &diag, &t));
    return t;
}

static void
chooses_on_used_rows_that_have_label_and_group(void **state)
{
    const struct room *r = *state;
    DEFER(table_freep) struct table *t = table_of(r, "g", "aaaabbbb-abc");
    const uint8_t used[] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 1, 0};
    const uint8_t y[] = {0, 0, 1, 1, 0, 0, 1, 1, 1, 1, 2, 1};
    const double score[] = {.1, .2, .3, .4, .6, .7, .8, .9, .5, .99, .01, .5};
    struct thresholds_wish wish = wish_of("g");
    struct diag diag = {0};
    DEFER(thresholds_done) struct thresholds made = {0};
    DEFER(js_freep) json_t *note = NULL;
    wish.options.tolerance = 0;
    assert_ok(thresholds_choose(&wish, t, used, y, score, &diag, &made, &note));
    assert_int_equal(made.by.items[0].level_count, 2); /* "c" is on no used row */
    assert_true(made.at[0] > .2 && made.at[0] <= .3);
    assert_true(made.at[1] > .7 && made.at[1] <= .8);
    assert_int_equal(json_integer_value(json_object_get(note, "rows")), 8);
    assert_int_equal(json_integer_value(json_object_get(note, "rows_left_out")), 2);
    const json_t *kept = json_object_get(note, "kept");
    assert_near(json_number_value(json_object_get(kept, "accuracy")), 1, 0);
    assert_near(json_number_value(json_object_get(kept, "gap")), 0, 0);
}

static void
says_which_group_lacks_an_outcome(void **state)
{
    const struct room *r = *state;
    DEFER(table_freep) struct table *t = table_of(r, "g", "aabb");
    const uint8_t used[] = {1, 1, 1, 1}, y[] = {0, 1, 1, 1};
    const double score[] = {.1, .2, .3, .4};
    const struct thresholds_wish wish = wish_of("g");
    struct diag diag = {0};
    struct thresholds made = {0};
    json_t *note = NULL;
    assert_status(thresholds_choose(&wish, t, used, y, score, &diag, &made, &note), INPUT);
    assert_says(&diag, "g = b: ");
    assert_null(made.at);
}

/* To select nobody needs a threshold over every score: none is, where a score is 1. */
static void
refuses_rules_that_no_threshold_says(void **state)
{
    const struct room *r = *state;
    DEFER(table_freep) struct table *t = table_of(r, "g", "aaaabb");
    const uint8_t used[] = {1, 1, 1, 1, 1, 1}, y[] = {0, 1, 0, 0, 1, 0};
    double score[] = {1, .1, .9, .8, .1, .9};
    const struct thresholds_wish wish = wish_of("g");
    struct diag diag = {0};
    DEFER(thresholds_done) struct thresholds made = {0};
    struct thresholds none = {0};
    json_t *note = NULL;
    DEFER(js_freep) json_t *made_note = NULL;
    assert_status(thresholds_choose(&wish, t, used, y, score, &diag, &none, &note), INPUT);
    assert_says(&diag, "probabilities of 1 occur");
    score[0] = .95;
    assert_ok(thresholds_choose(&wish, t, used, y, score, &diag, &made, &made_note));
    assert_near(made.at[0], 1, 0);
}

/* ---- the next version ---- */

struct tallied {
    double rows[2], selected[2], right, all;
};

/* The training rows with a group, counted by hand from the table and the probabilities. */
static void
count_training(const struct room *r, const struct model *m, struct tallied *c)
{
    struct dataset_info info;
    struct diag diag = {0};
    DEFER(table_freep) struct table *t = NULL;
    DEFER(js_freep) json_t *told = NULL;
    static uint8_t train[ROWS], y[ROWS], decision[ROWS];
    static float x[ROWS];
    static double p[ROWS], old[ROWS];
    assert_ok(dataset_load(r->w, "people", 0, &diag, &t, &info));
    assert_ok(model_select(m, &info, t, PART_TRAIN, &diag, train));
    assert_ok(table_binary_label(t, &diag, y));
    assert_ok(matrix_from_table(t, &m->features, NULL, &diag, x));
    model_predict(m, x, ROWS, 1, p);
    model_predict(r->old, x, ROWS, 1, old);
    assert_memory_equal(p, old, sizeof p);
    assert_ok(decisions_make(m, t, x, p, &diag, decision, &told));
    const struct column *g = table_column(t, "group");
    *c = (struct tallied){0};
    uint64_t missing = 0;
    for (size_t i = 0; i < ROWS; i++) {
        const bool null = column_is_null(g, i);
        missing += null;
        if (null) {
            assert_int_equal(decision[i], p[i] >= 0.5);
        } else if (train[i] != 0) {
            const int k = strcmp(g->levels[g->code[i]], "b") == 0;
            c->rows[k]++;
            c->selected[k] += decision[i];
            c->right += decision[i] == y[i];
            c->all++;
        }
    }
    assert_int_equal(json_integer_value(json_object_get(told, "rows_without_group")), missing);
    assert_true(missing > 0);
}

static void
the_next_version_decides_as_its_manifest_says(void **state)
{
    const struct room *r = *state;
    const struct thresholds_wish wish = wish_of("group");
    struct diag diag = {0};
    struct tallied c;
    DEFER(model_freep) struct model *m = NULL;
    DEFER(model_freep) struct model *again = NULL;
    DEFER(js_freep) json_t *record = NULL;
    assert_ok(model_set_thresholds(r->w, r->old, &wish, 1, &diag, &m));
    assert_ok(model_load(r->w, "answers", m->version, &diag, &again));
    assert_memory_equal(m->digest.bytes, again->digest.bytes, DIGEST_BYTES);
    assert_true(model_group(r->old) == NULL && model_group(again) != NULL);
    count_training(r, again, &c);
    assert_ok(model_describe(r->w, "answers", m->version, &diag, &record));
    const json_t *manifest = json_object_get(record, "manifest"),
                 *note = json_object_get(manifest, "mitigation"),
                 *kept = json_object_get(note, "kept");
    assert_null(json_object_get(manifest, "threshold"));
    assert_int_equal(json_integer_value(json_object_get(note, "rows")), (json_int_t)c.all);
    assert_near(json_number_value(json_object_get(kept, "accuracy")), c.right / c.all, 1e-12);
    assert_near(json_number_value(json_object_get(kept, "gap")),
                fabs(c.selected[0] / c.rows[0] - c.selected[1] / c.rows[1]), 1e-12);
    assert_true(json_number_value(json_object_get(kept, "gap")) <= 0.02 + 1e-12);
    assert_true(again->thresholds.at[0] > again->thresholds.at[1] + 0.01);
}

static struct assess_options
test_part(uint64_t version)
{
    struct assess_options o;
    assess_defaults(&o);
    o.model = "answers";
    o.model_version = version;
    o.dataset = "people";
    o.part = PART_TEST;
    o.settings.replicates = 50;
    o.threads = 1;
    return o;
}

static double
gap_of(const json_t *d)
{
    const json_t *list = json_object_get(json_object_get(d, "fairness"), "groupings");
    const json_t *groups = json_object_get(json_array_get(list, 0), "groups");
    double rate[2] = {0};
    for (size_t i = 0; i < 2; i++) {
        const json_t *metrics = json_object_get(json_array_get(groups, i), "metrics");
        const json_t *selected = json_object_get(metrics, "selection_rate");
        rate[i] = json_number_value(json_is_object(selected) ? json_object_get(selected, "value")
                                                             : selected);
    }
    return fabs(rate[0] - rate[1]);
}

/* Old and new have the same ranking; the new one's decisions are counted as its own. */
static void
its_assessment_is_of_its_decisions(void **state)
{
    const struct room *r = *state;
    const struct thresholds_wish wish = wish_of("group");
    struct diag diag = {0};
    DEFER(model_freep) struct model *m = NULL;
    DEFER(js_freep) json_t *a = NULL;
    DEFER(js_freep) json_t *b = NULL;
    assert_ok(model_set_thresholds(r->w, r->old, &wish, 1, &diag, &m));
    const struct assess_options before = test_part(1), after = test_part(m->version);
    assert_ok(assessment_make(r->w, &before, &diag, &a));
    assert_ok(assessment_make(r->w, &after, &diag, &b));
    const json_t *p = json_object_get(a, "performance"), *q = json_object_get(b, "performance");
    assert_true(json_equal(json_object_get(p, "roc_auc"), json_object_get(q, "roc_auc")));
    assert_false(json_equal(json_object_get(p, "counts"), json_object_get(q, "counts")));
    assert_null(json_object_get(a, "thresholds"));
    const json_t *told = json_object_get(b, "thresholds");
    assert_string_equal(json_string_value(json_object_get(told, "column")), "group");
    assert_true(json_integer_value(json_object_get(told, "rows_without_group")) > 0);
    assert_true(gap_of(a) > 0.2);
    assert_true(gap_of(b) < gap_of(a) / 2);
}

static void
groups_that_it_does_not_know_fall_to_the_default_and_are_told(void **state)
{
    const struct room *r = *state;
    const struct thresholds_wish wish = wish_of("group");
    struct diag diag = {0};
    DEFER(model_freep) struct model *m = NULL;
    DEFER(js_freep) json_t *told = NULL;
    DEFER(table_freep) struct table *t = table_of(r, "group", "abc-ba");
    DEFER(table_freep) struct table *other = table_of(r, "grup", "ab");
    uint8_t decision[6] = {0};
    const float x[6] = {0}; /* decides nothing */
    json_t *none = NULL;
    assert_ok(model_set_thresholds(r->w, r->old, &wish, 1, &diag, &m));
    const double a = m->thresholds.at[0], b = m->thresholds.at[1];
    const double p[] = {a, b, 0.5, nextafter(0.5, 0), nextafter(b, 0), nextafter(a, 0)};
    assert_ok(decisions_make(m, t, x, p, &diag, decision, &told));
    const uint8_t expected[] = {1, 1, 1, 0, 0, 0};
    assert_memory_equal(decision, expected, sizeof expected);
    assert_int_equal(json_integer_value(json_object_get(told, "rows_without_group")), 1);
    assert_int_equal(json_integer_value(json_object_get(told, "rows_of_other_groups")), 1);
    assert_status(decisions_make(m, other, x, p, &diag, decision, &none), INPUT);
    assert_says(&diag, "decides by \"group\": the table has no category column of that name");
    assert_null(none);
}

/* Thresholds of thresholds keep the forest's origin, and the default of the first. */
static void
thresholds_can_be_chosen_anew(void **state)
{
    const struct room *r = *state;
    struct thresholds_wish wish = wish_of("group");
    struct diag diag = {0};
    DEFER(model_freep) struct model *second = NULL;
    DEFER(model_freep) struct model *third = NULL;
    DEFER(js_freep) json_t *record = NULL;
    assert_ok(model_set_thresholds(r->w, r->old, &wish, 1, &diag, &second));
    wish.options.constraint = THRESHOLD_EQUALIZED_ODDS;
    wish.options.tolerance = 0.3;
    assert_ok(model_set_thresholds(r->w, second, &wish, 1, &diag, &third));
    assert_int_equal(third->version, second->version + 1);
    assert_near(third->threshold, 0.5, 0);
    assert_ok(model_describe(r->w, "answers", third->version, &diag, &record));
    const json_t *note = json_object_get(json_object_get(record, "manifest"), "mitigation");
    assert_int_equal(json_integer_value(json_object_get(note, "based_on")),
                     (json_int_t)second->version);
    assert_null(json_object_get(note, "earlier"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_a_manifest_that_is_not_exactly_one_of_thresholds),
        cmocka_unit_test(reads_back_every_digit),
        cmocka_unit_test(refuses_columns_that_make_no_groups),
        cmocka_unit_test(a_signed_manifest_that_is_wrong_makes_no_model),
        cmocka_unit_test(chooses_on_used_rows_that_have_label_and_group),
        cmocka_unit_test(says_which_group_lacks_an_outcome),
        cmocka_unit_test(refuses_rules_that_no_threshold_says),
        cmocka_unit_test(the_next_version_decides_as_its_manifest_says),
        cmocka_unit_test(its_assessment_is_of_its_decisions),
        cmocka_unit_test(groups_that_it_does_not_know_fall_to_the_default_and_are_told),
        cmocka_unit_test(thresholds_can_be_chosen_anew),
    };
    return cmocka_run_group_tests_name("workspace/thresholds", tests, set_up, tear_down);
}
