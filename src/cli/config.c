/* The table is the configuration: parser, defaults, limits and steward.yaml's text come from it.
 * libyaml's events are read directly, since units, ranges, line numbers and "did you mean" all hang
 * on the row that a key names. */
#include "cli/config.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "base/yaml_events.h"
#include "net/address.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define CONFIG_MAX_BYTES (1u << 20)

enum kind {
    KIND_ADDRESS,
    KIND_U16,
    KIND_UNSIGNED,
    KIND_SIZE,
    KIND_DURATION,
    KIND_LEVEL,
    KIND_CLIENTS,
    KIND_OPEN,
    KIND_TOKEN,
    KIND_PATH,
    KIND_TRANSIT,
    KIND_LISTEN,
    KIND_BLOCKS,
    KIND_EGRESS,
    KIND_WITNESSES,
    KIND_EXPORT,
    KIND_CAPTURE,
    KIND_QUOTAS,
    KINDS
};

static const struct key {
    const char *section, *name;
    enum kind kind;
    size_t offset, room; /* in struct config; room of a text */
    const char *initial;
    uint64_t low, high; /* in units of the value: bytes, ns, count */
    const char *about;
} keys[] = {
#define AT(FIELD) offsetof(struct config, FIELD), sizeof(((struct config *)0)->FIELD)
#define LIMIT_AT(FIELD) AT(server.http.limits.FIELD)
    {"listen", "address", KIND_ADDRESS, AT(listen_address), "127.0.0.1", 0, 0,
     "IPv4 or IPv6 address; 0.0.0.0 or :: for every one of this machine"},
    {"listen", "port", KIND_U16, AT(listen_port), "8443", 0, 65535, "0 takes a free port"},
    {"limits", "header_bytes", KIND_SIZE, LIMIT_AT(header_bytes), "10KiB", 1024, 1u << 20,
     "of a request's head; more is answered 431"},
    {"limits", "header_count", KIND_UNSIGNED, LIMIT_AT(header_count), "64", 4, 256,
     "header fields; more is answered 431"},
    {"limits", "body_bytes", KIND_SIZE, LIMIT_AT(body_bytes), "16MiB", 1024, UINT64_C(1) << 30,
     "of a request's body; more is answered 413"},
    {"limits", "rows", KIND_UNSIGNED, AT(server.max_rows), "10000", 1, 10000000,
     "of one infer call; more is answered 413"},
    {"limits", "explained_rows", KIND_UNSIGNED, AT(server.explained_rows), "100", 1, 10000000,
     "of an infer call that asks for contributions; more is answered 413"},
    {"limits", "call_memory", KIND_SIZE, AT(server.http.arena_bytes), "64MiB", 65536,
     UINT64_C(4) << 30,
     "of a call's JSON values, and again of what is made of them; more is answered 413"},
    {"limits", "connections", KIND_UNSIGNED, LIMIT_AT(connections), "1024", 1, 100000,
     "in all; further ones are closed when they are accepted"},
    {"limits", "connections_per_address", KIND_UNSIGNED, LIMIT_AT(connections_per_address), "256",
     1, 100000, "from one address (IPv6: one /64); further ones are closed"},
    {"limits", "refusals_per_minute", KIND_UNSIGNED, AT(server.refusals_per_minute), "600", 0,
     1000000,
     "without a valid key, of one address (IPv6: one /64); further ones are closed, unanswered "
     "and unrecorded; 0: no limit"},
    {"limits", "quotas", KIND_QUOTAS, AT(quotas), "", 0, 0,
     "NAME MOST calls|rows|tokens/minute|hour|day|month [principal=P|group=G|role=R] [model=M] "
     "[each] (docs/spec/quota.md); more is answered 429; read anew with SIGHUP"},
    {"limits", "handshake", KIND_DURATION, LIMIT_AT(handshake_ns), "10s", 10000000,
     UINT64_C(3600000000000), "for the TLS handshake; then the connection is closed"},
    {"limits", "header", KIND_DURATION, LIMIT_AT(header_ns), "10s", 10000000,
     UINT64_C(3600000000000), "for a request's head; then the connection is closed"},
    {"limits", "body", KIND_DURATION, LIMIT_AT(body_ns), "60s", 10000000, UINT64_C(3600000000000),
     "for a request's body; then it is answered 408"},
    {"limits", "request", KIND_DURATION, LIMIT_AT(request_ns), "120s", 10000000,
     UINT64_C(3600000000000), "for a request in all; then it is answered 503 or closed"},
    {"limits", "idle", KIND_DURATION, LIMIT_AT(idle_ns), "60s", 10000000, UINT64_C(3600000000000),
     "between requests; then the connection is closed"},
    {"network", "data_allow", KIND_BLOCKS, AT(allow[SERVER_DATA]), "", 0, 0,
     "blocks of addresses that may connect to listen.address, such as 10.0.0.0/8 or "
     "2001:db8::/32; empty: every address, unless denied"},
    {"network", "data_deny", KIND_BLOCKS, AT(deny[SERVER_DATA]), "", 0, 0,
     "blocks that may not; deny beats allow"},
    {"network", "management_listen", KIND_LISTEN, AT(management), "none", 0, 0,
     "ADDRESS:PORT of a second listener, to which /metrics then moves; both have health. none: "
     "one listener serves everything"},
    {"network", "management_allow", KIND_BLOCKS, AT(allow[SERVER_MANAGEMENT]), "", 0, 0,
     "as data_allow, of that listener"},
    {"network", "management_deny", KIND_BLOCKS, AT(deny[SERVER_MANAGEMENT]), "", 0, 0,
     "as data_deny, of that listener"},
    {"network", "management_connections", KIND_UNSIGNED, AT(server.http.second.connections), "64",
     1, 100000, "as limits.connections, of that listener"},
    {"network", "management_connections_per_address", KIND_UNSIGNED,
     AT(server.http.second.connections_per_address), "16", 1, 100000,
     "as limits.connections_per_address, of that listener"},
    {"network", "console_listen", KIND_LISTEN, AT(console), "none", 0, 0,
     "ADDRESS:PORT of the console, pages for people who look (docs/spec/console.md). none: there "
     "is no console"},
    {"network", "console_allow", KIND_BLOCKS, AT(allow[SERVER_CONSOLE]), "", 0, 0,
     "as data_allow, of that listener"},
    {"network", "console_deny", KIND_BLOCKS, AT(deny[SERVER_CONSOLE]), "", 0, 0,
     "as data_deny, of that listener"},
    {"network", "console_connections", KIND_UNSIGNED, AT(server.http.third.connections), "64", 1,
     100000, "as limits.connections, of that listener"},
    {"network", "console_connections_per_address", KIND_UNSIGNED,
     AT(server.http.third.connections_per_address), "16", 1, 100000,
     "as limits.connections_per_address, of that listener"},
    {"network", "egress", KIND_EGRESS, AT(egress),
     "black-box * 1-65535\nblack-box localhost 1-65535 http at 127.0.0.0/8,::1\nblack-box "
     "127.0.0.0/8 1-65535 http\nblack-box ::1 1-65535 http\n",
     0, 0,
     "what may be connected to: PURPOSE HOST PORTS [http] [at BLOCK,...]; nothing else is. "
     "Purposes: alert, black-box (steward explain --endpoint), export, jwks, transit, witness. A "
     "name's addresses are public, or those it is said to be at"},
    {"tls", "client_certificates", KIND_CLIENTS, AT(server.tls.clients), "off", 0, 0,
     "off, ask (one that comes is checked, and callers may do without) or require"},
    {"tls", "client_ca", KIND_PATH, AT(server.tls.client_ca), "none", 0, 0,
     "PEM file of the authorities whose certificates clients may have; read anew with SIGHUP"},
    {"tls", "client_crl", KIND_PATH, AT(server.tls.client_crl), "none", 0, 0,
     "PEM file of the authorities' lists of revoked certificates; read anew with SIGHUP"},
    {"server", "loops", KIND_UNSIGNED, AT(server.http.loops), "0", 0, 64,
     "event loops; 0: one per core"},
    {"server", "grace", KIND_DURATION, AT(server.grace_ns), "10s", 0, UINT64_C(3600000000000),
     "that calls in flight have to finish when the server stops"},
    {"audit", "publish", KIND_DURATION, AT(audit_publish_ns), "1s", 1000000,
     UINT64_C(3600000000000),
     "at most so long until an entry is under a signed checkpoint (it is durable before its "
     "answer leaves)"},
    {"audit", "open", KIND_OPEN, AT(server.log_open), "none", 0, 0,
     "what of the log everybody may read at /audit/, without a key: none, hashes (checkpoint and "
     "tiles) or entries (these too: they name principals)"},
    {"audit", "witnesses", KIND_WITNESSES, AT(witnesses), "", 0, 0,
     "who cosigns the log's checkpoints: URL VKEY [DURATION] [ca-file=PATH]: its submission "
     "prefix, its verifier key, how long to wait for it (5s), its certificate's authorities; "
     "network.egress (purpose witness) must allow it. Read anew with SIGHUP, but for a ca-file "
     "that no witness had at the start"},
    {"audit", "quorum", KIND_UNSIGNED, AT(quorum), "0", 0, COSIGN_WITNESSES,
     "how many of them must have cosigned a checkpoint that is kept as witnessed; 0: all"},
    {"audit", "export", KIND_EXPORT, AT(exports), "", 0, 0,
     "who gets the log's events from the server: NAME syslog://HOST:PORT or NAME "
     "kafka://HOST:PORT[,...]/TOPIC, then [jsonl|ocsf|cef|cloudevents] [only=alerts] "
     "[ca-file=PATH]; or, of alerts (docs/spec/alert.md), NAME https://HOST[:PORT]/PATH "
     "secret-file=PATH: NAME is that of its position; network.egress (purpose export, of https: "
     "alert) must allow it"},
    {"capture", "endpoints", KIND_CAPTURE, AT(captures), "", 0, 0,
     "whose calls' bodies are kept, sealed (docs/spec/capture.md): ENDPOINT off|full|PERCENT% "
     "[keep=DURATION] [fail=closed|open]; ENDPOINT: MODEL, MODEL@VERSION for the route of that "
     "version, *: all others. Needs a restart"},
    {"capture", "keep", KIND_DURATION, AT(capture_keep_ns), "30d", 1000000000,
     UINT64_C(315360000000000000), "then they are destroyed with their keys"},
    {"keys", "check", KIND_DURATION, AT(server.key_check_ns), "60s", 1000000000,
     UINT64_C(3600000000000),
     "at most so long after steward key revoke, or after its holder stops giving the key, are "
     "calls to models still answered"},
    {"keys", "unreachable", KIND_DURATION, AT(server.key_unreachable_ns), "10m",
     UINT64_C(1000000000), UINT64_C(86400000000000),
     "how long calls to models are still answered while the key's holder cannot be asked: a "
     "token's driver or a service that fails or is silent"},
    {"keys", "token_network", KIND_TOKEN, AT(token_network), "closed", 0, 0,
     "open: a token's PKCS#11 driver may connect over the network, past network.egress, as those "
     "of network HSMs must; closed: it has local sockets only"},
    {"keys", "transit", KIND_TRANSIT, AT(transit), "none", 0, 0,
     "where the transit service that holds the key is asked: "
     "transit:https://HOST:PORT/MOUNT/KEY?ca-file=PATH&token-file=PATH; network.egress (purpose "
     "transit) must allow it"},
    {"analysis", "threads", KIND_UNSIGNED, AT(threads), "0", 0, CONFIG_MAX_THREADS,
     "of training and assessments; 0: one per core"},
    {"log", "level", KIND_LEVEL, AT(log_level), "info", 0, 0,
     "error, warn, info or debug: the server's own log on stderr"},
#undef LIMIT_AT
#undef AT
};

