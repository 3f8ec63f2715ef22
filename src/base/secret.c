#include "base/secret.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

void
secret_shield_process(void)
{
    const struct rlimit none = {0};
    (void)setrlimit(RLIMIT_CORE, &none);
    /* A core_pattern that is a pipe takes no notice of the limit. */
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

void
secret_wipe(void *ptr, size_t len)
{
    OPENSSL_cleanse(ptr, len);
}

static size_t
whole_pages(size_t len)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return (len + page - 1) / page * page;
}

struct status
secret_new(size_t len, struct secret *ret_secret)
{
    CHECK(len > 0 && len < SIZE_MAX / 2, LIMIT);
    const size_t size = whole_pages(len);
    void *ptr = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (ptr == MAP_FAILED) {
        FAIL_OS(errno);
    }
    (void)mlock(ptr, size);
    (void)madvise(ptr, size, MADV_DONTDUMP);
    *ret_secret = (struct secret){ptr, len};
    return OK;
}

struct status
secret_from(struct view bytes, struct secret *ret_secret)
{
    struct secret s = {0};
    TRY(secret_new(bytes.len, &s));
    memcpy(s.ptr, bytes.ptr, bytes.len);
    *ret_secret = s;
    return OK;
}

void
secret_relock(const struct secret *s)
{
    if (s->ptr != NULL) {
        (void)mlock(s->ptr, whole_pages(s->len));
    }
}

void
secret_done(struct secret *s)
{
    if (s->ptr != NULL) {
        const size_t size = whole_pages(s->len);
        secret_wipe(s->ptr, size);
        (void)munmap(s->ptr, size);
    }
    *s = (struct secret){0};
}

struct view
secret_view(const struct secret *s)
{
    return (struct view){s->ptr, s->len};
}
