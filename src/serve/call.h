/* call: one request on its way through the table of stages (docs: DESIGN's "a call's way"): admit,
 * authenticate, authorise, inspect, act, record. Each stage says go on, or gives a verdict with its
 * reason; a failure inside a stage denies. */
#ifndef STEWARD_SERVE_CALL_H
#define STEWARD_SERVE_CALL_H

#include "base/digest.h"
#include "govern/audit.h"
#include "serve/http.h"
#include "serve/infer.h"
#include "serve/key_watch.h"
#include "serve/live.h"
#include "serve/meter.h"
#include "serve/metrics.h"
#include "serve/policy_watch.h"
#include "serve/quotas.h"
#include "serve/reads.h"
#include "serve/series.h"
#include "serve/server.h"
#include "serve/tend.h"
#include "serve/usages.h"

#include <pthread.h>

struct call;

/* One row of the routes: method, path with {name}, {version}, {index} and, last, {rest} (one or
 * more segments), who may. */
struct route {
    const char *method, *path;
    bool open; /* no key needed, no entry written: health */
    enum access_action action;
    const char *resource;            /* "models/{name}" */
    void (*inspect)(struct call *c); /* may be NULL */
    void (*act)(struct call *c);
    /* Where there are several listeners; the console's are its own in any case. */
    enum { SIDE_DATA, SIDE_MANAGEMENT, SIDE_BOTH, SIDE_CONSOLE } side;
    /* Of the audit log: allowed ones are counted, and one a minute of a principal is recorded. */
    enum { LOG_NO_READ, LOG_CHECKPOINT, LOG_TILES, LOG_ENTRIES, LOG_RECEIPTS } read;
    bool own; /* also what the caller has made itself, unless that is denied: act looks */
    /* Of the console: whoever is signed in may, and what is shown is decided part by part; what the
     * log calls it. NULL: the action decides. */
    const char *signed_in;
    bool open_inside; /* open, but to whom the management listener lets in alone */
};

/* What a path has for the places of its shape. */
struct route_place {
    char name[64]; /* "" without */
    uint64_t version, index;
};

/* A ticket of this kind is settled when a checkpoint covers as many entries as its other bits say,
 * or publishing has failed. */
#define SERVER_COVER_TICKET (UINT64_C(1) << 63)
/* One of this kind when the question about usage that its other bits number is answered. */
#define SERVER_USAGE_TICKET (UINT64_C(1) << 62)

struct server {
    struct workspace *workspace;
    struct server_options options;
    struct live *live;
    struct metrics metrics;
    struct series *series;
    struct quotas *quotas;
    struct usages *usages;
    char *log_dir;
    struct meter *refusals;
    struct reads *reads;
    _Atomic int64_t warned_ns; /* of refusals that were dropped */
    struct http_server *http;
    pthread_rwlock_t ingress_lock;
    struct ingress ingress[HTTP_LISTENERS];
    struct tend *tend;
    struct witnesses *witnesses; /* NULL: there are none */
    struct capture *capture;     /* NULL: nothing is captured */
    struct key_watch *key_watch; /* NULL: nobody watches */
    struct policy_watch *policy_watch;
    struct sessions *sessions; /* of the console */
    _Atomic int64_t certificate_ends_s;
    int lock_fd;
    int64_t started_ns;
};

struct call {
    struct server *server;
    struct http_exchange *x;
    const struct route *route;
    struct route_place at; /* of the path: the model's name */
    char id[33];
    struct access_caller caller;  /* principal "" until authenticated */
    char proof[ACCESS_PROOF_MAX]; /* how that was proved */
    bool certificate;             /* one of its own came with it */
    struct access_decision decision;
    const char *purpose; /* that is stated; NULL: none, or none that is read yet */
    char resource[96];
    char reason[160];
    bool decided;      /* an answer stands; the stages that answer are passed over */
    bool reads_log;    /* and may */
    bool own_only;     /* may have what it has made itself */
    bool parked;       /* waits in the middle of the stages for x->ticket */
    bool parked_once;  /* has done so */
    size_t stage;      /* that is run again then */
    uint64_t question; /* about usage: its wait for the answer; 0: none */
    bool allow;
    const struct model *model; /* a reference; given back when the call is recorded */
    uint64_t model_version;
    struct digest model_digest; /* valid when model_version > 0 */
    struct infer_request infer;
    uint64_t rows; /* predicted */
    /* Of a model that reads and writes text: its act sets them. 0: it told none, as every model
     * that this version serves. */
    uint64_t prompt_tokens, completion_tokens;
    struct audit_guard guard;     /* guard NULL: none has refused it */
    struct quotas_charge *charge; /* NULL: counted in no quota */
    double *out;
    bool explained; /* contributions are in the answer */
    struct digest explanation;
};

/* The stages that need the head only, before a long body is read. False: the call is refused and
 * recorded, and its answer stands. */
bool call_head(struct server *s, struct http_exchange *x);
/* The whole way of a call. */
void call_run(struct server *s, struct http_exchange *x);
/* A request that http refused before it was a call: recorded all the same. */
void call_refused(struct server *s, struct http_exchange *x, const char *reason);
/* The answer was handed to the socket, or the client left: counted as what it came to. */
void call_done(struct server *s, struct http_exchange *x);
/* Its ticket is settled: the answer may leave with what follows from that; or, false, a call that
 * was parked has gone on and waits for another one. */
bool call_settled(struct server *s, struct http_exchange *x);
/* For a stage: it is run again when that ticket is settled. */
void call_park(struct call *c, uint64_t ticket);
/* The names of the stages, in their order. */
size_t call_stages(const char *ret_names[static METRICS_STAGES]);
/* A verdict: status and the sentence that the client sees; reason is what the log keeps. */
void call_refuse(struct call *c, unsigned status, const char *client, const char *reason);
/* And which check of the call's content it was; both texts last as long as the call. */
void call_refuse_by(struct call *c, const char *guard, const char *rule, unsigned status,
                    const char *client, const char *reason);

/* Why a key or certificate is not taken, or has to wait; the answer is what is asked for then. */
void call_refuse_sign_in(struct call *c, struct status s, const struct access_sign_in *in,
                         const char *wanted);
/* What was decided on. */
struct access_request call_request(const struct call *c);

/* routes.c. NULL: none; ret_other_method, when not NULL then: the path is asked with that one. */
const struct route *route_find(const char *method, const char *path, struct route_place *ret_place,
                               const char **ret_other_method);

#endif
