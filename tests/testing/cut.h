/* cut: what is done to the disk, cut off: a process killed before each system call that changes it,
 * and a disk that is full. */
#ifndef STEWARD_TESTING_CUT_H
#define STEWARD_TESTING_CUT_H

#include <stdbool.h>
#include <stddef.h>

/* Runs act in a process of its own and kills it before the nth system call, of any thread, that
 * changes the disk, counted from when it raises SIGUSR1. False: it had ended before. *ret_traced
 * false: no process can be traced here. */
bool testing_cut_before(unsigned n, void (*act)(void *ctx), void *ctx, bool *ret_traced);
/* Fills that disk up to so many bytes, with a file "filler". */
void testing_leave_free(const char *disk, size_t bytes);

#endif
