/* OpenID Connect Discovery 1.0, section 4: the issuer's document says where its keys are, and must
 * name the issuer exactly. Fetching happens on a thread of its own; on the way of a call it is only
 * asked for. */
#include "protect/access_parts.h"

#include "base/clock.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>

#define DOCUMENT_MAX (64u << 10)
#define AGAIN_NS (60 * NS_PER_S)
#define FRESH_NS (3600 * NS_PER_S)
#define TRUSTED_NS (24 * 3600 * NS_PER_S)

void
access_key_set_release(struct access_key_set *s)
{
    if (s != NULL && atomic_fetch_sub(&s->references, 1) == 1) {
        jwks_free(s->keys);
        free(s);
    }
}

static struct access_fetched *
find(struct access *a, const char *id)
{
    for (size_t i = 0; i < ACCESS_ISSUERS_MAX; i++) {
        if (strcmp(a->fetched[i].id, id) == 0) {
            return &a->fetched[i];
        }
    }
    return NULL;
}

const struct jwks *
access_keys_take(struct access *a, const struct access_issuer *i, struct access_key_set **ret_set,
                 uint64_t *ret_generation)
{
    *ret_generation = access_keys_generation(a);
    if (!i->discover) {
        return i->keys;
    }
    (void)pthread_mutex_lock(&a->fetched_lock);
    const struct access_fetched *f = find(a, i->id);
    struct access_key_set *set = f == NULL ? NULL : f->set;
    if (set != NULL) {
        (void)atomic_fetch_add(&set->references, 1);
    }
    (void)pthread_mutex_unlock(&a->fetched_lock);
    *ret_set = set;
    return set == NULL ? NULL : set->keys;
}

uint64_t
access_keys_generation(const struct access *a)
{
    return atomic_load(&a->generation);
}

bool
access_keys_want(struct access *a, const struct access_issuer *i)
{
    const int64_t now = clock_mono_ns();
    (void)pthread_mutex_lock(&a->fetched_lock);
    struct access_fetched *f = find(a, i->id);
    /* One that has just been asked has said all it has. */
    const bool soon = a->fetching && (f == NULL || !f->tried || now - f->tried_ns >= AGAIN_NS);
    if (f != NULL && soon) {
        f->wanted = true;
    }
    (void)pthread_mutex_unlock(&a->fetched_lock);
    return soon;
}

void
access_fetched_done(struct access *a)
{
    for (size_t i = 0; i < ACCESS_ISSUERS_MAX; i++) {
        access_key_set_release(a->fetched[i].set);
    }
}

/* ---- fetching ---- */

/* A workspace of before has a path there; what a path leads to may be anybody's. */
static struct status
get(const struct access_fetcher *f, const struct access_issuer *i, const char *url, size_t max,
    struct diag *diag, struct buf *ret_body)
{
    if (i->ca != NULL && strstr(i->ca, ACCESS_CA_MARK) == NULL) {
        diag_set(diag, "its authorities are named by a path, which is not read any more; remove "
                       "the issuer and add it again");
        FAIL(INPUT);
    }
    return f->get(f->ctx, url, view_str(i->ca == NULL ? "" : i->ca), max, diag, ret_body);
}

static struct status
get_json(const struct access_fetcher *f, const struct access_issuer *i, const char *url,
         struct diag *diag, json_t **ret_object)
{
    DEFER(buf_done) struct buf body;
    buf_init(&body, DOCUMENT_MAX);
    TRY(get(f, i, url, DOCUMENT_MAX, diag, &body));
    TRY(js_parse_within(buf_view(&body), 4u << 20, "discovery", diag, ret_object));
    return OK;
}

static struct status
find_keys_url(const struct access_fetcher *f, const struct access_issuer *i, struct diag *diag,
              char ret_url[static 1024])
{
    char url[512];
    const char *issuer = NULL, *keys = NULL;
    DEFER(js_freep) json_t *o = NULL;
    const size_t n = strlen(i->rules.issuer);
    (void)snprintf(url, sizeof url, "%.*s/.well-known/openid-configuration",
                   (int)(n - (i->rules.issuer[n - 1] == '/')), i->rules.issuer);
    TRY(get_json(f, i, url, diag, &o));
    TRY(js_need_string(o, "issuer", diag, &issuer));
    TRY(js_need_string(o, "jwks_uri", diag, &keys));
    if (strcmp(issuer, i->rules.issuer) != 0) {
        diag_set(diag, "the discovery document is of issuer \"%.200s\", not \"%.200s\"", issuer,
                 i->rules.issuer);
        FAIL(INPUT);
    }
    if (strncmp(keys, "https://", 8) != 0 || strlen(keys) >= 1024) {
        diag_set(diag, "jwks_uri must be an https URL");
        FAIL(INPUT);
    }
    text_copy(ret_url, 1024, keys);
    return OK;
}

