#include "base/random.h"

#include <errno.h>
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