#define KEYS (sizeof keys / sizeof *keys)

static const struct {
    const char *name, *about;
} sections[] = {
    {"listen", "Where the server listens."},
    {"limits", "What a client may make the server do. Sizes: bytes, KiB, MiB, GiB. Durations: ms, "
               "s, m, h, d."},
    {"network", "Who may connect, and what Steward may connect to (docs/spec/network.md)."},
    {"tls", "Certificates of clients. The server's own: steward certificate."},
    {"server", NULL},
    {"audit", NULL},
    {"capture", "What calls ask and are answered, kept."},
    {"keys", NULL},
    {"analysis", NULL},
    {"log", NULL},
};

#define SECTIONS (sizeof sections / sizeof *sections)

/* ---- lists ---- */

static bool
is_list(const struct key *k)
{
    return k->kind == KIND_EGRESS || k->kind == KIND_BLOCKS || k->kind == KIND_WITNESSES ||
           k->kind == KIND_EXPORT || k->kind == KIND_CAPTURE || k->kind == KIND_QUOTAS;
}

static struct status
check_item(const struct key *k, const char *list, struct view item, struct diag *diag)
{
    struct cidr block;
    if (k->kind == KIND_BLOCKS) {
        return cidr_parse(item, diag, &block);
    }
    if (k->kind == KIND_WITNESSES) {
        return config_check_witness(list, item, diag);
    }
    if (k->kind == KIND_EXPORT || k->kind == KIND_QUOTAS) {
        return k->kind == KIND_EXPORT ? config_check_receiver(list, item, diag)
                                      : config_check_quota(list, item, diag);
    }
    if (k->kind == KIND_CAPTURE) {
        return config_check_capture(list, item, diag);
    }
    DEFER(egress_freep) struct egress *one = egress_new();
    CHECK(one != NULL, MEMORY);
    return egress_add(one, item, diag);
}

