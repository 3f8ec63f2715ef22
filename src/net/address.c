#include "net/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

struct status
address_parse(struct view text, uint16_t port, struct address *ret_address)
{
    char shown[INET6_ADDRSTRLEN];
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    CHECK(text.len > 0 && text.len < sizeof shown, INPUT);
    memcpy(shown, text.ptr, text.len);
    shown[text.len] = '\0';
    CHECK(strlen(shown) == text.len, INPUT);
    const bool is_v4 = inet_pton(AF_INET, shown, &v4.sin_addr) == 1;
    CHECK(is_v4 || inet_pton(AF_INET6, shown, &v6.sin6_addr) == 1, INPUT);
    memset(ret_address, 0, sizeof *ret_address);
    ret_address->len = is_v4 ? sizeof v4 : sizeof v6;
    memcpy(&ret_address->storage, is_v4 ? (const void *)&v4 : (const void *)&v6, ret_address->len);
    return OK;
}

uint16_t
address_port(const struct sockaddr *address)
{
    switch (address->sa_family) {
    case AF_INET:
        return ntohs(((const struct sockaddr_in *)(const void *)address)->sin_port);
    case AF_INET6:
        return ntohs(((const struct sockaddr_in6 *)(const void *)address)->sin6_port);
    default:
        return 0;
    }
}

void
address_put_text(const struct sockaddr *address, char ret_text[static ADDRESS_TEXT_MAX])
{
    const void *bytes = NULL;
    ret_text[0] = '\0';
    if (address->sa_family == AF_INET) {
        bytes = &((const struct sockaddr_in *)(const void *)address)->sin_addr;
    } else if (address->sa_family == AF_INET6) {
        bytes = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
    }
    if (bytes != NULL) {
        (void)inet_ntop(address->sa_family, bytes, ret_text, ADDRESS_TEXT_MAX);
    }
}
