/* Blocks of addresses, one a line: each is refused with a sentence or read, and the set of them
 * holds an address when one of them does. */
#include "net/cidr.h"

#include <netinet/in.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MOST 64u

static void
ask(const struct cidr_set *set, const struct cidr *block, size_t n, bool v6, cidr_bits bits)
{
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_addr.s_addr = htonl((uint32_t)bits)};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6};
    const struct sockaddr *a = v6 ? (const struct sockaddr *)&six : (const struct sockaddr *)&four;
    bool held = false;
    for (int i = 15; v6 && i >= 0; i--, bits >>= 8) {
        six.sin6_addr.s6_addr[i] = (uint8_t)bits;
    }
    for (size_t i = 0; i < n; i++) {
        held = held || cidr_has(&block[i], a);
    }
    ASSERT(cidr_set_has(set, a) == held);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    DEFER(cidr_set_done) struct cidr_set set = {0};
    struct cidr block[MOST];
    size_t n = 0;
    while (size > 0 && n < MOST) {
        struct diag diag = {0};
        const uint8_t *end = memchr(data, '\n', size);
        const size_t len = end == NULL ? size : (size_t)(end - data);
        if (status_ok(cidr_parse(view_of(data, len), &diag, &block[n]))) {
            ASSERT(block[n].low <= block[n].high);
            ASSERT(!cidr_is_public(&block[n]) || !cidr_is_special(&block[n]));
            ASSERT(status_ok(cidr_set_add(&set, &block[n++])));
        } else {
            ASSERT(diag.text[0] != '\0');
        }
        data += end == NULL ? len : len + 1;
        size -= end == NULL ? len : len + 1;
    }
    for (size_t i = 0; i < n; i++) {
        const cidr_bits edges[] = {block[i].low, block[i].high, block[i].low - 1,
                                   block[i].high + 1};
        for (size_t e = 0; e < 4; e++) {
            ask(&set, block, n, block[i].v6, edges[e]);
        }
    }
    return 0;
}
