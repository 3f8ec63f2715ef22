/* Import of CSV: first everything that must be refused, with its sentence. */
#include "sample.h"

#include "base/file.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <zlib.h>

#define REFUSED(TEXT, PART) assert_refused("t.csv", view_str(TEXT), NULL, INPUT, PART)

static void
refuses_a_ragged_file_with_the_line(void **state)
{
    (void)state;
    REFUSED("a,b\n1,2\n3\n", "t.csv line 3: 1 fields; the header on line 1 has 2");
    REFUSED("a,b\n1,2\n3,4,5\n", "t.csv line 3: 3 fields; the header on line 1 has 2");
    REFUSED("a,b\n1,2\n3", "t.csv line 3: 1 fields");
    REFUSED("a,b\n\"x\ny\",2\n3\n", "t.csv line 4: 1 fields"); /* the line, not the record */
    REFUSED("a,b,c\n1;2;3\n", "t.csv line 2: 1 fields; the header on line 1 has 3");
}

static void
refuses_an_empty_file(void **state)
{
    (void)state;
    REFUSED("", "t.csv: empty");
    REFUSED("\n", "t.csv line 1: empty: the first line must be the columns' names");
    REFUSED("\na,b\n1,2\n", "t.csv line 1: empty: the first line must be the columns' names");
    REFUSED("a,b\n", "t.csv: names but no rows");
    REFUSED("a,b", "t.csv: names but no rows");
}

static void
refuses_a_binary_file(void **state)
{
    (void)state;
    static const char elf[] = "\177ELF\2\1\1\0\0\0\0\0\0";
    assert_refused("t.csv", view_of(elf, sizeof elf), NULL, INPUT, "line 1: a zero byte");
    static const char late[] = "a,b\n1,2\n3,\0\n";
    assert_refused("t.csv", view_of(late, sizeof late - 1), NULL, INPUT, "line 3: a zero byte");
    static const char utf16[] = "\xff\xfe"
                                "a\0,\0b\0\n\0";
    assert_refused("t.csv", view_of(utf16, sizeof utf16 - 1), NULL, INPUT,
                   "the file is UTF-16; save it as UTF-8");
}

static void
refuses_mixed_encodings_with_the_line(void **state)
{
    (void)state;
    REFUSED("name,b\nZo\xc3\xab,1\nZo\xeb,2\n", "t.csv line 3: not UTF-8 (is it Latin-1");
    REFUSED("na\xefve,b\n1,2\n", "t.csv line 1: not UTF-8");
    REFUSED("a,b\n1,2\nx,\xc3", "t.csv line 3: not UTF-8");          /* cut in a character */
    REFUSED("a,b\n1,\xed\xa0\x80\n", "t.csv line 2: not UTF-8");     /* a surrogate */
    REFUSED("a,b\n1,\xf4\x90\x80\x80\n", "t.csv line 2: not UTF-8"); /* past U+10FFFF */
    REFUSED("a,b\n1,\xc0\xaf\n", "t.csv line 2: not UTF-8");         /* not the shortest form */
}

/* A character may stand on the border of two blocks of the reader, at each of its bytes. */
static void
reads_a_character_across_blocks(void **state)
{
    (void)state;
    for (size_t shift = 0; shift < 5; shift++) {
        DEFER(buf_done) struct buf whole;
        buf_init(&whole, 1u << 20);
        buf_put_str(&whole, "a\n");
        for (size_t i = whole.len; i < (256u << 10) - 4 + shift; i++) {
            buf_put_u8(&whole, i % 64 == 63 ? '\n' : 'x');
        }
        buf_put_str(&whole, "\xf0\x9f\x98\x80\n");
        DEFER(table_freep) struct table *t = sample_csv(buf_str(&whole), NULL);
        const struct column *c = sample_column(t, "a");
        DEFER(buf_done) struct buf last;
        buf_init(&last, 4096);
        column_put_text(c, t->rows - 1, &last);
        assert_text_has(buf_str(&last), "\xf0\x9f\x98\x80");
        whole.ptr[whole.len - 2] = 'x'; /* its last byte */
        assert_refused("t.csv", buf_view(&whole), NULL, INPUT, "not UTF-8");
    }
}

static long
peak_kib(void)
{
    struct rusage use;
    assert_int_equal(getrusage(RUSAGE_SELF, &use), 0);
    return use.ru_maxrss;
}

