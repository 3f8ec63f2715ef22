#include "base/random.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

void
random_bytes(void *ret_bytes, size_t n)
{
    uint8_t *at = ret_bytes;
    while (n > 0) {
        const ssize_t got = getrandom(at, n, 0);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        ASSERT(got > 0);
        at += got;
        n -= (size_t)got;
    }
}

void
random_name_bytes(void *ret_bytes, size_t n)
{
    static _Thread_local uint8_t kept[256];
    static _Thread_local size_t left;
    ASSERT(n <= sizeof kept);
    if (left < n) {
        random_bytes(kept, sizeof kept);
        left = sizeof kept;
    }
    left -= n;
    memcpy(ret_bytes, kept + left, n);
}
