/* tile: the C2SP tlog-tiles layout: paths, reading and writing of tiles and entry bundles under the
 * log's folder. A diag says "path: byte N: why". */
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
/* Index and width of the tile that holds hash (or entry) `at` of a level, in a tree of `size`. */
struct tile_id tile_holding(unsigned level, uint64_t at, uint64_t size);

/* Exactly the bytes of that tile or bundle. A partial one that is gone is taken from the full one
 * (then cut). A wrong length is STATUS_INTEGRITY; a bundle's entries are only counted, not hashed.
 */
struct status tile_read(const char *dir, const struct tile_id *id, struct diag *diag,
                        struct buf *ret_bytes);
/* As it stands in its own file, nothing checked. */
struct status tile_read_raw(const char *dir, const struct tile_id *id, struct diag *diag,
                            struct buf *ret_bytes);
/* Next entry of a bundle: u16 length, entry. False at the end, or when cut short (then r->bad). */
bool tile_next_entry(struct reader *r, struct view *ret_entry);

/* Folders of a log that are on disk under their names, with all that are above them: what one
 * writer has learned, for the next. Zeroed: none. */
#define TILE_FOLDERS_MAX 16u
struct tile_folders {
    char path[TILE_FOLDERS_MAX][TILE_PATH_MAX];
    unsigned next; /* place of the next one, in place of the oldest */
};

/* Writing: every file is whole and synced before it has its name, which flush gives to all that
 * were written since, and syncs the folders touched. */
struct tile_writer {
    const char *dir;
    struct tile_folders *known; /* borrowed; NULL: none are, and none are learned */
    struct buf folders;         /* NUL-separated paths, each once */
    struct buf waiting;         /* NUL-separated paths of files that have no name yet */
};
void tile_writer_init(struct tile_writer *w, const char *dir);
void tile_writer_done(struct tile_writer *w);
struct status tile_write(struct tile_writer *w, const struct tile_id *id, struct view bytes,
                         struct diag *diag);
struct status tile_flush(struct tile_writer *w, struct diag *diag);
/* Removes the partial versions of tiles that became full between `old` and `now`: the layout's
 * rules keep the others, for those who hold an older checkpoint. Best effort: what stays is no
 * error. */
void tile_prune(const char *dir, uint64_t old, uint64_t now);

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