static void
refuses_ten_million_columns_with_little_memory(void **state)
{
    (void)state;
    DEFER(buf_done) struct buf b;
    buf_init(&b, 128u << 20);
    for (unsigned i = 0; i < 10000000; i++) {
        buf_put_str(&b, i == 0 ? "c" : ",c");
        const char digits[] = {(char)('0' + i % 10), (char)('0' + i / 10 % 10),
                               (char)('0' + i / 100 % 10), (char)('0' + i / 1000 % 10)};
        buf_put(&b, view_of(digits, sizeof digits));
    }
    buf_put_str(&b, "\n1,2,3\n");
    assert_ok(buf_status(&b));
    const long before = peak_kib();
    assert_refused("t.csv", buf_view(&b), NULL, LIMIT, "t.csv line 1: more than 10000 columns");
    assert_true(peak_kib() - before < 200 << 10);
}

static void
refuses_a_row_of_ten_million_fields(void **state)
{
    (void)state;
    DEFER(buf_done) struct buf b;
    buf_init(&b, 32u << 20);
    buf_put_str(&b, "a,b\n1,2\n");
    uint8_t *at = buf_extend(&b, 10000000);
    assert_non_null(at);
    memset(at, ',', 10000000);
    assert_refused("t.csv", buf_view(&b), NULL, INPUT,
                   "t.csv line 3: 10000001 fields; the header on line 1 has 2");
}

static void
refuses_a_cell_that_does_not_end(void **state)
{
    (void)state;
    DEFER(buf_done) struct buf b;
    buf_init(&b, 32u << 20);
    buf_put_str(&b, "a,b\n1,2\n3,\"");
    uint8_t *at = buf_extend(&b, 17u << 20);
    assert_non_null(at);
    memset(at, 'x', 17u << 20);
    assert_refused("t.csv", buf_view(&b), NULL, LIMIT,
                   "t.csv line 3: field 2 is longer than 16 MiB; is a closing quote missing?");
    b.ptr[10] = 'x'; /* not quoted */
    assert_refused("t.csv", buf_view(&b), NULL, LIMIT,
                   "t.csv line 3: field 2 is longer than 16 MiB");
}

static void
refuses_bad_quotes_with_the_place(void **state)
{
    (void)state;
    REFUSED("a,b\n1,\"x\n", "t.csv line 2: a quote opens here and is never closed");
    REFUSED("a,b\n1,x\"y\n", "t.csv line 2: field 2 has a quote inside");
    REFUSED("a,b\n1,\"x\"y\n", "t.csv line 2: field 2 goes on after its closing quote");
    REFUSED("a,b\n1,\"x\" \n", "t.csv line 2: field 2 goes on after its closing quote");
    REFUSED("\"a\"x,b\n1,2\n", "t.csv line 1: a name is quoted in part");
    REFUSED("a \"x\",b\n1,2\n", "t.csv line 1: a name is quoted in part");
}

static void
refuses_line_ends_that_two_readers_see_differently(void **state)
{
    (void)state;
    REFUSED("a,b\r1,2\r", "t.csv line 1: a carriage return without a line feed");
    REFUSED("a,b\n1,2\r3,4\n", "t.csv line 2: a carriage return without a line feed");
    REFUSED("a,b\n1,\"2\"\r\"3\",4\n", "t.csv line 2: a carriage return without a line feed");
    REFUSED("a,b\n1,2\r", "t.csv line 2: a carriage return without a line feed");
    REFUSED("a,b\r\n1,2\n", "t.csv line 2: ends with LF, the lines before it with CR LF");
    REFUSED("a,b\n1,2\r\n", "t.csv line 2: ends with CR LF, the lines before it with LF");
}

static void
refuses_names_that_are_not_names(void **state)
{
    (void)state;
    REFUSED("a,a\n1,2\n", "t.csv line 1: two columns are called \"a\"");
    REFUSED("a,A\n1,2\n", "SQL does not tell capitals from small letters");
    REFUSED("1,2\n3,4\n", "every column's name is a number: the first line must be names");
    DEFER(buf_done) struct buf b;
    buf_init(&b, 8192);
    for (unsigned i = 0; i < 1025; i++) {
        buf_put_str(&b, "n");
    }
    buf_put_str(&b, ",b\n1,2\n");
    REFUSED(buf_str(&b), "t.csv line 1: a column's name is longer than 1024 bytes");
}

