/* Persons of a dataset: each has a key, and erasing one destroys it. */
#include "testing/cut.h"
#include "testing/schema.h"
#include "testing/testing.h"
#include "workspace/log_says.h"

#include "base/file.h"
#include "base/secret.h"
#include "data/subject_table.h"
#include "vault/seal.h"
#include "vault/subjects.h"
#include "workspace/backup.h"
#include "workspace/dataset_subjects.h"
#include "workspace/datasets.h"
#include "workspace/erasure.h"
#include "workspace/erasure_replay.h"
#include "workspace/keys.h"
#include "workspace/models.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PASSPHRASE "a passphrase"
#define SLOT 128u
#define ROWS 60u
#define PERSONS 12u
#define WHO "zoe-schmidt-03" /* person 3 */

static char *dir, *model, *home, *csv;

/* ---- a workspace with two versions of a dataset about persons ---- */

static struct workspace *
open_at(const char *at)
{
    struct secret passphrase = {0};
    struct workspace *w = NULL;
    struct diag diag = {0};
    assert_ok(secret_from(view_str(PASSPHRASE), &passphrase));
    const struct workspace_open_options o = {.passphrase = &passphrase};
    const struct status s = workspace_open(at, &o, &diag, &w);
    if (!status_ok(s)) {
        print_error("%s\n", diag.text);
    }
    assert_ok(s);
    secret_done(&passphrase);
    return w;
}

static void
put_person(unsigned p, char ret_text[static 32])
{
    (void)snprintf(ret_text, 32, "zoe-schmidt-%02u", p);
}

/* Person row % PERSONS; only WHO has the job "astronaut"; nulls here and there. */
static void
write_csv(const char *path)
{
    DEFER(buf_done) struct buf b;
    buf_init(&b, 1u << 20);
    buf_put_str(&b, "who,deny,income,age,job,note,when\n");
    for (unsigned i = 0; i < ROWS; i++) {
        char who[32];
        put_person(i % PERSONS, who);
        buf_printf(&b, "%s,%s,%.3f,%s,%s,", who, i % 3 == 0 ? "yes" : "no", 1000.5 + i,
                   i % 7 == 0   ? ""
                   : i % 2 == 0 ? "41"
                                : "29",
                   i % PERSONS == 3 ? "astronaut"
                   : i % 2 == 0     ? "baker"
                                    : "smith");
        buf_printf(&b, "%s,2024-02-%02u\n", i % 5 == 0 ? "" : "said so", 1 + i % 28);
    }
    testing_write(path, buf_view(&b));
}

static const struct import_override texts[] = {
    {.column = "note", .has_type = true, .type = COLUMN_TEXT},
    {.column = "who", .has_type = true, .type = COLUMN_TEXT}};

static struct status
add(struct workspace *w, const char *name, const char *subject, struct diag *diag)
{
    const struct import_options o = {
        .label = "deny", .subject = subject, .overrides = texts, .override_count = 2, .threads = 1};
    struct dataset_info info;
    return dataset_add(w, name, csv, &o, diag, &info);
}

static int
set_up_all(void **state)
{
    (void)state;
    DEFER(secret_done) struct secret passphrase = {0};
    if (access("/dev/shm", W_OK) == 0) {
        (void)setenv("TMPDIR", "/dev/shm", 1);
    }
    dir = testing_dir();
    model = file_join(dir, "model");
    home = file_join(dir, "home");
    csv = file_join(dir, "people.csv");
    write_csv(csv);
    assert_ok(secret_from(view_str(PASSPHRASE), &passphrase));
    const struct workspace_init_options init = {.passphrase = &passphrase};
    assert_ok(workspace_init(model, &init, NULL));
    struct workspace *w = open_at(model);
    assert_ok(add(w, "people", "who", NULL));
    assert_ok(add(w, "people", "who", NULL));
    assert_ok(add(w, "plain", NULL, NULL));
    workspace_close(w);
    return 0;
}

static int
tear_down_all(void **state)
{
    (void)state;
    free(model);
    free(home);
    free(csv);
    testing_dirp(&dir);
    return 0;
}

static int
set_up(void **state)
{
    (void)state;
    testing_copy_dir(model, home);
    return 0;
}

static struct table *
load(struct workspace *w, uint64_t version)
{
    struct table *t = NULL;
    struct dataset_info info;
    struct diag diag = {0};
    const struct status s = dataset_load(w, "people", version, &diag, &t, &info);
    if (!status_ok(s)) {
        print_error("%s\n", diag.text);
    }
    assert_ok(s);
    return t;
}

static struct status
erase(struct workspace *w, const char *who, struct diag *diag, json_t **ret_answer)
{
    const struct view value = view_str(who);
    return erasure_run(w, "people", &value, 1, diag, ret_answer);
}

static void
erase_now(struct workspace *w, const char *who)
{
    struct diag diag = {0};
    DEFER(js_freep) json_t *answer = NULL;
    const struct status s = erase(w, who, &diag, &answer);
    if (!status_ok(s)) {
        print_error("%s\n", diag.text);
    }
    assert_ok(s);
}

