#include "serve/meter.h"

#include "base/clock.h"
#include "base/random.h"

#include <pthread.h>
#include <stdlib.h>

#define PLACES 16384u
#define WINDOW_NS (60 * NS_PER_S)

struct meter {
    pthread_mutex_t lock;
    int64_t interval_ns; /* 0: no limit */
    uint64_t salt;
    int64_t full_until_ns[PLACES]; /* when the bucket will have run empty */
};

struct meter *
meter_new(unsigned per_minute)
{
    struct meter *m = calloc(1, sizeof *m);
    if (m == NULL || pthread_mutex_init(&m->lock, NULL) != 0) {
        free(m);
        return NULL;
    }
    m->interval_ns = per_minute == 0 ? 0 : WINDOW_NS / per_minute;
    random_bytes(&m->salt, sizeof m->salt);
    return m;
}

void
meter_free(struct meter *m)
{
    if (m != NULL) {
        (void)pthread_mutex_destroy(&m->lock);
        free(m);
    }
}

static enum meter_room
take(int64_t *full_until_ns, int64_t interval_ns, int64_t now_ns)
{
    const int64_t from = *full_until_ns > now_ns ? *full_until_ns : now_ns;
    const int64_t left = now_ns + WINDOW_NS - from - interval_ns;
    if (left < 0) {
        return METER_FULL;
    }
    *full_until_ns = from + interval_ns;
    return left < interval_ns ? METER_LAST : METER_ROOM;
}

enum meter_room
meter_take(struct meter *m, uint64_t peer, int64_t now_ns)
{
    if (m->interval_ns == 0) {
        return METER_ROOM;
    }
    uint64_t mixed = (peer ^ m->salt) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ mixed >> 31) * UINT64_C(0x94d049bb133111eb);
    (void)pthread_mutex_lock(&m->lock);
    const enum meter_room room =
        take(&m->full_until_ns[(mixed >> 32) % PLACES], m->interval_ns, now_ns);
    (void)pthread_mutex_unlock(&m->lock);
    return room;
}
