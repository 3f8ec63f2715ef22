/* console_session: who is signed in to the console. A session is 32 random bytes that the browser
 * has in a cookie; here is their digest alone, with whom it is of and what it began with. In
 * memory, of a fixed number; ends with the process. Thread-safe. docs/spec/console.md. */
#ifndef STEWARD_SERVE_CONSOLE_SESSION_H
#define STEWARD_SERVE_CONSOLE_SESSION_H

#include "protect/access_key.h"

#define SESSION_IDLE_NS (INT64_C(15) * 60 * 1000000000)
#define SESSION_MOST_NS (INT64_C(4) * 3600 * 1000000000)
#define SESSIONS_MAX 256u
#define SESSIONS_OF_ONE 8u /* principal: a further one ends the one that was used least lately */
#define SESSION_TOKEN_LETTERS 64u

struct session_of {
    char principal[ACCESS_NAME_MAX];
    char key_id[ACCESS_KEY_ID_LETTERS + 1]; /* ""; it began with a certificate */
    uint64_t peer;                          /* peers_key of where it began: it holds there alone */
};

struct sessions;

struct sessions *sessions_new(void); /* NULL when memory is out */
void sessions_free(struct sessions *s);
/* now_ns: clock_mono_ns. STATUS_BUSY when there are SESSIONS_MAX that have not ended. */
struct status session_begin(struct sessions *s, const struct session_of *of, int64_t now_ns,
                            char ret_token[static SESSION_TOKEN_LETTERS + 1]);
/* Whose that is, and used now; false: none, ended, or begun from another address. */
bool session_find(struct sessions *s, struct view token, uint64_t peer, int64_t now_ns,
                  struct session_of *ret_of);
void session_end(struct sessions *s, struct view token);

#endif