static struct status
add_item(const struct key *k, struct view item, struct diag *diag, struct config *c)
{
    char *list = (char *)c + k->offset;
    const size_t n = strlen(list);
    TRY(check_item(k, list, item, diag));
    if (n + item.len + 2 > k->room) {
        diag_set(diag, "the list is longer than %u bytes", CONFIG_LIST_BYTES);
        FAIL(INPUT);
    }
    memcpy(list + n, item.ptr, item.len);
    memcpy(list + n + item.len, "\n", 2);
    return OK;
}

static struct status
set_list(const struct key *k, struct view text, struct config *c)
{
    ASSERT(text.len < k->room); /* of a default */
    char *list = (char *)c + k->offset;
    memcpy(list, text.ptr, text.len);
    list[text.len] = '\0';
    return OK;
}

/* ---- one value ---- */

static struct status
set_listen(const struct key *k, struct view text, struct config *c)
{
    struct config_listener *l = (struct config_listener *)(void *)((char *)c + k->offset);
    struct http_options *http = &c->server.http;
    return config_set_listener(text, l, l == &c->console ? &http->third : &http->second);
}

/* What one of a few words stands for is its number. */
static const char *const levels[] = {"error", "warn", "info", "debug", NULL};
static const char *const clients[] = {[IDENTITY_CLIENTS_OFF] = "off",
                                      [IDENTITY_CLIENTS_ASKED] = "ask",
                                      [IDENTITY_CLIENTS_REQUIRED] = "require",
                                      NULL};
