#include "fixture.h"

#include "base/file.h"
#include "govern/tile.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void
refuses_every_other_spelling_of_a_path(void **state)
{
    (void)state;
    static const char *const paths[] = {
        "",
        "tile",
        "tile/",
        "tile/0",
        "tile/0/",
        "/tile/0/000",
        "tile/00/000",
        "tile/8/000",
        "tile/64/000",
        "tile/-1/000",
        "tile/0/0",
        "tile/0/00",
        "tile/0/0000",
        "tile/0/1000",
        "tile/0/x000/000",
        "tile/0/x000/001",
        "tile/0/x001/x234",
        "tile/0/x1/234",
        "tile/0/001/234",
        "tile/0/000.p",
        "tile/0/000.p/",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/000.p/1/",
        "tile/0/000/",
        "tile/0/../0/000",
        "tile/entries",
        "tile/entries/x001/000.p/",
        "tile/entries /000",
        "tile/0/x018/x446/x744/x073/x709/x551/616", /* 2^64 */
        "tile/0/x999/x999/x999/x999/x999/x999/999",
        "tile/0/x001/x018/x446/x744/x073/x709/x551/615",
    };
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        struct tile_id id = {77, 77, 77};
        assert_status(tile_parse_path(view_str(paths[i]), &id), INPUT);
        assert_int_equal(id.level, 77);
    }
    struct tile_id id;
    assert_status(tile_parse_path(view_of("tile/0/000\0", 11), &id), INPUT);
}

static void
paths_are_those_of_the_layout(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        struct tile_id id;
    } cases[] = {
        {"tile/0/000", {0, 0, 256}},
        {"tile/7/999", {7, 999, 256}},
        {"tile/1/x001/000", {1, 1000, 256}},
        {"tile/0/x001/x234/067", {0, 1234067, 256}},
        {"tile/0/x001/x234/067.p/1", {0, 1234067, 1}},
        {"tile/entries/x001/x234/067.p/255", {TILE_ENTRIES, 1234067, 255}},
        {"tile/entries/273", {TILE_ENTRIES, 273, 256}},
        {"tile/0/x018/x446/x744/x073/x709/x551/615", {0, UINT64_MAX, 256}},
        {"tile/entries/x018/x446/x744/x073/x709/x551/615.p/255", {TILE_ENTRIES, UINT64_MAX, 255}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char path[TILE_PATH_MAX];
        struct tile_id id;
        tile_put_path(&cases[i].id, path);
        assert_string_equal(path, cases[i].path);
        assert_ok(tile_parse_path(view_str(path), &id));
        assert_memory_equal(&id, &cases[i].id, sizeof id);
    }
}

static void
is_held(unsigned level, uint64_t at, uint64_t size, uint64_t index, unsigned width)
{
    const struct tile_id id = tile_holding(level, at, size);
    assert_int_equal(id.level, level);
    assert_int_equal(id.index, index);
    assert_int_equal(id.width, width);
}

static void
partial_widths_follow_the_size(void **state)
{
    (void)state;
    is_held(0, 0, 1, 0, 1);
    is_held(0, 254, 255, 0, 255);
    is_held(0, 255, 256, 0, 256);
    is_held(TILE_ENTRIES, 255, 256, 0, 256);
    is_held(1, 0, 256, 0, 1);
    is_held(0, 0, 257, 0, 256);
    is_held(0, 256, 257, 1, 1);
    is_held(TILE_ENTRIES, 256, 257, 1, 1);
    is_held(0, 69999, 70000, 273, 112);
    is_held(1, 272, 70000, 1, 17);
    is_held(2, 0, 70000, 0, 1);
    is_held(0, 65536, 65537, 256, 1);
    is_held(1, 255, 65537, 0, 256);
    is_held(2, 0, 65537, 0, 1);
    is_held(7, 254, UINT64_MAX, 0, 255);
}

static void
put_entry(struct buf *b, const char *text)
{
    buf_put_u16be(b, (uint16_t)strlen(text));
    buf_put_str(b, text);
}

