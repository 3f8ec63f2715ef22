#include "testing/schema.h"

#include "govern/audit.h"

#include <regex.h>
#include <stdlib.h>
#include <string.h>

static bool
has_type(const json_t *value, const char *type)
{
    return (strcmp(type, "object") == 0 && json_is_object(value)) ||
           (strcmp(type, "array") == 0 && json_is_array(value)) ||
           (strcmp(type, "string") == 0 && json_is_string(value)) ||
           (strcmp(type, "boolean") == 0 && json_is_boolean(value)) ||
           (strcmp(type, "integer") == 0 && json_is_integer(value)) ||
           (strcmp(type, "number") == 0 && json_is_number(value));
}

static bool
is_one_of(const json_t *list, const json_t *value)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (json_equal(json_array_get(list, i), value)) {
            return true;
        }
    }
    return false;
}

static bool
matches(const char *pattern, const char *text)
{
    regex_t r;
    assert_int_equal(regcomp(&r, pattern, REG_EXTENDED | REG_NOSUB), 0);
    const bool yes = regexec(&r, text, 0, NULL, 0) == 0;
    regfree(&r);
    return yes;
}

static bool
has_members(const json_t *schema, const json_t *value, struct diag *diag)
{
    const json_t *properties = json_object_get(schema, "properties");
    const json_t *required = json_object_get(schema, "required");
    const char *key = NULL;
    json_t *member = NULL;
    for (size_t i = 0; i < json_array_size(required); i++) {
        const char *needed = json_string_value(json_array_get(required, i));
        if (json_object_get(value, needed) == NULL) {
            diag_set(diag, "\"%s\" is missing", needed);
            return false;
        }
    }
    json_object_foreach((json_t *)(uintptr_t)value, key, member)
    {
        const json_t *rule = json_object_get(properties, key);
        if (rule == NULL && json_is_false(json_object_get(schema, "additionalProperties"))) {
            diag_set(diag, "\"%s\" is not in the schema", key);
            return false;
        }
        if (rule != NULL && !schema_holds(rule, member, diag)) {
            diag_prefix(diag, "%s", key);
            return false;
        }
    }
    return true;
}

static bool
keyword_holds(const char *keyword, const json_t *rule, const json_t *value, struct diag *diag)
{
    static const char *const elsewhere[] = {"$schema",  "title",      "description",
                                            "required", "properties", "additionalProperties"};
    for (size_t i = 0; i < sizeof elsewhere / sizeof *elsewhere; i++) {
        if (strcmp(keyword, elsewhere[i]) == 0) {
            return true;
        }
    }
    if (strcmp(keyword, "type") == 0) {
        return has_type(value, json_string_value(rule));
    }
    if (strcmp(keyword, "enum") == 0) {
        return is_one_of(rule, value);
    }
    if (strcmp(keyword, "pattern") == 0) {
        return !json_is_string(value) || matches(json_string_value(rule), json_string_value(value));
    }
    if (strcmp(keyword, "minimum") == 0) {
        return !json_is_number(value) || json_number_value(value) >= json_number_value(rule);
    }
    if (strcmp(keyword, "minLength") == 0) {
        return !json_is_string(value) ||
               (json_int_t)json_string_length(value) >= json_integer_value(rule);
    }
    if (strcmp(keyword, "items") == 0) {
        for (size_t i = 0; i < json_array_size(value); i++) {
            if (!schema_holds(rule, json_array_get(value, i), diag)) {
                return false;
            }
        }
        return true;
    }
    fail_msg("the schema has the keyword \"%s\", which this checker does not know", keyword);
    return false;
}

bool
schema_holds(const json_t *schema, const json_t *value, struct diag *diag)
{
    const char *keyword = NULL;
    json_t *rule = NULL;
    json_object_foreach((json_t *)(uintptr_t)schema, keyword, rule)
    {
        if (!keyword_holds(keyword, rule, value, diag)) {
            if (diag->text[0] == '\0') {
                char *is = json_dumps(value, JSON_ENCODE_ANY);
                diag_set(diag, "%s does not hold for %.300s", keyword, is);
                free(is);
            }
            return false;
        }
    }
    return !json_is_object(value) || has_members(schema, value, diag);
}

#define ENOUGH 500 /* entries of an action that are looked at */

struct log_check {
    const json_t *schema;
    json_t *actions;
    uint64_t count;
};

static struct status
check_entry(void *ctx, uint64_t index, struct view entry)
{
    struct log_check *c = ctx;
    struct diag diag = {0};
    DEFER(js_freep) json_t *e = NULL;
    TRY(js_parse(entry, "entry", NULL, &e));
    const char *action = json_string_value(json_object_get(e, "action"));
    const json_int_t seen = json_integer_value(json_object_get(c->actions, action));
    if (seen < ENOUGH && !schema_holds(c->schema, e, &diag)) {
        fail_msg("entry %llu: %s: %.*s", (unsigned long long)index, diag.text, (int)entry.len,
                 (const char *)entry.ptr);
    }
    c->count++;
    return js_set(c->actions, action, json_integer(seen + 1));
}

uint64_t
schema_check_log(const char *audit, json_t *actions)
{
    struct diag diag = {0};
    char *path = testing_source("docs/spec/audit-entry.schema.json");
    DEFER(js_freep) json_t *schema = testing_read_json(path);
    free(path);
    struct log_check c = {.schema = schema, .actions = actions};
    assert_ok(audit_each(audit, 0, UINT64_MAX, check_entry, &c, &diag));
    return c.count;
}