static struct status
fetch(const struct access_fetcher *f, const struct access_issuer *i, struct diag *diag,
      struct jwks **ret_keys)
{
    char url[1024];
    DEFER(buf_done) struct buf body;
    buf_init(&body, JWKS_MAX_BYTES);
    TRY(find_keys_url(f, i, diag, url));
    TRY(get(f, i, url, JWKS_MAX_BYTES, diag, &body));
    return jwks_read(buf_view(&body), diag, ret_keys);
}

/* keys NULL: what there is goes. Takes keys. */
static void
put_keys(struct access *a, struct access_fetched *f, struct jwks *keys, int64_t now_ns)
{
    struct access_key_set *set = keys == NULL ? NULL : calloc(1, sizeof *set);
    if (set != NULL) {
        atomic_store(&set->references, 1);
        set->keys = keys;
    } else {
        jwks_free(keys);
    }
    (void)pthread_mutex_lock(&a->fetched_lock);
    struct access_key_set *old = f->set;
    f->set = set;
    f->fetched_ns = now_ns;
    (void)atomic_fetch_add(&a->generation, 1);
    (void)pthread_mutex_unlock(&a->fetched_lock);
    access_key_set_release(old);
}

static bool
is_due(struct access *a, struct access_fetched *f, int64_t now_ns)
{
    (void)pthread_mutex_lock(&a->fetched_lock);
    const bool old = f->set == NULL || f->wanted || now_ns - f->fetched_ns >= FRESH_NS;
    const bool due = old && (!f->tried || now_ns - f->tried_ns >= AGAIN_NS);
    if (due) {
        f->tried = true;
        f->tried_ns = now_ns;
        f->wanted = false;
    }
    (void)pthread_mutex_unlock(&a->fetched_lock);
    return due;
}

static void
refresh_one(struct access *a, const struct access_issuer *i, const struct access_fetcher *f,
            struct access_fetched *of, int64_t now_ns)
{
    struct diag diag = {0};
    struct jwks *keys = NULL;
    if (of->set != NULL && now_ns - of->fetched_ns >= TRUSTED_NS) {
        put_keys(a, of, NULL, of->fetched_ns);
    }
    if (!is_due(a, of, now_ns)) {
        return;
    }
    const struct status s = fetch(f, i, &diag, &keys);
    if (status_ok(s)) {
        put_keys(a, of, keys, now_ns);
    }
    if (f->told != NULL) {
        char text[sizeof diag.text];
        diag_describe(&diag, s, text, sizeof text);
        f->told(f->ctx, i->name, s, status_ok(s) ? "" : text);
    }
}

/* The place of an issuer; one of an issuer that is gone is taken over. */
static struct access_fetched *
place_for(struct access *a, const struct access_snapshot *s, const char *id)
{
    struct access_fetched *of = find(a, id);
    for (size_t k = 0; of == NULL && k < ACCESS_ISSUERS_MAX; k++) {
        bool used = false;
        for (size_t i = 0; i < s->issuer_count; i++) {
            used =
                used || (s->issuers[i].discover && strcmp(s->issuers[i].id, a->fetched[k].id) == 0);
        }
        of = used ? NULL : &a->fetched[k];
    }
    return of;
}

void
access_issuers_refresh(struct access *a, const struct access_fetcher *f, int64_t now_ns)
{
    DEFER(access_snapshot_releasep) struct access_snapshot *s = access_snapshot_take(a);
    for (size_t i = 0; s != NULL && i < s->issuer_count; i++) {
        const struct access_issuer *issuer = &s->issuers[i];
        if (!issuer->discover) {
            continue;
        }
        (void)pthread_mutex_lock(&a->fetched_lock);
        a->fetching = true;
        struct access_fetched *of = place_for(a, s, issuer->id);
        struct access_key_set *gone = NULL;
        if (of != NULL && strcmp(of->id, issuer->id) != 0) {
            gone = of->set;
            *of = (struct access_fetched){0};
            text_copy(of->id, sizeof of->id, issuer->id);
        }
        (void)pthread_mutex_unlock(&a->fetched_lock);
        access_key_set_release(gone);
        if (of != NULL) {
            refresh_one(a, issuer, f, of, now_ns);
        }
    }
}
