/* access_token: issuers of tokens, identities that are linked to principals, and the fetching of
 * issuers' keys. Part of access, for who administrates it (cli) and who serves (serve). */
#ifndef STEWARD_PROTECT_ACCESS_TOKEN_H
#define STEWARD_PROTECT_ACCESS_TOKEN_H

#include "protect/access.h"

#define ACCESS_ISSUERS_MAX 16u
#define ACCESS_SKEW_MOST_S 60u
#define ACCESS_CA_MAX (64u << 10)
#define ACCESS_CA_MARK "-----BEGIN CERTIFICATE-----"

/* record (docs/spec/access.md): {issuer, audience, algorithms, typ, skew, groups_claim, groups,
 * discover, jwks, ca}; ca: certificates in PEM, since who may write a file must not say whose keys
 * are an issuer's. STATUS_EXISTS. */
struct status access_issuer_add(struct access *a, const char *name, const json_t *record,
                                struct diag *diag);
/* What its subjects were linked to goes with it: a later issuer of that name is another. */
struct status access_issuer_remove(struct access *a, const char *name, struct diag *diag);
struct status access_put_issuers(struct access *a, struct buf *ret_json);

/* Identity: "certificate:spiffe://...", "certificate:subject:CN=...;issuer:CN=...",
 * "token:ISSUER:SUBJECT". STATUS_EXISTS when it is linked already. */
struct status access_link_add(struct access *a, const char *identity, const char *principal,
                              struct diag *diag);
struct status access_link_remove(struct access *a, const char *identity, struct diag *diag);
struct status access_put_links(struct access *a, struct buf *ret_json);

/* ---- keys that are fetched ---- */

/* GET of an https URL, at most max bytes; any status but 200 is a failure. ca_pem: the authorities
 * that its certificate is checked with; empty: the system's. */
struct access_fetcher {
    struct status (*get)(void *ctx, const char *url, struct view ca_pem, size_t max,
                         struct diag *diag, struct buf *ret_body);
    void *ctx;
    /* What became of it, for the log; may be NULL. */
    void (*told)(void *ctx, const char *issuer, struct status s, const char *sentence);
};
/* Fetches what is due: of an issuer that is discovered, its keys at first, hourly, and when a token
 * names a key that is not there, but not within a minute of the last try. Keys older than a day are
 * trusted no more. Called every second or so by one thread; never on the way of a call. now_ns:
 * clock_mono_ns. */
void access_issuers_refresh(struct access *a, const struct access_fetcher *f, int64_t now_ns);

#endif
