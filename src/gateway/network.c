#include "gateway/network.h"

#include "gateway/exporting.h"
#include "gateway/policies.h"

#include "base/digest.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/sandbox.h"
#include "base/text.h"
#include "cli/credential.h"
#include "vault/transit.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define TEXT_MAX (1u << 20)

/* ---- the reader ---- */

/* A byte asks, for the file of that place. The answer is a head, and the text in pieces. */
struct answer_head {
    uint32_t good; /* 1: the file's text; 0: a sentence why not */
    uint32_t len;
};
#define PIECE 65536u

static void
send_pieces(int fd, uint32_t good, struct view text)
{
    const struct answer_head head = {good, (uint32_t)text.len};
    (void)!send(fd, &head, sizeof head, MSG_NOSIGNAL);
    for (size_t at = 0; at < text.len; at += PIECE) {
        const size_t n = text.len - at < PIECE ? text.len - at : PIECE;
        (void)!send(fd, text.ptr + at, n, MSG_NOSIGNAL);
    }
}

__attribute__((noreturn)) static void
read_on_demand(const char *const *path, int fd)
{
    uint8_t ask = 0;
    sandbox_wipe_environment();
    (void)signal(SIGINT, SIG_IGN); /* it ends when the server does */
    (void)signal(SIGTERM, SIG_IGN);
    (void)signal(SIGHUP, SIG_IGN);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    const bool offline = status_ok(sandbox_calls(SANDBOX_VERB, NULL));
    while (offline && recv(fd, &ask, 1, 0) == 1 && ask < CONFIG_READER_FILES) {
        struct diag diag = {0};
        DEFER(buf_done) struct buf text;
        buf_init(&text, TEXT_MAX);
        if (status_ok(file_read(path[ask], TEXT_MAX, &diag, &text))) {
            send_pieces(fd, 1, buf_view(&text));
        } else {
            send_pieces(fd, 0, view_str(diag.text));
        }
    }
    _exit(0);
}

struct status
config_reader_start(const char *const path[static CONFIG_READER_FILES], struct diag *diag,
                    struct config_reader *ret_reader)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        const int err = errno;
        diag_set(diag, "a process to read the configuration: %s", strerror(err));
        FAIL_OS(err);
    }
    const pid_t pid = fork();
    if (pid == 0) {
        (void)close(ends[1]);
        read_on_demand(path, ends[0]);
    }
    (void)close(ends[0]);
    if (pid < 0) {
        (void)close(ends[1]);
        FAIL(MEMORY);
    }
    *ret_reader = (struct config_reader){.pid = pid, .fd = ends[1]};
    memcpy(ret_reader->path, path, sizeof ret_reader->path);
    return OK;
}

void
config_reader_done(struct config_reader *r)
{
    if (r->pid > 0) {
        (void)close(r->fd);
        (void)waitpid(r->pid, NULL, 0);
        r->pid = 0;
    }
}

static struct status
read_place(const struct config_reader *r, uint8_t place, struct diag *diag, struct buf *ret_text)
{
    struct answer_head head = {0};
    if (send(r->fd, &place, 1, MSG_NOSIGNAL) != 1 ||
        recv(r->fd, &head, sizeof head, 0) != sizeof head || head.len > TEXT_MAX) {
        diag_set(diag, "the process that reads the configuration is gone; restart the server");
        FAIL(IO);
    }
    while (ret_text->len < head.len) {
        uint8_t *room = buf_reserve(ret_text, PIECE);
        CHECK(room != NULL, LIMIT);
        const ssize_t n = recv(r->fd, room, PIECE, 0);
        CHECK(n > 0, IO);
        (void)buf_extend(ret_text, (size_t)n);
    }
    if (head.good == 0) {
        diag_set(diag, "%s", buf_str(ret_text));
        FAIL(INPUT);
    }
    return OK;
}

