/* access_parts: what the sources of access share. The snapshot is all that a decision needs,
 * compiled: rules are found by tuple space search (Srinivasan, Suri, Varghese: Packet
 * classification using tuple space search, SIGCOMM 1999): the patterns of a holder have few shapes
 * (which segments are stars, how many there are), and for each shape the resource's segments are
 * one key of a hash table. */
#ifndef STEWARD_PROTECT_ACCESS_PARTS_H
#define STEWARD_PROTECT_ACCESS_PARTS_H

#include "base/digest.h"
#include "protect/access_issuer.h"
#include "protect/access_key.h"
#include "protect/access_roles.h"
#include "protect/access_slow.h"

#include <pthread.h>
#include <stdatomic.h>

/* Collections of the store. */
#define ACCESS_PRINCIPALS "principal"
#define ACCESS_GROUPS "group"
#define ACCESS_ROLES "role"
#define ACCESS_KEYS "key"
#define ACCESS_KEY_USES "key-use" /* id = the key's: {last_used}, exact to the hour */
#define ACCESS_ISSUERS "issuer"
#define ACCESS_LINKS "link"
#define ACCESS_KEY_PURPOSE "api-key"
#define ACCESS_RECORD_MAX (4u << 20)
#define ACCESS_SEGMENTS 64u /* of a resource: 127 letters have no more */

/* A grant's rule as it is tried: one of its role's rules on one pair of resources. */
struct access_rule {
    uint64_t key;             /* of holder and pattern */
    struct access_rule *next; /* in the bucket */
    uint32_t actions;
    uint32_t order; /* of the grant among all of its holder */
    bool deny, break_glass;
    const char *pattern;
    const char *second;                /* a further pattern that must match; NULL: none */
    const struct access_when *when[2]; /* the role's and the grant's */
    const struct access_rights *rights;
    const char *text;
};

struct access_shape {
    uint64_t stars; /* bit i: segment i is a star */
    uint8_t count;  /* segments before the rest */
    bool rest;      /* ends in "**" */
};

struct access_holder {
    const char *name;
    bool group;
    uint32_t id;
    const struct access_holder *next; /* in the bucket of names */
    struct access_shape *shapes;
    size_t shape_count, shape_room;
    const struct access_holder **groups; /* of a principal */
    size_t group_count, group_room;
    uint32_t grants;
};

struct access_key_row {
    char id[ACCESS_KEY_ID_LETTERS + 1], principal[ACCESS_NAME_MAX];
    uint8_t mac[32];
    int64_t expires_ns;
    bool revoked;
    _Atomic int64_t used_ns; /* last, in this process; 0: not */
    int64_t noted_ns;        /* last use that the store has */
};

struct access_link {
    const char *identity;
    char principal[ACCESS_NAME_MAX];
};

/* The rules that match a principal's action on a resource (conditions not looked at), found once:
 * the same few are asked again and again. Made when first asked, never changed, freed with the
 * snapshot; a place that another has is not taken from it. */
#define ACCESS_SLICES 1024u
#define ACCESS_SLICE_RULES 64u
struct access_slice {
    const struct access_holder *of;
    enum access_action action;
    char resource[96];
    size_t count;
    struct access_slice_rule {
        const struct access_holder *holder;
        const struct access_rule *rule;
    } rules[];
};

struct access_snapshot {
    _Atomic unsigned references;
    uint64_t change;
    char version[ACCESS_VERSION_MAX]; /* digest of what its rules are made of */
    struct arena *arena;
    const struct access_holder **names; /* hash table */
    size_t name_mask;
    struct access_rule **rules; /* hash table */
    size_t rule_mask, rule_count;
    struct access_key_row *keys; /* by id */
    size_t key_count;
    struct access_link *links; /* by identity */
    size_t link_count;
    struct access_issuer issuers[ACCESS_ISSUERS_MAX];
    size_t issuer_count;
    struct access_slice *_Atomic slices[ACCESS_SLICES];
};

/* What was found right: a credential's digest under a salt of this process, and what came of it.
 * Places are few: what comes later takes the place. */
#define ACCESS_KEY_MEMOS 4096u
#define ACCESS_TOKEN_MEMOS 1024u
struct access_key_memo {
    struct digest text;
    uint8_t mac[32];
    bool used;
};
struct access_token_memo {
    struct digest text;
    struct access_caller caller;
    char proof[ACCESS_PROOF_MAX];
    uint64_t change, keys; /* of the snapshot, and of the issuer's keys */
    int64_t from_ns, expires_ns;
    bool used;
};

/* Keys of an issuer that were fetched. */
struct access_key_set {
    _Atomic unsigned references;
    struct jwks *keys;
};
#define ACCESS_ISSUER_ID_BYTES 16u
struct access_fetched {
    char id[2 * ACCESS_ISSUER_ID_BYTES + 1]; /* the issuer's; "": free */
    struct access_key_set *set;              /* NULL: none yet */
    int64_t fetched_ns, tried_ns;
    bool tried, wanted;
};