/* Every cell that is left is the import's; gone: the one who is not there, or PERSONS. */
static void
assert_rows(struct workspace *w, uint64_t version, unsigned gone)
{
    struct table *plain = NULL;
    struct dataset_info info;
    assert_ok(dataset_load(w, "plain", 1, NULL, &plain, &info));
    struct table *t = load(w, version);
    const uint64_t lost = gone < PERSONS ? ROWS / PERSONS : 0;
    uint64_t row = 0;
    assert_int_equal(t->rows, ROWS - lost);
    assert_int_equal(t->erased, lost);
    for (uint64_t i = 0; i < ROWS; i++) {
        if (i % PERSONS == gone) {
            continue;
        }
        assert_int_equal(table_row_number(t, row), i + 1);
        for (uint32_t k = 0; k < t->column_count; k++) {
            DEFER(buf_done) struct buf a;
            DEFER(buf_done) struct buf b;
            buf_init(&a, 256);
            buf_init(&b, 256);
            assert_int_equal(t->columns[k].type, plain->columns[k].type);
            column_put_text(&t->columns[k], row, &a);
            column_put_text(&plain->columns[k], i, &b);
            assert_string_equal(buf_str(&a), buf_str(&b));
        }
        row++;
    }
    table_free(t);
    table_free(plain);
}

static char *
at_home(const char *relative)
{
    return file_join(home, relative);
}

static void
change_byte(const char *relative, size_t at, uint8_t by)
{
    DEFER(file_freep) char *path = at_home(relative);
    DEFER(buf_done) struct buf bytes;
    testing_read(path, &bytes);
    assert_true(at < bytes.len);
    bytes.ptr[at] ^= by;
    testing_write(path, buf_view(&bytes));
}

static uint32_t
slot_of(struct workspace *w, const char *who)
{
    DEFER(dataset_subjects_done) struct dataset_subjects s = {0};
    struct digest hash;
    uint32_t slot = 0;
    assert_ok(dataset_subjects_open(w, "people", NULL, &s));
    assert_ok(dataset_subjects_hash(w, "people", view_str(who), &hash));
    assert_true(subjects_find(s.keys, &hash, &slot));
    return slot;
}

static bool
slot_is_empty(uint32_t slot)
{
    static const uint8_t zeros[SLOT - 32];
    DEFER(file_freep) char *path = at_home("subjects/people.slots");
    DEFER(buf_done) struct buf bytes;
    testing_read(path, &bytes);
    return memcmp(bytes.ptr + SLOT * (1 + slot) + 32, zeros, sizeof zeros) == 0;
}

/* ---- misuse ---- */

static void
refuses_what_is_no_subject(void **state)
{
    (void)state;
    struct workspace *w = open_at(home);
    static const struct {
        const char *column, *says;
    } wrong[] = {{"whom", "no column \"whom\""},
                 {"deny", "\"deny\" cannot be the subject and the label too"},
                 {"note", "12 rows have no value, the first is row 1; every row needs whom"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct diag diag = {0};
        assert_status(add(w, "other", wrong[i].column, &diag), INPUT);
        assert_says(&diag, wrong[i].says);
    }
    workspace_close(w);
}

static void
refuses_versions_with_persons_beside_versions_without(void **state)
{
    (void)state;
    struct workspace *w = open_at(home);
    struct diag diag = {0};
    assert_status(add(w, "people", NULL, &diag), INPUT);
    assert_says(&diag, "its versions are with a subject column");
    assert_status(add(w, "plain", "who", &diag), INPUT);
    assert_says(&diag, "its versions are without a subject column");
    workspace_close(w);
}

static void
refuses_to_erase_who_is_not_there(void **state)
{
    (void)state;
    struct workspace *w = open_at(home);
    struct diag diag = {0};
    json_t *answer = NULL;
    const struct view who = view_str(WHO);
    assert_status(erase(w, "zoe-schmidt-3", &diag, &answer), NOT_FOUND);
    assert_says(&diag, "nobody of that name in the subject column");
    assert_null(strstr(diag.text, "zoe"));
    assert_status(erasure_run(w, "plain", &who, 1, &diag, &answer), INPUT);
    assert_says(&diag, "has no subject column");
    assert_status(erasure_run(w, "nothing", &who, 1, &diag, &answer), NOT_FOUND);
    assert_status(erasure_run(w, "../people", &who, 1, &diag, &answer), INPUT);
    assert_rows(w, 1, PERSONS);
    workspace_close(w);
}

/* What of a list is not as it was written is damage, and not an erasure. */
static void
refuses_a_changed_list(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        size_t at;
    } places[] = {{"subjects/people.key", 0},
                  {"subjects/people.key", 80},
                  {"subjects/people.slots", 0},
                  {"subjects/people.slots", 20},
                  {"subjects/people.slots", SLOT},
                  {"subjects/people.slots", 3 * SLOT + 31},
                  {"subjects/people.slots", 3 * SLOT + 32},
                  {"subjects/people.slots", 4 * SLOT + 60},
                  {"subjects/people.slots", 4 * SLOT + 91}};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        testing_copy_dir(model, home);
        change_byte(places[i].file, places[i].at, 1);
        struct workspace *w = open_at(home);
        struct table *t = NULL;
        struct dataset_info info;
        struct diag diag = {0};
        assert_status(dataset_load(w, "people", 0, &diag, &t, &info), INTEGRITY);
        assert_true(diag.text[0] != '\0');
        workspace_close(w);
    }
}

