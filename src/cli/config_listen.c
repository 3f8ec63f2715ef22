#include "cli/config.h"

#include "base/text.h"
#include "net/address.h"

#include <string.h>

struct status
config_read_listen(const char *text, char ret_address[static ADDRESS_TEXT_MAX], uint16_t *ret_port)
{
    const char *colon = strrchr(text, ':');
    uint64_t port = 0;
    struct address parsed;
    CHECK(colon != NULL && colon != text && status_ok(text_to_u64(view_str(colon + 1), &port)) &&
              port <= 65535,
          INPUT);
    const bool bracket = *text == '[' && colon[-1] == ']';
    const int n = (int)(colon - text) - (bracket ? 2 : 0);
    CHECK(n > 0 && n < (int)ADDRESS_TEXT_MAX, INPUT);
    const struct view address = view_of(text + (bracket ? 1 : 0), (size_t)n);
    TRY(address_parse(address, 0, &parsed));
    CHECK(bracket == (parsed.storage.ss_family == AF_INET6), INPUT);
    memcpy(ret_address, address.ptr, address.len);
    ret_address[n] = '\0';
    *ret_port = (uint16_t)port;
    return OK;
}