struct access {
    struct store *store;
    const struct vault *vault;
    pthread_mutex_t lock;
    struct access_snapshot *current; /* NULL: unreadable, everything is denied */
    _Atomic bool tampered; /* unreadable because a record was changed: trying again is in vain */
    int64_t checked_ns;
    _Atomic bool stale; /* a change of our own: look at once */
    pthread_mutex_t memo_lock;
    struct access_key_memo *key_memo;     /* ACCESS_KEY_MEMOS */
    struct access_token_memo *token_memo; /* ACCESS_TOKEN_MEMOS */
    struct hmac_key memo_key;
    struct slow *slow;
    pthread_mutex_t fetched_lock;
    struct access_fetched fetched[ACCESS_ISSUERS_MAX];
    _Atomic uint64_t generation; /* of all fetched keys: another with each change */
    bool fetching;               /* there is a thread that fetches */
};

/* ---- snapshot ---- */

struct status access_snapshot_load(struct store *store, struct access_snapshot **ret_snapshot);
void access_snapshot_release(struct access_snapshot *s);
DEFINE_FREEP(access_snapshot_release, struct access_snapshot)
/* The current snapshot with a reference of the caller's; NULL: deny. */
struct access_snapshot *access_snapshot_take(struct access *a);
/* Our own change shows at once. Takes no lock: the caller may hold the store's, which a reader
 * waits for under ours. */
void access_snapshot_forget(struct access *a);
/* NULL: nobody of that name. */
const struct access_holder *access_holder_find(const struct access_snapshot *s, const char *name,
                                               bool group);

/* The principal that an identity is linked to; NULL: none. */
const char *access_link_find(const struct access_snapshot *s, const char *identity);

/* ---- keys that are fetched (access_fetch.c) ---- */

/* The keys that the issuer signs with now, with a reference of the caller's (the snapshot's own: no
 * reference, *ret_set NULL); NULL: none are here. */
const struct jwks *access_keys_take(struct access *a, const struct access_issuer *i,
                                    struct access_key_set **ret_set, uint64_t *ret_generation);
void access_key_set_release(struct access_key_set *s);
DEFINE_FREEP(access_key_set_release, struct access_key_set)
uint64_t access_keys_generation(const struct access *a);
/* A token names a key that is not there. True: they are fetched anew soon. */
bool access_keys_want(struct access *a, const struct access_issuer *i);
void access_fetched_done(struct access *a);

/* ---- rules ---- */

/* Where a request is at: its segments, hashed. */
struct access_path {
    const char *text;
    uint64_t segment[ACCESS_SEGMENTS];
    size_t count;
};
void access_path_of(const char *resource, struct access_path *ret_path);
uint64_t access_rule_key(uint32_t holder, const struct access_path *p,
                         const struct access_shape *shape);
/* The bucket in which rules of that key stand (among others), chained by next. */
const struct access_rule *access_rules_at(const struct access_snapshot *s, uint64_t key);
/* Calls each(ctx, holder, rule) with every rule of the caller's holders whose pattern and action
 * match; conditions are not looked at. */
void access_rules_each(struct access_snapshot *s, const struct access_request *q,
                       void (*each)(void *ctx, const struct access_holder *h,
                                    const struct access_rule *r),
                       void *ctx);

/* ---- records ---- */

struct status access_check_name(const char *name, const char *what, struct diag *diag);
struct status access_put_record(struct access *a, const char *collection, const char *id,
                                const json_t *o, uint64_t expect, struct diag *diag);
/* ret_revision may be NULL. */
struct status access_get_record(struct access *a, const char *collection, const char *id,
                                struct diag *diag, json_t **ret_object, uint64_t *ret_revision);
/* Ends a change that began with store_begin. */
struct status access_settle(struct access *a, struct status done, struct diag *diag);
/* STATUS_NOT_FOUND with a sentence. */
struct status access_need_principal(struct access *a, const char *name, struct diag *diag,
                                    json_t **ret_object, uint64_t *ret_revision);
/* Deletes the keys, or links, of a principal. */
struct status access_owned_remove(struct access *a, const char *collection, const char *principal,
                                  struct diag *diag);
/* Deletes the links of an issuer's subjects. */
struct status access_issuer_links_remove(struct access *a, const char *issuer, struct diag *diag);
/* A grant as a record has it, checked: the role exists, the pattern and the conditions are right.
 * when may be NULL. */
struct status access_make_grant(struct access *a, const char *role, const char *resource,
                                bool allow, const json_t *when, struct diag *diag,
                                json_t **ret_grant);
/* Of a collection whose ids are names and whose word is the kind's: "group", "issuer". */
struct status access_named_remove(struct access *a, const char *collection, const char *name,
                                  struct diag *diag);
/* For access_put_list: the record as it is, put behind a list. */
struct status access_append_record(void *ctx, const char *id, struct view value);
struct status access_put_list(struct access *a, const char *collection,
                              struct status (*append)(void *ctx, const char *id, struct view value),
                              struct buf *ret_json);

#endif