static const char *const opened[] = {[SERVER_LOG_CLOSED] = "none",
                                     [SERVER_LOG_HASHES] = "hashes",
                                     [SERVER_LOG_ENTRIES] = "entries",
                                     NULL};

static const char *const token[] = {"closed", "open", NULL};

static const char *const *
words_of(const struct key *k)
{
    static const char *const *const of[KINDS] = {[KIND_LEVEL] = levels,
                                                 [KIND_CLIENTS] = clients,
                                                 [KIND_OPEN] = opened,
                                                 [KIND_TOKEN] = token};
    return of[k->kind];
}

static struct status
parse_number(const struct key *k, struct view text, uint64_t *ret_value)
{
    if (k->kind == KIND_SIZE) {
        return text_to_size(text, ret_value);
    }
    if (k->kind == KIND_DURATION) {
        int64_t ns = 0;
        TRY(text_to_duration_ns(text, &ns));
        *ret_value = (uint64_t)ns;
        return OK;
    }
    return text_to_u64(text, ret_value);
}

static void
store_number(const struct key *k, uint64_t value, struct config *c)
{
    void *at = (char *)c + k->offset;
    if (k->kind == KIND_U16) {
        const uint16_t v = (uint16_t)value;
        memcpy(at, &v, sizeof v);
    } else if (k->kind == KIND_UNSIGNED) {
        const unsigned v = (unsigned)value;
        memcpy(at, &v, sizeof v);
    } else {
        ASSERT(k->room == sizeof value); /* size_t and int64_t */
        memcpy(at, &value, sizeof value);
    }
}

