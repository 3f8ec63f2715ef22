/* What the gateway's end of the socket may send. First byte of each message even: the rest is one
 * as it lies in memory, cut or filled up with zeros. Odd: a compact one: operation, detail, slot,
 * which purpose, how many bytes, the bytes; several may follow each other, so that checkpoints
 * come after checkpoints. The workspace's key, the hashes' key and the signing key are in no reply;
 * what is refused gives a sentence and nothing else; what is signed is a checkpoint that has grown.
 */
#include "vault/keeper.h"
#include "base/file.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const purposes[] = {"",          "object/model", "store/model",
                                       "store/key", "api-key",      "object/dataset",
                                       "tls",       "signing",      "store/principal"};
#define PURPOSES (sizeof purposes / sizeof *purposes)

static struct vault *vault;
static char name[VAULT_NAME_MAX];
static uint8_t workspace_key[VAULT_KEY_BYTES];

static struct status
wrap(const void *ctx, const struct secret *key, struct buf *ret_state, struct diag *diag)
{
    (void)ctx, (void)diag;
    memcpy(workspace_key, key->ptr, sizeof workspace_key);
    buf_put_str(ret_state, "{}");
    return buf_status(ret_state);
}

static struct status
unwrap(const void *ctx, struct view state, struct secret *ret_key, struct diag *diag)
{
    (void)ctx, (void)state, (void)diag;
    return secret_from(view_of(workspace_key, sizeof workspace_key), ret_key);
}

static void
start(void)
{
    char dir[] = "/tmp/steward-fuzz-XXXXXX";
    const struct vault_provider p = {.name = "fuzz", .wrap = wrap, .unwrap = unwrap};
    static const char *const made[] = {"workspace.json", "mac.sealed", "signing.sealed",
                                       "signing.pub"};
    ASSERT(mkdtemp(dir) != NULL && status_ok(vault_create(dir, &p, NULL, &vault)));
    for (size_t i = 0; i < sizeof made / sizeof *made; i++) {
        DEFER(file_freep) char *path = file_join(dir, made[i]);
        (void)unlink(path);
    }
    (void)rmdir(dir);
    vault_name(vault, name);
}

static size_t
take_message(const uint8_t *data, size_t size, struct keeper_request *ret_request)
{
    if (*data % 2 == 0 || size < 6) {
        const size_t n = size - 1 < sizeof *ret_request ? size - 1 : sizeof *ret_request;
        memcpy(ret_request, data + 1, n);
        return size;
    }
    const size_t room = size - 6 < KEEPER_REQUEST_BYTES ? size - 6 : KEEPER_REQUEST_BYTES;
    const size_t n = data[5] < room ? data[5] : room;
    *ret_request = (struct keeper_request){.version = KEEPER_VERSION,
                                           .operation = data[1],
                                           .detail = data[2],
                                           .slot = data[3],
                                           .length = (uint32_t)n};
    (void)strcpy(ret_request->purpose, purposes[data[4] % PURPOSES]);
    memcpy(ret_request->bytes, data + 6, n);
    return 6 + n;
}

/* The number in a checkpoint's second line, read in another way than the keeper does. */
static unsigned long long
size_in(const struct keeper_request *q)
{
    char text[KEEPER_REQUEST_BYTES + 1] = "", root[64] = "", first[64] = "";
    unsigned long long size = 0;
    int end = 0;
    memcpy(text, q->bytes, q->length);
    ASSERT(sscanf(text, "%63[^\n]\n%llu\n%63[^\n]\n%n", first, &size, root, &end) == 3);
    ASSERT(end == (int)q->length && strcmp(first, name) == 0 && strlen(root) == 44);
    return size;
}

static void
check(const struct keeper_request *q, const struct keeper_reply *r, unsigned long long *signed_size)
{
    ASSERT(r->version == KEEPER_VERSION && r->serial == q->serial && r->length <= sizeof r->bytes);
    ASSERT(memmem(r, sizeof *r, workspace_key, sizeof workspace_key) == NULL);
    for (size_t i = r->length; i < sizeof r->bytes; i++) {
        ASSERT(r->bytes[i] == 0);
    }
    if (r->code != STATUS_OK) {
        return;
    }
    ASSERT(q->version == KEEPER_VERSION && q->operation != KEEPER_WRAP);
    if (q->operation == KEEPER_SIGN) {
        uint8_t public_key[VAULT_PUBLIC_BYTES];
        const unsigned long long size = size_in(q);
        vault_public_key(vault, public_key);
        ASSERT(size >= *signed_size && q->detail == VAULT_SIGN_CHECKPOINT);
        ASSERT(status_ok(vault_verify(public_key, view_of(q->bytes, q->length), r->bytes)));
        *signed_size = size;
    }
}

/* "NAME" stands for the log's own, which is another in each run. */
static void
put_name(struct keeper_request *q)
{
    const size_t n = strlen(name);
    if (q->operation == KEEPER_SIGN && q->length >= 4 && q->length <= KEEPER_REQUEST_BYTES - n &&
        memcmp(q->bytes, "NAME", 4) == 0) {
        memmove(q->bytes + n, q->bytes + 4, q->length - 4);
        memcpy(q->bytes, name, n);
        q->length += (uint32_t)n - 4;
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned long long signed_size = 0;
    if (vault == NULL) {
        start();
    }
    struct keeper *k = keeper_new(vault, "/nonexistent");
    ASSERT(k != NULL);
    for (size_t at = 0; at < size;) {
        struct keeper_request q = {0};
        struct keeper_reply r;
        at += take_message(data + at, size - at, &q);
        put_name(&q);
        keeper_answer(k, &q, &r);
        check(&q, &r, &signed_size);
    }
    keeper_free(k);
    return 0;
}
