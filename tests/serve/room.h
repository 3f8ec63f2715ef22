/* room: a workspace with a small model and a server over it, for tests in which the key is taken
 * away from under the server. */
#ifndef STEWARD_TESTS_SERVE_ROOM_H
#define STEWARD_TESTS_SERVE_ROOM_H

#include "client.h"

#define ROOM_INFER "/v2/models/loans/infer"

struct room {
    char *root, *dir, *log;         /* a folder; in it the workspace, and what the server says */
    char caller[128], watcher[128]; /* API keys */
    pid_t pid;
    uint16_t port;
};

void room_init(struct room *r); /* a folder, and nothing in it */
/* The workspace; provider as steward init --provider takes it, its credential in the environment;
 * config: steward.yaml. */
void room_make(struct room *r, const char *provider, const char *config);
void room_start(struct room *r);
int room_done(struct room *r); /* the server's exit code */

/* A field of /proc/PID/status; "" when the process is gone. */
void room_field(pid_t pid, const char *name, char ret_value[static 64]);
/* Children of a process by that name; none of the server's is left unwaited for. */
size_t room_children(const struct room *r, pid_t parent, const char *name, pid_t *ret_last);

/* key NULL: of a stranger. */
void room_put_request(struct buf *b, const char *method, const char *path, const char *key,
                      const char *body);
unsigned room_get(const struct room *r, const char *path, const char *key, struct reply *ret_reply);
void room_call_with_rows(const struct room *r); /* a call to the model, of three rows */
void room_answers(const struct room *r, const char *method, const char *path, const char *key,
                  unsigned status, const char *says);
/* Until a call to the model is answered with that status; never another one than these two. */
void room_await(const struct room *r, unsigned before, unsigned after, struct reply *ret_reply);
/* That a 503 says why; or that it cannot be verified who calls, since no key opens that either:
 * then false. */
bool room_says(const struct reply *r, const char *why);
unsigned room_asks(const struct room *r, const char *path, const char *key); /* GET: the status */
/* room_answers; or that it cannot be verified who calls. */
void room_answers_known(const struct room *r, const char *method, const char *path, const char *key,
                        unsigned status, const char *says);

/* What the log has: key.suspend, key.resume, and the refusal of that call. */
struct room_seen {
    const char *id; /* of a call; NULL: none */
    unsigned suspended, resumed, refused;
};
struct room_seen room_entries(const struct room *r, const char *id);

/* Entries of the whole log, under a checkpoint or not yet; the log verifies. */
int64_t room_log_length(void);
/* Takes out of an answer about usage when it was counted, and of how many entries, which it
 * returns: what two answers may differ in. */
int64_t room_take_as_of(json_t *answer);

#endif
