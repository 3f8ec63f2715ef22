#include "serve/webhook_sink.h"

#include "base/clock.h"
#include "base/secret.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

#define SECRET_PREFIX "whsec_"
#define SECRET_LEAST 24u
#define SECRET_MOST 64u
#define ANSWER_MAX (64u << 10)
#define LOOKED_THROUGH 4096u /* entries between two positions that are kept */

struct status
webhook_secret(struct view text, struct diag *diag, struct hmac_key *ret_key)
{
    const size_t n = sizeof SECRET_PREFIX - 1;
    DEFER(buf_wipe) struct buf bytes;
    buf_init(&bytes, WEBHOOK_SECRET_MAX);
    if (text.len <= n || memcmp(text.ptr, SECRET_PREFIX, n) != 0 ||
        !status_ok(text_from_base64(view_of(text.ptr + n, text.len - n), &bytes)) ||
        bytes.len < SECRET_LEAST || bytes.len > SECRET_MOST) {
        diag_set(diag,
                 "a webhook's secret is " SECRET_PREFIX " and %u to %u bytes in base64, such as "
                 "echo " SECRET_PREFIX "$(openssl rand -base64 32) makes it",
                 SECRET_LEAST, SECRET_MOST);
        FAIL(INPUT);
    }
    hmac_key_of(buf_view(&bytes), ret_key);
    return OK;
}

/* ---- a message ---- */

/* The same whenever it is sent: "steward-0123456789abcdef-17". No dot stands in it, since dots part
 * what is signed. */
static void
put_id(const char *log, uint64_t index, struct buf *ret_id)
{
    for (const char *p = log; *p != '\0'; p++) {
        const bool plain = (*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9');
        buf_put_u8(ret_id, plain ? (uint8_t)*p : '-');
    }
    buf_put_str(ret_id, "-");
    text_put_u64(ret_id, index);
}

void
webhook_sign(const struct hmac_key *key, const char *id, const char *time, struct view body,
             struct buf *ret_text)
{
    struct digest mac;
    DEFER(buf_done) struct buf message;
    buf_init(&message, body.len + 1024);
    buf_printf(&message, "%s.%s.", id, time);
    buf_put(&message, body);
    hmac_of(key, buf_view(&message), &mac);
    buf_put_str(ret_text, "v1,");
    text_put_base64(ret_text, view_of(mac.bytes, sizeof mac.bytes));
    ret_text->failed = ret_text->failed != 0 ? ret_text->failed : message.failed;
}

static struct status
take_answer(const struct webhook_sink *s, unsigned status, struct diag *diag)
{
    if (status < 200 || status > 299) {
        diag_set(diag, "%s: it answers %u; an event counts as received when it answers 2xx",
                 s->origin, status);
        FAIL(IO);
    }
    return OK;
}

static struct status
post(struct webhook_sink *s, const char *id, struct view body, struct diag *diag)
{
    char time[24];
    DEFER(door_answer_done) struct door_answer answer = {0};
    DEFER(buf_done) struct buf signature;
    buf_init(&signature, 128);
    (void)snprintf(time, sizeof time, "%lld", (long long)(clock_wall_ns() / NS_PER_S));
    webhook_sign(&s->key, id, time, body, &signature);
    TRY(buf_status(&signature));
    const struct door_header header[] = {{"content-type", view_str(s->media)},
                                         {"webhook-id", view_str(id)},
                                         {"webhook-timestamp", view_str(time)},
                                         {"webhook-signature", buf_view(&signature)}};
    struct door_request q = s->request;
    q.header = header;
    q.headers = sizeof header / sizeof *header;
    q.body = body;
    TRY(door_fetch(s->door, &q, diag, &answer));
    return take_answer(s, answer.status, diag);
}

static struct status
put_event(void *ctx, const char *log, uint64_t index, struct view event, struct diag *diag)
{
    DEFER(buf_done) struct buf id;
    buf_init(&id, 400);
    put_id(log, index, &id);
    TRY(buf_status(&id));
    return post(ctx, buf_str(&id), event, diag);
}

/* It has answered. */
static struct status
confirm(void *ctx, struct diag *diag)
{
    (void)ctx;
    (void)diag;
    return OK;
}

/* ---- the sink ---- */

struct status
webhook_sink_init(struct door *door, const struct receiver *r, const struct hmac_key *key,
                  const char *ca_file, int64_t timeout_ns, struct diag *diag,
                  struct webhook_sink *ret_sink)
{
    struct url u;
    char text[RECEIVER_HOSTS_MAX + 16];
    const char *at = NULL;
    DEFER(buf_done) struct buf url;
    DEFER(buf_done) struct buf origin;
    buf_init(&url, sizeof ret_sink->url - 1);
    buf_init(&origin, sizeof ret_sink->origin - 1);
    (void)receiver_next_url(r, &at, sizeof text, text);
    TRY(url_parse(view_str(text), diag, &u));
    url_put(&u, &url);
    url_put_origin(&u, &origin);
    TRY(buf_status(&url));
    TRY(buf_status(&origin));
    *ret_sink = (struct webhook_sink){.door = door,
                                      .key = *key,
                                      .media = r->format == EXPORT_CLOUDEVENTS
                                                   ? "application/cloudevents+json; charset=utf-8"
                                                   : "application/json"};
    text_copy(ret_sink->url, sizeof ret_sink->url, buf_str(&url));
    text_copy(ret_sink->origin, sizeof ret_sink->origin, buf_str(&origin));
    ret_sink->request = (struct door_request){.purpose = receiver_purpose(r),
                                              .url = ret_sink->url,
                                              .secret_target = true,
                                              .ca_file = ca_file,
                                              .timeout_ns = timeout_ns,
                                              .max_bytes = ANSWER_MAX};
    return OK;
}

void
webhook_sink_feed(struct webhook_sink *s, struct exporter *ret_exporter)
{
    ret_exporter->batch = LOOKED_THROUGH;
    ret_exporter->one_by_one = true;
    ret_exporter->sink = (struct export_sink){.event = put_event, .confirm = confirm, .ctx = s};
}
