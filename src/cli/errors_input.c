#include "cli/errors_input.h"

#include "base/text.h"
#include "cli/cohort_rows.h"
#include "cli/plain_files.h"
#include "data/cohort.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FEW_VALUES 20u /* a label of more whole numbers is a number */
#define MISSING UINT32_MAX

void
errors_data_done(struct errors_data *d)
{
    for (uint32_t k = 0; d->classes != NULL && k < d->class_count; k++) {
        free(d->classes[k]);
    }
    for (uint32_t f = 0; d->features != NULL && f < d->feature_count; f++) {
        free((void *)(uintptr_t)d->features[f].value);
    }
    for (uint32_t i = 0; i < d->cohort_count; i++) {
        free((void *)(uintptr_t)d->cohorts[i].in);
    }
    free(d->keep);
    free(d->label);
    free(d->decision);
    free(d->truth);
    free(d->prediction);
    free(d->score);
    free(d->row_number);
    free(d->classes);
    free(d->features);
}

/* ---- columns ---- */

static bool
has_levels(const struct column *c)
{
    return c->type == COLUMN_CATEGORY || c->type == COLUMN_BOOLEAN;
}

static struct status
need_column(const struct table *t, const struct errors_request *q, const char *option,
            const char *name, struct diag *diag, const struct column **ret_column)
{
    TRY(table_need_column(t, q->path, name, diag, ret_column));
    if ((*ret_column)->type == COLUMN_TEXT) {
        diag_set(diag,
                 "%.200s: column \"%.100s\" of --%s is text with too many different values for "
                 "classes",
                 q->path, name, option);
        FAIL(INPUT);
    }
    return OK;
}

static int
compare_numbers(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* The distinct values of a column, up to `most` of them and one more; in order. */
static struct status
distinct_numbers(const struct column *c, uint64_t rows, size_t most, double *ret_values,
                 size_t *ret_count)
{
    DEFER(memory_freep) double *all = calloc((size_t)rows + 1, sizeof *all);
    CHECK(all != NULL, MEMORY);
    size_t n = 0, kept = 0;
    for (uint64_t i = 0; i < rows; i++) {
        const double v = column_number(c, i);
        all[n] = v + 0.0; /* -0 is 0 */
        n += isnan(v) ? 0 : 1;
    }
    qsort(all, n, sizeof *all, compare_numbers);
    for (size_t i = 0; i < n && kept <= most; i++) {
        if (i == 0 || all[i] > all[i - 1]) {
            ret_values[kept++] = all[i];
        }
    }
    *ret_count = kept;
    return OK;
}

static bool
all_whole(const double *values, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!(floor(values[i]) >= values[i])) {
            return false;
        }
    }
    return true;
}

/* ---- which kind ---- */

struct taking {
    const struct table *t;
    const struct errors_request *q;
    struct diag *diag;
    struct errors_data *d;
    struct errors_input *in;
    const struct column *label, *prediction, *score;
    bool shared;     /* label and prediction have a class in common */
    uint8_t *inside; /* rows of the table: the condition of --within holds; NULL: all */
    struct outcome outcome;
};

static struct status
infer_kind(struct taking *k, enum errors_kind *ret_kind)
{
    double values[FEW_VALUES + 1], told[ERRORS_MAX_CLASSES + 1];
    size_t n = 0, m = 0;
    *ret_kind = ERRORS_CLASSES;
    if (k->prediction == NULL || has_levels(k->prediction)) {
        return OK;
    }
    TRY(distinct_numbers(k->prediction, k->t->rows, ERRORS_MAX_CLASSES, told, &m));
    const bool many = !all_whole(told, m) || m > ERRORS_MAX_CLASSES;
    if (!has_levels(k->label)) {
        TRY(distinct_numbers(k->label, k->t->rows, FEW_VALUES, values, &n));
    }
    if (many && n <= 2) {
        diag_set(k->diag,
                 "%.200s: \"%.100s\" is not a value of \"%.100s\" in every row: a probability goes "
                 "with --score (and --threshold), numbers that are meant as such with --task "
                 "numeric",
                 k->q->path, k->prediction->name, k->label->name);
        FAIL(INPUT);
    }
    if (has_levels(k->label)) {
        return OK;
    }
    if (many || n > FEW_VALUES || !all_whole(values, n)) {
        *ret_kind = ERRORS_NUMERIC;
    } else if (n > 2) {
        TRY(plain_remark(k->in->remarks,
                         "\"%s\" is taken as %zu classes, since its values are few and whole; "
                         "--task numeric takes it as a number",
                         k->label->name, n));
    }
    return OK;
}

