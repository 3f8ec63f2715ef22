#include "net/cidr.h"

#include "base/text.h"

#include <netinet/in.h>
#include <stdio.h>

/* Blocks that are nobody's on the open network. IPv6 beyond 2000::/3 is none either. */
static const char *const special[] = {
    "0.0.0.0/8",      "10.0.0.0/8",    "100.64.0.0/10",   "127.0.0.0/8",    "168.63.129.16/32",
    "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",    "192.0.2.0/24",   "192.88.99.0/24",
    "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4",
    "240.0.0.0/4",    "::/3",          "2001::/23",       "2001:db8::/32",  "2002::/16",
    "3fff::/20",      "4000::/2",      "8000::/1",
};

#define SPECIALS (sizeof special / sizeof *special)

/* ---- one address ---- */

static cidr_bits
bits_of(const uint8_t *bytes, size_t n)
{
    cidr_bits bits = 0;
    for (size_t i = 0; i < n; i++) {
        bits = bits << 8 | bytes[i];
    }
    return bits;
}

/* False for what is neither IPv4 nor IPv6. */
static bool
read_address(const struct sockaddr *address, bool *ret_v6, cidr_bits *ret_bits)
{
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *four = (const void *)address;
        *ret_v6 = false;
        *ret_bits = ntohl(four->sin_addr.s_addr);
        return true;
    }
    if (address->sa_family != AF_INET6) {
        return false;
    }
    const struct in6_addr *six = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
    const bool mapped = IN6_IS_ADDR_V4MAPPED(six);
    *ret_v6 = !mapped;
    *ret_bits = mapped ? bits_of(six->s6_addr + 12, 4) : bits_of(six->s6_addr, 16);
    return true;
}

static bool
holds(const struct cidr *block, bool v6, cidr_bits bits)
{
    return block->v6 == v6 && bits >= block->low && bits <= block->high;
}

bool
cidr_has(const struct cidr *block, const struct sockaddr *address)
{
    bool v6 = false;
    cidr_bits bits = 0;
    return read_address(address, &v6, &bits) && holds(block, v6, bits);
}

/* ---- text ---- */

static struct status
refuse(struct diag *diag, struct view text, const char *what)
{
    char shown[65];
    const size_t n = text.len < 64 ? text.len : 64;
    for (size_t i = 0; i < n; i++) {
        shown[i] = text.ptr[i] < 0x20 || text.ptr[i] >= 0x7f ? '?' : (char)text.ptr[i];
    }
    shown[n] = '\0';
    diag_set(diag, "\"%s\": %s", shown, what);
    FAIL(INPUT);
}

/* low with the bits beyond the prefix cleared, as "10.0.0.0/8". */
static struct status
refuse_host_bits(struct diag *diag, struct view text, struct address *a, unsigned prefix)
{
    char shown[ADDRESS_TEXT_MAX], what[256];
    const bool v6 = a->storage.ss_family == AF_INET6;
    uint8_t *bytes = v6 ? ((struct sockaddr_in6 *)(void *)&a->storage)->sin6_addr.s6_addr
                        : (uint8_t *)&((struct sockaddr_in *)(void *)&a->storage)->sin_addr;
    for (unsigned i = prefix; i < (v6 ? 128u : 32u); i++) {
        bytes[i / 8] = (uint8_t)(bytes[i / 8] & ~(0x80u >> i % 8));
    }
    address_put_text((const struct sockaddr *)(const void *)&a->storage, shown);
    (void)snprintf(what, sizeof what,
                   "the address has bits beyond its prefix; write %s/%u for that block, or the "
                   "address alone",
                   shown, prefix);
    return refuse(diag, text, what);
}

static struct status
read_prefix(struct view text, const uint8_t *slash, unsigned most, struct diag *diag,
            unsigned *ret_prefix)
{
    uint64_t n = most;
    if (slash != NULL) {
        const struct view digits = view_of(slash + 1, text.len - (size_t)(slash + 1 - text.ptr));
        if (!status_ok(text_to_u64(digits, &n)) || n > most ||
            (digits.len > 1 && digits.ptr[0] == '0')) {
            return refuse(diag, text,
                          most == 32 ? "the prefix of an IPv4 block is from /0 to /32"
                                     : "the prefix of an IPv6 block is from /0 to /128");
        }
    }
    *ret_prefix = (unsigned)n;
    return OK;
}

