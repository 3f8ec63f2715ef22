/* comply: catalogues of laws and standards, and what the workspace's state says about them. */
#include "cli/cli.h"
#include "cli/config.h"
#include "cli/config_state.h"

#include "base/embedded.h"
#include "base/file.h"
#include "base/json.h"
#include "govern/catalogue.h"
#include "report/comply_document.h"
#include "workspace/compliance.h"

#include <string.h>

#define FILE_MODE 0600

static size_t
count_checked(const struct catalogue *k)
{
    size_t n = 0;
    for (size_t i = 0; i < k->count; i++) {
        n += k->controls[i].check_count + k->controls[i].always_count > 0;
    }
    return n;
}

struct status
cli_comply_list(struct cli *c)
{
    DEFER(buf_done) struct buf text;
    buf_init(&text, 1u << 20);
    DEFER(js_freep) json_t *rows = json_array();
    CHECK(rows != NULL, MEMORY);
    for (const struct embedded *e = embedded_catalogues; e->name != NULL; e++) {
        DEFER(catalogue_freep) struct catalogue *k = NULL;
        TRY(catalogue_built_in(e->name, &c->diag, &k));
        json_t *row =
            json_pack("{s:s, s:s, s:s, s:s, s:I, s:I}", "catalogue", k->name, "title", k->title,
                      "edition", k->edition, "applies_from", k->applies_from, "controls",
                      (json_int_t)k->count, "checked", (json_int_t)count_checked(k));
        CHECK(json_array_append_new(rows, row) == 0, MEMORY);
    }
    TRY(js_put(&text, rows));
    return cli_print_list(c, buf_view(&text),
                          "catalogue:CATALOGUE controls:CONTROLS checked:WITH-CHECKS "
                          "applies_from:FROM edition:EDITION");
}

/* ---- one catalogue ---- */

static struct status
control_to_json(const struct catalogue_control *k, json_t **ret_object)
{
    json_t *checks = json_array();
    for (size_t i = 0; i < k->check_count; i++) {
        CHECK(json_array_append_new(checks, json_string(k->checks[i])) == 0, MEMORY);
    }
    DEFER(js_freep)
    json_t *o =
        json_pack("{s:s, s:s, s:s, s:s, s:o, s:s}", "id", k->id, "title", k->title, "text", k->text,
                  "applies_from", k->applies_from, "checks", checks, "by_hand", k->by_hand);
    CHECK(o != NULL, MEMORY);
    if (k->level > 0) {
        TRY(js_set(o, "level", json_integer(k->level)));
    }
    json_t *always = json_array();
    TRY(js_set(o, "always", always));
    for (size_t i = 0; i < k->always_count; i++) {
        const struct catalogue_property *p = k->always[i];
        CHECK(json_array_append_new(always, json_pack("{s:s, s:s, s:s}", "id", p->id, "says",
                                                      p->says, "test", p->test)) == 0,
              MEMORY);
    }
    *ret_object = MOVE(o);
    return OK;
}

static void
print_part(const char *what, const char *text)
{
    printf("    %s", what);
    cli_put_wrapped(stdout, text, 4 + (int)strlen(what), 6);
}

static void
print_control(const struct catalogue_control *k)
{
    DEFER(buf_done) struct buf checks;
    buf_init(&checks, CATALOGUE_CHECKS_MAX * 80u);
    for (size_t i = 0; i < k->check_count; i++) {
        buf_printf(&checks, "%s%s", i == 0 ? "" : ", ", k->checks[i]);
    }
    printf("%s  ", k->id);
    cli_put_wrapped(stdout, k->title, (int)strlen(k->id) + 2, 2);
    print_part("", k->text);
    if (checks.len > 0) {
        print_part("checks: ", buf_str(&checks));
    }
    for (size_t i = 0; i < k->always_count; i++) {
        print_part("always: ", k->always[i]->says);
    }
    print_part("by hand: ", k->by_hand);
    printf("\n");
}

struct status
cli_comply_show(struct cli *c)
{
    DEFER(catalogue_freep) struct catalogue *k = NULL;
    DEFER(js_freep) json_t *rows = json_array();
    CHECK(rows != NULL, MEMORY);
    TRY(catalogue_built_in(c->operand[0], &c->diag, &k));
    if (c->operands > 1 && catalogue_find(k, c->operand[1]) == NULL) {
        diag_set(&c->diag, "%s has no control \"%.60s\"; steward comply show %s lists them",
                 k->name, c->operand[1], k->name);
        FAIL(NOT_FOUND);
    }
    for (size_t i = 0; i < k->count; i++) {
        const struct catalogue_control *one = &k->controls[i];
        if (c->operands > 1 && strcmp(one->id, c->operand[1]) != 0) {
            continue;
        }
        if (c->json) {
            json_t *row = NULL;
            TRY(control_to_json(one, &row));
            CHECK(json_array_append_new(rows, row) == 0, MEMORY);
        } else {
            print_control(one);
        }
    }
    return c->json ? cli_print_json(rows) : OK;
}

/* ---- report ---- */