static void
gzip(struct view bytes, struct buf *ret)
{
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    uint8_t *at = buf_extend(ret, (size_t)deflateBound(&z, bytes.len));
    assert_non_null(at);
    z.next_in = (uint8_t *)(uintptr_t)bytes.ptr;
    z.avail_in = (unsigned)bytes.len;
    z.next_out = at;
    z.avail_out = (unsigned)ret->len;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    ret->len = z.total_out;
    (void)deflateEnd(&z);
}

static void
refuses_a_compressed_file_that_was_cut(void **state)
{
    (void)state;
    DEFER(buf_done) struct buf text;
    DEFER(buf_done) struct buf packed;
    buf_init(&text, 1u << 20);
    buf_init(&packed, 1u << 20);
    buf_put_str(&text, "n,m\n");
    for (unsigned i = 0; i < 5000; i++) {
        buf_printf(&text, "%u,%u\n", i, i * i % 977);
    }
    gzip(buf_view(&text), &packed);
    DEFER(table_freep) struct table *t = NULL;
    struct diag diag = {0};
    assert_ok(sample_import("t.csv.gz", buf_view(&packed), NULL, &diag, &t));
    assert_int_equal(t->rows, 5000);
    assert_cell(t, "n", 4999, "4999");
    for (size_t cut = 12; cut < packed.len; cut += packed.len / 7) {
        assert_refused("t.csv.gz", view_of(packed.ptr, cut), NULL, INPUT,
                       "t.csv.gz: the compressed file is damaged or cut short");
    }
    packed.ptr[packed.len / 2] ^= 0xff;
    struct table *none = NULL;
    assert_status(sample_import("t.csv.gz", buf_view(&packed), NULL, &diag, &none), INPUT);
}

static void
refuses_a_name_that_does_not_tell_the_compression(void **state)
{
    (void)state;
    DEFER(buf_done) struct buf packed;
    buf_init(&packed, 4096);
    gzip(view_str("a,b\n1,2\n"), &packed);
    assert_refused("t.csv", buf_view(&packed), NULL, INPUT,
                   "t.csv: is gzip-compressed; its name must end in .gz");
    assert_refused("t.csv.gz", view_str("a,b\n1,2\n"), NULL, INPUT,
                   "t.csv.gz: is not gzip-compressed; its name must not end in .gz");
    assert_refused("t.xls", view_str("a,b\n1,2\n"), NULL, INPUT,
                   "t.xls: the format is told from the name's end");
}

static void
refuses_what_is_no_file(void **state)
{
    (void)state;
    const struct import_options o = {.threads = 1};
    struct diag diag = {0};
    struct table *t = NULL;
    assert_status(import_file("/nowhere/t.csv", &o, &diag, &t), NOT_FOUND);
    assert_says(&diag, "/nowhere/t.csv: No such file or directory");
    DEFER(testing_dirp) char *dir = testing_dir();
    DEFER(file_freep) char *folder = file_join(dir, "folder.csv");
    assert_ok(file_mkdirs(folder, 0700, NULL));
    assert_status(import_file(folder, &o, &diag, &t), INPUT);
    assert_says(&diag, "not a regular file");
    assert_null(t);
}

/* ---- labels and roles ---- */

static void
refuses_a_label_with_one_class(void **state)
{
    (void)state;
    const struct import_options o = {.label = "deny", .positive = "yes", .threads = 1};
    assert_refused("t.csv", view_str("deny,x\nno,1\nno,2\n"), &o, INPUT,
                   "t.csv: label \"deny\" has one class only; there is nothing to learn");
    assert_refused("t.csv", view_str("deny,x\nNA,1\nNA,2\n"), &o, INPUT, "one class only");
}

