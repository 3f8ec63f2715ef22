/* seal: one object in one file: AES-256-GCM in 64 KiB chunks, each bound to its place, whether it
 * is the last, and to the object's kind, name and version; one random data key an object, wrapped
 * by the workspace's key in the header. docs/spec/sealed.md. A truncated, extended, reordered,
 * swapped or flipped object is refused with the reason. */
#ifndef STEWARD_VAULT_SEAL_H
#define STEWARD_VAULT_SEAL_H

#include "vault/vault.h"

#define SEAL_CHUNK_BYTES 65536u

struct seal_id {
    const char *kind; /* "dataset", "model", "assessment" */
    const char *name;
    uint64_t version;
};

struct seal_writer;
/* Writes path atomically: nothing stands at path until finish has synced it; abandon removes the
 * partial file. */
struct status seal_writer_open(const struct vault *v, const char *path, struct seal_id id,
                               struct diag *diag, struct seal_writer **ret_writer);
struct status seal_writer_put(struct seal_writer *w, struct view plain, struct diag *diag);
struct status seal_writer_finish(struct seal_writer *w,
                                 struct diag *diag); /* frees w, also on failure */
void seal_writer_abandon(struct seal_writer *w);     /* frees w */
struct seal_reader;
struct status seal_reader_open(const struct vault *v, const char *path, struct seal_id id,
                               struct diag *diag, struct seal_reader **ret_reader);
/* Next verified plaintext, at most SEAL_CHUNK_BYTES, borrowed until the next call; empty at the
 * (verified) end. */
struct status seal_reader_next(struct seal_reader *r, struct diag *diag, struct view *ret_plain);
void seal_reader_free(struct seal_reader *r);
/* Whole objects. */
struct status seal_file(const struct vault *v, const char *path, struct seal_id id,
                        struct view plain, struct diag *diag);
struct status seal_open_file(const struct vault *v, const char *path, struct seal_id id, size_t max,
                             struct diag *diag, struct buf *ret_plain);

#endif
