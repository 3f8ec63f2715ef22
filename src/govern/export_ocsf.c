/* OCSF 1.8: API Activity (6003), Authentication (3002), Detection Finding (2004). Which attributes
 * a class must have is the published schema's; what has no place in it is under "unmapped". */
#include "govern/export_event.h"

#include "base/json.h"

#include <stdio.h>
#include <string.h>

#define SCHEMA "1.8.0"

struct class
{
    int category, uid;
    const char *name;
};

static const struct class api_activity = {6, 6003, "API Activity"},
                          authentication = {3, 3002, "Authentication"},
                          detection_finding = {2, 2004, "Detection Finding"};

struct activity {
    const char *ending; /* of an action */
    int id;
    const char *name;
};

/* Of API activities; others are 99, named as the action is. */
static const struct activity activities[] = {
    {".init", 1, "Create"},   {".issue", 1, "Create"},     {".create", 1, "Create"},
    {".read", 2, "Read"},     {".configure", 3, "Update"}, {".write", 3, "Update"},
    {".rotate", 3, "Update"}, {".rewrap", 3, "Update"},    {".restore", 3, "Update"},
    {".erase", 4, "Delete"},  {".revoke", 4, "Delete"},
};

static const struct class *
class_of(const struct export_entry *e)
{
    const char *action = export_text(e, "action", "");
    const bool stranger =
        export_number(e, "http_status") == 401 ||
        (export_number(e, "http_status") == 429 && export_text(e, "principal", NULL) == NULL);
    if (export_is_finding(e)) {
        return &detection_finding;
    }
    return stranger || strncmp(action, "console.sign-", 13) == 0 ? &authentication : &api_activity;
}

static struct activity
activity_of(const struct class *c, const struct export_entry *e)
{
    const char *action = export_text(e, "action", "unknown");
    const size_t n = strlen(action);
    if (c == &detection_finding) {
        return export_is_over(e) ? (struct activity){NULL, 3, "Close"}
                                 : (struct activity){NULL, 1, "Create"};
    }
    if (c == &authentication) {
        return strcmp(action, "console.sign-out") == 0 ? (struct activity){NULL, 2, "Logoff"}
                                                       : (struct activity){NULL, 1, "Logon"};
    }
    for (size_t i = 0; i < sizeof activities / sizeof *activities; i++) {
        const size_t k = strlen(activities[i].ending);
        if (n > k && strcmp(action + n - k, activities[i].ending) == 0) {
            return activities[i];
        }
    }
    return (struct activity){NULL, 99, action};
}

/* Sets a text that the entry has. */
static bool
copy_text(json_t *to, const char *name, const struct export_entry *e, const char *key)
{
    const char *text = export_text(e, key, NULL);
    return text == NULL || json_object_set_new(to, name, json_string(text)) == 0;
}

static bool
copy_number(json_t *to, const char *name, const struct export_entry *e, const char *key)
{
    const int64_t n = export_number(e, key);
    return n == 0 || json_object_set_new(to, name, json_integer(n)) == 0;
}

static json_t *
metadata(const struct export_entry *e, bool model)
{
    char uid[400];
    (void)snprintf(uid, sizeof uid, "%.300s#%llu", e->log, (unsigned long long)e->index);
    json_t *m =
        json_pack("{s:s, s:{s:s, s:s, s:s}, s:s, s:I, s:s, s:[]}", "version", SCHEMA, "product",
                  "name", "Steward", "vendor_name", "Steward", "version", STEWARD_VERSION, "uid",
                  uid, "sequence", (json_int_t)e->index, "log_name", e->log, "profiles");
    if (m == NULL || !copy_text(m, "original_time", e, "time") ||
        !copy_text(m, "event_code", e, "action") ||
        (model &&
         json_array_append_new(json_object_get(m, "profiles"), json_string("ai_operation")) != 0)) {
        json_decref(m);
        return NULL;
    }
    return m;
}

static json_t *
user(const struct export_entry *e)
{
    return json_pack("{s:s}", "name", export_text(e, "principal", "unknown"));
}

