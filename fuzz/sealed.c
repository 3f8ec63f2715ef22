/* Sealed objects. First byte even: the rest is a file, hostile from its first byte on; what opens
 * must be the one object that was sealed. First byte odd: the rest is a list of edits to a valid
 * object of two chunks; it opens when nothing was changed, and not when anything was but the places
 * of the wrapped key, of which one is enough. */
#include "base/digest.h"
#include "base/file.h"
#include "base/text.h"
#include "vault/seal.h"

#include "edits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The keys of tests/vault/data/sealed.json, the object "dataset/one/2" in it, and the SHA-256 of
 * its file with zeros in the places of the wrapped key. */
#define WORKSPACE_KEY "c3c65eab3572c54e730ba4dca1c46f1e810a694572995a68cda21a693b8d8997"
#define MAC_SEALED                                                                                 \
    "AgIAAACgskkb2l7WDZZPHo+aXa15dGU6uA42yiATsT6v4PvtuEMwAXbZZO6x7YMq/LBotniaQazUwS7oa/klDFZT"     \
    "Wb9U5EUF/VH+Tra1srqjMEPR5tegDeol4bcXyoAyg7ziNFVjXwDKk1M9Nv6Adrw="
#define SIGNING_SEALED                                                                             \
    "AgEAAAAqdjd+L8XLAJMgk3PnB/1SjjFx4nb/70PrzW/XiQC0ILaBNQShcAF5uJVswL8AcMc6XGmGk0kttO2Ha8XS"     \
    "3JBCKhKI+QDCEuVYeZ6IiL9OIuC0PULMbZ2q3d6HlT7XpsAg6KkHKH02aKwnz4A="
#define WRAPPED_OLDER                                                                              \
    "AgAAANZM6xB+lDswdmbF0uZts55nnqy9/kCzyD/h/o1iv3NoUQ83x/nIXflVs8uZTOOzmbVL4+rTsCOcKhKyIg=="
#define SIGNING_PUB "PUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw=\n"
#define ONE_DIGEST "c932038d6a060f0197192549c37af6ec67da170eaaeed29c45ff6b606e756e05"

static struct vault *vault;
static struct buf two_chunks;
static const struct seal_id ONE = {"dataset", "one", 2}, TWO = {"model", "two", 1};

static struct status
unwrap(const void *ctx, struct view state, struct secret *ret_key, struct diag *diag)
{
    (void)ctx, (void)state, (void)diag;
    DEFER(buf_wipe) struct buf key;
    buf_init(&key, VAULT_KEY_BYTES);
    TRY(text_from_hex(view_str(WORKSPACE_KEY), &key));
    return secret_from(buf_view(&key), ret_key);
}

static void
write_in(const char *dir, const char *name, struct view bytes)
{
    DEFER(file_freep) char *path = file_join(dir, name);
    ASSERT(status_ok(file_replace(path, bytes, 0600, NULL)));
}

static void
write_base64(const char *dir, const char *name, const char *text)
{
    DEFER(buf_done) struct buf bytes;
    buf_init(&bytes, 1024);
    ASSERT(status_ok(text_from_base64(view_str(text), &bytes)));
    write_in(dir, name, buf_view(&bytes));
}

#define KEYS                                                                                       \
    "{\"format\":\"steward-keys-2\",\"generation\":2,\"made\":\"2026-11-25T01:00:00Z\","           \
    "\"provider\":\"fuzz\",\"state\":{},\"older\":[{\"generation\":1,"                             \
    "\"made\":\"2026-11-24T01:00:00.5Z\",\"wrapped\":\"" WRAPPED_OLDER "\"}],"                     \
    "\"check\":\"Amd/IfOZ3vSeMx4px+1H0WotlEd5hHKsnKNSaB0eTXg=\"}"

static void
open_vault(const char *dir)
{
    const struct vault_provider p = {.name = "fuzz", .unwrap = unwrap};
    write_in(dir, "workspace.json", view_str(KEYS));
    write_base64(dir, "mac.sealed", MAC_SEALED);
    write_base64(dir, "signing.sealed", SIGNING_SEALED);
    write_in(dir, "signing.pub", view_str(SIGNING_PUB));
    ASSERT(status_ok(vault_open(dir, &p, NULL, &vault)));
}