struct status
config_reader_read(void *reader, const char *path, struct diag *diag, struct buf *ret_text)
{
    const struct config_reader *r = reader;
    for (uint8_t i = 1; i < CONFIG_READER_FILES; i++) {
        if (strcmp(r->path[i], path) == 0) {
            return read_place(r, i, diag, ret_text);
        }
    }
    FAIL(NOT_FOUND);
}

/* ---- rules ---- */

struct status
network_ingress(const struct config *config, struct ingress ret_rules[HTTP_LISTENERS])
{
    for (unsigned i = 0; i < HTTP_LISTENERS; i++) {
        TRY(config_ingress(config, i, &ret_rules[i]));
    }
    return OK;
}

static size_t
lines(const char *list)
{
    size_t n = 0;
    for (; *list != '\0'; list++) {
        n += *list == '\n';
    }
    return n;
}

/* The target of the transit service that is asked; NULL: another holds the key. */
static const char *
transit_of(const struct provider *holder)
{
    const char *target = holder == NULL ? NULL : provider_target(holder);
    return target != NULL && transit_uri_is(target) ? target : NULL;
}

/* One that holds the key, and is to be asked elsewhere: it must be the same key. */
static struct status
find_transit(const struct provider *holder, const struct config *now, struct diag *diag,
             const char **ret_uri)
{
    const char *target = transit_of(holder);
    if (target != NULL) {
        TRY(credential_transit_uri(now->transit, target, diag, ret_uri));
        TRY(transit_check_key(target, *ret_uri, diag));
    }
    return OK;
}

static void
put_transit(const char *uri, struct buf *ret_reason)
{
    struct transit_uri u;
    if (uri != NULL && status_ok(transit_uri_parse(view_str(uri), NULL, &u))) {
        buf_printf(ret_reason, ", the key's holder is asked at %s:%u", u.at.host, u.at.port);
    }
}

static struct status
audit_rules(struct workspace *w, const struct config *config, const char *transit,
            struct diag *diag)
{
    struct digest digest;
    DEFER(buf_done) struct buf reason;
    DEFER(buf_done) struct buf all;
    DEFER(buf_done) struct buf hex;
    buf_init(&reason, 1024);
    buf_init(&all, (2 * HTTP_LISTENERS + 2) * CONFIG_LIST_BYTES);
    buf_init(&hex, 128);
    for (unsigned i = 0; i < HTTP_LISTENERS; i++) {
        buf_printf(&all, "allow %u\n%sdeny %u\n%s", i, config->allow[i], i, config->deny[i]);
        buf_printf(&reason, "%s %zu allow, %zu deny; ", server_listener_name(i),
                   lines(config->allow[i]), lines(config->deny[i]));
    }
    buf_printf(&all, "egress\n%s", config->egress);
    digest_of(buf_view(&all), &digest);
    digest_put_hex(&hex, &digest);
    buf_printf(&reason, "egress %zu", lines(config->egress));
    put_transit(transit, &reason);
    buf_printf(&reason, "; lists sha256 %.16s", buf_str(&hex));
    const struct workspace_act act = {
        .action = "network.configure", .resource = "network", .reason = buf_str(&reason)};
    return workspace_audit(w, &act, diag);
}

/* Keys outside the lists that would be another after a restart. */
static void
tell_of_others(const struct config *before, const struct config *now,
               const struct network_connecting *who)
{
    DEFER(js_freep) json_t *old = NULL, *new = NULL;
    if (!status_ok(config_to_json(before, &old)) || !status_ok(config_to_json(now, &new))) {
        return;
    }
    for (size_t i = 0; i < json_array_size(new); i++) {
        const json_t *a = json_array_get(old, i), *b = json_array_get(new, i);
        const char *key = json_string_value(json_object_get(b, "key"));
        const bool list = strstr(key, "network.") == key &&
                          (strstr(key, "_allow") != NULL || strstr(key, "_deny") != NULL);
        const bool taken = list || strcmp(key, "limits.quotas") == 0 ||
                           (who->exports != NULL && strcmp(key, "audit.export") == 0) ||
                           (who->witnesses != NULL && (strcmp(key, "audit.witnesses") == 0 ||
                                                       strcmp(key, "audit.quorum") == 0));
        if (!taken && json_equal(a, b) == 0) {
            log_event(LOG_WARN, "config.restart", "key=%s; has changed, and holds after a restart",
                      key);
        }
    }
}

