/* Views, buffers, readers, the arena and secrets. */
#include "testing/testing.h"

#include "base/arena.h"
#include "base/secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- buf ---- */

static void
a_buffer_never_passes_its_maximum(void **state)
{
    (void)state;
    for (size_t max = 0; max < 200; max++) {
        DEFER(buf_done) struct buf b;
        buf_init(&b, max);
        for (size_t i = 0; i < max; i++) {
            buf_put_u8(&b, (uint8_t)i);
        }
        assert_ok(buf_status(&b));
        buf_put_u8(&b, 1);
        assert_status(buf_status(&b), LIMIT);
        assert_int_equal(b.len, max);
    }
    DEFER(buf_done) struct buf b;
    buf_init(&b, 100);
    assert_null(buf_reserve(&b, SIZE_MAX));
    assert_status(buf_status(&b), LIMIT);
}

static void
a_failure_stays_until_the_buffer_is_reset(void **state)
{
    (void)state;
    DEFER(buf_done) struct buf b;
    buf_init(&b, 4);
    buf_put_str(&b, "abc");
    buf_put_str(&b, "de"); /* does not fit: nothing of it is put */
    buf_put_u8(&b, 'f');   /* would fit, but the writer has failed */
    buf_printf(&b, "%d", 1);
    assert_string_equal(buf_str(&b), "abc");
    assert_null(buf_extend(&b, 1));
    assert_status(buf_status(&b), LIMIT);
    buf_reset(&b);
    assert_ok(buf_status(&b));
    assert_string_equal(buf_str(&b), "");
    buf_printf(&b, "%s", "four");
    assert_ok(buf_status(&b));
    assert_string_equal(buf_str(&b), "four");
}

static void
an_empty_buffer_is_an_empty_text(void **state)
{
    (void)state;
    struct buf zero = {0};
    assert_string_equal(buf_str(&zero), "");
    assert_int_equal(buf_view(&zero).len, 0);
    buf_done(&zero);
    buf_wipe(&zero);
    buf_put(&zero, (struct view){0});
    assert_ok(buf_status(&zero));
    buf_done(&zero);
}

static void
a_cut_leaves_nothing_behind(void **state)
{
    (void)state;
    DEFER(buf_done) struct buf b;
    buf_init(&b, 64);
    buf_put_str(&b, "public secret");
    buf_cut(&b, 6);
    assert_string_equal(buf_str(&b), "public");
    assert_memory_equal(b.ptr + 6, "\0\0\0\0\0\0\0\0", 8);
    buf_cut(&b, 6);
    assert_string_equal(buf_str(&b), "public");
}

static void
numbers_come_back_in_both_orders(void **state)
{
    (void)state;
    DEFER(buf_done) struct buf b;
    buf_init(&b, 256);
    buf_put_u8(&b, 0x01);
    buf_put_u16be(&b, 0x0203);
    buf_put_u32be(&b, 0x04050607);
    buf_put_u64be(&b, UINT64_C(0x08090a0b0c0d0e0f));
    buf_put_u32le(&b, 0x13121110);
    buf_put_u64le(&b, UINT64_C(0x1b1a191817161514));
    for (unsigned i = 0; i < b.len; i++) {
        assert_int_equal(b.ptr[i], i + 1);
    }
    buf_put_f64le(&b, -1.5);
    struct reader r = reader_of(buf_view(&b));
    assert_int_equal(reader_u8(&r), 1);
    assert_int_equal(reader_u16be(&r), 0x0203);
    assert_int_equal(reader_u32be(&r), 0x04050607);
    assert_true(reader_u64be(&r) == UINT64_C(0x08090a0b0c0d0e0f));
    assert_int_equal(reader_u32le(&r), 0x13121110);
    assert_true(reader_u64le(&r) == UINT64_C(0x1b1a191817161514));
    assert_true(reader_f64le(&r) == -1.5);
    assert_false(r.bad);
    assert_int_equal(reader_left(&r), 0);
}

static void
a_reader_past_its_end_stays_bad(void **state)
{
    (void)state;
    struct reader r = reader_of(view_of("\1\2\3", 3));
    assert_int_equal(reader_u8(&r), 1);
    assert_int_equal(reader_u32le(&r), 0); /* only two are left */
    assert_true(r.bad);
    assert_int_equal(reader_left(&r), 0);
    assert_int_equal(reader_u8(&r), 0); /* although one is there */
    assert_null(reader_bytes(&r, 0).ptr);
    struct reader huge = reader_of(view_of("abc", 3));
    assert_int_equal(reader_bytes(&huge, SIZE_MAX).len, 0);
    assert_true(huge.bad);
    struct reader whole = reader_of(view_of("abc", 3));
    assert_true(view_equal_str(reader_bytes(&whole, 3), "abc"));
    assert_int_equal(reader_bytes(&whole, 0).len, 0);
    assert_false(whole.bad);
}

