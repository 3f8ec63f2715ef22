#include "serve/call.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/random.h"
#include "base/text.h"
#include "govern/audit.h"
#include "serve/console.h"
#include "serve/log_routes.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define WARN_NS (60 * NS_PER_S)
#define ENTRY_BYTES 1023u /* most entries are shorter */

void
call_refuse(struct call *c, unsigned status, const char *client, const char *reason)
{
    c->decided = true;
    c->allow = false;
    c->x->status = status;
    c->x->content_type = "application/json";
    buf_reset(&c->x->answer);
    if (c->x->listener == SERVER_CONSOLE) {
        console_put_refusal(c, client);
    } else {
        buf_put_str(&c->x->answer, "{\"error\":");
        js_put_string(&c->x->answer, view_str(client));
        buf_put_str(&c->x->answer, "}");
    }
    text_copy(c->reason, sizeof c->reason, reason);
}

void
call_refuse_by(struct call *c, const char *guard, const char *rule, unsigned status,
               const char *client, const char *reason)
{
    c->guard = (struct audit_guard){guard, "refused", rule};
    call_refuse(c, status, client, reason);
}

/* ---- admit: is there such a thing here? ---- */

/* A path that may be anything, cut and with '?' for what the log should not hold. */
static void
put_printable(const char *path, char ret_text[static 96])
{
    size_t i = 0;
    for (; i < 90 && path[i] != '\0'; i++) {
        ret_text[i] = (char)(path[i] > 0x20 && path[i] < 0x7f ? path[i] : '?');
    }
    ret_text[i] = '\0';
}

static void
put_resource(struct call *c)
{
    const char *shape = c->route->resource, *mark = strstr(shape, "{name}");
    text_copy(c->resource, sizeof c->resource, shape);
    if (mark != NULL) {
        const size_t at = (size_t)(mark - shape);
        text_copy(c->resource + at, sizeof c->resource - at, c->at.name);
    }
}

/* Where there is one listener for programs, it serves all that they ask for. */
static bool
is_served_here(const struct call *c)
{
    if (c->route->side == SIDE_CONSOLE || c->x->listener == SERVER_CONSOLE) {
        return c->route->side == SIDE_CONSOLE && c->x->listener == SERVER_CONSOLE;
    }
    const unsigned own = c->route->side == SIDE_MANAGEMENT ? SERVER_MANAGEMENT : SERVER_DATA;
    return c->server->options.http.second.address == NULL || c->route->side == SIDE_BOTH ||
           own == c->x->listener;
}

static void
admit(struct call *c)
{
    const char *other_method = NULL;
    c->route = route_find(c->x->method, c->x->path, &c->at, &other_method);
    if (c->route != NULL && !is_served_here(c)) {
        c->route = NULL;
        other_method = NULL;
    }
    if (c->route != NULL) {
        put_resource(c);
        return;
    }
    put_printable(c->x->path, c->resource);
    if (other_method != NULL) {
        http_set_header(c->x, "allow", other_method);
        call_refuse(c, 405, "this path is not asked with that method", "method not allowed");
    } else {
        call_refuse(c, 404, "there is no such path", "no such path");
    }
}

/* ---- authenticate: who calls? ---- */

void
call_refuse_sign_in(struct call *c, struct status s, const struct access_sign_in *in,
                    const char *wanted)
{
    char wait[16];
    if (s.code == STATUS_LIMIT || s.code == STATUS_BUSY) {
        (void)snprintf(wait, sizeof wait, "%u", in->retry_after_s);
        http_set_header(c->x, "retry-after", wait);
    }
    if (s.code == STATUS_LIMIT) {
        call_refuse(c, 429, "too many failed sign-ins; wait as retry-after says", in->reason);
    } else if (s.code == STATUS_BUSY) {
        call_refuse(c, 503, "who calls cannot be verified now; try again", in->reason);
    } else {
        call_refuse(c, 401, wanted, in->reason);
    }
}

static bool
is_open(const struct call *c)
{
    return c->route->open || (c->route->open_inside && c->x->listener == SERVER_MANAGEMENT);
}

/* What is open to everybody needs no credential; one that comes is looked at all the same. */
static bool
is_anonymous(const struct call *c)
{
    return is_open(c) || (log_is_open(c->server, c->route) && *c->x->client_identity == '\0' &&
                          http_header(c->x, "authorization") == NULL);
}

