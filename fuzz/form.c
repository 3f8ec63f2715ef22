/* Answers to a form: refused with a sentence that has a line, or texts for questions that are
 * asked, which the file of questions gives back. */
#include "govern/form.h"
#include "base/embedded.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    DEFER(form_freep) struct form *f = NULL;
    DEFER(js_freep) json_t *answers = NULL;
    DEFER(js_freep) json_t *again = NULL;
    struct diag diag = {0};
    ASSERT(status_ok(form_built_in("impact", NULL, &f)));
    const struct status s = form_take_answers(f, view_of(data, size), "a.yaml", &diag, &answers);
    if (!status_ok(s)) {
        ASSERT(s.code == STATUS_LIMIT || strncmp(diag.text, "a.yaml line ", 12) == 0);
        return 0;
    }
    DEFER(buf_done) struct buf yaml;
    buf_init(&yaml, 8u << 20);
    form_put_template(f, answers, &yaml);
    ASSERT(status_ok(buf_status(&yaml)));
    ASSERT(status_ok(form_take_answers(f, buf_view(&yaml), "b.yaml", &diag, &again)));
    ASSERT(json_equal(again, answers));
    return 0;
}
