#include "cli/errors_print.h"

#include "cli/cli.h"
#include "report/document.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define BAR 10
#define FEATURES_SHOWN 8u
#define CLASSES_SHOWN 8u
#define MAP_LABEL 16
#define MAP_CELL 6       /* at least: nine of them fit */
#define MAP_CELL_WIDE 12 /* at most */

static bool
is_numeric(const json_t *d)
{
    return strcmp(document_text(d, "task"), "numeric") == 0;
}

static void
put_head(const char *text)
{
    (void)printf("\n%s\n", text);
}

/* The letters of a text. */
static int
letters_of(const char *text)
{
    int letters = 0;
    for (; *text != '\0'; text++) {
        letters += ((unsigned char)*text & 0xc0) != 0x80;
    }
    return letters;
}

/* At most `width` letters, of which the last tells that there are more; how many they are. */
static int
put_cut(const char *text, int width)
{
    const int all = letters_of(text), shown = all > width ? width - 1 : all;
    int letters = 0;
    size_t n = 0;
    for (; text[n] != '\0' && letters < shown; n++) {
        letters += ((unsigned char)text[n + 1] & 0xc0) != 0x80;
    }
    char cut[512];
    (void)snprintf(cut, sizeof cut, "%.*s", (int)(n < sizeof cut ? n : sizeof cut - 1), text);
    cli_put_clean(stdout, cut);
    (void)fputs(all > shown ? "…" : "", stdout);
    return all > shown ? width : letters;
}

/* With blanks up to the width. */
static void
put_cell(const char *text, int width)
{
    (void)printf("%*s", width - put_cut(text, width), "");
}

/* A column of counts; the word in its number, so that what follows stays in line. */
static void
put_rows(double rows)
{
    (void)printf("%8.0f row%s", rows, rows > 1 || rows < 1 ? "s" : " ");
}

static void
put_share(double v)
{
    if (isnan(v)) {
        (void)fputs("      -", stdout);
    } else {
        (void)printf("%5.1f %%", 100 * v);
    }
}

static void
put_p(double p)
{
    if (isnan(p)) {
        (void)fputs("-", stdout);
    } else if (p < 0.001) {
        (void)printf("%.0e", p);
    } else {
        (void)printf("%.3f", p);
    }
}

/* ---- metrics ---- */

static bool
is_share(const char *word)
{
    static const char *const others[] = {"mean_", "median_", "r2_"};
    for (size_t i = 0; i < 3; i++) {
        if (strncmp(word, others[i], strlen(others[i])) == 0) {
            return false;
        }
    }
    return true;
}

static void
put_metric(const char *word, const json_t *m)
{
    const double v = document_number(m, "value");
    const double low = document_end(m, "ci", 0), high = document_end(m, "ci", 1);
    char interval[64] = "";
    (void)fputs("  ", stdout);
    put_cell(word, 24);
    if (is_share(word)) {
        put_share(v);
        (void)fputs("  ", stdout);
        cli_put_bar(stdout, v, BAR);
        if (isfinite(low) && isfinite(v)) {
            (void)snprintf(interval, sizeof interval, "  %.1f to %.1f %%", 100 * low, 100 * high);
        }
    } else {
        (void)printf("%10.4g", v);
        if (isfinite(low)) {
            (void)snprintf(interval, sizeof interval, "  %.4g to %.4g", low, high);
        }
    }
    (void)printf("%s\n", interval);
}

static void
print_metrics(const json_t *d)
{
    const char *word = NULL;
    json_t *m = NULL;
    json_object_foreach(json_object_get(d, "metrics"), word, m)
    {
        const bool micro = strncmp(word, "micro_", 6) == 0; /* all three are the accuracy */
        if (!micro) {
            put_metric(word, m);
        }
    }
}

static void
print_confusion(const json_t *d)
{
    const json_t *classes = json_object_get(d, "classes"), *lines = json_object_get(d, "confusion");
    const size_t n = json_array_size(lines);
    if (n == 0 || n > CLASSES_SHOWN) {
        return;
    }
    put_head("truth (lines) by decision (columns)");
    (void)fputs("  ", stdout);
    put_cell("", 14);
    for (size_t k = 0; k < n; k++) {
        (void)putchar(' ');
        put_cell(json_string_value(json_array_get(classes, k)), 7);
    }
    for (size_t y = 0; y < n; y++) {
        (void)fputs("\n  ", stdout);
        put_cell(json_string_value(json_array_get(classes, y)), 14);
        for (size_t x = 0; x < n; x++) {
            (void)printf(" %-7.0f", json_number_value(json_array_get(json_array_get(lines, y), x)));
        }
    }
    (void)putchar('\n');
}