static void
refuse_stranger(struct call *c, struct status s, const struct access_sign_in *in)
{
    if (s.code != STATUS_LIMIT && s.code != STATUS_BUSY) {
        http_set_header(c->x, "www-authenticate", "Bearer realm=\"steward\"");
    }
    call_refuse_sign_in(c, s, in, "a valid key is needed: Authorization: Bearer KEY");
}

static void
authenticate(struct call *c)
{
    if (is_anonymous(c)) {
        return;
    }
    if (c->route->side == SIDE_CONSOLE) {
        console_authenticate(c);
        return;
    }
    static const char *const no_bearer = "the authorization header is not \"Bearer KEY\"";
    const char *header = http_header(c->x, "authorization");
    const bool bearer = header != NULL && strncasecmp(header, "bearer ", 7) == 0;
    struct access_sign_in in;
    struct status s = FAILURE(AUTH);
    if (header != NULL && !bearer) {
        in.reason = no_bearer;
        in.retry_after_s = 0;
    } else {
        s = access_authenticate(c->server->workspace->access,
                                &(struct access_credential){
                                    .bearer = bearer ? header + 7 + strspn(header + 7, " ") : NULL,
                                    .certificate = c->x->client_identity,
                                    .fingerprint = c->x->client_fingerprint,
                                    .peer = c->x->peer,
                                    .now_ns = clock_wall_ns()},
                                &in);
    }
    if (status_ok(s)) {
        c->caller.group_count = in.caller.group_count;
        c->certificate = in.certificate;
        memcpy(c->proof, in.proof, sizeof in.proof);
        memcpy(c->caller.principal, in.caller.principal, sizeof in.caller.principal);
        memcpy(c->caller.groups, in.caller.groups, in.caller.group_count * ACCESS_NAME_MAX);
        return;
    }
    c->caller.principal[0] = c->proof[0] = '\0';
    refuse_stranger(c, s, &in);
}

/* ---- authorise: may they? ---- */

/* The key that the models are sealed under may have been withdrawn. */
static void
refuse_without_key(struct call *c)
{
    char why[KEY_WATCH_REASON_MAX], wait[16];
    (void)snprintf(wait, sizeof wait, "%u", key_watch_reason(c->server->key_watch, why));
    http_set_header(c->x, "retry-after", wait);
    call_refuse(c, 503, why, why);
}

/* False: refused. */
static bool
read_purpose(struct call *c)
{
    const char *text = http_header(c->x, "steward-purpose");
    const size_t n = text == NULL ? 0 : strlen(text);
    c->purpose = n == 0 ? NULL : arena_strdup(c->x->arena, view_of(text, n));
    if (n > 0 && (c->purpose == NULL || !access_purpose_ok(c->purpose))) {
        c->purpose = NULL;
        call_refuse(c, 400, "steward-purpose: a purpose is 1 to 128 printable ASCII characters",
                    "the purpose is not readable");
    }
    return !c->decided;
}

struct access_request
call_request(const struct call *c)
{
    return (struct access_request){.caller = &c->caller,
                                   .action = c->route->action,
                                   .resource = c->resource,
                                   .now_ns = clock_wall_ns(),
                                   .address = c->x->address,
                                   .certificate = c->certificate,
                                   .purpose = c->purpose};
}

/* What no rule allows, and none denies: the log may be open, or the call the caller's own. */
static void
let_read(struct call *c)
{
    struct access_decision *d = &c->decision;
    if (d->allow || d->denied) {
        return;
    }
    d->allow = log_is_open(c->server, c->route) || c->route->own;
    c->own_only = d->allow && !log_is_open(c->server, c->route);
    if (d->allow) {
        text_copy(d->rule, sizeof d->rule, c->own_only ? "its own calls" : "open to everybody");
    }
}

