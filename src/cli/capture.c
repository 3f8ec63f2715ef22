/* capture list, show, erase: bodies of calls that the server has captured. */
#include "cli/cli.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "workspace/captures.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KEY_MAX 256u

const struct cli_option cli_capture_list_options[] = {
    {"model", "MODEL", "only of its calls", NULL, CLI_ONCE, NULL},
    {0},
};

const struct cli_option cli_capture_show_options[] = {
    {"api-key-file", "FILE", "the API key of who reads; not readable by others", NULL, CLI_ONCE,
     "@file"},
    {"part", "PART", "all, or one body as it was: request or response", "all", CLI_ONCE,
     "all request response"},
    {0},
};

const struct cli_option cli_capture_erase_options[] = {
    {"model", "MODEL", "all of its calls, with --older-than", NULL, CLI_ONCE, NULL},
    {"older-than", "DURATION", "those from before, such as 30d; 0s: all", NULL, CLI_ONCE, NULL},
    {0},
};

/* ---- list ---- */

static struct status
list_one(void *ctx, const struct capture_id *id, uint64_t bytes)
{
    char text[CAPTURE_ID_MAX];
    DEFER(buf_done) struct buf time;
    buf_init(&time, 64);
    clock_put_rfc3339(&time, (int64_t)id->at);
    capture_put_id(id, text);
    json_t *row = json_pack("{s:s, s:s, s:I}", "capture", text, "time", buf_str(&time),
                            "sealed_bytes", (json_int_t)bytes);
    CHECK(row != NULL && json_array_append_new(ctx, row) == 0, MEMORY);
    return OK;
}

static int
by_name(const void *a, const void *b)
{
    const json_t *const *x = a, *const *y = b;
    return strcmp(json_string_value(json_object_get(*x, "time")),
                  json_string_value(json_object_get(*y, "time")));
}

/* In the order of their times. */
static struct status
sort(const json_t *rows, json_t **ret_sorted)
{
    const size_t n = json_array_size(rows);
    DEFER(js_freep) json_t *sorted = json_array();
    DEFER(memory_freep) json_t **row = calloc(n + 1, sizeof *row);
    CHECK(row != NULL && sorted != NULL, MEMORY);
    for (size_t i = 0; i < n; i++) {
        row[i] = json_array_get(rows, i);
    }
    qsort(row, n, sizeof *row, by_name);
    for (size_t i = 0; i < n; i++) {
        CHECK(json_array_append(sorted, row[i]) == 0, MEMORY);
    }
    *ret_sorted = MOVE(sorted);
    return OK;
}

static struct status
check_model(struct cli *c)
{
    const char *model = cli_value(c, "model");
    if (model != NULL && !text_is_name(model)) {
        diag_set(&c->diag, "--model %.60s: no model's name", model);
        FAIL(INPUT);
    }
    return OK;
}

struct status
cli_capture_list(struct cli *c)
{
    DEFER(js_freep) json_t *rows = json_array();
    DEFER(js_freep) json_t *sorted = NULL;
    CHECK(rows != NULL, MEMORY);
    TRY(workspace_check(c->dir, &c->diag));
    TRY(check_model(c));
    TRY(captures_each(c->dir, cli_value(c, "model"), list_one, rows, &c->diag));
    TRY(sort(rows, &sorted));
    if (c->json) {
        return cli_print_json(sorted);
    }
    cli_print_table(sorted, "capture:CAPTURE time:TIME sealed_bytes:BYTES");
    return OK;
}

/* ---- show ---- */

static struct status
audit(struct cli *c, struct workspace *w, const struct capture_id *id, const char *reason,
      bool refused)
{
    char text[CAPTURE_ID_MAX], resource[CAPTURE_ID_MAX + 16];
    capture_put_id(id, text);
    (void)snprintf(resource, sizeof resource, "captures/%s", text);
    const struct workspace_act act = {
        .action = "capture.read", .resource = resource, .reason = reason, .refused = refused};
    return workspace_audit(w, &act, &c->diag);
}

/* Who reads, by their key, and whether they may. */
static struct status
decide(struct cli *c, struct workspace *w, const struct capture_id *id,
       struct access_sign_in *ret_in, struct access_decision *ret_decision)
{
    char resource[96];
    const char *path = NULL;
    DEFER(secret_done) struct secret key = {0};
    DEFER(buf_wipe) struct buf text;
    buf_init(&text, KEY_MAX);
    TRY(cli_need(c, "api-key-file", "FILE", &path));
    TRY(file_read_secret(path, KEY_MAX - 1, "the API key", &c->diag, &key));
    buf_put(&text, view_of(key.ptr, key.len));
    TRY(buf_status(&text));
    const struct access_credential credential = {.bearer = buf_str(&text),
                                                 .now_ns = clock_wall_ns()};
    const struct status s = access_authenticate(w->access, &credential, ret_in);
    if (!status_ok(s)) {
        diag_set(&c->diag, "%s: %s", path, ret_in->reason);
        return s;
    }
    (void)snprintf(resource, sizeof resource, "captures/%s", id->model);
    const struct access_request q = {.caller = &ret_in->caller,
                                     .action = ACCESS_CAPTURE_READ,
                                     .resource = resource,
                                     .now_ns = clock_wall_ns()};
    access_decide(w->access, &q, ret_decision);
    return OK;
}