static void
seal_two_chunks(const char *dir)
{
    DEFER(file_freep) char *path = file_join(dir, "object");
    DEFER(buf_done) struct buf plain;
    buf_init(&plain, SEAL_CHUNK_BYTES + 10);
    ASSERT(buf_extend(&plain, SEAL_CHUNK_BYTES + 10) != NULL);
    memset(plain.ptr, 'p', plain.len);
    ASSERT(status_ok(seal_file(vault, path, TWO, buf_view(&plain), NULL)));
    buf_init(&two_chunks, 1u << 20);
    ASSERT(status_ok(file_read(path, 1u << 20, NULL, &two_chunks)));
    (void)unlink(path);
}

static void
set_up(void)
{
    static const char *const names[] = {"workspace.json", "mac.sealed", "signing.sealed",
                                        "signing.pub"};
    char dir[] = "/tmp/steward-fuzz-XXXXXX";
    ASSERT(mkdtemp(dir) != NULL);
    open_vault(dir);
    seal_two_chunks(dir);
    for (size_t i = 0; i < 4; i++) {
        DEFER(file_freep) char *path = file_join(dir, names[i]);
        (void)unlink(path);
    }
    (void)rmdir(dir);
}

/* The bytes as a file, opened by its name under /proc. */
static bool
opens(struct view bytes, struct seal_id id)
{
    char path[64];
    struct diag diag = {0};
    DEFER(buf_done) struct buf plain;
    DEFER(file_closep) int fd = memfd_create("sealed", MFD_CLOEXEC);
    ASSERT(fd >= 0 && status_ok(file_write_all(fd, bytes, "sealed", NULL)));
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    buf_init(&plain, 1u << 20);
    const struct status s = seal_open_file(vault, path, id, 1u << 20, &diag, &plain);
    ASSERT(status_ok(s) || (diag.text[0] != '\0' && plain.len == 0));
    return status_ok(s);
}

#define PLACES_FROM 12u
#define PLACES_TO 140u

/* With zeros in the places of the wrapped key. */
static void
put_without_key(struct view file, struct buf *ret_file)
{
    buf_init(ret_file, 1u << 20);
    buf_put(ret_file, file);
    for (size_t i = PLACES_FROM; i < PLACES_TO && i < ret_file->len; i++) {
        ret_file->ptr[i] = 0;
    }
}

static void
try_file(struct view file)
{
    if (opens(file, ONE)) {
        struct digest d;
        DEFER(buf_done) struct buf hex;
        DEFER(buf_done) struct buf rest;
        buf_init(&hex, 128);
        put_without_key(file, &rest);
        digest_of(buf_view(&rest), &d);
        digest_put_hex(&hex, &d);
        ASSERT(strcmp(buf_str(&hex), ONE_DIGEST) == 0);
    }
}

static void
try_edits(struct view script)
{
    DEFER(buf_done) struct buf edited;
    buf_init(&edited, 1u << 20);
    edit_all(script, buf_view(&two_chunks), &edited);
    DEFER(buf_done) struct buf rest;
    DEFER(buf_done) struct buf right;
    put_without_key(buf_view(&edited), &rest);
    put_without_key(buf_view(&two_chunks), &right);
    const bool opened = opens(buf_view(&edited), TWO);
    ASSERT(!opened || view_equal(buf_view(&rest), buf_view(&right)));
    ASSERT(opened || !view_equal(buf_view(&edited), buf_view(&two_chunks)));
    ASSERT(!opens(buf_view(&edited), ONE));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (vault == NULL) {
        set_up();
    }
    if (size > 0 && size <= 1u << 20) {
        const struct view rest = view_of(data + 1, size - 1);
        if (data[0] % 2 == 0) {
            try_file(rest);
        } else {
            try_edits(rest);
        }
    }
    return 0;
}