static void
authorise(struct call *c)
{
    c->reads_log = c->route->read != LOG_NO_READ;
    if (is_anonymous(c)) {
        c->allow = true;
        return;
    }
    struct access_decision *d = &c->decision;
    if (c->route->signed_in != NULL) {
        c->allow = true;
        text_copy(c->reason, sizeof c->reason, "signed in; each part by its own right");
        return;
    }
    if (!read_purpose(c)) {
        return;
    }
    const struct access_request q = call_request(c);
    access_decide(c->server->workspace->access, &q, d);
    let_read(c);
    c->allow = d->allow;
    c->reads_log = c->reads_log && d->allow;
    if (d->break_glass) {
        log_event(LOG_WARN, "access.break-glass", "principal=%s action=%s resource=%s call=%s",
                  c->caller.principal, access_action_word(c->route->action), c->resource, c->id);
    }
    text_copy(c->reason, sizeof c->reason, d->rule);
    if (!d->allow) {
        char client[160];
        (void)snprintf(client, sizeof client, "not allowed: %s on %.80s",
                       access_action_word(c->route->action), c->resource);
        call_refuse(c, 403, client, d->rule);
    } else if (*c->at.name != '\0' && !key_watch_usable(c->server->key_watch)) {
        refuse_without_key(c);
    }
}

/* ---- inspect, act: the route's own ---- */

static void
inspect(struct call *c)
{
    if (c->route->inspect != NULL) {
        c->route->inspect(c);
    }
}

/* ---- meter: what quotas leave ---- */

static bool
is_of(void *ctx, const struct quota *q)
{
    const struct call *c = ctx;
    struct access *a = c->server->workspace->access;
    const struct access_request r = call_request(c);
    return q->of == QUOTA_OF_GROUP ? access_in_group(a, &c->caller, q->who)
                                   : access_by_role(a, &r, q->who);
}

static void
refuse_over_quota(struct call *c, enum quotas_answer answer, const struct quotas_refusal *r)
{
    char wait[24];
    if (answer == QUOTAS_FAILED) {
        call_refuse(c, 503, "the quotas could not be counted; try again", "no memory for a count");
        return;
    }
    (void)snprintf(c->decision.rule, sizeof c->decision.rule, "quota %s", r->name);
    if (answer == QUOTAS_FULL) {
        (void)snprintf(wait, sizeof wait, "%llu", (unsigned long long)r->retry_after_s);
        http_set_header(c->x, "retry-after", wait);
    }
    const char *name = strchr(c->decision.rule, ' ') + 1;
    call_refuse_by(c, "quota", name, answer == QUOTAS_FULL ? 429 : 413, r->sentence, r->sentence);
}

/* Before the model is run, and what is not answered is given back (record). */
static void
meter(struct call *c)
{
    struct quotas_refusal refusal;
    if (c->route->action != ACCESS_MODEL_INFER || !quotas_any(c->server->quotas)) {
        return;
    }
    struct quotas_charge *charge = arena_alloc(c->x->arena, 1, sizeof *charge);
    const struct quotas_call asked = {.principal = c->caller.principal,
                                      .model = c->at.name,
                                      .rows = c->infer.rows,
                                      .now_ns = clock_wall_ns(),
                                      .is_of = is_of,
                                      .ctx = c};
    const enum quotas_answer answer =
        charge == NULL ? QUOTAS_FAILED : quotas_take(c->server->quotas, &asked, charge, &refusal);
    if (answer == QUOTAS_ROOM) {
        c->charge = charge;
    } else {
        refuse_over_quota(c, answer, &refusal);
    }
}

static void
give_back_charge(struct call *c)
{
    if (c->charge != NULL) {
        quotas_give_back(c->server->quotas, c->charge);
        c->charge = NULL;
    }
}

static void
act(struct call *c)
{
    c->x->status = 200;
    c->x->content_type = "application/json";
    c->route->act(c);
    if (!c->decided && !status_ok(buf_status(&c->x->answer))) {
        call_refuse(c, 500, "the answer could not be made", "out of memory for the answer");
    }
}

/* ---- record: no answer leaves before its entry is durable ---- */

static void
submit(struct call *c, const struct audit_event *e)
{
    DEFER(buf_done) struct buf entry;
    buf_init(&entry, AUDIT_MAX_ENTRY);
    (void)buf_reserve(&entry, ENTRY_BYTES);
    audit_event_put(e, &entry);
    struct status s = buf_status(&entry);
    if (status_ok(s)) {
        s = audit_queue(c->server->workspace->audit, buf_view(&entry), &c->x->ticket);
    }
    if (!status_ok(s)) {
        /* Fail closed: what cannot be recorded is not answered. */
        call_refuse(c, 503, "the call could not be recorded; try again",
                    "the log is full or failing");
        c->x->ticket = 0;
        give_back_charge(c);
    }
}

