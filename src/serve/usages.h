/* usages: questions about the log's usage, answered by threads of their own: they may have to read
 * the whole log, and no loop waits for that. Some are read at a time, fewer of one principal, and
 * the others wait for their principal's turn; what quotas leave is told beside them. A call waits
 * for its question's answer for a while; what takes longer goes on, and is there when it is asked
 * for by its number, as often as it is asked for, until it was left alone for as long as kept_ns
 * says. A call that asks what another one waits for, or what goes on already, has that one's
 * answer. One principal has a share of the places. Thread-safe. */
#ifndef STEWARD_SERVE_USAGES_H
#define STEWARD_SERVE_USAGES_H

#include "base/clock.h"
#include "govern/usage.h"
#include "serve/quotas.h"

#define USAGES_MOST 8u          /* questions, with their answers */
#define USAGES_OF_ONE 4u        /* asked by one principal, and their answers taken by nobody yet */
#define USAGES_CALLS 64u        /* that wait */
#define USAGES_CALLS_OF_ONE 32u /* of one principal */
#define USAGES_TEXT_MAX 256u
#define USAGES_KEPT_NS (300 * NS_PER_S)

struct usages;

/* A question and its texts. */
struct usages_asked {
    bool quotas; /* what they leave, and nothing of the rest */
    bool by[USAGE_KEYS];
    /* "": not given */
    char since[USAGES_TEXT_MAX], until[USAGES_TEXT_MAX];
    char principal[USAGES_TEXT_MAX], model[USAGES_TEXT_MAX];
};

/* Of the log in that folder, and of quotas, which are borrowed. STATUS_MEMORY. */
struct status usages_start(const char *log_dir, struct quotas *quotas, int64_t kept_ns,
                           struct usages **ret_usages);
void usages_end(struct usages *u);  /* cuts short what is read: nobody waits any more */
void usages_stop(struct usages *u); /* and waits for that; frees. NULL is nothing */
/* A ticket, 1 or more and below 2^61, for a call of that principal that waits until then, of
 * clock_mono_ns. STATUS_LIMIT with a sentence: the principal has its share; BUSY: all places are
 * taken. */
struct status usages_ask(struct usages *u, const struct usages_asked *q, const char *asker,
                         int64_t until_ns, struct diag *diag, uint64_t *ret_ticket);
/* The same for the question of that number. STATUS_NOT_FOUND: there is none. */
struct status usages_ask_again(struct usages *u, uint64_t question, const char *asker,
                               int64_t until_ns, struct diag *diag, uint64_t *ret_ticket);
/* It is answered, or has waited long enough. */
bool usages_ready(struct usages *u, uint64_t ticket);
/* Ends the wait: JSON as usage_json's or quotas_json's, or why not. STATUS_BUSY: it is not answered
 * yet, and goes on under the number *ret_question; 0: it does not. */
struct status usages_take(struct usages *u, uint64_t ticket, struct diag *diag,
                          struct buf *ret_json, uint64_t *ret_question);
/* That call waits no more. */
void usages_forget(struct usages *u, uint64_t ticket);
/* Written when an answer is ready or a wait is over; open until it is unsubscribed. STATUS_LIMIT.
 */
struct status usages_subscribe(struct usages *u, int event_fd);
void usages_unsubscribe(struct usages *u, int event_fd);

#endif
