#include "govern/receiver.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

#define CA_FILE "ca-file="
#define SECRET_FILE "secret-file="
#define ONLY "only="

static const struct {
    const char *scheme;
    enum export_format format; /* without one */
} kinds[RECEIVER_KINDS] = {
    [RECEIVER_SYSLOG] = {"syslog://", EXPORT_CEF},
    [RECEIVER_KAFKA] = {"kafka://", EXPORT_JSONL},
    [RECEIVER_KAFKA_PLAIN] = {"kafka-plain://", EXPORT_JSONL},
    [RECEIVER_WEBHOOK] = {"https://", EXPORT_CLOUDEVENTS},
};

static struct status
refuse(struct diag *diag, const char *why)
{
    diag_set(diag,
             "%s; a receiver is written: NAME syslog://HOST:PORT, "
             "kafka://HOST:PORT[,HOST:PORT...]/TOPIC or https://HOST[:PORT]/PATH, then [FORMAT] "
             "[only=alerts] [ca-file=PATH], and of https:// secret-file=PATH",
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
        return refuse(diag, "there is no kind of receiver but syslog://, kafka://, kafka-plain:// "
                            "and https://");
    }
    r->kind = (enum receiver_kind)k;
    r->format = kinds[k].format;
    r->alerts_only = r->kind == RECEIVER_WEBHOOK;
    if (r->kind == RECEIVER_WEBHOOK) {
        return text_copy_view(r->hosts, sizeof r->hosts, url) && *r->hosts != '\0'
                   ? OK
                   : refuse(diag, "behind the two slashes stand a host and a path");
    }
    TRY(r->kind == RECEIVER_SYSLOG ? OK : parse_topic(&url, r, diag));
    const bool one = r->kind != RECEIVER_SYSLOG || memchr(url.ptr, ',', url.len) == NULL;
    if (url.len == 0 || url.ptr[url.len - 1] == ',' || !one ||
        memchr(url.ptr, '/', url.len) != NULL || memchr(url.ptr, ':', url.len) == NULL ||
        !text_copy_view(r->hosts, sizeof r->hosts, url)) {
        return refuse(diag, "behind the two slashes stand a host, a colon and a port");
    }
    return OK;
}

const char *
receiver_purpose(const struct receiver *r)
{
    return r->kind == RECEIVER_WEBHOOK ? "alert" : "export";
}

bool
receiver_next_url(const struct receiver *r, const char **at, size_t size, char *ret_url)
{
    const char *from = *at == NULL ? r->hosts : *at;
    const size_t n = r->kind == RECEIVER_WEBHOOK ? strlen(from) : strcspn(from, ",");
    if (*at != NULL && *from == '\0') {
        return false;
    }
    (void)snprintf(ret_url, size, "%s://%.*s", r->kind == RECEIVER_KAFKA_PLAIN ? "http" : "https",
                   (int)n, from);
    *at = from + n + (from[n] == ',');
    return true;
}

static struct status
parse_path(struct view word, const char *without, char ret_path[static RECEIVER_PATH_MAX + 1],
           struct diag *diag)
{
    return word.len > 0 && text_copy_view(ret_path, RECEIVER_PATH_MAX + 1, word)
               ? OK
               : refuse(diag, without);
}

static struct status
parse_rest(struct view word, struct receiver *r, struct diag *diag)
{
    char format[16];
    if (take_prefix(&word, CA_FILE)) {
        return parse_path(word, CA_FILE " without a path, or with one too long", r->ca_file, diag);
    }
    if (r->kind == RECEIVER_WEBHOOK && take_prefix(&word, SECRET_FILE)) {
        return parse_path(word, SECRET_FILE " without a path, or with one too long", r->secret_file,
                          diag);
    }
    if (take_prefix(&word, ONLY)) {
        r->alerts_only = true;
        return view_equal_str(word, "alerts") ? OK : refuse(diag, "only= is followed by alerts");
    }
    if (!text_copy_view(format, sizeof format, word) ||
        !export_format_from_word(format, &r->format)) {
        return refuse(diag, "FORMAT is jsonl, ocsf, cef or cloudevents");
    }
    return OK;
}

static struct status
check(const struct receiver *r, struct diag *diag)
{
    if (r->kind == RECEIVER_WEBHOOK && r->format == EXPORT_CEF) {
        return refuse(diag, "a webhook gets JSON: cloudevents, ocsf or jsonl");
    }
    if (r->kind == RECEIVER_WEBHOOK && *r->secret_file == '\0') {
        return refuse(diag, "a webhook needs a secret-file, so that its receiver knows who sends");
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
    TRY(check(&r, diag));
    *ret_receiver = r;
    return OK;
}

void
receiver_put(const struct receiver *r, struct buf *ret_text)
{
    /* A webhook's path may be what lets one in. */
    const int n = (int)(r->kind == RECEIVER_WEBHOOK ? strcspn(r->hosts, "/?") : strlen(r->hosts));
    buf_printf(ret_text, "%s%.*s%s%s as %s%s", kinds[r->kind].scheme, n, r->hosts,
               *r->topic == '\0' ? "" : "/", r->topic, export_format_word(r->format),
               r->alerts_only ? ", alerts only" : "");
}
