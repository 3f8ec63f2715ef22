#include "serve/console_form.h"

#include "base/text.h"

#include <string.h>

/* Up to that byte, which is taken, too. */
static struct view
take_until(struct view *from, char end)
{
    const uint8_t *mark = from->len == 0 ? NULL : memchr(from->ptr, end, from->len);
    const size_t n = mark == NULL ? from->len : (size_t)(mark - from->ptr);
    const struct view part = view_of(from->ptr, n);
    *from = view_of(from->ptr + n + (mark != NULL), from->len - n - (mark != NULL));
    return part;
}

/* The next character of an encoded value; -1: none is written so. */
static int
take_character(struct view *from)
{
    const uint8_t c = from->ptr[0];
    size_t taken = 1;
    int is = c == '+' ? ' ' : c;
    if (c == '%') {
        const int high = from->len < 3 ? -1 : text_hex_digit(from->ptr[1]);
        const int low = from->len < 3 ? -1 : text_hex_digit(from->ptr[2]);
        is = high < 0 || low < 0 ? -1 : 16 * high + low;
        taken = from->len < 3 ? from->len : 3;
    }
    *from = view_of(from->ptr + taken, from->len - taken);
    return is >= 0x20 && is < 0x7f ? is : -1;
}

static bool
decode(struct view value, char *ret_value, size_t size)
{
    size_t n = 0;
    while (value.len > 0) {
        const int c = take_character(&value);
        if (c < 0 || n + 1 >= size) {
            ret_value[0] = '\0';
            return false;
        }
        ret_value[n++] = (char)c;
    }
    ret_value[n] = '\0';
    return true;
}

bool
form_field(struct view form, const char *name, char *ret_value, size_t size)
{
    unsigned found = 0;
    bool good = true;
    ret_value[0] = '\0';
    while (form.len > 0) {
        struct view value = take_until(&form, '&');
        const struct view key = take_until(&value, '=');
        if (view_equal_str(key, name)) {
            found++;
            good = good && decode(value, ret_value, size);
        }
    }
    if (found > 1 || !good) {
        ret_value[0] = '\0';
    }
    return found <= 1 && good;
}

static bool
is_one_of(struct view key, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (view_equal_str(key, names[i])) {
            return true;
        }
    }
    return false;
}

bool
form_stray(struct view form, const char *const *names, size_t n, char ret_stray[static 32])
{
    while (form.len > 0) {
        struct view part = take_until(&form, '&');
        const struct view key = take_until(&part, '=');
        if (!is_one_of(key, names, n)) {
            size_t i = 0;
            for (; i < key.len && i < 31; i++) {
                const uint8_t c = key.ptr[i];
                ret_stray[i] = (char)(c > 0x20 && c < 0x7f && c != '"' ? c : '?');
            }
            ret_stray[i] = '\0';
            return true;
        }
    }
    return false;
}

bool
form_cookie(const char *field, const char *name, struct view *ret_value)
{
    unsigned found = 0;
    struct view rest = view_str(field == NULL ? "" : field);
    while (rest.len > 0) {
        struct view value = take_until(&rest, ';');
        while (value.len > 0 && value.ptr[0] == ' ') {
            value = view_of(value.ptr + 1, value.len - 1);
        }
        const struct view key = take_until(&value, '=');
        if (view_equal_str(key, name)) {
            found++;
            *ret_value = value;
        }
    }
    return found == 1;
}
