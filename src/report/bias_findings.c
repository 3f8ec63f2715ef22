/* What a person should read first, in sentences. */
#include "report/bias_parts.h"

#include "report/document.h"

#include <math.h>
#include <stdio.h>

#define STRONG_PROXY 0.7

/* tested: what has the adjusted p; size: how far from none at least, as a share. */
static struct status
add(const json_t *d, json_t *findings, const char *kind, const json_t *factor, const json_t *tested,
    double size, const struct buf *text)
{
    const double p = document_number(tested, "p_adjusted");
    TRY(buf_status(text));
    json_t *f = json_pack("{s:s, s:s, s:s, s:b, s:o, s:o}", "kind", kind, "factor",
                          document_text(factor, "factor"), "text", buf_str(text), "holds",
                          p < document_number(d, "fdr"), "p_adjusted", js_real(p), "size",
                          js_real(fmax(0, size)));
    CHECK(json_array_append_new(findings, f) == 0, MEMORY);
    return OK;
}

/* The end of an interval of differences that is nearer to none; 0 where none lies within. */
static double
near_end(double low, double high)
{
    return low > 0 ? low : high < 0 ? -high : 0;
}

static double
value_of(const json_t *o, const char *key)
{
    return document_number(json_object_get(o, key), "value");
}

static bool
found(const json_t *d, const json_t *o)
{
    return document_number(o, "p_adjusted") < document_number(d, "fdr");
}

/* " (95 % between 1.2 and 3.4)", of shares in points. */
static void
put_between(struct buf *b, const json_t *d, double low, double high)
{
    buf_printf(b, " (%.4g %% between %.1f and %.1f)", 100 * document_number(d, "level"), 100 * low,
               100 * high);
}

/* The judged group that differs most from the others; of two that differ alike, the smaller. */
static const json_t *
farthest(const json_t *factor)
{
    const json_t *best = NULL;
    double most = 0;
    size_t i = 0;
    json_t *g = NULL;
    json_array_foreach(json_object_get(factor, "groups"), i, g)
    {
        const double gap = fabs(value_of(json_object_get(g, "metrics"), "DPL"));
        const bool wider = best == NULL || gap > most + 1e-12;
        const bool smaller = best != NULL && gap >= most - 1e-12 &&
                             document_number(g, "n") < document_number(best, "n");
        if (json_is_true(json_object_get(g, "judged")) && isfinite(gap) && (wider || smaller)) {
            best = g;
            most = gap;
        }
    }
    return best;
}

static struct status
say_label(const json_t *d, const json_t *factor, json_t *findings)
{
    const json_t *g = farthest(factor), *label = json_object_get(d, "label");
    if (g == NULL) {
        return OK;
    }
    const json_t *dpl = json_object_get(json_object_get(g, "metrics"), "DPL");
    const double rate = value_of(g, "positive_rate"), gap = document_number(dpl, "value");
    DEFER(buf_done) struct buf b;
    buf_init(&b, 4096);
    buf_printf(&b, "%s = %s: %.1f %% have %s = %s, of all others %.1f %%: %.1f points %s",
               document_text(factor, "factor"), document_text(g, "group"), 100 * rate,
               document_text(label, "column"), document_text(label, "positive"), 100 * (rate + gap),
               100 * fabs(gap), gap > 0 ? "less" : "more");
    const double low = document_end(dpl, "ci", 0), high = document_end(dpl, "ci", 1);
    put_between(&b, d, gap > 0 ? low : -high, gap > 0 ? high : -low);
    buf_put_str(&b, found(d, g) ? "." : ", no more than chance can make.");
    return add(d, findings, "label", factor, g, near_end(low, high), &b);
}

static struct status
say_adjusted(const json_t *d, const json_t *factor, json_t *findings)
{
    const json_t *g = farthest(factor), *a = json_object_get(g, "adjusted");
    const json_t *label = json_object_get(d, "label");
    if (a == NULL || !isfinite(document_number(a, "difference"))) {
        return OK;
    }
    const double gap = document_number(a, "difference");
    DEFER(buf_done) struct buf b;
    buf_init(&b, 4096);
    const double low = document_end(a, "ci", 0), high = document_end(a, "ci", 1);
    buf_printf(&b, "Among rows with the same %s, %s = %s has %s = %s %.1f points %s often",
               document_text(d, "strata"), document_text(factor, "factor"),
               document_text(g, "group"), document_text(label, "column"),
               document_text(label, "positive"), 100 * fabs(gap), gap > 0 ? "less" : "more");
    put_between(&b, d, gap > 0 ? low : -high, gap > 0 ? high : -low);
    buf_put_str(&b, json_is_true(json_object_get(a, "reversed"))
                        ? ": the other way round than over all rows (Simpson's paradox)."
                        : ".");
    return add(d, findings, "strata", factor, a, near_end(low, high), &b);
}