static void
refuses_a_list_that_is_cut_mixed_up_or_gone(void **state)
{
    (void)state;
    DEFER(file_freep) char *slots = at_home("subjects/people.slots");
    DEFER(file_freep) char *key = at_home("subjects/people.key");
    DEFER(buf_done) struct buf bytes;
    testing_read(slots, &bytes);
    for (unsigned how = 0; how < 5; how++) {
        testing_copy_dir(model, home);
        if (how == 0) {
            testing_write(slots, view_of(bytes.ptr, bytes.len - SLOT));
        } else if (how == 1) { /* two persons' keys change places */
            uint8_t kept[SLOT - 32];
            memcpy(kept, bytes.ptr + SLOT + 32, sizeof kept);
            memcpy(bytes.ptr + SLOT + 32, bytes.ptr + 2 * SLOT + 32, sizeof kept);
            memcpy(bytes.ptr + 2 * SLOT + 32, kept, sizeof kept);
            testing_write(slots, buf_view(&bytes));
        } else if (how == 2) { /* emptied, and nobody was erased */
            memset(bytes.ptr + 2 * SLOT + 32, 0, SLOT - 32);
            testing_write(slots, buf_view(&bytes));
        } else {
            assert_int_equal(unlink(how == 3 ? slots : key), 0);
        }
        struct workspace *w = open_at(home);
        struct table *t = NULL;
        struct dataset_info info;
        struct diag diag = {0};
        assert_status(dataset_load(w, "people", 0, &diag, &t, &info), INTEGRITY);
        assert_status(add(w, "people", "who", &diag), INTEGRITY);
        workspace_close(w);
    }
}

/* An old file does not bring back whom somebody had erased. */
static void
refuses_rows_of_the_erased(void **state)
{
    (void)state;
    struct workspace *w = open_at(home);
    struct diag diag = {0};
    erase_now(w, WHO);
    assert_status(add(w, "people", "who", &diag), INPUT);
    assert_says(&diag, "5 rows are of persons whose data was erased from dataset people: rows 4, "
                       "16, 28, 40, 52");
    assert_null(strstr(diag.text, "zoe"));
    assert_rows(w, 2, 3);
    assert_ok(add(w, "people-again", "who", NULL));
    workspace_close(w);
}

/* ---- what is read ---- */

static void
reads_what_was_added(void **state)
{
    (void)state;
    struct workspace *w = open_at(home);
    assert_rows(w, 1, PERSONS);
    assert_rows(w, 2, PERSONS);
    struct table *t = load(w, 0);
    const struct column *who = table_subject(t);
    assert_non_null(who);
    assert_string_equal(who->name, "who");
    assert_false(who->is_feature);
    table_free(t);
    workspace_close(w);
}

/* In both versions; who is left keeps their number. */
static void
erases_one_person_in_every_version(void **state)
{
    (void)state;
    struct workspace *w = open_at(home);
    const uint32_t slot = slot_of(w, WHO);
    struct diag diag = {0};
    DEFER(js_freep) json_t *answer = NULL;
    assert_false(slot_is_empty(slot));
    assert_ok(erase(w, WHO, &diag, &answer));
    assert_int_equal(json_integer_value(json_object_get(answer, "erased")), 1);
    assert_int_equal(json_integer_value(json_object_get(answer, "rows")), 10);
    assert_int_equal(json_array_size(json_object_get(answer, "versions")), 2);
    assert_true(slot_is_empty(slot));
    assert_rows(w, 1, 3);
    assert_rows(w, 2, 3);
    workspace_close(w);
    w = open_at(home);
    assert_rows(w, 2, 3);
    workspace_close(w);
}

/* A level that only the erased had is nowhere: not in the rows' levels, not in the record. */
static void
forgets_levels_that_only_the_erased_had(void **state)
{
    (void)state;
    struct workspace *w = open_at(home);
    DEFER(js_freep) json_t *record = NULL;
    DEFER(buf_done) struct buf text;
    buf_init(&text, 1u << 20);
    assert_ok(dataset_describe(w, "people", 0, NULL, &record));
    assert_ok(js_put(&text, record));
    assert_null(strstr(buf_str(&text), "astronaut"));
    assert_null(strstr(buf_str(&text), "baker"));
    struct table *t = load(w, 0);
    assert_int_equal(table_column(t, "job")->level_count, 3);
    table_free(t);
    erase_now(w, WHO);
    t = load(w, 0);
    assert_int_equal(table_column(t, "job")->level_count, 2);
    assert_string_equal(table_column(t, "job")->levels[0], "baker");
    table_free(t);
    workspace_close(w);
}