static struct status
choose_kind(struct taking *k, enum errors_kind *ret_kind)
{
    const char *word = k->q->kind;
    if (word == NULL) {
        return infer_kind(k, ret_kind);
    }
    if (strcmp(word, "binary") == 0 || strcmp(word, "classes") == 0) {
        *ret_kind = ERRORS_CLASSES; /* binary when there are two */
        return OK;
    }
    if (strcmp(word, "numeric") != 0) {
        diag_set(k->diag, "--task %s: binary, classes or numeric", word);
        FAIL(INPUT);
    }
    *ret_kind = ERRORS_NUMERIC;
    if (k->prediction == NULL || has_levels(k->label) || has_levels(k->prediction)) {
        diag_set(k->diag, "--task numeric: label and prediction must be columns of numbers");
        FAIL(INPUT);
    }
    return OK;
}

/* ---- classes ---- */

static void
put_class(const struct column *c, bool as_number, uint64_t row, struct buf *b)
{
    if (has_levels(c) && !as_number) {
        column_put_text(c, row, b);
    } else {
        text_put_f64(b, column_number(c, row) + 0.0);
    }
}

static int
compare_names(const void *a, const void *b)
{
    double x = 0, y = 0;
    const char *p = *(const char *const *)a, *q = *(const char *const *)b;
    if (status_ok(text_to_f64(view_str(p), &x)) && status_ok(text_to_f64(view_str(q), &y)) &&
        (x < y || x > y)) {
        return x < y ? -1 : 1;
    }
    return strcmp(p, q);
}

static uint32_t
find_class(const struct errors_data *d, const char *name)
{
    for (uint32_t k = 0; k < d->class_count; k++) {
        if (strcmp(d->classes[k], name) == 0) {
            return k;
        }
    }
    return MISSING;
}

static struct status
add_class(struct taking *k, const char *name)
{
    if (find_class(k->d, name) != MISSING) {
        k->shared = true;
        return OK;
    }
    if (k->d->class_count == ERRORS_MAX_CLASSES) {
        diag_set(k->diag, "%.200s: more than %u classes; numbers go with --task numeric",
                 k->q->path, ERRORS_MAX_CLASSES);
        FAIL(LIMIT);
    }
    char *copy = strdup(name);
    CHECK(copy != NULL, MEMORY);
    k->d->classes[k->d->class_count++] = copy;
    return OK;
}

/* A run of equal values is looked up once. */
static struct status
add_classes(struct taking *k, const struct column *c, bool as_number)
{
    DEFER(memory_freep) uint8_t *seen = calloc((size_t)c->level_count + 1, 1);
    CHECK(seen != NULL, MEMORY);
    double last = NAN;
    DEFER(buf_done) struct buf name;
    buf_init(&name, 1u << 20);
    for (size_t i = 0; i < k->d->rows; i++) {
        const uint64_t row = k->d->keep[i];
        const double v = column_number(c, row);
        const bool known = has_levels(c) ? seen[(uint32_t)v] != 0 : v >= last && v <= last;
        if (known) {
            continue;
        }
        if (has_levels(c)) {
            seen[(uint32_t)v] = 1;
        }
        last = v;
        buf_reset(&name);
        put_class(c, as_number, row, &name);
        TRY(buf_status(&name));
        TRY(add_class(k, buf_str(&name)));
    }
    return OK;
}