/* Who, how that was proved, and by which rule of which version it was decided. */
static json_t *
actor(const struct export_entry *e)
{
    const char *rule = export_text(e, "rule", NULL);
    json_t *a = json_pack("{s:o}", "user", user(e));
    const char *proof = export_text(e, "authenticated_by", NULL);
    bool good = a != NULL;
    if (good && proof != NULL) {
        good = json_object_set_new(a, "session", json_pack("{s:s}", "credential_uid", proof)) == 0;
    }
    if (good && rule != NULL) {
        json_t *policy = json_pack("{s:s}", "name", rule);
        good = policy != NULL && copy_text(policy, "version", e, "rules_version");
        json_t *list = json_pack("[{s:s, s:o}]", "decision", export_text(e, "decision", "deny"),
                                 "policy", policy);
        good = good && json_object_set_new(a, "authorizations", list) == 0;
    }
    if (!good) {
        json_decref(a);
        return NULL;
    }
    return a;
}

static json_t *
source(const struct export_entry *e)
{
    const char *address = export_text(e, "address", NULL);
    return address == NULL ? json_pack("{s:s}", "name", "this machine")
                           : json_pack("{s:s}", "ip", address);
}

static bool
put_api(json_t *o, const struct export_entry *e)
{
    const char *id = export_text(e, "id", NULL);
    const int64_t http = export_number(e, "http_status");
    json_t *api = json_pack("{s:s, s:{s:s}}", "operation", export_text(e, "action", "unknown"),
                            "service", "name", "steward");
    bool good = json_object_set_new(o, "api", api) == 0 && api != NULL;
    if (good && id != NULL) {
        good = json_object_set_new(api, "request", json_pack("{s:s}", "uid", id)) == 0;
    }
    if (good && http != 0) {
        json_t *answer = json_pack("{s:I}", "code", (json_int_t)http);
        good = json_object_set_new(api, "response", answer) == 0;
        json_t *response = json_pack("{s:I, s:I}", "code", (json_int_t)http, "latency",
                                     (json_int_t)(export_number(e, "duration_ns") / 1000000));
        good = good && json_object_set_new(o, "http_response", response) == 0;
    }
    return good && json_object_set_new(o, "actor", actor(e)) == 0;
}

static bool
put_model(json_t *o, const struct export_entry *e)
{
    char version[24];
    const char *name = export_text(e, "model", NULL), *resource = export_text(e, "resource", "");
    const int64_t number = export_number(e, "model_version");
    if (name == NULL && number > 0 && strncmp(resource, "models/", 7) == 0) {
        name = resource + 7; /* of version 1 of the entries' schema */
    }
    if (name == NULL) {
        return true;
    }
    (void)snprintf(version, sizeof version, "%lld", (long long)number);
    json_t *m = json_pack("{s:s, s:s}", "ai_provider", "steward", "name", name);
    const bool good = m != NULL && copy_text(m, "uid", e, "model_sha256") &&
                      (number == 0 || json_object_set_new(m, "version", json_string(version)) == 0);
    return json_object_set_new(o, "ai_model", m) == 0 && good;
}

/* Of a model that reads and writes text. */
static bool
put_message(json_t *o, const struct export_entry *e)
{
    static const char *const counts[] = {"prompt_tokens", "completion_tokens", "total_tokens"};
    bool good = true, any = false;
    for (size_t i = 0; i < 3; i++) {
        any = any || export_number(e, counts[i]) > 0;
    }
    if (!any) {
        return true;
    }
    json_t *m = json_pack("{s:{s:s}, s:i, s:s}", "service", "name", "steward", "ai_role_id", 2,
                          "ai_role", "Assistant");
    good = m != NULL && copy_text(m, "uid", e, "id");
    for (size_t i = 0; i < 3; i++) {
        good = good && copy_number(m, counts[i], e, counts[i]);
    }
    return json_object_set_new(o, "message_context", m) == 0 && good;
}

/* What a check found, as the entry has it. */
static bool
put_guards(json_t *rest, const struct export_entry *e)
{
    const size_t n = export_guards(e);
    json_t *list = n == 0 ? NULL : json_array();
    for (size_t i = 0; i < n; i++) {
        json_t *g =
            json_pack("{s:s, s:s, s:s}", "guard", export_guard_text(e, i, "guard"), "verdict",
                      export_guard_text(e, i, "verdict"), "rule", export_guard_text(e, i, "rule"));
        if (json_array_append_new(list, g) != 0) {
            json_decref(list);
            return false;
        }
    }
    return n == 0 || json_object_set_new(rest, "guards", list) == 0;
}