static void
warn_of_drops(struct call *c, int64_t now)
{
    int64_t before = atomic_load(&c->server->warned_ns);
    if (now - before > WARN_NS &&
        atomic_compare_exchange_strong(&c->server->warned_ns, &before, now)) {
        log_event(LOG_WARN, "refusals.dropped",
                  "address=%s; more than %u a minute without a valid key: closed unanswered and "
                  "not recorded",
                  c->x->address, c->server->options.refusals_per_minute);
    }
}

/* A refusal of nobody known is recorded while its address has room for it, so that strangers cannot
 * fill the disk; what has none gets no answer either. */
static bool
has_room(struct call *c)
{
    const int64_t now = clock_mono_ns();
    if (c->caller.principal[0] != '\0') {
        return true;
    }
    const enum meter_room room = meter_take(c->server->refusals, c->x->peer, now);
    if (room == METER_LAST) {
        const size_t n = strlen(c->reason);
        (void)snprintf(c->reason + n, sizeof c->reason - n, "; further ones are dropped");
    } else if (room == METER_FULL) {
        warn_of_drops(c, now);
        c->x->status = 0;
        c->x->ticket = 0;
    }
    return room != METER_FULL;
}

/* Reading the log would make it longer: the first read of a minute is recorded, of a principal and
 * kind; none of nobody, which only what is open to everybody allows. */
static bool
is_counted_only(const struct call *c)
{
    if (!c->reads_log) {
        return c->route != NULL && is_open(c);
    }
    (void)atomic_fetch_add(&c->server->metrics.log_reads[c->route->read], 1);
    return c->caller.principal[0] == '\0' ||
           !reads_first(c->server->reads, c->caller.principal, c->resource, clock_mono_ns());
}

/* What a model was asked and answers, before the entry that names it. A call that must be captured
 * and cannot be is not answered. */
static void
capture(struct call *c, char ret_id[static CAPTURE_ID_MAX])
{
    const struct capture_of of = {.call = c->id,
                                  .principal = c->caller.principal,
                                  .model_version = c->model_version,
                                  .status = c->x->status,
                                  .request = c->x->body,
                                  .response = buf_view(&c->x->answer)};
    if (c->model != NULL && c->route->action == ACCESS_MODEL_INFER &&
        capture_take(c->server->capture, c->at.name, c->at.version, &of, ret_id) ==
            CAPTURE_CLOSED) {
        call_refuse(c, 503, "the call could not be captured; try again",
                    "the call could not be captured");
    }
}

static const char *
some(const char *text)
{
    return *text == '\0' ? NULL : text;
}

/* What the caller's roles have left of a model's answer; NULL: all of it. */
static const char *
output_of(const struct call *c)
{
    const bool answered =
        c->route != NULL && c->route->action == ACCESS_MODEL_INFER && c->x->status == 200;
    const bool narrowed = answered && c->decision.output < ACCESS_OUTPUT_FULL;
    return narrowed ? access_output_word(c->decision.output) : NULL;
}