static void
views_compare_as_bytes(void **state)
{
    (void)state;
    assert_true(view_equal((struct view){0}, view_str("")));
    char one[41], other[41];
    for (size_t n = 0; n <= 40; n++) { /* whole words, and what is left of one */
        memset(one, 'a', n);
        memset(other, 'a', n);
        assert_true(view_equal_secret(view_of(one, n), view_of(other, n)));
        for (size_t i = 0; i < n; i++) {
            other[i] ^= 0x40;
            assert_false(view_equal_secret(view_of(one, n), view_of(other, n)));
            other[i] ^= 0x40;
        }
    }
    assert_true(view_equal_secret((struct view){0}, view_str("")));
    assert_false(view_equal_secret(view_str("abc"), view_str("abd")));
    assert_false(view_equal_secret(view_str("abc"), view_str("ab")));
    assert_true(view_equal_secret(view_str("abc"), view_str("abc")));
    assert_true(view_compare(view_str("a"), view_str("ab")) < 0);
    assert_true(view_compare(view_str("b"), view_str("ab")) > 0);
    assert_true(view_compare(view_of("\xff", 1), view_str("a")) > 0);
    assert_int_equal(view_compare((struct view){0}, view_str("")), 0);
}

/* ---- arena ---- */

static void
an_arena_keeps_its_limit_and_refuses_overflow(void **state)
{
    (void)state;
    DEFER(arena_freep) struct arena *a = arena_new(1000);
    assert_non_null(a);
    assert_null(arena_alloc(a, 1001, 1));
    assert_null(arena_alloc(a, SIZE_MAX, 1));
    assert_null(arena_alloc(a, SIZE_MAX / 8 + 1, 16));
    assert_null(arena_alloc(a, SIZE_MAX / 2, 3));
    assert_int_equal(arena_used(a), 0);
    size_t given = 0;
    while (arena_alloc(a, 1, 48) != NULL) {
        given += 48;
    }
    assert_int_equal(given, 960);
    assert_int_equal(arena_used(a), 960);
    arena_reset(a);
    assert_int_equal(arena_used(a), 0);
    assert_non_null(arena_alloc(a, 992, 1));
    DEFER(arena_freep) struct arena *wide = arena_new(SIZE_MAX);
    assert_non_null(wide);
    assert_null(arena_alloc(wide, SIZE_MAX - 40, 1)); /* its block's size would wrap around */
    arena_free(NULL);
}

static void
arena_memory_is_zeroed_aligned_and_apart(void **state)
{
    (void)state;
    DEFER(arena_freep) struct arena *a = arena_new(8u << 20);
    for (unsigned round = 0; round < 3; round++) {
        uint8_t *last = NULL;
        size_t last_size = 0;
        for (size_t n = 0; n < 600; n++) {
            const size_t size = n * n % 4099;
            uint8_t *at = arena_alloc(a, size, 1);
            assert_non_null(at);
            assert_int_equal((uintptr_t)at % 16, 0);
            for (size_t i = 0; i < size; i++) {
                assert_int_equal(at[i], 0);
                at[i] = 0xee;
            }
            assert_true(last == NULL || last >= at + size || last + last_size <= at);
            last = at;
            last_size = size;
        }
        arena_reset(a);
    }
    char *copy = arena_strdup(a, view_of("abcdef", 3));
    assert_string_equal(copy, "abc");
    assert_string_equal(arena_strdup(a, (struct view){0}), "");
}

/* ---- secret ---- */

static const uint8_t *watched; /* a secret's memory that must be zero when it is given back */
static unsigned wiped, unwiped;

/* In place of libc's: looks at what is given back to the system. */
int
munmap(void *ptr, size_t len)
{
    if (ptr == watched) {
        unsigned left = 0;
        for (size_t i = 0; i < len; i++) {
            left += watched[i] != 0;
        }
        wiped += left == 0;
        unwiped += left != 0;
    }
    return (int)syscall(SYS_munmap, ptr, len);
}

