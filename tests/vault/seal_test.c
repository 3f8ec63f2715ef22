#include "testing/testing.h"

#include "base/file.h"
#include "testing/vault.h"
#include "vault/seal.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEALED_CHUNK (SEAL_CHUNK_BYTES + 16u)
#define PLACE 12u /* of the wrapped key; the other one is empty */
#define HEADER (PLACE + 2 * VAULT_WRAPPED_BYTES)

static const struct seal_id ID = {"model", "mortgage", 7};

static char *dir, *path, *other_path;
static struct vault *vault;

static int
set_up(void **state)
{
    (void)state;
    dir = testing_dir();
    vault = testing_vault(dir);
    path = file_join(dir, "objects/model/mortgage/7.sealed");
    other_path = file_join(dir, "objects/model/other/1.sealed");
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    vault_free(vault);
    free(path);
    free(other_path);
    testing_dirp(&dir);
    return 0;
}

/* A text of n bytes in which no two chunks are alike. */
static void
put_text(struct buf *b, size_t n, unsigned seed)
{
    buf_init(b, n);
    uint8_t *at = buf_extend(b, n);
    uint32_t x = 2463534242u + seed;
    for (size_t i = 0; i < n; i++) {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        at[i] = (uint8_t)x;
    }
}

static void
seal_text(const char *at, struct seal_id id, size_t n, unsigned seed, struct buf *ret_sealed)
{
    DEFER(buf_done) struct buf plain;
    struct diag diag = {0};
    put_text(&plain, n, seed);
    assert_ok(seal_file(vault, at, id, buf_view(&plain), &diag));
    testing_read(at, ret_sealed);
}

/* Without the sync of testing_write: there are thousands. */
static void
write_plainly(const char *at, struct view bytes)
{
    FILE *f = fopen(at, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes.ptr, 1, bytes.len, f), bytes.len);
    assert_int_equal(fclose(f), 0);
}

static struct status
try_open_as(struct seal_id id, struct view sealed, struct diag *diag)
{
    DEFER(buf_wipe) struct buf plain;
    buf_init(&plain, 1u << 20);
    buf_put_str(&plain, "before");
    write_plainly(path, sealed);
    const struct status s = seal_open_file(vault, path, id, 1u << 20, diag, &plain);
    if (!status_ok(s)) {
        /* Nothing of it came out. */
        assert_int_equal(plain.len, 6);
        assert_string_equal(buf_str(&plain), "before");
    }
    return s;
}

static void
assert_refused(struct view sealed, const char *why)
{
    struct diag diag = {0};
    assert_status(try_open_as(ID, sealed, &diag), INTEGRITY);
    assert_says(&diag, path);
    assert_says(&diag, why);
}

static void
assert_opens(struct view sealed)
{
    struct diag diag = {0};
    assert_ok(try_open_as(ID, sealed, &diag));
}

/* ---- misuse ---- */

static void
refuses_an_id_that_is_no_name(void **state)
{
    (void)state;
    static const struct seal_id ids[] = {
        {"model", "", 1},   {"", "mortgage", 1}, {"model", "a/b", 1}, {"model/a", "b", 1},
        {"model", "..", 1}, {"model", "A", 1},   {"model", "a\n", 1}, {"model", "\xc3\xa9", 1},
    };
    DEFER(buf_done) struct buf sealed;
    seal_text(path, ID, 10, 1, &sealed);
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        struct diag diag = {0};
        assert_status(seal_file(vault, path, ids[i], view_str("x"), &diag), INPUT);
        assert_says(&diag, "kind and name are 1 to 63 of a-z");
        assert_status(try_open_as(ids[i], buf_view(&sealed), &diag), INPUT);
    }
    assert_opens(buf_view(&sealed));
}

