/* Who may see what, over HTTP: outputs by role, purposes, keys, tokens, and who guesses. */
#include "client.h"

#include "assess/explain.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/secret.h"
#include "base/text.h"
#include "serve/server.h"
#include "workspace/models.h"

#include <math.h>
#include <openssl/evp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PASSPHRASE "correct horse battery staple"
#define INFER "/v2/models/loans/infer"

static struct {
    char *root, *dir;
    struct workspace *workspace;
    struct server *server;
    uint16_t port;
    char desk[128], classes[128], rounds[128], blind[128], day[128], why[128], half[128];
} it;

/* ---- the workspace ---- */

static void
write_table(const char *path)
{
    DEFER(buf_done) struct buf csv;
    buf_init(&csv, 1 << 20);
    buf_put_str(&csv, "age,income,paid\n");
    for (int i = 0; i < 300; i++) {
        const int age = 20 + i * 7 % 50, income = 900 + i * 131 % 4000;
        buf_printf(&csv, "%d,%d.5,%s\n", age, income,
                   income + age * 20 + i % 3 * 300 > 3200 ? "yes" : "no");
    }
    testing_write(path, buf_view(&csv));
}

static const char roles[] =
    "roles:\n"
    "- name: classes\n"
    "  rules: [{actions: [model.infer], resources: [models/*], output: class}]\n"
    "- name: rounds\n"
    "  rules: [{actions: [model.infer, model.read], resources: [models/**], output: rounded,\n"
    "           digits: 1, explanations: true}]\n"
    "- name: half\n"
    "  rules: [{actions: [model.infer], resources: [models/**], output: full,\n"
    "           explanations: true, unmasked: [age]}]\n"
    "- name: blind\n"
    "  rules: [{actions: [model.infer], resources: [models/loans], output: none}]\n"
    "- name: for-claims\n"
    "  rules: [{actions: [model.infer], resources: [models/*], output: full,\n"
    "           when: {purpose: claims, address: 127.0.0.0/8}}]\n"
    "groups: [{name: counters, members: [rounds]}]\n"
    "grants:\n"
    "- {to: classes, role: classes}\n"
    "- {to: 'group:counters', role: rounds}\n"
    "- {to: rounds, role: operator}\n"
    "- {to: blind, role: blind}\n"
    "- {to: half, role: half}\n"
    "- {to: why, role: data-scientist}\n"
    "- {to: day, role: for-claims}\n";

static void
open_workspace(void)
{
    DEFER(secret_done) struct secret passphrase = {0};
    struct diag diag = {0};
    assert_ok(secret_from(view_str(PASSPHRASE), &passphrase));
    const struct workspace_open_options o = {.passphrase = &passphrase};
    assert_ok(workspace_open(it.dir, &o, &diag, &it.workspace));
}

static int
set_up(void **state)
{
    (void)state;
    struct diag diag = {0};
    const int64_t s = NS_PER_S;
    (void)signal(SIGPIPE, SIG_IGN);
    it.root = testing_dir();
    it.dir = file_join(it.root, "ws");
    DEFER(file_freep) char *csv = file_join(it.root, "loans.csv");
    DEFER(file_freep) char *yaml = file_join(it.root, "roles.yaml");
    write_table(csv);
    testing_write(yaml, view_str(roles));
    (void)setenv("STEWARD_WORKSPACE", it.dir, 1);
    (void)setenv("STEWARD_PASSPHRASE", PASSPHRASE, 1);
    assert_steward("init", it.dir);
    assert_steward("dataset", "add", "loans", csv, "--label", "paid", "--positive", "yes");
    assert_steward("model", "train", "loans", "--data", "loans", "--rounds", "20");
    char names[][16] = {"desk", "classes", "rounds", "blind", "day", "why", "half"};
    char *keys[] = {it.desk, it.classes, it.rounds, it.blind, it.day, it.why, it.half};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_steward("principal", "add", names[i], "--role", i == 0 ? "caller" : "auditor");
        testing_issue_key(names[i], keys[i]);
    }
    assert_steward("role", "import", yaml);
    open_workspace();
    const struct server_options o = {
        .http = {.address = "127.0.0.1",
                 .loops = 1,
                 .limits = {16384, 64, 1 << 20, 60 * s, 60 * s, 60 * s, 60 * s, 60 * s, 256, 256},
                 .arena_bytes = 8 << 20},
        .max_rows = 50,
        .explained_rows = 3,
        .grace_ns = 10 * s};
    assert_ok(server_start(it.workspace, &o, &diag, &it.server));
    it.port = server_port(it.server, SERVER_DATA);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    server_stop(it.server);
    workspace_close(it.workspace);
    testing_dirp(&it.root);
    free(it.dir);
    return 0;
}

