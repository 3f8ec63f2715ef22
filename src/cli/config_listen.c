#include "cli/config.h"

#include "base/text.h"
#include "net/address.h"

#include <string.h>

/* ---- listeners ---- */

struct status
config_read_listen(const char *text, char ret_address[static ADDRESS_TEXT_MAX], uint16_t *ret_port)
{
    const char *colon = strrchr(text, ':');
    uint64_t port = 0;
    struct address parsed;
    CHECK(colon != NULL && colon != text && status_ok(text_to_u64(view_str(colon + 1), &port)) &&
              port <= 65535,
          INPUT);
    const bool bracket = *text == '[' && colon[-1] == ']';
    const int n = (int)(colon - text) - (bracket ? 2 : 0);
    CHECK(n > 0 && n < (int)ADDRESS_TEXT_MAX, INPUT);
    const struct view address = view_of(text + (bracket ? 1 : 0), (size_t)n);
    TRY(address_parse(address, 0, &parsed));
    CHECK(bracket == (parsed.storage.ss_family == AF_INET6), INPUT);
    memcpy(ret_address, address.ptr, address.len);
    ret_address[n] = '\0';
    *ret_port = (uint16_t)port;
    return OK;
}

struct status
config_set_listener(struct view text, struct config_listener *ret_listener,
                    struct http_listener *ret_http)
{
    struct config_listener made = {0};
    CHECK(text.len < sizeof made.text && memchr(text.ptr, '\0', text.len) == NULL, INPUT);
    memcpy(made.text, text.ptr, text.len);
    if (strcmp(made.text, "none") != 0) {
        TRY(config_read_listen(made.text, made.address, &ret_http->port));
    }
    *ret_listener = made;
    return OK;
}

/* ---- lists of rules ---- */

bool
config_next_item(const char **text, struct view *ret_item)
{
    const size_t n = strcspn(*text, "\n");
    if (n == 0) {
        return false;
    }
    *ret_item = view_of(*text, n);
    *text += n + 1;
    return true;
}

static size_t
count_items(const char *text)
{
    struct view item;
    size_t n = 0;
    while (config_next_item(&text, &item)) {
        n++;
    }
    return n;
}

struct status
config_check_witness(const char *list, struct view item, struct diag *diag)
{
    struct cosign_witness w;
    struct url url;
    if (count_items(list) == COSIGN_WITNESSES) {
        diag_set(diag, "more than %u witnesses", COSIGN_WITNESSES);
        FAIL(INPUT);
    }
    TRY(cosign_parse(item, diag, &w));
    return url_parse(view_str(w.url), diag, &url);
}

struct status
config_check_receiver(const char *list, struct view item, struct diag *diag)
{
    char text[RECEIVER_HOSTS_MAX + 16];
    const char *at = NULL;
    struct receiver r, other;
    struct url url;
    struct view before;
    if (count_items(list) == RECEIVERS) {
        diag_set(diag, "more than %u receivers", RECEIVERS);
        FAIL(INPUT);
    }
    TRY(receiver_parse(item, diag, &r));
    while (config_next_item(&list, &before)) {
        if (status_ok(receiver_parse(before, NULL, &other)) && strcmp(other.name, r.name) == 0) {
            diag_set(diag, "two receivers named %s, which would have one position", r.name);
            FAIL(INPUT);
        }
    }
    while (receiver_next_url(&r, &at, sizeof text, text)) {
        TRY(url_parse(view_str(text), diag, &url));
    }
    return OK;
}

struct status
config_check_capture(const char *list, struct view item, struct diag *diag)
{
    struct capture_rule r, other;
    struct view before;
    if (count_items(list) == CAPTURE_RULES) {
        diag_set(diag, "more than %u lines", CAPTURE_RULES);
        FAIL(INPUT);
    }
    TRY(capture_parse(item, diag, &r));
    while (config_next_item(&list, &before)) {
        if (status_ok(capture_parse(before, NULL, &other)) && capture_same_endpoint(&other, &r)) {
            diag_set(diag, r.version > 0 ? "two lines for %s@%llu" : "two lines for %s", r.model,
                     (unsigned long long)r.version);
            FAIL(INPUT);
        }
    }
    return OK;
}