static void
record(struct call *c)
{
    const int64_t duration = clock_mono_ns() - c->x->arrived_ns;
    if (is_counted_only(c) || !has_room(c)) {
        return;
    }
    struct digest request, response;
    char captured[CAPTURE_ID_MAX] = "";
    capture(c, captured);
    DEFER(buf_done) struct buf quotas;
    buf_init(&quotas, QUOTAS * (QUOTA_COUNT_MAX + QUOTA_WINDOW_MAX + 2));
    if (c->charge != NULL) {
        quotas_add_tokens(c->server->quotas, c->charge, c->prompt_tokens + c->completion_tokens);
        quotas_put_charge(c->charge, &quotas);
    }
    if (!status_ok(buf_status(&quotas))) { /* what no entry tells of would be given back */
        call_refuse(c, 503, "out of memory; try again", "what counts could not be told");
    }
    if (c->charge != NULL && c->x->status != 200) {
        give_back_charge(c);
        buf_reset(&quotas);
    }
    digest_of(c->x->body, &request);
    digest_of(buf_view(&c->x->answer), &response);
    const struct audit_event e = {
        .time_ns = clock_wall_ns(),
        .id = c->id,
        .principal = some(c->caller.principal),
        .authenticated_by = some(c->proof),
        .action = c->route == NULL              ? "http.unknown"
                  : c->route->signed_in != NULL ? c->route->signed_in
                                                : access_action_word(c->route->action),
        .resource = c->resource,
        .model = c->model_version == 0 ? NULL : c->at.name,
        .model_version = c->model_version,
        .model_digest = c->model_version == 0 ? NULL : &c->model_digest,
        .allow = c->allow,
        .rule = some(c->decision.rule),
        .rules = some(c->decision.version),
        .guard = c->guard.guard == NULL ? NULL : &c->guard,
        .output = output_of(c),
        .http_status = (int)c->x->status,
        .reason = c->reason,
        .purpose = c->purpose,
        .address = c->x->address,
        .request = c->x->body.len > 0 ? &request : NULL,
        .response = &response,
        .explanation = c->explained && c->x->status == 200 ? &c->explanation : NULL,
        .duration_ns = duration,
        .rows = c->rows,
        .prompt_tokens = c->prompt_tokens,
        .completion_tokens = c->completion_tokens,
        .total_tokens = c->prompt_tokens + c->completion_tokens,
        .capture = some(captured),
        .quotas = quotas.len == 0 ? NULL : buf_str(&quotas),
    };
    submit(c, &e);
}

static void
give_back(struct call *c)
{
    if (c->model != NULL) {
        live_give_back(c->server->live, c->model);
        c->model = NULL;
    }
}

/* ---- the way ---- */

static const struct stage {
    const char *name;
    void (*run)(struct call *c);
    bool head;   /* needs no body */
    bool always; /* also when an answer stands already */
} stages[] = {
    {"admit", admit, true, false},         {"authenticate", authenticate, true, false},
    {"authorise", authorise, true, false}, {"inspect", inspect, false, false},
    {"meter", meter, false, false},        {"act", act, false, false},
    {"record", record, false, true},       {"give back", give_back, false, true},
};

#define STAGES (sizeof stages / sizeof *stages)
_Static_assert(STAGES <= METRICS_STAGES, "one counter a stage");

size_t
call_stages(const char *ret_names[static METRICS_STAGES])
{
    for (size_t i = 0; i < STAGES; i++) {
        ret_names[i] = stages[i].name;
    }
    return STAGES;
}

static void
make_id(char ret_id[static 33])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t raw[16];
    random_name_bytes(raw, sizeof raw);
    for (size_t i = 0; i < sizeof raw; i++) {
        ret_id[2 * i] = digits[raw[i] >> 4];
        ret_id[2 * i + 1] = digits[raw[i] & 15];
    }
    ret_id[32] = '\0';
}

static void
set_headers(struct call *c)
{
    http_set_header(c->x, "steward-call-id", c->id);
    http_set_header(c->x, "cache-control", "no-store");
    http_set_header(c->x, "x-content-type-options", "nosniff");
    if (c->x->listener == SERVER_CONSOLE) {
        console_set_headers(c);
    }
}

static void
begin(struct call *c, struct server *s, struct http_exchange *x)
{
    c->server = s;
    c->x = x;
    x->user = c;
    make_id(c->id);
    set_headers(c);
}

/* The call of an exchange, begun when it is first asked for; NULL: no memory, answered 503. */
static struct call *
call_of(struct server *s, struct http_exchange *x)
{
    struct call *c = x->user != NULL ? x->user : arena_alloc(x->arena, 1, sizeof *c);
    if (c == NULL) {
        x->status = 503;
        buf_put_str(&x->answer, "{\"error\":\"out of memory\"}");
    } else if (x->user == NULL) {
        begin(c, s, x);
    }
    return c;
}

/* A form of the console is read whole, or not at all. */
static void
refuse_long_body(struct call *c)
{
    if (!c->decided && c->route->side == SIDE_CONSOLE) {
        call_refuse(c, 413, "no form of this console is so long", "a body longer than any form");
    }
}

bool
call_head(struct server *s, struct http_exchange *x)
{
    struct call *c = call_of(s, x);
    if (c == NULL) {
        return false;
    }
    for (size_t i = 0; i < STAGES; i++) {
        if (stages[i].head && !c->decided) {
            stages[i].run(c);
            refuse_long_body(c);
        }
    }
    if (!c->decided && is_open(c)) {
        call_refuse(c, 413, "this path takes no body", "body on a path that takes none");
    }
    if (c->decided) {
        record(c);
    }
    return !c->decided;
}

