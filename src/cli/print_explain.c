/* The explain document in plain text: tables with small bars, within 80 columns. */
#include "cli/explain_exact.h"
#include "report/document.h"

#include <math.h>
#include <stdio.h>

#define LINES 20u
#define BAR 24

static void
print_name(const char *name, int width)
{
    size_t bytes = 0;
    int letters = 0;
    while (name[bytes] != '\0' && letters < width) {
        bytes++;
        while (((unsigned char)name[bytes] & 0xc0) == 0x80) {
            bytes++;
        }
        letters++;
    }
    char text[160];
    (void)snprintf(text, sizeof text, "%.*s", (int)bytes, name);
    (void)fputs("  ", stdout);
    cli_put_clean(stdout, text);
    (void)printf("%*s", width - letters, "");
}

static void
print_features(const json_t *features, const char *rest)
{
    DEFER(memory_freep) struct document_ranked *r = NULL;
    if (!status_ok(document_rank(features, "mean_abs", DOCUMENT_LARGEST, &r))) {
        return;
    }
    const size_t n = json_array_size(features);
    (void)printf("  %-24s %11s %*s %11s\n", "feature", "mean |phi|", BAR, "",
                 rest == NULL ? "mean phi" : "of the rest");
    for (size_t i = 0; i < n && i < LINES; i++) {
        print_name(document_text(r[i].item, "feature"), 24);
        (void)printf(" %11.4g ", r[i].size);
        cli_put_bar(stdout, r[0].size > 0 ? r[i].size / r[0].size : 0, BAR);
        (void)printf(" %11.4g\n", document_number(r[i].item, rest == NULL ? "mean" : rest));
    }
    if (n > LINES) {
        cli_say("and %zu more: --json has all", n - LINES);
    }
}

static const json_t *
output_of(const json_t *rows, size_t row, size_t output)
{
    return json_array_get(json_object_get(json_array_get(rows, row), "outputs"), output);
}

/* 11 columns; a number that does not exist is a dash. */
static void
put_number(double v)
{
    if (isnan(v)) {
        (void)printf("%11s", "-");
    } else {
        (void)printf("%11.4g", v);
    }
}

static void
put_value(const json_t *v)
{
    if (json_is_string(v)) {
        print_name(json_string_value(v), 10);
    } else if (json_is_number(v)) {
        (void)printf(" %11.4g", json_number_value(v));
    } else {
        (void)printf(" %11s", "missing");
    }
}

/* Of rows first to last: what the output is, as "margin" and "prediction". */
static void
print_sums(const json_t *rows, size_t first, size_t last, size_t output, const char *key)
{
    (void)printf("  %-24s", key);
    for (size_t i = first; i < last; i++) {
        (void)printf(" %11s ", "");
        put_number(document_number(output_of(rows, i, output), key));
    }
    (void)fputc('\n', stdout);
}

/* Value and attribution of --row's rows, the features that count most over all rows first. */
static void
print_rows(const json_t *rows, size_t first, size_t last, size_t output,
           const struct document_ranked *r, size_t features)
{
    (void)printf("\n  %-24s", "feature");
    for (size_t i = first; i < last; i++) {
        (void)printf("  row %6.0f %11s", document_number(json_array_get(rows, i), "row"), "phi");
    }
    (void)fputc('\n', stdout);
    for (size_t f = 0; f < features && f < LINES; f++) {
        print_name(document_text(r[f].item, "feature"), 24);
        for (size_t i = first; i < last; i++) {
            const json_t *row = json_array_get(rows, i);
            put_value(json_array_get(json_object_get(row, "values"), r[f].place));
            (void)fputc(' ', stdout);
            put_number(document_end(output_of(rows, i, output), "phi", r[f].place));
        }
        (void)fputc('\n', stdout);
    }
    print_sums(rows, first, last, output, "margin");
    print_sums(rows, first, last, output, "prediction");
}

/* ---- dependence ---- */

#define UNASKED 2u /* features that are followed unless they are named */
#define HALF 12    /* of a bar that starts in the middle */

static void
print_value_of(const json_t *bin)
{
    const double from = document_number(bin, "from"), to = document_number(bin, "to");
    char text[64];
    if (json_object_get(bin, "category") != NULL) {
        print_name(document_text(bin, "category"), 22);
    } else if (isnan(from)) {
        print_name("missing", 22);
    } else {
        (void)snprintf(text, sizeof text, from == to ? "%.4g" : "%.4g to %.4g", from, to);
        print_name(text, 22);
    }
}

static void
print_bin(const json_t *bin, double most)
{
    const double mean = document_number(bin, "mean");
    const int length = most > 0 ? (int)lround(fabs(mean) / most * HALF) : 0;
    print_value_of(bin);
    (void)printf(" %7.0f %10.4g %*s", document_number(bin, "rows"), mean,
                 mean < 0 ? HALF - length : HALF, "");
    if (mean < 0) {
        cli_put_bar(stdout, 1, length);
    }
    (void)fputc('|', stdout);
    cli_put_bar(stdout, mean > 0 ? fabs(mean) / most : 0, HALF);
    (void)printf(" %9.3g\n", document_number(bin, "sd"));
}