static struct status
set_word(const struct key *k, struct view text, struct config *c)
{
    const char *const *words = words_of(k);
    for (int i = 0; words[i] != NULL; i++) {
        if (view_equal_str(text, words[i])) {
            memcpy((char *)c + k->offset, &i, sizeof i);
            return OK;
        }
    }
    FAIL(INPUT);
}

static struct status
set_path(const struct key *k, struct view text, struct config *c)
{
    const size_t n = view_equal_str(text, "none") ? 0 : text.len;
    char *kept = (char *)c + k->offset;
    CHECK(text.len > 0 && text.len < k->room && memchr(text.ptr, '\0', text.len) == NULL, INPUT);
    memcpy(kept, text.ptr, n);
    kept[n] = '\0';
    return OK;
}

static struct status
set_transit(const struct key *k, struct view text, struct config *c)
{
    struct transit_uri u;
    if (!view_equal_str(text, "none")) {
        TRY(transit_uri_parse(text, NULL, &u));
    }
    return set_path(k, text, c);
}

static struct status
set_address(const struct key *k, struct view text, struct config *c)
{
    struct address parsed;
    TRY(address_parse(text, 0, &parsed));
    char *kept = (char *)c + k->offset; /* ADDRESS_TEXT_MAX bytes */
    memcpy(kept, text.ptr, text.len);
    kept[text.len] = '\0';
    return OK;
}

static struct status
set_value(const struct key *k, struct view text, struct config *c)
{
    if (k->kind == KIND_ADDRESS) {
        return set_address(k, text, c);
    }
    if (words_of(k) != NULL) {
        return set_word(k, text, c);
    }
    if (k->kind == KIND_PATH) {
        return set_path(k, text, c);
    }
    if (k->kind == KIND_TRANSIT) {
        return set_transit(k, text, c);
    }
    if (is_list(k)) {
        return set_list(k, text, c);
    }
    if (k->kind == KIND_LISTEN) {
        return set_listen(k, text, c);
    }
    uint64_t value = 0;
    TRY(parse_number(k, text, &value));
    CHECK(value >= k->low && value <= k->high, LIMIT);
    store_number(k, value, c);
    return OK;
}

void
config_defaults(struct config *ret_config)
{
    memset(ret_config, 0, sizeof *ret_config);
    for (size_t i = 0; i < KEYS; i++) {
        ASSERT(status_ok(set_value(&keys[i], view_str(keys[i].initial), ret_config)));
    }
}

/* A number as it is written in the file, in the largest unit that divides it. */
static void
put_number(const struct key *k, uint64_t value, struct buf *b)
{
    static const struct unit {
        enum kind kind;
        uint64_t size;
        const char *word;
    } units[] = {
        {KIND_SIZE, UINT64_C(1) << 30, "GiB"}, {KIND_SIZE, 1u << 20, "MiB"},
        {KIND_SIZE, 1u << 10, "KiB"},          {KIND_DURATION, UINT64_C(3600000000000), "h"},
        {KIND_DURATION, 60000000000, "m"},     {KIND_DURATION, 1000000000, "s"},
        {KIND_DURATION, 1000000, "ms"},
    };
    for (size_t i = 0; value != 0 && i < sizeof units / sizeof *units; i++) {
        if (units[i].kind == k->kind && value % units[i].size == 0) {
            buf_printf(b, "%llu%s", (unsigned long long)(value / units[i].size), units[i].word);
            return;
        }
    }
    buf_printf(b, k->kind == KIND_DURATION ? "%llus" : "%llu", (unsigned long long)value);
}

static uint64_t
load_number(const struct key *k, const struct config *c)
{
    const void *at = (const char *)c + k->offset;
    if (k->kind == KIND_U16) {
        uint16_t v = 0;
        memcpy(&v, at, sizeof v);
        return v;
    }
    if (k->kind == KIND_UNSIGNED) {
        unsigned v = 0;
        memcpy(&v, at, sizeof v);
        return v;
    }
    uint64_t v = 0;
    memcpy(&v, at, sizeof v);
    return v;
}