static void
says_so_when_somebody_was_erased_already(void **state)
{
    (void)state;
    struct workspace *w = open_at(home);
    struct diag diag = {0};
    const struct view who[] = {view_str("zoe-schmidt-05"), view_str(WHO), view_str("nobody"),
                               view_str("zoe-schmidt-05")};
    static const char *const states[] = {"erased", "already", "unknown", "already"};
    DEFER(js_freep) json_t *answer = NULL;
    erase_now(w, WHO);
    assert_ok(erasure_run(w, "people", who, 4, &diag, &answer));
    for (size_t i = 0; i < 4; i++) {
        const json_t *one = json_array_get(json_object_get(answer, "subjects"), i);
        assert_string_equal(json_string_value(json_object_get(one, "state")), states[i]);
    }
    assert_int_equal(json_integer_value(json_object_get(answer, "rows")), 10);
    DEFER(js_freep) json_t *said = NULL;
    assert_ok(dataset_subjects_describe(w, "people", NULL, &said));
    assert_int_equal(json_integer_value(json_object_get(said, "erased")), 2);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(said, "rows_erased"), "1")),
                     10);
    workspace_close(w);
}

static void
tells_when_everybody_was_erased(void **state)
{
    (void)state;
    struct workspace *w = open_at(home);
    struct view who[PERSONS];
    char names[PERSONS][32];
    struct diag diag = {0};
    struct table *t = NULL;
    struct dataset_info info;
    DEFER(js_freep) json_t *answer = NULL;
    for (unsigned p = 0; p < PERSONS; p++) {
        put_person(p, names[p]);
        who[p] = view_str(names[p]);
    }
    assert_ok(erasure_run(w, "people", who, PERSONS, &diag, &answer));
    assert_status(dataset_load(w, "people", 0, &diag, &t, &info), INPUT);
    assert_says(&diag, "all 60 rows are of persons who were erased");
    workspace_close(w);
}

/* Who is left stays in the part of the split that they were in; the answer names the model. */
static void
keeps_the_parts_of_a_split(void **state)
{
    (void)state;
    struct workspace *w = open_at(home);
    struct model_train_options o = {.dataset = "people", .split = 0.6, .seed = 5};
    struct model *m = NULL;
    struct diag diag = {0};
    uint8_t before[ROWS], after[ROWS];
    train_defaults(&o.train);
    o.train.rounds = 2;
    const struct status trained = model_train(w, "m", &o, &diag, &m);
    if (!status_ok(trained)) {
        print_error("%s\n", diag.text);
    }
    assert_ok(trained);
    struct table *t = NULL;
    struct dataset_info info;
    DEFER(js_freep) json_t *answer = NULL;
    assert_ok(dataset_load(w, "people", 2, NULL, &t, &info));
    assert_ok(model_select(m, &info, t, PART_TEST, NULL, before));
    table_free(t);
    assert_ok(erase(w, WHO, &diag, &answer));
    const json_t *models = json_object_get(answer, "models");
    assert_int_equal(json_array_size(models), 1);
    assert_string_equal(json_string_value(json_object_get(json_array_get(models, 0), "model")),
                        "m");
    assert_ok(dataset_load(w, "people", 2, NULL, &t, &info));
    assert_int_equal(info.erased_rows, 5);
    assert_ok(model_select(m, &info, t, PART_TEST, NULL, after));
    for (uint64_t i = 0; i < t->rows; i++) {
        assert_int_equal(after[i], before[table_row_number(t, i) - 1]);
    }
    table_free(t);
    model_free(m);
    workspace_close(w);
}

/* ---- old copies ---- */

/* A person's sealed rows in a version's plain bytes: their place is told by the open index. */
struct segment {
    uint32_t slot;
    uint64_t at, length;
    bool found;
};

static void
find_segment(struct view bytes, struct segment *s)
{
    uint32_t persons = 0;
    size_t head = 0;
    /* The index ends where the sealed rows begin: its entries count up to the end. */
    for (head = 8; head + 4 < bytes.len && persons == 0; head++) {
        struct reader r = reader_of(view_of(bytes.ptr + head, bytes.len - head));
        const uint32_t n = reader_u32le(&r);
        uint64_t rows = 0, length = 0;
        for (uint32_t i = 0; n == PERSONS && i < n; i++) {
            (void)reader_u32le(&r);
            rows += reader_u32le(&r);
            length += reader_u64le(&r);
        }
        persons = rows == ROWS && length == reader_left(&r) ? n : 0;
        head -= persons > 0;
    }
    assert_int_equal(persons, PERSONS);
    struct reader r = reader_of(view_of(bytes.ptr + head + 4, bytes.len - head - 4));
    uint64_t at = head + 4 + (uint64_t)persons * 16;
    for (uint32_t i = 0; i < persons; i++) {
        const uint32_t slot = reader_u32le(&r);
        (void)reader_u32le(&r);
        const uint64_t length = reader_u64le(&r);
        if (slot == s->slot) {
            s->at = at;
            s->length = length;
            s->found = true;
        }
        at += length;
    }
    assert_true(s->found);
}

