/* Roles as YAML (first byte even) or as a record's JSON: refused with a sentence, or rules that
 * hold to their bounds; conditions say yes or no to any request. */
#include "base/yaml.h"
#include "protect/access_roles.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static json_t *
to_json(const struct yaml *y)
{
    if (y->kind == YAML_SCALAR) {
        return json_string(y->text);
    }
    json_t *o = y->kind == YAML_LIST ? json_array() : json_object();
    size_t n = 0;
    for (const struct yaml *m = y->first; m != NULL; m = m->next, n++) {
        ASSERT(m->line > 0 && (m->name != NULL) == (y->kind == YAML_MAPPING));
        ASSERT(m->name == NULL || yaml_member(y, m->name) == m);
        ASSERT((y->kind == YAML_LIST ? json_array_append_new(o, to_json(m))
                                     : json_object_set_new(o, m->name, to_json(m))) == 0);
    }
    ASSERT(n == y->count);
    return o;
}

static void
check_rule(const struct access_role_rule *r)
{
    static const struct access_caller nobody;
    static const int64_t times[] = {INT64_MIN, -1, 0, INT64_C(1700000000000000000), INT64_MAX};
    static const char *const from[] = {NULL, "", "10.0.0.1", "2001:db8::1", "nonsense"};
    ASSERT(r->actions != 0 && r->actions < 1u << ACCESS_ACTIONS && r->resource_count > 0);
    ASSERT(r->rights.output <= ACCESS_OUTPUT_FULL && r->rights.digits <= 6);
    for (size_t i = 0; i < r->resource_count; i++) {
        ASSERT(access_pattern_valid(r->resources[i]));
    }
    for (size_t i = 0; i < 25; i++) {
        const struct access_request q = {.caller = &nobody,
                                         .resource = "models/m",
                                         .now_ns = times[i % 5],
                                         .address = from[i / 5],
                                         .purpose = from[i % 5]};
        const char *why = access_when_fails(r->when, &q, i % 2 == 0);
        ASSERT(why == NULL || *why != '\0');
    }
}

static json_t *
read_yaml(struct view text, struct arena *arena)
{
    struct diag diag = {0};
    const struct yaml *root = NULL;
    const struct status s = yaml_read(text, "r.yaml", arena, &diag, &root);
    if (!status_ok(s)) {
        ASSERT(s.code == STATUS_LIMIT || strncmp(diag.text, "r.yaml line ", 12) == 0);
        return NULL;
    }
    return to_json(root);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    DEFER(arena_freep) struct arena *arena = arena_new(1u << 22);
    DEFER(js_freep) json_t *o = NULL;
    struct diag diag = {0};
    struct access_role_rule rule = {0};
    if (size == 0) {
        return 0;
    }
    const struct view text = view_of(data + 1, size - 1);
    if (data[0] % 2 == 0) {
        o = read_yaml(text, arena);
    } else if (!status_ok(js_parse(text, NULL, NULL, &o))) {
        return 0;
    }
    if (o == NULL) {
        return 0;
    }
    const struct status s = access_role_rule_read(o, arena, &diag, &rule);
    ASSERT(status_ok(s) || s.code == STATUS_LIMIT || diag.text[0] != '\0');
    if (status_ok(s)) {
        check_rule(&rule);
    }
    return 0;
}