static void
refuses_absent_columns_with_the_nearest(void **state)
{
    (void)state;
    static const char *const sensitive[] = {"afma"};
    const struct import_options s = {
        .label = "deny", .sensitive = sensitive, .sensitive_count = 1, .threads = 1};
    assert_refused("t.csv", view_str("deny,afam\nno,1\nyes,2\n"), &s, INPUT,
                   "t.csv: no column \"afma\"; did you mean \"afam\"?");
    const struct import_options l = {.label = "denied", .threads = 1};
    assert_refused("t.csv", view_str("deny,afam\nno,1\nyes,2\n"), &l, INPUT,
                   "t.csv: no column \"denied\"; did you mean \"deny\"?");
    const struct import_override role = {
        .column = "zzzzzz", .has_role = true, .role = ROLE_IGNORED};
    const struct import_options r = {.overrides = &role, .override_count = 1, .threads = 1};
    assert_refused("t.csv", view_str("deny,afam\nno,1\nyes,2\n"), &r, INPUT,
                   "t.csv: no column \"zzzzzz\" among the 2 columns");
}

static void
refuses_labels_that_contradict_themselves(void **state)
{
    (void)state;
    static const char text[] = "deny,kind,x,t\nno,a,1,2020-01-01\nyes,b,2,2021-01-01\nno,c,3,\n";
    static const char *const sensitive[] = {"deny"};
    const struct import_options both = {
        .label = "deny", .sensitive = sensitive, .sensitive_count = 1, .threads = 1};
    assert_refused("t.csv", view_str(text), &both, INPUT,
                   "\"deny\" cannot be the label and sensitive too");
    const struct import_options never = {.label = "deny", .positive = "maybe", .threads = 1};
    assert_refused("t.csv", view_str(text), &never, INPUT,
                   "label \"deny\" never is \"maybe\"; it is \"no\" or another of its values");
    const struct import_options number = {.label = "x", .positive = "7", .threads = 1};
    assert_refused("t.csv", view_str(text), &number, INPUT, "label \"x\" never is \"7\"");
    const struct import_options time = {.label = "t", .threads = 1};
    assert_refused("t.csv", view_str(text), &time, INPUT,
                   "label \"t\" is a time column; a label is boolean, category or number");
    const struct import_options none = {.positive = "yes", .threads = 1};
    assert_refused("t.csv", view_str(text), &none, INPUT, "a positive value, but no label column");
    const struct import_override two = {.column = "x", .has_role = true, .role = ROLE_LABEL};
    const struct import_options twice = {
        .label = "deny", .overrides = &two, .override_count = 1, .threads = 1};
    assert_refused("t.csv", view_str(text), &twice, INPUT,
                   "2 columns have the role label; one has");
    const struct import_options which = {.label = "k", .threads = 1};
    assert_refused("t.csv", view_str("k,x\na,1\nb,2\n"), &which, INPUT,
                   "label \"k\": is \"a\" or \"b\" the positive value? say --positive");
}

static void
gives_each_column_its_role(void **state)
{
    (void)state;
    static const char *const sensitive[] = {"sex"};
    static const struct import_override roles[] = {
        {.column = "id", .has_role = true, .role = ROLE_IDENTIFIER},
        {.column = "note", .has_role = true, .role = ROLE_IGNORED},
    };
    struct import_options o = {.label = "deny",
                               .sensitive = sensitive,
                               .sensitive_count = 1,
                               .overrides = roles,
                               .override_count = 2,
                               .threads = 1};
    static const char text[] = "id,deny,sex,age,when,note\n1,no,F,40,2020-01-01,x\n"
                               "2,yes,M,50,2020-01-02,y\n";
    static const struct {
        const char *name;
        enum column_role role;
        bool feature;
    } want[] = {{"id", ROLE_IDENTIFIER, false}, {"deny", ROLE_LABEL, false},
                {"sex", ROLE_SENSITIVE, false}, {"age", ROLE_FEATURE, true},
                {"when", ROLE_TIME, false},     {"note", ROLE_IGNORED, false}};
    DEFER(table_freep) struct table *t = sample_csv(text, &o);
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        assert_int_equal(sample_column(t, want[i].name)->role, want[i].role);
        assert_int_equal(sample_column(t, want[i].name)->is_feature, want[i].feature);
    }
    assert_string_equal(t->positive, "yes");
    o.sensitive_as_features = true;
    DEFER(table_freep) struct table *asked = sample_csv(text, &o);
    assert_int_equal(sample_column(asked, "sex")->role, ROLE_SENSITIVE);
    assert_true(sample_column(asked, "sex")->is_feature);
    assert_false(sample_column(asked, "id")->is_feature);
}

/* ---- types and missing values ---- */