static struct status
code_column(const struct taking *k, const struct column *c, bool as_number, uint32_t *ret_code)
{
    DEFER(buf_done) struct buf name;
    double last = NAN;
    uint32_t code = MISSING;
    buf_init(&name, 1u << 20);
    for (size_t i = 0; i < k->d->rows; i++) {
        const uint64_t row = k->d->keep[i];
        const double v = column_number(c, row);
        if (!(v >= last && v <= last)) {
            buf_reset(&name);
            put_class(c, as_number, row, &name);
            TRY(buf_status(&name));
            code = find_class(k->d, buf_str(&name));
            last = v;
        }
        ret_code[i] = code;
    }
    return OK;
}

static struct status
list_classes(const struct taking *k, const char *what)
{
    DEFER(buf_done) struct buf list;
    buf_init(&list, 4096);
    for (uint32_t i = 0; i < k->d->class_count && i < 8; i++) {
        buf_printf(&list, "%s\"%.40s\"", i > 0 ? ", " : "", k->d->classes[i]);
    }
    diag_set(k->diag, "%.200s: %s; the values are %s%s", k->q->path, what, buf_str(&list),
             k->d->class_count > 8 ? ", ..." : "");
    FAIL(INPUT);
}

/* Of two classes the positive one comes second. */
static struct status
place_positive(struct taking *k)
{
    struct errors_data *d = k->d;
    uint32_t at = MISSING;
    if (k->q->positive != NULL) {
        at = find_class(d, k->q->positive);
        if (at == MISSING) {
            return list_classes(k, "no value is the one of --positive");
        }
    }
    for (uint32_t i = 0; at == MISSING && i < d->class_count; i++) {
        at = text_means_yes(d->classes[i]) ? i : MISSING;
    }
    if (at == MISSING) {
        return list_classes(k, "say which is the positive one with --positive VALUE");
    }
    char *swap = d->classes[at];
    d->classes[at] = d->classes[1];
    d->classes[1] = swap;
    return OK;
}

static struct status
decide_by_score(struct taking *k)
{
    for (size_t i = 0; i < k->d->rows; i++) {
        k->d->decision[i] = column_number(k->score, k->d->keep[i]) >= k->q->threshold ? 1 : 0;
    }
    return plain_remark(k->in->remarks, "decided by \"%s\" >= %g, as no --prediction was given",
                        k->score->name, k->q->threshold);
}

static struct status
remark_on_one_decision(struct taking *k)
{
    const struct errors_data *d = k->d;
    for (size_t i = 1; i < d->rows; i++) {
        if (d->decision[i] != d->decision[0]) {
            return OK;
        }
    }
    return plain_remark(k->in->remarks,
                        "every row is decided alike, as \"%.100s\": a constant prediction tells "
                        "nothing apart",
                        d->classes[d->decision[0]]);
}

static struct status
take_classes(struct taking *k)
{
    struct errors_data *d = k->d;
    const struct column *p = k->prediction;
    /* "no" and "yes" beside 0 and 1 are the same classes. */
    const bool as_number = p != NULL && has_levels(p) != has_levels(k->label) &&
                           (p->type == COLUMN_BOOLEAN || k->label->type == COLUMN_BOOLEAN);
    d->label = calloc(d->rows + 1, sizeof *d->label);
    d->decision = calloc(d->rows + 1, sizeof *d->decision);
    d->classes = calloc(ERRORS_MAX_CLASSES + 1, sizeof *d->classes);
    CHECK(d->label != NULL && d->decision != NULL && d->classes != NULL, MEMORY);
    TRY(add_classes(k, k->label, as_number));
    const uint32_t of_label = d->class_count;
    if (p != NULL) {
        k->shared = false;
        TRY(add_classes(k, p, as_number));
        if (!k->shared && d->class_count > 2) {
            return list_classes(k, "label and prediction have no value in common");
        }
    }
    if (d->class_count == 1) {
        return list_classes(k, "one class only: there is nothing to tell right from wrong");
    }
    qsort(d->classes, d->class_count, sizeof *d->classes, compare_names);
    if (of_label == 1) {
        TRY(plain_remark(k->in->remarks,
                         "\"%s\" has one value only: what is a share of the other class is unknown",
                         k->label->name));
    }
    if (d->class_count == 2) {
        TRY(place_positive(k));
    }
    TRY(code_column(k, k->label, as_number, d->label));
    k->in->outcome =
        (struct errors_outcome){.kind = d->class_count == 2 ? ERRORS_BINARY : ERRORS_CLASSES,
                                .rows = d->rows,
                                .classes = d->class_count,
                                .label = d->label,
                                .decision = d->decision};
    k->in->classes = (const char *const *)d->classes;
    if (p == NULL && d->class_count != 2) {
        return list_classes(k, "a --score decides between two classes");
    }
    TRY(p == NULL ? decide_by_score(k) : code_column(k, p, as_number, d->decision));
    return remark_on_one_decision(k);
}

