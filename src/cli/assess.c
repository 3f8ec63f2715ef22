#include "cli/cli.h"

#include "base/file.h"
#include "base/json.h"
#include "cli/facet_options.h"
#include "report/document.h"
#include "report/html.h"
#include "workspace/assessments.h"

#include <math.h>

/* A report explains one person's row: it is its maker's to hand on. */
#define PERSONAL_MODE 0600
#define DRIVERS_SHOWN 5
#define TEXT_MAX (1u << 20)
#define FINDINGS_SHOWN 10
#define CLASSES_SHOWN 12
#define SLICES_MOST 1000u
#define REPLICATES_MOST 100000u

#define BAR 24

static void
show_stage(void *ctx, const char *stage, double share)
{
    char bar[BAR + 1];
    for (int i = 0; i < BAR; i++) {
        bar[i] = i < (int)(share * BAR) ? '#' : '.';
    }
    bar[BAR] = '\0';
    cli_progress_show(ctx, "assessing [%s] %2.0f %% %s", bar, 100 * share, stage);
}

static struct status
write_report(struct cli *c, const json_t *document, const char *path)
{
    DEFER(buf_done) struct buf html;
    buf_init(&html, HTML_MAX_BYTES);
    TRY(html_report(document, &c->diag, &html));
    return file_replace(path, buf_view(&html), PERSONAL_MODE, &c->diag);
}

static struct status
write_document(struct cli *c, const json_t *document, const char *path)
{
    DEFER(buf_done) struct buf json;
    buf_init(&json, 64u << 20);
    TRY(js_put_pretty(&json, document));
    buf_put_str(&json, "\n");
    TRY(buf_status(&json));
    return file_replace(path, buf_view(&json), PERSONAL_MODE, &c->diag);
}

/* One sentence a line. */
static void
print_sentences(const json_t *list, size_t most)
{
    size_t i;
    json_t *sentence;
    json_array_foreach((json_t *)(uintptr_t)list, i, sentence)
    {
        if (i < most) {
            (void)fputs("- ", stdout);
            cli_put_wrapped(stdout, json_string_value(json_object_get(sentence, "text")), 2, 2);
        }
    }
    if (i > most) {
        (void)printf("and %zu findings more; --json has them\n", i - most);
    }
}

/* What was assessed, and what of it was not. */
static void
print_subject(const json_t *document)
{
    const json_t *model = json_object_get(document, "model");
    const json_t *dataset = json_object_get(document, "dataset");
    const double without = document_number(document, "rows_without_label");
    DEFER(buf_done) struct buf text;
    buf_init(&text, TEXT_MAX);
    buf_printf(&text, "%s version %.0f on %s version %.0f (%s): %.0f rows",
               document_text(model, "name"), document_number(model, "version"),
               document_text(dataset, "name"), document_number(dataset, "version"),
               document_text(document, "selection"), document_number(document, "rows"));
    if (without > 0) {
        buf_printf(&text, "; %.0f more have no label and are left out", without);
    }
    buf_put_str(&text, ".");
    cli_put_wrapped(stdout, buf_str(&text), 0, 2);
}

static void
print_findings(const json_t *document)
{
    const json_t *found = json_object_get(document, "findings");
    print_sentences(json_object_get(document, "summary"), SIZE_MAX);
    if (json_array_size(found) == 0) {
        (void)puts("Nothing was found that is more than chance explains.");
        return;
    }
    (void)puts("Found, worst first:");
    print_sentences(found, FINDINGS_SHOWN);
}

/* From which probability on, of several classes the one with the most; nothing of a number. */
static void
print_rule(const json_t *document)
{
    const enum model_task task = document_task(document);
    if (task == MODEL_CLASSES) {
        (void)puts("decided: the class with the highest score");
    }
    if (task != MODEL_BINARY) {
        return;
    }
    DEFER(buf_done) struct buf text;
    buf_init(&text, TEXT_MAX);
    buf_put_str(&text, "decided positive ");
    document_put_thresholds(document, &text);
    cli_put_wrapped(stdout, buf_str(&text), 0, 2);
}

static void
print_remarks(const json_t *part)
{
    size_t i = 0;
    json_t *remark = NULL;
    json_array_foreach(json_object_get(part, "remarks"), i, remark)
    {
        (void)fputs("Note: ", stdout);
        cli_put_wrapped(stdout, json_string_value(remark), 6, 6);
    }
}

static const json_t *
weightiest_below(const json_t *features, double below)
{
    const json_t *best = NULL;
    double most = -1;
    size_t i;
    json_t *f;
    json_array_foreach((json_t *)(uintptr_t)features, i, f)
    {
        const double v = json_number_value(json_object_get(f, "mean_abs"));
        if (v < below && v > most) {
            most = v;
            best = f;
        }
    }
    return best;
}

/* The features that move an output most, the longest bar first. */
static void
print_drivers(const json_t *output)
{
    const json_t *list = json_object_get(output, "features");
    double below = HUGE_VAL, most = 0;
    for (int i = 0; i < DRIVERS_SHOWN; i++) {
        const json_t *f = weightiest_below(list, below);
        if (f == NULL) {
            break;
        }
        below = json_number_value(json_object_get(f, "mean_abs"));
        most = i == 0 ? below : most;
        (void)fputs("  ", stdout);
        cli_put_bar(stdout, most > 0 ? below / most : 0, 20);
        (void)printf(" %-8.3g ", below);
        cli_put_clean(stdout, json_string_value(json_object_get(f, "feature")));
        (void)fputc('\n', stdout);
    }
}