static void
infers_types_and_keeps_nulls_in_each(void **state)
{
    (void)state;
    DEFER(table_freep)
    struct table *t = sample_csv("f,i,c,b,t\n"
                                 "1.5,1,red,yes,2020-02-29\n"
                                 ",,,,\n"
                                 "NA,N/A,NULL,null,NaN\n"
                                 "nan,?,\"\",NA,?\n"
                                 "-2e3,-9223372036854775808,blue,No,2020-01-01 10:20:30.5+01:00\n",
                                 NULL);
    static const struct {
        const char *name;
        enum column_type type;
        const char *first, *last;
    } want[] = {{"f", COLUMN_FLOAT, "1.5", "-2000"},
                {"i", COLUMN_INTEGER, "1", "-9223372036854775808"},
                {"c", COLUMN_CATEGORY, "red", "blue"},
                {"b", COLUMN_BOOLEAN, "yes", "No"},
                {"t", COLUMN_TIME, "2020-02-29", "2020-01-01T09:20:30.500000Z"}};
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        const struct column *c = sample_column(t, want[i].name);
        assert_int_equal(c->type, want[i].type);
        assert_int_equal(c->nulls, 3);
        assert_cell(t, want[i].name, 0, want[i].first);
        assert_cell(t, want[i].name, 1, NULL);
        assert_cell(t, want[i].name, 2, NULL);
        assert_cell(t, want[i].name, 3, NULL);
        assert_cell(t, want[i].name, 4, want[i].last);
        assert_near(column_number(c, 1), (double)NAN, 0);
    }
}

static void
infers_text_when_values_are_too_many(void **state)
{
    (void)state;
    DEFER(buf_done) struct buf b;
    buf_init(&b, 1u << 20);
    buf_put_str(&b, "id,x\n");
    for (unsigned i = 0; i < IMPORT_MAX_LEVELS + 1; i++) {
        buf_printf(&b, "user-%u,%s\n", i, i == 3 ? "NA" : "1");
    }
    DEFER(table_freep) struct table *t = sample_csv(buf_str(&b), NULL);
    assert_int_equal(sample_column(t, "id")->type, COLUMN_TEXT);
    assert_int_equal(sample_column(t, "id")->role, ROLE_IGNORED);
    assert_cell(t, "id", 1024, "user-1024");
    assert_cell(t, "x", 3, NULL);
    const struct import_override asked = {
        .column = "id", .has_type = true, .type = COLUMN_CATEGORY};
    const struct import_options o = {.overrides = &asked, .override_count = 1, .threads = 1};
    DEFER(table_freep) struct table *c = sample_csv(buf_str(&b), &o);
    assert_int_equal(sample_column(c, "id")->level_count, IMPORT_MAX_LEVELS + 1);
    assert_cell(c, "id", 1024, "user-1024");
}

static void
keeps_codes_with_leading_zeros_as_they_are(void **state)
{
    (void)state;
    DEFER(table_freep)
    struct table *t = sample_csv("zip,v\n02134,0.5\n10001,0\n+0123,-0.25\n", NULL);
    assert_int_equal(sample_column(t, "zip")->type, COLUMN_CATEGORY);
    assert_cell(t, "zip", 0, "02134");
    assert_int_equal(sample_column(t, "v")->type, COLUMN_FLOAT);
}

static void
types_can_be_overridden(void **state)
{
    (void)state;
    static const struct import_override types[] = {
        {.column = "zip", .has_type = true, .type = COLUMN_TEXT},
        {.column = "grade", .has_type = true, .type = COLUMN_CATEGORY},
        {.column = "flag", .has_type = true, .type = COLUMN_BOOLEAN},
        {.column = "n", .has_type = true, .type = COLUMN_FLOAT},
    };
    const struct import_options o = {.overrides = types, .override_count = 4, .threads = 1};
    DEFER(table_freep)
    struct table *t = sample_csv("zip,grade,flag,n\n1,2,0,3\n4,5,1,6\n,,,\n", &o);
    assert_int_equal(sample_column(t, "zip")->type, COLUMN_TEXT);
    assert_int_equal(sample_column(t, "grade")->type, COLUMN_CATEGORY);
    assert_int_equal(sample_column(t, "flag")->type, COLUMN_BOOLEAN);
    assert_int_equal(sample_column(t, "n")->type, COLUMN_FLOAT);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(sample_column(t, types[i].column)->nulls, 1);
    }
    const struct import_override wrong = {.column = "n", .has_type = true, .type = COLUMN_INTEGER};
    const struct import_options w = {.overrides = &wrong, .override_count = 1, .threads = 1};
    assert_refused("t.csv", view_str("n,m\n1,1\nabc,1\n"), &w, INPUT,
                   "t.csv line 3: column \"n\": \"abc\" is not a whole number");
    assert_refused("t.csv", view_str("n,m\n1,1\n1.5,1\n"), &w, INPUT, "is not a whole number");
}

