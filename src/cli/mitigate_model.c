/* steward mitigate MODEL: the next version, trained to be fairer, assessed beside the old one. */
#include "cli/mitigate.h"

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "report/document.h"
#include "report/html.h"
#include "report/mitigate_compare.h"
#include "workspace/assessments.h"
#include "workspace/mitigation.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define TEXT_MAX (1u << 20)
#define FILE_MODE 0644

/* Options as given; memory of the names. */
struct wish {
    struct mitigation m; /* trained again, or */
    bool by_group;
    struct thresholds_wish thresholds; /* thresholds by group */
    const char *loss;                  /* as asked for; NULL: what fits the model */
    const char *names[CLI_MAX_REPEATS];
    char *memory;
};

static void
wish_done(struct wish *w)
{
    free(w->memory);
}

/* An option that may be left out is 0 then; given, it is over 0. */
static struct status
read_bound(struct cli *c, const char *option, double most, double *ret_bound)
{
    if (cli_value(c, option) == NULL) {
        return OK;
    }
    TRY(cli_f64(c, option, ret_bound));
    if (!(*ret_bound > 0 && *ret_bound <= most && isfinite(*ret_bound))) {
        diag_set(&c->diag, "--%s %s: over 0%s", option, cli_value(c, option),
                 isfinite(most) ? ", at most 1" : "");
        FAIL(INPUT);
    }
    return OK;
}

static struct status
read_clip(struct cli *c, struct gradient_options *o)
{
    const char *text = cli_value(c, "clip"), *comma = text == NULL ? NULL : strchr(text, ',');
    if (text == NULL) {
        return OK;
    }
    if (comma == NULL || !status_ok(text_to_f64(view_of(text, (size_t)(comma - text)), &o->low)) ||
        !status_ok(text_to_f64(view_str(comma + 1), &o->high)) || !isfinite(o->low) ||
        !isfinite(o->high) || o->low >= o->high) {
        diag_set(&c->diag, "--clip %s: two numbers with a comma between, the lower one first",
                 text);
        FAIL(INPUT);
    }
    return OK;
}

static struct status
read_losses(struct cli *c, struct wish *w)
{
    w->loss = cli_value(c, "loss");
    if (w->loss != NULL && !status_ok(moment_loss_from_word(w->loss, &w->m.gradient.loss))) {
        diag_set(&c->diag, "--loss %s: square, absolute or zero_one", w->loss);
        FAIL(INPUT);
    }
    TRY(read_bound(c, "loss-bound", (double)INFINITY, &w->m.gradient.loss_bound));
    return read_clip(c, &w->m.gradient);
}

static struct status
read_gradient(struct cli *c, struct gradient_options *o)
{
    const char *constraint = cli_value(c, "constraint");
    uint64_t iterations = 0;
    if (!status_ok(moment_constraint_from_word(constraint, &o->constraint))) {
        diag_set(&c->diag,
                 "--constraint %s: of a model trained again, demographic_parity, equalized_odds, "
                 "{true,false}_positive_rate_parity, error_rate_parity or bounded_group_loss",
                 constraint);
        FAIL(INPUT);
    }
    TRY(cli_f64(c, "eps", &o->eps));
    TRY(read_bound(c, "ratio-bound", 1, &o->ratio_bound));
    TRY(cli_f64(c, "ratio-bound-slack", &o->ratio_bound_slack));
    TRY(cli_u64(c, "iterations", &iterations));
    o->iterations = iterations > UINT32_MAX ? UINT32_MAX : (uint32_t)iterations;
    return OK;
}

static struct status
read_training_wish(struct cli *c, struct wish *w)
{
    const char *method = cli_value(c, "method");
    w->m.sensitive = w->names;
    if (!status_ok(mitigation_method_from_word(method, &w->m.method))) {
        diag_set(&c->diag,
                 "--method %s: of a model, reweighing, exponentiated-gradient, threshold or "
                 "correlation-remover",
                 method);
        FAIL(INPUT);
    }
    TRY(mitigate_alpha(c, &w->m.alpha));
    TRY(read_losses(c, w));
    return read_gradient(c, &w->m.gradient);
}