static void
write_tile(const char *dir, const struct tile_id *id, struct view bytes, size_t kept)
{
    struct tile_writer w;
    bool named[TILE_FILES] = {false};
    uint64_t begin = 0;
    tile_writer_init(&w, dir, named);
    if (id->level == TILE_ENTRIES) {
        assert_ok(tile_bundle_begins(dir, id->index, NULL, &begin));
        assert_ok(tile_write_bundle(&w, id, begin, bytes, kept, NULL));
    } else {
        assert_ok(tile_write_hashes(&w, id, bytes, kept, NULL));
    }
    assert_ok(tile_flush(&w, NULL));
    assert_true(named[id->level]);
    tile_writer_done(&w);
}

/* In a file of its own. */
static void
write_own(const char *dir, const struct tile_id *id, struct view bytes)
{
    char name[TILE_PATH_MAX];
    tile_put_path(id, name);
    DEFER(file_freep) char *path = file_join(dir, name);
    DEFER(file_freep) char *folder = file_parent(path);
    assert_ok(file_mkdirs(folder, 0700, NULL));
    testing_write(path, bytes);
}

static void
refuse_read(const char *dir, const struct tile_id *id, const char *says)
{
    struct diag diag = {0};
    DEFER(buf_done) struct buf b;
    buf_init(&b, TILE_BUNDLE_MAX);
    assert_status(tile_read(dir, id, &diag, &b), INTEGRITY);
    assert_says(&diag, says);
}

static void
reads(const char *dir, const struct tile_id *id, struct view bytes)
{
    DEFER(buf_done) struct buf b;
    buf_init(&b, TILE_BUNDLE_MAX);
    assert_ok(tile_read(dir, id, NULL, &b));
    assert_int_equal(b.len, bytes.len);
    assert_memory_equal(b.ptr, bytes.ptr, b.len);
}

static void
refuses_own_files_of_a_wrong_length(void **state)
{
    (void)state;
    DEFER(testing_dirp) char *dir = testing_dir();
    const struct tile_id tile = {0, 0, 2}, bundle = {TILE_ENTRIES, 0, 2}, absent = {3, 1000, 9};
    uint8_t hashes[96] = {0};
    write_own(dir, &tile, view_of(hashes, 63));
    refuse_read(dir, &absent, "tile/3/x001/000.p/9: byte 0: the file is missing");
    refuse_read(dir, &tile, "tile/0/000.p/2: byte 63: the file was cut short");
    write_own(dir, &tile, view_of(hashes, 65));
    refuse_read(dir, &tile, "tile/0/000.p/2: byte 64: bytes after the end");
    DEFER(buf_done) struct buf b;
    buf_init(&b, 4096);
    put_entry(&b, "one");
    write_own(dir, &bundle, buf_view(&b));
    refuse_read(dir, &bundle, "tile/entries/000.p/2: byte 5: the file was cut short");
    put_entry(&b, "two");
    write_own(dir, &bundle, view_of(b.ptr, b.len - 1));
    refuse_read(dir, &bundle, "tile/entries/000.p/2: byte 9: the file was cut short");
    put_entry(&b, "three");
    write_own(dir, &bundle, buf_view(&b));
    refuse_read(dir, &bundle, "tile/entries/000.p/2: byte 10: bytes after the end");
}

static void
takes_a_partial_one_from_the_full_ones_own_file(void **state)
{
    (void)state;
    DEFER(testing_dirp) char *dir = testing_dir();
    const struct tile_id part = {0, 0, 5}, full = {0, 0, 256};
    struct digest hashes[MERKLE_WIDTH];
    memset(hashes, 7, sizeof hashes);
    write_own(dir, &full, view_of(hashes, sizeof hashes));
    reads(dir, &part, view_of(hashes, 5 * DIGEST_BYTES));
}

/* n entries, each longer than the one before. */
static void
put_bundle(struct buf *b, unsigned n, uint8_t fill)
{
    uint8_t entry[3 * MERKLE_WIDTH];
    memset(entry, fill, sizeof entry);
    for (unsigned i = 0; i < n; i++) {
        buf_put_u16be(b, (uint16_t)(3 * i + 1));
        buf_put(b, view_of(entry, 3 * i + 1));
    }
}

