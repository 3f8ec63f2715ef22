#include "fixture.h"

#include "base/clock.h"
#include "base/file.h"
#include "govern/journal.h"
#include "govern/ledger.h"

#include <fcntl.h>
#include <ftw.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define START_NS (INT64_C(1760000000) * NS_PER_S)

void
fixture_in_memory(void)
{
    if (access("/dev/shm", W_OK | X_OK) == 0) {
        assert_int_equal(setenv("TMPDIR", "/dev/shm", 1), 0);
    }
}

/* ---- keys ---- */

static const uint8_t seeds[2][32] = {{1, 2, 3}, {4, 5, 6}};

static EVP_PKEY *
key_of(const uint8_t *seed)
{
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, 32);
    assert_non_null(key);
    return key;
}

static struct status
sign(void *ctx, struct view message, uint8_t ret_signature[static 64])
{
    EVP_PKEY *key = key_of(ctx);
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    size_t n = 64;
    const bool done = EVP_DigestSignInit(c, NULL, NULL, NULL, key) == 1 &&
                      EVP_DigestSign(c, ret_signature, &n, message.ptr, message.len) == 1;
    EVP_MD_CTX_free(c);
    EVP_PKEY_free(key);
    CHECK(done, IO);
    return OK;
}

static struct audit_signer
signer_of(const uint8_t *seed)
{
    struct audit_signer s = {
        .origin = FIXTURE_ORIGIN, .sign = sign, .ctx = (void *)(uintptr_t)seed};
    EVP_PKEY *key = key_of(seed);
    size_t n = sizeof s.public_key;
    assert_int_equal(EVP_PKEY_get_raw_public_key(key, s.public_key, &n), 1);
    EVP_PKEY_free(key);
    return s;
}

struct audit_signer
fixture_signer(void)
{
    return signer_of(seeds[0]);
}

struct audit_signer
fixture_other_signer(void)
{
    return signer_of(seeds[1]);
}

/* ---- logs ---- */

void
fixture_entry(uint64_t i, struct buf *ret_entry)
{
    buf_put_str(ret_entry, "{\"v\":1,\"time\":\"");
    clock_put_rfc3339(ret_entry, START_NS + (int64_t)i * NS_PER_S);
    buf_printf(ret_entry, "\",\"id\":\"entry-%llu\"}", (unsigned long long)i);
}

uint64_t
fixture_entry_number(struct view entry)
{
    static const char key[] = "\"entry-";
    const uint8_t *at = memmem(entry.ptr, entry.len, key, sizeof key - 1);
    assert_non_null(at);
    return strtoull((const char *)at + sizeof key - 1, NULL, 10);
}

struct audit *
fixture_open(const char *dir, int64_t publish_ns)
{
    const struct audit_options o = {.signer = fixture_signer(),
                                    .publish_ns = publish_ns > 0 ? publish_ns : 3600 * NS_PER_S};
    struct diag diag = {0};
    struct audit *a = NULL;
    const struct status s = audit_open(dir, &o, &diag, &a);
    if (!status_ok(s)) {
        print_error("%s\n", diag.text);
    }
    assert_ok(s);
    return a;
}

void
fixture_append(const char *dir, uint64_t from, uint64_t to)
{
    struct audit *a = fixture_open(dir, 0);
    struct diag diag = {0};
    DEFER(buf_done) struct buf entry;
    buf_init(&entry, 4096);
    for (uint64_t i = from; i < to; i++) {
        uint64_t ticket = 0;
        buf_reset(&entry);
        fixture_entry(i, &entry);
        assert_ok(audit_submit(a, buf_view(&entry), &ticket));
    }
    assert_ok(audit_close(a, &diag));
}

void
fixture_own_files(const char *dir)
{
    DEFER(testing_dirp) char *copy = testing_dir();
    DEFER(file_freep) char *from = file_join(copy, "tile");
    DEFER(file_freep) char *to = file_join(dir, "tile");
    DEFER(file_freep) char *tree = file_join(dir, "tree");
    uint64_t copied = 0;
    assert_ok(audit_copy(dir, copy, NULL, &copied));
    assert_int_equal(rename(from, to), 0);
    testing_remove(tree);
}

struct status
fixture_adopt(struct ledger *l, struct growth *g, struct diag *diag)
{
    uint64_t covered = 0;
    TRY(ledger_sign(l, g, diag, &covered));
    return ledger_shorten(l, g, diag);
}

struct status
fixture_publish(struct ledger *l, struct diag *diag)
{
    DEFER(growth_freep) struct growth *g = growth_new(l);
    CHECK(g != NULL, MEMORY);
    bool more = true;
    while (more) {
        TRY(ledger_gather(l, g, &more));
        TRY(growth_write(g, !more, diag));
    }
    return fixture_adopt(l, g, diag);
}

