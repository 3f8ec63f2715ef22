#include "cli/cohort_rows.h"

#include "cli/plain_files.h"
#include "cli/workspace_files.h"
#include "data/cohort.h"
#include "data/table_build.h"
#include "report/document.h"
#include "workspace/answers.h"
#include "workspace/gather.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
cohort_rows_done(struct cohort_rows *r)
{
    for (size_t i = 0; i < r->word_count; i++) {
        free(r->words[i]);
    }
    table_free(r->table);
    table_free(r->rest);
    buf_done(&r->predicate);
    js_freep(&r->remarks);
}

/* ---- cohort and rest ---- */

/* NULL when there are none. */
static struct status
select_rows(const struct table *t, const uint8_t *in, uint8_t wanted, struct table **ret_table)
{
    DEFER(table_freep) struct table *chosen = NULL;
    TRY(table_select_marked(t, in, wanted, &chosen));
    *ret_table = chosen->rows == 0 ? NULL : MOVE(chosen);
    return OK;
}

static const char *
value_of(const struct cli *c, const char *option)
{
    return cli_takes(c, option) ? cli_value(c, option) : NULL;
}

static const struct column *
column_of(const struct cli *c, const struct table *t, const char *option)
{
    const char *name = value_of(c, option);
    return name == NULL ? NULL : table_column(t, name);
}

static struct outcome
outcome_of(struct cli *c, const struct table *t, bool numeric, double threshold)
{
    return (struct outcome){.table = t,
                            .label = column_of(c, t, "label"),
                            .prediction = column_of(c, t, "prediction"),
                            .score = column_of(c, t, "score"),
                            .positive = cli_value(c, "positive"),
                            .threshold = threshold,
                            .numeric = numeric};
}

/* What the model of a verb that needs no decisions decides, for a condition that asks for it. */
struct asked {
    struct cli *c;
    struct table *table; /* borrowed */
    struct gathered g;
    struct column prediction, score;
    struct outcome outcome;
};

static void
asked_done(struct asked *a)
{
    outcome_done(&a->outcome);
    column_done(&a->prediction);
    a->g.table = NULL;
    gathered_done(&a->g);
}

static struct status
ask_model(void *ctx, struct diag *diag, struct outcome *o)
{
    struct asked *a = ctx;
    struct model *m = NULL;
    unsigned threads = 0;
    (void)diag; /* it is the verb's */
    TRY(cli_threads(a->c, &threads));
    TRY(cli_load_model(a->c, cli_value(a->c, "model"), &m));
    TRY(gather_decisions(m, a->table, threads, &a->c->diag, &a->g));
    TRY(answers_column(m, a->g.score, a->g.decision, a->table->rows, &a->prediction));
    o->label = table_column(a->table, m->label);
    o->prediction = &a->prediction;
    o->positive = m->positive;
    o->numeric = model_file_task(m->file) == MODEL_NUMBER;
    if (model_file_is_binary(m->file)) {
        a->score = (struct column){.type = COLUMN_FLOAT, .f = a->g.score};
        o->score = &a->score;
    }
    return OK;
}

static struct status
select_cohort(struct cli *c, struct cohort_rows *r, struct table *whole, bool numeric, uint8_t *in)
{
    double threshold = 0;
    DEFER(asked_done) struct asked a = {.c = c, .table = whole};
    const char *model = cli_value(c, "model");
    TRY(cli_takes(c, "threshold") ? cli_f64(c, "threshold", &threshold) : OK);
    a.outcome = outcome_of(c, whole, numeric, threshold);
    if (!cli_takes(c, "prediction") && model != NULL && cli_is_of_workspace(model)) {
        a.outcome.tell = ask_model;
        a.outcome.ctx = &a;
    }
    return cohort_select(whole, &a.outcome, buf_str(&r->predicate), &c->diag, in, &r->unknown);
}

struct status
cohort_rows_part(struct cli *c, struct cohort_rows *r, bool numeric)
{
    r->cohort = cli_value(c, "cohort");
    if (r->cohort == NULL) {
        return OK;
    }
    DEFER(table_freep) struct table *whole = MOVE(r->table);
    DEFER(memory_freep) uint8_t *in = calloc((size_t)whole->rows + 1, 1);
    CHECK(in != NULL, MEMORY);
    buf_init(&r->predicate, COHORT_MAX_BYTES + 1);
    TRY(cli_resolve_cohort(c, cli_value(c, "model"), r->cohort, &r->predicate));
    TRY(select_cohort(c, r, whole, numeric, in));
    TRY(select_rows(whole, in, 1, &r->table));
    if (r->table == NULL) {
        diag_set(&c->diag, "--cohort %.200s: none of the %llu rows is in it", r->cohort,
                 (unsigned long long)whole->rows);
        FAIL(INPUT);
    }
    return select_rows(whole, in, 0, &r->rest);
}

