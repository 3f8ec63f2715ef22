/* tile_files: what reading and writing share about the files of `tree/`. */
#ifndef STEWARD_GOVERN_TILE_FILES_H
#define STEWARD_GOVERN_TILE_FILES_H

#include "govern/tile.h"

#define TILE_FOLDER "tree"
#define TILE_ENDS (TILE_ENTRIES + 1u) /* the "level" of the bundles' ends */

/* "<folder>/hashes.0"; level: up to TILE_ENDS. */
void tile_put_file(const char *folder, unsigned level, char ret_name[static TILE_PATH_MAX]);

#endif
