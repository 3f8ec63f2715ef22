#include "report/record_document.h"

#include "base/clock.h"

#include <string.h>

static struct status
add_item(const struct record_input *in, const struct form_item *item, json_t *items)
{
    const char *answer =
        json_string_value(json_object_get(json_object_get(in->record, "answers"), item->id));
    json_t *o = json_pack("{s:s, s:s, s:s}", "id", item->id, "title", item->title, "source",
                          item->fact != NULL ? "workspace"
                          : answer != NULL   ? "stated"
                                             : "open");
    CHECK(json_array_append_new(items, o) == 0, MEMORY);
    if (item->fact != NULL) {
        const json_t *fact = json_object_get(in->facts, item->fact);
        return fact == NULL ? OK : js_set(o, "fact", json_deep_copy(fact));
    }
    TRY(js_set(o, "question", json_string(item->ask)));
    return answer == NULL ? OK : js_set(o, "answer", json_string(answer));
}

/* Items come section by section. */
static struct status
add_sections(const struct record_input *in, json_t *sections)
{
    const char *title = "";
    json_t *items = NULL;
    for (size_t i = 0; i < in->form->count; i++) {
        const struct form_item *item = &in->form->items[i];
        if (strcmp(title, item->section) != 0) {
            items = json_array();
            title = item->section;
            CHECK(json_array_append_new(
                      sections, json_pack("{s:s, s:o}", "title", title, "items", items)) == 0,
                  MEMORY);
        }
        TRY(add_item(in, item, items));
    }
    return OK;
}

struct status
record_document(const struct record_input *in, json_t **ret_document)
{
    const struct form *f = in->form;
    DEFER(buf_done) struct buf time;
    DEFER(buf_done) struct buf digest;
    json_t *sections = json_array();
    buf_init(&time, 64);
    buf_init(&digest, 128);
    clock_put_rfc3339(&time, in->now_ns);
    digest_put_hex(&digest, &f->digest);
    const json_t *answers = json_object_get(in->record, "answers");
    DEFER(js_freep)
    json_t *d = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:I}", "format", RECORD_FORMAT,
                          "form", f->name, "form_sha256", buf_str(&digest), "title", f->title,
                          "law", f->law, "about", in->about, "created", buf_str(&time), "open",
                          (json_int_t)form_open(f, answers));
    CHECK(d != NULL, MEMORY);
    if (in->record != NULL) {
        static const char *const members[] = {"version", "time", "by"};
        json_t *stated = json_object();
        TRY(js_set(d, "stated", stated));
        for (size_t i = 0; i < 3; i++) {
            TRY(js_set(stated, members[i], json_copy(json_object_get(in->record, members[i]))));
        }
    }
    TRY(js_set(d, "sections", sections));
    TRY(add_sections(in, sections));
    *ret_document = MOVE(d);
    return OK;
}