/* The first `count` entries of a bundle as put_bundle makes it. */
static struct view
first_entries(const struct buf *bundle, unsigned count)
{
    struct reader r = reader_of(buf_view(bundle));
    struct view entry;
    for (unsigned i = 0; i < count; i++) {
        assert_true(tile_next_entry(&r, &entry));
    }
    return view_of(bundle->ptr, r.pos);
}

static void
bundles_grow_in_one_file(void **state)
{
    (void)state;
    DEFER(testing_dirp) char *dir = testing_dir();
    const struct tile_id first = {TILE_ENTRIES, 0, 256}, second = {TILE_ENTRIES, 1, 256};
    const struct tile_id part = {TILE_ENTRIES, 1, 3};
    DEFER(buf_done) struct buf one;
    DEFER(buf_done) struct buf two;
    DEFER(buf_done) struct buf changed;
    buf_init(&one, TILE_BUNDLE_MAX);
    buf_init(&two, TILE_BUNDLE_MAX);
    buf_init(&changed, TILE_BUNDLE_MAX);
    put_bundle(&one, 256, 1);
    put_bundle(&two, 256, 2);
    buf_put(&changed, buf_view(&two));
    const struct view three = first_entries(&two, 3);
    write_tile(dir, &first, buf_view(&one), 0);
    write_tile(dir, &part, three, 0);
    reads(dir, &first, buf_view(&one));
    reads(dir, &part, three);
    memset(changed.ptr, 0xff, three.len); /* what is kept is not written again */
    write_tile(dir, &second, buf_view(&changed), three.len);
    reads(dir, &first, buf_view(&one));
    reads(dir, &part, three);
    reads(dir, &second, buf_view(&two));
}

static void
hashes_grow_in_one_file_a_level(void **state)
{
    (void)state;
    DEFER(testing_dirp) char *dir = testing_dir();
    const struct tile_id part = {0, 0, 3}, full = {0, 0, 256}, above = {1, 0, 1};
    struct digest hashes[MERKLE_WIDTH];
    struct fixture_files files;
    memset(hashes, 7, sizeof hashes);
    write_tile(dir, &part, view_of(hashes, 3 * DIGEST_BYTES), 0);
    memset(hashes, 9, 3 * DIGEST_BYTES);
    write_tile(dir, &full, view_of(hashes, sizeof hashes), (size_t)3 * DIGEST_BYTES);
    write_tile(dir, &above, view_of(hashes, DIGEST_BYTES), 0);
    memset(hashes, 7, 3 * DIGEST_BYTES);
    reads(dir, &part, view_of(hashes, 3 * DIGEST_BYTES));
    reads(dir, &full, view_of(hashes, sizeof hashes));
    fixture_files(dir, &files);
    assert_int_equal(files.n, 2);
    assert_string_equal(files.path[0], "tree/hashes.0");
    assert_string_equal(files.path[1], "tree/hashes.1");
    fixture_files_done(&files);
}

static void
cut_file(const char *dir, const char *name, off_t length)
{
    DEFER(file_freep) char *path = file_join(dir, name);
    assert_int_equal(truncate(path, length), 0);
}

