/* A rule of network.egress and, after a line break, a URL: neither crashes, and no rule without
 * "at" lets a name have a private address. */
#include "net/egress.h"

#include "net/cidr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
ask(const struct egress *e, const struct url *u, const char *text, bool at)
{
    struct address a;
    ASSERT(status_ok(address_parse(view_str(text), u->port, &a)));
    const struct sockaddr *s = (const struct sockaddr *)(const void *)&a.storage;
    for (size_t i = 0; egress_purposes[i] != NULL; i++) {
        const bool named = egress_allows(e, egress_purposes[i], u, NULL);
        const bool there = egress_allows(e, egress_purposes[i], u, s);
        ASSERT(named || !there);
        ASSERT(!there || at || u->numeric || cidr_address_is_public(s));
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const addresses[] = {"127.0.0.1", "169.254.169.254", "8.8.8.8",
                                            "::1",       "::ffff:10.0.0.1", "2606:4700::1111"};
    DEFER(egress_freep) struct egress *e = egress_new();
    struct diag diag = {0};
    struct url u;
    const uint8_t *end = size == 0 ? NULL : memchr(data, '\n', size);
    const struct view line = view_of(data, end == NULL ? size : (size_t)(end - data));
    if (e == NULL || !status_ok(egress_add(e, line, &diag))) {
        ASSERT(e == NULL || diag.text[0] != '\0');
        return 0;
    }
    if (end != NULL && status_ok(url_parse(view_of(end + 1, size - line.len - 1), &diag, &u))) {
        for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
            ask(e, &u, addresses[i], memmem(line.ptr, line.len, " at ", 4) != NULL);
        }
    }
    return 0;
}
