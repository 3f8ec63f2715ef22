#include "serve/live.h"

#include "base/clock.h"
#include "base/log.h"
#include "serve/contributions.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define REFRESH_NS (NS_PER_S / 2)
#define OLD_VERSIONS_MAX 64u /* of versions asked for by number, beside the newest ones */

struct slot {
    struct slot *next;
    struct model *model;             /* NULL: it did not open */
    struct attribution *attribution; /* NULL: nobody has asked for it */
    char name[64];
    uint64_t version;
    unsigned references;
    bool newest;
    bool dropped; /* freed when it is given back */
};

struct live {
    struct workspace *workspace;
    pthread_mutex_t lock;
    struct slot *slots;
    uint64_t change;
    int64_t checked_ns;
    bool suspended;
    bool dropped; /* some slot is */
};

static void
slot_free(struct slot *s)
{
    attribution_free(s->attribution);
    model_free(s->model);
    free(s);
}

static struct slot *
find(const struct live *l, const char *name, uint64_t version)
{
    for (struct slot *s = l->slots; s != NULL; s = s->next) {
        if (!s->dropped && strcmp(s->name, name) == 0 &&
            (version == 0 ? s->newest : s->version == version)) {
            return s;
        }
    }
    return NULL;
}

/* Loads one version into a slot; a failure leaves a slot without a model, unless it is one that can
 * pass: not found, or a log (or disk) that cannot be written or read now. */
static struct status
add_slot(struct live *l, const char *name, uint64_t version, struct slot **ret_slot)
{
    struct diag diag = {0};
    struct slot *s = calloc(1, sizeof *s);
    CHECK(s != NULL, MEMORY);
    (void)strncpy(s->name, name, sizeof s->name - 1);
    s->version = version;
    const struct status loaded = model_load(l->workspace, name, version, &diag, &s->model);
    const bool passing = loaded.code == STATUS_NOT_FOUND || loaded.code == STATUS_IO;
    if (passing && s->model == NULL) {
        free(s);
        return loaded;
    }
    if (!status_ok(loaded)) {
        char text[1024];
        diag_describe(&diag, loaded, text, sizeof text);
        log_event(LOG_ERROR, "model.refused", "model=%s version=%llu reason=\"%s\"", name,
                  (unsigned long long)version, text);
    } else {
        log_event(LOG_INFO, "model.loaded", "model=%s version=%llu", name,
                  (unsigned long long)version);
    }
    s->next = l->slots;
    l->slots = s;
    *ret_slot = s;
    return OK;
}

static struct status
refresh_one(void *ctx, const char *name, uint64_t version)
{
    struct live *l = ctx;
    struct slot *old = find(l, name, 0), *fresh = find(l, name, version);
    if (old != NULL && old->version == version) {
        return OK;
    }
    if (fresh == NULL) {
        TRY(add_slot(l, name, version, &fresh));
    }
    if (old != NULL) {
        old->newest = false;
    }
    fresh->newest = true;
    return OK;
}

/* Frees versions that are neither newest nor in use, when there are many. */
static void
prune(struct live *l)
{
    unsigned kept = 0;
    for (struct slot **at = &l->slots; *at != NULL;) {
        struct slot *s = *at;
        const bool idle = !s->newest && s->references == 0;
        if (idle && ++kept > OLD_VERSIONS_MAX) {
            *at = s->next;
            slot_free(s);
        } else {
            at = &s->next;
        }
    }
}

static void
refresh(struct live *l)
{
    const int64_t now = clock_mono_ns();
    if (l->suspended || now - l->checked_ns < REFRESH_NS) {
        return;
    }
    l->checked_ns = now;
    const uint64_t change = store_change(l->workspace->store);
    if (change == l->change) {
        return;
    }
    const struct status s = model_each(l->workspace, refresh_one, l);
    if (status_ok(s)) {
        l->change = change;
    } else {
        log_event(LOG_ERROR, "registry.unreadable", "reason=%s", status_word(s.code));
    }
    prune(l);
}

struct status
live_open(struct workspace *w, struct live **ret_live)
{
    struct live *l = calloc(1, sizeof *l);
    CHECK(l != NULL, MEMORY);
    l->workspace = w;
    if (pthread_mutex_init(&l->lock, NULL) != 0) {
        free(l);
        FAIL(MEMORY);
    }
    l->change = UINT64_MAX;
    l->checked_ns = -REFRESH_NS;
    refresh(l);
    *ret_live = l;
    return OK;
}