static void
print_calibration(const json_t *d)
{
    const json_t *c = json_object_get(json_object_get(d, "calibration"), "equal_count");
    size_t i = 0;
    json_t *bin = NULL;
    if (c == NULL) {
        return;
    }
    put_head("calibration");
    json_array_foreach(json_object_get(c, "bins"), i, bin)
    {
        (void)fputs("  ", stdout);
        put_rows(document_number(bin, "rows"));
        (void)printf("  score %.3f  observed %.3f  ", document_number(bin, "mean_score"),
                     document_number(bin, "observed"));
        cli_put_bar(stdout, document_number(bin, "observed"), BAR);
        (void)printf("  %.3f to %.3f\n", document_end(bin, "ci", 0), document_end(bin, "ci", 1));
    }
    cli_say("The expected calibration error is %.4f (%.4f to %.4f); chance alone would make "
            "%.4f of a perfectly calibrated model.",
            document_number(c, "ece"), document_end(c, "ece_ci", 0), document_end(c, "ece_ci", 1),
            document_number(c, "ece_noise"));
}

/* ---- features ---- */

static void
put_pooled(double categories)
{
    if (categories > 0) {
        (void)printf("    %.0f rare categories of it are taken as one\n", categories);
    }
}

static void
print_features(const json_t *d)
{
    const json_t *list = json_object_get(d, "features");
    const double top = document_number(json_array_get(list, 0), "corrected");
    if (json_array_size(list) == 0) {
        return;
    }
    put_head("what tells most of the mistakes (mutual information, in thousandths of a nat)");
    for (size_t i = 0; i < json_array_size(list) && i < FEATURES_SHOWN; i++) {
        const json_t *f = json_array_get(list, i);
        const double v = document_number(f, "corrected");
        (void)fputs("  ", stdout);
        put_cell(document_text(f, "feature"), 28);
        (void)printf("%9.2f  ", 1000 * v);
        cli_put_bar(stdout, top > 0 ? v / top : 0, BAR);
        (void)fputs("  p ", stdout);
        put_p(document_number(f, "p_adjusted"));
        (void)putchar('\n');
        put_pooled(document_number(f, "values_pooled"));
    }
}

/* ---- slices and the tree ---- */

/* "12.3 % of 450" with a bar, or the mean error. */
static void
put_rate(const json_t *d, const json_t *o, double top)
{
    const double rate = document_number(o, "error_rate");
    if (is_numeric(d)) {
        (void)printf("%10.4g  ", rate);
    } else {
        put_share(rate);
        (void)fputs("  ", stdout);
    }
    cli_put_bar(stdout, top > 0 ? rate / top : 0, BAR);
}

static double
top_rate(const json_t *list)
{
    double top = 0;
    for (size_t i = 0; i < json_array_size(list); i++) {
        top = fmax(top, document_number(json_array_get(list, i), "error_rate"));
    }
    return top;
}

static void
print_slice(const json_t *d, const json_t *s, double top)
{
    const bool holds = json_is_true(json_object_get(s, "holds"));
    (void)fputs("  ", stdout);
    put_rate(d, s, top);
    (void)fputs("  ", stdout);
    put_rows(document_number(s, "rows"));
    (void)printf("  %4.1f %% of all  q ", 100 * document_number(s, "coverage"));
    put_p(document_number(s, "q"));
    (void)printf("%s\n      ", holds ? "" : "  could be chance");
    cli_put_wrapped(stdout, document_text(s, "words"), 6, 6);
    (void)fputs("      ", stdout);
    cli_put_wrapped(stdout, document_text(s, "cohort"), 6, 6);
}

static void
print_slices(const json_t *d)
{
    const json_t *o = json_object_get(d, "slices"), *list = json_object_get(o, "found");
    if (o == NULL) {
        return;
    }
    if (document_number(o, "candidates") < 1) {
        (void)putchar('\n');
        cli_say("No slice has at least %.0f rows.", document_number(o, "min_rows"));
        return;
    }
    put_head(is_numeric(d) ? "worst slices: mean absolute error, and how --cohort takes them"
                           : "worst slices: error rate, and how --cohort takes them");
    for (size_t i = 0; i < json_array_size(list); i++) {
        print_slice(d, json_array_get(list, i), top_rate(list));
    }
    if (json_array_size(list) == 0) {
        cli_say("No slice of at least %.0f rows is worse than the whole by more than its size "
                "excuses.",
                document_number(o, "min_rows"));
    }
    cli_say("These are the worst of %.0f candidates, with at most %.0f conditions and at least "
            "%.0f rows. q is the share of false ones to be expected down to that line, and "
            "allows for all of them (%.0f random orders of the mistakes).",
            document_number(o, "candidates"), document_number(o, "level"),
            document_number(o, "min_rows"), document_number(o, "permutations"));
}

