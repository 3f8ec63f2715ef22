#include "net/peers.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define PEERS_BUCKETS 4096u

struct peer {
    struct peer *next;
    uint64_t key;
    unsigned count;
};

struct peers {
    pthread_mutex_t lock;
    unsigned max;
    struct peer *buckets[PEERS_BUCKETS];
};

struct peers *
peers_new(unsigned max_per_address)
{
    struct peers *p = calloc(1, sizeof *p);
    if (p != NULL) {
        pthread_mutex_init(&p->lock, NULL);
        p->max = max_per_address;
    }
    return p;
}

void
peers_free(struct peers *p)
{
    for (size_t i = 0; p != NULL && i < PEERS_BUCKETS; i++) {
        while (p->buckets[i] != NULL) {
            struct peer *next = p->buckets[i]->next;
            free(p->buckets[i]);
            p->buckets[i] = next;
        }
    }
    if (p != NULL) {
        pthread_mutex_destroy(&p->lock);
    }
    free(p);
}

uint64_t
peers_key(const struct sockaddr *address)
{
    uint64_t key = 0;
    uint32_t v4 = 0;
    if (address->sa_family == AF_INET) {
        memcpy(&v4, &((const struct sockaddr_in *)(const void *)address)->sin_addr, sizeof v4);
        return v4;
    }
    if (address->sa_family == AF_INET6) {
        const struct in6_addr *a = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
        if (IN6_IS_ADDR_V4MAPPED(a)) {
            memcpy(&v4, a->s6_addr + 12, sizeof v4);
            return v4;
        }
        memcpy(&key, a->s6_addr, sizeof key);
        return key ^ UINT64_C(0x9e3779b97f4a7c15); /* apart from IPv4; ::1 has an all-zero /64 */
    }
    return key;
}

static struct peer **
find(struct peers *p, uint64_t key)
{
    const uint64_t mixed = (key ^ (key >> 29)) * UINT64_C(0xbf58476d1ce4e5b9);
    struct peer **slot = &p->buckets[(mixed >> 32) % PEERS_BUCKETS];
    while (*slot != NULL && (*slot)->key != key) {
        slot = &(*slot)->next;
    }
    return slot;
}

bool
peers_enter(struct peers *p, uint64_t key)
{
    bool ok = false;
    pthread_mutex_lock(&p->lock);
    struct peer **slot = find(p, key);
    if (*slot == NULL && (*slot = calloc(1, sizeof **slot)) != NULL) {
        (*slot)->key = key;
    }
    if (*slot != NULL && (*slot)->count < p->max) {
        (*slot)->count++;
        ok = true;
    }
    pthread_mutex_unlock(&p->lock);
    return ok;
}

void
peers_leave(struct peers *p, uint64_t key)
{
    pthread_mutex_lock(&p->lock);
    struct peer **slot = find(p, key);
    ASSERT(*slot != NULL && (*slot)->count > 0);
    struct peer *peer = *slot;
    if (--peer->count == 0) {
        *slot = peer->next;
        free(peer);
    }
    pthread_mutex_unlock(&p->lock);
}
