#include "base/embedded.h"

#define NAMES_MAX 4096u

struct status
embedded_find(const struct embedded *table, const char *what, const char *name, struct diag *diag,
              struct view *ret_text)
{
    DEFER(buf_done) struct buf names;
    buf_init(&names, NAMES_MAX);
    for (const struct embedded *e = table; e->name != NULL; e++) {
        if (strcmp(e->name, name) == 0) {
            *ret_text = e->text;
            return OK;
        }
        buf_printf(&names, "%s%s", names.len == 0 ? "" : ", ", e->name);
    }
    diag_set(diag, "there is no %s \"%.60s\"; there are %s", what, name, buf_str(&names));
    FAIL(NOT_FOUND);
}
