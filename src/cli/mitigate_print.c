/* steward mitigate MODEL: the old and the new version side by side, as text. */
#include "cli/mitigate.h"

#include "report/document.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define GROUPS_PRINTED 20u
#define NAME_WIDTH 34

struct style {
    bool share;      /* four digits after the point */
    bool *undefined; /* a figure was not defined */
};

/* What has a unit is whole where that is no longer than "1.2346e+08". */
static void
put_value(const struct style *s, double v, int digits, char ret_text[static 40])
{
    const double size = fabs(v), most = digits > 3 ? 1e9 : 1e7;
    if (s->share) {
        (void)snprintf(ret_text, 40, "%.4f", v);
    } else if (size >= 1e3 && size < most) {
        (void)snprintf(ret_text, 40, "%.0f", v);
    } else {
        (void)snprintf(ret_text, 40, "%.*g", digits, v);
    }
}

/* What is not defined, as r2 of a label that does not vary, is "-". */
static void
put_figure(const struct style *s, double v)
{
    char text[40] = "-";
    if (isfinite(v)) {
        put_value(s, v, 5, text);
    }
    *s->undefined |= !isfinite(v);
    (void)printf(" %10s", text);
}

static void
put_interval(const struct style *s, const json_t *row)
{
    const double low = document_end(row, "after_ci", 0), high = document_end(row, "after_ci", 1);
    char from[40], to[40];
    if (isfinite(low) && isfinite(high)) {
        put_value(s, low, 3, from);
        put_value(s, high, 3, to);
        (void)printf("  %s to %s", from, to);
    }
    (void)fputc('\n', stdout);
}

static void
print_row(const struct style *s, const json_t *row, int indent)
{
    (void)printf("%*s", indent, "");
    cli_put_name(stdout, document_text(row, "name"), 2 + NAME_WIDTH - indent);
    put_figure(s, document_number(row, "before"));
    put_figure(s, document_number(row, "after"));
    put_interval(s, row);
}

static void
print_columns(const json_t *columns)
{
    (void)fputs("by ", stdout);
    cli_put_columns(stdout, columns);
    (void)fputc('\n', stdout);
}

static void
print_groups(const struct style *s, const json_t *block)
{
    size_t i = 0;
    json_t *row = NULL;
    const json_t *groups = json_object_get(block, "groups");
    if (json_array_size(groups) > 0) {
        (void)printf("  %s of each group\n", document_text(block, "groups_by"));
    }
    json_array_foreach((json_t *)(uintptr_t)groups, i, row)
    {
        if (i < GROUPS_PRINTED) {
            print_row(s, row, 4);
        }
    }
    if (i > GROUPS_PRINTED) {
        (void)printf("    and %zu groups more; --json has them\n", i - GROUPS_PRINTED);
    }
}

static void
print_title(const json_t *result)
{
    const json_t *model = json_object_get(result, "model"),
                 *before = json_object_get(result, "before"),
                 *after = json_object_get(result, "after");
    cli_say("%s version %.0f, made from version %.0f; both assessed on %s, %.0f rows",
            document_text(model, "name"), document_number(model, "version"),
            document_number(json_object_get(before, "model"), "version"),
            document_text(after, "selection"), document_number(after, "rows"));
    cli_say(
        "method: %s",
        document_text(json_object_get(json_object_get(model, "manifest"), "mitigation"), "method"));
    (void)printf("  %-*s %10s %10s  %s\n", NAME_WIDTH, "", "before", "after", "after, 95 %");
}

void
mitigate_print(const json_t *result, const json_t *remarks)
{
    bool undefined = false;
    const struct style style = {document_task(json_object_get(result, "after")) != MODEL_NUMBER,
                                &undefined};
    size_t i = 0, k = 0;
    json_t *block = NULL, *row = NULL;
    print_title(result);
    json_array_foreach(json_object_get(result, "comparison"), i, block)
    {
        const json_t *columns = json_object_get(block, "columns");
        if (json_array_size(columns) > 0) {
            print_columns(columns);
        }
        json_array_foreach(json_object_get(block, "figures"), k, row)
        {
            print_row(&style, row, 2);
        }
        print_groups(&style, block);
    }
    if (undefined) {
        cli_say("-: not defined, since a group lacks the rows for it");
    }
    json_array_foreach((json_t *)(uintptr_t)remarks, i, row)
    {
        cli_put_wrapped(stdout, json_string_value(row), 0, 0);
    }
}
