/* process: programs that the bench runs beside itself. A child dies with the bench. */
#ifndef STEWARD_BENCH_PROCESS_H
#define STEWARD_BENCH_PROCESS_H

#include "bench.h"

#include <sys/types.h>

#define PROCESS_ANY_CPU (-1)

/* The first (0) or second (1) processor that this process may use; the same one where there is only
 * one. */
int process_cpu(unsigned which);
/* Runs to the end on that processor: its stdout; STATUS_IO with the end of its stderr unless it
 * exits 0. argv ends with NULL; argv[0] is looked for in PATH. */
struct status process_run(char *const argv[], int cpu, struct diag *diag, struct buf *ret_out);
/* Runs a peer's Python script, bench/peers/argv[0], with the arguments after it, under an
 * interpreter that has what bench/peers/REQUIREMENTS pins and nothing else (tools/bench-peers makes
 * it beside the bench's build). STATUS_UNSUPPORTED, with the reason, where that cannot be had: for
 * bench_leave_out.
 */
struct status process_run_peer(const struct bench_context *c, const char *requirements,
                               char *const argv[], int cpu, struct buf *ret_out);
/* The steward that is measured, with these words (end with NULL, at most 28) and that passphrase
 * file. */
struct status process_steward(const struct bench_context *c, const char *passphrase_file,
                              char *const words[], struct buf *ret_out);
/* What `openssl speed` says of an algorithm over blocks of so many bytes, in a second of user
 * processor time: MB/s, of 10^6 bytes. */
struct status process_openssl_speed(const struct bench_context *c, const char *algorithm,
                                    const char *bytes, bool decrypt, double *ret_figure);
/* Starts and does not wait; stdout and stderr go to the file `log`. */
struct status process_start(char *const argv[], int cpu, const char *log, struct diag *diag,
                            pid_t *ret_pid);
bool process_alive(pid_t pid);
void process_stop(pid_t *pid); /* for DEFER: SIGTERM, waits, SIGKILL after 20 s; 0 is nothing */
/* Peak resident bytes (VmHWM) of a process and its children; 0 when it is gone. */
double process_peak(pid_t pid);
double process_resident(pid_t pid); /* bytes (VmRSS) of that process alone; 0 when it is gone */
void process_peak_reset(pid_t pid); /* the peak begins again at what is resident now */

#endif