static void
refuses_a_tree_that_was_cut(void **state)
{
    (void)state;
    DEFER(testing_dirp) char *dir = testing_dir();
    const struct tile_id first = {0, 0, 256}, tile = {0, 1, 2}, absent = {3, 1000, 9};
    const struct tile_id bundle = {TILE_ENTRIES, 0, 256}, part = {TILE_ENTRIES, 1, 2};
    static const uint8_t ends[] = {0, 0, 0, 0, 0, 0, 0, 9, 0xff, 0, 0, 0, 0, 0, 0, 0};
    const uint8_t hashes[8192] = {0};
    DEFER(buf_done) struct buf b;
    buf_init(&b, TILE_BUNDLE_MAX);
    refuse_read(dir, &tile, "tree/hashes.0: byte 0: the file is missing");
    write_tile(dir, &first, view_of(hashes, 8192), 0);
    write_tile(dir, &tile, view_of(hashes, 64), 0);
    refuse_read(dir, &absent, "tree/hashes.3: byte 0: the file is missing");
    cut_file(dir, "tree/hashes.0", 8192 + 63);
    refuse_read(dir, &tile, "tree/hashes.0: byte 8255: the file was cut short");
    cut_file(dir, "tree/hashes.0", 100);
    refuse_read(dir, &tile, "tree/hashes.0: byte 8192: the file was cut short");
    put_bundle(&b, 256, 1);
    const size_t whole = b.len;
    write_tile(dir, &bundle, buf_view(&b), 0);
    buf_reset(&b);
    put_bundle(&b, 2, 2);
    write_tile(dir, &part, buf_view(&b), 0);
    reads(dir, &part, buf_view(&b));
    char says[80];
    cut_file(dir, "tree/entries", (off_t)(whole + b.len - 1));
    (void)snprintf(says, sizeof says, "tree/entries: byte %zu: the file was cut short",
                   whole + b.len - 1);
    refuse_read(dir, &part, says);
    cut_file(dir, "tree/entries", (off_t)(whole - 1));
    (void)snprintf(says, sizeof says, "tree/entries: byte %zu: the file was cut short", whole - 1);
    refuse_read(dir, &bundle, says);
    cut_file(dir, "tree/ends", 7);
    refuse_read(dir, &part, "tree/ends: byte 7: the file was cut short");
    fixture_overwrite(dir, "tree/ends", view_of(ends, sizeof ends));
    refuse_read(dir, &bundle,
                "tree/entries: byte 0: the bundle's entries do not end where tree/ends byte 0");
    fixture_overwrite(dir, "tree/ends", view_of(ends + 8, 8));
    refuse_read(dir, &part, "tree/ends: byte 0: no bundle can end there");
    fixture_overwrite(dir, "tree/ends", view_of("\0\0\0\0\0\0\0\0", 8));
    refuse_read(dir, &bundle, "tree/ends: byte 0: no bundle can end there");
}

static void
finds_a_bundle_that_ends_too_late(void **state)
{
    (void)state;
    DEFER(testing_dirp) char *dir = testing_dir();
    const struct tile_id bundle = {TILE_ENTRIES, 0, 256};
    uint8_t end[8] = {0};
    DEFER(buf_done) struct buf b;
    buf_init(&b, TILE_BUNDLE_MAX);
    put_bundle(&b, 256, 1);
    const size_t whole = b.len;
    write_tile(dir, &bundle, buf_view(&b), 0);
    put_entry(&b, "more");
    fixture_overwrite(dir, "tree/entries", buf_view(&b));
    reads(dir, &bundle, view_of(b.ptr, whole)); /* what follows means nothing */
    for (int i = 0; i < 8; i++) {
        end[i] = (uint8_t)((uint64_t)b.len >> (56 - 8 * i));
    }
    fixture_overwrite(dir, "tree/ends", view_of(end, sizeof end));
    refuse_read(dir, &bundle,
                "tree/entries: byte 0: the bundle's entries do not end where tree/ends byte 0");
}

/* Somebody else's folder must not keep whoever reads it. */
static void
what_is_no_file_is_not_opened(void **state)
{
    (void)state;
    DEFER(testing_dirp) char *dir = testing_dir();
    DEFER(file_freep) char *tree = file_join(dir, "tree");
    DEFER(file_freep) char *path = file_join(dir, "tree/hashes.0");
    assert_ok(file_mkdirs(tree, 0700, NULL));
    assert_int_equal(mkfifo(path, 0600), 0);
    refuse_read(dir, &(struct tile_id){0, 0, 1}, "tree/hashes.0: byte 0: it is no file");
}

static void
a_failed_write_leaves_nothing(void **state)
{
    (void)state;
    DEFER(testing_dirp) char *dir = testing_dir();
    fixture_overwrite(dir, "tree", view_str("in the way"));
    struct tile_writer w;
    struct diag diag = {0};
    struct fixture_files files;
    bool named[TILE_FILES] = {false};
    const struct tile_id id = {0, 0, 1};
    const uint8_t hash[32] = {0};
    tile_writer_init(&w, dir, named);
    assert_status(tile_write_hashes(&w, &id, view_of(hash, 32), 0, &diag), IO);
    assert_says(&diag, "Not a directory");
    tile_writer_done(&w);
    fixture_files(dir, &files);
    assert_int_equal(files.n, 1);
    fixture_files_done(&files);
}

