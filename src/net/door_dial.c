/* The door for sockets of others: they are connected here and nowhere else. */
#include "net/door_parts.h"

#include "base/clock.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

_Static_assert(DOOR_MOST_ADDRESSES == RESOLVE_MOST, "all that a name is looked up for");

static struct status
find(struct door *d, const struct door_request *q, struct diag *diag, struct passage *ret_passage)
{
    struct passage *p = ret_passage;
    *p = (struct passage){.door = d, .request = q, .until_ns = clock_mono_ns() + q->timeout_ns};
    TRY(url_parse(view_str(q->url), diag, &p->url));
    return door_find_way(p, diag);
}

struct status
door_way(struct door *d, const struct door_request *q, struct diag *diag,
         struct address ret_address[static DOOR_MOST_ADDRESSES], size_t *ret_count)
{
    struct passage p;
    TRY(find(d, q, diag, &p));
    memcpy(ret_address, p.pin.address, p.pin.count * sizeof *ret_address);
    *ret_count = p.pin.count;
    return OK;
}

int
door_dial(struct door *d, const struct door_request *q, int fd, const struct sockaddr *to,
          socklen_t len, struct diag *diag)
{
    struct passage p;
    if (!status_ok(find(d, q, diag, &p))) {
        return EACCES;
    }
    if (!door_is_pinned(&p, to)) {
        (void)door_refuse(&p, "", "an address that was not checked was asked for", diag);
        return EACCES;
    }
    return connect(fd, to, len) == 0 ? 0 : errno;
}