struct status
fixture_ledger_append(struct ledger *l, uint64_t i, struct diag *diag)
{
    DEFER(buf_done) struct buf batch;
    DEFER(buf_done) struct buf entry;
    buf_init(&batch, 8192);
    buf_init(&entry, 4096);
    fixture_entry(i, &entry);
    buf_put_u32be(&batch, (uint32_t)entry.len);
    buf_put(&batch, buf_view(&entry));
    return ledger_append(l, buf_view(&batch), 1, diag);
}

/* The pending ones through the ledger itself, which publishes only when told to. */
void
fixture_log(const char *dir, uint64_t published, uint64_t pending)
{
    struct diag diag = {0};
    const struct audit_signer signer = fixture_signer();
    DEFER(ledger_freep) struct ledger *l = NULL;
    fixture_append(dir, 0, published);
    assert_ok(ledger_open(dir, &signer, &diag, &l));
    assert_ok(ledger_lock(l));
    assert_ok(ledger_sync(l, &diag));
    for (uint64_t i = published; i < published + pending; i++) {
        assert_ok(fixture_ledger_append(l, i, &diag));
    }
    ledger_unlock(l);
}

void
fixture_pad(const char *dir, size_t zeros)
{
    DEFER(file_freep) char *path = file_join(dir, "journal");
    DEFER(buf_done) struct buf bytes;
    struct view entry;
    size_t end = 0;
    testing_read(path, &bytes);
    while (
        journal_entry(view_of(bytes.ptr + JOURNAL_HEADER_BYTES, bytes.len - JOURNAL_HEADER_BYTES),
                      &end, &entry)) {
    }
    assert_int_equal(truncate(path, (off_t)(JOURNAL_HEADER_BYTES + end)), 0);
    assert_int_equal(truncate(path, (off_t)(JOURNAL_HEADER_BYTES + end + zeros)), 0);
}

void
fixture_verify(const char *dir, uint64_t entries, uint64_t pending)
{
    struct audit_fault fault = {0};
    struct audit_report report = {0};
    const struct status s = audit_verify(dir, NULL, &fault, &report);
    if (!status_ok(s)) {
        print_error("%s\n", fault.text);
    }
    assert_ok(s);
    assert_int_equal(report.entries, entries);
    assert_int_equal(report.pending, pending);
    assert_string_equal(report.origin, FIXTURE_ORIGIN);
}

/* ---- files ---- */

static struct fixture_files *walking;
static size_t skip;

static int
visit(const char *path, const struct stat *st, int flag, struct FTW *at)
{
    (void)st, (void)at;
    if (flag == FTW_F) {
        assert_true(walking->n < 256);
        walking->path[walking->n++] = strdup(path + skip);
    }
    return 0;
}

static int
by_name(const void *a, const void *b)
{
    const char *const *left = a;
    const char *const *right = b;
    return strcmp(*left, *right);
}

void
fixture_files(const char *dir, struct fixture_files *ret_files)
{
    *ret_files = (struct fixture_files){0};
    walking = ret_files;
    skip = strlen(dir) + 1;
    assert_int_equal(nftw(dir, visit, 16, FTW_PHYS), 0);
    qsort(ret_files->path, ret_files->n, sizeof ret_files->path[0], by_name);
}

void
fixture_files_done(struct fixture_files *f)
{
    for (size_t i = 0; i < f->n; i++) {
        free(f->path[i]);
    }
}

void
fixture_overwrite(const char *dir, const char *name, struct view bytes)
{
    DEFER(file_freep) char *path = file_join(dir, name);
    const int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_ok(file_write_all(fd, bytes, path, NULL));
    assert_int_equal(ftruncate(fd, (off_t)bytes.len), 0); /* O_TRUNC would make some systems sync */
    assert_int_equal(close(fd), 0);
}

/* ---- the oracle ---- */

void
fixture_mth(const struct digest *leaves, size_t n, struct digest *ret_root)
{
    uint8_t both[1 + 2 * DIGEST_BYTES] = {1};
    if (n == 0) {
        digest_of(view_of(NULL, 0), ret_root);
        return;
    }
    if (n == 1) {
        *ret_root = leaves[0];
        return;
    }
    size_t k = 1;
    while (k * 2 < n) {
        k *= 2;
    }
    struct digest left, right;
    fixture_mth(leaves, k, &left);
    fixture_mth(leaves + k, n - k, &right);
    memcpy(both + 1, left.bytes, DIGEST_BYTES);
    memcpy(both + 1 + DIGEST_BYTES, right.bytes, DIGEST_BYTES);
    digest_of(view_of(both, sizeof both), ret_root);
}
