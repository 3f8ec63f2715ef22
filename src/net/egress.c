#include "net/egress.h"

#include "base/text.h"
#include "net/cidr.h"

#include <stdio.h>

const char *const egress_purposes[] = {"alert",   "black-box", "export", "jwks",
                                       "transit", "witness",   NULL};

enum host_kind { HOST_NAME, HOST_BELOW, HOST_ANY, HOST_BLOCK };

struct rule {
    const char *purpose;
    enum host_kind kind;
    bool http;
    char name[URL_MOST_HOST + 1]; /* HOST_BELOW: ".example.com" */
    struct cidr block;
    size_t ports;
    struct ports {
        uint16_t low, high;
    } port[EGRESS_MOST_PORTS];
    struct cidr_set at;
};

struct egress {
    struct rule *rule;
    size_t count, room;
};

struct egress *
egress_new(void)
{
    return calloc(1, sizeof(struct egress));
}

static void
rule_done(struct rule *r)
{
    cidr_set_done(&r->at);
}

void
egress_free(struct egress *e)
{
    for (size_t i = 0; e != NULL && i < e->count; i++) {
        rule_done(&e->rule[i]);
    }
    if (e != NULL) {
        free(e->rule);
    }
    free(e);
}

/* ---- one line ---- */

/* The next word of *text; its length is 0 at the end. */
static struct view
take_word(struct view *text)
{
    size_t begin = 0, end = 0;
    while (begin < text->len && text->ptr[begin] == ' ') {
        begin++;
    }
    for (end = begin; end < text->len && text->ptr[end] != ' '; end++) {
    }
    const struct view word = view_of(text->ptr + begin, end - begin);
    *text = view_of(text->ptr + end, text->len - end);
    return word;
}

/* The next of a list with commas; false at its end. An empty part is a part. */
static bool
take_part(struct view *list, bool *ended, struct view *ret_part)
{
    if (*ended) {
        return false;
    }
    const uint8_t *comma = memchr(list->ptr, ',', list->len);
    const size_t n = comma == NULL ? list->len : (size_t)(comma - list->ptr);
    *ended = comma == NULL;
    *ret_part = view_of(list->ptr, n);
    *list = comma == NULL ? view_of(list->ptr + n, 0) : view_of(comma + 1, list->len - n - 1);
    return true;
}

static void
put_shown(struct view word, char ret_text[static 65])
{
    const size_t n = word.len < 64 ? word.len : 64;
    for (size_t i = 0; i < n; i++) {
        ret_text[i] = word.ptr[i] < 0x20 || word.ptr[i] >= 0x7f ? '?' : (char)word.ptr[i];
    }
    ret_text[n] = '\0';
}

static struct status
refuse(struct diag *diag, struct view word, const char *what)
{
    char shown[65];
    put_shown(word, shown);
    diag_set(diag, "\"%s\": %s", shown, what);
    FAIL(INPUT);
}

static struct status
read_purpose(struct view word, struct diag *diag, struct rule *r)
{
    char shown[65];
    size_t n = 0;
    for (; egress_purposes[n] != NULL; n++) {
        if (view_equal_str(word, egress_purposes[n])) {
            r->purpose = egress_purposes[n];
            return OK;
        }
    }
    put_shown(word, shown);
    const char *near = text_nearest(shown, egress_purposes, n);
    diag_set(diag,
             "\"%s\" is no purpose of a connection (alert, black-box, export, jwks, transit, "
             "witness)%s%s%s",
             shown, near == NULL ? "" : "; did you mean \"", near == NULL ? "" : near,
             near == NULL ? "" : "\"?");
    FAIL(INPUT);
}

static struct status
read_name(struct view word, struct diag *diag, struct rule *r)
{
    const bool below = word.len > 2 && word.ptr[0] == '*' && word.ptr[1] == '.';
    const size_t skip = below ? 2 : 0;
    if (word.len - skip > URL_MOST_HOST - 1) {
        return refuse(diag, word, "this name is too long");
    }
    char *to = r->name;
    if (below) {
        *to++ = '.';
    }
    for (size_t i = skip; i < word.len; i++) {
        const uint8_t c = word.ptr[i];
        *to++ = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
    }
    *to = '\0';
    r->kind = below ? HOST_BELOW : HOST_NAME;
    return url_is_name(r->name + (below ? 1 : 0))
               ? OK
               : refuse(diag, word, "no host: write a name, *.NAME, *, an address or a block");
}

/* One that holds private and public addresses is nearly always a slip. */
static struct status
read_block(struct view word, struct diag *diag, struct cidr *ret_block)
{
    TRY(cidr_parse(word, diag, ret_block));
    return cidr_is_public(ret_block) || cidr_is_special(ret_block)
               ? OK
               : refuse(diag, word,
                        "this block holds private and public addresses alike; list the "
                        "ones that are meant");
}

static struct status
read_host(struct view word, struct diag *diag, struct rule *r)
{
    const uint8_t last = word.len == 0 ? 0 : word.ptr[word.len - 1];
    if (view_equal_str(word, "*")) {
        r->kind = HOST_ANY;
        return OK;
    }
    if (memchr(word.ptr, '/', word.len) != NULL || memchr(word.ptr, ':', word.len) != NULL ||
        (last >= '0' && last <= '9' && status_ok(cidr_parse(word, NULL, &r->block)))) {
        r->kind = HOST_BLOCK;
        return read_block(word, diag, &r->block);
    }
    return read_name(word, diag, r);
}