/* ---- asking ---- */

static unsigned
ask(const char *key, const char *more, const char *outputs, struct reply *ret_reply)
{
    DEFER(buf_done) struct buf text;
    DEFER(buf_done) struct buf body;
    buf_init(&text, 1 << 20);
    buf_init(&body, 1 << 20);
    buf_printf(&body,
               "{\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP64\",\"shape\":[3,2],\"data\":[30,"
               "1200.5,44,3100,60,4000]}]%s%s%s}",
               outputs == NULL ? "" : ",\"outputs\":[", outputs == NULL ? "" : outputs,
               outputs == NULL ? "" : "]");
    buf_printf(&text,
               "POST " INFER " HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer %s\r\n"
               "%scontent-length: %zu\r\n\r\n%s",
               key, more, body.len, buf_str(&body));
    return client_ask(it.port, buf_str(&text), ret_reply);
}

/* What is answered: status, and the names of the outputs with commas. */
static unsigned
outputs_of(const char *key, const char *outputs, char ret_names[static 128], json_t **ret_body)
{
    struct reply r;
    size_t i = 0;
    json_t *o = NULL, *output = NULL;
    const unsigned status = ask(key, "", outputs, &r);
    assert_ok(js_parse(buf_view(&r.body), NULL, NULL, &o));
    *ret_names = '\0';
    json_array_foreach(json_object_get(o, "outputs"), i, output)
    {
        (void)strcat(strcat(ret_names, i == 0 ? "" : ","),
                     json_string_value(json_object_get(output, "name")));
    }
    reply_done(&r);
    *ret_body = o;
    return status;
}

#define PROBABILITY "{\"name\":\"probability\"}"
#define DECISION "{\"name\":\"decision\"}"
#define CONTRIBUTIONS "{\"name\":\"contributions\"}"
#define EXPLAINED "contributions,contributions.base,contributions.features"

static void
tells_of_a_prediction_what_the_role_may_see(void **state)
{
    (void)state;
    const struct {
        const char *key, *outputs;
        unsigned status;
        const char *names;
    } asks[] = {
        {it.desk, NULL, 200, "probability,decision"},
        {it.desk, PROBABILITY, 200, "probability"},
        {it.classes, NULL, 200, "decision"},
        {it.classes, "", 200, "decision"},
        {it.classes, DECISION, 200, "decision"},
        {it.classes, PROBABILITY, 403, ""},
        {it.classes, PROBABILITY "," DECISION, 403, ""},
        {it.rounds, NULL, 200, "probability,decision"},
        {it.rounds, PROBABILITY, 200, "probability"},
        {it.blind, NULL, 200, ""},
        {it.blind, DECISION, 403, ""},
        {it.blind, PROBABILITY, 403, ""},
        {it.why, NULL, 200, "probability,decision"},
        {it.why, CONTRIBUTIONS, 200, EXPLAINED},
        {it.why, CONTRIBUTIONS "," DECISION "," PROBABILITY, 200,
         "probability,decision," EXPLAINED},
        {it.half, CONTRIBUTIONS, 200, EXPLAINED},
        {it.desk, CONTRIBUTIONS, 403, ""},
        {it.desk, PROBABILITY "," CONTRIBUTIONS, 403, ""},
        {it.classes, CONTRIBUTIONS, 403, ""},
        {it.rounds, CONTRIBUTIONS, 403, ""}, /* has the right, but they sum to the score */
        {it.blind, CONTRIBUTIONS, 403, ""},
    };
    for (size_t i = 0; i < sizeof asks / sizeof *asks; i++) {
        char names[128];
        json_t *o = NULL;
        const unsigned status = outputs_of(asks[i].key, asks[i].outputs, names, &o);
        if (status != asks[i].status || strcmp(names, asks[i].names) != 0) {
            fail_msg("%zu: %u %s", i, status, names);
        }
        json_decref(o);
    }
}

