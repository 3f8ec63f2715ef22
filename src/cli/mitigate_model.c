/* steward mitigate MODEL: the next version, trained to be fairer, assessed beside the old one. */
#include "cli/mitigate.h"

#include "base/json.h"
#include "report/document.h"
#include "workspace/assessments.h"
#include "workspace/mitigation.h"

#include <stdio.h>
#include <string.h>

#define TEXT_MAX (1u << 20)

/* Options as given; memory of the names. */
struct wish {
    struct mitigation m; /* trained again, or */
    bool by_group;
    struct thresholds_wish thresholds; /* thresholds by group */
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
read_bound(struct cli *c, const char *option, double *ret_bound)
{
    if (cli_value(c, option) == NULL) {
        return OK;
    }
    TRY(cli_f64(c, option, ret_bound));
    if (!(*ret_bound > 0 && *ret_bound <= 1)) {
        diag_set(&c->diag, "--%s %s: over 0, at most 1", option, cli_value(c, option));
        FAIL(INPUT);
    }
    return OK;
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
    TRY(read_bound(c, "ratio-bound", &o->ratio_bound));
    TRY(cli_f64(c, "ratio-bound-slack", &o->ratio_bound_slack));
    TRY(read_bound(c, "loss-bound", &o->loss_bound));
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
    return read_gradient(c, &w->m.gradient);
}

static struct status
read_wish(struct cli *c, struct wish *w)
{
    const char *method = NULL, *sensitive = NULL;
    TRY(cli_need(c, "method", "METHOD", &method));
    TRY(cli_need(c, "sensitive", "COLUMNS", &sensitive));
    TRY(cli_list(c, "sensitive", w->names, CLI_MAX_REPEATS, &w->m.sensitive_count, &w->memory));
    w->by_group = strcmp(method, "threshold") == 0;
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
assess(struct cli *c, struct workspace *w, const struct model *m, unsigned threads,
       json_t **ret_document)
{
    struct assess_options o;
    assess_defaults(&o);
    o.model = m->name;
    o.model_version = m->version;
    o.dataset = m->dataset;
    o.dataset_version = m->dataset_version;
    o.part = m->split < 1 ? PART_TEST : PART_ALL;
    o.threads = threads;
    return assessment_make(w, &o, &c->diag, ret_document);
}

/* Of a binary classifier the assessment, of another model the fairness of what it answers. */
static struct status
look_at(struct cli *c, struct workspace *w, const struct model *m, const struct wish *wish,
        unsigned threads, json_t **ret_document)
{
    return model_file_is_binary(m->file)
               ? assess(c, w, m, threads, ret_document)
               : mitigate_fairness(c, w, m, wish->names, wish->m.sensitive_count, threads,
                                   ret_document);
}

static double
accuracy_of(const json_t *d)
{
    return document_number(json_object_get(json_object_get(d, "performance"), "accuracy"), "value");
}

static json_t *
groupings_of(const json_t *d)
{
    return json_object_get(json_object_get(d, "fairness"), "groupings");
}

static void
print_gaps(const json_t *was, const json_t *is)
{
    static const char *const keys[] = {"demographic_parity_difference",
                                       "equalized_odds_difference"};
    const json_t *columns = json_object_get(is, "columns");
    const char *first = json_string_value(json_array_get(columns, 0));
    for (size_t k = 0; k < 2; k++) {
        char name[64];
        (void)snprintf(name, sizeof name, "%.10s%s: %s", first,
                       json_array_size(columns) > 1 ? "+" : "", keys[k]);
        (void)fputs("  ", stdout);
        cli_put_clean(stdout, name);
        (void)printf("%*s %10.4f %10.4f\n", (int)(44 - strlen(name)), "",
                     document_number(json_object_get(was, keys[k]), "value"),
                     document_number(json_object_get(is, keys[k]), "value"));
    }
}

static void
print_versions(const struct model *old, const struct model *new, const json_t *before,
               const json_t *after)
{
    size_t i = 0;
    json_t *f = NULL;
    cli_say("%s version %llu, made from version %llu; both assessed on %s, %.0f rows", new->name,
            (unsigned long long)new->version, (unsigned long long)old->version,
            document_text(after, "selection"), document_number(after, "rows"));
    cli_say("  %-44s %10s %10s", "", "before", "after");
    cli_say("  %-44s %10.4f %10.4f", "accuracy", accuracy_of(before), accuracy_of(after));
    json_array_foreach(groupings_of(after), i, f)
    {
        print_gaps(json_array_get(groupings_of(before), i), f);
    }
}

/* Whether the served model needs another input, and what was left undone. */
static void
print_thresholds(const struct model *new, const json_t *record, const json_t *after)
{
    const json_t *note = json_object_get(json_object_get(record, "manifest"), "mitigation");
    const json_t *kept = json_object_get(note, "kept");
    DEFER(buf_done) struct buf text;
    buf_init(&text, TEXT_MAX);
    buf_printf(&text, "%s is decided ", new->positive);
    document_put_thresholds(after, &text);
    cli_put_wrapped(stdout, buf_str(&text), 0, 2);
    buf_reset(&text);
    buf_printf(&text,
               "chosen on %.0f training rows (%.0f left out), where the groups differ by %.4f; "
               "chance between thresholds, which is for files only (--data), would have accuracy "
               "%.4f there instead of %.4f. Each call must now send \"%s\", too.",
               document_number(note, "rows"), document_number(note, "rows_left_out"),
               document_number(kept, "gap"),
               document_number(json_object_get(note, "randomised"), "accuracy"),
               document_number(kept, "accuracy"), model_group(new)->name);
    cli_put_wrapped(stdout, buf_str(&text), 0, 2);
}

/* What changed, and that the served model needs more inputs. */
static void
print_remover(const struct model *new, const json_t *record)
{
    const json_t *manifest = json_object_get(record, "manifest"),
                 *note = json_object_get(manifest, "mitigation");
    DEFER(buf_done) struct buf text;
    buf_init(&text, TEXT_MAX);
    buf_printf(&text, "a remover stands before the model file: %u of %u features lose %.0f %% of ",
               new->remover.features, new->features.count, 100 * new->remover.alpha);
    buf_put_str(&text, "their linear trace of the sensitive columns, the others are no numbers or "
                       "miss values in training rows; what is not linear stays.");
    if (document_number(note, "rows_without_group") > 0) {
        buf_printf(&text, " %.0f training rows without such a value counted as the mean.",
                   document_number(note, "rows_without_group"));
    }
    for (uint32_t i = 0; i < model_besides(new); i++) {
        buf_printf(&text, "%s\"%s\"", i == 0 ? " Each call must now send " : ", ",
                   model_beside(new, i)->name);
    }
    buf_put_str(&text, ", too.");
    cli_put_wrapped(stdout, buf_str(&text), 0, 2);
}

static struct status
print_result(struct cli *c, struct workspace *w, const struct model *old, const struct model *new,
             const struct wish *wish, unsigned threads)
{
    DEFER(js_freep) json_t *before = NULL;
    DEFER(js_freep) json_t *after = NULL;
    DEFER(js_freep) json_t *record = NULL;
    TRY(look_at(c, w, old, wish, threads, &before));
    TRY(look_at(c, w, new, wish, threads, &after));
    TRY(model_describe(w, new->name, new->version, &c->diag, &record));
    if (!c->json) {
        if (model_file_is_binary(new->file)) {
            print_versions(old, new, before, after);
        } else {
            mitigate_fairness_print(old, new, before, after);
        }
        if (model_group(new) != NULL) {
            print_thresholds(new, record, after);
        } else if (new->remover.by.count > 0) {
            print_remover(new, record);
        }
        return OK;
    }
    DEFER(js_freep)
    json_t *o = json_pack("{s:O, s:O, s:O}", "model", record, "before", before, "after", after);
    CHECK(o != NULL, MEMORY);
    return cli_print_json(o);
}

static struct status
train_again(struct cli *c, struct workspace *w, const struct model *old, struct wish *wish,
            unsigned threads, struct model **ret_model)
{
    struct model_train_options o = {0};
    struct cli_progress progress;
    TRY(model_training(old, &c->diag, &o));
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
    TRY(cli_offline(c));
    TRY(model_load(w, name, version, &c->diag, &old));
    TRY(wish.by_group ? model_set_thresholds(w, old, &wish.thresholds, threads, &c->diag, &new)
                      : train_again(c, w, old, &wish, threads, &new));
    return print_result(c, w, old, new, &wish, threads);
}
