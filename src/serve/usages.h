/* usages: questions about the log's usage, answered by a thread of its own: it may have to read the
 * whole log, and no loop waits for that. One is answered at a time; USAGES_MOST wait or stand
 * ready. Thread-safe. */
#ifndef STEWARD_SERVE_USAGES_H
#define STEWARD_SERVE_USAGES_H

#include "govern/usage.h"
#include "serve/quotas.h"

#define USAGES_MOST 8u
#define USAGES_TEXT_MAX 256u

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
struct status usages_start(const char *log_dir, struct quotas *quotas, struct usages **ret_usages);
void usages_stop(struct usages *u); /* cuts short what it reads; frees. NULL is nothing */
/* A number, 1 or more, by which its answer is known. STATUS_BUSY: too many wait. */
struct status usages_ask(struct usages *u, const struct usages_asked *q, uint64_t *ret_number);
bool usages_ready(struct usages *u, uint64_t number);
/* What is ready, once: JSON as usage_json's or quotas_json's, or why not. */
struct status usages_take(struct usages *u, uint64_t number, struct diag *diag,
                          struct buf *ret_json);
/* Nobody waits for it any more. */
void usages_forget(struct usages *u, uint64_t number);
/* Written when an answer is ready; open until it is unsubscribed. STATUS_LIMIT. */
struct status usages_subscribe(struct usages *u, int event_fd);
void usages_unsubscribe(struct usages *u, int event_fd);

#endif
