/* transit_uri: which key of which transit service, and how it is asked:
 * transit:https://HOST:PORT/MOUNT/KEY?ca-file=/PATH&token-file=/PATH&namespace=NAME
 *
 * Strict: https only; MOUNT is one or more segments, each of letters, digits, '.', '-' and '_';
 * what is unknown, written twice, empty or escaped is refused. A token does not stand in it.
 * Fuzzed. */
#ifndef STEWARD_VAULT_TRANSIT_URI_H
#define STEWARD_VAULT_TRANSIT_URI_H

#include "net/url.h"

#define TRANSIT_URI_MAX 1000u /* bytes of its text */
#define TRANSIT_VALUE_MAX 512u

/* "": not named. */
struct transit_uri {
    struct url at;                      /* its target is /MOUNT/KEY */
    const char *key;                    /* the last segment of at.target */
    char ca_file[TRANSIT_VALUE_MAX];    /* absolute; "": the system's authorities */
    char token_file[TRANSIT_VALUE_MAX]; /* absolute */
    char namespace[TRANSIT_VALUE_MAX];  /* segments, without '/' at either end */
};

/* Whether text begins as one. */
bool transit_uri_is(const char *text);
/* STATUS_INPUT with a sentence, which never shows what may be a password. ret_uri is not copied
 * afterwards: key points into it. */
struct status transit_uri_parse(struct view text, struct diag *diag, struct transit_uri *ret_uri);
/* Whether both name the same key, wherever and however it is asked for. */
bool transit_uri_same_key(const struct transit_uri *a, const struct transit_uri *b);

#endif