static struct status
take_numbers(struct taking *k)
{
    struct errors_data *d = k->d;
    d->truth = calloc(d->rows + 1, sizeof *d->truth);
    d->prediction = calloc(d->rows + 1, sizeof *d->prediction);
    CHECK(d->truth != NULL && d->prediction != NULL, MEMORY);
    for (size_t i = 0; i < d->rows; i++) {
        d->truth[i] = column_number(k->label, d->keep[i]);
        d->prediction[i] = column_number(k->prediction, d->keep[i]);
    }
    k->in->outcome = (struct errors_outcome){
        .kind = ERRORS_NUMERIC, .rows = d->rows, .truth = d->truth, .prediction = d->prediction};
    return OK;
}

/* ---- rows ---- */

static bool
is_usable(const struct column *c, uint64_t row, bool finite)
{
    return c == NULL || (!column_is_null(c, row) && (!finite || isfinite(column_number(c, row))));
}

/* A score is only needed where it decides, and of two classes. */
static struct status
choose_rows(struct taking *k)
{
    const struct table *t = k->t;
    struct errors_data *d = k->d;
    uint64_t outside = 0, without = 0;
    CHECK(t->rows < UINT32_MAX, LIMIT);
    d->keep = calloc((size_t)t->rows + 1, sizeof *d->keep);
    CHECK(d->keep != NULL, MEMORY);
    const struct column *decides = k->prediction != NULL ? k->prediction : k->score;
    for (uint64_t i = 0; i < t->rows; i++) {
        const bool in = k->inside == NULL || k->inside[i] != 0;
        const bool usable = is_usable(k->label, i, !has_levels(k->label)) &&
                            is_usable(decides, i, !has_levels(decides));
        d->keep[d->rows] = (uint32_t)i;
        d->rows += in && usable;
        outside += !in;
        without += in && !usable;
    }
    if (k->inside != NULL) {
        const char *name = k->q->within_name;
        TRY(plain_remark(k->in->remarks,
                         "left out, as they are outside --within: %llu rows; within is %s%s%.600s",
                         (unsigned long long)outside, name == NULL ? "" : name,
                         name == NULL ? "" : ", ", k->q->within));
    }
    if (without > 0) {
        TRY(plain_remark(k->in->remarks,
                         "left out, for want of a finite \"%s\" or \"%s\": %llu of the rows",
                         k->label->name, decides->name, (unsigned long long)without));
    }
    if (d->rows == 0) {
        diag_set(k->diag, "%.200s: no row has both \"%.100s\" and \"%.100s\"%s", k->q->path,
                 k->label->name, decides->name, outside > 0 ? " within --within" : "");
        FAIL(INPUT);
    }
    d->row_number = calloc(d->rows, sizeof *d->row_number);
    CHECK(d->row_number != NULL, MEMORY);
    for (size_t i = 0; i < d->rows; i++) {
        d->row_number[i] = (uint64_t)d->keep[i] + 1;
    }
    return OK;
}

/* As steward fairness does. */
static struct status
leave_out_scoreless(struct taking *k)
{
    struct errors_data *d = k->d;
    size_t kept = 0;
    for (size_t i = 0; i < d->rows; i++) {
        d->keep[kept] = d->keep[i];
        d->row_number[kept] = d->row_number[i];
        d->label[kept] = d->label[i];
        d->decision[kept] = d->decision[i];
        kept += !column_is_null(k->score, d->keep[i]);
    }
    if (kept == 0) {
        diag_set(k->diag,
                 "%.200s: no row that is assessed has a score, \"%.100s\": leave --score out",
                 k->q->path, k->score->name);
        FAIL(INPUT);
    }
    const size_t without = d->rows - kept;
    d->rows = k->in->outcome.rows = kept;
    return without == 0 ? OK
                        : plain_remark(k->in->remarks,
                                       "left out, for want of a score, \"%s\": %zu of the rows",
                                       k->score->name, without);
}