const struct cli_option cli_comply_report_options[] = {
    {"framework", "CATALOGUE", "steward comply list shows them", NULL, CLI_ONCE,
     "ai-act aisvs gdpr hipaa iso-42001 nist-ai-rmf soc2"},
    {"report", "FILE", "write it as a page (HTML) to FILE", NULL, CLI_ONCE, "@made"},
    {"oscal", "FILE", "write it as OSCAL 1.1 assessment results (JSON) to FILE", NULL, CLI_ONCE,
     "@made"},
    {"receipt", "FILE", "write the log's receipt for what was found to FILE", NULL, CLI_ONCE,
     "@made"},
    {"config", "FILE", "configuration (default: steward.yaml of the workspace)", NULL, CLI_ONCE,
     "@file"},
    {0},
};

static struct status
write_file(struct cli *c, const char *option, struct status made, const struct buf *bytes)
{
    const char *path = cli_value(c, option);
    TRY(made);
    TRY(buf_status(bytes));
    TRY(file_replace(path, buf_view(bytes), FILE_MODE, &c->diag));
    (void)fprintf(stderr, "%s: %s\n", option, path);
    return OK;
}

static struct status
put_oscal(const json_t *document, struct buf *ret_json)
{
    DEFER(js_freep) json_t *oscal = NULL;
    TRY(comply_oscal(document, &oscal));
    return js_put_pretty(ret_json, oscal);
}

static struct status
put_receipt(const json_t *document, struct buf *ret_text)
{
    const json_t *evidence = json_object_get(document, "evidence");
    buf_put_str(ret_text, json_string_value(json_object_get(evidence, "receipt")));
    return buf_status(ret_text);
}

static struct status
write_files(struct cli *c, const json_t *document)
{
    static const struct {
        const char *option;
        struct status (*put)(const json_t *document, struct buf *ret);
    } files[] = {{"report", html_comply_page}, {"oscal", put_oscal}, {"receipt", put_receipt}};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        DEFER(buf_done) struct buf bytes;
        buf_init(&bytes, 64u << 20);
        if (cli_value(c, files[i].option) != NULL) {
            TRY(write_file(c, files[i].option, files[i].put(document, &bytes), &bytes));
        }
    }
    return OK;
}

static void
print_failed_check(const json_t *check)
{
    size_t i;
    json_t *f = NULL;
    json_array_foreach(json_object_get(check, "findings"), i, f)
    {
        const char *resource = json_string_value(json_object_get(f, "resource"));
        const char *message = json_string_value(json_object_get(f, "message"));
        const char *outcome = json_string_value(json_object_get(f, "outcome"));
        if (outcome != NULL && strcmp(outcome, "non-compliant") == 0) {
            (void)printf("    ");
            DEFER(buf_done) struct buf text;
            buf_init(&text, 1u << 16);
            buf_printf(&text, "%s: %s", resource == NULL ? "the workspace" : resource,
                       message == NULL ? "does not comply" : message);
            cli_put_wrapped(stdout, buf_str(&text), 4, 6);
        }
    }
    const char *remedy = json_string_value(json_object_get(check, "remedy"));
    if (remedy != NULL) {
        print_part("do: ", remedy);
    }
}

static void
print_failures(const json_t *document)
{
    size_t i, k;
    json_t *control = NULL, *check = NULL;
    json_array_foreach(json_object_get(document, "controls"), i, control)
    {
        if (strcmp(json_string_value(json_object_get(control, "outcome")), "fails") != 0) {
            continue;
        }
        cli_say("%s  %s", json_string_value(json_object_get(control, "id")),
                json_string_value(json_object_get(control, "title")));
        json_array_foreach(json_object_get(control, "checks"), k, check)
        {
            if (strcmp(json_string_value(json_object_get(check, "outcome")), "fails") == 0) {
                print_failed_check(check);
            }
        }
    }
}

static json_int_t
count_of(const json_t *document, const char *outcome)
{
    return json_integer_value(json_object_get(json_object_get(document, "counts"), outcome));
}

struct status
cli_comply_report(struct cli *c)
{
    struct config config;
    const char *name = NULL;
    DEFER(catalogue_freep) struct catalogue *k = NULL;
    DEFER(workspace_closep) struct workspace *w = NULL;
    DEFER(js_freep) json_t *also = NULL;
    DEFER(js_freep) json_t *d = NULL;
    TRY(cli_need(c, "framework", "CATALOGUE", &name));
    TRY(catalogue_built_in(name, &c->diag, &k));
    TRY(cli_config(c, cli_value(c, "config"), &config));
    TRY(cli_open(c, &w));
    TRY(config_state(&config, w->principal, &also));
    TRY(compliance_report(w, k, also, &c->diag, &d));
    TRY(write_files(c, d));
    c->exit_code = count_of(d, "fails") > 0 ? CLI_EXIT_NO : 0;
    if (c->json) {
        return cli_print_json(d);
    }
    print_failures(d);
    cli_say(
        "%s: of %zu controls %lld fail, %lld are not decided, %lld pass their checks, %lld hold "
        "by design, %lld have nothing to look at, and %lld are for people alone",
        k->title, k->count, (long long)count_of(d, "fails"), (long long)count_of(d, "undecided"),
        (long long)count_of(d, "passes"), (long long)count_of(d, "always"),
        (long long)count_of(d, "not-applicable"), (long long)count_of(d, "by-hand"));
    cli_say(
        "What was found is entry %lld of the log.",
        (long long)json_integer_value(json_object_get(json_object_get(d, "evidence"), "entry")));
    return OK;
}