static void
refuses_what_is_no_sealed_object(void **state)
{
    (void)state;
    static const char zeros[100000];
    assert_refused(view_of("", 0), "byte 0: cut short");
    assert_refused(view_str("hello"), "byte 0: cut short");
    assert_refused(view_str("%PDF-1.4 and so on"), "byte 0: not a sealed object of this format");
    assert_refused(view_of(zeros, sizeof zeros), "not a sealed object of this format");
    assert_refused(view_of("SWSEAL01\0\1\0\0", 12), "not a sealed object of this format");
    assert_refused(view_of("SWSEAL02\0\1\0\1", 12), "not a sealed object of this format");
    assert_refused(view_of("SWSEAL02\0\1\0\0", 12), "byte 0: cut short");
    static const char empty[HEADER + 16] = "SWSEAL02\0\1\0";
    assert_refused(view_of(empty, sizeof empty), "its header was changed");
}

static void
refuses_what_is_no_file(void **state)
{
    (void)state;
    struct seal_reader *r = NULL;
    struct diag diag = {0};
    DEFER(file_freep) char *pipe_path = file_join(dir, "pipe");
    DEFER(file_freep) char *none = file_join(dir, "none/at/all");
    assert_status(seal_reader_open(vault, dir, ID, &diag, &r), INTEGRITY);
    assert_says(&diag, "not a file");
    /* A pipe without a writer: it must not wait for one. */
    assert_int_equal(mkfifo(pipe_path, 0600), 0);
    assert_status(seal_reader_open(vault, pipe_path, ID, &diag, &r), INTEGRITY);
    assert_says(&diag, "pipe: byte 0: not a file");
    assert_status(seal_reader_open(vault, none, ID, &diag, &r), NOT_FOUND);
    assert_says(&diag, "none/at/all: No such file");
    assert_null(r);
}

static void
refuses_more_than_is_read_at_once(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 65535, 65536, 65537, 131072, 200000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const size_t n = sizes[i];
        DEFER(buf_done) struct buf sealed;
        DEFER(buf_done) struct buf plain;
        struct diag diag = {0};
        seal_text(path, ID, n, 1, &sealed);
        buf_init(&plain, n);
        assert_ok(seal_open_file(vault, path, ID, n, &diag, &plain));
        assert_int_equal(plain.len, n);
        if (n > 0) {
            buf_reset(&plain);
            assert_status(seal_open_file(vault, path, ID, n - 1, &diag, &plain), LIMIT);
            assert_says(&diag, "that are read at once");
            buf_done(&plain);
            buf_init(&plain, n - 1);
            assert_status(seal_open_file(vault, path, ID, n, &diag, &plain), LIMIT);
            assert_int_equal(plain.len, 0);
        }
    }
}

static void
believes_no_length_that_a_stranger_wrote(void **state)
{
    (void)state;
    DEFER(buf_done) struct buf sealed;
    DEFER(buf_done) struct buf plain;
    struct diag diag = {0};
    seal_text(path, ID, 10, 1, &sealed);
    assert_int_equal(truncate(path, (off_t)1 << 40), 0); /* a hole of a TiB */
    buf_init(&plain, 1u << 20);
    assert_status(seal_open_file(vault, path, ID, 1u << 20, &diag, &plain), LIMIT);
    assert_int_equal(plain.cap, 0);
}

/* ---- tampering ---- */

