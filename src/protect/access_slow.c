#include "protect/access_slow.h"

#include "base/clock.h"
#include "base/random.h"

#include <pthread.h>

#define SETS 4096u
#define WAYS 4u

struct count {
    uint64_t pair;                         /* 0: free */
    int64_t failed_ns, until_ns, tries_ns; /* tries since then */
    uint32_t failures, tries;
};

struct slow {
    pthread_mutex_t lock;
    uint64_t salt[2]; /* nobody chooses with whom he shares a set */
    struct count counts[SETS][WAYS];
};

struct slow *
slow_new(void)
{
    struct slow *s = calloc(1, sizeof *s);
    if (s == NULL || pthread_mutex_init(&s->lock, NULL) != 0) {
        free(s);
        return NULL;
    }
    random_bytes(s->salt, sizeof s->salt);
    return s;
}

void
slow_free(struct slow *s)
{
    if (s != NULL) {
        (void)pthread_mutex_destroy(&s->lock);
        free(s);
    }
}

/* whole: of the address as such. A multiplication for each eight bytes, under two numbers that
 * nobody outside knows: cheap, since every call comes this way. */
static uint64_t
pair_of(const struct slow *s, uint64_t peer, struct view id, bool whole)
{
    uint64_t h = (peer ^ s->salt[0]) * (s->salt[1] | 1);
    for (size_t i = 0; !whole && i < id.len; i += 8) {
        uint64_t part = 0;
        memcpy(&part, id.ptr + i, id.len - i < 8 ? id.len - i : 8);
        h = (h ^ h >> 32 ^ part) * (s->salt[1] | 1);
    }
    h = (h ^ h >> 29 ^ (whole ? 1 : 2 + (uint64_t)id.len)) * UINT64_C(0xbf58476d1ce4e5b9);
    h ^= h >> 32;
    return h == 0 ? 1 : h;
}

static struct count *
find(struct slow *s, uint64_t pair, int64_t now_ns)
{
    struct count *set = s->counts[pair % SETS];
    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].pair == pair) {
            if (now_ns - set[i].failed_ns > (int64_t)SLOW_FORGET_S * NS_PER_S) {
                set[i] = (struct count){0};
                return NULL;
            }
            return &set[i];
        }
    }
    return NULL;
}

static struct count *
find_or_make(struct slow *s, uint64_t pair, int64_t now_ns)
{
    struct count *found = find(s, pair, now_ns), *set = s->counts[pair % SETS];
    for (size_t i = 0; found == NULL && i < WAYS; i++) {
        found = set[i].pair == 0 ? &set[i] : NULL;
    }
    if (found == NULL) {
        found = &set[0];
        for (size_t i = 1; i < WAYS; i++) {
            found = set[i].failed_ns < found->failed_ns ? &set[i] : found;
        }
        *found = (struct count){0};
    }
    found->pair = pair;
    return found;
}

static unsigned
left_s(const struct count *c, int64_t now_ns)
{
    return c == NULL || c->until_ns <= now_ns
               ? 0
               : (unsigned)((c->until_ns - now_ns + NS_PER_S - 1) / NS_PER_S);
}

static unsigned
count_one(struct count *c, unsigned free_ones, int64_t now_ns)
{
    c->failures += c->failures < UINT32_MAX;
    c->failed_ns = now_ns;
    if (c->failures <= free_ones) {
        return 0;
    }
    const unsigned doublings = c->failures - free_ones - 1;
    const unsigned wait = doublings >= 6 ? SLOW_MOST_S : 1u << doublings;
    c->until_ns = now_ns + (int64_t)wait * NS_PER_S;
    return wait;
}

static bool
take_try(struct count *c, int64_t now_ns)
{
    if (now_ns - c->tries_ns >= NS_PER_S) {
        c->tries_ns = now_ns;
        c->tries = 0;
    }
    c->tries += c->tries <= SLOW_TRIES;
    return c->tries <= SLOW_TRIES;
}

unsigned
slow_wait_s(struct slow *s, uint64_t peer, struct view id, int64_t now_ns, bool *ret_known)
{
    const uint64_t pair = pair_of(s, peer, id, false);
    (void)pthread_mutex_lock(&s->lock);
    struct count *c = find(s, pair, now_ns);
    unsigned wait = left_s(c, now_ns);
    wait = wait > 0 && take_try(c, now_ns) ? 0 : wait;
    *ret_known = c != NULL;
    (void)pthread_mutex_unlock(&s->lock);
    return wait;
}

unsigned
slow_failed(struct slow *s, uint64_t peer, struct view id, int64_t now_ns)
{
    const uint64_t pair = pair_of(s, peer, id, false), whole = pair_of(s, peer, id, true);
    (void)pthread_mutex_lock(&s->lock);
    const unsigned own = count_one(find_or_make(s, pair, now_ns), SLOW_FREE, now_ns);
    const unsigned all = count_one(find_or_make(s, whole, now_ns), SLOW_FREE_ADDRESS, now_ns);
    (void)pthread_mutex_unlock(&s->lock);
    return own > all ? own : all;
}

void
slow_succeeded(struct slow *s, uint64_t peer, struct view id, int64_t now_ns)
{
    const uint64_t pair = pair_of(s, peer, id, false);
    (void)pthread_mutex_lock(&s->lock);
    struct count *c = find(s, pair, now_ns);
    if (c != NULL) {
        *c = (struct count){0};
    }
    (void)pthread_mutex_unlock(&s->lock);
}
