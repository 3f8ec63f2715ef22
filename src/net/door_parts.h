/* door_parts: one passage through the door, for the files that open it. */
#ifndef STEWARD_NET_DOOR_PARTS_H
#define STEWARD_NET_DOOR_PARTS_H

#include "net/door.h"
#include "net/resolve.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdatomic.h>

#define DOOR_MOST_IDLE 64u
#define DOOR_MOST_PINS 64u

/* A name's checked addresses. */
struct pin {
    char host[URL_MOST_HOST + 1];
    uint16_t port;
    int64_t until_ns;
    size_t count;
    struct address address[RESOLVE_MOST];
};

struct idle {
    CURL *handle;
    const char *purpose;
};

struct door {
    pthread_rwlock_t rules_lock;
    struct egress *rules;
    _Atomic uint64_t generation; /* of the rules */
    struct door_hook hook;
    pthread_mutex_t lock; /* of what follows */
    struct idle idle[DOOR_MOST_IDLE];
    size_t idles;
    struct pin *pin; /* DOOR_MOST_PINS, the oldest replaced */
    size_t next_pin;
};

/* One request on its way. */
struct passage {
    struct door *door;
    const struct door_request *request;
    struct url url;
    struct pin pin; /* where it may go */
    struct door_answer *answer;
    int64_t until_ns;
    size_t head_bytes;
    uint64_t generation; /* under which it was last found allowed */
    bool strayed;        /* libcurl asked for another address */
    bool revoked;        /* the rules changed under it */
    CURL *handle;
    struct curl_slist *headers, *pins;
    char said[CURL_ERROR_SIZE];
};

/* Told, and DENIED with a sentence. */
struct status door_refuse(const struct passage *p, const char *address, const char *reason,
                          struct diag *diag);
/* The rules, then the addresses, each checked: p->pin. door, request, url and until_ns stand. */
struct status door_find_way(struct passage *p, struct diag *diag);
bool door_is_pinned(const struct passage *p, const struct sockaddr *address);

#endif
