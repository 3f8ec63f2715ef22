#include "data/outcome.h"

#include "base/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define VALUE_BYTES ((size_t)1 << 20)

enum which { ROW, PREDICTION, SCORE, ERROR, OUTCOME };

static const char *const words[OUTCOME_COLUMNS] = {"row", "prediction", "score", "error",
                                                   "outcome"};
/* In order, as a category's levels are. */
static const char *const of_positive[] = {"false negative", "false positive", "true negative",
                                          "true positive"};
static const char *const of_classes[] = {"correct", "incorrect"};

void
outcome_done(struct outcome *o)
{
    while (o->owned_count > 0) {
        free(o->owned[--o->owned_count]);
    }
}

/* ---- memory ---- */

static struct status
own(struct outcome *o, void *memory)
{
    CHECK(memory != NULL, MEMORY);
    ASSERT(o->owned_count < OUTCOME_OWNED);
    o->owned[o->owned_count++] = memory;
    return OK;
}

static struct status
own_nulls(struct outcome *o, struct column *c)
{
    c->null = calloc((size_t)o->table->rows + 1, 1);
    return own(o, c->null);
}

static struct status
own_codes(struct outcome *o, const char *const *levels, uint32_t n, struct column *c)
{
    c->type = COLUMN_CATEGORY;
    c->levels = (char **)(uintptr_t)levels;
    c->level_count = n;
    c->code = calloc((size_t)o->table->rows + 1, sizeof *c->code);
    TRY(own(o, c->code));
    return own_nulls(o, c);
}

static void
put_code(struct column *c, uint64_t row, int32_t code)
{
    c->code[row] = code;
    c->null[row] = code < 0;
    c->nulls += code < 0;
}

/* ---- values as text ---- */

/* The texts of a column, each made once for a run of equal values. */
struct speller {
    const struct column *c;
    bool as_number; /* of a boolean, beside numbers */
    double last;
    struct buf text;
};

static void
speller_done(struct speller *s)
{
    buf_done(&s->text);
}

static void
speller_init(struct speller *s, const struct column *c, const struct column *beside)
{
    const bool levels = c->levels != NULL, other = beside != NULL && beside->levels != NULL;
    const bool boolean = c->type == COLUMN_BOOLEAN || (other && beside->type == COLUMN_BOOLEAN);
    *s = (struct speller){
        .c = c, .as_number = beside != NULL && levels != other && boolean, .last = NAN};
    buf_init(&s->text, VALUE_BYTES);
}

/* NULL where there is no value. */
static const char *
spell(struct speller *s, uint64_t row)
{
    const double v = column_number(s->c, row);
    if (isnan(v)) {
        return NULL;
    }
    if (!(v >= s->last && v <= s->last)) {
        buf_reset(&s->text);
        if (s->as_number) {
            text_put_f64(&s->text, v);
        } else {
            column_put_text(s->c, row, &s->text);
        }
        s->last = v;
    }
    return buf_str(&s->text);
}

/* Beside numbers a boolean's spelling is 0 or 1. */
static const char *
positive_as_spelled(const struct speller *a, const struct speller *b, const char *positive)
{
    static const char *const numbers[] = {"0", "1"};
    const struct column *boolean = a->c->levels != NULL ? a->c : b->c;
    for (unsigned k = 0; positive != NULL && a->as_number && k < 2; k++) {
        if (strcmp(boolean->levels[k], positive) == 0) {
            return numbers[k];
        }
    }
    return positive;
}

/* ---- which class is positive ---- */

/* Up to three different values: of two classes there are no more. */
struct classes {
    struct buf value[3];
    unsigned count;
};

static void
classes_done(struct classes *k)
{
    for (unsigned i = 0; i < 3; i++) {
        buf_done(&k->value[i]);
    }
}

static void
classes_add(struct classes *k, const char *value)
{
    for (unsigned i = 0; i < k->count; i++) {
        if (text_is_same_value(buf_str(&k->value[i]), value)) {
            return;
        }
    }
    if (k->count < 3) {
        buf_init(&k->value[k->count], VALUE_BYTES);
        buf_put_str(&k->value[k->count++], value);
    }
}

static void
classes_of(const struct outcome *o, const struct column *c, const struct column *beside,
           struct classes *k)
{
    DEFER(speller_done) struct speller s;
    speller_init(&s, c, beside);
    for (uint64_t i = 0; i < o->table->rows && k->count < 3; i++) {
        const char *value = spell(&s, i);
        if (value != NULL) {
            classes_add(k, value);
        }
    }
}