static void
a_secret_is_wiped_before_it_is_given_back(void **state)
{
    (void)state;
    struct secret s = {0};
    assert_ok(secret_from(view_str("correct horse battery staple"), &s));
    assert_true(view_equal_str(secret_view(&s), "correct horse battery staple"));
    watched = s.ptr;
    wiped = unwiped = 0;
    secret_done(&s);
    assert_int_equal(wiped, 1);
    assert_int_equal(unwiped, 0);
    assert_null(s.ptr);
    secret_done(&s); /* twice is nothing */
    assert_int_equal(wiped, 1);
    uint8_t plain[16];
    memset(plain, 7, sizeof plain);
    secret_wipe(plain, sizeof plain);
    for (size_t i = 0; i < sizeof plain; i++) {
        assert_int_equal(plain[i], 0);
    }
}

static int
shielded(void)
{
    struct rlimit core = {1, 1};
    secret_shield_process();
    return getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_cur == 0 && core.rlim_max == 0 &&
                   prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0
               ? 7
               : 1;
}

static void
a_shielded_process_leaves_no_core_and_is_not_dumpable(void **state)
{
    (void)state;
    assert_int_equal(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), 1);
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        _exit(shielded());
    }
    int how = 0;
    assert_int_equal(waitpid(pid, &how, 0), pid);
    assert_true(WIFEXITED(how));
    assert_int_equal(WEXITSTATUS(how), 7);
}

/* The kernel's flags of the mapping that holds ptr, e.g. "rd wr mr mw me lo ac dd ". */
static bool
mapping_flags(const void *ptr, char ret[static 256])
{
    FILE *maps = fopen("/proc/self/smaps", "r");
    assert_non_null(maps);
    char line[1024];
    bool inside = false, found = false;
    while (!found && fgets(line, sizeof line, maps) != NULL) {
        unsigned long from = 0, to = 0;
        if (sscanf(line, "%lx-%lx ", &from, &to) == 2) {
            inside = (uintptr_t)ptr >= from && (uintptr_t)ptr < to;
        } else if (inside && strncmp(line, "VmFlags:", 8) == 0) {
            (void)snprintf(ret, 256, "%.250s", line + 8);
            found = true;
        }
    }
    (void)fclose(maps);
    return found;
}

/* AddressSanitizer answers mlock itself, and locks nothing. */
#if defined(__SANITIZE_ADDRESS__)
static const bool mlock_is_real = false;
#else
static const bool mlock_is_real = true;
#endif

static void
a_secret_is_locked_and_left_out_of_core_dumps(void **state)
{
    (void)state;
    struct secret s = {0};
    char flags[256];
    assert_ok(secret_new(5000, &s));
    for (size_t i = 0; i < s.len; i++) {
        assert_int_equal(s.ptr[i], 0);
    }
    assert_true(mapping_flags(s.ptr, flags));
    assert_text_has(flags, " dd");
    if (mlock_is_real) {
        assert_text_has(flags, " lo");
    }
    assert_true(mapping_flags(s.ptr + s.len - 1, flags));
    assert_text_has(flags, " dd");
    secret_done(&s);
}

static void
refuses_a_secret_of_no_size(void **state)
{
    (void)state;
    struct secret s = {0};
    assert_status(secret_new(0, &s), LIMIT);
    assert_status(secret_new(SIZE_MAX, &s), LIMIT);
    assert_status(secret_from((struct view){0}, &s), LIMIT);
    assert_null(s.ptr);
}

int
main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(a_buffer_never_passes_its_maximum),
        cmocka_unit_test(a_failure_stays_until_the_buffer_is_reset),
        cmocka_unit_test(an_empty_buffer_is_an_empty_text),
        cmocka_unit_test(a_cut_leaves_nothing_behind),
        cmocka_unit_test(numbers_come_back_in_both_orders),
        cmocka_unit_test(a_reader_past_its_end_stays_bad),
        cmocka_unit_test(views_compare_as_bytes),
        cmocka_unit_test(an_arena_keeps_its_limit_and_refuses_overflow),
        cmocka_unit_test(arena_memory_is_zeroed_aligned_and_apart),
        cmocka_unit_test(a_secret_is_wiped_before_it_is_given_back),
        cmocka_unit_test(a_shielded_process_leaves_no_core_and_is_not_dumpable),
        cmocka_unit_test(a_secret_is_locked_and_left_out_of_core_dumps),
        cmocka_unit_test(refuses_a_secret_of_no_size),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