/* How many of the keys of a list open that segment as that version's. */
static unsigned
keys_that_open(struct workspace *w, const char *base, uint64_t version, struct view sealed)
{
    struct subjects *keys = NULL;
    unsigned opened = 0;
    assert_ok(subjects_open(w->vault, base, "people", NULL, &keys));
    for (uint32_t slot = 0; slot < subjects_count(keys); slot++) {
        for (uint32_t as = 0; as < subjects_count(keys); as++) {
            DEFER(buf_done) struct buf plain;
            char bound[64];
            buf_init(&plain, 1u << 20);
            (void)snprintf(bound, sizeof bound, "steward subject rows v1\npeople\n%llu\n%u",
                           (unsigned long long)version, as);
            const struct status s = subjects_unseal(keys, slot, view_str(bound), sealed, &plain);
            opened += status_ok(s);
        }
    }
    subjects_free(keys);
    return opened;
}

/* The old sealed object opens with the workspace's key; the person's rows in it with none that
 * there is. With the list as it was before the erasure they do: so the list is what must not be
 * kept. */
static void
no_key_of_the_workspace_opens_an_old_copy(void **state)
{
    (void)state;
    DEFER(file_freep) char *object = at_home("objects/dataset/people/1.sealed");
    DEFER(file_freep) char *old = file_join(dir, "old.sealed");
    DEFER(file_freep) char *list = at_home("subjects/people");
    DEFER(file_freep) char *old_list = file_join(dir, "old-people");
    static const char *const ends[] = {".key", ".slots"};
    DEFER(buf_done) struct buf copy;
    DEFER(buf_done) struct buf bytes;
    testing_read(object, &copy);
    testing_write(old, buf_view(&copy));
    for (size_t i = 0; i < 2; i++) {
        DEFER(buf_done) struct buf part;
        char from[600], to[600];
        (void)snprintf(from, sizeof from, "%s%s", list, ends[i]);
        (void)snprintf(to, sizeof to, "%s%s", old_list, ends[i]);
        testing_read(from, &part);
        testing_write(to, buf_view(&part));
    }
    struct workspace *w = open_at(home);
    struct segment s = {.slot = slot_of(w, WHO)};
    erase_now(w, WHO);
    buf_init(&bytes, 1u << 20);
    assert_ok(seal_open_file(w->vault, old, (struct seal_id){"dataset", "people", 1}, 1u << 20,
                             NULL, &bytes));
    find_segment(buf_view(&bytes), &s);
    const struct view sealed = view_of(bytes.ptr + s.at, (size_t)s.length);
    assert_int_equal(keys_that_open(w, list, 1, sealed), 0);
    assert_int_equal(keys_that_open(w, old_list, 1, sealed), 1);
    /* Put back, the old object is the same version, without the rows. */
    testing_write(object, buf_view(&copy));
    assert_rows(w, 1, 3);
    workspace_close(w);
}

/* An old list put back: the store says who is erased, and the next change destroys them again. */
static void
an_old_list_put_back_brings_nobody_back(void **state)
{
    (void)state;
    DEFER(file_freep) char *slots = at_home("subjects/people.slots");
    DEFER(buf_done) struct buf old;
    testing_read(slots, &old);
    struct workspace *w = open_at(home);
    const uint32_t slot = slot_of(w, WHO);
    erase_now(w, WHO);
    testing_write(slots, buf_view(&old));
    assert_false(slot_is_empty(slot));
    assert_rows(w, 1, 3);
    erase_now(w, "zoe-schmidt-05");
    assert_true(slot_is_empty(slot));
    workspace_close(w);
}

static struct status
holds_no_name(void *ctx, uint64_t index, struct view entry)
{
    (void)index;
    unsigned *seen = ctx;
    assert_null(memmem(entry.ptr, entry.len, "zoe", 3));
    *seen += memmem(entry.ptr, entry.len, "\"dataset.erase\"", 15) != NULL;
    return OK;
}

static void
no_entry_has_a_persons_name(void **state)
{
    (void)state;
    struct workspace *w = open_at(home);
    unsigned seen = 0;
    erase_now(w, WHO);
    struct diag diag = {0};
    json_t *answer = NULL;
    assert_status(erase(w, "zoe-nobody", &diag, &answer), NOT_FOUND);
    workspace_close(w);
    DEFER(file_freep) char *audit = at_home("audit");
    assert_ok(audit_each(audit, 0, UINT64_MAX, holds_no_name, &seen, NULL));
    assert_int_equal(seen, 3 + 2);
    DEFER(js_freep) json_t *actions = json_object();
    assert_true(schema_check_log(audit, actions) > 0);
    assert_non_null(json_object_get(actions, "dataset.erase"));
}

/* ---- cut off ---- */

static void
erase_here(void *ctx)
{
    struct workspace *w = open_at(ctx);
    (void)raise(SIGUSR1);
    DEFER(js_freep) json_t *answer = NULL;
    const struct status ignored = erase(w, WHO, NULL, &answer);
    (void)ignored;
    workspace_close(w);
}