static struct status
read_port(struct view word, struct view whole, struct diag *diag, uint16_t *ret_port)
{
    uint64_t n = 0;
    if (!status_ok(text_to_u64(word, &n)) || n < 1 || n > 65535) {
        return refuse(diag, whole,
                      "ports are numbers from 1 to 65535, such as 443 or 8000-8100,9443");
    }
    *ret_port = (uint16_t)n;
    return OK;
}

static struct status
read_ports(struct view word, struct diag *diag, struct rule *r)
{
    struct view list = word, part;
    bool ended = false;
    while (take_part(&list, &ended, &part)) {
        const uint8_t *dash = part.len == 0 ? NULL : memchr(part.ptr, '-', part.len);
        const size_t n = dash == NULL ? part.len : (size_t)(dash - part.ptr);
        struct ports p;
        TRY(read_port(view_of(part.ptr, n), word, diag, &p.low));
        p.high = p.low;
        if (dash != NULL) {
            TRY(read_port(view_of(dash + 1, part.len - n - 1), word, diag, &p.high));
        }
        if (p.high < p.low || r->ports == EGRESS_MOST_PORTS) {
            return refuse(diag, word, "a range of ports runs upwards, and a line has at most 16");
        }
        r->port[r->ports++] = p;
    }
    return OK;
}

static struct status
read_at(struct view word, struct diag *diag, struct rule *r)
{
    struct view list = word, part;
    bool ended = false;
    if (r->kind == HOST_BLOCK) {
        return refuse(diag, word, "\"at\" is for names; an address says where it is");
    }
    while (take_part(&list, &ended, &part)) {
        struct cidr block;
        TRY(read_block(part, diag, &block));
        TRY(cidr_set_add(&r->at, &block));
    }
    return OK;
}

static struct status
read_rule(struct view line, struct diag *diag, struct rule *r)
{
    struct view rest = line;
    const struct view purpose = take_word(&rest), host = take_word(&rest), ports = take_word(&rest);
    struct view word = take_word(&rest);
    if (line.len > EGRESS_MOST_LINE || ports.len == 0) {
        return refuse(diag, line,
                      "a rule is PURPOSE HOST PORTS [http] [at BLOCK,...], such as "
                      "jwks login.example.com 443");
    }
    TRY(read_purpose(purpose, diag, r));
    TRY(read_host(host, diag, r));
    TRY(read_ports(ports, diag, r));
    if (view_equal_str(word, "http")) {
        r->http = true;
        word = take_word(&rest);
    }
    if (view_equal_str(word, "at")) {
        TRY(read_at(take_word(&rest), diag, r));
        word = take_word(&rest);
    }
    return word.len == 0
               ? OK
               : refuse(diag, word, "after its ports a rule has \"http\" or \"at BLOCK\"");
}

struct status
egress_add(struct egress *e, struct view line, struct diag *diag)
{
    DEFER(rule_done) struct rule r = {0};
    line = line.len == 0 ? view_str("") : line;
    TRY(read_rule(line, diag, &r));
    CHECK(e->count < EGRESS_MOST_RULES, LIMIT);
    if (e->count == e->room) {
        const size_t room = e->room * 2 + 4;
        struct rule *more = realloc(e->rule, room * sizeof *more);
        CHECK(more != NULL, MEMORY);
        e->rule = more;
        e->room = room;
    }
    e->rule[e->count++] = r;
    r.at = (struct cidr_set){0};
    return OK;
}

/* ---- asking ---- */

static bool
is_for_port(const struct rule *r, uint16_t port)
{
    for (size_t i = 0; i < r->ports; i++) {
        if (port >= r->port[i].low && port <= r->port[i].high) {
            return true;
        }
    }
    return false;
}

static bool
is_for_host(const struct rule *r, const struct url *u)
{
    const size_t n = strlen(u->host), m = strlen(r->name);
    switch (r->kind) {
    case HOST_NAME:
        return !u->numeric && strcmp(r->name, u->host) == 0;
    case HOST_BELOW:
        return !u->numeric && n > m && strcmp(u->host + n - m, r->name) == 0;
    case HOST_ANY:
        return !u->numeric;
    case HOST_BLOCK:
        break;
    }
    const struct sockaddr *a = (const struct sockaddr *)(const void *)&u->address.storage;
    return u->numeric && cidr_has(&r->block, a);
}

static bool
is_at(const struct rule *r, const struct sockaddr *address)
{
    return r->kind == HOST_BLOCK || address == NULL ||
           (r->at.count > 0 ? cidr_set_has(&r->at, address) : cidr_address_is_public(address));
}

bool
egress_allows(const struct egress *e, const char *purpose, const struct url *u,
              const struct sockaddr *address)
{
    for (size_t i = 0; i < e->count; i++) {
        const struct rule *r = &e->rule[i];
        if (strcmp(r->purpose, purpose) == 0 && (u->https || r->http) && is_for_port(r, u->port) &&
            is_for_host(r, u) && is_at(r, address)) {
            return true;
        }
    }
    return false;
}
