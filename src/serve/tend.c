#include "serve/tend.h"

#include "base/clock.h"
#include "base/log.h"
#include "serve/ticker.h"

#include <stdlib.h>

#define NOTE_EVERY_S 60

struct tend {
    struct workspace *workspace;
    struct fetcher *fetcher;
    struct ticker *ticker;
    unsigned seconds;
};

static struct status
get(void *ctx, const char *url, struct view ca_pem, size_t max, struct diag *diag,
    struct buf *ret_body)
{
    const struct tend *t = ctx;
    return fetcher_get(t->fetcher, url, ca_pem, max, diag, ret_body);
}

static void
told(void *ctx, const char *issuer, struct status s, const char *sentence)
{
    const struct tend *t = ctx;
    char resource[96], reason[512];
    if (status_ok(s)) {
        log_event(LOG_INFO, "issuer.keys", "issuer=%s", issuer);
        return;
    }
    log_event(LOG_WARN, "issuer.keys", "issuer=%s reason=\"%s\"", issuer, sentence);
    (void)snprintf(resource, sizeof resource, "issuers/%.64s", issuer);
    (void)snprintf(reason, sizeof reason, "keys fetched are not taken: %.400s", sentence);
    const struct workspace_act act = {
        .action = "issuer.keys", .resource = resource, .reason = reason, .refused = true};
    const struct status ignored = workspace_audit(t->workspace, &act, NULL);
    (void)ignored; /* a log that cannot be written stops calls by itself */
}

static void
note_uses(const struct tend *t)
{
    struct diag diag = {0};
    const struct status s = access_keys_note_uses(t->workspace->access, &diag);
    if (!status_ok(s)) {
        char text[sizeof diag.text];
        diag_describe(&diag, s, text, sizeof text);
        log_event(LOG_WARN, "api-key.uses", "reason=\"%s\"", text);
    }
}

static void
each_second(void *ctx)
{
    struct tend *t = ctx;
    const struct access_fetcher f = {.get = get, .ctx = t, .told = told};
    if (t->fetcher != NULL) {
        access_issuers_refresh(t->workspace->access, &f, clock_mono_ns());
    }
    if (++t->seconds % NOTE_EVERY_S == 0) {
        note_uses(t);
    }
}

struct status
tend_start(struct workspace *w, struct fetcher *fetcher, struct tend **ret_tend)
{
    struct tend *t = calloc(1, sizeof *t);
    CHECK(t != NULL, MEMORY);
    t->workspace = w;
    t->fetcher = fetcher;
    const struct status s = ticker_start(NS_PER_S, each_second, t, &t->ticker);
    if (!status_ok(s)) {
        free(t);
        return s;
    }
    *ret_tend = t;
    return OK;
}

void
tend_stop(struct tend *t)
{
    if (t == NULL) {
        return;
    }
    ticker_stop(t->ticker);
    note_uses(t);
    free(t);
}
