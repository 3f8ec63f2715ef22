/* OSCAL 1.1.2 assessment results (pages.nist.gov/OSCAL): one observation for each finding, one
 * finding for each control that checks decide, and as evidence the log's receipt. */
#include "report/comply_document.h"
#include "report/document.h"

#include "base/random.h"

#include <stdio.h>
#include <string.h>

#define UUID_MAX 37
#define OURS "https://steward.example/ns/oscal"

struct writing {
    const json_t *document;
    const char *created;
    char receipt[UUID_MAX], findings[UUID_MAX], plan[UUID_MAX];
    json_t *observations, *results; /* findings, as OSCAL has them */
};

/* Version 4: RFC 9562 section 5.4. */
static void
make_uuid(char ret_uuid[static UUID_MAX])
{
    uint8_t b[16];
    random_name_bytes(b, sizeof b);
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
    (void)snprintf(ret_uuid, UUID_MAX,
                   "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0],
                   b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13],
                   b[14], b[15]);
}

static struct status
add_prop(json_t *props, const char *name, const char *value)
{
    /* OSCAL has no empty values. */
    if (value == NULL || *value == '\0') {
        return OK;
    }
    CHECK(json_array_append_new(
              props, json_pack("{s:s, s:s, s:s}", "name", name, "ns", OURS, "value", value)) == 0,
          MEMORY);
    return OK;
}

/* ---- observations ---- */

static struct status
add_observation(const struct writing *w, const json_t *check, const json_t *finding,
                json_t *related)
{
    char uuid[UUID_MAX], title[256], to_receipt[UUID_MAX + 1], to_findings[UUID_MAX + 1];
    const char *message = document_text(finding, "message");
    const char *resource = document_text(finding, "resource");
    make_uuid(uuid);
    (void)snprintf(title, sizeof title, "%.100s: %.120s", document_text(check, "policy"),
                   *resource == '\0' ? "the workspace" : resource);
    (void)snprintf(to_receipt, sizeof to_receipt, "#%s", w->receipt);
    (void)snprintf(to_findings, sizeof to_findings, "#%s", w->findings);
    json_t *props = json_array();
    json_t *o = json_pack("{s:s, s:o, s:s, s:o, s:[s], s:[s], s:s, s:[{s:s, s:s}, {s:s, s:s}]}",
                          "uuid", uuid, "title", js_sentence(title), "description",
                          *message != '\0' ? message : document_text(check, "title"), "props",
                          props, "methods", "TEST", "types", "finding", "collected", w->created,
                          "relevant-evidence", "href", to_receipt, "description",
                          "The log's receipt for the entry that has the findings' digest", "href",
                          to_findings, "description", "The findings, as they were found");
    CHECK(json_array_append_new(w->observations, o) == 0, MEMORY);
    TRY(add_prop(props, "policy", document_text(check, "policy")));
    TRY(add_prop(props, "policy-sha256", document_text(check, "policy_digest")));
    TRY(add_prop(props, "resource", resource));
    TRY(add_prop(props, "outcome", document_text(finding, "outcome")));
    CHECK(json_array_append_new(related, json_pack("{s:s}", "observation-uuid", uuid)) == 0,
          MEMORY);
    return OK;
}

static struct status
add_observations(const struct writing *w, const json_t *control, json_t *related)
{
    size_t i, k;
    json_t *check = NULL, *finding = NULL;
    json_array_foreach(json_object_get(control, "checks"), i, check)
    {
        json_array_foreach(json_object_get(check, "findings"), k, finding)
        {
            TRY(add_observation(w, check, finding, related));
        }
    }
    return OK;
}

/* ---- findings ---- */

static bool
is_decided(const json_t *control)
{
    const char *outcome = document_text(control, "outcome");
    return strcmp(outcome, "passes") == 0 || strcmp(outcome, "fails") == 0;
}

static struct status
put_remedies(const json_t *control, struct buf *b)
{
    size_t i;
    json_t *check = NULL;
    json_array_foreach(json_object_get(control, "checks"), i, check)
    {
        const char *remedy = document_text(check, "remedy");
        if (strcmp(document_text(check, "outcome"), "fails") == 0 && *remedy != '\0') {
            buf_printf(b, " What to do about %s: %s", document_text(check, "policy"), remedy);
        }
    }
    return buf_status(b);
}

static struct status
add_finding(const struct writing *w, const json_t *control)
{
    char uuid[UUID_MAX];
    const bool passes = strcmp(document_text(control, "outcome"), "passes") == 0;
    json_t *related = json_array();
    DEFER(buf_done) struct buf text;
    buf_init(&text, 1u << 16);
    make_uuid(uuid);
    buf_printf(&text, "%s What no machine can check: %s", document_text(control, "text"),
               document_text(control, "by_hand"));
    TRY(put_remedies(control, &text));
    json_t *o = json_pack(
        "{s:s, s:s, s:s, s:{s:s, s:s, s:{s:s, s:s, s:s}}, s:o}", "uuid", uuid, "title",
        document_text(control, "title"), "description", buf_str(&text), "target", "type",
        "objective-id", "target-id", document_text(control, "id"), "status", "state",
        passes ? "satisfied" : "not-satisfied", "reason", passes ? "pass" : "fail", "remarks",
        "Of what the checks look at; never of the whole control.", "related-observations", related);
    CHECK(json_array_append_new(w->results, o) == 0, MEMORY);
    return add_observations(w, control, related);
}