static void
put_value(const struct key *k, const struct config *c, struct buf *b)
{
    if (is_list(k)) {
        const char *text = (const char *)c + k->offset;
        struct view item;
        buf_put_str(b, "["); /* as YAML has it; no item holds a quote */
        for (bool first = true; config_next_item(&text, &item); first = false) {
            buf_printf(b, "%s\"%.*s\"", first ? "" : ", ", (int)item.len, (const char *)item.ptr);
        }
        buf_put_str(b, "]");
    } else if (k->kind == KIND_ADDRESS || k->kind == KIND_LISTEN) {
        buf_put_str(b, (const char *)c + k->offset);
    } else if (k->kind == KIND_PATH || k->kind == KIND_TRANSIT) {
        const char *path = (const char *)c + k->offset;
        buf_put_str(b, *path == '\0' ? "none" : path);
    } else if (words_of(k) != NULL) {
        int word = 0;
        memcpy(&word, (const char *)c + k->offset, sizeof word);
        buf_put_str(b, words_of(k)[word]);
    } else {
        put_number(k, load_number(k, c), b);
    }
}

struct status
config_to_json(const struct config *c, json_t **ret_rows)
{
    struct config defaults;
    DEFER(js_freep) json_t *rows = json_array();
    config_defaults(&defaults);
    for (size_t i = 0; i < KEYS; i++) {
        char name[64];
        DEFER(buf_done) struct buf value;
        DEFER(buf_done) struct buf initial;
        buf_init(&value, 8 * CONFIG_LIST_BYTES);
        buf_init(&initial, 8 * CONFIG_LIST_BYTES);
        put_value(&keys[i], c, &value);
        put_value(&keys[i], &defaults, &initial);
        (void)snprintf(name, sizeof name, "%s.%s", keys[i].section, keys[i].name);
        json_t *row = json_pack("{s:s, s:s, s:s}", "key", name, "value", buf_str(&value), "default",
                                buf_str(&initial));
        CHECK(row != NULL && json_array_append_new(rows, row) == 0, MEMORY);
    }
    *ret_rows = MOVE(rows);
    return OK;
}

/* ---- the file ---- */

struct parser {
    const char *name;
    struct diag *diag;
    struct config *config;
    int documents;   /* begun */
    int depth;       /* mappings open */
    bool value_next; /* at depth 1: a section's mapping; at depth 2: a key's value */
    bool in_list;    /* of that key */
    char section[32];
    const struct key *key;
    bool seen[KEYS];
    bool section_seen[SECTIONS];
};

/* What was written, short and printable. */
static void
show(struct view v, char ret_text[static 64])
{
    const size_t n = v.len < 60 ? v.len : 60;
    for (size_t i = 0; i < n; i++) {
        ret_text[i] = v.ptr[i] < 0x20 || v.ptr[i] >= 0x7f ? '?' : (char)v.ptr[i];
    }
    ret_text[n] = '\0';
}

static struct status
refuse(const struct parser *p, size_t line, const char *what)
{
    return yaml_refuse_line(p->name, line, what, p->diag);
}

static struct status
refuse_key(const struct parser *p, size_t line, struct view word, const char *const *known,
           size_t n)
{
    char shown[64];
    show(word, shown);
    const char *near = text_nearest(shown, known, n),
               *in = p->depth == 2 ? p->section : "the configuration";
    if (near != NULL) {
        diag_set(p->diag, "%s line %zu: %s has no key \"%s\"; did you mean \"%s\"?", p->name,
                 line + 1, in, shown, near);
    } else {
        diag_set(p->diag, "%s line %zu: %s has no key \"%s\"", p->name, line + 1, in, shown);
    }
    FAIL(INPUT);
}

static struct status
take_section(struct parser *p, size_t line, struct view word)
{
    const char *known[SECTIONS];
    for (size_t i = 0; i < SECTIONS; i++) {
        known[i] = sections[i].name;
        if (!view_equal_str(word, sections[i].name)) {
            continue;
        }
        if (p->section_seen[i]) {
            return refuse(p, line, "this section stands twice");
        }
        p->section_seen[i] = true;
        (void)strcpy(p->section, sections[i].name);
        p->value_next = true;
        return OK;
    }
    return refuse_key(p, line, word, known, SECTIONS);
}