/* An alert has one name from when it is raised until it is cleared. */
static void
put_finding_uid(const struct export_entry *e, char ret_uid[static 1000])
{
    if (export_alert_text(e, "severity", NULL) != NULL) {
        (void)snprintf(ret_uid, 1000, "%.300s#%.100s#%.400s", e->log,
                       export_text(e, "resource", ""), export_alert_text(e, "subject", ""));
        return;
    }
    (void)snprintf(ret_uid, 1000, "%.300s#%llu", e->log, (unsigned long long)e->index);
}

static bool
put_finding(json_t *o, const struct export_entry *e)
{
    char uid[1000];
    const char *action = export_text(e, "action", "unknown");
    put_finding_uid(e, uid);
    json_t *f = json_pack("{s:s, s:s, s:s, s:I, s:{s:i, s:s}}", "uid", uid, "title", action, "desc",
                          export_text(e, "reason", ""), "created_time",
                          (json_int_t)export_time_ms(e), "analytic", "type_id", 1, "name", action);
    return json_object_set_new(o, "finding_info", f) == 0 &&
           json_object_set_new(o, "is_alert", json_true()) == 0;
}

/* A finding's status is where it stands; another event's is what came of it. */
static bool
put_status(json_t *o, const struct class *c, const struct export_entry *e)
{
    char code[24];
    const int64_t http = export_number(e, "http_status");
    const bool finding = c == &detection_finding, over = export_is_over(e),
               done = export_allowed(e) && http < 400;
    (void)snprintf(code, sizeof code, "%lld", (long long)http);
    return json_object_set_new(o, "status_id",
                               json_integer(over              ? 4
                                            : finding || done ? 1
                                                              : 2)) == 0 &&
           json_object_set_new(o, "status",
                               json_string(over      ? "Resolved"
                                           : finding ? "New"
                                           : done    ? "Success"
                                                     : "Failure")) == 0 &&
           (http == 0 || json_object_set_new(o, "status_code", json_string(code)) == 0) &&
           copy_text(o, "status_detail", e, "reason");
}

static bool
put_rest(json_t *o, const struct export_entry *e)
{
    static const char *const texts[] = {
        "purpose", "output", "request_sha256", "response_sha256", "explanation_sha256", "capture"};
    const char *resource = export_text(e, "resource", NULL);
    json_t *rest = json_object();
    bool good = json_object_set_new(o, "unmapped", rest) == 0 && rest != NULL &&
                copy_number(rest, "rows", e, "rows") && put_guards(rest, e);
    for (size_t i = 0; good && i < sizeof texts / sizeof *texts; i++) {
        good = copy_text(rest, texts[i], e, texts[i]);
    }
    if (good && resource != NULL) {
        good = json_object_set_new(o, "resources", json_pack("[{s:s}]", "name", resource)) == 0;
    }
    return good;
}

static bool
put_class(json_t *o, const struct class *c, const struct export_entry *e)
{
    if (c == &detection_finding) {
        return put_finding(o, e);
    }
    if (c == &authentication && json_object_set_new(o, "user", user(e)) != 0) {
        return false;
    }
    return (c == &authentication || put_api(o, e)) && put_model(o, e) && put_message(o, e) &&
           json_object_set_new(o, "src_endpoint", source(e)) == 0;
}

struct status
export_put_ocsf(const struct export_entry *e, struct buf *ret_line)
{
    static const char *const severities[] = {"Unknown", "Informational", "Low", "Medium", "High"};
    const struct class *c = class_of(e);
    const struct activity a = activity_of(c, e);
    const unsigned severity = export_severity(e);
    DEFER(js_freep)
    json_t *o = json_pack("{s:i, s:s, s:i, s:i, s:s, s:i, s:i, s:s, s:I, s:s}", "class_uid", c->uid,
                          "class_name", c->name, "category_uid", c->category, "activity_id", a.id,
                          "activity_name", a.name, "type_uid", c->uid * 100 + a.id, "severity_id",
                          (int)severity, "severity", severities[severity], "time",
                          (json_int_t)export_time_ms(e), "message", export_text(e, "reason", ""));
    CHECK(o != NULL && put_status(o, c, e) && put_class(o, c, e) && put_rest(o, e), MEMORY);
    const bool model =
        json_object_get(o, "ai_model") != NULL || json_object_get(o, "message_context") != NULL;
    CHECK(json_object_set_new(o, "metadata", metadata(e, model)) == 0, MEMORY);
    return js_put(ret_line, o);
}