static struct status
take_score(struct taking *k)
{
    struct errors_data *d = k->d;
    if (k->score == NULL) {
        return OK;
    }
    if (k->in->outcome.kind != ERRORS_BINARY) {
        return plain_remark(k->in->remarks, "--score is looked at for two classes only");
    }
    TRY(leave_out_scoreless(k));
    d->score = calloc(d->rows + 1, sizeof *d->score);
    CHECK(d->score != NULL, MEMORY);
    for (size_t i = 0; i < d->rows; i++) {
        d->score[i] = column_number(k->score, d->keep[i]);
        if (!(d->score[i] >= 0 && d->score[i] <= 1)) {
            diag_set(
                k->diag,
                "%.200s: column \"%.100s\" row %llu: %.6g is no probability: a score is from 0 "
                "to 1; leave --score out where there are none",
                k->q->path, k->score->name, (unsigned long long)d->keep[i] + 1, d->score[i]);
            FAIL(INPUT);
        }
    }
    k->in->score = d->score;
    return OK;
}

/* ---- features ---- */

static bool
is_wanted(const struct taking *k, const struct column *c)
{
    if (c == k->label || c == k->prediction || c == k->score) {
        return false;
    }
    for (size_t i = 0; i < k->q->feature_count; i++) {
        if (strcmp(k->q->features[i], c->name) == 0) {
            return true;
        }
    }
    return k->q->feature_count == 0;
}

/* Why it is not looked at, or NULL. */
static const char *
obstacle(const struct taking *k, const struct column *c)
{
    if (c->type == COLUMN_TEXT) {
        return "is text with too many different values";
    }
    if (c->type == COLUMN_TIME) {
        return "is a time";
    }
    if (k->q->feature_count == 0 && (c->role == ROLE_IDENTIFIER || c->role == ROLE_IGNORED)) {
        return c->role == ROLE_IGNORED ? "has the role ignored" : "has the role identifier";
    }
    for (size_t i = 0; i < k->d->rows; i++) {
        if (!column_is_null(c, k->d->keep[i])) {
            return NULL;
        }
    }
    return "has no value in any row";
}

static struct status
take_feature(struct taking *k, const struct column *c)
{
    struct errors_data *d = k->d;
    const char *why = obstacle(k, c);
    if (why != NULL) {
        return plain_remark(k->in->remarks, "column \"%s\" %s and is not looked at", c->name, why);
    }
    double *value = calloc(d->rows + 1, sizeof *value);
    CHECK(value != NULL, MEMORY);
    for (size_t i = 0; i < d->rows; i++) {
        value[i] = column_number(c, d->keep[i]);
    }
    d->features[d->feature_count++] =
        (struct assessment_feature){.name = c->name,
                                    .value = value,
                                    .levels = (const char *const *)c->levels,
                                    .level_count = has_levels(c) ? c->level_count : 0};
    return OK;
}

static struct status
take_features(struct taking *k)
{
    const struct column *ignored = NULL;
    for (size_t i = 0; i < k->q->feature_count; i++) {
        TRY(table_need_column(k->t, k->q->path, k->q->features[i], k->diag, &ignored));
    }
    k->d->features = calloc((size_t)k->t->column_count + 1, sizeof *k->d->features);
    CHECK(k->d->features != NULL, MEMORY);
    for (uint32_t i = 0; i < k->t->column_count; i++) {
        if (is_wanted(k, &k->t->columns[i])) {
            TRY(take_feature(k, &k->t->columns[i]));
        }
    }
    k->in->features = k->d->features;
    k->in->feature_count = k->d->feature_count;
    return OK;
}

/* ---- cohorts ---- */

