#include "cli/config_state.h"

#include "base/text.h"
#include "govern/policy.h"
#include "net/address.h"
#include "net/cidr.h"

#include <stdio.h>
#include <string.h>

/* ---- lists ---- */

/* Lines of a list, each with its line break. */
static json_t *
lines(const char *text)
{
    json_t *list = json_array();
    while (list != NULL && *text != '\0') {
        const size_t n = strcspn(text, "\n");
        (void)json_array_append_new(list, json_stringn(text, n));
        text += n + (text[n] == '\n');
    }
    return list;
}

/* "PURPOSE HOST PORTS [http] [at ...]" */
static json_t *
egress_rules(const char *text)
{
    json_t *list = json_array();
    while (list != NULL && *text != '\0') {
        char purpose[32] = "", host[256] = "", ports[128] = "", next[16] = "", line[512];
        const size_t n = strcspn(text, "\n");
        (void)snprintf(line, sizeof line, "%.*s", (int)n, text);
        (void)sscanf(line, "%31s %255s %127s %15s", purpose, host, ports, next);
        (void)json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:b}", "purpose", purpose,
                                                    "host", host, "ports", ports, "plain",
                                                    strcmp(next, "http") == 0));
        text += n + (text[n] == '\n');
    }
    return list;
}

static json_t *
receivers(const struct config *c)
{
    static const char *const kinds[RECEIVER_KINDS] = {[RECEIVER_SYSLOG] = "syslog",
                                                      [RECEIVER_KAFKA] = "kafka",
                                                      [RECEIVER_KAFKA_PLAIN] = "kafka",
                                                      [RECEIVER_WEBHOOK] = "webhook"};
    struct receiver of[RECEIVERS];
    const size_t n = config_receivers(c, of);
    json_t *list = json_array();
    for (size_t i = 0; list != NULL && i < n; i++) {
        /* A webhook's path may be what lets one in. */
        const bool web = of[i].kind == RECEIVER_WEBHOOK;
        of[i].hosts[web ? strcspn(of[i].hosts, "/?") : strlen(of[i].hosts)] = '\0';
        (void)json_array_append_new(list,
                                    json_pack("{s:s, s:s, s:s, s:s, s:s, s:b}", "name", of[i].name,
                                              "kind", kinds[of[i].kind], "hosts", of[i].hosts,
                                              "format", export_format_word(of[i].format), "only",
                                              of[i].alerts_only ? "alerts" : "all", "encrypted",
                                              of[i].kind != RECEIVER_KAFKA_PLAIN));
    }
    return list;
}

static json_t *
captures(const struct config *c)
{
    struct capture_rules rules;
    json_t *list = json_array();
    config_captures(c, &rules);
    for (size_t i = 0; list != NULL && i < rules.count; i++) {
        const struct capture_rule *r = &rules.of[i];
        const int64_t keep_ns = capture_keeps_ns(&rules, r->model);
        char endpoint[96];
        (void)snprintf(endpoint, sizeof endpoint, r->version > 0 ? "%s@%llu" : "%s", r->model,
                       (unsigned long long)r->version);
        (void)json_array_append_new(list,
                                    json_pack("{s:s, s:f, s:f, s:b}", "endpoint", endpoint,
                                              "percent", 100.0 * (double)r->below / 4294967296.0,
                                              "keep", (double)keep_ns / 1e9, "open", r->open));
    }
    return list;
}

static json_t *
quotas(const struct config *c)
{
    struct quota of[QUOTAS];
    const size_t n = config_quotas(c, of);
    json_t *list = json_array();
    for (size_t i = 0; list != NULL && i < n; i++) {
        (void)json_array_append_new(list, quota_to_json(&of[i]));
    }
    return list;
}

/* ---- the server ---- */

static json_t *
value_of(enum policy_kind kind, const char *text)
{
    uint64_t number = 0;
    int64_t ns = 0;
    if (kind == POLICY_NUMBER && status_ok(text_to_size(view_str(text), &number))) {
        return json_integer((json_int_t)number);
    }
    if (kind == POLICY_DURATION && status_ok(text_to_duration_ns(view_str(text), &ns))) {
        return json_real((double)ns / 1e9);
    }
    return kind == POLICY_TEXT ? json_string(text) : NULL;
}

static const char *const listeners[HTTP_LISTENERS] = {
    [SERVER_DATA] = "data", [SERVER_MANAGEMENT] = "management", [SERVER_CONSOLE] = "console"};

