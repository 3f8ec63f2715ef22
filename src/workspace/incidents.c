#include "workspace/incidents.h"

#include "base/clock.h"
#include "govern/incident.h"
#include "workspace/models.h"
#include "workspace/registry.h"

#include <stdio.h>
#include <string.h>

/* 0: absent. */
static struct status
time_of(const json_t *incident, const char *key, int64_t *ret_ns)
{
    const char *text = json_string_value(json_object_get(incident, key));
    *ret_ns = 0;
    return text == NULL ? OK : clock_from_rfc3339(view_str(text), ret_ns);
}

static struct status
check_past(const char *what, int64_t ns, struct diag *diag)
{
    if (ns > clock_wall_ns()) {
        diag_set(diag, "%s lies in the future", what);
        FAIL(INPUT);
    }
    return OK;
}

/* ---- the clock ---- */

static struct status
add_clock(json_t *incident, struct diag *diag)
{
    const struct incident_rule *rule = NULL;
    const char *name = NULL;
    int64_t aware_ns = 0, reported_ns = 0, left_ns = 0;
    TRY(js_need_string(incident, "rule", diag, &name));
    TRY(incident_rule_find(name, diag, &rule));
    TRY(time_of(incident, "aware", &aware_ns));
    TRY(time_of(incident, "reported", &reported_ns));
    const int64_t now_ns = clock_wall_ns();
    const enum incident_clock state =
        incident_clock_of(rule, aware_ns, reported_ns, now_ns, &left_ns);
    json_t *clock = json_pack(
        "{s:s, s:o?, s:I}", "state",
        json_object_get(incident, "unreported") != NULL ? "need not be reported"
                                                        : incident_clock_word(state),
        "due", js_time(aware_ns + rule->within_ns), "left_s", (json_int_t)(left_ns / NS_PER_S));
    return js_set(incident, "clock", clock);
}

/* ---- changes ---- */

static struct status
keep(struct workspace *w, json_t *incident, const char *reason, struct diag *diag,
     json_t **ret_incident)
{
    char name[64];
    DEFER(js_freep) json_t *kept = NULL;
    /* A copy: the record gets its members anew. */
    (void)snprintf(name, sizeof name, "%s", json_string_value(json_object_get(incident, "name")));
    TRY(records_put(w, RECORD_INCIDENT, name, json_incref(incident), reason, diag, &kept));
    TRY(add_clock(kept, diag));
    *ret_incident = MOVE(kept);
    return OK;
}

struct status
incident_open(struct workspace *w, const struct incident_start *o, struct diag *diag,
              json_t **ret_incident)
{
    const struct incident_rule *rule = NULL;
    DEFER(js_freep) json_t *before = NULL;
    DEFER(js_freep) json_t *model = NULL;
    TRY(registry_check_name("incident", o->name, diag));
    TRY(records_check_text("the title", o->title, diag));
    TRY(incident_rule_find(o->rule, diag, &rule));
    TRY(check_past("the time at which it became known", o->aware_ns, diag));
    const struct status known = records_get(w, RECORD_INCIDENT, o->name, 0, NULL, &before);
    if (known.code != STATUS_NOT_FOUND) {
        TRY(known);
        diag_set(diag, "there is an incident %s; choose another name", o->name);
        FAIL(EXISTS);
    }
    DEFER(js_freep)
    json_t *incident =
        json_pack("{s:s, s:s, s:s, s:s, s:o?, s:[]}", "name", o->name, "title", o->title, "rule",
                  rule->name, "law", rule->law, "aware", js_time(o->aware_ns), "notes");
    CHECK(incident != NULL, MEMORY);
    if (o->model != NULL) {
        TRY(model_describe(w, o->model, 0, diag, &model));
        TRY(js_set(incident, "model", json_string(o->model)));
    }
    return keep(w, incident, "incident opened", diag, ret_incident);
}

static struct status
get_open(struct workspace *w, const char *name, struct diag *diag, json_t **ret_incident)
{
    TRY(records_get(w, RECORD_INCIDENT, name, 0, diag, ret_incident));
    if (json_object_get(*ret_incident, "closed") != NULL) {
        json_decref(MOVE(*ret_incident));
        diag_set(diag, "incident %s is closed; open another one", name);
        FAIL(INPUT);
    }
    return OK;
}