/* At every point the dataset opens, with the person or without; again, and it is done. */
static void
goes_on_wherever_it_was_cut_off(void **state)
{
    (void)state;
    unsigned n = 1, with = 0, without = 0;
    for (bool cut = true, traced = true; cut; n++) {
        testing_copy_dir(model, home);
        cut = testing_cut_before(n, erase_here, home, &traced);
        if (!traced) {
            print_message("# SKIP: no process can be traced here\n");
            skip();
        }
        struct workspace *w = open_at(home);
        const uint32_t slot = slot_of(w, WHO);
        struct table *t = load(w, 1);
        const bool there = t->erased == 0;
        table_free(t);
        with += there;
        without += !there;
        assert_rows(w, 1, there ? PERSONS : 3);
        assert_false(there && slot_is_empty(slot));
        erase_now(w, WHO);
        assert_true(slot_is_empty(slot));
        assert_rows(w, 1, 3);
        assert_rows(w, 2, 3);
        workspace_close(w);
    }
    assert_true(with > 2 && without > 2);
}

static void
add_here(void *ctx)
{
    struct workspace *w = open_at(ctx);
    (void)raise(SIGUSR1);
    const struct status ignored = add(w, "fresh", "who", NULL);
    (void)ignored;
    workspace_close(w);
}

static void
adds_after_an_addition_was_cut_off(void **state)
{
    (void)state;
    unsigned n = 1;
    for (bool cut = true, traced = true; cut; n += 7) {
        struct diag diag = {0};
        struct table *t = NULL;
        struct dataset_info info;
        testing_copy_dir(model, home);
        cut = testing_cut_before(n, add_here, home, &traced);
        if (!traced) {
            print_message("# SKIP: no process can be traced here\n");
            skip();
        }
        struct workspace *w = open_at(home);
        const struct status added = add(w, "fresh", "who", &diag);
        if (!status_ok(added)) {
            print_error("cut before call %u: %s\n", n, diag.text);
        }
        assert_ok(added);
        assert_ok(dataset_load(w, "fresh", 0, &diag, &t, &info));
        assert_int_equal(t->rows, ROWS);
        table_free(t);
        DEFER(js_freep) json_t *said = NULL;
        assert_ok(dataset_subjects_describe(w, "fresh", NULL, &said));
        assert_int_equal(json_integer_value(json_object_get(said, "persons")), PERSONS);
        workspace_close(w);
    }
    assert_true(n > 15);
}

/* A write that the disk tore: the slot opens no more, and erasing goes on. */
static void
lives_with_a_slot_that_was_half_overwritten(void **state)
{
    (void)state;
    DEFER(file_freep) char *slots = at_home("subjects/people.slots");
    DEFER(buf_done) struct buf old;
    testing_read(slots, &old);
    struct workspace *w = open_at(home);
    const uint32_t slot = slot_of(w, WHO);
    erase_now(w, WHO);
    memset(old.ptr + SLOT * (1 + slot) + 32, 0, 30);
    testing_write(slots, buf_view(&old));
    assert_rows(w, 1, 3);
    erase_now(w, WHO);
    assert_true(slot_is_empty(slot));
    workspace_close(w);
}

static void
goes_on_after_the_disk_was_full(void **state)
{
    (void)state;
    testing_need_small_disk();
    DEFER(file_freep) char *disk = file_join(dir, "disk");
    DEFER(file_freep) char *at = file_join(disk, "home");
    assert_ok(file_mkdirs(disk, 0700, NULL));
    assert_true(testing_small_disk(disk, (size_t)3 << 20));
    size_t refused = 0;
    for (size_t left = 0; left <= 96 << 10; left += 8 << 10) {
        struct diag diag = {0};
        json_t *answer = NULL;
        DEFER(file_freep) char *filler = file_join(disk, "filler");
        (void)unlink(filler);
        testing_copy_dir(model, at);
        struct workspace *w = open_at(at);
        testing_leave_free(disk, left);
        const struct status s = erase(w, WHO, &diag, &answer);
        refused += !status_ok(s);
        js_freep(&answer);
        (void)unlink(filler);
        workspace_close(w);
        w = open_at(at);
        struct table *t = load(w, 1);
        assert_true(t->erased == (status_ok(s) ? 5 : 0) || !status_ok(s));
        table_free(t);
        erase_now(w, WHO);
        assert_rows(w, 1, 3);
        workspace_close(w);
    }
    testing_small_disk_done(disk);
    assert_true(refused > 0);
}

/* ---- rotation, backup ---- */

/* The list's key is re-wrapped; copies of it from before are under a generation that is gone. */
static void
a_rotation_takes_the_lists_along(void **state)
{
    (void)state;
    DEFER(file_freep) char *key = at_home("subjects/people.key");
    DEFER(file_freep) char *list = at_home("subjects/people");
    DEFER(buf_done) struct buf old;
    struct keys_result r;
    struct subjects *keys = NULL;
    testing_read(key, &old);
    struct workspace *w = open_at(home);
    erase_now(w, WHO);
    assert_ok(keys_rotate(w, NULL, NULL, &r));
    assert_rows(w, 1, 3);
    workspace_close(w);
    w = open_at(home);
    assert_rows(w, 2, 3);
    testing_write(key, buf_view(&old));
    assert_status(subjects_open(w->vault, list, "people", NULL, &keys), INTEGRITY);
    workspace_close(w);
}

