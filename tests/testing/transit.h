/* transit: a transit service of the tests' own, with the REST API of OpenBao and Vault: over TLS on
 * 127.0.0.1, in a process of its own; keys with versions, kept apart, AES-256-GCM, derivation
 * (HKDF-SHA256), associated data, a token, sealing; and each way to be slow, broken or a liar.
 *
 * Source: openbao/openbao builtin/logical/transit (path_encrypt.go, path_decrypt.go) and
 * sdk/helper/keysutil/policy.go, for what is answered to what. */
#ifndef STEWARD_TESTING_TRANSIT_H
#define STEWARD_TESTING_TRANSIT_H

#include "testing/testing.h"

#include <stdatomic.h>

#define TRANSIT_TOKEN "hvs.CAESIJzMxtestsowntokenthatisnowhereelse"
#define TRANSIT_VERSIONS 8u

enum transit_trouble {
    TRANSIT_WELL,
    TRANSIT_BUSY,     /* 429 */
    TRANSIT_FAILS,    /* 500, as the service says it */
    TRANSIT_PAGE_502, /* pages of a proxy */
    TRANSIT_PAGE_503,
    TRANSIT_PAGE_403,
    TRANSIT_SILENT,   /* the request is read, and nothing answered */
    TRANSIT_HALF,     /* the connection ends within the body */
    TRANSIT_NO_HEAD,  /* ... before the head */
    TRANSIT_GARBAGE,  /* 200, and no JSON */
    TRANSIT_EMPTY,    /* 200, and JSON without what was asked for */
    TRANSIT_OTHER,    /* another key than was wrapped */
    TRANSIT_SHORT,    /* ... of 31 bytes */
    TRANSIT_GIANT,    /* 200, and 4 MiB of an answer */
    TRANSIT_REDIRECT, /* 307 to another path of this server */
    TRANSIT_METADATA, /* ... to where machines of a cloud tell their credentials */
    TRANSIT_ECHO,     /* 400, with the token in its sentence */
    TRANSIT_PLAIN     /* no TLS */
};

/* Shared with the process: set by the test, at any time. */
struct transit_service {
    _Atomic enum transit_trouble trouble;
    _Atomic unsigned after;                /* it begins once so many have asked */
    _Atomic bool sealed, deleted, revoked; /* the service; the key; the token */
    _Atomic bool derived, rsa;             /* what kind of key it is */
    _Atomic unsigned version, least;       /* newest; min_decryption_version */
    /* What it has seen. */
    _Atomic unsigned asked, encrypted, decrypted;
    _Atomic unsigned strayed; /* followed a redirect, or with a header missing */
    _Atomic unsigned tokens;  /* requests with the right token */
    uint8_t key[TRANSIT_VERSIONS + 1][32];
    uint16_t port;
    pid_t pid;
};

/* Its certificate, for 127.0.0.1 and localhost: ca.pem in dir. */
struct transit_service *transit_service_start(const char *dir);
void transit_service_stop(struct transit_service *s);
/* As new, with the keys that there are. */
void transit_service_heal(struct transit_service *s);
/* "transit:https://127.0.0.1:PORT/team/transit/steward?ca-file=DIR/ca.pem" and more. */
char *transit_service_uri(const struct transit_service *s, const char *dir, const char *more);

#endif
