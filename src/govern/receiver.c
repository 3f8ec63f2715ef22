#include "govern/receiver.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

#define CA_FILE "ca-file="

static const struct {
    const char *scheme;
    enum export_format format; /* without one */
} kinds[RECEIVER_KINDS] = {
    [RECEIVER_SYSLOG] = {"syslog://", EXPORT_CEF},
    [RECEIVER_KAFKA] = {"kafka://", EXPORT_JSONL},
    [RECEIVER_KAFKA_PLAIN] = {"kafka-plain://", EXPORT_JSONL},
};

static struct status
refuse(struct diag *diag, const char *why)
{
    diag_set(diag,
             "%s; a receiver is written: NAME syslog://HOST:PORT or "
             "kafka://HOST:PORT[,HOST:PORT...]/TOPIC, then [FORMAT] [ca-file=PATH]",
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

/* Letters, digits, . _ -, and neither "." nor "..". */
static bool
is_topic(const char *text)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    return *text != '\0' && text[strspn(text, letters)] == '\0' && strcmp(text, ".") != 0 &&
           strcmp(text, "..") != 0;
}

static struct status
parse_topic(struct view *hosts, struct receiver *r, struct diag *diag)
{
    const uint8_t *slash = memchr(hosts->ptr, '/', hosts->len);
    const size_t n = slash == NULL ? hosts->len : (size_t)(slash - hosts->ptr);
    const struct view topic = slash == NULL ? view_str("") : view_of(slash + 1, hosts->len - n - 1);
    if (!text_copy_view(r->topic, sizeof r->topic, topic) || !is_topic(r->topic)) {
        return refuse(diag, "behind Kafka's hosts stand a slash and the topic: letters, digits, "
                            ". _ -, at most 249");
    }
    *hosts = view_of(hosts->ptr, n);
    return OK;
}

struct status
receiver_parse_url(struct view url, struct diag *diag, struct receiver *ret_receiver)
{
    struct receiver *r = ret_receiver;
    unsigned k = 0;
    while (k < RECEIVER_KINDS && !take_prefix(&url, kinds[k].scheme)) {
        k++;
    }
    if (k == RECEIVER_KINDS) {
        return refuse(diag, "there is no kind of receiver but syslog://, kafka:// and "
                            "kafka-plain://");
    }
    r->kind = (enum receiver_kind)k;
    r->format = kinds[k].format;
    TRY(r->kind == RECEIVER_SYSLOG ? OK : parse_topic(&url, r, diag));
    const bool one = r->kind != RECEIVER_SYSLOG || memchr(url.ptr, ',', url.len) == NULL;
    if (url.len == 0 || url.ptr[url.len - 1] == ',' || !one ||
        memchr(url.ptr, '/', url.len) != NULL || memchr(url.ptr, ':', url.len) == NULL ||
        !text_copy_view(r->hosts, sizeof r->hosts, url)) {
        return refuse(diag, "behind the two slashes stand a host, a colon and a port");
    }
    return OK;
}

bool
receiver_next_url(const struct receiver *r, const char **at, size_t size, char *ret_url)
{
    const char *from = *at == NULL ? r->hosts : *at;
    const size_t n = strcspn(from, ",");
    if (*at != NULL && *from == '\0') {
        return false;
    }
    (void)snprintf(ret_url, size, "%s://%.*s", r->kind == RECEIVER_KAFKA_PLAIN ? "http" : "https",
                   (int)n, from);
    *at = from + n + (from[n] == ',');
    return true;
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
    struct receiver r = {0};
    if (!text_copy_view(r.name, sizeof r.name, text_next_word(&item)) || !text_is_name(r.name)) {
        return refuse(diag, "a receiver's name is small letters, digits, . _ -");
    }
    TRY(receiver_parse_url(text_next_word(&item), diag, &r));
    for (struct view word = text_next_word(&item); word.len > 0; word = text_next_word(&item)) {
        TRY(parse_rest(word, &r, diag));
    }
    *ret_receiver = r;
    return OK;
}

void
receiver_put(const struct receiver *r, struct buf *ret_text)
{
    buf_printf(ret_text, "%s%s%s%s as %s", kinds[r->kind].scheme, r->hosts,
               *r->topic == '\0' ? "" : "/", r->topic, export_format_word(r->format));
}