/* Every key that the table of fields has, too. */
static struct status
put_keys(const struct config *c, json_t *fields)
{
    DEFER(js_freep) json_t *rows = NULL;
    const json_t *row = NULL;
    size_t i = 0;
    TRY(config_to_json(c, &rows));
    json_array_foreach(rows, i, row)
    {
        const char *key = json_string_value(json_object_get(row, "key")),
                   *text = json_string_value(json_object_get(row, "value"));
        const struct policy_field *f = policy_field_find("server", key);
        json_t *v = f == NULL || text == NULL ? NULL : value_of(f->kind, text);
        TRY(v == NULL ? OK : js_set(fields, key, v));
    }
    for (unsigned l = 0; l < HTTP_LISTENERS; l++) {
        char key[64];
        (void)snprintf(key, sizeof key, "network.%s_allow", listeners[l]);
        TRY(js_set(fields, key, lines(c->allow[l])));
        (void)snprintf(key, sizeof key, "network.%s_deny", listeners[l]);
        TRY(js_set(fields, key, lines(c->deny[l])));
    }
    TRY(js_set(fields, "audit.witnesses", lines(c->witnesses)));
    TRY(js_set(fields, "audit.export", receivers(c)));
    TRY(js_set(fields, "capture.endpoints", captures(c)));
    TRY(js_set(fields, "limits.quotas", quotas(c)));
    return js_set(fields, "network.egress", egress_rules(c->egress));
}

static struct status
add_server(const struct config *c, const char *user, json_t *resources)
{
    json_t *f = json_pack("{s:s, s:s, s:s}", "tls.minimum", "1.2", "server.version",
                          STEWARD_VERSION, "server.user", user);
    CHECK(f != NULL && json_array_append_new(resources, json_pack("{s:s, s:s, s:[], s:o}", "type",
                                                                  "server", "name", "server",
                                                                  "scope", "fields", f)) == 0,
          MEMORY);
    return put_keys(c, f);
}

/* ---- listeners ---- */

static bool
is_loopback(const char *address)
{
    struct cidr block;
    struct address a;
    return status_ok(address_parse(view_str(address), 0, &a)) &&
           status_ok(cidr_parse(view_str(strchr(address, ':') != NULL ? "::1/128" : "127.0.0.0/8"),
                                NULL, &block)) &&
           cidr_has(&block, (const struct sockaddr *)&a.storage);
}

static const char *
reach_of(const char *address)
{
    struct address a;
    const bool every = strcmp(address, "0.0.0.0") == 0 || strcmp(address, "::") == 0;
    if (is_loopback(address)) {
        return "loopback";
    }
    const bool known = status_ok(address_parse(view_str(address), 0, &a));
    return !known || every || cidr_address_is_public((const struct sockaddr *)&a.storage)
               ? "public"
               : "private";
}

static struct status
add_listener(const char *name, const char *address, unsigned port, const char *allow,
             const char *deny, json_t *resources)
{
    json_t *o = json_pack("{s:s, s:s, s:[], s:{s:s, s:i, s:s, s:o, s:o}}", "type", "listener",
                          "name", name, "scope", "fields", "address", address, "port", (int)port,
                          "reach", reach_of(address), "allow", lines(allow), "deny", lines(deny));
    CHECK(json_array_append_new(resources, o) == 0, MEMORY);
    return OK;
}

/* One that is there only where the configuration says so: "ADDRESS:PORT" or none. */
static struct status
add_second(const char *name, const struct config_listener *l, const char *allow, const char *deny,
           json_t *resources)
{
    uint64_t port = 0;
    const char *colon = strrchr(l->text, ':');
    if (*l->address == '\0') {
        return OK;
    }
    TRY(colon == NULL ? OK : text_to_u64(view_str(colon + 1), &port));
    return add_listener(name, l->address, (unsigned)port, allow, deny, resources);
}

struct status
config_state(const struct config *c, const char *user, json_t **ret_document)
{
    json_t *resources = json_array();
    DEFER(js_freep)
    json_t *o = json_pack("{s:[s, s], s:o}", "holds", "server", "listener", "resources", resources);
    CHECK(o != NULL, MEMORY);
    TRY(add_server(c, user, resources));
    TRY(add_listener("data", c->listen_address, c->listen_port, c->allow[SERVER_DATA],
                     c->deny[SERVER_DATA], resources));
    TRY(add_second("management", &c->management, c->allow[SERVER_MANAGEMENT],
                   c->deny[SERVER_MANAGEMENT], resources));
    TRY(add_second("console", &c->console, c->allow[SERVER_CONSOLE], c->deny[SERVER_CONSOLE],
                   resources));
    *ret_document = MOVE(o);
    return OK;
}
