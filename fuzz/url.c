/* A URL: any bytes are refused with a sentence, or read as one that has a text of its own, which is
 * read as the same; and what is written after the host never becomes the host. */
#include "net/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct url u, again;
    struct diag diag = {0};
    DEFER(buf_done) struct buf text;
    buf_init(&text, URL_MOST_TEXT);
    if (!status_ok(url_parse(view_of(data, size), &diag, &u))) {
        ASSERT(diag.text[0] != '\0');
        return 0;
    }
    url_put(&u, &text);
    ASSERT(status_ok(buf_status(&text)));
    ASSERT(status_ok(url_parse(buf_view(&text), &diag, &again)));
    ASSERT(memcmp(&u, &again, sizeof u) == 0);
    ASSERT(u.numeric || url_is_name(u.host));
    ASSERT(u.target[0] == '/' && u.port > 0 && strpbrk(u.host, "@/\\?#% ") == NULL);
    return 0;
}