static void
refuses_every_flip_of_a_small_object(void **state)
{
    (void)state;
    DEFER(buf_done) struct buf sealed;
    seal_text(path, ID, 21, 1, &sealed);
    assert_int_equal(sealed.len, HEADER + 21 + 16);
    for (size_t bit = 0; bit < sealed.len * 8; bit++) {
        const size_t byte = bit / 8;
        sealed.ptr[byte] ^= (uint8_t)(1u << bit % 8);
        if (byte >= PLACE + VAULT_WRAPPED_BYTES && byte < HEADER) {
            assert_opens(buf_view(&sealed)); /* the empty place: nothing is read from it */
        } else {
            assert_refused(buf_view(&sealed), byte >= HEADER  ? "byte 140: the chunk that begins"
                                              : byte >= PLACE ? "its header was changed"
                                                              : "byte 0: not a sealed object");
        }
        sealed.ptr[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_opens(buf_view(&sealed));
}

static void
refuses_every_cut_of_a_small_object(void **state)
{
    (void)state;
    DEFER(buf_done) struct buf sealed;
    seal_text(path, ID, 21, 1, &sealed);
    for (size_t n = 0; n < sealed.len; n++) {
        assert_refused(view_of(sealed.ptr, n), n < HEADER + 16 ? "cut short" : "does not verify");
        assert_refused(view_of(sealed.ptr + sealed.len - n, n), "byte 0: ");
    }
}

static void
refuses_a_cut_at_and_around_every_chunk_border(void **state)
{
    (void)state;
    static const size_t sizes[] = {3 * SEAL_CHUNK_BYTES, 3 * SEAL_CHUNK_BYTES + 5};
    for (size_t k = 0; k < 2; k++) {
        DEFER(buf_done) struct buf sealed;
        seal_text(path, ID, sizes[k], 1, &sealed);
        for (size_t border = HEADER; border < sealed.len; border += SEALED_CHUNK) {
            for (size_t cut = border - 18; cut <= border + 18 && cut < sealed.len; cut++) {
                assert_refused(view_of(sealed.ptr, cut), "cut");
            }
        }
        assert_refused(view_of(sealed.ptr, sealed.len - 1), "cut");
        assert_opens(buf_view(&sealed));
    }
}

static void
refuses_an_extended_object(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 5, SEAL_CHUNK_BYTES, SEAL_CHUNK_BYTES + 1};
    static const size_t more[] = {1, 15, 16, 17, SEALED_CHUNK};
    for (size_t i = 0; i < 4; i++) {
        for (size_t k = 0; k < 5; k++) {
            DEFER(buf_done) struct buf sealed;
            seal_text(path, ID, sizes[i], 1, &sealed);
            const size_t was = sealed.len;
            uint8_t *at = buf_extend(&sealed, more[k]);
            memset(at, 0, more[k]);
            assert_refused(buf_view(&sealed), "extended");
            assert_opens(view_of(sealed.ptr, was));
        }
    }
}

/* The object with its chunks in another order: places[i] is the chunk that stands at i. */
static void
arrange(const struct buf *sealed, const size_t *places, size_t n, struct buf *ret_sealed)
{
    buf_init(ret_sealed, 1u << 20);
    buf_put(ret_sealed, view_of(sealed->ptr, HEADER));
    for (size_t i = 0; i < n; i++) {
        buf_put(ret_sealed, view_of(sealed->ptr + HEADER + places[i] * SEALED_CHUNK, SEALED_CHUNK));
    }
}

static void
refuses_reordered_dropped_and_repeated_chunks(void **state)
{
    (void)state;
    static const struct {
        size_t places[5], n;
        bool opens;
    } cases[] = {
        {{0, 1, 2, 3}, 4, true},
        {{1, 0, 2, 3}, 4, false},
        {{0, 2, 1, 3}, 4, false},
        {{0, 1, 3, 2}, 4, false},
        {{3, 2, 1, 0}, 4, false},
        {{0, 1, 3}, 3, false},
        {{1, 2, 3}, 3, false},
        {{0, 1, 2}, 3, false},
        {{3}, 1, false},
        {{0}, 1, false},
        {{0, 0, 2, 3}, 4, false},
        {{0, 1, 2, 2}, 4, false},
        {{0, 1, 2, 3, 3}, 5, false},
    };
    DEFER(buf_done) struct buf sealed;
    seal_text(path, ID, 4 * SEAL_CHUNK_BYTES, 1, &sealed);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        DEFER(buf_done) struct buf changed;
        arrange(&sealed, cases[i].places, cases[i].n, &changed);
        if (cases[i].opens) {
            assert_opens(buf_view(&changed));
        } else {
            assert_refused(buf_view(&changed), "does not verify: changed, moved, cut or extended");
        }
    }
}

