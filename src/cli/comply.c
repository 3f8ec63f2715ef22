/* comply: catalogues of laws and standards, and what the workspace's state says about them. */
#include "cli/cli.h"

#include "base/embedded.h"
#include "base/json.h"
#include "govern/catalogue.h"

#include <string.h>

static size_t
count_checked(const struct catalogue *k)
{
    size_t n = 0;
    for (size_t i = 0; i < k->count; i++) {
        n += k->controls[i].check_count > 0;
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