/* ---- the document ---- */

static struct status
add_controls(const struct writing *w, json_t *selected)
{
    size_t i;
    json_t *control = NULL;
    json_array_foreach(json_object_get(w->document, "controls"), i, control)
    {
        if (is_decided(control)) {
            json_t *o = json_pack("{s:s}", "control-id", document_text(control, "id"));
            CHECK(json_array_append_new(selected, o) == 0, MEMORY);
            TRY(add_finding(w, control));
        }
    }
    return OK;
}

/* An empty list of OSCAL's is one that is absent. */
static struct status
set_unless_empty(json_t *o, const char *key, json_t *list)
{
    return json_array_size(list) == 0 ? OK : js_set(o, key, json_incref(list));
}

static json_t *
resource(const char *uuid, const char *title, const char *name, const char *type, json_t *base64)
{
    return json_pack("{s:s, s:s, s:{s:s, s:s, s:o?}}", "uuid", uuid, "title", title, "base64",
                     "filename", name, "media-type", type, "value", base64);
}

static struct status
put_resources(const struct writing *w, json_t *results)
{
    const json_t *evidence = json_object_get(w->document, "evidence");
    const char *receipt = document_text(evidence, "receipt");
    json_t *plan = json_pack("{s:s, s:s, s:s}", "uuid", w->plan, "title", "Plan", "description",
                             "Each control of the catalogue that a policy decides is held against "
                             "the workspace's state.");
    return js_set(results, "back-matter",
                  json_pack("{s:[o, o, o]}", "resources", plan,
                            resource(w->receipt, "Receipt of the log", "receipt.tlog-proof",
                                     "text/plain", js_base64(view_str(receipt))),
                            resource(w->findings, "Findings", "findings.json", "application/json",
                                     json_copy(json_object_get(evidence, "findings")))));
}

static struct status
put_result(struct writing *w, json_t *selected, json_t *results)
{
    char uuid[UUID_MAX], title[512];
    const json_t *catalogue = json_object_get(w->document, "catalogue");
    (void)snprintf(title, sizeof title, "%.200s, %.200s", document_text(catalogue, "title"),
                   document_text(catalogue, "edition"));
    make_uuid(uuid);
    json_t *chosen =
        json_array_size(selected) == 0
            ? json_pack("{s:[{s:s}]}", "control-selections", "description",
                        "No control was decided by a machine.")
            : json_pack("{s:[{s:O}]}", "control-selections", "include-controls", selected);
    json_t *one =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:o}", "uuid", uuid, "title", title, "description",
                  "What the checks of the workspace's policies found. A control that is "
                  "not selected was not decided by a machine.",
                  "start", w->created, "end", w->created, "reviewed-controls", chosen);
    TRY(js_set(results, "results", json_pack("[o]", one)));
    TRY(set_unless_empty(one, "observations", w->observations));
    return set_unless_empty(one, "findings", w->results);
}

struct status
comply_oscal(const json_t *document, json_t **ret_oscal)
{
    char uuid[UUID_MAX], to_plan[UUID_MAX + 1];
    DEFER(js_freep) json_t *observations = json_array();
    DEFER(js_freep) json_t *found = json_array();
    DEFER(js_freep) json_t *selected = json_array();
    CHECK(observations != NULL && found != NULL && selected != NULL, MEMORY);
    struct writing w = {.document = document,
                        .created = document_text(document, "created"),
                        .observations = observations,
                        .results = found};
    make_uuid(uuid);
    make_uuid(w.plan);
    make_uuid(w.receipt);
    make_uuid(w.findings);
    (void)snprintf(to_plan, sizeof to_plan, "#%s", w.plan);
    DEFER(js_freep)
    json_t *all = json_pack("{s:{s:s, s:{s:s, s:s, s:s, s:s}, s:{s:s}}}", "assessment-results",
                            "uuid", uuid, "metadata", "title", "Assessment results of Steward",
                            "last-modified", w.created, "version", STEWARD_VERSION, "oscal-version",
                            "1.1.2", "import-ap", "href", to_plan);
    CHECK(all != NULL, MEMORY);
    json_t *results = json_object_get(all, "assessment-results");
    TRY(add_controls(&w, selected));
    TRY(put_result(&w, selected, results));
    TRY(put_resources(&w, results));
    *ret_oscal = MOVE(all);
    return OK;
}