struct status
cohort_rows_remark(json_t *remarks, const char *name, const char *predicate, uint64_t unknown)
{
    const bool named = strcmp(name, predicate) != 0;
    return unknown == 0 ? OK
                        : plain_remark(remarks,
                                       "for %llu rows cohort %.200s%s%.600s has no answer, since a "
                                       "value is missing: they are not in it",
                                       (unsigned long long)unknown, named ? name : predicate,
                                       named ? ", " : "", named ? predicate : "");
}

/* ---- documents ---- */

/* That the rest cannot be looked at, having one class perhaps, is a finding. */
static struct status
make_rest(struct cli *c, const struct cohort_rows *r, cohort_document *make, void *ctx,
          json_t *cohort, json_t *document)
{
    DEFER(js_freep) json_t *rest = NULL;
    const char *why = r->rest == NULL ? "the cohort is all rows" : NULL;
    const struct status s = r->rest == NULL ? OK : make(ctx, r->rest, &rest);
    if (s.code == STATUS_INPUT || s.code == STATUS_LIMIT) {
        why = c->diag.text;
    } else {
        TRY(s);
    }
    TRY(js_set(cohort, "remark", why == NULL ? json_null() : js_sentence(why)));
    c->diag = (struct diag){0};
    return js_set(document, "rest", rest == NULL ? json_null() : MOVE(rest));
}

struct status
cohort_rows_document(struct cli *c, const struct cohort_rows *r, cohort_document *make, void *ctx,
                     json_t **ret_document)
{
    DEFER(js_freep) json_t *d = NULL;
    const struct status s = make(ctx, r->table, &d);
    if (!status_ok(s) && r->cohort != NULL && c->diag.text[0] != '\0') {
        const struct diag why = c->diag;
        diag_set(&c->diag, "the cohort's %llu rows: %s", (unsigned long long)r->table->rows,
                 why.text);
    }
    TRY(s);
    if (r->cohort != NULL) {
        json_t *cohort = json_pack("{s:s, s:s, s:I, s:I, s:I}", "cohort", r->cohort, "predicate",
                                   buf_str(&r->predicate), "rows", (json_int_t)r->table->rows,
                                   "rest_rows", (json_int_t)(r->rest == NULL ? 0 : r->rest->rows),
                                   "rest_unknown", (json_int_t)r->unknown);
        TRY(js_set(d, "cohort", cohort));
        TRY(make_rest(c, r, make, ctx, cohort, d));
    }
    *ret_document = MOVE(d);
    return OK;
}

void
cohort_rows_print(const json_t *document, void (*print)(const json_t *document))
{
    const json_t *cohort = json_object_get(document, "cohort"),
                 *rest = json_object_get(document, "rest");
    if (cohort == NULL) {
        print(document);
        return;
    }
    const char *name = document_text(cohort, "cohort"),
               *predicate = document_text(cohort, "predicate");
    const bool named = strcmp(name, predicate) != 0;
    cli_say("The cohort, %.0f of %.0f rows, where %s%s%s%s:", document_number(cohort, "rows"),
            document_number(cohort, "rows") + document_number(cohort, "rest_rows"), predicate,
            named ? " (" : "", named ? name : "", named ? ")" : "");
    print(document);
    if (json_is_object(rest)) {
        (void)fputc('\n', stdout);
        const double unknown = document_number(cohort, "rest_unknown");
        if (unknown > 0) {
            cli_say("The rest, %.0f rows, %.0f of them with no answer to the condition, since a "
                    "value is missing:",
                    document_number(cohort, "rest_rows"), unknown);
        } else {
            cli_say("The rest, %.0f rows:", document_number(cohort, "rest_rows"));
        }
        print(rest);
    } else {
        (void)fputc('\n', stdout);
        cli_say("The rest, %.0f rows, is not shown: %s", document_number(cohort, "rest_rows"),
                document_text(cohort, "remark"));
    }
}
