#include "sample.h"

#include "base/file.h"

#include <stdlib.h>
#include <string.h>

static void
cut_folder(struct diag *diag, const char *dir)
{
    const size_t n = strlen(dir) + 1;
    for (char *at = strstr(diag->text, dir); at != NULL; at = strstr(diag->text, dir)) {
        memmove(at, at + n, strlen(at + n) + 1);
    }
}

struct status
sample_import(const char *name, struct view bytes, const struct import_options *o,
              struct diag *diag, struct table **ret_table)
{
    static const struct import_options none = {.threads = 1};
    DEFER(testing_dirp) char *dir = testing_dir();
    DEFER(file_freep) char *path = file_join(dir, name);
    testing_write(path, bytes);
    const struct status s = import_file(path, o == NULL ? &none : o, diag, ret_table);
    cut_folder(diag, dir);
    return s;
}

struct table *
sample_csv(const char *text, const struct import_options *o)
{
    struct table *t = NULL;
    struct diag diag = {0};
    const struct status s = sample_import("t.csv", view_str(text), o, &diag, &t);
    if (!status_ok(s)) {
        print_error("%s\n", diag.text);
    }
    assert_ok(s);
    return t;
}

void
sample_refused(const char *name, struct view bytes, const struct import_options *o, int32_t code,
               const char *part, const char *file, int line)
{
    struct table *t = NULL;
    struct diag diag = {0};
    const struct status s = sample_import(name, bytes, o, &diag, &t);
    const bool untouched = t == NULL;
    table_free(t);
    testing_status(s, code, "import", file, line);
    testing_says(diag.text, part, file, line);
    assert_true(untouched);
}

const struct column *
sample_column(const struct table *t, const char *name)
{
    const struct column *c = table_column(t, name);
    assert_non_null(c);
    return c;
}

void
sample_cell(const struct table *t, const char *name, uint64_t row, const char *text,
            const char *file, int line)
{
    const struct column *c = sample_column(t, name);
    DEFER(buf_done) struct buf b;
    buf_init(&b, 1u << 20);
    column_put_text(c, row, &b);
    const bool null = column_is_null(c, row);
    if (null != (text == NULL) || (text != NULL && strcmp(buf_str(&b), text) != 0)) {
        print_error("column %s row %llu is %s, not %s\n", name, (unsigned long long)row,
                    null ? "null" : buf_str(&b), text == NULL ? "null" : text);
        _fail(file, line);
    }
}
