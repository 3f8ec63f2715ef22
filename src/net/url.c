#include "net/url.h"

#include "base/text.h"

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool
is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f');
}

/* "10", "0x7f", "0x": what a resolver may take for a part of an address. */
static bool
label_is_number(const char *label, size_t n)
{
    size_t digits = 0, hex = 0;
    for (size_t i = 0; i < n; i++) {
        digits += is_digit(label[i]);
    }
    if (n < 2 || label[0] != '0' || label[1] != 'x') {
        return n > 0 && digits == n;
    }
    for (size_t i = 2; i < n; i++) {
        hex += is_hex(label[i]);
    }
    return hex == n - 2;
}

static bool
label_is_good(const char *label, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const char c = label[i];
        if (!is_digit(c) && !(c >= 'a' && c <= 'z') && c != '-' && c != '_') {
            return false;
        }
    }
    return n >= 1 && n <= 63 && label[0] != '-' && label[n - 1] != '-';
}

bool
url_is_name(const char *text)
{
    const char *label = text;
    size_t n = strcspn(label, ".");
    if (strlen(text) > URL_MOST_HOST) {
        return false;
    }
    for (; label[n] == '.'; label += n + 1, n = strcspn(label, ".")) {
        if (!label_is_good(label, n)) {
            return false;
        }
    }
    return label_is_good(label, n) && !label_is_number(label, n);
}

/* ---- parts ---- */

static struct status
take_scheme(struct view *text, struct url *u, const char **ret_fault)
{
    static const struct {
        const char *word;
        bool https;
        uint16_t port;
    } schemes[] = {{"https://", true, 443}, {"http://", false, 80}};
    for (size_t i = 0; i < 2; i++) {
        const size_t n = strlen(schemes[i].word);
        if (text->len >= n && strncasecmp((const char *)text->ptr, schemes[i].word, n) == 0) {
            u->https = schemes[i].https;
            u->port = schemes[i].port;
            *text = view_of(text->ptr + n, text->len - n);
            return OK;
        }
    }
    *ret_fault = "it must begin with https:// (or http://)";
    FAIL(INPUT);
}

/* Printable ASCII that means one thing to every reader. */
static const char *
fault_of_bytes(struct view text)
{
    for (size_t i = 0; i < text.len; i++) {
        const uint8_t c = text.ptr[i];
        if (c <= 0x20 || c >= 0x7f) {
            return "blanks, control characters and letters beyond ASCII have no place in it (a "
                   "name "
                   "of other letters is written as xn--...)";
        }
        if (c == '\\' || c == '#') {
            return "a backslash or a fragment (#) has no place in it";
        }
    }
    return NULL;
}

static const char *
take_port(struct view text, struct url *u)
{
    uint64_t port = 0;
    if (text.len == 0 || text.ptr[0] == '0' || !status_ok(text_to_u64(text, &port)) ||
        port > 65535) {
        return "its port must be a number from 1 to 65535";
    }
    u->port = (uint16_t)port;
    return NULL;
}

static const char *
take_numeric(struct view host, struct url *u)
{
    if (!status_ok(address_parse(host, u->port, &u->address))) {
        return "its host is no address in the usual form (four decimals such as 192.0.2.1, or "
               "[2001:db8::1])";
    }
    u->numeric = true;
    char shown[ADDRESS_TEXT_MAX];
    address_put_text((const struct sockaddr *)(const void *)&u->address.storage, shown);
    (void)strcpy(u->host, shown); /* shorter than a name */
    return NULL;
}

static const char *
take_host(struct view host, struct url *u)
{
    if (host.len > 0 && host.ptr[0] == '[') {
        const struct view inner = view_of(host.ptr + 1, host.len - 2);
        return host.ptr[host.len - 1] == ']' && host.len > 2 && memchr(inner.ptr, ':', inner.len)
                   ? take_numeric(inner, u)
                   : "its host is no IPv6 address in brackets";
    }
    if (host.len == 0 || host.len > URL_MOST_HOST) {
        return "it has no host, or one that is too long";
    }
    for (size_t i = 0; i < host.len; i++) {
        const uint8_t c = host.ptr[i];
        u->host[i] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
    }
    u->host[host.len] = '\0';
    if (url_is_name(u->host)) {
        return NULL;
    }
    const char *last = strrchr(u->host, '.');
    last = last == NULL ? u->host : last + 1;
    return label_is_number(last, strlen(last))
               ? take_numeric(view_of(u->host, host.len), u)
               : "its host is no name of letters, digits, '-', '_' and single dots";
}

