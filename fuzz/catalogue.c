/* A catalogue's YAML: refused with a sentence that has a line, or controls that hold to what the
 * header says. */
#include "govern/catalogue.h"
#include "base/text.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    DEFER(catalogue_freep) struct catalogue *c = NULL;
    struct diag diag = {0};
    const struct status s = catalogue_read(view_of(data, size), "c.yaml", &diag, &c);
    if (!status_ok(s)) {
        ASSERT(c == NULL);
        ASSERT(s.code == STATUS_LIMIT || strncmp(diag.text, "c.yaml line ", 12) == 0);
        return 0;
    }
    ASSERT(text_is_name(c->name) && c->count > 0);
    for (size_t i = 0; i < c->count; i++) {
        const struct catalogue_control *k = &c->controls[i];
        ASSERT(catalogue_find(c, k->id) == k && k->level <= 9);
        ASSERT(*k->title != '\0' && *k->text != '\0' && *k->by_hand != '\0');
        ASSERT(strlen(k->applies_from) == 10 && k->check_count <= CATALOGUE_CHECKS_MAX);
    }
    return 0;
}