/* The one that says yes, if there are two. */
static const char *
positive_of(const struct classes *k)
{
    const char *positive = NULL;
    for (unsigned i = 0; k->count <= 2 && i < k->count; i++) {
        positive = text_means_yes(buf_str(&k->value[i])) ? buf_str(&k->value[i]) : positive;
    }
    return positive;
}

static const char *
negative_of(const struct classes *k, const char *positive)
{
    const char *negative = "not positive";
    for (unsigned i = 0; k->count <= 2 && i < k->count; i++) {
        const char *value = buf_str(&k->value[i]);
        negative = text_is_same_value(value, positive) ? negative : value;
    }
    return negative;
}

static struct status
own_text(struct outcome *o, const char *text, const char **ret_text)
{
    char *copy = strdup(text);
    TRY(own(o, copy));
    *ret_text = copy;
    return OK;
}

/* *ret_positive is NULL when no class is positive: then there is a prediction to compare. */
static struct status
find_positive(struct outcome *o, struct diag *diag, const char **ret_positive,
              const char **ret_negative)
{
    DEFER(classes_done) struct classes k = {0};
    if (o->label != NULL) {
        classes_of(o, o->label, o->prediction, &k);
    }
    if (o->prediction != NULL) {
        classes_of(o, o->prediction, o->label, &k);
    }
    const char *positive = o->positive != NULL ? o->positive : positive_of(&k);
    if (positive == NULL && o->prediction == NULL) {
        diag_set(diag, "cohort: the score is of a positive class: say which that is");
        FAIL(INPUT);
    }
    *ret_positive = NULL;
    if (positive == NULL) {
        return OK;
    }
    TRY(own_text(o, negative_of(&k, positive), ret_negative));
    return own_text(o, positive, ret_positive);
}

/* ---- each column ---- */

static struct status
make_row(struct outcome *o, struct column *c)
{
    c->type = COLUMN_INTEGER;
    c->i = calloc((size_t)o->table->rows + 1, sizeof *c->i);
    TRY(own(o, c->i));
    for (uint64_t i = 0; i < o->table->rows; i++) {
        c->i[i] = (int64_t)i + 1;
    }
    return OK;
}

static struct status
make_by_score(struct outcome *o, struct diag *diag, struct column *c)
{
    const char *positive = NULL, *negative = NULL;
    TRY(find_positive(o, diag, &positive, &negative));
    const bool first = strcmp(positive, negative) < 0;
    o->classes[0] = first ? positive : negative;
    o->classes[1] = first ? negative : positive;
    TRY(own_codes(o, o->classes, 2, c));
    for (uint64_t i = 0; i < o->table->rows; i++) {
        const double score = column_number(o->score, i);
        put_code(c, i, isnan(score) ? -1 : (score >= o->threshold) == !first);
    }
    return OK;
}

static const struct column *
predicted(const struct outcome *o)
{
    return o->prediction != NULL ? o->prediction : &o->made[PREDICTION];
}

static int32_t
code_of(const char *truth, const char *decision, const char *positive)
{
    if (truth == NULL || decision == NULL) {
        return -1;
    }
    if (positive == NULL) {
        return !text_is_same_value(truth, decision);
    }
    const bool decided = text_is_same_value(decision, positive);
    if (text_is_same_value(truth, positive)) {
        return decided ? 3 : 0;
    }
    return decided ? 1 : 2;
}

static struct status
make_outcome(struct outcome *o, struct diag *diag, struct column *c)
{
    const char *positive = NULL, *negative = NULL;
    DEFER(speller_done) struct speller truth;
    DEFER(speller_done) struct speller decision;
    speller_init(&truth, o->label, predicted(o));
    speller_init(&decision, predicted(o), o->label);
    TRY(find_positive(o, diag, &positive, &negative));
    TRY(positive == NULL ? own_codes(o, of_classes, 2, c) : own_codes(o, of_positive, 4, c));
    positive = positive_as_spelled(&truth, &decision, positive);
    for (uint64_t i = 0; i < o->table->rows; i++) {
        const char *a = spell(&truth, i), *b = spell(&decision, i);
        put_code(c, i, code_of(a, b, positive));
    }
    return OK;
}

static struct status
make_error(struct outcome *o, struct column *c)
{
    const struct column *of = &o->made[OUTCOME];
    const bool positive = of->level_count > 2;
    c->type = COLUMN_INTEGER;
    c->i = calloc((size_t)o->table->rows + 1, sizeof *c->i);
    TRY(own(o, c->i));
    TRY(own_nulls(o, c));
    c->nulls = of->nulls;
    for (uint64_t i = 0; i < o->table->rows; i++) {
        c->null[i] = of->null[i];
        c->i[i] = positive ? of->code[i] < 2 : of->code[i];
    }
    return OK;
}