static void
the_entry_says_what_of_the_outputs_left(void **state)
{
    (void)state;
    const struct {
        const char *key, *outputs, *output, *guard;
        unsigned status;
    } asks[] = {
        {it.desk, NULL, NULL, NULL, 200},        {it.desk, CONTRIBUTIONS, NULL, "output", 403},
        {it.classes, NULL, "class", NULL, 200},  {it.classes, PROBABILITY, NULL, "output", 403},
        {it.rounds, NULL, "rounded", NULL, 200}, {it.blind, NULL, "none", NULL, 200}};
    for (size_t i = 0; i < sizeof asks / sizeof *asks; i++) {
        struct reply r;
        assert_int_equal(ask(asks[i].key, "", asks[i].outputs, &r), asks[i].status);
        DEFER(js_freep) json_t *entry = entry_of(&r, it.dir);
        const char *is = json_string_value(json_object_get(entry, "output"));
        const char *guard = json_string_value(
            json_object_get(json_array_get(json_object_get(entry, "guards"), 0), "guard"));
        assert_int_equal(is != NULL, asks[i].output != NULL);
        assert_int_equal(guard != NULL, asks[i].guard != NULL);
        assert_true(is == NULL || strcmp(is, asks[i].output) == 0);
        assert_true(guard == NULL || strcmp(guard, asks[i].guard) == 0);
        reply_done(&r);
    }
}

static void
rounds_numbers_and_not_decisions(void **state)
{
    (void)state;
    char names[128];
    json_t *full = NULL, *rounded = NULL;
    assert_int_equal(outputs_of(it.desk, NULL, names, &full), 200);
    assert_int_equal(outputs_of(it.rounds, NULL, names, &rounded), 200);
    const json_t *a = json_object_get(full, "outputs"), *b = json_object_get(rounded, "outputs");
    const json_t *p = json_object_get(json_array_get(a, 0), "data");
    const json_t *q = json_object_get(json_array_get(b, 0), "data");
    assert_int_equal(json_array_size(q), 3);
    bool changed = false;
    for (size_t i = 0; i < 3; i++) {
        const double exact = json_number_value(json_array_get(p, i)),
                     told = json_number_value(json_array_get(q, i));
        assert_near(told * 10, round(exact * 10), 1e-12);
        changed = changed || told != exact;
    }
    assert_true(changed);
    assert_true(json_equal(json_array_get(a, 1), json_array_get(b, 1)));
    json_decref(full);
    json_decref(rounded);
}

/* ---- contributions ---- */

static const json_t *
data_of(const json_t *body, size_t output)
{
    return json_object_get(json_array_get(json_object_get(body, "outputs"), output), "data");
}

/* Of what ask() sends, by the plain engine: phi[3 rows * 2 features], the base, the margins. */
static void
by_the_plain_engine(double ret_phi[static 6], double *ret_base, double ret_margin[static 3])
{
    DEFER(model_freep) struct model *m = NULL;
    struct diag diag = {0};
    const float x[] = {30, 1200.5f, 44, 3100, 60, 4000};
    assert_ok(model_load(it.workspace, "loans", 0, &diag, &m));
    assert_ok(explain_rows(m->file->forest, x, 3, 1, ret_phi));
    explain_expected(m->file->forest, ret_base);
    model_file_margin(m->file, x, 3, 1, ret_margin);
}