/* A stage that parks the call is the last for now. */
static void
run_stages(struct call *c, size_t from)
{
    struct metrics *m = &c->server->metrics;
    struct metrics_lap lap;
    metrics_lap_begin(&lap);
    for (c->stage = from; c->stage < STAGES; c->stage++) {
        if (stages[c->stage].always || !c->decided) {
            stages[c->stage].run(c);
            metrics_lap(m, &lap, c->stage);
        }
        if (c->parked) {
            return;
        }
    }
}

/* After call_head, head stages run again: a key may have been revoked while the body came. */
void
call_run(struct server *s, struct http_exchange *x)
{
    struct call *c = call_of(s, x);
    if (c != NULL) {
        run_stages(c, 0);
    }
}

void
call_park(struct call *c, uint64_t ticket)
{
    c->parked = c->parked_once = true;
    c->x->ticket = ticket;
    c->x->status = 503; /* should it not come back */
}

static void
unpark(struct call *c)
{
    c->parked = false;
    c->x->ticket = 0;
    run_stages(c, c->stage);
}

/* An entry's index tells how many calls there were: to strangers only where the log does. */
static bool
learns_index(const struct call *c)
{
    return *c->caller.principal != '\0' || c->server->options.log_open >= SERVER_LOG_HASHES;
}

bool
call_settled(struct server *s, struct http_exchange *x)
{
    struct call *c = x->user;
    uint64_t index = 0;
    char text[24];
    if (c != NULL && c->parked) {
        unpark(c);
        return x->ticket == 0;
    }
    if (c != NULL && learns_index(c) && audit_index(s->workspace->audit, x->ticket, &index)) {
        (void)snprintf(text, sizeof text, "%llu", (unsigned long long)index);
        http_set_header(x, "steward-log-index", text);
    }
    return true;
}

void
call_refused(struct server *s, struct http_exchange *x, const char *reason)
{
    struct call *c = call_of(s, x);
    if (c == NULL) {
        return;
    }
    c->allow = false;
    if (c->route == NULL) {
        put_printable(x->path, c->resource);
    }
    (void)snprintf(c->reason, sizeof c->reason, "%.150s", reason);
    record(c);
}

/* Whoever is refused may have named a model that there is not: of those no series is made. */
static bool
is_served(struct call *c)
{
    const struct model *m = NULL;
    if (c->model_version > 0) {
        return true;
    }
    if (c->caller.principal[0] == '\0' ||
        !status_ok(live_take(c->server->live, c->at.name, 0, &m))) {
        return false;
    }
    live_give_back(c->server->live, m);
    return true;
}

static void
note_inference(struct call *c, int64_t duration_ns, uint64_t rows)
{
    const unsigned status = c->x->status;
    if (c->route == NULL || c->route->action != ACCESS_MODEL_INFER) {
        return;
    }
    series_note(c->server->series,
                &(struct series_call){.principal = c->caller.principal,
                                      .model = is_served(c) ? c->at.name : "",
                                      .version = c->model_version,
                                      .outcome = status == 200               ? SERIES_SUCCESS
                                                 : status < 500 && !c->allow ? SERIES_REFUSED
                                                                             : SERIES_ERROR,
                                      .rows = rows,
                                      .prompt_tokens = c->prompt_tokens,
                                      .completion_tokens = c->completion_tokens,
                                      .duration_ns = duration_ns});
}

void
call_done(struct server *s, struct http_exchange *x)
{
    struct call *c = x->user;
    if (c != NULL && c->parked) { /* the client left, or it took too long */
        c->parked = false;
        if (c->question > 0) {
            usages_forget(s->usages, c->question);
        }
        call_refuse(c, 503, "the call took too long", "not waited for to the end");
        record(c);
    }
    const uint64_t rows = c != NULL && x->status == 200 ? c->rows : 0;
    const int64_t duration = clock_mono_ns() - x->arrived_ns;
    metrics_note(&s->metrics, x->status, duration, rows > 0, rows);
    if (c != NULL) {
        note_inference(c, duration, rows);
    }
}
