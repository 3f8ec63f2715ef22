#include "workspace/compliance.h"

#include "base/clock.h"
#include "base/file.h"
#include "govern/policy.h"
#include "report/comply_document.h"
#include "workspace/policies_parts.h"

#include <stdio.h>
#include <string.h>

#define FINDINGS_MAX (64u << 20)
#define ARENA_MAX (16u << 20)
#define CHECKS_MAX 256u

struct evaluating {
    struct workspace *w;
    const struct policy_state *state;
    int64_t now_ns;
    struct diag *diag;
    json_t *findings; /* of the document */
};

/* ---- which checks ---- */

static bool
is_among(const char *id, const char *const *ids, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(ids[i], id) == 0) {
            return true;
        }
    }
    return false;
}

/* The checks of all controls, each once. */
static struct status
checks_of(const struct catalogue *k, const char *ret_ids[static CHECKS_MAX], size_t *ret_count)
{
    size_t n = 0;
    for (size_t i = 0; i < k->count; i++) {
        for (size_t c = 0; c < k->controls[i].check_count; c++) {
            if (!is_among(k->controls[i].checks[c], ret_ids, n)) {
                CHECK(n < CHECKS_MAX, LIMIT);
                ret_ids[n++] = k->controls[i].checks[c];
            }
        }
    }
    *ret_count = n;
    return OK;
}

static struct status
add_finding(struct evaluating *e, json_t *finding, bool assigned)
{
    CHECK(json_array_append(e->findings, finding) == 0, MEMORY);
    return js_set(finding, "assigned", json_boolean(assigned));
}

/* ---- those that are assigned ---- */

static struct status
take_assigned(struct evaluating *e, const struct policies_found *f, const char *const *ids,
              size_t n, bool ret_seen[static CHECKS_MAX])
{
    for (size_t i = 0; i < f->count; i++) {
        const char *policy = f->all[i].assignment->policy->id;
        for (size_t c = 0; c < n; c++) {
            if (strcmp(ids[c], policy) == 0) {
                DEFER(js_freep) json_t *o = NULL;
                TRY(policy_finding_to_json(&f->all[i], &o));
                TRY(add_finding(e, o, true));
                ret_seen[c] = true;
            }
        }
    }
    return OK;
}

/* ---- those that are not: with their defaults ---- */

/* One that only an assignment gives its parameters: it cannot be held against the state. */
static struct status
add_unassigned(struct evaluating *e, const struct policy *p, const char *why)
{
    DEFER(js_freep)
    json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s*, s:o?}", "policy", p->id,
                          "policy_version", p->version, "policy_digest", p->digest_hex, "title",
                          p->title, "severity", policy_severity_word(p->severity), "outcome",
                          "not-evaluable", "remedy", p->remedy, "message", js_sentence(why));
    CHECK(o != NULL, MEMORY);
    return add_finding(e, o, false);
}

static struct status
evaluate_built_in(struct evaluating *e, const char *id)
{
    const char *text = policy_built_in(id);
    struct policy_assignment assignment;
    DEFER(memory_freep) struct policy_finding *found = NULL;
    size_t n = 0;
    DEFER(policy_freep) struct policy *p = NULL;
    DEFER(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    CHECK(arena != NULL, MEMORY);
    if (text == NULL) {
        return OK; /* the document tells that there is no such policy */
    }
    TRY(policy_read(view_str(text), id, e->diag, &p));
    struct diag why = {0};
    const struct status s = policy_assign(p, id, "workspace", NULL, arena, &why, &assignment);
    if (s.code == STATUS_INPUT) {
        return add_unassigned(e, p, why.text);
    }
    TRY(s);
    const struct policy_question q = {
        .assignments = &assignment, .assignment_count = 1, .now_ns = e->now_ns};
    TRY(policy_evaluate(&q, e->state, &found, &n));
    for (size_t i = 0; i < n; i++) {
        DEFER(js_freep) json_t *o = NULL;
        TRY(policy_finding_to_json(&found[i], &o));
        TRY(add_finding(e, o, false));
    }
    return OK;
}

static struct status
evaluate(struct evaluating *e, const struct catalogue *k, const json_t *also)
{
    const char *ids[CHECKS_MAX];
    bool seen[CHECKS_MAX] = {0};
    size_t n = 0;
    json_t *document = NULL;
    DEFER(policies_freep) struct policies *assigned = NULL;
    DEFER(policies_found_done) struct policies_found f = {0};
    TRY(checks_of(k, ids, &n));
    TRY(policies_read(e->w, e->diag, &assigned));
    TRY(policy_gather(e->w, also, e->diag, &document));
    TRY(policies_evaluate(assigned, document, e->diag, &f));
    TRY(take_assigned(e, &f, ids, n, seen));
    e->state = f.state;
    for (size_t i = 0; i < n; i++) {
        if (!seen[i]) {
            TRY(evaluate_built_in(e, ids[i]));
        }
    }
    return OK;
}

/* ---- evidence ---- */

/* The entry is on disk and under a checkpoint when this returns. */
static struct status
record(struct workspace *w, const struct catalogue *k, struct view findings, struct diag *diag,
       uint64_t *ret_entry, struct buf *ret_receipt)
{
    char resource[96], reason[160];
    struct digest digest;
    DEFER(buf_done) struct buf hex;
    DEFER(file_freep) char *dir = file_join(w->dir, "audit");
    buf_init(&hex, 128);
    digest_of(findings, &digest);
    digest_put_hex(&hex, &digest);
    (void)snprintf(resource, sizeof resource, "catalogues/%.63s", k->name);
    (void)snprintf(reason, sizeof reason, "state held against the catalogue; findings sha256 %s",
                   buf_str(&hex));
    const struct workspace_act act = {
        .action = "comply.report", .resource = resource, .reason = reason};
    TRY(workspace_audit_at(w, &act, diag, ret_entry));
    TRY(audit_publish(w->audit, diag));
    return audit_prove(dir, *ret_entry, NULL, ret_receipt, diag);
}

struct status
compliance_report(struct workspace *w, const struct catalogue *k, const json_t *also,
                  struct diag *diag, json_t **ret_document)
{
    DEFER(buf_done) struct buf text;
    DEFER(buf_done) struct buf receipt;
    DEFER(buf_done) struct buf vkey;
    DEFER(file_freep) char *dir = file_join(w->dir, "audit");
    buf_init(&text, FINDINGS_MAX);
    buf_init(&receipt, 1u << 20);
    buf_init(&vkey, 1024);
    DEFER(js_freep) json_t *findings = json_array();
    CHECK(findings != NULL, MEMORY);
    struct evaluating e = {.w = w, .now_ns = clock_wall_ns(), .diag = diag, .findings = findings};
    TRY(evaluate(&e, k, also));
    TRY(js_put(&text, findings));
    struct comply_input in = {.catalogue = k,
                              .findings = findings,
                              .origin = w->origin,
                              .now_ns = e.now_ns,
                              .evidence = {.findings = buf_view(&text)}};
    TRY(record(w, k, in.evidence.findings, diag, &in.evidence.entry, &receipt));
    TRY(audit_vkey(dir, NULL, diag, &vkey));
    in.evidence.receipt = buf_view(&receipt);
    in.evidence.vkey = buf_str(&vkey);
    return comply_document(&in, ret_document);
}
