#include "govern/receiver.h"

#include "base/text.h"

#include <string.h>

#define SYSLOG "syslog://"
#define CA_FILE "ca-file="

static struct status
refuse(struct diag *diag, const char *why)
{
    diag_set(diag, "%s; a receiver is written: NAME syslog://HOST:PORT [FORMAT] [ca-file=PATH]",
             why);
    FAIL(INPUT);
}

static bool
take_prefix(struct view *word, const char *prefix)
{
    const size_t n = strlen(prefix);
    if (word->len < n || memcmp(word->ptr, prefix, n) != 0) {
        return false;
    }
    *word = view_of(word->ptr + n, word->len - n);
    return true;
}

static struct status
parse_address(struct view word, struct receiver *r, struct diag *diag)
{
    if (!take_prefix(&word, SYSLOG)) {
        return refuse(diag, "there is no kind of receiver but syslog://");
    }
    if (word.len == 0 || memchr(word.ptr, '/', word.len) != NULL ||
        memchr(word.ptr, ':', word.len) == NULL ||
        !text_copy_view(r->hosts, sizeof r->hosts, word)) {
        return refuse(diag, "behind syslog:// stand a host, a colon and a port, and nothing else");
    }
    return OK;
}

static struct status
parse_rest(struct view word, struct receiver *r, struct diag *diag)
{
    char format[16];
    if (take_prefix(&word, CA_FILE)) {
        return word.len > 0 && text_copy_view(r->ca_file, sizeof r->ca_file, word)
                   ? OK
                   : refuse(diag, "ca-file= without a path, or with one too long");
    }
    if (!text_copy_view(format, sizeof format, word) ||
        !export_format_from_word(format, &r->format)) {
        return refuse(diag, "FORMAT is jsonl, ocsf or cef");
    }
    return OK;
}

struct status
receiver_parse(struct view item, struct diag *diag, struct receiver *ret_receiver)
{
    struct receiver r = {.format = EXPORT_CEF};
    if (!text_copy_view(r.name, sizeof r.name, text_next_word(&item)) || !text_is_name(r.name)) {
        return refuse(diag, "a receiver's name is small letters, digits, . _ -");
    }
    TRY(parse_address(text_next_word(&item), &r, diag));
    for (struct view word = text_next_word(&item); word.len > 0; word = text_next_word(&item)) {
        TRY(parse_rest(word, &r, diag));
    }
    *ret_receiver = r;
    return OK;
}

void
receiver_put(const struct receiver *r, struct buf *ret_text)
{
    buf_printf(ret_text, SYSLOG "%s as %s", r->hosts, export_format_word(r->format));
}
