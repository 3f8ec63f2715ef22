/* What stands in keys/workspace.json about a token's key, and what the process that asks the token
 * answers, which code of others may have written. First byte: how many more bytes are the file's
 * state; the rest is an answer, under which a serial stands that fits. Refused with a sentence, or
 * a key of the right size. */
#include "base/bytes.h"
#include "vault/provider.h"

#include <sys/socket.h>
#include <unistd.h>

#define TARGET "pkcs11:token=t;object=o"
#define STATE                                                                                      \
    "{\"iv\":\"AAAAAAAAAAAAAAAA\",\"mechanism\":\"CKM_AES_GCM\",\"uri\":\"" TARGET                 \
    "\",\"wrapped\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}"
#define ANSWER_MAX 4096u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An answer of the size that answers have is heard to its end; after any other one, nobody is there
 * any more. */
static void
answer(int fd, struct view given)
{
    uint8_t bytes[ANSWER_MAX] = {0};
    memcpy(bytes, given.ptr, given.len);
    bytes[0] = 1; /* the first question's number */
    bytes[1] = bytes[2] = bytes[3] = 0;
    (void)!send(fd, bytes, given.len < 4 ? 4 : given.len, MSG_NOSIGNAL);
    (void)shutdown(fd, SHUT_WR);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct diag diag = {0};
    int ends[2];
    if (size == 0 || size > ANSWER_MAX) {
        return 0;
    }
    const size_t n = *data < size - 1 ? *data : size - 1;
    const struct view state = n == 0 ? view_str(STATE) : view_of(data + 1, n);
    DEFER(provider_freep) struct provider *p = NULL;
    DEFER(secret_done) struct secret key = {0};
    ASSERT(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
    const struct provider_means means = {.holder = ends[0]};
    ASSERT(status_ok(provider_new(TARGET, &means, &diag, &p)));
    answer(ends[1], view_of(data + 1 + n, size - 1 - n));
    const struct vault_provider *t = provider_table(p);
    if (status_ok(t->unwrap(t->ctx, state, &key, &diag))) {
        ASSERT(key.len == VAULT_KEY_BYTES);
    } else {
        ASSERT(key.ptr == NULL);
    }
    (void)close(ends[1]);
    return 0;
}