static void
print_tree(const json_t *d)
{
    const json_t *tree = json_object_get(d, "tree");
    const char *metric = document_text(d, "metric");
    const bool plain = strcmp(metric, is_numeric(d) ? "mean_absolute_error" : "error_rate") == 0;
    (void)printf("\nerror tree: %s%s%s\n", is_numeric(d) ? "mean absolute error" : "error rate",
                 plain ? "" : ", and ", plain ? "" : metric);
    DEFER(memory_freep) size_t *stack = calloc(json_array_size(tree) + 1, sizeof *stack);
    size_t n = 0;
    if (stack == NULL || json_array_size(tree) == 0) {
        return;
    }
    for (stack[n++] = 0; n > 0;) {
        const json_t *node = json_array_get(tree, stack[--n]);
        const json_int_t left = json_integer_value(json_object_get(node, "left"));
        const int depth = (int)document_number(node, "depth");
        (void)fputs("  ", stdout);
        put_rate(d, node, top_rate(tree));
        (void)fputs("  ", stdout);
        put_rows(document_number(node, "rows"));
        (void)fputs("  ", stdout);
        if (!plain) {
            (void)printf("%9.4g  ",
                         document_number(json_object_get(json_object_get(node, "metrics"), metric),
                                         "value"));
        }
        (void)printf("%*s", 2 * depth, "");
        (void)put_cut(depth == 0 ? "all rows" : document_text(node, "step"),
                      80 - 2 - 22 - 17 - 2 * depth - (plain ? 0 : 11));
        (void)putchar('\n');
        if (left >= 0) {
            stack[n++] = (size_t)json_integer_value(json_object_get(node, "right"));
            stack[n++] = (size_t)left;
        }
    }
}

/* ---- the map ---- */

static const char *
bin_label(const json_t *axis, size_t k)
{
    return document_text(json_array_get(json_object_get(axis, "bins"), k), "label");
}

/* Of each column, so that all fit. */
static int
cell_width(size_t columns)
{
    const int width = (80 - 2 - MAP_LABEL + 1) / (int)(columns + (columns == 0)) - 1;
    return width < MAP_CELL ? MAP_CELL : width > MAP_CELL_WIDE ? MAP_CELL_WIDE : width;
}

/* Whether every column can be headed by what it is; otherwise by its number. */
static bool
heads_fit(const json_t *x, size_t columns)
{
    bool fit = true;
    for (size_t k = 0; k < columns; k++) {
        fit &= letters_of(bin_label(x, k)) <= cell_width(columns);
    }
    return fit;
}

static void
put_map_head(const json_t *x, size_t columns)
{
    const bool fit = heads_fit(x, columns);
    (void)fputs("\n  ", stdout);
    put_cell("", MAP_LABEL);
    for (size_t k = 0; k < columns; k++) {
        char number[24];
        (void)snprintf(number, sizeof number, "(%zu)", k + 1);
        put_cell(fit ? bin_label(x, k) : number, cell_width(columns));
        (void)fputs(k + 1 < columns ? " " : "", stdout);
    }
}

static void
put_map_line(const json_t *d, const json_t *cells, size_t columns)
{
    for (size_t i = 0; i < columns; i++) {
        const json_t *c = json_array_get(cells, i);
        const double rows = json_number_value(json_array_get(c, 0)),
                     rate = json_number_value(json_array_get(c, 1)) / rows;
        char text[24] = "-";
        if (rows > 0) {
            (void)snprintf(text, sizeof text, is_numeric(d) ? "%.4g" : "%.1f",
                           is_numeric(d) ? rate : 100 * rate);
        }
        put_cell(text, cell_width(columns));
        (void)fputs(i + 1 < columns ? " " : "", stdout);
    }
}

static void
put_map_legend(const json_t *x, size_t columns)
{
    for (size_t k = 0; !heads_fit(x, columns) && k < columns; k++) {
        char number[24];
        (void)snprintf(number, sizeof number, "(%zu)", k + 1);
        (void)fputs("  ", stdout);
        put_cell(number, 4);
        (void)put_cut(bin_label(x, k), 70);
        (void)putchar('\n');
    }
}

