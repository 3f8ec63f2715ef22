#include "serve/console_session.h"

#include "base/digest.h"
#include "base/random.h"
#include "base/secret.h"
#include "base/text.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct session {
    struct digest token;
    struct session_of of;
    int64_t begun_ns, seen_ns;
    bool used;
};

struct sessions {
    pthread_mutex_t lock;
    struct session of[SESSIONS_MAX];
};

struct sessions *
sessions_new(void)
{
    struct sessions *s = calloc(1, sizeof *s);
    if (s != NULL) {
        (void)pthread_mutex_init(&s->lock, NULL);
    }
    return s;
}

void
sessions_free(struct sessions *s)
{
    if (s != NULL) {
        (void)pthread_mutex_destroy(&s->lock);
        free(s);
    }
}

/* Ends it when its time is over. */
static bool
lasts(struct session *x, int64_t now_ns)
{
    if (x->used &&
        (now_ns - x->seen_ns >= SESSION_IDLE_NS || now_ns - x->begun_ns >= SESSION_MOST_NS)) {
        *x = (struct session){0};
    }
    return x->used;
}

/* A free place: one of the principal's own when it has as many as it may. NULL: none. */
static struct session *
place_for(struct sessions *s, const char *principal, int64_t now_ns)
{
    struct session *free_one = NULL, *oldest = NULL;
    unsigned own = 0;
    for (size_t i = 0; i < SESSIONS_MAX; i++) {
        struct session *x = &s->of[i];
        if (!lasts(x, now_ns)) {
            free_one = x;
        } else if (strcmp(x->of.principal, principal) == 0) {
            own++;
            oldest = oldest == NULL || x->seen_ns < oldest->seen_ns ? x : oldest;
        }
    }
    return own >= SESSIONS_OF_ONE ? oldest : free_one;
}

struct status
session_begin(struct sessions *s, const struct session_of *of, int64_t now_ns,
              char ret_token[static SESSION_TOKEN_LETTERS + 1])
{
    uint8_t raw[SESSION_TOKEN_LETTERS / 2];
    struct digest token;
    DEFER(buf_wipe) struct buf hex;
    buf_init(&hex, SESSION_TOKEN_LETTERS);
    random_bytes(raw, sizeof raw);
    text_put_hex(&hex, view_of(raw, sizeof raw));
    secret_wipe(raw, sizeof raw);
    TRY(buf_status(&hex));
    digest_of(buf_view(&hex), &token);
    (void)pthread_mutex_lock(&s->lock);
    struct session *x = place_for(s, of->principal, now_ns);
    if (x != NULL) {
        *x = (struct session){
            .token = token, .of = *of, .begun_ns = now_ns, .seen_ns = now_ns, .used = true};
    }
    (void)pthread_mutex_unlock(&s->lock);
    CHECK(x != NULL, BUSY);
    text_copy(ret_token, SESSION_TOKEN_LETTERS + 1, buf_str(&hex));
    return OK;
}

/* NULL: none. Under the lock. */
static struct session *
find(struct sessions *s, struct view token)
{
    struct digest d;
    struct session *found = NULL;
    if (token.len != SESSION_TOKEN_LETTERS) {
        return NULL;
    }
    digest_of(token, &d);
    for (size_t i = 0; i < SESSIONS_MAX; i++) {
        struct session *x = &s->of[i];
        if (x->used && view_equal_secret(view_of(x->token.bytes, DIGEST_BYTES),
                                         view_of(d.bytes, DIGEST_BYTES))) {
            found = x;
        }
    }
    return found;
}

bool
session_find(struct sessions *s, struct view token, uint64_t peer, int64_t now_ns,
             struct session_of *ret_of)
{
    (void)pthread_mutex_lock(&s->lock);
    struct session *x = find(s, token);
    const bool good = x != NULL && lasts(x, now_ns) && x->of.peer == peer;
    if (good) {
        x->seen_ns = now_ns;
        *ret_of = x->of;
    }
    (void)pthread_mutex_unlock(&s->lock);
    return good;
}

void
session_end(struct sessions *s, struct view token)
{
    (void)pthread_mutex_lock(&s->lock);
    struct session *x = find(s, token);
    if (x != NULL) {
        *x = (struct session){0};
    }
    (void)pthread_mutex_unlock(&s->lock);
}