static struct status
make_difference(struct outcome *o, struct column *c)
{
    c->type = COLUMN_FLOAT;
    c->f = calloc((size_t)o->table->rows + 1, sizeof *c->f);
    TRY(own(o, c->f));
    TRY(own_nulls(o, c));
    for (uint64_t i = 0; i < o->table->rows; i++) {
        c->f[i] = column_number(o->prediction, i) - column_number(o->label, i);
        const bool known = isfinite(c->f[i]);
        c->null[i] = !known;
        c->nulls += !known;
    }
    return OK;
}

/* ---- what is known ---- */

static bool
is_number(const struct column *c)
{
    return c != NULL && (c->type == COLUMN_FLOAT || c->type == COLUMN_INTEGER);
}

static struct status
need(const struct outcome *o, enum which k, struct diag *diag)
{
    const bool decided = o->prediction != NULL || o->score != NULL;
    const char *why = NULL;
    if (k == SCORE && o->score == NULL) {
        why = "no score";
    } else if (k != SCORE && !decided) {
        why = "no prediction";
    } else if (k >= ERROR && o->label == NULL) {
        why = "no label";
    } else if (k == OUTCOME && o->numeric) {
        why = "a label of numbers; their difference is \"error\"";
    }
    if (why != NULL) {
        diag_set(diag,
                 "cohort: \"%s\" is what became of a row by its label, prediction or score; "
                 "here is %s",
                 words[k], why);
        FAIL(INPUT);
    }
    return OK;
}

static bool
is_text(const struct column *c)
{
    return c != NULL && c->type == COLUMN_TEXT;
}

static struct status
check_types(const struct outcome *o, struct diag *diag)
{
    const bool text = is_text(o->label) || is_text(o->prediction) || is_text(o->score);
    const bool numbers = is_number(o->label) && is_number(o->prediction);
    if (text || (o->numeric && o->label != NULL && !numbers)) {
        diag_set(diag, "cohort: label and prediction are free text, or no numbers both");
        FAIL(INPUT);
    }
    return OK;
}

static struct status
tell(struct outcome *o, struct diag *diag)
{
    if (!o->told && o->tell != NULL) {
        TRY(o->tell(o->ctx, diag, o));
    }
    o->told = true;
    return check_types(o, diag);
}

static struct status make(struct outcome *o, enum which k, struct diag *diag);

static struct status
make_what(struct outcome *o, enum which k, struct diag *diag, struct column *c)
{
    switch (k) {
    case ROW:
        return make_row(o, c);
    case SCORE:
        *c = *o->score;
        return OK;
    case PREDICTION:
        if (o->prediction == NULL) {
            return make_by_score(o, diag, c);
        }
        *c = *o->prediction;
        return OK;
    case ERROR:
        if (o->numeric) {
            return make_difference(o, c);
        }
        TRY(make(o, OUTCOME, diag));
        return make_error(o, c);
    default:
        TRY(make(o, PREDICTION, diag));
        return make_outcome(o, diag, c);
    }
}

/* Once: until then it has no name. */
static struct status
make(struct outcome *o, enum which k, struct diag *diag)
{
    struct column *c = &o->made[k];
    if (c->name != NULL) {
        return OK;
    }
    TRY(k == ROW ? OK : tell(o, diag));
    TRY(k == ROW ? OK : need(o, k, diag));
    TRY(make_what(o, k, diag, c));
    const bool taken = table_column_folded(o->table, words[k]) != NULL;
    (void)snprintf(o->name[k], sizeof o->name[k], "%s%s", words[k], taken ? "_" : "");
    c->name = o->name[k];
    return OK;
}

/* Whether the name is the word, or the word with a '_' when the table has a column of that word. */
static bool
is_called(const struct outcome *o, const char *name, const char *word)
{
    const size_t n = strlen(word);
    return table_column_folded(o->table, word) == NULL
               ? strcasecmp(name, word) == 0
               : strncasecmp(name, word, n) == 0 && strcmp(name + n, "_") == 0;
}

struct status
outcome_column(struct outcome *o, const char *name, struct diag *diag,
               const struct column **ret_column)
{
    const struct column *found = NULL;
    for (unsigned k = 0; k < OUTCOME_COLUMNS; k++) {
        if (is_called(o, name, words[k])) {
            TRY(make(o, (enum which)k, diag));
            found = &o->made[k];
        }
    }
    *ret_column = found;
    return OK;
}