struct status
cidr_parse(struct view text, struct diag *diag, struct cidr *ret_block)
{
    struct address a;
    unsigned prefix = 0;
    bool v6 = false;
    cidr_bits low = 0;
    const uint8_t *slash = text.len == 0 ? NULL : memchr(text.ptr, '/', text.len);
    const size_t n = slash == NULL ? text.len : (size_t)(slash - text.ptr);
    if (!status_ok(address_parse(view_of(text.ptr, n), 0, &a))) {
        return refuse(diag, text,
                      "no block of addresses; write one such as 10.0.0.0/8, 2001:db8::/32 or "
                      "192.0.2.7");
    }
    const bool six = a.storage.ss_family == AF_INET6;
    TRY(read_prefix(text, slash, six ? 128 : 32, diag, &prefix));
    ASSERT(read_address((const struct sockaddr *)(const void *)&a.storage, &v6, &low));
    const bool mapped = six && !v6;
    if (mapped && prefix < 96) {
        return refuse(diag, text, "a block of IPv4-mapped addresses has a prefix from /96");
    }
    const unsigned size = v6 ? 128 : 32, own = mapped ? prefix - 96 : prefix;
    const cidr_bits beyond = own == size ? 0 : ~(cidr_bits)0 >> (128 - (size - own));
    if ((low & beyond) != 0) {
        return refuse_host_bits(diag, text, &a, prefix);
    }
    *ret_block = (struct cidr){v6, low, low | beyond};
    return OK;
}

/* ---- special-purpose blocks ---- */

static bool
special_blocks_touch(const struct cidr *block, bool wholly)
{
    for (size_t i = 0; i < SPECIALS; i++) {
        struct cidr s;
        ASSERT(status_ok(cidr_parse(view_str(special[i]), NULL, &s)));
        const bool inside = block->low >= s.low && block->high <= s.high;
        const bool apart = block->high < s.low || block->low > s.high;
        if (s.v6 == block->v6 && (wholly ? inside : !apart)) {
            return true;
        }
    }
    return false;
}

bool
cidr_is_public(const struct cidr *block)
{
    return !special_blocks_touch(block, false);
}

bool
cidr_is_special(const struct cidr *block)
{
    return special_blocks_touch(block, true);
}

bool
cidr_address_is_public(const struct sockaddr *address)
{
    struct cidr one = {0};
    if (!read_address(address, &one.v6, &one.low)) {
        return false;
    }
    one.high = one.low;
    const bool mapped = address->sa_family == AF_INET6 && !one.v6;
    return !mapped && cidr_is_public(&one);
}

/* ---- sets ---- */

void
cidr_set_done(struct cidr_set *s)
{
    free(s->block);
    *s = (struct cidr_set){0};
}

/* How many blocks end before an address of that family. */
static size_t
blocks_before(const struct cidr_set *s, bool v6, cidr_bits bits)
{
    size_t low = 0, high = s->count;
    while (low < high) {
        const size_t mid = low + (high - low) / 2;
        const struct cidr *b = &s->block[mid];
        if (b->v6 < v6 || (b->v6 == v6 && b->high < bits)) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

static struct status
make_room(struct cidr_set *s)
{
    CHECK(s->count < CIDR_MOST_BLOCKS, LIMIT);
    if (s->count == s->room) {
        const size_t room = s->room * 2 + 8;
        struct cidr *more = realloc(s->block, room * sizeof *more);
        CHECK(more != NULL, MEMORY);
        s->block = more;
        s->room = room;
    }
    return OK;
}

struct status
cidr_set_add(struct cidr_set *s, const struct cidr *block)
{
    struct cidr whole = *block;
    const size_t at = blocks_before(s, whole.v6, whole.low);
    size_t end = at;
    for (; end < s->count && s->block[end].v6 == whole.v6 && s->block[end].low <= whole.high;
         end++) { /* those that overlap become part of it */
        whole.low = s->block[end].low < whole.low ? s->block[end].low : whole.low;
        whole.high = s->block[end].high > whole.high ? s->block[end].high : whole.high;
    }
    if (end == at) {
        TRY(make_room(s));
    }
    memmove(s->block + at + 1, s->block + end, (s->count - end) * sizeof *s->block);
    s->block[at] = whole;
    s->count = s->count + 1 - (end - at);
    return OK;
}

bool
cidr_set_has(const struct cidr_set *s, const struct sockaddr *address)
{
    bool v6 = false;
    cidr_bits bits = 0;
    if (s->count == 0 || !read_address(address, &v6, &bits)) {
        return false;
    }
    const size_t at = blocks_before(s, v6, bits);
    return at < s->count && holds(&s->block[at], v6, bits);
}