static void
contributions_are_those_of_the_plain_engine_and_sum_to_the_score(void **state)
{
    (void)state;
    char names[128];
    double phi[6], base = 0, margin[3];
    DEFER(js_freep) json_t *o = NULL;
    by_the_plain_engine(phi, &base, margin);
    assert_int_equal(outputs_of(it.why, PROBABILITY "," CONTRIBUTIONS, names, &o), 200);
    const json_t *p = data_of(o, 0), *told = data_of(o, 1), *told_base = data_of(o, 2);
    assert_int_equal(json_array_size(told), 6);
    assert_near(json_number_value(json_array_get(told_base, 0)), base, 1e-12);
    for (size_t row = 0; row < 3; row++) {
        double sum = base;
        for (size_t i = 0; i < 2; i++) {
            const double v = json_number_value(json_array_get(told, 2 * row + i));
            assert_near(v, phi[2 * row + i], 1e-9);
            sum += v;
        }
        assert_near(sum, margin[row], 1e-6); /* margins are summed in floats */
        assert_near(1 / (1 + exp(-sum)), json_number_value(json_array_get(p, row)), 1e-6);
    }
    assert_string_equal(json_string_value(json_array_get(data_of(o, 3), 0)), "age");
    assert_string_equal(json_string_value(json_array_get(data_of(o, 3), 1)), "income");
    const json_t *first = json_array_get(json_object_get(o, "outputs"), 1);
    const json_t *parameters = json_object_get(first, "parameters");
    assert_string_equal(json_string_value(json_object_get(parameters, "of")), "log odds");
    assert_int_equal(json_integer_value(json_object_get(parameters, "masked")), 0);
}

static void
masked_columns_are_summed_and_not_named(void **state)
{
    (void)state;
    double phi[6], base = 0, margin[3];
    struct reply r;
    by_the_plain_engine(phi, &base, margin);
    assert_int_equal(ask(it.half, "", CONTRIBUTIONS, &r), 200);
    assert_null(strstr(buf_str(&r.body), "income"));
    DEFER(js_freep) json_t *o = NULL;
    assert_ok(js_parse(buf_view(&r.body), NULL, NULL, &o));
    for (size_t i = 0; i < 6; i++) {
        assert_near(json_number_value(json_array_get(data_of(o, 0), i)), phi[i], 1e-9);
    }
    assert_int_equal(json_array_size(data_of(o, 2)), 2);
    assert_string_equal(json_string_value(json_array_get(data_of(o, 2), 0)), "age");
    assert_string_equal(json_string_value(json_array_get(data_of(o, 2), 1)), "masked");
    reply_done(&r);
}

/* The digest is of the bytes as they stand in the answer. */
static void
the_log_has_the_digest_of_the_explanation_that_left(void **state)
{
    (void)state;
    struct reply r;
    DEFER(buf_done) struct buf hex;
    struct digest d;
    buf_init(&hex, 64);
    assert_int_equal(ask(it.why, "", PROBABILITY "," CONTRIBUTIONS, &r), 200);
    DEFER(js_freep) json_t *entry = entry_of(&r, it.dir);
    const char *from = strstr(buf_str(&r.body), "{\"name\":\"contributions\"");
    const char *to = buf_str(&r.body) + r.body.len - 2; /* before "]}" */
    assert_non_null(from);
    digest_of(view_of(from, (size_t)(to - from)), &d);
    digest_put_hex(&hex, &d);
    assert_string_equal(json_string_value(json_object_get(entry, "explanation_sha256")),
                        buf_str(&hex));
    reply_done(&r);
    const char *without[] = {it.why, it.desk};
    for (size_t i = 0; i < 2; i++) { /* none that nobody asked for, none that was refused */
        assert_int_equal(ask(without[i], "", i == 0 ? NULL : CONTRIBUTIONS, &r),
                         i == 0 ? 200 : 403);
        DEFER(js_freep) json_t *plain = entry_of(&r, it.dir);
        assert_null(json_object_get(plain, "explanation_sha256"));
        reply_done(&r);
    }
}