static struct status
take_key(struct parser *p, size_t line, struct view word)
{
    const char *known[KEYS];
    size_t n = 0;
    for (size_t i = 0; i < KEYS; i++) {
        if (strcmp(keys[i].section, p->section) != 0) {
            continue;
        }
        known[n++] = keys[i].name;
        if (view_equal_str(word, keys[i].name)) {
            if (p->seen[i]) {
                return refuse(p, line, "this key stands twice");
            }
            p->seen[i] = true;
            p->key = &keys[i];
            p->value_next = true;
            return OK;
        }
    }
    return refuse_key(p, line, word, known, n);
}

static struct status
begin_list(struct parser *p, const yaml_event_t *e)
{
    const size_t line = e->start_mark.line;
    if (e->data.sequence_start.anchor != NULL || e->data.sequence_start.tag != NULL) {
        return refuse(p, line, "anchors and tags are not used here");
    }
    if (p->depth != 2 || !p->value_next || p->in_list || !is_list(p->key)) {
        return refuse(p, line, "a list has no place here");
    }
    p->in_list = true;
    return set_list(p->key, view_str(""), p->config); /* in place of the default */
}

static struct status
take_item(struct parser *p, size_t line, struct view word)
{
    struct diag said = {0};
    const struct key *k = p->key;
    const struct status s = add_item(k, word, &said, p->config);
    if (!status_ok(s)) {
        diag_set(p->diag, "%s line %zu: %s.%s: %s", p->name, line + 1, k->section, k->name,
                 said.text);
    }
    return s;
}

static struct status
take_value(struct parser *p, size_t line, struct view word)
{
    const struct key *k = p->key;
    if (is_list(k)) {
        char what[160];
        (void)snprintf(what, sizeof what,
                       "%s.%s is a list: each item on a line of its own, after \"- \"", k->section,
                       k->name);
        return refuse(p, line, what);
    }
    const struct status s = set_value(k, word, p->config);
    p->value_next = false;
    if (status_ok(s)) {
        return OK;
    }
    char shown[64];
    DEFER(buf_done) struct buf range;
    buf_init(&range, 256);
    show(word, shown);
    if (s.code == STATUS_LIMIT) {
        buf_put_str(&range, "it must be from ");
        put_number(k, k->low, &range);
        buf_put_str(&range, " to ");
        put_number(k, k->high, &range);
    } else {
        static const char *const forms[] = {
            [KIND_ADDRESS] = "an IPv4 or IPv6 address is needed, such as 127.0.0.1 or ::1",
            [KIND_U16] = "a whole number is needed",
            [KIND_UNSIGNED] = "a whole number is needed",
            [KIND_SIZE] = "a size is needed, such as 64KiB or 16MiB",
            [KIND_DURATION] = "a duration is needed, such as 500ms, 10s or 5m",
            [KIND_LISTEN] = "ADDRESS:PORT is needed, such as 127.0.0.1:9443 or [::1]:9443, or none",
            [KIND_LEVEL] = "it must be error, warn, info or debug",
            [KIND_CLIENTS] = "it must be off, ask or require",
            [KIND_OPEN] = "it must be none, hashes or entries",
            [KIND_TOKEN] = "it must be closed or open",
            [KIND_PATH] = "the path of a file is needed, of at most 1023 bytes, or none",
            [KIND_TRANSIT] = "transit:https://HOST:PORT/MOUNT/KEY is needed, or none",
        };
        buf_put_str(&range, forms[k->kind]);
    }
    diag_set(p->diag, "%s line %zu: %s.%s: \"%s\": %s", p->name, line + 1, k->section, k->name,
             shown, buf_str(&range));
    FAIL(INPUT);
}

static struct status
take_scalar(struct parser *p, const yaml_event_t *e)
{
    const struct view word = view_of(e->data.scalar.value, e->data.scalar.length);
    const size_t line = e->start_mark.line;
    if (e->data.scalar.anchor != NULL || e->data.scalar.tag != NULL) {
        return refuse(p, line, "anchors and tags are not used here");
    }
    if (p->in_list) {
        return take_item(p, line, word);
    }
    if (p->depth == 2) {
        return p->value_next ? take_value(p, line, word) : take_key(p, line, word);
    }
    if (p->depth == 1 && !p->value_next) {
        return take_section(p, line, word);
    }
    if (word.len == 0 && e->data.scalar.plain_implicit != 0) {
        p->value_next = false; /* a section, or a document, with nothing in it */
        return OK;
    }
    return refuse(p, line,
                  p->depth == 0 ? "sections with keys are needed"
                                : "a section holds keys, each on its own line");
}