static void
refuses_another_objects_bytes(void **state)
{
    (void)state;
    static const struct seal_id others[] = {
        {"model", "mortgage", 6},   {"model", "mortgage", 77},
        {"model", "mortgag", 7},    {"model", "mortgage2", 7},
        {"dataset", "mortgage", 7}, {"model", "mortgage", 7 + (1ull << 32)},
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        DEFER(buf_done) struct buf sealed;
        seal_text(other_path, others[i], 100, 1, &sealed);
        assert_refused(buf_view(&sealed), "not sealed by this workspace as model/mortgage/7");
    }
}

/* Parts of another object of the same length, of the same version and of the version before. */
static void
refuses_parts_swapped_in_from_another_object(void **state)
{
    (void)state;
    static const struct seal_id others[] = {
        {"model", "other", 7}, {"model", "mortgage", 6}, {"model", "mortgage", 7}};
    static const struct {
        size_t from, to;
        const char *why;
    } parts[] = {
        {PLACE, HEADER, ""}, /* the wrapped key */
        {HEADER, HEADER + SEALED_CHUNK, "byte 140: the chunk that begins here"},
        {HEADER + SEALED_CHUNK, HEADER + 2 * SEALED_CHUNK, "byte 65692: the chunk"},
        {HEADER + 2 * SEALED_CHUNK, HEADER + 2 * SEALED_CHUNK + 25, "byte 131244: the chunk"},
        {HEADER + SEALED_CHUNK - 16, HEADER + SEALED_CHUNK, "byte 140: the chunk"}, /* a tag */
        {HEADER, HEADER + 2 * SEALED_CHUNK + 25, "byte 140: the chunk"},            /* all chunks */
    };
    const size_t n = 2 * SEAL_CHUNK_BYTES + 9;
    for (size_t i = 0; i < 3; i++) {
        DEFER(buf_done) struct buf mine;
        DEFER(buf_done) struct buf other;
        seal_text(other_path, others[i], n, 1, &other); /* the same text: only the key differs */
        seal_text(path, ID, n, 1, &mine);
        assert_int_equal(mine.len, other.len);
        for (size_t k = 0; k < sizeof parts / sizeof *parts; k++) {
            DEFER(buf_done) struct buf mixed;
            buf_init(&mixed, mine.len);
            buf_put(&mixed, buf_view(&mine));
            memcpy(mixed.ptr + parts[k].from, other.ptr + parts[k].from,
                   parts[k].to - parts[k].from);
            assert_refused(buf_view(&mixed), k > 0   ? parts[k].why
                                             : i < 2 ? "not sealed by this workspace as"
                                                     : "byte 140: the chunk that begins here");
        }
    }
}

static void
refuses_another_workspaces_object(void **state)
{
    (void)state;
    DEFER(testing_dirp) char *elsewhere = testing_dir();
    struct vault *stranger = testing_vault(elsewhere);
    struct diag diag = {0};
    assert_ok(seal_file(stranger, path, ID, view_str("text"), &diag));
    struct seal_reader *r = NULL;
    assert_status(seal_reader_open(vault, path, ID, &diag, &r), INTEGRITY);
    assert_says(&diag, "not sealed by this workspace");
    vault_free(stranger);
}

