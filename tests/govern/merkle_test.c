#include "fixture.h"

#include "base/text.h"

#include <string.h>

#define LEAVES 300

static struct digest leaf[LEAVES];

static void
make_leaves(void)
{
    for (size_t i = 0; i < LEAVES; i++) {
        merkle_leaf(view_of(&i, sizeof i), &leaf[i]);
    }
}

static void
put_hex(const struct digest *d, struct buf *ret_hex)
{
    buf_init(ret_hex, 128);
    digest_put_hex(ret_hex, d);
}

/* The roots of transparency-dev/merkle, testonly/constants.go: leaves of 0 to 16 bytes. */
static void
gives_the_roots_of_certificate_transparency(void **state)
{
    (void)state;
    static const char *const input[] = {"",
                                        "00",
                                        "10",
                                        "2021",
                                        "3031",
                                        "40414243",
                                        "5051525354555657",
                                        "606162636465666768696a6b6c6d6e6f"};
    static const char *const root[] = {
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"};
    struct digest hashes[8];
    for (size_t i = 0; i < 8; i++) {
        DEFER(buf_done) struct buf raw;
        buf_init(&raw, 64);
        assert_ok(text_from_hex(view_str(input[i]), &raw));
        merkle_leaf(buf_view(&raw), &hashes[i]);
    }
    for (size_t n = 0; n <= 8; n++) {
        DEFER(buf_done) struct buf hex;
        struct digest d;
        merkle_root(hashes, n, &d);
        put_hex(&d, &hex);
        assert_string_equal(buf_str(&hex), root[n]);
    }
}

static struct status
oracle_node(void *ctx, unsigned level, uint64_t index, struct digest *ret_hash)
{
    const size_t n = *(const size_t *)ctx;
    assert_true(((index + 1) << level) <= n); /* never asks for a node that is not whole */
    fixture_mth(leaf + (index << level), (size_t)1 << level, ret_hash);
    return OK;
}

static void
roots_of_every_size_equal_the_definition(void **state)
{
    (void)state;
    for (size_t n = 0; n <= LEAVES; n++) {
        struct digest want, have;
        fixture_mth(leaf, n, &want);
        merkle_root(leaf, n, &have);
        assert_memory_equal(&have, &want, sizeof want);
        assert_ok(merkle_root_at((struct merkle_source){oracle_node, &n}, n, &have));
        assert_memory_equal(&have, &want, sizeof want);
    }
}

struct full_tiles {
    size_t n;
    uint64_t index[4];
    unsigned level[4];
};

static struct status
keep_full(void *ctx, unsigned level, uint64_t index, const struct digest *hashes)
{
    struct full_tiles *f = ctx;
    assert_true(f->n < 4);
    if (level == 0) {
        assert_memory_equal(hashes, leaf + index * MERKLE_WIDTH, MERKLE_WIDTH * sizeof *hashes);
    }
    f->level[f->n] = level;
    f->index[f->n++] = index;
    return OK;
}

static void
edge_has_the_root_of_the_definition_at_every_size(void **state)
{
    (void)state;
    struct full_tiles full = {0};
    DEFER(memory_freep) struct merkle_edge *e = calloc(1, sizeof *e);
    for (size_t n = 0; n < LEAVES; n++) {
        struct digest want, have;
        fixture_mth(leaf, n, &want);
        merkle_edge_root(e, &have);
        assert_memory_equal(&have, &want, sizeof want);
        assert_ok(merkle_edge_push(e, &leaf[n], (struct merkle_sink){keep_full, &full}));
    }
    assert_int_equal(full.n, 1);
    assert_int_equal(full.level[0], 0);
    assert_int_equal(full.index[0], 0);
}

struct counter {
    uint64_t full[MERKLE_LEVELS];
};

static struct status
count_full(void *ctx, unsigned level, uint64_t index, const struct digest *hashes)
{
    (void)hashes;
    struct counter *c = ctx;
    assert_int_equal(index, c->full[level]++);
    return OK;
}

/* 70,000 entries: 273 full tiles and 112 hashes, 1 full and 17, none and 1 (C2SP tlog-tiles). */
static void
widths_are_those_of_the_layout(void **state)
{
    (void)state;
    assert_int_equal(merkle_width(70000, 0), 112);
    assert_int_equal(merkle_index(70000, 0), 273);
    assert_int_equal(merkle_width(70000, 1), 17);
    assert_int_equal(merkle_index(70000, 1), 1);
    assert_int_equal(merkle_width(70000, 2), 1);
    assert_int_equal(merkle_index(70000, 2), 0);
    assert_int_equal(merkle_width(256, 0), 0);
    assert_int_equal(merkle_width(256, 1), 1);
    assert_int_equal(merkle_width(UINT64_MAX, 7), 255);
    assert_int_equal(merkle_index(UINT64_MAX, 7), 0);
    DEFER(memory_freep) struct merkle_edge *e = calloc(1, sizeof *e);
    struct counter c = {0};
    for (size_t i = 0; i < 70000; i++) {
        assert_ok(merkle_edge_push(e, &leaf[i % LEAVES], (struct merkle_sink){count_full, &c}));
    }
    assert_int_equal(c.full[0], 273);
    assert_int_equal(c.full[1], 1);
    assert_int_equal(c.full[2], 0);
}

/* RFC 6962 section 2.1.1, word by word. */
static size_t
oracle_path(size_t m, const struct digest *d, size_t n, struct digest *ret_path)
{
    if (n == 1) {
        return 0;
    }
    size_t k = 1;
    while (k * 2 < n) {
        k *= 2;
    }
    const bool left = m < k;
    const size_t depth =
        left ? oracle_path(m, d, k, ret_path) : oracle_path(m - k, d + k, n - k, ret_path);
    if (left) {
        fixture_mth(d + k, n - k, &ret_path[depth]);
    } else {
        fixture_mth(d, k, &ret_path[depth]);
    }
    return depth + 1;
}

static void
check_proofs_of(size_t size)
{
    struct digest root, path[MERKLE_PATH_MAX], want[MERKLE_PATH_MAX];
    fixture_mth(leaf, size, &root);
    for (size_t i = 0; i < size; i++) {
        size_t n = 0;
        assert_ok(merkle_prove((struct merkle_source){oracle_node, &size}, i, size, path, &n));
        assert_int_equal(n, oracle_path(i, leaf, size, want));
        assert_memory_equal(path, want, n * sizeof path[0]);
        assert_true(merkle_check(&leaf[i], i, size, path, n, &root));
    }
}

static void
proofs_of_every_entry_equal_the_definition(void **state)
{
    (void)state;
    static const size_t large[] = {127, 128, 129, 200, 255, 256, 257, 300};
    for (size_t size = 1; size <= 70; size++) {
        check_proofs_of(size);
    }
    for (size_t i = 0; i < sizeof large / sizeof large[0]; i++) {
        check_proofs_of(large[i]);
    }
}

static void
refuses_a_proof_of_anything_else(void **state)
{
    (void)state;
    for (size_t size = 1; size <= 40; size++) {
        struct digest root, path[MERKLE_PATH_MAX];
        fixture_mth(leaf, size, &root);
        for (size_t i = 0; i < size; i++) {
            size_t n = 0;
            assert_ok(merkle_prove((struct merkle_source){oracle_node, &size}, i, size, path, &n));
            assert_false(merkle_check(&leaf[i], size, size, path, n, &root));
            assert_false(merkle_check(&leaf[i], UINT64_MAX, size, path, n, &root));
            assert_false(merkle_check(&leaf[i], 0, 0, path, n, &root));
            assert_false(merkle_check(&leaf[i + 1], i, size, path, n, &root));
            assert_false(merkle_check(&leaf[i], i, size, path, n + 1, &root));
            if (n > 0) {
                assert_false(merkle_check(&leaf[i], i, size, path, n - 1, &root));
            }
            for (size_t other = 0; other < size; other++) {
                assert_true(merkle_check(&leaf[i], other, size, path, n, &root) == (other == i));
            }
            for (size_t bit = 0; bit < n * DIGEST_BYTES; bit += 7) {
                path[bit / DIGEST_BYTES].bytes[bit % DIGEST_BYTES] ^= 1;
                assert_false(merkle_check(&leaf[i], i, size, path, n, &root));
                path[bit / DIGEST_BYTES].bytes[bit % DIGEST_BYTES] ^= 1;
            }
        }
    }
}

/* RFC 6962 section 2.1.2, word by word. */
static size_t
oracle_consistency(size_t m, const struct digest *d, size_t n, bool known, struct digest *ret_path)
{
    if (m == n) {
        if (!known) {
            fixture_mth(d, n, ret_path);
        }
        return known ? 0 : 1;
    }
    size_t k = 1;
    while (k * 2 < n) {
        k *= 2;
    }
    const size_t depth = m <= k ? oracle_consistency(m, d, k, known, ret_path)
                                : oracle_consistency(m - k, d + k, n - k, false, ret_path);
    if (m <= k) {
        fixture_mth(d + k, n - k, &ret_path[depth]);
    } else {
        fixture_mth(d, k, &ret_path[depth]);
    }
    return depth + 1;
}

static struct digest root_of[LEAVES + 1];

static void
make_roots(void)
{
    for (size_t n = 0; n <= LEAVES; n++) {
        fixture_mth(leaf, n, &root_of[n]);
    }
}

static void
consistency_of_every_pair_of_sizes_equals_the_definition(void **state)
{
    (void)state;
    for (size_t size = 0; size <= LEAVES; size++) {
        for (size_t old = 0; old <= size; old++) {
            struct digest path[MERKLE_PATH_MAX], want[MERKLE_PATH_MAX];
            size_t n = 99;
            assert_ok(merkle_prove_consistency((struct merkle_source){oracle_node, &size}, old,
                                               size, path, &n));
            assert_int_equal(n, old == 0 ? 0 : oracle_consistency(old, leaf, size, true, want));
            assert_memory_equal(path, want, n * sizeof path[0]);
            assert_true(
                merkle_check_consistency(old, &root_of[old], size, &root_of[size], path, n));
        }
    }
}

/* Each way in which one proof of one pair can be wrong. */
static void
refuse_others(size_t old, size_t size, struct digest *path, size_t n)
{
    const struct digest *a = &root_of[old], *b = &root_of[size];
    assert_false(merkle_check_consistency(size + 1, a, size, b, path, n));
    assert_false(merkle_check_consistency(UINT64_MAX, a, size, b, path, n));
    assert_false(merkle_check_consistency(old, a, 0, b, path, n));
    assert_false(merkle_check_consistency(old, a, size, b, path, n + 1));
    assert_true(old == 0 || size == 1 ||
                !merkle_check_consistency(old, a, size, &leaf[0], path, n));
    assert_true(n == 0 || !merkle_check_consistency(old, a, size, b, path, n - 1));
    for (size_t other = 0; other <= size; other++) {
        const bool same = other == old;
        assert_true(merkle_check_consistency(other, &root_of[other], size, b, path, n) == same ||
                    (n == 0 && (other == 0 || other == size)));
        assert_true(merkle_check_consistency(old, &root_of[other], size, b, path, n) == same);
    }
    for (size_t bit = 0; bit < n * DIGEST_BYTES; bit += 5) {
        path[bit / DIGEST_BYTES].bytes[bit % DIGEST_BYTES] ^= 1;
        assert_false(merkle_check_consistency(old, a, size, b, path, n));
        path[bit / DIGEST_BYTES].bytes[bit % DIGEST_BYTES] ^= 1;
    }
}

static void
refuses_a_consistency_proof_of_anything_else(void **state)
{
    (void)state;
    for (size_t size = 1; size <= 40; size++) {
        for (size_t old = 0; old <= size; old++) {
            struct digest path[MERKLE_PATH_MAX] = {0};
            size_t n = 0;
            assert_ok(merkle_prove_consistency((struct merkle_source){oracle_node, &size}, old,
                                               size, path, &n));
            refuse_others(old, size, path, n);
        }
    }
}

/* The path of the largest trees that there can be: no shift goes astray. */
static void
refuses_hostile_sizes_of_a_consistency_proof(void **state)
{
    (void)state;
    struct digest path[MERKLE_PATH_MAX] = {0};
    const uint64_t sizes[] = {1, 2, 3, UINT64_C(1) << 63, UINT64_MAX - 1, UINT64_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        for (size_t n = 0; n <= MERKLE_PATH_MAX; n++) {
            assert_false(
                merkle_check_consistency(sizes[i], &leaf[0], UINT64_MAX, &leaf[1], path, n));
        }
    }
    assert_false(merkle_check_consistency(0, &leaf[0], 5, &root_of[5], path, 0));
    assert_false(merkle_check_consistency(0, &root_of[0], 0, &leaf[0], path, 0));
    assert_true(merkle_check_consistency(0, &root_of[0], 0, &root_of[0], path, 0));
}

int
main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(refuses_a_proof_of_anything_else),
        cmocka_unit_test(refuses_a_consistency_proof_of_anything_else),
        cmocka_unit_test(refuses_hostile_sizes_of_a_consistency_proof),
        cmocka_unit_test(consistency_of_every_pair_of_sizes_equals_the_definition),
        cmocka_unit_test(gives_the_roots_of_certificate_transparency),
        cmocka_unit_test(roots_of_every_size_equal_the_definition),
        cmocka_unit_test(edge_has_the_root_of_the_definition_at_every_size),
        cmocka_unit_test(widths_are_those_of_the_layout),
        cmocka_unit_test(proofs_of_every_entry_equal_the_definition),
    };
    make_leaves();
    make_roots();
    return cmocka_run_group_tests(cases, NULL, NULL);
}
