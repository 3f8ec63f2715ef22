#include "base/clock.h"
#include "base/text.h"
#include "govern/policy_parts.h"

#include <string.h>

static const struct {
    const char *word, *form;
} kinds[] = {
    [POLICY_BOOLEAN] = {"boolean", "true or false"},
    [POLICY_NUMBER] = {"number", "a number"},
    [POLICY_DURATION] = {"duration", "a duration such as 90d, 12h or 30s"},
    [POLICY_TIME] = {"time", "a time such as 2027-01-31T00:00:00Z"},
    [POLICY_VERSION] = {"version", "a version such as 1.2"},
    [POLICY_TEXT] = {"text", "a text of at most 1024 bytes"},
};

const char *
policy_kind_form(enum policy_kind kind)
{
    return kind <= POLICY_TEXT ? kinds[kind].form : "a list";
}

bool
policy_kind_by_word(const char *word, enum policy_kind *ret_kind)
{
    for (unsigned k = 0; k <= POLICY_TEXT; k++) {
        if (strcmp(kinds[k].word, word) == 0) {
            *ret_kind = (enum policy_kind)k;
            return true;
        }
    }
    return false;
}

/* Numbers of at most nine digits between dots. */
static bool
is_version(const char *text)
{
    size_t digits = 0;
    for (; *text != '\0'; text++) {
        digits = *text == '.' ? digits : digits + 1;
        if (*text == '.' ? digits == 0 : *text < '0' || *text > '9' || digits > 9) {
            return false;
        }
        digits = *text == '.' ? 0 : digits;
    }
    return digits > 0;
}

static uint64_t
take_number(const char **text)
{
    uint64_t n = 0;
    for (; **text >= '0' && **text <= '9'; ++*text) {
        n = n * 10 + (uint64_t)(**text - '0');
    }
    *text += **text == '.';
    return n;
}

int
policy_version_compare(const char *a, const char *b)
{
    while (*a != '\0' || *b != '\0') {
        const uint64_t x = take_number(&a), y = take_number(&b);
        if (x != y) {
            return x < y ? -1 : 1;
        }
    }
    return 0;
}

/* FNV-1a: most texts that are compared differ. */
static uint32_t
hash_of(struct view text)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < text.len; i++) {
        h = (h ^ text.ptr[i]) * 16777619u;
    }
    return h;
}

bool
policy_value_from_text(const char *text, enum policy_kind kind, struct policy_value *ret_value)
{
    struct policy_value v = {.kind = kind, .text = text, .parameter = -1};
    const struct view t = view_str(text);
    int64_t ns = 0;
    bool good = t.len <= POLICY_TEXT_VALUE_MAX;
    if (kind == POLICY_BOOLEAN) {
        v.truth = strcmp(text, "true") == 0;
        good = v.truth || strcmp(text, "false") == 0;
    } else if (kind == POLICY_NUMBER) {
        good = status_ok(text_to_f64(t, &v.number));
    } else if (kind == POLICY_DURATION) {
        good = status_ok(text_to_duration_ns(t, &ns));
        v.number = (double)ns / 1e9;
    } else if (kind == POLICY_TIME) {
        good = status_ok(clock_from_rfc3339(t, &v.time_ns));
    } else if (kind == POLICY_VERSION) {
        good = good && is_version(text);
    } else {
        v.hash = hash_of(t);
    }
    if (good) {
        *ret_value = v;
    }
    return good;
}

bool
policy_value_equal(const struct policy_value *a, const struct policy_value *b)
{
    switch (a->kind) {
    case POLICY_BOOLEAN:
        return a->truth == b->truth;
    case POLICY_NUMBER:
    case POLICY_DURATION:
        return !(a->number < b->number) && !(a->number > b->number);
    case POLICY_TIME:
        return a->time_ns == b->time_ns;
    case POLICY_VERSION:
        return policy_version_compare(a->text, b->text) == 0;
    default:
        return a->hash == b->hash && strcmp(a->text, b->text) == 0;
    }
}

/* Goes back to the last star only: at most pattern times text steps. */
bool
policy_like(const char *pattern, const char *text)
{
    const char *star = NULL, *from = NULL;
    while (*text != '\0') {
        if (*pattern == '*') {
            star = pattern++;
            from = text;
        } else if (*pattern == *text) {
            pattern++;
            text++;
        } else if (star != NULL) {
            pattern = star + 1;
            text = ++from;
        } else {
            return false;
        }
    }
    while (*pattern == '*') {
        pattern++;
    }
    return *pattern == '\0';
}

bool
policy_match(const char *pattern, const char *text)
{
    for (; *pattern != '\0' && *text != '\0'; pattern++, text++) {
        const char c = *text;
        const bool digit = c >= '0' && c <= '9';
        const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        const bool fits = *pattern == '#'   ? digit
                          : *pattern == '?' ? letter
                          : *pattern == '.' ? true
                                            : *pattern == c;
        if (!fits) {
            return false;
        }
    }
    return *pattern == *text;
}
