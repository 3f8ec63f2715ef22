/* The black-box document in plain text: tables with small bars, within 80 columns. */
#include "cli/black_box.h"
#include "report/document.h"

#include <math.h>
#include <stdio.h>

#define LINES 20u
#define BAR 20

static void
put_name(const char *name)
{
    char text[96];
    size_t letters = 0, n = 0;
    for (; name[n] != '\0' && n < sizeof text - 1; n++) {
        letters += ((unsigned char)name[n] & 0xc0) != 0x80;
        if (letters > 24) {
            letters = 24;
            break;
        }
        text[n] = name[n];
    }
    text[n] = '\0';
    (void)fputs("  ", stdout);
    cli_put_clean(stdout, text);
    (void)printf("%*s", (int)(25 - letters), "");
}

static void
put_line(const char *name, double value, double low, double high, double from, double to)
{
    put_name(name);
    (void)printf("%11.4g ", value);
    cli_put_bar(stdout, to > from ? (value - from) / (to - from) : 0, BAR);
    if (!isnan(low) && !isnan(high)) {
        (void)printf(" %9.3g to %.3g", low, high);
    }
    (void)fputc('\n', stdout);
}

/* Features by the size of a number, the largest first. */
static void
print_ranked(const json_t *features, const char *key, bool nested, const char *head)
{
    DEFER(memory_freep) struct document_ranked *r = NULL;
    if (!status_ok(document_rank(features, key, DOCUMENT_FARTHEST_FROM_ZERO, &r))) {
        return;
    }
    const size_t n = json_array_size(features);
    (void)printf("  %-24s %11s\n", "feature", head);
    for (size_t i = 0; i < n && i < LINES; i++) {
        const json_t *f = r[i].item,
                     *o = nested ? json_array_get(json_object_get(f, "outputs"), 0) : f;
        put_line(document_text(f, "feature"), document_number(f, key), document_end(o, "ci", 0),
                 document_end(o, "ci", 1), 0, fabs(document_number(r[0].item, key)));
    }
    if (n > LINES) {
        cli_say("and %zu more: --json has all", n - LINES);
    }
}

static void
print_lines(const json_t *list, const char *key)
{
    size_t i = 0;
    json_t *f = NULL;
    json_array_foreach((json_t *)(uintptr_t)list, i, f)
    {
        const json_t *o = json_array_get(json_object_get(f, "outputs"), 0),
                     *value = json_object_get(o, key), *at = json_object_get(f, "at");
        const size_t n = json_array_size(value);
        double least = (double)INFINITY, most = -(double)INFINITY;
        for (size_t k = 0; k < n; k++) {
            least = fmin(least, json_number_value(json_array_get(value, k)));
            most = fmax(most, json_number_value(json_array_get(value, k)));
        }
        cli_say("%s", document_text(f, "feature"));
        for (size_t k = 0; k < n; k++) {
            char text[32];
            const json_t *point = json_array_get(at, k);
            (void)snprintf(text, sizeof text, "%.6g", json_number_value(point));
            put_line(json_is_string(point) ? json_string_value(point) : text,
                     json_number_value(json_array_get(value, k)), document_end(o, "low", k),
                     document_end(o, "high", k), least, most);
        }
    }
}

static void
print_node(const json_t *nodes, size_t at, int indent)
{
    const json_t *n = json_array_get(nodes, at), *categories = json_object_get(n, "categories");
    if (json_object_get(n, "feature") == NULL) {
        (void)printf("%.4g  (%.0f rows)\n", document_number(n, "value"),
                     document_number(n, "rows"));
        return;
    }
    cli_put_clean(stdout, document_text(n, "feature"));
    if (categories == NULL) {
        (void)printf(" <= %.6g\n", document_number(n, "at_most"));
    } else {
        for (size_t i = 0; i < json_array_size(categories) && i < 6; i++) {
            (void)fputs(i == 0 ? " is " : ", ", stdout);
            cli_put_clean(stdout, json_string_value(json_array_get(categories, i)));
        }
        (void)fputs(json_array_size(categories) > 6 ? ", ...\n" : "\n", stdout);
    }
    (void)printf("%*syes: ", indent + 2, "");
    print_node(nodes, (size_t)document_number(n, "yes"), indent + 2);
    (void)printf("%*sno:  ", indent + 2, "");
    print_node(nodes, (size_t)document_number(n, "no"), indent + 2);
}

static void
print_surrogate(const json_t *s)
{
    const double same = document_number(s, "same_decisions");
    cli_say("fidelity: R2 %.3f against the model's answers on %.0f rows it was not grown on",
            document_number(s, "fidelity_r2"), document_number(s, "measured_on"));
    if (!isnan(same)) {
        cli_say("%.1f %% of those rows decided as the model does", 100 * same);
    }
    if (json_is_true(json_object_get(s, "refused"))) {
        cli_say("refused: under the floor of %.2f a tree of this size does not tell how the model "
                "answers",
                document_number(s, "floor"));
        return;
    }
    (void)fputs("\n  ", stdout);
    print_node(json_object_get(s, "nodes"), 0, 2);
}

static void
print_attributions(const json_t *d)
{
    const json_t *a = json_object_get(d, "attributions");
    cli_say("base %.4g, the mean answer over %.0f of %.0f background rows; exact for %.0f rows; "
            "largest standard error of a value %.3g",
            document_end(a, "base", 0), document_number(d, "background_rows"),
            document_number(d, "background_of"), document_number(a, "exact_rows"),
            document_number(a, "largest_standard_error"));
    print_ranked(json_object_get(a, "features"), "mean_abs", true, "mean |phi|");
}

void
cli_print_black_box(const json_t *d)
{
    size_t i = 0;
    json_t *v = NULL;
    const json_t *importance = json_object_get(d, "permutation_importance");
    cli_say("%s: %s, %.0f of %.0f rows", document_text(d, "model"), document_text(d, "method"),
            document_number(d, "rows"), document_number(d, "rows_in_data"));
    if (json_object_get(d, "attributions") != NULL) {
        print_attributions(d);
    } else if (importance != NULL) {
        cli_say("%s %.4g as the rows are; %.0f shuffles a feature",
                document_text(importance, "metric"), document_number(importance, "baseline"),
                document_number(importance, "repeats"));
        print_ranked(json_object_get(importance, "features"), "importance", false, "importance");
    } else if (json_object_get(d, "surrogate") != NULL) {
        print_surrogate(json_object_get(d, "surrogate"));
    } else if (json_object_get(d, "profiles") != NULL) {
        print_lines(json_object_get(d, "profiles"), "mean");
    } else {
        print_lines(json_object_get(d, "effects"), "effect");
    }
    json_array_foreach(json_object_get(d, "remarks"), i, v)
    {
        (void)fputs("note: ", stdout);
        cli_put_wrapped(stdout, json_string_value(v), 6, 2);
    }
}