static struct status
take_cohort(struct taking *k, size_t which, uint8_t *all)
{
    struct errors_data *d = k->d;
    const char *cohort = k->q->cohorts[which];
    const char *name = k->q->cohort_names[which];
    uint64_t unknown = 0;
    TRY(cohort_select(k->t, &k->outcome, cohort, k->diag, all, &unknown));
    TRY(cohort_rows_remark(k->in->remarks, name == NULL ? cohort : name, cohort, unknown));
    uint8_t *in = calloc(d->rows + 1, 1);
    CHECK(in != NULL, MEMORY);
    for (size_t i = 0; i < d->rows; i++) {
        in[i] = all[d->keep[i]];
    }
    d->cohorts[d->cohort_count++] =
        (struct errors_cohort){.name = name, .cohort = cohort, .in = in};
    return OK;
}

static struct status
take_cohorts(struct taking *k)
{
    DEFER(memory_freep) uint8_t *all = calloc((size_t)k->t->rows + 1, 1);
    CHECK(all != NULL, MEMORY);
    CHECK(k->q->cohort_count <= ERRORS_MAX_COHORTS, LIMIT);
    for (size_t i = 0; i < k->q->cohort_count; i++) {
        TRY(take_cohort(k, i, all));
    }
    k->in->cohorts = k->d->cohorts;
    k->in->cohort_count = k->d->cohort_count;
    return OK;
}

static struct status
find_columns(struct taking *k)
{
    const struct errors_request *q = k->q;
    TRY(need_column(k->t, q, "label", q->label, k->diag, &k->label));
    if (q->prediction != NULL) {
        TRY(need_column(k->t, q, "prediction", q->prediction, k->diag, &k->prediction));
    }
    if (q->score != NULL) {
        TRY(need_column(k->t, q, "score", q->score, k->diag, &k->score));
        if (has_levels(k->score)) {
            diag_set(k->diag, "%.200s: column \"%.100s\" of --score is not a number", q->path,
                     q->score);
            FAIL(INPUT);
        }
    }
    k->in->label = k->label->name;
    k->in->prediction = k->prediction == NULL ? k->score->name : k->prediction->name;
    k->in->score_name = k->score == NULL ? NULL : k->score->name;
    return OK;
}

static struct status
take_within(struct taking *k, uint8_t *inside)
{
    uint64_t unknown = 0;
    const char *within = k->q->within, *name = k->q->within_name;
    if (within == NULL) {
        return OK;
    }
    k->inside = inside;
    TRY(cohort_select(k->t, &k->outcome, within, k->diag, inside, &unknown));
    return cohort_rows_remark(k->in->remarks, name == NULL ? within : name, within, unknown);
}

static struct status
take(struct taking *k, uint8_t *inside)
{
    enum errors_kind kind = ERRORS_CLASSES;
    k->in->rows_read = k->t->rows;
    TRY(find_columns(k));
    TRY(choose_kind(k, &kind));
    k->outcome = (struct outcome){.table = k->t,
                                  .label = k->label,
                                  .prediction = k->prediction,
                                  .score = k->score,
                                  .positive = k->q->positive,
                                  .threshold = k->q->threshold,
                                  .numeric = kind == ERRORS_NUMERIC};
    TRY(take_within(k, inside));
    TRY(choose_rows(k));
    TRY(kind == ERRORS_NUMERIC ? take_numbers(k) : take_classes(k));
    k->in->row_number = k->d->row_number;
    TRY(take_score(k));
    TRY(take_features(k));
    return take_cohorts(k);
}

struct status
errors_data_take(const struct table *t, const struct errors_request *q, struct diag *diag,
                 struct errors_data *d, struct errors_input *in)
{
    DEFER(memory_freep) uint8_t *inside = calloc((size_t)t->rows + 1, 1);
    CHECK(inside != NULL, MEMORY);
    if (q->prediction == NULL && q->score == NULL) {
        diag_set(diag, "errors: --prediction COLUMN is needed, or --score COLUMN");
        FAIL(INPUT);
    }
    struct taking k = {.t = t, .q = q, .diag = diag, .d = d, .in = in};
    const struct status s = take(&k, inside);
    outcome_done(&k.outcome);
    return s;
}
