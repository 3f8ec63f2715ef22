#include "report/comply_document.h"

#include "base/clock.h"

#include <string.h>

/* Of a check and of a control, worst first: the worst of what is below decides. */
enum outcome { FAILS, UNDECIDED, PASSES, IDLE, OUTCOMES };

static enum outcome
outcome_of(const json_t *finding)
{
    const char *word = json_string_value(json_object_get(finding, "outcome"));
    if (word == NULL || strcmp(word, "not-evaluable") == 0) {
        return UNDECIDED;
    }
    if (strcmp(word, "non-compliant") == 0) {
        return FAILS;
    }
    return strcmp(word, "not-applicable") == 0 ? IDLE : PASSES;
}

static enum outcome
worse(enum outcome a, enum outcome b)
{
    return a < b ? a : b;
}

static const char *
check_word(enum outcome o)
{
    static const char *const words[] = {"fails", "undecided", "passes", "not-applicable"};
    return words[o];
}

/* ---- a check ---- */

/* What is the same for all findings of a policy stands at the check. */
static struct status
add_finding(const json_t *finding, json_t *list)
{
    static const char *const kept[] = {"resource", "outcome", "message",   "fields",
                                       "missing",  "until",   "assignment"};
    json_t *o = json_object();
    CHECK(json_array_append_new(list, o) == 0, MEMORY);
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        json_t *value = json_object_get(finding, kept[i]);
        if (value != NULL) {
            TRY(js_set(o, kept[i], json_deep_copy(value)));
        }
    }
    return OK;
}

static struct status
describe_check(const json_t *finding, json_t *check)
{
    static const char *const kept[] = {"title",         "severity", "policy_version",
                                       "policy_digest", "remedy",   "assigned"};
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        json_t *value = json_object_get(finding, kept[i]);
        if (value != NULL) {
            TRY(js_set(check, kept[i], json_copy(value)));
        }
    }
    return OK;
}

static struct status
add_check(const struct comply_input *in, const char *policy, json_t *checks,
          enum outcome *inout_worst)
{
    size_t i, n = 0;
    json_t *finding = NULL;
    json_t *found = json_array();
    enum outcome worst = IDLE;
    json_t *check = json_pack("{s:s}", "policy", policy);
    CHECK(json_array_append_new(checks, check) == 0, MEMORY);
    TRY(js_set(check, "findings", found));
    json_array_foreach(in->findings, i, finding)
    {
        const char *of = json_string_value(json_object_get(finding, "policy"));
        if (of == NULL || strcmp(of, policy) != 0) {
            continue;
        }
        if (n++ == 0) {
            TRY(describe_check(finding, check));
        }
        worst = worse(worst, outcome_of(finding));
        TRY(add_finding(finding, found));
    }
    worst = n == 0 ? UNDECIDED : worst;
    *inout_worst = worse(*inout_worst, worst);
    return js_set(check, "outcome", json_string(check_word(worst)));
}

/* ---- a control ---- */

static struct status
add_always(const struct catalogue_control *k, json_t *list)
{
    for (size_t i = 0; i < k->always_count; i++) {
        const struct catalogue_property *p = k->always[i];
        CHECK(json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "id", p->id, "says", p->says,
                                                    "test", p->test)) == 0,
              MEMORY);
    }
    return OK;
}

static const char *
control_word(const struct catalogue_control *k, enum outcome worst)
{
    if (k->check_count > 0 && worst != IDLE) {
        return check_word(worst);
    }
    return k->always_count > 0 ? "always" : k->check_count > 0 ? "not-applicable" : "by-hand";
}

static struct status
add_control(const struct comply_input *in, const struct catalogue_control *k, const char *today,
            json_t *controls, json_t *counts)
{
    enum outcome worst = IDLE;
    json_t *checks = json_array(), *always = json_array();
    json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:b, s:o, s:o, s:s}", "id", k->id, "title",
                          k->title, "text", k->text, "applies_from", k->applies_from, "in_force",
                          strncmp(k->applies_from, today, 10) <= 0, "checks", checks, "always",
                          always, "by_hand", k->by_hand);
    CHECK(json_array_append_new(controls, o) == 0, MEMORY);
    for (size_t i = 0; i < k->check_count; i++) {
        TRY(add_check(in, k->checks[i], checks, &worst));
    }
    TRY(add_always(k, always));
    if (k->level > 0) {
        TRY(js_set(o, "level", json_integer(k->level)));
    }
    const char *word = control_word(k, worst);
    const json_int_t n = json_integer_value(json_object_get(counts, word));
    TRY(js_set(counts, word, json_integer(n + 1)));
    return js_set(o, "outcome", json_string(word));
}

/* ---- all ---- */

static struct status
put_evidence(const struct comply_evidence *e, json_t *d)
{
    struct digest digest;
    DEFER(buf_done) struct buf hex;
    buf_init(&hex, 128);
    digest_of(e->findings, &digest);
    digest_put_hex(&hex, &digest);
    return js_set(d, "evidence",
                  json_pack("{s:I, s:s, s:s, s:s#, s:o?}", "entry", (json_int_t)e->entry,
                            "findings_sha256", buf_str(&hex), "vkey", e->vkey, "receipt",
                            (const char *)e->receipt.ptr, (int)e->receipt.len, "findings",
                            js_base64(e->findings)));
}

struct status
comply_document(const struct comply_input *in, json_t **ret_document)
{
    const struct catalogue *k = in->catalogue;
    DEFER(buf_done) struct buf time;
    DEFER(buf_done) struct buf digest;
    json_t *counts = json_pack("{s:i, s:i, s:i, s:i, s:i, s:i}", "fails", 0, "undecided", 0,
                               "passes", 0, "always", 0, "not-applicable", 0, "by-hand", 0);
    json_t *controls = json_array();
    buf_init(&time, 64);
    buf_init(&digest, 128);
    clock_put_rfc3339(&time, in->now_ns);
    digest_put_hex(&digest, &k->digest);
    DEFER(js_freep)
    json_t *d =
        json_pack("{s:s, s:{s:s, s:s, s:s, s:s, s:s}, s:s, s:s, s:o, s:o}", "format", COMPLY_FORMAT,
                  "catalogue", "name", k->name, "title", k->title, "edition", k->edition,
                  "applies_from", k->applies_from, "sha256", buf_str(&digest), "origin", in->origin,
                  "created", buf_str(&time), "counts", counts, "controls", controls);
    CHECK(d != NULL, MEMORY);
    for (size_t i = 0; i < k->count; i++) {
        TRY(add_control(in, &k->controls[i], buf_str(&time), controls, counts));
    }
    TRY(put_evidence(&in->evidence, d));
    *ret_document = MOVE(d);
    return OK;
}