/* 300 entries' worth in files of their own; the bundles' bytes are returned. */
static void
write_own_files(const char *dir, struct buf *ret_first, struct buf *ret_second)
{
    struct digest hashes[MERKLE_WIDTH];
    memset(hashes, 7, sizeof hashes);
    buf_init(ret_first, TILE_BUNDLE_MAX);
    buf_init(ret_second, TILE_BUNDLE_MAX);
    put_bundle(ret_first, 256, 1);
    put_bundle(ret_second, 44, 2);
    write_own(dir, &(struct tile_id){TILE_ENTRIES, 0, 256}, buf_view(ret_first));
    write_own(dir, &(struct tile_id){TILE_ENTRIES, 1, 44}, buf_view(ret_second));
    write_own(dir, &(struct tile_id){0, 0, 256}, view_of(hashes, sizeof hashes));
    write_own(dir, &(struct tile_id){0, 1, 44}, view_of(hashes, 44 * DIGEST_BYTES));
    write_own(dir, &(struct tile_id){1, 0, 1}, view_of(hashes, DIGEST_BYTES));
}

static void
takes_over_a_folder_with_a_file_for_each_tile(void **state)
{
    (void)state;
    DEFER(testing_dirp) char *dir = testing_dir();
    DEFER(buf_done) struct buf first;
    DEFER(buf_done) struct buf second;
    struct fixture_files files;
    write_own_files(dir, &first, &second);
    assert_ok(tile_take_over(dir, 0, NULL)); /* nothing to take over */
    assert_ok(tile_take_over(dir, 300, NULL));
    fixture_files(dir, &files);
    assert_int_equal(files.n, 5 + 4); /* no copy that was not finished */
    fixture_files_done(&files);
    write_own(dir, &(struct tile_id){TILE_ENTRIES, 0, 256}, view_str("is not read any more"));
    reads(dir, &(struct tile_id){TILE_ENTRIES, 0, 256}, buf_view(&first));
    reads(dir, &(struct tile_id){TILE_ENTRIES, 1, 44}, buf_view(&second));
    reads(dir, &(struct tile_id){TILE_ENTRIES, 1, 1}, first_entries(&second, 1));
    assert_ok(tile_take_over(dir, 300, NULL)); /* done already */
}

static void
a_folder_that_cannot_be_taken_over_stays_as_it_is(void **state)
{
    (void)state;
    DEFER(testing_dirp) char *dir = testing_dir();
    DEFER(buf_done) struct buf first;
    DEFER(buf_done) struct buf second;
    struct fixture_files files;
    struct diag diag = {0};
    write_own_files(dir, &first, &second);
    assert_status(tile_take_over(dir, 65536, &diag), INTEGRITY);
    assert_says(&diag, "tile/entries/001: byte 0: the file is missing");
    fixture_files(dir, &files);
    assert_int_equal(files.n, 5);
    fixture_files_done(&files);
    reads(dir, &(struct tile_id){TILE_ENTRIES, 1, 44}, buf_view(&second));
}

int
main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(refuses_every_other_spelling_of_a_path),
        cmocka_unit_test(paths_are_those_of_the_layout),
        cmocka_unit_test(partial_widths_follow_the_size),
        cmocka_unit_test(refuses_own_files_of_a_wrong_length),
        cmocka_unit_test(takes_a_partial_one_from_the_full_ones_own_file),
        cmocka_unit_test(bundles_grow_in_one_file),
        cmocka_unit_test(hashes_grow_in_one_file_a_level),
        cmocka_unit_test(refuses_a_tree_that_was_cut),
        cmocka_unit_test(finds_a_bundle_that_ends_too_late),
        cmocka_unit_test(what_is_no_file_is_not_opened),
        cmocka_unit_test(a_failed_write_leaves_nothing),
        cmocka_unit_test(takes_over_a_folder_with_a_file_for_each_tile),
        cmocka_unit_test(a_folder_that_cannot_be_taken_over_stays_as_it_is),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