void
config_captures(const struct config *c, struct capture_rules *ret_rules)
{
    const char *text = c->captures;
    struct view item;
    *ret_rules = (struct capture_rules){.keep_ns = c->capture_keep_ns};
    while (ret_rules->count < CAPTURE_RULES && config_next_item(&text, &item)) {
        ret_rules->count +=
            status_ok(capture_parse(item, NULL, &ret_rules->of[ret_rules->count])) ? 1 : 0;
    }
}

struct status
config_check_quota(const char *list, struct view item, struct diag *diag)
{
    struct quota q, other;
    struct view before;
    if (count_items(list) == QUOTAS) {
        diag_set(diag, "more than %u quotas", QUOTAS);
        FAIL(INPUT);
    }
    TRY(quota_parse(item, diag, &q));
    while (config_next_item(&list, &before)) {
        if (status_ok(quota_parse(before, NULL, &other)) && strcmp(other.name, q.name) == 0) {
            diag_set(diag, "two quotas named %s", q.name);
            FAIL(INPUT);
        }
    }
    return OK;
}

size_t
config_quotas(const struct config *c, struct quota ret_quota[static QUOTAS])
{
    const char *text = c->quotas;
    struct view item;
    size_t n = 0;
    while (n < QUOTAS && config_next_item(&text, &item)) {
        n += status_ok(quota_parse(item, NULL, &ret_quota[n])) ? 1 : 0;
    }
    return n;
}

size_t
config_receivers(const struct config *c, struct receiver ret_receiver[static RECEIVERS])
{
    const char *text = c->exports;
    struct view item;
    size_t n = 0;
    while (n < RECEIVERS && config_next_item(&text, &item)) {
        n += status_ok(receiver_parse(item, NULL, &ret_receiver[n])) ? 1 : 0;
    }
    return n;
}

struct status
config_egress(const struct config *c, struct egress **ret_rules)
{
    DEFER(egress_freep) struct egress *rules = egress_new();
    const char *text = c->egress;
    struct view item;
    CHECK(rules != NULL, MEMORY);
    while (config_next_item(&text, &item)) {
        TRY(egress_add(rules, item, NULL));
    }
    *ret_rules = MOVE(rules);
    return OK;
}

void
config_egress_of(const struct config *c, const char *purpose, struct buf *ret_lines)
{
    const char *text = c->egress;
    const size_t n = strlen(purpose);
    struct view item;
    while (config_next_item(&text, &item)) {
        if (item.len > n && memcmp(item.ptr, purpose, n) == 0 &&
            (item.ptr[n] == ' ' || item.ptr[n] == '\t')) {
            buf_put(ret_lines, item);
            buf_put_str(ret_lines, "\n");
        }
    }
}

struct status
config_witnesses(const struct config *c, struct witnesses_options **ret_options)
{
    DEFER(witnesses_options_freep) struct witnesses_options *o = calloc(1, sizeof *o);
    const char *text = c->witnesses;
    struct view item;
    CHECK(o != NULL, MEMORY);
    o->quorum = c->quorum;
    while (o->count < COSIGN_WITNESSES && config_next_item(&text, &item)) {
        TRY(cosign_parse(item, NULL, &o->witness[o->count]));
        o->count++;
    }
    *ret_options = MOVE(o);
    return OK;
}

static struct status
add_blocks(const char *text, struct cidr_set *set)
{
    struct view item;
    while (config_next_item(&text, &item)) {
        struct cidr block;
        TRY(cidr_parse(item, NULL, &block));
        TRY(cidr_set_add(set, &block));
    }
    return OK;
}

struct status
config_ingress(const struct config *c, unsigned listener, struct ingress *ret_rules)
{
    DEFER(ingress_done) struct ingress rules = {0};
    TRY(add_blocks(c->allow[listener], &rules.allow));
    TRY(add_blocks(c->deny[listener], &rules.deny));
    *ret_rules = rules;
    rules = (struct ingress){0};
    return OK;
}