static struct status
authorise(struct cli *c, struct workspace *w, const struct capture_id *id)
{
    char reason[512];
    struct access_sign_in in = {.reason = ""};
    struct access_decision d = {.allow = false};
    const struct status s = decide(c, w, id, &in, &d);
    if (s.code == STATUS_AUTH) {
        struct diag said = c->diag;
        TRY(audit(c, w, id, "not read: no valid key", true));
        c->diag = said;
    }
    TRY(s);
    (void)snprintf(reason, sizeof reason, "%sread by %s (%.100s): %s", d.allow ? "" : "not ",
                   in.caller.principal, in.proof, d.rule);
    TRY(audit(c, w, id, reason, !d.allow));
    if (!d.allow) {
        diag_set(&c->diag,
                 "%s may not read captures of %s: %s; a role with capture.read on "
                 "captures/%s would do",
                 in.caller.principal, id->model, d.rule, id->model);
        FAIL(DENIED);
    }
    return OK;
}

static void
put_body(const char *title, struct view body)
{
    (void)printf("%s\n", title);
    (void)fwrite(body.ptr, 1, body.len, stdout);
    if (body.len > 0 && body.ptr[body.len - 1] != '\n') {
        (void)fputc('\n', stdout);
    }
}

static struct status
print(struct cli *c, const struct capture_read *r)
{
    const char *part = cli_value(c, "part");
    if (strcmp(part, "request") == 0) {
        return file_write_all(STDOUT_FILENO, r->request, "standard output", &c->diag);
    }
    if (strcmp(part, "response") == 0) {
        return file_write_all(STDOUT_FILENO, r->response, "standard output", &c->diag);
    }
    TRY(cli_print_json(r->head));
    put_body("request:", r->request);
    put_body("response:", r->response);
    return OK;
}

static struct status
check_part(struct cli *c)
{
    const char *part = cli_value(c, "part");
    if (strcmp(part, "all") != 0 && strcmp(part, "request") != 0 && strcmp(part, "response") != 0) {
        diag_set(&c->diag, "--part %.40s: there are all, request and response", part);
        FAIL(INPUT);
    }
    return OK;
}

struct status
cli_capture_show(struct cli *c)
{
    struct capture_id id;
    struct workspace *w = NULL;
    DEFER(capture_read_done) struct capture_read r = {0};
    TRY(capture_parse_id(c->operand[0], &c->diag, &id));
    TRY(check_part(c));
    TRY(cli_keep_open(c, &w));
    TRY(authorise(c, w, &id));
    const struct status s = capture_open(w, &id, &c->diag, &r);
    if (s.code == STATUS_NOT_FOUND) {
        diag_set(&c->diag, "there is no capture %s: its time was over, or it was erased",
                 c->operand[0]);
    }
    TRY(s);
    return print(c, &r);
}

/* ---- erase ---- */

static struct status
note_erased(struct cli *c, struct workspace *w, const char *model, const char *reason)
{
    char resource[CAPTURE_ID_MAX + 16];
    (void)snprintf(resource, sizeof resource, "captures/%s", model);
    const struct workspace_act act = {
        .action = "capture.erase", .resource = resource, .reason = reason};
    return workspace_audit(w, &act, &c->diag);
}

static struct status
erase_one(struct cli *c, struct workspace *w)
{
    char resource[CAPTURE_ID_MAX];
    struct capture_id id;
    TRY(capture_parse_id(c->operand[0], &c->diag, &id));
    capture_put_id(&id, resource);
    const struct status s = capture_destroy(c->dir, &id, &c->diag);
    if (s.code == STATUS_NOT_FOUND) {
        diag_set(&c->diag, "there is no capture %s: its time was over, or it was erased",
                 c->operand[0]);
    }
    TRY(s);
    TRY(note_erased(c, w, resource, "destroyed with its key, on demand"));
    cli_say("%s is destroyed with its key", resource);
    return OK;
}

static struct status
erase_older(struct cli *c, struct workspace *w, const char *model)
{
    char reason[128];
    int64_t older_ns = 0;
    size_t count = 0;
    const char *older = NULL;
    TRY(cli_need(c, "older-than", "DURATION", &older));
    if (!status_ok(text_to_duration_ns(view_str(older), &older_ns)) || older_ns < 0) {
        diag_set(&c->diag, "--older-than %.40s: a duration is needed, such as 30d", older);
        FAIL(INPUT);
    }
    TRY(check_model(c));
    const struct status s =
        captures_expire(c->dir, model, clock_wall_ns() - older_ns, SIZE_MAX, &c->diag, &count);
    (void)snprintf(reason, sizeof reason, "%zu captures destroyed with their keys, on demand",
                   count);
    if (count > 0) {
        TRY(note_erased(c, w, model, reason));
    }
    TRY(s);
    cli_say("%zu captures of %s are destroyed with their keys", count, model);
    return OK;
}

struct status
cli_capture_erase(struct cli *c)
{
    struct workspace *w = NULL;
    const char *model = cli_value(c, "model");
    if ((c->operands == 0) == (model == NULL)) {
        diag_set(&c->diag, "capture erase: which? CAPTURE, or --model with --older-than");
        FAIL(INPUT);
    }
    TRY(cli_keep_open(c, &w));
    return model == NULL ? erase_one(c, w) : erase_older(c, w, model);
}