static void
more_rows_than_may_be_explained_are_413(void **state)
{
    (void)state;
    struct reply r;
    char text[1024];
    const char *body =
        "{\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP64\",\"shape\":[4,2],\"data\":["
        "30,1,30,1,30,1,30,1]}],\"outputs\":[" CONTRIBUTIONS "]}";
    (void)snprintf(text, sizeof text,
                   "POST " INFER " HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer %s\r\n"
                   "content-length: %zu\r\n\r\n%s",
                   it.why, strlen(body), body);
    assert_int_equal(client_ask(it.port, text, &r), 413);
    assert_text_has(buf_str(&r.body), "4 rows; a call for contributions may have 3");
    reply_done(&r);
}

static void
asks_for_the_purpose_that_the_grant_needs(void **state)
{
    (void)state;
    struct reply r;
    assert_int_equal(ask(it.day, "", NULL, &r), 403);
    reply_done(&r);
    assert_int_equal(ask(it.day, "steward-purpose: fun\r\n", NULL, &r), 403);
    reply_done(&r);
    assert_int_equal(ask(it.day, "steward-purpose: claims\r\n", NULL, &r), 200);
    reply_done(&r);
}

/* The purpose that was stated, in the entry of the answer; "" when there is none. */
static void
purpose_of(const char *key, const char *header, unsigned status, char ret_purpose[static 160])
{
    struct reply r;
    assert_int_equal(ask(key, header, NULL, &r), status);
    DEFER(js_freep) json_t *entry = entry_of(&r, it.dir);
    const char *purpose = json_string_value(json_object_get(entry, "purpose"));
    text_copy(ret_purpose, 160, purpose == NULL ? "" : purpose);
    reply_done(&r);
}

static void
the_log_has_the_purpose_that_was_stated(void **state)
{
    (void)state;
    char purpose[160], header[200], longest[129];
    memset(longest, 'p', 128);
    longest[128] = '\0';
    purpose_of(it.day, "steward-purpose: claims\r\n", 200, purpose);
    assert_string_equal(purpose, "claims");
    purpose_of(it.day, "Steward-Purpose:  fraud \"review\" \r\n", 403, purpose);
    assert_string_equal(purpose, "fraud \"review\"");
    (void)snprintf(header, sizeof header, "steward-purpose: %s\r\n", longest);
    purpose_of(it.desk, header, 200, purpose);
    assert_string_equal(purpose, longest);
    purpose_of(it.desk, "", 200, purpose);
    assert_string_equal(purpose, "");
    purpose_of(it.desk, "steward-purpose: \r\n", 200, purpose);
    assert_string_equal(purpose, "");
    purpose_of("none", "steward-purpose: claims\r\n", 401, purpose);
    assert_string_equal(purpose, "");
    /* One that nobody could compare is refused, and is not in the log. */
    (void)snprintf(header, sizeof header, "steward-purpose: %sx\r\n", longest);
    purpose_of(it.desk, header, 400, purpose);
    assert_string_equal(purpose, "");
    purpose_of(it.desk, "steward-purpose: cl\xc3\xa4ims\r\n", 400, purpose);
    assert_string_equal(purpose, "");
    purpose_of(it.day, "steward-purpose: fun\r\nsteward-purpose: claims\r\n", 400, purpose);
    assert_string_equal(purpose, "");
}

/* The fifth failure for one id is told to wait; another key from here is not kept waiting. */
static void
makes_who_guesses_wait_with_429(void **state)
{
    (void)state;
    static const char unknown[] = "sw_0123456789_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA17NU03";
    struct reply r;
    char value[256];
    for (int i = 0; i < 4; i++) {
        assert_int_equal(ask(unknown, "", NULL, &r), 401);
        reply_done(&r);
    }
    assert_int_equal(ask(unknown, "", NULL, &r), 429);
    reply_header(&r, "retry-after", value);
    assert_true(atoi(value) >= 1);
    reply_done(&r);
    assert_int_equal(ask(it.desk, "", NULL, &r), 200);
    reply_done(&r);
}

/* ---- a token ---- */

static void
put_base64url(struct buf *b, const void *bytes, size_t n)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const uint8_t *at = bytes;
    for (size_t i = 0; i < n; i += 3) {
        const uint32_t v = (uint32_t)at[i] << 16 | (i + 1 < n ? (uint32_t)at[i + 1] << 8 : 0) |
                           (i + 2 < n ? at[i + 2] : 0);
        for (size_t k = 0; k < 4 && i + k <= n; k++) {
            buf_put_u8(b, (uint8_t)letters[v >> (18 - 6 * k) & 63]);
        }
    }
}

