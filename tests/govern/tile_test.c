#include "fixture.h"

#include "base/file.h"
#include "govern/tile.h"

#include <stdio.h>
#include <string.h>

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
write_one(const char *dir, const struct tile_id *id, struct view bytes)
{
    struct tile_writer w;
    tile_writer_init(&w, dir);
    assert_ok(tile_write(&w, id, bytes, NULL));
    assert_ok(tile_flush(&w, NULL));
    tile_writer_done(&w);
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
refuses_tiles_of_a_wrong_length(void **state)
{
    (void)state;
    DEFER(testing_dirp) char *dir = testing_dir();
    const struct tile_id tile = {0, 0, 2}, bundle = {TILE_ENTRIES, 0, 2}, absent = {3, 1000, 9};
    uint8_t hashes[96] = {0};
    refuse_read(dir, &absent, "tile/3/x001/000.p/9: byte 0: the file is missing");
    write_one(dir, &tile, view_of(hashes, 63));
    refuse_read(dir, &tile, "tile/0/000.p/2: byte 63: the file was cut short");
    write_one(dir, &tile, view_of(hashes, 65));
    refuse_read(dir, &tile, "tile/0/000.p/2: byte 64: bytes after the end");
    DEFER(buf_done) struct buf b;
    buf_init(&b, 4096);
    put_entry(&b, "one");
    write_one(dir, &bundle, buf_view(&b));
    refuse_read(dir, &bundle, "tile/entries/000.p/2: byte 5: the file was cut short");
    put_entry(&b, "two");
    write_one(dir, &bundle, view_of(b.ptr, b.len - 1));
    refuse_read(dir, &bundle, "tile/entries/000.p/2: byte 9: the file was cut short");
    put_entry(&b, "three");
    write_one(dir, &bundle, buf_view(&b));
    refuse_read(dir, &bundle, "tile/entries/000.p/2: byte 10: bytes after the end");
}

static void
takes_a_pruned_partial_from_the_full_one(void **state)
{
    (void)state;
    DEFER(testing_dirp) char *dir = testing_dir();
    const struct tile_id part = {0, 0, 5}, full = {0, 0, 256};
    struct digest hashes[MERKLE_WIDTH];
    memset(hashes, 7, sizeof hashes);
    write_one(dir, &part, view_of(hashes, 5 * DIGEST_BYTES));
    write_one(dir, &full, view_of(hashes, sizeof hashes));
    DEFER(file_freep) char *folder = file_join(dir, "tile/0/000.p");
    assert_true(file_exists(folder));
    tile_prune(dir, 5, 255);
    assert_true(file_exists(folder)); /* still needed */
    tile_prune(dir, 5, 256);
    assert_false(file_exists(folder));
    DEFER(buf_done) struct buf b;
    buf_init(&b, TILE_BYTES);
    assert_ok(tile_read(dir, &part, NULL, &b));
    assert_int_equal(b.len, 5 * DIGEST_BYTES);
    assert_memory_equal(b.ptr, hashes, b.len);
}

static void
a_failed_write_leaves_nothing(void **state)
{
    (void)state;
    DEFER(testing_dirp) char *dir = testing_dir();
    fixture_overwrite(dir, "tile", view_str("in the way"));
    struct tile_writer w;
    struct diag diag = {0};
    struct fixture_files files;
    const struct tile_id id = {0, 0, 1};
    const uint8_t hash[32] = {0};
    tile_writer_init(&w, dir);
    assert_status(tile_write(&w, &id, view_of(hash, 32), &diag), IO);
    assert_says(&diag, "Not a directory");
    tile_writer_done(&w);
    fixture_files(dir, &files);
    assert_int_equal(files.n, 1);
    fixture_files_done(&files);
}

int
main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(refuses_every_other_spelling_of_a_path),
        cmocka_unit_test(refuses_tiles_of_a_wrong_length),
        cmocka_unit_test(a_failed_write_leaves_nothing),
        cmocka_unit_test(paths_are_those_of_the_layout),
        cmocka_unit_test(partial_widths_follow_the_size),
        cmocka_unit_test(takes_a_pruned_partial_from_the_full_one),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
