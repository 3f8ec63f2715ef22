/* What a browser sends to the console: a form (query or body), or a Cookie field; first byte odd:
 * the latter. */
#include "serve/console_form.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_field(struct view form, const char *name)
{
    char value[32], longer[4096];
    const bool good = form_field(form, name, value, sizeof value);
    const size_t n = strlen(value);
    ASSERT(n < sizeof value && (good || n == 0));
    for (size_t i = 0; i < n; i++) {
        ASSERT(value[i] >= 0x20 && value[i] < 0x7f);
    }
    /* More room changes nothing of what fits. */
    ASSERT(!good || (form_field(form, name, longer, sizeof longer) && strcmp(value, longer) == 0));
}

static void
check_stray(struct view form)
{
    static const char *const names[] = {"key", "by"};
    char stray[32], value[32];
    const bool found = form_stray(form, names, 2, stray);
    for (size_t i = 0; found && stray[i] != '\0'; i++) {
        ASSERT(i < sizeof stray && stray[i] > 0x20 && stray[i] < 0x7f && stray[i] != '"');
    }
    /* Without another name, no other field has a value. */
    ASSERT(found || (form_field(form, "ke", value, sizeof value) && *value == '\0'));
}

static void
check_cookie(struct view text)
{
    char *field = strndup((const char *)text.ptr, text.len);
    struct view value = {0};
    ASSERT(field != NULL);
    if (form_cookie(field, "__Host-steward", &value)) {
        ASSERT(value.len == 0 || memchr(value.ptr, ';', value.len) == NULL);
        ASSERT(value.ptr >= (uint8_t *)field &&
               value.ptr + value.len <= (uint8_t *)field + strlen(field));
    }
    free(field);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    const struct view rest = view_of(data + 1, size - 1);
    if ((data[0] & 1) != 0) {
        check_cookie(rest);
    } else {
        check_field(rest, "key");
        check_field(rest, "");
        check_stray(rest);
    }
    return 0;
}