/* A backup has the keys of its time, and says of how many; restored, the same person is erased
 * again by the same hash. */
static void
a_backup_from_before_an_erasure_has_the_person(void **state)
{
    (void)state;
    DEFER(file_freep) char *file = file_join(dir, "backup");
    DEFER(file_freep) char *place = file_join(dir, "place");
    DEFER(secret_done) struct secret passphrase = {0};
    DEFER(js_freep) json_t *manifest = NULL;
    DEFER(js_freep) json_t *first = NULL;
    DEFER(js_freep) json_t *again = NULL;
    struct diag diag = {0};
    assert_ok(secret_from(view_str(PASSPHRASE), &passphrase));
    struct workspace *w = open_at(home);
    erase_now(w, "zoe-schmidt-05");
    assert_ok(backup_create(w, file, NULL, &diag, &manifest));
    assert_int_equal(json_integer_value(json_object_get(manifest, "persons")), PERSONS - 1);
    assert_ok(erase(w, WHO, &diag, &first));
    workspace_close(w);
    js_freep(&manifest);
    struct backup_erasures forgone = {.forgone = true};
    const struct status restored =
        backup_restore(file, place, &passphrase, &forgone, NULL, &diag, &manifest);
    if (!status_ok(restored)) {
        print_error("%s\n", diag.text);
    }
    assert_ok(restored);
    w = open_at(place);
    struct table *t = load(w, 1);
    assert_int_equal(t->erased, 5); /* the one from before */
    table_free(t);
    assert_ok(erase(w, WHO, &diag, &again));
    assert_true(json_equal(json_object_get(first, "subjects"), json_object_get(again, "subjects")));
    workspace_close(w);
    assert_int_equal(unlink(file), 0);
}

/* A backup of the home, WHO and another erased after it, and the home's log as it went on. */
struct restoring {
    char *file, *place, *log, *old_log;
    struct secret passphrase;
};

static void
restoring_done(struct restoring *r)
{
    (void)unlink(r->file);
    testing_remove(r->place);
    free(r->file);
    free(r->place);
    free(r->log);
    free(r->old_log);
    secret_done(&r->passphrase);
}

static void
make_restoring(struct restoring *ret)
{
    struct diag diag = {0};
    DEFER(js_freep) json_t *manifest = NULL;
    *ret = (struct restoring){.file = file_join(dir, "backup"),
                              .place = file_join(dir, "place"),
                              .log = file_join(home, "audit"),
                              .old_log = file_join(dir, "old-log")};
    assert_ok(secret_from(view_str(PASSPHRASE), &ret->passphrase));
    testing_remove(ret->place);
    struct workspace *w = open_at(home);
    erase_now(w, "zoe-schmidt-05");
    assert_ok(audit_publish(w->audit, &diag));
    testing_copy_dir(ret->log, ret->old_log);
    assert_ok(backup_create(w, ret->file, NULL, &diag, &manifest));
    erase_now(w, WHO);
    erase_now(w, "zoe-schmidt-07");
    workspace_close(w);
}

static struct status
restore(const struct restoring *r, struct backup_erasures *erasures, struct diag *diag)
{
    DEFER(js_freep) json_t *manifest = NULL;
    return backup_restore(r->file, r->place, &r->passphrase, erasures, NULL, diag, &manifest);
}

static void
who_was_erased_stays_erased_in_what_is_restored(void **state)
{
    (void)state;
    DEFER(restoring_done) struct restoring r = {0};
    struct diag diag = {0};
    struct backup_erasures by_log = {0};
    make_restoring(&r);
    by_log.log = r.log;
    assert_ok(restore(&r, &by_log, &diag));
    assert_int_equal(by_log.named, 3);
    assert_int_equal(by_log.erased, 2); /* the first was so in the backup */
    struct workspace *w = open_at(r.place);
    struct table *t = load(w, 1);
    assert_int_equal(t->erased, 15); /* three persons' rows, and everybody else's are there */
    table_free(t);
    DEFER(js_freep) json_t *answer = NULL;
    assert_ok(erase(w, WHO, &diag, &answer));
    assert_int_equal(json_integer_value(json_object_get(answer, "already")), 1);
    /* The list has no keys of theirs, whatever the store says. */
    struct dataset_subjects s = {0};
    assert_ok(dataset_subjects_open(w, "people", &diag, &s));
    const char *const gone[] = {WHO, "zoe-schmidt-05", "zoe-schmidt-07"};
    for (size_t i = 0; i < 3; i++) {
        struct digest hash;
        uint32_t slot = 0;
        assert_ok(dataset_subjects_hash(w, "people", view_str(gone[i]), &hash));
        assert_true(subjects_find(s.keys, &hash, &slot));
        assert_true(subjects_is_destroyed(s.keys, slot));
    }
    dataset_subjects_done(&s);
    workspace_close(w);
}