static void
missing_values_can_be_named(void **state)
{
    (void)state;
    static const char *const missing[] = {"-999", "unknown"};
    const struct import_options o = {.missing = missing, .missing_count = 2, .threads = 1};
    DEFER(table_freep) struct table *t = sample_csv("a,b\n1,x\n-999,unknown\n3, x \n", &o);
    assert_cell(t, "a", 1, NULL);
    assert_cell(t, "b", 1, NULL);
    assert_cell(t, "b", 2, "x"); /* spaces around a value are not part of it */
    assert_int_equal(sample_column(t, "a")->type, COLUMN_INTEGER);
}

static void
the_usual_spellings_of_missing_can_be_values(void **state)
{
    (void)state;
    static const char *const missing[] = {"unknown"};
    const char *csv = "country,b\nNA,NaN\nnull,?\n,unknown\nunknown,N/A\n";
    const struct import_options usual = {.threads = 1};
    const struct import_options o = {
        .missing = missing, .missing_count = 1, .missing_only = true, .threads = 1};
    DEFER(table_freep) struct table *before = sample_csv(csv, &usual);
    assert_cell(before, "country", 0, NULL);
    assert_cell(before, "country", 3, "unknown");
    DEFER(table_freep) struct table *t = sample_csv(csv, &o);
    assert_cell(t, "country", 0, "NA");
    assert_cell(t, "country", 1, "null");
    assert_cell(t, "country", 2, NULL); /* empty stays missing */
    assert_cell(t, "country", 3, NULL);
    assert_cell(t, "b", 0, "NaN");
    assert_cell(t, "b", 1, "?");
    assert_cell(t, "b", 2, NULL);
    /* No number: a float column has none for it. */
    const struct import_override number = {.column = "b", .has_type = true, .type = COLUMN_FLOAT};
    const struct import_options w = {
        .overrides = &number, .override_count = 1, .missing_only = true, .threads = 1};
    assert_refused("t.csv", view_str("a,b\n1,1\n2,NaN\n"), &w, INPUT,
                   "t.csv line 3: column \"b\": \"NaN\" is not a number");
}

static void
one_slip_does_not_turn_numbers_into_a_category(void **state)
{
    (void)state;
    DEFER(buf_done) struct buf b;
    buf_init(&b, 4096);
    buf_put_str(&b, "deny,pirat\n");
    for (unsigned i = 0; i < 40; i++) {
        buf_printf(&b, "no,0.%u\n", i + 1);
    }
    buf_put_str(&b, "no,abc\n");
    REFUSED(buf_str(&b), "t.csv line 42: column \"pirat\": \"abc\" is not a number, but 40 of the "
                         "column's 41 values are; say --missing");
}

static void
reads_every_dialect_and_order(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "rowid,b\n3,x\n2,y\n1,z\n",
        "rowid;b\n3;x\n2;y\n1;z\n",
        "rowid\tb\n3\tx\n2\ty\n1\tz\n",
        "rowid|b\n3|x\n2|y\n1|z",
        "\xef\xbb\xbfrowid,b\r\n3,x\r\n2,y\r\n1,z\r\n",
        "\"rowid\", b \n3,\"x\"\n\n2,y\n1,z\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        DEFER(table_freep) struct table *t = sample_csv(texts[i], NULL);
        assert_int_equal(t->rows, 3);
        assert_cell(t, "rowid", 0, "3"); /* in the file's order, whatever a column is called */
        assert_cell(t, "rowid", 2, "1");
        assert_cell(t, "b", 0, "x");
        assert_cell(t, "b", 2, "z");
    }
    DEFER(table_freep)
    struct table *q = sample_csv("a,\"b \"\"x\"\"\"\n1,\"p,q\r\n\"\"r\"\"\"\n2,\n", NULL);
    assert_cell(q, "b \"x\"", 0, "p,q\r\n\"r\"");
    assert_cell(q, "b \"x\"", 1, NULL);
    DEFER(table_freep) struct table *one = sample_csv("a\n1\n\n2\n\n", NULL);
    assert_int_equal(one->rows, 4); /* in one column an empty line is a missing value */
    assert_int_equal(one->columns[0].nulls, 2);
    const struct import_options o = {.delimiter = ';', .threads = 1};
    DEFER(table_freep) struct table *d = sample_csv("a,b\n1\n", &o);
    assert_cell(d, "a,b", 0, "1");
}