static struct status
take_event(void *ctx, const yaml_event_t *e)
{
    struct parser *p = ctx;
    switch (e->type) {
    case YAML_SCALAR_EVENT:
        return take_scalar(p, e);
    case YAML_MAPPING_START_EVENT:
        if (e->data.mapping_start.anchor != NULL || e->data.mapping_start.tag != NULL) {
            return refuse(p, e->start_mark.line, "anchors and tags are not used here");
        }
        if (p->depth == 2 || (p->depth == 1 && !p->value_next)) {
            return refuse(p, e->start_mark.line, "nested deeper than section and key");
        }
        p->depth++;
        p->value_next = false;
        return OK;
    case YAML_MAPPING_END_EVENT:
        p->depth--;
        p->value_next = false;
        return OK;
    case YAML_DOCUMENT_START_EVENT:
        if (p->documents++ > 0) {
            return refuse(p, e->start_mark.line, "a second document; one file holds one");
        }
        return OK;
    case YAML_SEQUENCE_START_EVENT:
        return begin_list(p, e);
    case YAML_SEQUENCE_END_EVENT:
        p->in_list = false;
        p->value_next = false;
        return OK;
    case YAML_ALIAS_EVENT:
        return refuse(p, e->start_mark.line, "aliases are not used here");
    default:
        return OK;
    }
}

struct status
config_parse(struct view yaml, const char *name, struct diag *diag, struct config *config)
{
    struct config made = *config;
    struct parser p = {.name = name, .diag = diag, .config = &made};
    TRY(yaml_each_event(yaml, name, take_event, &p, diag));
    *config = made;
    return OK;
}

struct status
config_load(const char *path, struct diag *diag, struct config *config)
{
    DEFER(buf_done) struct buf text;
    buf_init(&text, CONFIG_MAX_BYTES);
    TRY(file_read(path, CONFIG_MAX_BYTES, diag, &text));
    return config_parse(buf_view(&text), path, diag, config);
}

struct status
config_of_workspace(const char *dir, const char *path, struct diag *diag, struct config *ret_config)
{
    DEFER(file_freep) char *own = file_join(dir, "steward.yaml");
    config_defaults(ret_config);
    return path != NULL || file_exists(own)
               ? config_load(path != NULL ? path : own, diag, ret_config)
               : OK;
}

static void
put_items(const char *text, struct buf *b)
{
    struct view item;
    while (config_next_item(&text, &item)) {
        buf_printf(b, "    - \"%.*s\"\n", (int)item.len, (const char *)item.ptr);
    }
}

static void
put_initial(const struct key *k, const char *transit, const char *rules, struct buf *b)
{
    if (!is_list(k)) {
        buf_printf(b, " %s\n", k->kind == KIND_TRANSIT ? transit : k->initial);
        return;
    }
    rules = k->kind == KIND_EGRESS ? rules : "";
    buf_put_str(b, *k->initial == '\0' && *rules == '\0' ? " []\n" : "\n");
    put_items(k->initial, b);
    put_items(rules, b);
}

void
config_put_example(struct buf *b)
{
    config_put_for_transit("none", "", b);
}

void
config_put_for_transit(const char *uri, const char *rules, struct buf *b)
{
    buf_put_str(b, "# Steward's configuration: every key, with its default. A key that is left out "
                   "has the default.\n");
    for (size_t s = 0; s < SECTIONS; s++) {
        buf_printf(b, "\n%s:", sections[s].name);
        buf_printf(b, sections[s].about == NULL ? "%s\n" : " # %s\n",
                   sections[s].about == NULL ? "" : sections[s].about);
        for (size_t i = 0; i < KEYS; i++) {
            if (strcmp(keys[i].section, sections[s].name) == 0) {
                buf_printf(b, "  # %s\n  %s:", keys[i].about, keys[i].name);
                put_initial(&keys[i], uri, rules, b);
            }
        }
    }
}