/* Each process that connects takes the rules from the file itself: none believes this one. */
static struct status
reread_all(const struct network_connecting *who, struct diag *diag)
{
    for (size_t i = 0; i < NETWORK_FETCHERS; i++) {
        if (who->fetcher[i] != NULL && !fetcher_reread(who->fetcher[i])) {
            diag_set(diag, "a process that fetches is gone, or could not read the file");
            FAIL(IO);
        }
    }
    return transit_of(who->holder) == NULL ? OK : holder_renew(provider_holder(who->holder), diag);
}

static void
tell_refused(struct workspace *w, const char *reason)
{
    struct diag diag = {0};
    const struct workspace_act act = {
        .action = "network.configure", .resource = "network", .reason = reason, .refused = true};
    const struct status told = workspace_audit(w, &act, &diag);
    if (!status_ok(told)) {
        log_event(LOG_ERROR, "network.unrecorded", "code=%s", status_word(told.code));
    }
}

/* What is in force for some and not for others. */
static void
tell_untaken(struct workspace *w, struct status s, const struct diag *diag)
{
    char why[800], text[900];
    diag_describe(diag, s, why, sizeof why);
    (void)snprintf(text, sizeof text, "a process that connects keeps what it had: %s", why);
    log_event(LOG_ERROR, "network.untaken", "reason=\"%s\"", text);
    tell_refused(w, text);
}

static struct status
take_rules(struct workspace *w, struct server *server, const struct network_connecting *who,
           const struct config *now, struct config *config, struct diag *diag)
{
    struct ingress rules[HTTP_LISTENERS] = {0};
    struct diag why = {0};
    const char *transit = NULL;
    TRY(find_transit(who->holder, now, diag, &transit));
    TRY(network_ingress(now, rules));
    const struct status logged = audit_rules(w, now, transit, diag);
    if (!status_ok(logged)) {
        for (unsigned i = 0; i < HTTP_LISTENERS; i++) {
            ingress_done(&rules[i]);
        }
        return logged;
    }
    server_set_ingress(server, rules);
    const struct status taken = reread_all(who, &why);
    if (!status_ok(taken)) {
        tell_untaken(w, taken, &why);
    }
    memcpy(config->egress, now->egress, sizeof now->egress);
    memcpy(config->transit, now->transit, sizeof now->transit);
    memcpy(config->allow, now->allow, sizeof now->allow);
    memcpy(config->deny, now->deny, sizeof now->deny);
    return OK;
}

/* Each of them stands in the entry, as far as there is room. */
static struct status
take_quotas(struct workspace *w, struct server *server, const struct config *now,
            struct config *config, struct diag *diag)
{
    struct quota list[QUOTAS];
    const size_t n = config_quotas(now, list);
    DEFER(buf_done) struct buf reason;
    buf_init(&reason, 8192);
    if (strcmp(now->quotas, config->quotas) == 0) {
        return OK;
    }
    buf_printf(&reason, "%zu quotas", n);
    for (size_t i = 0; i < n; i++) {
        buf_printf(&reason, "%s %s: ", i == 0 ? ";" : ",", list[i].name);
        quota_put(&list[i], &reason);
    }
    const struct workspace_act act = {
        .action = "limits.configure", .resource = "limits/quotas", .reason = buf_str(&reason)};
    TRY(workspace_audit(w, &act, diag));
    TRY(server_set_quotas(server, list, n, diag));
    memcpy(config->quotas, now->quotas, sizeof now->quotas);
    return OK;
}

static void
put_witnesses(const struct witnesses_options *o, struct buf *ret_text)
{
    buf_printf(ret_text, "%zu witnesses, %zu needed", o->count, witnesses_needed(o));
    for (size_t i = 0; i < o->count; i++) {
        buf_printf(ret_text, "%s %s", i == 0 ? ":" : ",", o->witness[i].key.name);
    }
}

