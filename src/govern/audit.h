/* audit: the tamper-evident log: a Merkle tree (RFC 6962, SHA-256) under dir/, which C2SP
 * tlog-tiles has as tiles, with checkpoints signed by Ed25519 (signed-note), and a journal that
 * makes entries durable before they are integrated.
 *
 * An entry is one JSON object (docs/spec/audit-entry.md), at most AUDIT_MAX_ENTRY bytes. Several
 * processes may append: each batch takes a file lock and first catches up with what others wrote.
 * Group commit: submit queues, one committer thread writes what is queued and syncs once; fate says
 * what became of an entry; subscribed eventfds are written once a batch. Tiles and a checkpoint are
 * published at most `publish_ns` later, and at close. */
#ifndef STEWARD_GOVERN_AUDIT_H
#define STEWARD_GOVERN_AUDIT_H

#include "base/digest.h"

#define AUDIT_MAX_ENTRY 65535u

/* The actions of the log's own entries. */
#define AUDIT_GAP "audit.gap"       /* so many entries could not be written; they were refused */
#define AUDIT_REPAIR "audit.repair" /* a crash left an unfinished write; its bytes were kept */

struct audit;

struct audit_signer {
    const char *origin; /* key name: the log's origin */
    uint8_t public_key[32];
    /* Thread-safe. */
    struct status (*sign)(void *ctx, struct view message, uint8_t ret_signature[static 64]);
    void *ctx;
};

struct audit_options {
    struct audit_signer signer;
    int64_t publish_ns; /* 0: 1 s */
    size_t queue_max;   /* entries waiting; submit is STATUS_BUSY over it. 0: 65536 */
};

struct status audit_open(const char *dir, const struct audit_options *o, struct diag *diag,
                         struct audit **ret_audit);
/* Commits what is queued, publishes, releases. A failure is that of the last commit or publication:
 * what was durable before stays so, and is published by whoever opens the log next. */
struct status audit_close(struct audit *a, struct diag *diag);
/* Queues; ret_ticket is this process's running number, starting at 1. Copies the entry. It is
 * written when it is asked for: by audit_hasten, by the next submit, or by close. */
struct status audit_queue(struct audit *a, struct view entry, uint64_t *ret_ticket);
void audit_hasten(struct audit *a); /* all that is queued becomes one batch, now */
/* Both. */
struct status audit_submit(struct audit *a, struct view entry, uint64_t *ret_ticket);
/* What became of a ticket: to be asked before a response leaves. Lock-free unless something has
 * failed. */
enum audit_fate { AUDIT_WAITING, AUDIT_DURABLE, AUDIT_FAILED };
enum audit_fate audit_fate(const struct audit *a, uint64_t ticket);
/* Which entry of the log a durable ticket became. False: that is not known any more, since other
 * processes have written between hundreds of batches since. Lock-free for the newest ones. */
bool audit_index(const struct audit *a, uint64_t ticket, uint64_t *ret_index);
/* Asks that a checkpoint over the first `size` entries, which are durable, be signed now and not
 * when its time has come; and whether there is one: failed while publishing fails. The subscribed
 * eventfds are written when that changes. */
void audit_cover(struct audit *a, uint64_t size);
enum audit_fate audit_covered(const struct audit *a, uint64_t size);
/* OK, or why the newest commit or publication failed (full disk). The entries of a commit that
 * failed are dropped; about once a second it is tried to write an entry "audit.gap" that says how
 * many those were, and with that, or the next commit, the log is healthy again. */
struct status audit_health(const struct audit *a);
/* The descriptor must stay open until audit_close. At most 64. */
struct status audit_subscribe(struct audit *a, int event_fd);
void audit_unsubscribe(struct audit *a, int event_fd); /* before it is closed */
/* submit and wait: for the command line. */
struct status audit_append(struct audit *a, struct view entry, struct diag *diag);
/* And which entry of the log it became. */
struct status audit_append_at(struct audit *a, struct view entry, struct diag *diag,
                              uint64_t *ret_index);
/* A signed checkpoint over all that is durable in the whole log now. */
struct status audit_publish(struct audit *a, struct diag *diag);
uint64_t audit_size(const struct audit *a);      /* entries durable in the whole log */
uint64_t audit_published(const struct audit *a); /* of them, those under a checkpoint of ours */

/* The actions of alerts (docs/spec/alert.md). */
#define AUDIT_ALERT_RAISE "alert.raise"
#define AUDIT_ALERT_CLEAR "alert.clear"

/* What an alert is about. */
struct audit_alert {
    const char *severity; /* "low", "medium", "high" */
    const char *policy, *policy_version;
    const char *subject; /* "server/server"; NULL: several */
};

/* What a check of a call's content found; rule is what the check calls it. */
struct audit_guard {
    const char *guard, *verdict, *rule; /* "input", "refused", "unknown category"; no content */
};

/* The entry everybody writes, in one place so that its fields and their order are one. Unset
 * strings are NULL. */
