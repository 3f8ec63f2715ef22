/* What a transit service answers, and what stands in a URI and in keys/workspace.json about one.
 * The first two bytes: 0 a URI; 1 a file's state; else the status of HTTP, and the rest an answer's
 * body. Refused with a sentence that repeats nothing of an answer, or: a URI that names a key and
 * absolute paths; a wrapped key's text that is one; a key of the right size. */
#include "vault/transit.h"
#include "vault/provider.h"

#include <sys/socket.h>
#include <unistd.h>

#define TARGET "transit:https://a:8200/transit/k"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
read_uri(struct view text)
{
    struct transit_uri u;
    struct diag diag = {0};
    if (!status_ok(transit_uri_parse(text, &diag, &u))) {
        ASSERT(diag.text[0] != '\0');
        return;
    }
    ASSERT(text.len <= TRANSIT_URI_MAX && u.at.https && *u.key != '\0');
    ASSERT(u.key > u.at.target + 1 && u.key[-1] == '/' && strchr(u.key, '/') == NULL);
    ASSERT(strstr(u.at.target, "/.") == NULL && strstr(u.at.target, "//") == NULL);
    ASSERT(*u.ca_file == '\0' || *u.ca_file == '/');
    ASSERT(*u.token_file == '\0' || *u.token_file == '/');
    ASSERT(*u.namespace != '/' && transit_uri_same_key(&u, &u));
}

/* The process that would ask is gone: a state that is none must be told from that. */
static void
read_state(struct view state)
{
    struct diag diag = {0};
    int ends[2];
    DEFER(provider_freep) struct provider *p = NULL;
    DEFER(secret_done) struct secret key = {0};
    ASSERT(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
    (void)close(ends[1]);
    const struct provider_means means = {.holder = ends[0]};
    ASSERT(status_ok(provider_new(TARGET, &means, &diag, &p)));
    const struct vault_provider *t = provider_table(p);
    ASSERT(!status_ok(t->unwrap(t->ctx, state, &key, &diag)) && key.ptr == NULL);
}

static void
read_answer(unsigned status, struct view body)
{
    struct diag wrapped = {0}, plain = {0};
    char text[TRANSIT_TEXT_MAX];
    uint8_t key[VAULT_KEY_BYTES];
    const struct status s = transit_read_wrapped(status, body, &wrapped, text);
    const struct status k = transit_read_key(status, body, &plain, key);
    ASSERT(status_ok(s) ? status == 200 && transit_is_wrapped(text) : *wrapped.text != '\0');
    ASSERT(status_ok(k) ? status == 200 : *plain.text != '\0');
    ASSERT(status == 200 || (s.code == k.code && strcmp(wrapped.text, plain.text) == 0));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > TRANSIT_ANSWER_MAX) {
        return 0;
    }
    const unsigned first = (unsigned)data[0] << 8 | data[1];
    const struct view rest = view_of(data + 2, size - 2);
    if (first == 0) {
        read_uri(rest);
    } else if (first == 1) {
        read_state(rest);
    } else {
        read_answer(first, rest);
    }
    return 0;
}
