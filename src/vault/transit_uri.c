#include "vault/transit_uri.h"

#include <ctype.h>
#include <stddef.h>

#define SCHEME "transit:"
#define VALUE_MARKS "-._~/@+=,:" /* beside letters and digits: nothing that needs an escape */

static struct status
refuse(struct diag *diag, const char *name, const char *why)
{
    diag_set(diag, "the transit URI: %s %s", name, why);
    FAIL(INPUT);
}

bool
transit_uri_is(const char *text)
{
    return strncmp(text, SCHEME, sizeof SCHEME - 1) == 0;
}

/* ---- segments between slashes: of the path, of a namespace ---- */

static bool
is_segment(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!isalnum((unsigned char)text[i]) && strchr("-._", text[i]) == NULL) {
            return false;
        }
    }
    return n > 0 && text[0] != '.'; /* and so neither "." nor ".." */
}

/* Returns how many there are; 0 when one of them is none. */
static size_t
count_segments(const char *text)
{
    size_t count = 0;
    for (;; text++) {
        const size_t n = strcspn(text, "/");
        if (!is_segment(text, n)) {
            return 0;
        }
        count++;
        text += n;
        if (*text == '\0') {
            return count;
        }
    }
}

/* ---- what follows the question mark ---- */

static const struct {
    const char *name;
    size_t at;
    bool path;
} values[] = {
    {"ca-file", offsetof(struct transit_uri, ca_file), true},
    {"token-file", offsetof(struct transit_uri, token_file), true},
    {"namespace", offsetof(struct transit_uri, namespace), false},
};
#define VALUES (sizeof values / sizeof *values)

static bool
is_plain(struct view value)
{
    for (size_t i = 0; i < value.len; i++) {
        const uint8_t c = value.ptr[i];
        if (c == 0 || c >= 0x80 || (!isalnum(c) && strchr(VALUE_MARKS, c) == NULL)) {
            return false;
        }
    }
    return value.len > 0;
}

static struct status
take_value(size_t i, struct view value, struct diag *diag, struct transit_uri *u)
{
    char *to = (char *)u + values[i].at;
    if (*to != '\0') {
        return refuse(diag, values[i].name, "stands there twice");
    }
    if (value.len >= TRANSIT_VALUE_MAX || !is_plain(value)) {
        return refuse(diag, values[i].name,
                      "must be 1 to 511 letters, digits and any of " VALUE_MARKS);
    }
    memcpy(to, value.ptr, value.len);
    to[value.len] = '\0';
    if (values[i].path && to[0] != '/') {
        return refuse(diag, values[i].name, "must be an absolute path");
    }
    return values[i].path || count_segments(to) > 0
               ? OK
               : refuse(diag, values[i].name, "must be NAME or NAME/NAME");
}

/* One NAME=VALUE. */
static struct status
take_part(struct view part, struct diag *diag, struct transit_uri *u)
{
    const uint8_t *equal = part.len == 0 ? NULL : memchr(part.ptr, '=', part.len);
    const size_t n = equal == NULL ? part.len : (size_t)(equal - part.ptr);
    for (size_t i = 0; i < VALUES && equal != NULL; i++) {
        if (view_equal_str(view_of(part.ptr, n), values[i].name)) {
            return take_value(i, view_of(equal + 1, part.len - n - 1), diag, u);
        }
    }
    return refuse(diag, "after \"?\"",
                  "stand ca-file=/PATH, token-file=/PATH and namespace=NAME, with \"&\" between; "
                  "a token itself goes into a file or STEWARD_TRANSIT_TOKEN");
}

static struct status
take_values(struct view text, struct diag *diag, struct transit_uri *u)
{
    for (;;) {
        const uint8_t *end = text.len == 0 ? NULL : memchr(text.ptr, '&', text.len);
        const size_t n = end == NULL ? text.len : (size_t)(end - text.ptr);
        TRY(take_part(view_of(text.ptr, n), diag, u));
        if (end == NULL) {
            return OK;
        }
        text = view_of(end + 1, text.len - n - 1);
    }
}

/* ---- the whole ---- */

static struct status
take_url(struct view text, struct diag *diag, struct transit_uri *u)
{
    TRY(url_parse(text, diag, &u->at));
    if (!u->at.https) {
        return refuse(diag, "the service", "must be asked by https");
    }
    if (count_segments(u->at.target + 1) < 2) {
        return refuse(diag, "its path", "must be /MOUNT/KEY, such as /transit/steward");
    }
    u->key = strrchr(u->at.target, '/') + 1;
    return OK;
}

struct status
transit_uri_parse(struct view text, struct diag *diag, struct transit_uri *ret_uri)
{
    const size_t scheme = sizeof SCHEME - 1;
    *ret_uri = (struct transit_uri){0};
    if (text.len > TRANSIT_URI_MAX) {
        return refuse(diag, "its text", "is too long");
    }
    if (text.len < scheme || memcmp(text.ptr, SCHEME, scheme) != 0) {
        return refuse(diag, "it", "begins with " SCHEME);
    }
    const struct view rest = view_of(text.ptr + scheme, text.len - scheme);
    const uint8_t *mark = rest.len == 0 ? NULL : memchr(rest.ptr, '?', rest.len);
    const size_t n = mark == NULL ? rest.len : (size_t)(mark - rest.ptr);
    TRY(take_url(view_of(rest.ptr, n), diag, ret_uri));
    return mark == NULL ? OK : take_values(view_of(mark + 1, rest.len - n - 1), diag, ret_uri);
}

bool
transit_uri_same_key(const struct transit_uri *a, const struct transit_uri *b)
{
    return strcmp(a->at.target, b->at.target) == 0 && strcmp(a->namespace, b->namespace) == 0;
}