struct audit_event {
    int64_t time_ns;
    const char *id;        /* call id, unique */
    const char *principal; /* NULL: nobody known */
    /* How that was proved: "api-key ID", "token ISSUER KID", "certificate SHA256", "session api-key
     * ID", "command-line". */
    const char *authenticated_by;
    const char *action;     /* "model.infer" */
    const char *resource;   /* "models/mortgage" */
    const char *model;      /* name of the model that answered, or that the act is about */
    uint64_t model_version; /* 0: none */
    const struct digest *model_digest;
    bool allow;
    const char *rule;                /* that decided; NULL: nothing was to be decided, or not yet */
    const char *rules;               /* the version of the rules then (access.h) */
    const struct audit_guard *guard; /* NULL: none has refused it */
    const char *output;  /* what left of a model's outputs: "class"; NULL: all, or no call */
    int http_status;     /* 0 for administrative acts */
    const char *reason;  /* what was done, or why it was refused */
    const char *purpose; /* that the caller stated */
    const char *address; /* peer */
    const struct digest *request, *response;
    const struct digest *explanation; /* of the part of the response that explains; NULL: none */
    const char *capture; /* of the bodies: the sealed object's name, or "failed"; NULL: none */
    int64_t duration_ns;
    uint64_t rows;                                           /* 0: none */
    uint64_t prompt_tokens, completion_tokens, total_tokens; /* 0: not told */
    const struct audit_alert *alert;                         /* NULL: it is none */
    const char *quotas; /* the counts it was counted in, each with its line break; NULL: none */
};
void audit_event_put(const struct audit_event *e, struct buf *ret_entry);
/* Whether the entry raises or clears an alert; entries of ours only. */
bool audit_event_is_alert(struct view entry);
/* When it began, out of an entry of any version of the schema; false: it does not say. */
bool audit_event_time(struct view entry, int64_t *ret_wall_ns);

/* Reading; need no key but the public one (vkey "origin+hash+base64"), so that a third party can
 * run them. */
struct audit_fault {
    char text[512]; /* file, byte offset, what is wrong */
};
/* What a verification has seen of a log up to its checkpoint. Who verifies keeps it, out of the
 * reach of who writes the log, and begins there the next time. */
struct audit_seen {
    uint64_t size; /* 0: nothing */
    struct digest root;
    int64_t last_end_ns; /* of the last entry that tells its time; wall */
    uint64_t clock_back, first_clock_back, gaps, repairs;
};
struct audit_report {
    uint64_t entries; /* under the checkpoint */
    uint64_t from;    /* of them, the first that was read; the ones before were seen earlier */
    uint64_t pending; /* durable in the journal, not yet under a checkpoint */
    struct digest root;
    char origin[256];
    /* Entries that ended (time + duration_ns) more than a second before the entry before them did:
     * the clock was set back, or two machines' clocks differ. */
    uint64_t clock_back;
    uint64_t first_clock_back; /* index of the first of them */
    uint64_t gaps;             /* entries "audit.gap" */
    uint64_t repairs;          /* entries "audit.repair" */
};
/* Recomputes every entry hash, tile and the root, checks the signature; the first bad byte goes to
 * ret_fault. vkey NULL: dir/vkey is used. */
struct status audit_verify(const char *dir, const char *vkey, struct audit_fault *ret_fault,
                           struct audit_report *ret_report);
/* The same for what was added since `seen`, read from the bundle on in which that ended; that the
 * log begins with what was seen follows from the entries between, and the tiles' hashes of those
 * before. full: everything is read, and that is checked besides. ret_seen: for the next time;
 * ret_note: the signed checkpoint, verbatim. */
struct status audit_verify_since(const char *dir, const char *vkey, const struct audit_seen *seen,
                                 bool full, struct audit_fault *ret_fault,
                                 struct audit_report *ret_report, struct audit_seen *ret_seen,
                                 struct buf *ret_note);
/* The verifier key that audit_verify would use, as note_put_vkey writes it. */
struct status audit_vkey(const char *dir, const char *vkey, struct diag *diag,
                         struct buf *ret_vkey);
/* Entries [from, to) in order (journal included). */
struct status audit_each(const char *dir, uint64_t from, uint64_t to,
                         struct status (*each)(void *ctx, uint64_t index, struct view entry),
                         void *ctx, struct diag *diag);
/* Writes the log's tiles, bundles, checkpoint and vkey into the folder `to`, each as a file under
 * its path in C2SP tlog-tiles: for a web server, or whoever reads that. Tiles that are there stay
 * as they are, so that a copy is brought up to date by the same. STATUS_EXISTS where `to` is a log
 * that is written, or the copy of another one. ret_entries: under the checkpoint. */
struct status audit_copy(const char *dir, const char *to, struct diag *diag, uint64_t *ret_entries);
struct status audit_count(const char *dir, uint64_t *ret_entries, struct diag *diag);
/* A receipt: c2sp.org/tlog-proof@v1 for entry index: the entry (as extra data), inclusion proof and
 * checkpoint; and the entry besides (ret_entry may be NULL). Reads no journal: STATUS_NOT_FOUND
 * when no checkpoint covers the entry. */
struct status audit_prove(const char *dir, uint64_t index, struct buf *ret_entry,
                          struct buf *ret_proof, struct diag *diag);
/* Checks such a proof for an entry against a vkey: STATUS_INTEGRITY with the reason. */
struct status audit_check_proof(const char *vkey, struct view entry, struct view proof,
                                struct diag *diag);
/* Which entry a receipt is of, and the bytes of the entry in it: what somebody says, until
 * audit_check_proof has held the one against the other. STATUS_INPUT when there is none in it. */
struct status audit_receipt_entry(struct view receipt, struct diag *diag, uint64_t *ret_index,
                                  struct buf *ret_entry);

#endif
