#include "serve/tend.h"

#include "base/clock.h"
#include "base/log.h"
#include "serve/ticker.h"

#include <stdlib.h>

#define NOTE_EVERY_S 60

struct tend {
    struct access *access;
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
    (void)ctx;
    if (status_ok(s)) {
        log_event(LOG_INFO, "issuer.keys", "issuer=%s", issuer);
    } else {
        log_event(LOG_WARN, "issuer.keys", "issuer=%s reason=\"%s\"", issuer, sentence);
    }
}

static void
note_uses(const struct tend *t)
{
    struct diag diag = {0};
    const struct status s = access_keys_note_uses(t->access, &diag);
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
        access_issuers_refresh(t->access, &f, clock_mono_ns());
    }
    if (++t->seconds % NOTE_EVERY_S == 0) {
        note_uses(t);
    }
}

struct status
tend_start(struct access *a, struct fetcher *fetcher, struct tend **ret_tend)
{
    struct tend *t = calloc(1, sizeof *t);
    CHECK(t != NULL, MEMORY);
    t->access = a;
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
