/* keeper: the process that holds the workspace key, the signing key and the TLS key, from both ends
 * of its socket (SOCK_SEQPACKET: a message is whole or not there). It reads messages of one size
 * only, and does what the table of rights in keeper.c lets the gateway have done; docs/spec/
 * keeper.md lists them. A gateway that somebody has taken over gets what that table says, and no
 * key. */
#ifndef STEWARD_VAULT_KEEPER_H
#define STEWARD_VAULT_KEEPER_H

#include "vault/tls_keys.h"

#include <sys/types.h>

/* The keeper's own end of its socket, and of the process that asks the key's holder, if any. */
#define KEEPER_FD 3
#define KEEPER_HOLDER_FD 4
#define KEEPER_VERSION 1u
#define KEEPER_REQUEST_BYTES 256u
#define KEEPER_REPLY_BYTES 512u
#define KEEPER_DIR_MAX 4096u
#define KEEPER_PASSPHRASE_MAX 4096u

enum keeper_operation {
    KEEPER_HELLO = 1, /* -> the public key, 32 bytes, then vault_warning's sentence */
    KEEPER_WRAP,      /* purpose, bound, a data key -> the wrapped one */
    KEEPER_UNWRAP,    /* purpose, bound, a wrapped data key -> the data key */
    KEEPER_MAC,       /* purpose, a message -> its keyed hash */
    KEEPER_SIGN,      /* detail: enum vault_signing; a message -> its signature */
    KEEPER_TLS_LOAD,  /* reads tls/key.sealed anew -> struct keeper_tls */
    KEEPER_TLS_SIGN,  /* detail: enum tls_scheme; slot; a digest -> its signature */
    KEEPER_USABLE,    /* -> why the workspace's key may not be used now; nothing: it may */
    KEEPER_OPERATIONS
};

/* Both go over the socket as they lie here, between two programs of one build: native order, no
 * holes. What a length leaves over is zero. */
struct keeper_request {
    uint32_t version, serial;
    uint16_t operation, detail;
    uint32_t slot;
    uint32_t length; /* of bytes */
    char purpose[VAULT_PURPOSE_MAX];
    uint8_t bound[VAULT_BOUND_BYTES];
    uint8_t bytes[KEEPER_REQUEST_BYTES];
};
struct keeper_reply {
    uint32_t version, serial;
    uint16_t operation, code; /* enum status_code; not OK: bytes are a sentence */
    int32_t os;
    uint32_t length;
    uint8_t bytes[KEEPER_REPLY_BYTES];
};
struct keeper_tls {
    uint32_t slot, kind, bits;
    uint8_t name[DIGEST_BYTES];
};
/* The first message, once, before anything else: from whoever starts the keeper. */
struct keeper_setup {
    uint32_t version, passphrase_len, has_holder; /* 1: its socket is descriptor 4 */
    uint32_t zero;
    int64_t check_ns;         /* keeper_check's; 0: never */
    int64_t unreachable_ns;   /* vault_set_patience's */
    char dir[KEEPER_DIR_MAX]; /* the workspace */
    uint8_t passphrase[KEEPER_PASSPHRASE_MAX];
};

/* ---- the keeper's side ---- */

struct keeper;
/* v, with its keys in this process, and dir, the workspace's folder, are borrowed. Reads
 * dir/audit/checkpoint: a tree that is smaller is not signed. */
struct keeper *keeper_new(struct vault *v, const char *dir); /* NULL when memory is out */
void keeper_free(struct keeper *k);
DEFINE_FREEP(keeper_free, struct keeper)
/* Any bytes are a request; a wrong one is refused in the reply (STATUS_INPUT), as is what the table
 * does not grant (STATUS_DENIED). Untrusted; fuzzed. */
void keeper_answer(struct keeper *k, const struct keeper_request *q,
                   struct keeper_reply *ret_reply);
const char *keeper_operation_name(unsigned operation); /* "?" for none */
/* vault_check when it is due: every_ns after the last time, by clock_mono_ns; the keeper's own
 * time, so that no gateway can put it off. False when it was not due. *ret_left_ns: until the next
 * one; INT64_MAX when every_ns is 0: never. */
bool keeper_check(struct keeper *k, int64_t every_ns, int64_t now_ns, struct diag *diag,
                  struct status *ret_checked, int64_t *ret_left_ns);

/* ---- the gateway's side ---- */

struct keeper_client;
/* Takes fd, also on failure. STATUS_IO and a sentence when the keeper has ended, or what it said
 * when it did not start. */
struct status keeper_client_new(int fd, struct diag *diag, struct keeper_client **ret_client);
void keeper_client_free(struct keeper_client *c);
DEFINE_FREEP(keeper_client_free, struct keeper_client)
/* A vault whose keys are the keeper's. On success the vault frees c, which serves until then. */
struct status keeper_client_vault(struct keeper_client *c, struct vault **ret_vault);
struct status keeper_client_tls(struct keeper_client *c, struct diag *diag,
                                struct tls_signer *ret_signer);
/* One request, any thread; the version and the serial are filled in. STATUS_IO once the keeper is
 * gone. */
struct status keeper_client_ask(struct keeper_client *c, struct keeper_request *q,
                                struct diag *diag, struct keeper_reply *ret_reply);

/* ---- starting ---- */

struct keeper_options {
    const char *program; /* NULL: steward-keeper beside this one, or ../libexec/steward/ */
    const char *dir;     /* the workspace */
    const struct secret *passphrase; /* NULL: another holder's key */
    int holder;             /* the socket of what asks it (vault/holder.h), borrowed; 0: none */
    int64_t check_ns;       /* how often it looks whether the key may still be used; 0: never */
    int64_t unreachable_ns; /* vault_set_patience's */
};
/* Starts the program with one end of a new socket, and has it open dir. What it says about the
 * passphrase or the holder comes out as vault_open's. */
struct status keeper_start(const struct keeper_options *o, struct diag *diag, pid_t *ret_pid,
                           struct keeper_client **ret_client);

#endif
