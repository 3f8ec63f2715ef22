#include "cli/cli.h"

#include "base/file.h"
#include "base/json.h"
#include "report/html.h"
#include "workspace/assessments.h"

/* A report explains one person's row: it is its maker's to hand on. */
#define PERSONAL_MODE 0600

static void
show_stage(void *ctx, const char *stage)
{
    cli_progress_show(ctx, "assessing: %s", stage);
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

/* The report's findings, one sentence a line. */
static void
print_findings(const json_t *document)
{
    size_t i;
    json_t *finding;
    json_array_foreach(json_object_get(document, "findings"), i, finding)
    {
        const char *text = json_is_string(finding)
                               ? json_string_value(finding)
                               : json_string_value(json_object_get(finding, "text"));
        if (text != NULL) {
            (void)fputs("- ", stdout);
            cli_put_wrapped(stdout, text, 2, 2);
        }
    }
}

struct status
cli_assess(struct cli *c)
{
    char model[64], dataset[64];
    struct cli_progress progress;
    struct assess_options o = {
        .cohort = cli_value(c, "cohort"), .progress = show_stage, .progress_ctx = &progress};
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
    print_findings(document);
    if (report != NULL) {
        (void)printf("report: %s\n", report);
    }
    return OK;
}