static const char *
take_authority(struct view a, struct url *u)
{
    size_t colon = a.len;
    for (size_t i = a.len; i > 0 && a.ptr[i - 1] != ']'; i--) {
        if (a.ptr[i - 1] == ':') {
            colon = i - 1; /* the first after the brackets */
        }
    }
    if (memchr(a.ptr, '@', a.len) != NULL) {
        return "a user or a password (@) has no place in it; credentials come from files";
    }
    const char *fault =
        colon < a.len ? take_port(view_of(a.ptr + colon + 1, a.len - colon - 1), u) : NULL;
    return fault != NULL ? fault : take_host(view_of(a.ptr, colon), u);
}

static const char *
take_target(struct view t, struct url *u)
{
    const bool rooted = t.len > 0 && t.ptr[0] == '/';
    if (t.len + !rooted > URL_MOST_TARGET) {
        return "its path is too long";
    }
    u->target[0] = '/';
    memcpy(u->target + !rooted, t.ptr, t.len);
    u->target[t.len + !rooted] = '\0';
    return NULL;
}

static const char *
fault_of(struct view text, struct url *u)
{
    const char *fault = fault_of_bytes(text);
    if (fault != NULL || !status_ok(take_scheme(&text, u, &fault))) {
        return fault;
    }
    size_t end = 0;
    while (end < text.len && text.ptr[end] != '/' && text.ptr[end] != '?') {
        end++;
    }
    fault = take_authority(view_of(text.ptr, end), u);
    return fault != NULL ? fault : take_target(view_of(text.ptr + end, text.len - end), u);
}

/* Of a text that is no URL: what may be its scheme, host and port. A path may be what lets one in,
 * and what stands before an '@' a password. */
static struct view
shown_part(struct view text)
{
    static const char host[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:[]";
    size_t scheme = 0;
    while (scheme < text.len && text.ptr[scheme] != ':' && text.ptr[scheme] != '\0' &&
           strchr(host, text.ptr[scheme]) != NULL) {
        scheme++;
    }
    const bool has = text.len - scheme >= 3 && memcmp(text.ptr + scheme, "://", 3) == 0;
    size_t n = has ? scheme + 3 : 0;
    while (memchr(text.ptr, '@', text.len) == NULL && n < text.len && text.ptr[n] != '\0' &&
           strchr(host, text.ptr[n]) != NULL) {
        n++;
    }
    return view_of(text.ptr, n);
}

struct status
url_parse(struct view text, struct diag *diag, struct url *ret_url)
{
    struct url u = {0};
    text = text.len == 0 ? view_str("") : text;
    const char *fault = fault_of(text, &u);
    if (fault == NULL) {
        *ret_url = u;
        return OK;
    }
    char shown[101];
    const struct view told = shown_part(text);
    const size_t n = told.len < 100 ? told.len : 100;
    for (size_t i = 0; i < n; i++) {
        shown[i] = told.ptr[i] < 0x20 || told.ptr[i] >= 0x7f ? '?' : (char)told.ptr[i];
    }
    shown[n] = '\0';
    diag_set(diag, "URL %s%s: %s", shown, told.len < text.len ? "..." : "", fault);
    FAIL(INPUT);
}

void
url_put_origin(const struct url *u, struct buf *b)
{
    const bool v6 = strchr(u->host, ':') != NULL;
    buf_printf(b, "%s://%s%s%s:%u", u->https ? "https" : "http", v6 ? "[" : "", u->host,
               v6 ? "]" : "", u->port);
}

void
url_put(const struct url *u, struct buf *b)
{
    url_put_origin(u, b);
    buf_put_str(b, u->target);
}