/* Signed with OpenSSL: what PyJWT signs is in protect/jwt. */
static void
sign_token(EVP_PKEY *key, const char *purpose, int64_t from_s, int64_t expires_s,
           struct buf *ret_token)
{
    char claims[400];
    uint8_t signature[64];
    size_t n = sizeof signature;
    (void)snprintf(claims, sizeof claims,
                   "{\"iss\":\"https://id.example\",\"aud\":\"steward\",\"sub\":\"carl\","
                   "\"nbf\":%lld,\"exp\":%lld,\"groups\":[\"%s\"]}",
                   (long long)from_s, (long long)expires_s, purpose);
    put_base64url(ret_token, "{\"alg\":\"EdDSA\",\"kid\":\"k\"}", 25);
    buf_put_str(ret_token, ".");
    put_base64url(ret_token, claims, strlen(claims));
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestSignInit(c, NULL, NULL, NULL, key), 1);
    assert_int_equal(EVP_DigestSign(c, signature, &n, ret_token->ptr, ret_token->len), 1);
    EVP_MD_CTX_free(c);
    buf_put_str(ret_token, ".");
    put_base64url(ret_token, signature, n);
}

static void
takes_a_token_with_the_rights_of_its_groups(void **state)
{
    (void)state;
    DEFER(buf_done) struct buf set;
    DEFER(buf_done) struct buf token;
    DEFER(buf_done) struct buf expired;
    DEFER(buf_done) struct buf early;
    DEFER(file_freep) char *path = file_join(it.root, "jwks.json");
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    uint8_t raw[32];
    size_t n = sizeof raw;
    struct reply r;
    buf_init(&set, 4096);
    buf_init(&token, 8192);
    buf_init(&expired, 8192);
    buf_init(&early, 8192);
    assert_int_equal(EVP_PKEY_get_raw_public_key(key, raw, &n), 1);
    buf_put_str(&set, "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"k\",\"x\":\"");
    put_base64url(&set, raw, n);
    buf_put_str(&set, "\"}]}");
    testing_write(path, buf_view(&set));
    const int64_t now = clock_wall_ns() / NS_PER_S;
    sign_token(key, "Counters", now - 900, now + 600, &token);
    sign_token(key, "Counters", now - 900, now - 600, &expired);
    sign_token(key, "Counters", now + 300, now + 600, &early);
    EVP_PKEY_free(key);
    assert_int_equal(ask(buf_str(&token), "", NULL, &r), 401);
    reply_done(&r);
    assert_steward("issuer", "add", "corp", "--url", "https://id.example", "--audience", "steward",
                   "--algorithm", "EdDSA", "--jwks", path, "--group", "Counters=counters");
    unsigned status = 0;
    const int64_t since = clock_mono_ns();
    while (status != 200 && clock_mono_ns() - since < 60 * NS_PER_S) { /* seen within 250 ms */
        status = ask(buf_str(&token), "", NULL, &r);
        reply_done(&r);
        (void)usleep(1000);
    }
    assert_int_equal(status, 200);
    assert_int_equal(ask(buf_str(&expired), "", NULL, &r), 401);
    DEFER(js_freep) json_t *entry = entry_of(&r, it.dir);
    assert_string_equal(json_string_value(json_object_get(entry, "decision")), "deny");
    assert_text_has(json_string_value(json_object_get(entry, "reason")), "expired");
    reply_done(&r);
    assert_int_equal(ask(buf_str(&early), "", NULL, &r),
                     401); /* of an issuer whose clock is ahead */
    DEFER(js_freep) json_t *ahead = entry_of(&r, it.dir);
    assert_text_has(json_string_value(json_object_get(ahead, "reason")), "does not hold yet");
    reply_done(&r);
    assert_steward("principal", "link", "day", "--token", "corp:carl");
    assert_steward("issuer", "remove", "corp");
}

/* ---- rights that end while a body is under way ---- */

