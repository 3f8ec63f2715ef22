#include "serve/reads.h"

#include "base/clock.h"
#include "base/digest.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define PLACES 1024u
#define WINDOW_NS (60 * NS_PER_S)

struct reads {
    pthread_mutex_t lock;
    struct read {
        struct digest who; /* and what; any: until_ns is over */
        int64_t until_ns;
    } places[PLACES];
};

struct reads *
reads_new(void)
{
    struct reads *r = calloc(1, sizeof *r);
    if (r == NULL || pthread_mutex_init(&r->lock, NULL) != 0) {
        free(r);
        return NULL;
    }
    return r;
}

void
reads_free(struct reads *r)
{
    if (r != NULL) {
        (void)pthread_mutex_destroy(&r->lock);
        free(r);
    }
}

static bool
take(struct read *place, const struct digest *who, int64_t now_ns)
{
    const bool same = memcmp(place->who.bytes, who->bytes, DIGEST_BYTES) == 0;
    if (same && now_ns < place->until_ns) {
        return false;
    }
    *place = (struct read){*who, now_ns + WINDOW_NS};
    return true;
}

bool
reads_first(struct reads *r, const char *principal, const char *kind, int64_t now_ns)
{
    DEFER(buf_done) struct buf text;
    struct digest who;
    buf_init(&text, 1024);
    buf_put_str(&text, kind);
    buf_put_u8(&text, '\n');
    buf_put_str(&text, principal);
    if (!status_ok(buf_status(&text))) {
        return true;
    }
    digest_of(buf_view(&text), &who);
    const size_t at = ((size_t)who.bytes[0] << 8 | who.bytes[1]) % PLACES;
    (void)pthread_mutex_lock(&r->lock);
    const bool first = take(&r->places[at], &who, now_ns);
    (void)pthread_mutex_unlock(&r->lock);
    return first;
}