static void
stops_a_stream_where_it_no_longer_verifies(void **state)
{
    (void)state;
    DEFER(buf_done) struct buf sealed;
    struct seal_reader *r = NULL;
    struct view plain = {0};
    struct diag diag = {0};
    seal_text(path, ID, 3 * SEAL_CHUNK_BYTES, 1, &sealed);
    sealed.ptr[HEADER + SEALED_CHUNK + 5] ^= 1;
    testing_write(path, buf_view(&sealed));
    assert_ok(seal_reader_open(vault, path, ID, &diag, &r));
    assert_ok(seal_reader_next(r, &diag, &plain));
    assert_int_equal(plain.len, SEAL_CHUNK_BYTES);
    for (int i = 0; i < 3; i++) {
        plain = view_of("untouched", 9);
        assert_status(seal_reader_next(r, &diag, &plain), INTEGRITY);
        assert_true(view_equal_str(plain, "untouched"));
    }
    seal_reader_free(r);
}

/* ---- what is promised when nobody tampers ---- */

static void
stream(struct view plain, size_t step)
{
    struct seal_writer *w = NULL;
    struct diag diag = {0};
    assert_ok(seal_writer_open(vault, path, ID, &diag, &w));
    assert_ok(seal_writer_put(w, view_of("", 0), &diag));
    for (size_t at = 0; at < plain.len; at += step) {
        const size_t n = plain.len - at < step ? plain.len - at : step;
        assert_ok(seal_writer_put(w, view_of(plain.ptr + at, n), &diag));
    }
    assert_ok(seal_writer_finish(w, &diag));
}

static void
read_back(struct view right)
{
    struct seal_reader *r = NULL;
    struct view part = {0};
    struct diag diag = {0};
    DEFER(buf_done) struct buf all;
    buf_init(&all, 1u << 20);
    assert_ok(seal_reader_open(vault, path, ID, &diag, &r));
    do {
        assert_ok(seal_reader_next(r, &diag, &part));
        assert_true(part.len <= SEAL_CHUNK_BYTES);
        buf_put(&all, part);
    } while (part.len > 0);
    assert_ok(seal_reader_next(r, &diag, &part));
    assert_int_equal(part.len, 0);
    seal_reader_free(r);
    assert_true(view_equal(buf_view(&all), right));
    buf_reset(&all);
    assert_ok(seal_open_file(vault, path, ID, right.len, &diag, &all));
    assert_true(view_equal(buf_view(&all), right));
}

static void
streams_what_it_seals_at_once(void **state)
{
    (void)state;
    static const size_t sizes[] = {0,     1,     2,      15,     16,     17,     65535,
                                   65536, 65537, 131071, 131072, 131073, 196608, 300000};
    static const size_t steps[] = {1, 4093, 65535, 65536, 65537, 1u << 20};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        DEFER(buf_done) struct buf plain;
        put_text(&plain, sizes[i], (unsigned)i);
        assert_ok(seal_file(vault, path, ID, buf_view(&plain), NULL));
        read_back(buf_view(&plain));
        struct stat once, streamed;
        assert_int_equal(stat(path, &once), 0);
        for (size_t k = sizes[i] > 70000; k < sizeof steps / sizeof *steps; k++) {
            stream(buf_view(&plain), steps[k]);
            read_back(buf_view(&plain));
            assert_int_equal(stat(path, &streamed), 0);
            assert_int_equal(streamed.st_size, once.st_size);
        }
    }
}

static void
shows_nothing_of_the_text_and_no_two_alike(void **state)
{
    (void)state;
    DEFER(buf_done) struct buf plain;
    DEFER(buf_done) struct buf a;
    DEFER(buf_done) struct buf b;
    buf_init(&plain, 200000);
    for (int i = 0; i < 7000; i++) {
        buf_put_str(&plain, "Jane Roe, 7 Elm Street");
    }
    assert_ok(seal_file(vault, path, ID, buf_view(&plain), NULL));
    testing_read(path, &a);
    assert_ok(seal_file(vault, path, ID, buf_view(&plain), NULL));
    testing_read(path, &b);
    assert_null(memmem(a.ptr, a.len, "Jane", 4));
    assert_null(memmem(a.ptr, a.len, "Elm", 3));
    assert_int_equal(a.len, b.len);
    for (size_t at = PLACE + 4; at + 16 <= a.len; at += 16) {
        if (at >= PLACE + VAULT_WRAPPED_BYTES - 16 && at < HEADER) {
            continue; /* the empty place */
        }
        assert_memory_not_equal(a.ptr + at, b.ptr + at, 16);
    }
}