/* Longer than what is kept of strangers: it is read for whom the head's key lets send it. */
#define LONG_BODY ((size_t)300 << 10)

static void
begin_long(const char *key, struct client *ret_client)
{
    DEFER(buf_done) struct buf text;
    buf_init(&text, 1 << 20);
    buf_printf(&text,
               "POST " INFER " HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer %s\r\n"
               "content-length: %zu\r\n\r\n",
               key, LONG_BODY);
    for (size_t i = 0; i < LONG_BODY / 2; i++) {
        buf_put_str(&text, " ");
    }
    assert_true(client_open(it.port, NULL, ret_client));
    assert_true(client_send(ret_client, buf_view(&text)));
}

/* The rest of it; the answer's status, which its entry has too. */
static unsigned
end_long(struct client *c)
{
    static const char rest[] = "{\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP64\","
                               "\"shape\":[1,2],\"data\":[30,1200.5]}]}";
    DEFER(buf_done) struct buf text;
    struct reply r;
    buf_init(&text, 1 << 20);
    for (size_t i = LONG_BODY / 2; i < LONG_BODY - strlen(rest); i++) {
        buf_put_str(&text, " ");
    }
    buf_put_str(&text, rest);
    assert_true(client_send(c, buf_view(&text)));
    client_take(c, &r);
    const unsigned status = r.status;
    json_decref(entry_of(&r, it.dir));
    reply_done(&r);
    client_close(c);
    return status;
}

static void
await_status(const char *key, unsigned status)
{
    const int64_t until = clock_mono_ns() + 60 * NS_PER_S;
    unsigned is = 0;
    do {
        struct reply r;
        const struct timespec pause = {.tv_nsec = 50 * 1000 * 1000};
        (void)nanosleep(&pause, NULL);
        is = ask(key, "", NULL, &r);
        reply_done(&r);
    } while (is != status && clock_mono_ns() < until);
    assert_int_equal(is, status);
}

static void
a_right_that_ends_while_a_body_is_under_way_is_gone_when_it_has_come(void **state)
{
    (void)state;
    struct client whole, revoked, denied;
    char id[16], ends[128], other[128];
    assert_steward("principal", "add", "ends", "--role", "caller");
    assert_steward("principal", "add", "other", "--role", "caller");
    testing_issue_key((char[]){"ends"}, ends);
    testing_issue_key((char[]){"other"}, other);
    await_status(ends, 200);
    await_status(other, 200);
    begin_long(ends, &whole);
    assert_int_equal(end_long(&whole), 200);
    begin_long(ends, &revoked);
    begin_long(other, &denied);
    assert_int_equal(sscanf(ends, "sw_%10[A-Za-z0-9]_", id), 1);
    assert_steward("api-key", "revoke", id);
    assert_steward("principal", "grant", "other", "--role", "caller", "--deny");
    await_status(ends, 401);
    await_status(other, 403);
    assert_int_equal(end_long(&revoked), 401);
    assert_int_equal(end_long(&denied), 403);
}

int
main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(tells_of_a_prediction_what_the_role_may_see),
        cmocka_unit_test(the_entry_says_what_of_the_outputs_left),
        cmocka_unit_test(rounds_numbers_and_not_decisions),
        cmocka_unit_test(contributions_are_those_of_the_plain_engine_and_sum_to_the_score),
        cmocka_unit_test(masked_columns_are_summed_and_not_named),
        cmocka_unit_test(the_log_has_the_digest_of_the_explanation_that_left),
        cmocka_unit_test(more_rows_than_may_be_explained_are_413),
        cmocka_unit_test(asks_for_the_purpose_that_the_grant_needs),
        cmocka_unit_test(the_log_has_the_purpose_that_was_stated),
        cmocka_unit_test(makes_who_guesses_wait_with_429),
        cmocka_unit_test(takes_a_token_with_the_rights_of_its_groups),
        cmocka_unit_test(a_right_that_ends_while_a_body_is_under_way_is_gone_when_it_has_come),
    };
    return cmocka_run_group_tests(cases, set_up, tear_down);
}
