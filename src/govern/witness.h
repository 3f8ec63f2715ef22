/* witness: a witness of logs (C2SP tlog-witness): remembers the last size and root of each log that
 * it knows, and cosigns a checkpoint only when its tree goes on from there. Folder, formats and
 * crash argument: docs/spec/witness.md. One process has a folder at a time. */
#ifndef STEWARD_GOVERN_WITNESS_H
#define STEWARD_GOVERN_WITNESS_H

#include "govern/merkle.h"
#include "govern/note.h"

#define WITNESS_LOGS 256u
#define WITNESS_PATH_MAX 63u                   /* hashes of a consistency proof in a request */
#define WITNESS_REQUEST_MAX (NOTE_MAX + 4096u) /* bytes of one */

/* ---- a request ---- */

struct witness_request {
    uint64_t old;
    struct digest path[WITNESS_PATH_MAX];
    size_t n;
    struct view note; /* borrowed */
};
/* "old N", hashes, an empty line, the checkpoint's note, which is not looked at. STATUS_INPUT with
 * "line N: why". Untrusted; fuzzed. */
struct status witness_parse_request(struct view body, struct diag *diag,
                                    struct witness_request *ret_request);
void witness_put_request(struct buf *b, const struct witness_request *q);

/* ---- its folder and key ---- */

/* A new folder with a new key of that name and type, of cosignatures. STATUS_EXISTS when it has
 * one; UNSUPPORTED as witness_key_make. */
struct status witness_make(const char *dir, enum note_type type, const char *name,
                           struct diag *diag, struct note_key *ret_key);

struct witness;
/* The log's keys that it knows: a log's name is its origin; one may have several. Takes the
 * folder's lock: STATUS_BUSY when another process has it; STATUS_INTEGRITY when what it remembers
 * is damaged or of no key among these. */
struct status witness_open(const char *dir, const struct note_key *logs, size_t n,
                           struct diag *diag, struct witness **ret_witness);
void witness_free(struct witness *w);
DEFINE_FREEP(witness_free, struct witness)
const struct note_key *witness_key(const struct witness *w);

/* ---- its answers: thread-safe ---- */

struct witness_answer {
    unsigned status;  /* of HTTP */
    const char *type; /* of the content */
    struct buf body;  /* the caller's */
    /* What was asked, for the caller's log; "" and 0 until it is known. */
    char origin[NOTE_NAME_MAX + 1];
    uint64_t size, known;
};
/* add-checkpoint: 200 with a cosignature line, or 400, 403, 404, 409, 422, 500 with a sentence
 * (409: the size). What is cosigned is durable before. */
void witness_add(struct witness *w, struct view body, struct witness_answer *ret_answer);
/* The newest checkpoint that it has cosigned of the log with that lower-hex SHA-256 of its origin,
 * with the log's signatures and its own. 404. */
void witness_read(struct witness *w, struct view origin_hash, struct witness_answer *ret_answer);

#endif