static void
print_map(const json_t *d)
{
    const json_t *map = json_object_get(d, "map"), *cells = json_object_get(map, "cells");
    const json_t *x = json_object_get(map, "x"), *y = json_object_get(map, "y");
    const size_t nx = json_array_size(json_array_get(cells, 0));
    if (map == NULL || nx > CLASSES_SHOWN + 1) {
        return;
    }
    (void)fputs(is_numeric(d) ? "\nmean absolute error by " : "\nerror rate in % by ", stdout);
    cli_put_clean(stdout, document_text(x, "feature"));
    (void)fputs(" (columns) and ", stdout);
    cli_put_clean(stdout, *document_text(y, "feature") == '\0' ? "nothing else"
                                                               : document_text(y, "feature"));
    put_map_head(x, nx);
    for (size_t k = 0; k < json_array_size(cells); k++) {
        (void)fputs("\n  ", stdout);
        put_cell(bin_label(y, k), MAP_LABEL - 1);
        (void)putchar(' ');
        put_map_line(d, json_array_get(cells, k), nx);
    }
    (void)putchar('\n');
    put_map_legend(x, nx);
}

/* ---- cohorts and rows ---- */

static void
print_cohorts(const json_t *d)
{
    const char *word = is_numeric(d) ? "mean_absolute_error" : "error_rate";
    size_t i = 0;
    json_t *c = NULL;
    if (json_array_size(json_object_get(d, "cohorts")) > 0) {
        (void)printf("\ncohorts against the rest: %s\n", word);
    }
    json_array_foreach(json_object_get(d, "cohorts"), i, c)
    {
        const json_t *in = json_object_get(json_object_get(c, "metrics"), word);
        const json_t *out =
            json_object_get(json_object_get(json_object_get(c, "rest"), "metrics"), word);
        const double a = document_number(in, "value"), b = document_number(out, "value");
        const double scale = is_numeric(d) ? 1 : 100;
        (void)printf("  %.4g against %.4g; difference %.3g (%.3g to %.3g); %.0f rows; p ",
                     scale * a, scale * b, scale * document_number(c, "difference"),
                     scale * document_end(c, "difference_ci", 0),
                     scale * document_end(c, "difference_ci", 1), document_number(c, "rows"));
        put_p(document_number(c, "p_adjusted"));
        (void)fputs("\n      ", stdout);
        if (json_is_string(json_object_get(c, "name"))) {
            cli_put_clean(stdout, document_text(c, "name"));
            (void)fputs(":\n      ", stdout);
        }
        cli_put_wrapped(stdout, document_text(c, "cohort"), 6, 6);
    }
}

static void
put_value(const json_t *o, const char *key, int width)
{
    const json_t *v = json_object_get(o, key);
    char text[40] = "-";
    if (json_is_number(v)) {
        (void)snprintf(text, sizeof text, "%.6g", json_number_value(v));
    }
    put_cell(json_is_string(v) ? json_string_value(v) : text, width);
}

static void
print_worst(const json_t *d)
{
    const json_t *list = json_object_get(d, "worst_predictions");
    size_t i = 0;
    json_t *r = NULL;
    if (json_array_size(list) == 0) {
        return;
    }
    (void)printf("\nworst predictions: %zu of %.0f\n  row        truth          decided        "
                 "%s\n",
                 json_array_size(list), document_number(d, "rows_wrong"),
                 strcmp(document_text(d, "task"), "classes") == 0 ? "score of truth" : "score");
    json_array_foreach((json_t *)(uintptr_t)list, i, r)
    {
        (void)printf("  %-10.0f ", document_number(r, "row"));
        put_value(r, "label", 14);
        (void)putchar(' ');
        put_value(r, "prediction", 14);
        (void)putchar(' ');
        put_value(r, "score", 10);
        (void)putchar('\n');
    }
}

void
errors_print(const json_t *d)
{
    size_t i = 0;
    json_t *remark = NULL;
    cli_say("%s against %s: %.0f of %.0f rows, %s%s%s.", document_text(d, "prediction"),
            document_text(d, "label"), document_number(d, "rows"), document_number(d, "rows_read"),
            document_text(d, "task"), *document_text(d, "positive") == '\0' ? "" : ", positive: ",
            document_text(d, "positive"));
    json_array_foreach(json_object_get(d, "remarks"), i, remark)
    {
        cli_say("Note: %s.", json_string_value(remark));
    }
    print_metrics(d);
    print_confusion(d);
    print_calibration(d);
    print_features(d);
    print_slices(d);
    print_tree(d);
    print_map(d);
    print_cohorts(d);
    print_worst(d);
}
