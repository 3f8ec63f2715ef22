/* outputs: what a process makes in folders to which it has no right. Another process, forked before
 * the first gives that up, opens the files that were named then, gives the first their descriptors,
 * and puts them in their place; it makes a folder beside a place, and renames it onto that. It does
 * nothing else, for no other path: who takes the first over writes what it was to write, and over
 * nothing that stands beside. What was not kept it removes in the end, also of one that was killed.
 *
 * base/file and who makes folders ask here by themselves. Once in a process, by one thread. */
#ifndef STEWARD_BASE_OUTPUTS_H
#define STEWARD_BASE_OUTPUTS_H

#include "base/status.h"

#define OUTPUTS_MAX 16

/* LIMIT past OUTPUTS_MAX; INPUT when two of them are one place. None: no process. Before there are
 * other threads, and secrets. */
struct status outputs_begin(const char *const *paths, size_t n, struct diag *diag);
/* Whether it is one of them, by the same letters. */
bool outputs_has(const char *path);
enum outputs_how {
    OUTPUTS_DRAFT,  /* nobody sees it before it is kept (file_draft_open) */
    OUTPUTS_DEEP,   /* the same, and the folders above it are made */
    OUTPUTS_APPEND, /* the file itself, made if absent, no link; nothing to keep */
};
/* A draft of before is dropped. *ret_fd is the caller's. */
struct status outputs_open(const char *path, enum outputs_how how, unsigned mode, struct diag *diag,
                           int *ret_fd);
/* The draft is on disk and in its place. */
struct status outputs_keep(const char *path, struct diag *diag);
void outputs_drop(const char *path); /* nothing where there is none */
/* The new folder beside the place; the same when asked again. *ret_path is malloc'd. */
struct status outputs_folder(const char *place, struct diag *diag, char **ret_path);
/* The folder itself, and those above, if it is not there; removed in the end where it is empty. */
struct status outputs_make(const char *folder, struct diag *diag);
/* Renames the one beside onto the place. The failure of that has its errno. */
struct status outputs_take(const char *place, struct diag *diag);
void
outputs_end(void); /* what is not kept is gone when it returns; nothing if there is no process */

#endif