static void
print_dependence(const json_t *f)
{
    size_t i;
    json_t *bin;
    const json_t *o = json_array_get(json_object_get(f, "outputs"), 0),
                 *bins = json_object_get(o, "bins"), *missing = json_object_get(o, "missing");
    double most = missing == NULL ? 0 : fabs(document_number(missing, "mean"));
    json_array_foreach((json_t *)(uintptr_t)bins, i, bin)
    {
        most = fmax(most, fabs(document_number(bin, "mean")));
    }
    (void)fputs("\nattribution by value of ", stdout);
    cli_put_clean(stdout, document_text(f, "feature"));
    (void)printf(": %s\n  %-22s %7s %10s %*s %9s\n", document_text(o, "output"), "value", "rows",
                 "mean phi", 2 * HALF + 1, "", "sd");
    json_array_foreach((json_t *)(uintptr_t)bins, i, bin)
    {
        print_bin(bin, most);
    }
    if (missing != NULL) {
        print_bin(missing, most);
    }
}

static void
print_all_dependence(const json_t *list, bool named)
{
    const size_t n = json_array_size(list), shown = named || n < UNASKED ? n : UNASKED;
    for (size_t i = 0; i < shown; i++) {
        print_dependence(json_array_get(list, i));
    }
    if (n > shown) {
        cli_say("and %zu more features: --features names those to follow", n - shown);
    }
}

/* ---- rows side by side ---- */

#define ABREAST 2u /* rows in 80 columns */

static void
print_locals(const json_t *d)
{
    const json_t *rows = json_object_get(d, "local");
    const size_t n = json_array_size(rows);
    size_t k = 0;
    json_t *o = NULL;
    json_array_foreach(json_object_get(d, "outputs"), k, o)
    {
        const json_t *features = json_object_get(o, "features");
        DEFER(memory_freep) struct document_ranked *r = NULL;
        if (n == 0 || !status_ok(document_rank(features, "mean_abs", DOCUMENT_LARGEST, &r))) {
            return;
        }
        (void)printf("\nrows side by side: %s, expected %.6g\n", document_text(o, "output"),
                     document_number(o, "base"));
        for (size_t i = 0; i < n; i += ABREAST) {
            print_rows(rows, i, i + ABREAST < n ? i + ABREAST : n, k, r, json_array_size(features));
        }
    }
}

/* What the numbers are. */
static void
print_legend(const json_t *d)
{
    const char *background = json_string_value(json_object_get(d, "background")),
               *scale = document_text(d, "scale");
    cli_say("%s%s%s: phi is what a feature adds to the %s of a row; expected and all phi of a row "
            "sum to it",
            document_text(d, "method"), background == NULL ? "" : " against ",
            background == NULL ? "" : background, scale);
}

/* What is shown of the first output alone. */
static void
say_of_first(const json_t *d, const char *what)
{
    const json_t *outputs = json_object_get(d, "outputs");
    if (json_array_size(outputs) > 1) {
        cli_say("%s, of output %s (--json has the others)", what,
                document_text(json_array_get(outputs, 0), "output"));
    } else {
        cli_say("%s", what);
    }
}

void
cli_print_explanation(const json_t *d, bool named)
{
    size_t i, k;
    json_t *o, *c;
    const bool several = json_array_size(json_object_get(d, "outputs")) > 1;
    print_legend(d);
    json_array_foreach(json_object_get(d, "outputs"), i, o)
    {
        const double rows = document_number(d, "rows");
        const char *name = document_text(o, "output");
        (void)fputc('\n', stdout);
        cli_say("%s%s%s%s of %.0f row%s, expected %.6g", several ? "output " : "", name,
                several ? ": " : "", several ? document_text(d, "scale") : "", rows,
                rows == 1 ? "" : "s", document_number(o, "base"));
        print_features(json_object_get(o, "features"), NULL);
    }
    json_array_foreach(json_object_get(d, "cohorts"), k, c)
    {
        const char *name = document_text(c, "cohort"), *predicate = document_text(c, "predicate");
        const bool of_name = strcmp(name, predicate) != 0;
        (void)fputc('\n', stdout);
        cli_say("cohort %s%s%s: %.0f rows, the rest %.0f", name, of_name ? ", " : "",
                of_name ? predicate : "", document_number(c, "rows"),
                document_number(c, "rest_rows"));
        o = json_array_get(json_object_get(c, "outputs"), 0);
        if (several) {
            say_of_first(d, "attributions");
        }
        print_features(json_object_get(o, "features"), "rest_mean_abs");
    }
    o = json_array_get(json_object_get(d, "interactions"), 0);
    json_array_foreach(json_object_get(o, "pairs"), i, c)
    {
        const json_t *names = json_object_get(c, "features");
        if (i == 0) {
            (void)fputc('\n', stdout);
            say_of_first(d, "what pairs of features have together, mean size");
        }
        print_name(json_string_value(json_array_get(names, 0)), 24);
        print_name(json_string_value(json_array_get(names, 1)), 24);
        (void)printf(" %11.4g\n", document_number(c, "mean_abs"));
    }
    print_all_dependence(json_object_get(d, "dependence"), named);
    print_locals(d);
}