static struct status
read_wish(struct cli *c, struct wish *w)
{
    static const char *const of_files[] = {"bins", "intervals", "facet"};
    const char *method = NULL, *sensitive = NULL;
    TRY(cli_need(c, "method", "METHOD", &method));
    for (size_t i = 0; i < sizeof of_files / sizeof *of_files; i++) {
        if (cli_is_given(c, of_files[i])) {
            diag_set(&c->diag,
                     "--%s: on a file only (--data); a model is mitigated by the columns as the "
                     "dataset has them: bring values together before \"dataset add\"",
                     of_files[i]);
            FAIL(INPUT);
        }
    }
    TRY(cli_need(c, "sensitive", "COLUMNS", &sensitive));
    TRY(cli_list(c, "sensitive", w->names, CLI_MAX_REPEATS, &w->m.sensitive_count, &w->memory));
    w->by_group = strcmp(method, "threshold") == 0;
    w->thresholds.drawn = cli_flag(c, "randomised");
    if (w->thresholds.drawn && !w->by_group) {
        diag_set(&c->diag, "--randomised: of --method threshold, not of %s", method);
        FAIL(INPUT);
    }
    if (!w->by_group) {
        return read_training_wish(c, w);
    }
    if (w->m.sensitive_count != 1) {
        diag_set(&c->diag, "--sensitive %s: thresholds are by the levels of one column", sensitive);
        FAIL(INPUT);
    }
    w->thresholds.column = w->names[0];
    return mitigate_threshold_options(c, &w->thresholds.options);
}

static struct status
assess(struct cli *c, struct workspace *w, const struct model *m, const struct wish *wish,
       unsigned threads, json_t **ret_document)
{
    struct assess_options o;
    assess_defaults(&o);
    o.model = m->name;
    o.model_version = m->version;
    o.dataset = m->dataset;
    o.dataset_version = m->dataset_version;
    o.part = m->split < 1 ? PART_TEST : PART_ALL;
    o.sensitive = wish->names;
    o.sensitive_count = wish->by_group ? 1 : wish->m.sensitive_count;
    o.threads = threads;
    return assessment_make(w, &o, &c->diag, ret_document);
}

/* ---- what is said beside the figures ---- */

/* Whether the served model needs another input, and what was left undone. */
static void
put_thresholds(const struct model *new, const json_t *note, const json_t *after, struct buf *b)
{
    const bool drawn = new->thresholds.drawn != NULL;
    const json_t *kept = json_object_get(note, "kept"),
                 *other = json_object_get(note, drawn ? "deterministic" : "randomised");
    buf_printf(b, "%s is decided ", new->positive);
    document_put_thresholds(after, b);
    buf_printf(b,
               ". Chosen on %.0f training rows (%.0f left out), where the groups %s by %.4f; "
               "%s would have accuracy %.4f there instead of %.4f. ",
               document_number(note, "rows"), document_number(note, "rows_left_out"),
               drawn ? "are expected to differ" : "differ", document_number(kept, "gap"),
               drawn ? "one threshold for each group (without --randomised)"
                     : "chance between thresholds (--randomised)",
               document_number(other, "accuracy"), document_number(kept, "accuracy"));
    if (drawn) {
        buf_put_str(b, "The same row always has the same answer; a row with another value, even "
                       "of a feature that the probability does not depend on, is drawn anew. ");
    }
    buf_printf(b, "Each call must now send \"%s\", too.", model_group(new)->name);
}

/* What changed, and that the served model needs more inputs. */
static void
put_remover(const struct model *new, const json_t *note, struct buf *b)
{
    buf_printf(b, "A remover stands before the model file: %u of %u features lose %.0f %% of ",
               new->remover.features, new->features.count, 100 * new->remover.alpha);
    buf_put_str(b, "their linear trace of the sensitive columns, the others are no numbers or miss "
                   "values in training rows; what is not linear stays.");
    if (document_number(note, "rows_without_group") > 0) {
        buf_printf(b, " %.0f training rows without such a value counted as the mean.",
                   document_number(note, "rows_without_group"));
    }
    for (uint32_t i = 0; i < model_besides(new); i++) {
        buf_printf(b, "%s\"%s\"", i == 0 ? " Each call must now send " : ", ",
                   model_beside(new, i)->name);
    }
    buf_put_str(b, ", too.");
}

static void
put_reweighing(const json_t *note, struct buf *b)
{
    const double empty = document_number(note, "groups_without_an_outcome");
    if (empty > 0) {
        buf_printf(b,
                   "%.0f of %.0f groups of the training rows lack an outcome that others have, "
                   "which no weight can mend.",
                   empty, document_number(note, "groups"));
    }
}

static struct status
put_small_group(const json_t *note, json_t *remarks)
{
    struct assessment_settings settings;
    char text[200];
    const double least = document_number(note, "smallest_group");
    assessment_defaults(&settings);
    if (!(least < settings.min_group)) {
        return OK;
    }
    (void)snprintf(
        text, sizeof text,
        "The smallest of %.0f groups has %.0f of the training rows: what so few rows ask "
        "for may be chance.",
        document_number(note, "groups"), least);
    CHECK(json_array_append_new(remarks, json_string(text)) == 0, MEMORY);
    return OK;
}

