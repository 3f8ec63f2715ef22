/* witnesses: a thread that has the log's checkpoints cosigned (govern/cosign.h): it looks for a new
 * one, asks each witness through the process with a way out (fetcher.h, purpose witness), and
 * keeps what verifies. No call waits for it, nor does the log: who is not reached is asked again.
 * What must be looked at (a witness that knows a larger log or another one, or that lies) is an
 * entry of the log. */
#ifndef STEWARD_SERVE_WITNESSES_H
#define STEWARD_SERVE_WITNESSES_H

#include "govern/audit.h"
#include "govern/cosign.h"
#include "serve/fetcher.h"

struct witnesses_options {
    struct cosign_witness witness[COSIGN_WITNESSES];
    struct buf ca[COSIGN_WITNESSES]; /* PEM; empty: the system's authorities */
    size_t count;
    unsigned quorum; /* that must have cosigned; 0: all */
};
/* The files that the witnesses name, while they can be read. */
struct status witnesses_read_ca(struct witnesses_options *o, struct diag *diag);
/* The same from what was read before; STATUS_INPUT with the first that was not. */
struct status witnesses_take_ca(struct witnesses_options *o, const struct witnesses_options *read,
                                struct diag *diag);
/* How many of them must have cosigned. */
size_t witnesses_needed(const struct witnesses_options *o);
void witnesses_options_free(struct witnesses_options *o);
DEFINE_FREEP(witnesses_options_free, struct witnesses_options)

struct witnesses;
/* o, a and f are borrowed; o may have none. MEMORY. */
struct status witnesses_start(const struct witnesses_options *o, const char *log_dir,
                              struct audit *a, struct fetcher *f, struct witnesses **ret_witnesses);
/* Waits for the witness that is being asked. NULL is nothing. */
void witnesses_stop(struct witnesses *w);
/* These from the next look on; taken over. What is known of who stays is kept. */
void witnesses_set(struct witnesses *w, struct witnesses_options *o);
/* Whether one of the newest checkpoints has a quorum of them. NULL, or none: true. */
bool witnesses_ready(struct witnesses *w);
void witnesses_put_metrics(struct witnesses *w, struct buf *ret_text); /* NULL: nothing */

#endif