void
live_free(struct live *l)
{
    if (l == NULL) {
        return;
    }
    while (l->slots != NULL) {
        struct slot *s = l->slots;
        l->slots = s->next;
        slot_free(s);
    }
    (void)pthread_mutex_destroy(&l->lock);
    free(l);
}

static struct status
take_locked(struct live *l, const char *name, uint64_t version, const struct model **ret_model)
{
    CHECK(!l->suspended, DENIED);
    refresh(l);
    struct slot *s = find(l, name, version);
    /* Versions are looked for only of models that there are: strangers' names cost no disk. */
    if (s == NULL && version != 0 && find(l, name, 0) != NULL &&
        version < find(l, name, 0)->version) {
        TRY(add_slot(l, name, version, &s));
    }
    CHECK(s != NULL, NOT_FOUND);
    CHECK(s->model != NULL, INTEGRITY);
    s->references++;
    *ret_model = s->model;
    prune(l);
    return OK;
}

struct status
live_take(struct live *l, const char *name, uint64_t version, const struct model **ret_model)
{
    (void)pthread_mutex_lock(&l->lock);
    const struct status s = take_locked(l, name, version, ret_model);
    (void)pthread_mutex_unlock(&l->lock);
    return s;
}

/* Under the lock; the caller has a reference. */
static struct slot *
slot_of(const struct live *l, const struct model *m)
{
    struct slot *s = l->slots;
    while (s->model != m) {
        s = s->next;
    }
    return s;
}

/* It is made without the lock, since calls to others should not wait; of two that were made at once
 * the second is not kept. */
struct status
live_attribution(struct live *l, const struct model *m, const struct attribution **ret_attribution)
{
    DEFER(attribution_freep) struct attribution *fresh = NULL;
    (void)pthread_mutex_lock(&l->lock);
    struct slot *s = slot_of(l, m);
    const bool made = s->attribution != NULL;
    (void)pthread_mutex_unlock(&l->lock);
    if (!made) {
        TRY(contributions_new(m, &fresh));
    }
    (void)pthread_mutex_lock(&l->lock);
    if (s->attribution == NULL) {
        s->attribution = MOVE(fresh);
    }
    *ret_attribution = s->attribution;
    (void)pthread_mutex_unlock(&l->lock);
    return OK;
}

static void
free_dropped(struct live *l)
{
    if (!l->dropped) {
        return;
    }
    l->dropped = false;
    for (struct slot **at = &l->slots; *at != NULL;) {
        struct slot *s = *at;
        if (s->dropped && s->references == 0) {
            *at = s->next;
            slot_free(s);
        } else {
            l->dropped = l->dropped || s->dropped;
            at = &s->next;
        }
    }
}

void
live_give_back(struct live *l, const struct model *m)
{
    (void)pthread_mutex_lock(&l->lock);
    for (struct slot *s = l->slots; s != NULL; s = s->next) {
        if (s->model == m) {
            s->references--;
        }
    }
    free_dropped(l);
    (void)pthread_mutex_unlock(&l->lock);
}

void
live_suspend(struct live *l)
{
    (void)pthread_mutex_lock(&l->lock);
    l->suspended = true;
    for (struct slot *s = l->slots; s != NULL; s = s->next) {
        s->newest = false;
        s->dropped = true;
    }
    l->dropped = true;
    free_dropped(l);
    (void)pthread_mutex_unlock(&l->lock);
}

void
live_resume(struct live *l)
{
    (void)pthread_mutex_lock(&l->lock);
    l->suspended = false;
    l->change = UINT64_MAX;
    l->checked_ns = clock_mono_ns() - REFRESH_NS;
    refresh(l);
    (void)pthread_mutex_unlock(&l->lock);
}

bool
live_ready(struct live *l)
{
    (void)pthread_mutex_lock(&l->lock);
    refresh(l);
    bool ready = !l->suspended;
    for (const struct slot *s = l->slots; s != NULL; s = s->next) {
        ready = ready && (!s->newest || s->model != NULL);
    }
    (void)pthread_mutex_unlock(&l->lock);
    return ready;
}

unsigned
live_count(struct live *l)
{
    unsigned n = 0;
    (void)pthread_mutex_lock(&l->lock);
    for (const struct slot *s = l->slots; s != NULL; s = s->next) {
        n += s->newest && s->model != NULL;
    }
    (void)pthread_mutex_unlock(&l->lock);
    return n;
}