static struct status
make_remarks(const struct model *new, const json_t *note, const json_t *after, json_t **ret_remarks)
{
    DEFER(js_freep) json_t *remarks = json_array();
    DEFER(buf_done) struct buf text;
    buf_init(&text, TEXT_MAX);
    CHECK(remarks != NULL, MEMORY);
    if (model_group(new) != NULL) {
        put_thresholds(new, note, after, &text);
    } else if (new->remover.by.count > 0) {
        put_remover(new, note, &text);
    } else if (json_object_get(note, "groups_without_an_outcome") != NULL) {
        put_reweighing(note, &text);
    } else {
        mitigate_put_reached(note, &text);
    }
    TRY(buf_status(&text));
    if (text.len > 0) {
        CHECK(json_array_append_new(remarks, js_sentence(buf_str(&text))) == 0, MEMORY);
    }
    TRY(put_small_group(note, remarks));
    *ret_remarks = MOVE(remarks);
    return OK;
}

static struct status
write_page(struct cli *c, const json_t *result, const json_t *remarks)
{
    const char *path = cli_value(c, "report");
    if (path == NULL) {
        return OK;
    }
    DEFER(buf_done) struct buf html;
    buf_init(&html, HTML_MAX_BYTES);
    TRY(html_mitigated_page(result, remarks, &html));
    return file_replace(path, buf_view(&html), FILE_MODE, &c->diag);
}

static struct status
print_result(struct cli *c, struct workspace *w, const struct model *old, const struct model *new,
             const struct wish *wish, unsigned threads)
{
    DEFER(js_freep) json_t *before = NULL;
    DEFER(js_freep) json_t *after = NULL;
    DEFER(js_freep) json_t *record = NULL;
    DEFER(js_freep) json_t *comparison = NULL;
    DEFER(js_freep) json_t *remarks = NULL;
    TRY(assess(c, w, old, wish, threads, &before));
    TRY(assess(c, w, new, wish, threads, &after));
    TRY(model_describe(w, new->name, new->version, &c->diag, &record));
    const json_t *note = json_object_get(json_object_get(record, "manifest"), "mitigation");
    TRY(mitigate_compare(note, before, after, &comparison));
    TRY(make_remarks(new, note, after, &remarks));
    DEFER(js_freep)
    json_t *o = json_pack("{s:O, s:O, s:O, s:O, s:O}", "model", record, "before", before, "after",
                          after, "comparison", comparison, "remarks", remarks);
    CHECK(o != NULL, MEMORY);
    TRY(write_page(c, o, remarks));
    if (c->json) {
        return cli_print_json(o);
    }
    mitigate_print(o, remarks);
    return OK;
}

static struct status
train_again(struct cli *c, struct workspace *w, const struct model *old, struct wish *wish,
            unsigned threads, struct model **ret_model)
{
    struct model_train_options o = {0};
    struct cli_progress progress;
    TRY(model_training(old, &c->diag, &o));
    if (wish->loss == NULL) {
        wish->m.gradient.loss =
            model_file_is_binary(old->file) ? MOMENT_ZERO_ONE_LOSS : MOMENT_SQUARE_LOSS;
    }
    wish->m.based_on = old->version;
    o.mitigation = &wish->m;
    o.train.threads = threads;
    cli_progress_start(&progress, "training");
    const struct status s = model_train(w, old->name, &o, &c->diag, ret_model);
    cli_progress_stop(&progress);
    return s;
}

struct status
mitigate_model(struct cli *c)
{
    char name[64];
    uint64_t version = 0;
    unsigned threads = 0;
    DEFER(wish_done) struct wish wish = {0};
    DEFER(workspace_closep) struct workspace *w = NULL;
    DEFER(model_freep) struct model *old = NULL;
    DEFER(model_freep) struct model *new = NULL;
    TRY(cli_name_version(c, c->operand[0], name, &version));
    TRY(read_wish(c, &wish));
    TRY(cli_threads(c, &threads));
    TRY(cli_open(c, &w));
    TRY(model_load(w, name, version, &c->diag, &old));
    TRY(wish.by_group ? model_set_thresholds(w, old, &wish.thresholds, threads, &c->diag, &new)
                      : train_again(c, w, old, &wish, threads, &new));
    return print_result(c, w, old, new, &wish, threads);
}