/* A file of authorities that was not read at the start is out of reach by now. */
static struct status
find_witnesses(const struct witnesses_options *read, const struct config *now,
               const struct config *config, struct diag *diag,
               struct witnesses_options **ret_options)
{
    DEFER(witnesses_options_freep) struct witnesses_options *o = NULL;
    if (read == NULL ||
        (strcmp(now->witnesses, config->witnesses) == 0 && now->quorum == config->quorum)) {
        return OK;
    }
    TRY(config_witnesses(now, &o));
    TRY(witnesses_take_ca(o, read, diag));
    *ret_options = MOVE(o);
    return OK;
}

/* o: taken over; NULL: they are the same. */
static struct status
take_witnesses(struct workspace *w, struct server *server, struct witnesses_options **o,
               const struct config *now, struct config *config, struct diag *diag)
{
    DEFER(buf_done) struct buf reason;
    buf_init(&reason, 8192);
    if (*o == NULL) {
        return OK;
    }
    put_witnesses(*o, &reason);
    const struct workspace_act act = {
        .action = "witness.configure", .resource = "witnesses", .reason = buf_str(&reason)};
    TRY(workspace_audit(w, &act, diag));
    server_set_witnesses(server, MOVE(*o));
    memcpy(config->witnesses, now->witnesses, sizeof now->witnesses);
    config->quorum = now->quorum;
    return OK;
}

/* Lists, quotas, witnesses and receivers are taken in this order; begun: the lists are. */
static void
tell_unchanged(struct workspace *w, struct status s, const struct diag *diag, bool begun)
{
    char why[800], text[900];
    diag_describe(diag, s, why, sizeof why);
    const bool tells = s.code == STATUS_DENIED || s.code == STATUS_AUTH;
    (void)snprintf(text, sizeof text, "%s%s",
                   begun   ? "the lists are taken; not all that the configuration has behind them: "
                   : tells ? ""
                           : "the configuration is wrong; nothing was changed",
                   begun || tells ? why : "");
    log_event(LOG_ERROR, begun ? "network.partly" : "network.unchanged", "reason=\"%s\"", why);
    tell_refused(w, text);
}

void
network_reload(struct workspace *w, struct server *server, const struct config_reader *r,
               const struct network_connecting *who, struct config *config)
{
    struct config now;
    struct diag diag = {0};
    const uint64_t from = audit_size(w->audit);
    DEFER(js_freep) json_t *state = NULL;
    DEFER(witnesses_options_freep) struct witnesses_options *witnesses = NULL;
    DEFER(buf_done) struct buf text;
    buf_init(&text, 2 * TEXT_MAX);
    config_defaults(&now);
    struct status s = read_place(r, 0, &diag, &text);
    s = status_ok(s) ? config_parse(buf_view(&text), "steward.yaml", &diag, &now) : s;
    s = status_ok(s) ? gateway_policies(w, &now, &diag, &state) : s;
    s = status_ok(s) ? find_witnesses(who->witnesses, &now, config, &diag, &witnesses) : s;
    s = status_ok(s) ? take_rules(w, server, who, &now, config, &diag) : s;
    const bool begun = status_ok(s); /* what comes now fails only when it cannot be recorded */
    s = status_ok(s) ? take_quotas(w, server, &now, config, &diag) : s;
    s = status_ok(s) ? take_witnesses(w, server, &witnesses, &now, config, &diag) : s;
    s = status_ok(s) ? exporting_change(w, who->exports, config, &now, from, &diag) : s;
    if (status_ok(s)) {
        tell_of_others(config, &now, who);
        if (who->exports != NULL) {
            memcpy(config->exports, now.exports, sizeof now.exports);
        }
        server_set_policy_state(server, state);
        log_event(LOG_INFO, "network.changed", "who may connect is as the configuration says now");
        return;
    }
    tell_unchanged(w, s, &diag, begun);
}