/* The numbers of Munnell et al. (1996) and of Stock and Watson's textbook for this very file. */
static void
the_boston_study_has_its_known_rates(void **state)
{
    (void)state;
    static const char *const sensitive[] = {"afam", "single"};
    const struct import_options o = {.label = "deny",
                                     .positive = "yes",
                                     .sensitive = sensitive,
                                     .sensitive_count = 2,
                                     .threads = 1};
    DEFER(file_freep) char *path = testing_source("examples/lending/hmda.csv");
    DEFER(table_freep) struct table *t = NULL;
    struct diag diag = {0};
    assert_ok(import_file(path, &o, &diag, &t));
    assert_int_equal(t->rows, 2380);
    assert_int_equal(t->column_count, 14);
    uint8_t *y = calloc(t->rows, 1);
    assert_non_null(y);
    assert_ok(table_binary_label(t, &diag, y));
    const struct column *afam = sample_column(t, "afam");
    unsigned denied[2] = {0}, all[2] = {0};
    for (uint64_t i = 0; i < t->rows; i++) {
        const int black = column_number(afam, i) == 1;
        denied[black] += y[i] == 1;
        all[black]++;
    }
    free(y);
    assert_int_equal(denied[0] + denied[1], 285); /* 12.0 % of all */
    assert_near(100.0 * denied[1] / all[1], 28.3, 0.05);
    assert_near(100.0 * denied[0] / all[0], 9.3, 0.05);
    assert_string_equal(afam->levels[1], "yes");
    assert_int_equal(sample_column(t, "pirat")->type, COLUMN_FLOAT);
    assert_int_equal(sample_column(t, "chist")->type, COLUMN_INTEGER);
}

int
main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(refuses_a_ragged_file_with_the_line),
        cmocka_unit_test(refuses_an_empty_file),
        cmocka_unit_test(refuses_a_binary_file),
        cmocka_unit_test(refuses_mixed_encodings_with_the_line),
        cmocka_unit_test(reads_a_character_across_blocks),
        cmocka_unit_test(refuses_ten_million_columns_with_little_memory),
        cmocka_unit_test(refuses_a_row_of_ten_million_fields),
        cmocka_unit_test(refuses_a_cell_that_does_not_end),
        cmocka_unit_test(refuses_bad_quotes_with_the_place),
        cmocka_unit_test(refuses_line_ends_that_two_readers_see_differently),
        cmocka_unit_test(refuses_names_that_are_not_names),
        cmocka_unit_test(refuses_a_compressed_file_that_was_cut),
        cmocka_unit_test(refuses_a_name_that_does_not_tell_the_compression),
        cmocka_unit_test(refuses_what_is_no_file),
        cmocka_unit_test(refuses_a_label_with_one_class),
        cmocka_unit_test(refuses_absent_columns_with_the_nearest),
        cmocka_unit_test(refuses_labels_that_contradict_themselves),
        cmocka_unit_test(gives_each_column_its_role),
        cmocka_unit_test(infers_types_and_keeps_nulls_in_each),
        cmocka_unit_test(infers_text_when_values_are_too_many),
        cmocka_unit_test(keeps_codes_with_leading_zeros_as_they_are),
        cmocka_unit_test(types_can_be_overridden),
        cmocka_unit_test(missing_values_can_be_named),
        cmocka_unit_test(the_usual_spellings_of_missing_can_be_values),
        cmocka_unit_test(one_slip_does_not_turn_numbers_into_a_category),
        cmocka_unit_test(reads_every_dialect_and_order),
        cmocka_unit_test(the_boston_study_has_its_known_rates),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
