/* tile: the tiles and entry bundles of C2SP tlog-tiles, their paths, and the files that hold them.
 *
 * A log's folder has them one after the other: `tree/hashes.<level>` all hashes of a level, 32
 * bytes each, so that tile N begins at byte 8192 N; `tree/entries` all bundles; `tree/ends` where
 * each full bundle ends in that, u64be. These files only grow. What stands behind the part that a
 * checkpoint covers means nothing yet.
 *
 * A folder without `tree/` may have a file for each tile, under the paths of the layout ("tile/0/
 * x001/234.p/5"): a copy taken over HTTP, a restored backup, a log of before. It is read as well; a
 * writer takes it over first. */
#ifndef STEWARD_GOVERN_TILE_H
#define STEWARD_GOVERN_TILE_H

#include "govern/merkle.h"

#define TILE_ENTRIES MERKLE_LEVELS /* the "level" of entry bundles */
#define TILE_PATH_MAX 96u
#define TILE_BYTES (MERKLE_WIDTH * DIGEST_BYTES)
#define TILE_BUNDLE_MAX (MERKLE_WIDTH * (2u + 65535u))

struct tile_id {
    unsigned level; /* 0..7, or TILE_ENTRIES */
    uint64_t index;
    unsigned width; /* 1..256; 256 is a full tile */
};

/* "tile/0/x001/234.p/5". */
void tile_put_path(const struct tile_id *id, char ret_path[static TILE_PATH_MAX]);
/* Only the one canonical spelling; STATUS_INPUT otherwise. */
struct status tile_parse_path(struct view path, struct tile_id *ret_id);
/* Hashes (or entries) that a level has in a tree of `size`. */
uint64_t tile_level_count(unsigned level, uint64_t size);
/* Index and width of the tile that holds hash (or entry) `at` of a level, in a tree of `size`. */
struct tile_id tile_holding(unsigned level, uint64_t at, uint64_t size);
/* Has a tree of `size` all that the tile is of? */
bool tile_is_within(const struct tile_id *id, uint64_t size);

/* Where a tile or bundle stands: for sentences. */
struct tile_place {
    char file[TILE_PATH_MAX]; /* relative to the log's folder */
    uint64_t at;              /* its first byte there */
};
/* As far as it can be told: where it should stand. */
void tile_find(const char *dir, const struct tile_id *id, struct tile_place *ret_place);
/* Exactly the bytes of that tile or bundle. Where they are not all there, or a bundle's lengths do
 * not add up, it is STATUS_INTEGRITY and the diag says "file: byte N: why"; a bundle's entries are
 * only counted, not hashed. */
struct status tile_read(const char *dir, const struct tile_id *id, struct diag *diag,
                        struct buf *ret_bytes);
/* Nothing checked, and perhaps more or less than it has; where a bundle ends, its entries tell. */
struct status tile_read_raw(const char *dir, const struct tile_id *id, struct diag *diag,
                            struct buf *ret_bytes);
/* Where bundle `index` begins in `tree/entries`, or will: those before it are full.
 * STATUS_INTEGRITY where that is not told, STATUS_NOT_FOUND without the file that tells. */
struct status tile_bundle_begins(const char *dir, uint64_t index, struct diag *diag,
                                 uint64_t *ret_at);
/* Next entry of a bundle: u16 length, entry. False at the end, or when cut short (then r->bad). */
bool tile_next_entry(struct reader *r, struct view *ret_entry);

/* Writing. Two writers may write one tile at once, as long as it is the same: nothing is ever made
 * shorter, and nothing is written behind a file's end. */
#define TILE_FILES (MERKLE_LEVELS + 2u) /* hashes by level, entries, ends */
struct tile_writer {
    const char *dir;      /* of the log */
    const char *folder;   /* in it: "tree" */
    bool *named;          /* borrowed, [TILE_FILES]: whose names are known to be on disk */
    int fd[TILE_FILES];   /* -1: not opened yet */
    bool wet[TILE_FILES]; /* written and not synced */
};
void tile_writer_init(struct tile_writer *w, const char *dir, bool *named);
void tile_writer_done(struct tile_writer *w);
/* bytes: of the whole tile, as id has it; of which the first `kept` are on disk already, or it is
 * STATUS_INTEGRITY. On failure nothing is taken back: only what stood there before has a meaning.
 */
struct status tile_write_hashes(struct tile_writer *w, const struct tile_id *id, struct view bytes,
                                size_t kept, struct diag *diag);
/* begin: where it begins in the file of entries. */
struct status tile_write_bundle(struct tile_writer *w, const struct tile_id *id, uint64_t begin,
                                struct view bytes, size_t kept, struct diag *diag);
/* Makes durable what was written since. */
struct status tile_flush(struct tile_writer *w, struct diag *diag);
/* Puts the files of a tree of `size` in the place of a folder that has one for each tile, which
 * stays as it is and is not read any more. Does nothing where there is no such folder, or `tree/`
 * besides. Locked. */
struct status tile_take_over(const char *dir, uint64_t size, struct diag *diag);

/* Node hashes out of the tiles of a tree of `size`; keeps the last tile of each level. */
struct tile_source {
    const char *dir;
    uint64_t size;
    struct diag *diag;
    struct tile_id have[MERKLE_LEVELS]; /* width 0: none */
    struct digest tiles[MERKLE_LEVELS][MERKLE_WIDTH];
};
struct status tile_node(void *source, unsigned level, uint64_t index, struct digest *ret_hash);

#endif