static struct status
add_note(const struct workspace *w, json_t *incident, const char *text, struct diag *diag)
{
    TRY(records_check_text("a note", text, diag));
    json_t *note = json_pack("{s:o?, s:s, s:s}", "time", js_time(clock_wall_ns()), "by",
                             w->principal, "text", text);
    CHECK(json_array_append_new(json_object_get(incident, "notes"), note) == 0, MEMORY);
    return OK;
}

struct status
incident_note(struct workspace *w, const char *name, const char *text, struct diag *diag,
              json_t **ret_incident)
{
    DEFER(js_freep) json_t *incident = NULL;
    TRY(get_open(w, name, diag, &incident));
    TRY(add_note(w, incident, text, diag));
    return keep(w, incident, "incident noted", diag, ret_incident);
}

struct status
incident_reported(struct workspace *w, const char *name, int64_t at_ns, const char *text,
                  struct diag *diag, json_t **ret_incident)
{
    int64_t aware_ns = 0;
    DEFER(js_freep) json_t *incident = NULL;
    TRY(get_open(w, name, diag, &incident));
    TRY(time_of(incident, "aware", &aware_ns));
    TRY(check_past("the time of the report", at_ns, diag));
    if (json_object_get(incident, "reported") != NULL || at_ns < aware_ns) {
        diag_set(diag, at_ns < aware_ns ? "the report would be before the incident became known"
                                        : "the incident was reported already; add a note");
        FAIL(INPUT);
    }
    TRY(js_set(incident, "reported", js_time(at_ns)));
    TRY(add_note(w, incident, text, diag));
    return keep(w, incident, "incident reported", diag, ret_incident);
}

struct status
incident_close(struct workspace *w, const char *name, const char *outcome, bool unreported,
               struct diag *diag, json_t **ret_incident)
{
    DEFER(js_freep) json_t *incident = NULL;
    TRY(get_open(w, name, diag, &incident));
    TRY(records_check_text("the outcome", outcome, diag));
    const bool reported = json_object_get(incident, "reported") != NULL;
    if (!reported && !unreported) {
        diag_set(diag,
                 "incident %s was not reported; record its report first, or close it as one that "
                 "need not be, with the reason as the outcome",
                 name);
        FAIL(INPUT);
    }
    if (!reported) {
        TRY(js_set(incident, "unreported", json_true()));
    }
    TRY(js_set(incident, "outcome", json_string(outcome)));
    TRY(js_set(incident, "closed", js_time(clock_wall_ns())));
    return keep(w, incident, "incident closed", diag, ret_incident);
}

/* ---- reading ---- */

struct status
incident_get(struct workspace *w, const char *name, struct diag *diag, json_t **ret_incident)
{
    DEFER(js_freep) json_t *incident = NULL;
    TRY(records_get(w, RECORD_INCIDENT, name, 0, diag, &incident));
    TRY(add_clock(incident, diag));
    *ret_incident = MOVE(incident);
    return OK;
}

/* Versions of one name follow each other: the last stays. */
static struct status
take_newest(void *ctx, const char *name, uint64_t version, const json_t *record)
{
    (void)name;
    json_t *list = ctx;
    json_t *copy = json_deep_copy(record);
    const int failed = version > 1 ? json_array_set_new(list, json_array_size(list) - 1, copy)
                                   : json_array_append_new(list, copy);
    CHECK(failed == 0, MEMORY);
    return OK;
}

struct status
incident_list(struct workspace *w, struct diag *diag, json_t **ret_list)
{
    size_t i;
    json_t *incident = NULL;
    DEFER(js_freep) json_t *list = json_array();
    CHECK(list != NULL, MEMORY);
    TRY(records_each(w, RECORD_INCIDENT, take_newest, list));
    json_array_foreach(list, i, incident)
    {
        TRY(add_clock(incident, diag));
    }
    *ret_list = MOVE(list);
    return OK;
}