static size_t
files_beside(const char *at)
{
    DEFER(file_freep) char *parent = strdup(at);
    *strrchr(parent, '/') = '\0';
    DIR *d = opendir(parent);
    size_t n = 0;
    for (const struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
        n += e->d_name[0] != '.';
    }
    (void)closedir(d);
    return n;
}

static void
leaves_the_old_object_when_the_new_one_is_abandoned(void **state)
{
    (void)state;
    struct seal_writer *w = NULL;
    struct diag diag = {0};
    DEFER(buf_done) struct buf plain;
    put_text(&plain, 100000, 3);
    assert_ok(seal_file(vault, path, ID, buf_view(&plain), &diag));
    assert_ok(seal_writer_open(vault, path, ID, &diag, &w));
    assert_ok(seal_writer_put(w, buf_view(&plain), &diag));
    assert_int_equal(files_beside(path), 2);
    read_back(buf_view(&plain));
    seal_writer_abandon(w);
    seal_writer_abandon(NULL);
    assert_int_equal(files_beside(path), 1);
    read_back(buf_view(&plain));
}

static void
lets_a_reader_finish_the_object_it_opened(void **state)
{
    (void)state;
    struct seal_reader *r = NULL;
    struct view part = {0};
    struct diag diag = {0};
    DEFER(buf_done) struct buf plain;
    put_text(&plain, 2 * SEAL_CHUNK_BYTES, 3);
    assert_ok(seal_file(vault, path, ID, buf_view(&plain), &diag));
    assert_ok(seal_reader_open(vault, path, ID, &diag, &r));
    assert_ok(seal_reader_next(r, &diag, &part));
    assert_ok(seal_file(vault, path, ID, view_str("new"), &diag));
    assert_ok(seal_reader_next(r, &diag, &part));
    assert_memory_equal(part.ptr, plain.ptr + SEAL_CHUNK_BYTES, SEAL_CHUNK_BYTES);
    seal_reader_free(r);
    read_back(view_str("new"));
}

static void
keeps_objects_from_other_users(void **state)
{
    (void)state;
    struct stat st;
    assert_ok(seal_file(vault, path, ID, view_str("x"), NULL));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

int
main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(refuses_an_id_that_is_no_name),
        cmocka_unit_test(refuses_what_is_no_sealed_object),
        cmocka_unit_test(refuses_what_is_no_file),
        cmocka_unit_test(refuses_more_than_is_read_at_once),
        cmocka_unit_test(believes_no_length_that_a_stranger_wrote),
        cmocka_unit_test(refuses_every_flip_of_a_small_object),
        cmocka_unit_test(refuses_every_cut_of_a_small_object),
        cmocka_unit_test(refuses_a_cut_at_and_around_every_chunk_border),
        cmocka_unit_test(refuses_an_extended_object),
        cmocka_unit_test(refuses_reordered_dropped_and_repeated_chunks),
        cmocka_unit_test(refuses_another_objects_bytes),
        cmocka_unit_test(refuses_parts_swapped_in_from_another_object),
        cmocka_unit_test(refuses_another_workspaces_object),
        cmocka_unit_test(stops_a_stream_where_it_no_longer_verifies),
        cmocka_unit_test(streams_what_it_seals_at_once),
        cmocka_unit_test(shows_nothing_of_the_text_and_no_two_alike),
        cmocka_unit_test(leaves_the_old_object_when_the_new_one_is_abandoned),
        cmocka_unit_test(lets_a_reader_finish_the_object_it_opened),
        cmocka_unit_test(keeps_objects_from_other_users),
    };
    return cmocka_run_group_tests(cases, set_up, tear_down);
}
