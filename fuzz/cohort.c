/* A cohort's condition: refused with a sentence that quotes no value of the table, or an answer for
 * each row; no row is both in it and in its negation. */
#include "data/cohort.h"
#include "base/file.h"
#include "base/text.h"
#include "data/import.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ROWS 5u

static const char people[] = "age,sex,Note,score,when,single,select\n"
                             "41,F,xanadu,0.5,2020-01-01,yes,1\n"
                             "50,M,xan%du,-0.5,2021-01-01 10:00:00,no,2\n"
                             ",F,,0.9,,yes,3\n"
                             "-9223372036854775807,M,it's,1e308,1969-12-31,no,4\n"
                             "18,,7,-1e-308,9999-12-31,yes,5\n";
static struct table *table;

static void
set_up(void)
{
    static const struct import_override note = {
        .column = "Note", .has_type = true, .type = COLUMN_TEXT};
    const struct import_options o = {.overrides = &note, .override_count = 1, .threads = 1};
    struct diag diag = {0};
    char dir[] = "/tmp/steward-fuzz-XXXXXX";
    ASSERT(mkdtemp(dir) != NULL);
    DEFER(file_freep) char *path = file_join(dir, "people.csv");
    ASSERT(status_ok(file_replace(path, view_str(people), 0600, NULL)));
    ASSERT(status_ok(import_file(path, &o, &diag, &table)) && table->rows == ROWS);
    (void)unlink(path);
    (void)rmdir(dir);
}

static bool
selects(const char *predicate, uint8_t in[static ROWS])
{
    struct diag diag = {0};
    memset(in, 7, ROWS);
    DEFER(outcome_done)
    struct outcome o = {.table = table,
                        .label = table_column(table, "single"),
                        .score = table_column(table, "score")};
    const struct status s = cohort_select(table, &o, predicate, &diag, in, NULL);
    for (unsigned i = 0; i < ROWS; i++) {
        ASSERT(status_ok(s) ? in[i] <= 1 : in[i] == 7);
    }
    if (!status_ok(s)) {
        ASSERT((s.code == STATUS_INPUT || s.code == STATUS_LIMIT) && diag.text[0] != '\0');
        ASSERT(strstr(diag.text, "xan") == NULL ||
               strcasestr(predicate, "xan") != NULL); /* functions come in lower case */
    }
    return status_ok(s);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t in[ROWS], out[ROWS];
    if (table == NULL) {
        set_up();
    }
    DEFER(buf_done) struct buf predicate;
    DEFER(buf_done) struct buf negation;
    buf_init(&predicate, 1u << 20);
    buf_init(&negation, 1u << 20);
    buf_put(&predicate, view_of(data, size));
    buf_printf(&negation, "not (\n%s\n)", buf_str(&predicate));
    if (selects(buf_str(&predicate), in) && selects(buf_str(&negation), out)) {
        for (unsigned i = 0; i < ROWS; i++) {
            ASSERT(in[i] + out[i] <= 1);
        }
    }
    return 0;
}