static struct status
say_representation(const json_t *d, const json_t *factor, json_t *findings)
{
    const json_t *groups = json_object_get(json_object_get(factor, "representation"), "groups");
    const json_t *worst = NULL;
    size_t i = 0;
    json_t *g = NULL;
    json_array_foreach((json_t *)(uintptr_t)groups, i, g)
    {
        const double ratio = document_number(g, "ratio");
        if (found(d, g) && (worst == NULL || ratio < document_number(worst, "ratio"))) {
            worst = g;
        }
    }
    if (worst == NULL || document_number(worst, "difference") >= 0) {
        return OK;
    }
    DEFER(buf_done) struct buf b;
    buf_init(&b, 4096);
    buf_printf(&b, "%s = %s makes up %.1f %% of the rows and %.1f %% of the reference.",
               document_text(factor, "factor"), document_text(worst, "group"),
               100 * document_number(worst, "share"), 100 * document_number(worst, "reference"));
    return add(d, findings, "representation", factor, worst,
               document_number(worst, "reference") - document_end(worst, "ci", 1), &b);
}

static struct status
say_proxy(const json_t *d, const json_t *factor, json_t *findings)
{
    const json_t *p = json_array_get(json_object_get(factor, "proxies"), 0);
    if (p == NULL || !found(d, p) || !(document_number(p, "auc") >= STRONG_PROXY)) {
        return OK;
    }
    DEFER(buf_done) struct buf b;
    buf_init(&b, 4096);
    buf_printf(&b,
               "%s tells %s: AUC %.2f on rows not used for it (%.4g %% between %.2f and %.2f). A "
               "model that reads it knows the group without being told.",
               json_string_value(json_array_get(json_object_get(p, "columns"), 0)),
               document_text(factor, "factor"), document_number(p, "auc"),
               100 * document_number(d, "level"), document_end(p, "auc_ci", 0),
               document_end(p, "auc_ci", 1));
    return add(d, findings, "proxy", factor, p, 2 * document_end(p, "auc_ci", 0) - 1, &b);
}

static struct status
say_missing(const json_t *d, const json_t *factor, json_t *findings)
{
    const json_t *worst = NULL;
    size_t i = 0;
    json_t *m = NULL;
    json_array_foreach(json_object_get(factor, "missingness"), i, m)
    {
        const double gap = document_number(m, "difference");
        if (found(d, m) && (worst == NULL || gap > document_number(worst, "difference"))) {
            worst = m;
        }
    }
    if (worst == NULL) {
        return OK;
    }
    DEFER(buf_done) struct buf b;
    buf_init(&b, 4096);
    buf_printf(&b, "%s is missing %.1f points more often for %s = %s than for %s",
               document_text(worst, "column"), 100 * document_number(worst, "difference"),
               document_text(factor, "factor"), document_text(worst, "high"),
               document_text(worst, "low"));
    put_between(&b, d, document_end(worst, "ci", 0), document_end(worst, "ci", 1));
    buf_put_str(&b, ".");
    return add(d, findings, "missing", factor, worst,
               near_end(document_end(worst, "ci", 0), document_end(worst, "ci", 1)), &b);
}

struct status
bias_put_findings(json_t *d)
{
    json_t *findings = json_array(), *factor = NULL;
    size_t i = 0;
    TRY(js_set(d, "findings", findings));
    json_array_foreach(json_object_get(d, "factors"), i, factor)
    {
        TRY(say_label(d, factor, findings));
        TRY(say_adjusted(d, factor, findings));
        TRY(say_representation(d, factor, findings));
        TRY(say_proxy(d, factor, findings));
        TRY(say_missing(d, factor, findings));
    }
    return OK;
}