static void
a_backup_with_persons_is_not_restored_without_a_word_about_erasures(void **state)
{
    (void)state;
    DEFER(restoring_done) struct restoring r = {0};
    DEFER(file_freep) char *changed = NULL, *checkpoint = NULL;
    struct diag diag = {0};
    struct backup_erasures silent = {0}, early = {0}, wrong = {0}, none = {.log = "/nonexistent"};
    make_restoring(&r);
    assert_status(restore(&r, &silent, &diag), INPUT);
    assert_says(&diag, "--erasures LOG");
    early.log = r.old_log;
    assert_status(restore(&r, &early, &diag), INPUT);
    assert_says(&diag, "before the backup was made");
    assert_false(status_ok(restore(&r, &none, &diag)));
    assert_says(&diag, "/nonexistent");
    /* Another byte in an entry: a person would not be erased. */
    changed = file_join(dir, "changed-log");
    testing_copy_dir(r.log, changed);
    DEFER(file_freep) char *tile = file_join(changed, "tree/entries");
    struct testing_run run;
    char *argv[] = {(char *)(uintptr_t) "sh",
                    (char *)(uintptr_t) "-c",
                    (char *)(uintptr_t) "find \"$1\" -type f | while read f; do sed -i "
                                        "'s/erasure begins/erasure begims/' \"$f\"; done",
                    (char *)(uintptr_t) "sh",
                    tile,
                    NULL};
    testing_run(argv, &run);
    assert_int_equal(run.exit_code, 0);
    testing_run_done(&run);
    wrong.log = changed;
    assert_status(restore(&r, &wrong, &diag), INTEGRITY);
    assert_says(&diag, "changed-log");
    assert_false(file_exists(r.place));
}

static void
a_log_that_is_found_later_erases_again(void **state)
{
    (void)state;
    DEFER(restoring_done) struct restoring r = {0};
    struct diag diag = {0};
    struct erasures done = {0};
    struct backup_erasures forgone = {.forgone = true};
    make_restoring(&r);
    assert_ok(restore(&r, &forgone, &diag));
    struct workspace *w = open_at(r.place);
    struct table *t = load(w, 1);
    assert_int_equal(t->erased, 5); /* they are back */
    table_free(t);
    assert_ok(erasure_replay(w, r.log, 0, &diag, &done));
    assert_int_equal(done.named, 3);
    assert_int_equal(done.erased, 2);
    t = load(w, 1);
    assert_int_equal(t->erased, 15);
    table_free(t);
    assert_ok(erasure_replay(w, r.log, 0, &diag, &done)); /* again does nothing */
    assert_int_equal(done.erased, 0);
    workspace_close(w);
    const char *const said[] = {"WITHOUT ERASURES", "persons named 3, erased here again 2"};
    DEFER(file_freep) char *log = file_join(r.place, "audit");
    for (size_t i = 0; i < 2; i++) {
        assert_true(log_says(log, said[i]));
    }
}

/* A backup that was cut together without the list is refused: rows would be lost unsaid. */
static void
damage_to_a_list_stops_a_backup(void **state)
{
    (void)state;
    DEFER(file_freep) char *file = file_join(dir, "backup");
    json_t *manifest = NULL;
    struct diag diag = {0};
    change_byte("subjects/people.slots", 4 * SLOT + 60, 1);
    struct workspace *w = open_at(home);
    assert_status(backup_create(w, file, NULL, &diag, &manifest), INTEGRITY);
    assert_says(&diag, "slot 3: not the key that was sealed there");
    workspace_close(w);
    assert_false(file_exists(file));
}

int
main(void)
{
#define CASE(NAME) cmocka_unit_test_setup(NAME, set_up)
    const struct CMUnitTest cases[] = {
        CASE(refuses_what_is_no_subject),
        CASE(refuses_versions_with_persons_beside_versions_without),
        CASE(refuses_to_erase_who_is_not_there),
        CASE(refuses_a_changed_list),
        CASE(refuses_a_list_that_is_cut_mixed_up_or_gone),
        CASE(refuses_rows_of_the_erased),
        CASE(reads_what_was_added),
        CASE(erases_one_person_in_every_version),
        CASE(forgets_levels_that_only_the_erased_had),
        CASE(says_so_when_somebody_was_erased_already),
        CASE(tells_when_everybody_was_erased),
        CASE(keeps_the_parts_of_a_split),
        CASE(no_key_of_the_workspace_opens_an_old_copy),
        CASE(an_old_list_put_back_brings_nobody_back),
        CASE(no_entry_has_a_persons_name),
        CASE(goes_on_wherever_it_was_cut_off),
        CASE(adds_after_an_addition_was_cut_off),
        CASE(lives_with_a_slot_that_was_half_overwritten),
        CASE(goes_on_after_the_disk_was_full),
        CASE(a_rotation_takes_the_lists_along),
        CASE(a_backup_from_before_an_erasure_has_the_person),
        CASE(who_was_erased_stays_erased_in_what_is_restored),
        CASE(a_backup_with_persons_is_not_restored_without_a_word_about_erasures),
        CASE(a_log_that_is_found_later_erases_again),
        CASE(damage_to_a_list_stops_a_backup),
    };
    return cmocka_run_group_tests_name("workspace/subjects", cases, set_up_all, tear_down_all);
}
