/* seal: one object in one file: AES-256-GCM in 64 KiB chunks, each bound to its place, whether it
 * is the last, and to the object's kind, name and version; one random data key an object, wrapped
 * by the workspace's key in the header (purpose "object/<kind>"). docs/spec/sealed.md. A truncated,
 * extended, reordered, swapped or flipped object is refused with the reason. */
#ifndef STEWARD_VAULT_SEAL_H
#define STEWARD_VAULT_SEAL_H

#include "vault/vault.h"

#define SEAL_CHUNK_BYTES 65536u

/* Which object it is: bound to its bytes, so that another's, or another version's, is refused. */
struct seal_id {
    const char *kind; /* "dataset", "model", "assessment"; a name as text_is_name has it */
    const char *name; /* likewise */
    uint64_t version;
};

struct seal_writer;
/* Writes path atomically: beside it until finish has synced it, then renamed; abandon removes the
 * partial file. What a killed process leaves is named "<path>.tmp-<16 hex>" and never read.
 * STATUS_INPUT for an id that is no name. */
struct status seal_writer_open(const struct vault *v, const char *path, struct seal_id id,
                               struct diag *diag, struct seal_writer **ret_writer);
/* The same behind `before`, open bytes at the file's beginning. Their digest should be in the id.
 */
struct status seal_writer_open_behind(const struct vault *v, const char *path, struct seal_id id,
                                      struct view before, struct diag *diag,
                                      struct seal_writer **ret_writer);
/* A failure stays: later puts and finish give it again. */
struct status seal_writer_put(struct seal_writer *w, struct view plain, struct diag *diag);
/* Frees w, also on failure; then what stood at path before still stands. */
struct status seal_writer_finish(struct seal_writer *w, struct diag *diag);
void seal_writer_abandon(struct seal_writer *w); /* frees w; of NULL is nothing */
DEFINE_FREEP(seal_writer_abandon, struct seal_writer)
struct seal_reader;
/* STATUS_INTEGRITY and the reason when it is no object of this vault under this id. */
struct status seal_reader_open(const struct vault *v, const char *path, struct seal_id id,
                               struct diag *diag, struct seal_reader **ret_reader);
/* The same of an object that begins after `before` bytes. */
struct status seal_reader_open_behind(const struct vault *v, const char *path, struct seal_id id,
                                      uint64_t before, struct diag *diag,
                                      struct seal_reader **ret_reader);
/* Next verified plaintext, at most SEAL_CHUNK_BYTES, borrowed until the next call; empty at the
 * (verified) end. Until then the reader of a stream must not take it for the whole: a cut shows at
 * the last chunk. */
struct status seal_reader_next(struct seal_reader *r, struct diag *diag, struct view *ret_plain);
/* Which key opened it, for whoever keeps account of keys. */
struct seal_key {
    uint32_t generation; /* of the workspace key that it is wrapped under */
    char id[VAULT_KEY_ID_MAX];
};
void seal_reader_key(const struct seal_reader *r, struct seal_key *ret_key);
/* All that has not been read yet, or nothing; more than max bytes is STATUS_LIMIT. */
struct status seal_reader_rest(struct seal_reader *r, size_t max, struct diag *diag,
                               struct buf *ret_plain);
void seal_reader_free(struct seal_reader *r);
DEFINE_FREEP(seal_reader_free, struct seal_reader)
/* Wraps the object's data key under the workspace key's newest generation, into the place of the
 * header that is not in use, and syncs; the chunks are not touched, and whoever reads at the same
 * time sees one place or the other. Nothing changes when it is already. A key that is cut off
 * half-way leaves the older place valid. */
struct status seal_rewrap(const struct vault *v, const char *path, struct seal_id id,
                          struct diag *diag, bool *ret_changed);
/* Whole objects. Opening gives all or nothing; more than max bytes of plaintext is STATUS_LIMIT. */
struct status seal_file(const struct vault *v, const char *path, struct seal_id id,
                        struct view plain, struct diag *diag);
/* The same, not synced: whole or not there, and a power cut may lose it. */
struct status seal_file_unsynced(const struct vault *v, const char *path, struct seal_id id,
                                 struct view plain, struct diag *diag);
/* Both places of the data key are overwritten and synced, under another name that begins with a dot
 * (what a killed process leaves there is destroyed again), and the file is removed: with no copy of
 * the places nobody opens its chunks, whatever the disk keeps of them. NOT_FOUND. */
struct status seal_destroy(const char *path, struct diag *diag);
struct status seal_open_file(const struct vault *v, const char *path, struct seal_id id, size_t max,
                             struct diag *diag, struct buf *ret_plain);

#endif