static void
print_explanation(const json_t *document)
{
    const json_t *outputs = json_object_get(json_object_get(document, "explanation"), "outputs");
    const enum model_task task = document_task(document);
    size_t i = 0;
    json_t *output = NULL;
    json_array_foreach((json_t *)(uintptr_t)outputs, i, output)
    {
        if (i == CLASSES_SHOWN) {
            (void)printf("and %zu classes more; --json has them\n", json_array_size(outputs) - i);
            break;
        }
        if (task == MODEL_CLASSES) {
            cli_say("mean size of what a feature adds to the margin of %s:",
                    document_text(output, "output"));
        } else {
            (void)printf("mean size of what a feature adds to the %s:\n",
                         task == MODEL_BINARY ? "log-odds" : "margin");
        }
        print_drivers(output);
    }
}

/* ---- figures of several classes and of numbers ---- */

static void
print_share(const json_t *rate)
{
    const double v = document_number(rate, "value");
    if (isfinite(v)) {
        (void)printf("  %5.1f %% (%5.1f to %5.1f)", 100 * v, 100 * document_end(rate, "ci", 0),
                     100 * document_end(rate, "ci", 1));
    } else {
        (void)printf("  %25s", "-");
    }
}

static void
print_classes(const json_t *performance)
{
    const json_t *classes = json_object_get(performance, "classes");
    size_t i = 0;
    json_t *k = NULL;
    (void)printf("  %-14s %7s  %-25s  %s\n", "class", "rows", "precision", "recall");
    json_array_foreach((json_t *)(uintptr_t)classes, i, k)
    {
        if (i == CLASSES_SHOWN) {
            (void)printf("and %zu classes more; --json has them\n", json_array_size(classes) - i);
            break;
        }
        (void)fputs("  ", stdout);
        cli_put_name(stdout, document_text(k, "class"), 14);
        (void)printf(" %7.0f", document_number(k, "rows"));
        print_share(json_object_get(k, "precision"));
        print_share(json_object_get(k, "recall"));
        (void)fputc('\n', stdout);
    }
}

static void
print_numbers(const json_t *performance)
{
    static const char *const words[] = {"mean_absolute_error",
                                        "median_absolute_error",
                                        "root_mean_squared_error",
                                        "mean_squared_error",
                                        "r2_score",
                                        "mean_error"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        const json_t *v = json_object_get(performance, words[i]);
        const double value = document_number(v, "value"), low = document_end(v, "ci", 0);
        if (isnan(value)) {
            (void)printf("  %-24s          -\n", words[i]);
        } else if (isnan(low)) {
            (void)printf("  %-24s %10.4g  (too few rows for an interval)\n", words[i], value);
        } else {
            (void)printf("  %-24s %10.4g  (%.4g to %.4g)\n", words[i], value, low,
                         document_end(v, "ci", 1));
        }
    }
}

/* Two classes' are in the sentences. */
static void
print_figures(const json_t *document)
{
    const json_t *performance = json_object_get(document, "performance");
    const enum model_task task = document_task(document);
    if (task == MODEL_CLASSES) {
        print_classes(performance);
    } else if (task == MODEL_NUMBER) {
        print_numbers(performance);
    }
}

static struct status
take_settings(struct cli *c, struct assessment_settings *s)
{
    TRY(cli_whole32(c, "slices", 0, SLICES_MOST, &s->slices));
    TRY(cli_whole32(c, "bootstrap", 0, REPLICATES_MOST, &s->replicates));
    TRY(cli_whole32(c, "min-group", 1, UINT32_MAX, &s->min_group));
    TRY(cli_u64(c, "seed", &s->seed));
    s->adverse = cli_flag(c, "adverse");
    return OK;
}

struct status
cli_assess(struct cli *c)
{
    char model[64], dataset[64];
    struct cli_progress progress;
    struct assess_options o;
    assess_defaults(&o);
    o.cohort = cli_value(c, "cohort");
    o.progress = show_stage;
    o.progress_ctx = &progress;
    TRY(take_settings(c, &o.settings));
    TRY(cli_facets(c, &o.facets));
    TRY(cli_name_version(c, c->operand[0], model, &o.model_version));
    TRY(cli_data(c, dataset, &o.dataset_version, &o.part));
    o.dataset = dataset;
    TRY(cli_threads(c, &o.threads));
    o.model = model;
    DEFER(workspace_closep) struct workspace *w = NULL;
    DEFER(js_freep) json_t *document = NULL;
    TRY(cli_open(c, &w));
    cli_progress_start(&progress, "assessing");
    const struct status s = assessment_make(w, &o, &c->diag, &document);
    cli_progress_stop(&progress);
    TRY(s);
    const char *report = cli_value(c, "report"), *output = cli_value(c, "output");
    if (output != NULL) {
        TRY(write_document(c, document, output));
    }
    if (report != NULL) {
        TRY(write_report(c, document, report));
    }
    if (c->json) {
        return cli_print_json(document);
    }
    print_subject(document);
    print_findings(document);
    print_rule(document);
    print_figures(document);
    print_explanation(document);
    print_remarks(document);
    print_remarks(json_object_get(document, "fairness"));
    if (report != NULL) {
        (void)printf("report: %s\n", report);
    }
    return OK;
}
