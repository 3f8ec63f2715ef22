#include "base/yaml_events.h"

static void
delete_event(yaml_event_t *e)
{
    yaml_event_delete(e);
}

static void
delete_parser(yaml_parser_t *y)
{
    yaml_parser_delete(y);
}

struct status
yaml_refuse_line(const char *name, size_t line, const char *what, struct diag *diag)
{
    diag_set(diag, "%s line %zu: %s", name, line + 1, what);
    FAIL(INPUT);
}

/* A byte that is no text is told by its offset only. */
static size_t
lines_before(struct view text, size_t offset)
{
    size_t lines = 0;
    for (size_t i = 0; i < offset && i < text.len; i++) {
        lines += text.ptr[i] == '\n';
    }
    return lines;
}

static struct status
refuse_text(struct view text, const char *name, const yaml_parser_t *y, struct diag *diag)
{
    CHECK(y->error != YAML_MEMORY_ERROR, MEMORY);
    const size_t line = y->error == YAML_READER_ERROR ? lines_before(text, y->problem_offset)
                                                      : y->problem_mark.line;
    return yaml_refuse_line(name, line, y->problem == NULL ? "not YAML" : y->problem, diag);
}

struct status
yaml_each_event(struct view text, const char *name,
                struct status (*take)(void *ctx, const yaml_event_t *e), void *ctx,
                struct diag *diag)
{
    DEFER(delete_parser) yaml_parser_t y = {0};
    bool end = false;
    CHECK(yaml_parser_initialize(&y) != 0, MEMORY);
    yaml_parser_set_encoding(&y, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&y, text.len == 0 ? (const uint8_t *)"" : text.ptr, text.len);
    while (!end) {
        DEFER(delete_event) yaml_event_t e = {0};
        if (yaml_parser_parse(&y, &e) == 0) {
            return refuse_text(text, name, &y, diag);
        }
        end = e.type == YAML_STREAM_END_EVENT;
        TRY(take(ctx, &e));
    }
    return OK;
}
