/* A transit service as the key's holder, against the tests' own one (testing/transit.h): real TLS,
 * real keys with versions, real refusals. */
#include "testing/transit.h"

#include "base/file.h"
#include "testing/cut.h"
#include "vault/provider.h"
#include "vault/rotation.h"
#include "vault/transit.h"
#include "vault/transit_ask.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *dir; /* ca.pem, keys/ */
static struct transit_service *service;
static char *uri, *rules;

static int
set_up(void **state)
{
    char text[64];
    (void)state;
    (void)signal(SIGPIPE, SIG_IGN);
    dir = testing_dir();
    service = transit_service_start(dir);
    uri = transit_service_uri(service, dir, "");
    (void)snprintf(text, sizeof text, "transit 127.0.0.1 %u\n", service->port);
    rules = strdup(text);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    transit_service_stop(service);
    free(uri);
    free(rules);
    testing_dirp(&dir);
    return 0;
}

static int
heal(void **state)
{
    (void)state;
    transit_service_heal(service);
    return 0;
}

/* ---- URIs and letters ---- */

static void
refuses_uris_with_a_sentence(void **state)
{
    static const char *const refused[][2] = {
        {"transit", "begins with transit:"},
        {"transit:", "URL"},
        {"transit:http://a/b/c", "https"},
        {"transit:https://a:8200", "/MOUNT/KEY"},
        {"transit:https://a:8200/", "/MOUNT/KEY"},
        {"transit:https://a:8200/key", "/MOUNT/KEY"},
        {"transit:https://a:8200/transit/", "/MOUNT/KEY"},
        {"transit:https://a:8200/transit//key", "/MOUNT/KEY"},
        {"transit:https://a:8200/transit/../sys", "/MOUNT/KEY"},
        {"transit:https://a:8200/transit/.k", "/MOUNT/KEY"},
        {"transit:https://a:8200/transit/k%2e", "/MOUNT/KEY"},
        {"transit:https://a:8200/transit/k?", "ca-file=/PATH"},
        {"transit:https://a:8200/transit/k?ca-file", "ca-file=/PATH"},
        {"transit:https://a:8200/transit/k?ca-file=", "ca-file must be 1 to 511"},
        {"transit:https://a:8200/transit/k?ca-file=a.pem", "absolute"},
        {"transit:https://a:8200/transit/k?ca-file=/a&ca-file=/a", "twice"},
        {"transit:https://a:8200/transit/k?ca-file=/a%20b", "ca-file must be 1 to 511"},
        {"transit:https://a:8200/transit/k?ca-file=/a&", "ca-file=/PATH"},
        {"transit:https://a:8200/transit/k?token=hvs.1234", "STEWARD_TRANSIT_TOKEN"},
        {"transit:https://a:8200/transit/k?namespace=/a", "NAME/NAME"},
        {"transit:https://a:8200/transit/k?namespace=a/", "NAME/NAME"},
        {"transit:https://u:hvs.1234@a:8200/transit/k", "URL"},
        {"transit:https://a:8200/transit/k#x", "URL"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct transit_uri u;
        struct diag diag = {0};
        testing_status(transit_uri_parse(view_str(refused[i][0]), &diag, &u), STATUS_INPUT,
                       refused[i][0], __FILE__, __LINE__);
        if (strcmp(refused[i][1], "URL") != 0) {
            assert_says(&diag, refused[i][1]);
        }
        assert_true(diag.text[0] != '\0');
        assert_null(strstr(diag.text, "1234"));
    }
}

static void
reads_what_a_uri_says(void **state)
{
    struct transit_uri u, other;
    (void)state;
    assert_ok(transit_uri_parse(
        view_str("transit:https://Vault.Internal:8200/team/transit/steward-1?namespace=a/b&"
                 "ca-file=/etc/ca.pem&token-file=/run/token"),
        NULL, &u));
    assert_string_equal(u.at.host, "vault.internal");
    assert_int_equal(u.at.port, 8200);
    assert_string_equal(u.at.target, "/team/transit/steward-1");
    assert_string_equal(u.key, "steward-1");
    assert_string_equal(u.ca_file, "/etc/ca.pem");
    assert_string_equal(u.token_file, "/run/token");
    assert_string_equal(u.namespace, "a/b");
    assert_ok(transit_uri_parse(view_str("transit:https://elsewhere/team/transit/steward-1"), NULL,
                                &other));
    assert_false(transit_uri_same_key(&u, &other)); /* another namespace */
    memcpy(other.namespace, "a/b", 4);
    assert_true(transit_uri_same_key(&u, &other));
}

/* ---- a provider, as a verb makes it ---- */

static struct status
provider_by(const char *stored, const char *named, const char *lines, const char *token,
            struct diag *diag, struct provider **ret_provider)
{
    DEFER(secret_done) struct secret secret = {0};
    DEFER(secret_done) struct secret letter = {0};
    if (*token != '\0') {
        assert_ok(secret_from(view_str(token), &secret));
    }
    assert_ok(transit_write_letter(named, view_str(lines), &secret, &letter));
    const struct provider_means means = {.credential = &letter, .transit = &transit_kind};
    return provider_new(stored, &means, diag, ret_provider);
}

static struct status
wrap_by(const struct provider *p, struct diag *diag, struct buf *ret_state)
{
    DEFER(secret_done) struct secret key = {0};
    assert_ok(secret_new(VAULT_KEY_BYTES, &key));
    memset(key.ptr, 7, key.len);
    buf_init(ret_state, 4096);
    return provider_table(p)->wrap(provider_table(p)->ctx, &key, ret_state, diag);
}

static struct status
unwrap_by(const struct provider *p, struct view text, struct diag *diag)
{
    DEFER(secret_done) struct secret key = {0};
    uint8_t right[VAULT_KEY_BYTES];
    memset(right, 7, sizeof right);
    TRY(provider_table(p)->unwrap(provider_table(p)->ctx, text, &key, diag));
    assert_int_equal(key.len, sizeof right);
    assert_memory_equal(key.ptr, right, sizeof right);
    return OK;
}

/* Whoever writes keys/workspace.json names neither the host nor the token's file. */
static void
asks_nobody_without_a_letter_that_names_that_key(void **state)
{
    struct diag diag = {0};
    DEFER(provider_freep) struct provider *p = NULL;
    const struct secret none = {0};
    const struct provider_means means = {.credential = &none, .transit = &transit_kind};
    const unsigned asked = service->asked;
    (void)state;
    assert_status(provider_new(uri, &means, &diag, &p), AUTH);
    assert_says(&diag, "keys.transit");
    assert_status(provider_by(uri, "transit:https://127.0.0.1:1/team/transit/other", rules,
                              TRANSIT_TOKEN, &diag, &p),
                  AUTH);
    assert_says(&diag, "names another one");
    assert_status(provider_by(uri, uri, rules, "", &diag, &p), AUTH);
    assert_says(&diag, "STEWARD_TRANSIT_TOKEN");
    assert_status(provider_by(uri, "nonsense", rules, TRANSIT_TOKEN, &diag, &p), INPUT);
    assert_null(p);
    assert_int_equal(service->asked, asked);
}

/* The file says one host, whoever runs Steward another one of the same key: the latter is asked. */
static void
asks_where_the_letter_says_and_not_where_the_file_does(void **state)
{
    struct diag diag = {0};
    DEFER(provider_freep) struct provider *p = NULL;
    DEFER(buf_done) struct buf text = {0};
    (void)state;
    assert_ok(provider_by("transit:https://attacker.example/team/transit/steward", uri, rules,
                          TRANSIT_TOKEN, &diag, &p));
    assert_ok(wrap_by(p, &diag, &text));
    assert_ok(unwrap_by(p, buf_view(&text), &diag));
    assert_text_has(buf_str(&text), "127.0.0.1");
    assert_string_equal(provider_target(p), uri);
}

static void
asks_nobody_whom_no_rule_allows_or_another_authority_vouches_for(void **state)
{
    DEFER(memory_freep)
    char *elsewhere = transit_service_uri(service, "/etc/ssl/certs/nowhere", "");
    static const char *const lines[] = {"", "transit 127.0.0.1 1\n", "jwks 127.0.0.1 1-65535\n",
                                        "transit localhost 1-65535 at 127.0.0.0/8\n"};
    const unsigned asked = service->asked;
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct diag diag = {0};
        DEFER(provider_freep) struct provider *p = NULL;
        DEFER(buf_done) struct buf text = {0};
        assert_ok(provider_by(uri, uri, lines[i], TRANSIT_TOKEN, &diag, &p));
        assert_status(wrap_by(p, &diag, &text), DENIED);
        assert_says(&diag, "network.egress");
    }
    struct diag diag = {0};
    DEFER(provider_freep) struct provider *p = NULL;
    DEFER(buf_done) struct buf text = {0};
    assert_ok(provider_by(uri, elsewhere, rules, TRANSIT_TOKEN, &diag, &p));
    assert_status(wrap_by(p, &diag, &text), IO); /* somebody else between: not the service's word */
    assert_int_equal(service->asked, asked);
}

/* ---- wrapping ---- */

/* The letters of a member's value, one after the other. */
static void
opens_with_no_letter_changed(const struct provider *p, struct buf *text, const char *member)
{
    struct diag diag = {0};
    char name[64];
    (void)snprintf(name, sizeof name, "\"%s\":\"", member);
    char *value = strstr((char *)text->ptr, name);
    assert_non_null(value);
    value += strlen(name);
    const size_t n = strcspn(value, "\"");
    for (size_t i = 0; i + 4 < n; i += n / 12) {
        const char was = value[i];
        value[i] = was == 'A' ? 'B' : 'A';
        const struct status s = unwrap_by(p, buf_view(text), &diag);
        value[i] = was;
        assert_status(s, INTEGRITY);
    }
    assert_ok(unwrap_by(p, buf_view(text), &diag));
}

static void
opens_what_it_wrapped_and_no_changed_letter(void **state)
{
    (void)state;
    for (int derived = 0; derived < 2; derived++) {
        struct diag diag = {0};
        DEFER(provider_freep) struct provider *p = NULL;
        DEFER(buf_done) struct buf text = {0};
        service->derived = derived == 1;
        assert_ok(provider_by(uri, uri, rules, TRANSIT_TOKEN, &diag, &p));
        assert_ok(wrap_by(p, &diag, &text));
        opens_with_no_letter_changed(p, &text, "wrapped");
        opens_with_no_letter_changed(p, &text, "bound");
        opens_with_no_letter_changed(p, &text, "sealed");
        service->derived = derived == 0; /* another key */
        assert_status(unwrap_by(p, buf_view(&text), &diag), INTEGRITY);
    }
    assert_int_equal(service->strayed, 0);
}

static void
follows_the_versions_of_the_services_key(void **state)
{
    struct diag diag = {0};
    DEFER(provider_freep) struct provider *p = NULL;
    DEFER(buf_done) struct buf first = {0};
    DEFER(buf_done) struct buf second = {0};
    char prefix[32];
    (void)state;
    assert_ok(provider_by(uri, uri, rules, TRANSIT_TOKEN, &diag, &p));
    assert_ok(wrap_by(p, &diag, &first));
    service->version++;
    assert_ok(unwrap_by(p, buf_view(&first), &diag));
    assert_ok(wrap_by(p, &diag, &second));
    (void)snprintf(prefix, sizeof prefix, "\"vault:v%u:", service->version);
    assert_text_has(buf_str(&second), prefix);
    service->least = service->version;
    assert_status(unwrap_by(p, buf_view(&first), &diag), DENIED);
    assert_says(&diag, "min_decryption_version");
    assert_ok(unwrap_by(p, buf_view(&second), &diag));
}

/* ---- troubles ---- */

static const struct {
    enum transit_trouble trouble;
    int32_t wrap, unwrap;
    const char *says; /* of unwrap */
} troubles[] = {
    {TRANSIT_BUSY, STATUS_BUSY, STATUS_BUSY, "HTTP 429"},
    {TRANSIT_FAILS, STATUS_IO, STATUS_IO, "HTTP 500"},
    {TRANSIT_PAGE_502, STATUS_IO, STATUS_IO, "HTTP 502"},
    {TRANSIT_PAGE_503, STATUS_IO, STATUS_IO, "HTTP 503"},
    {TRANSIT_PAGE_403, STATUS_IO, STATUS_IO, "HTTP 403"},
    {TRANSIT_HALF, STATUS_IO, STATUS_IO, "127.0.0.1"},
    {TRANSIT_NO_HEAD, STATUS_IO, STATUS_IO, "127.0.0.1"},
    {TRANSIT_GARBAGE, STATUS_IO, STATUS_IO, "answer is none"},
    {TRANSIT_EMPTY, STATUS_IO, STATUS_IO, "answer is none"},
    {TRANSIT_OTHER, STATUS_OK, STATUS_INTEGRITY, "not the key that it was given"},
    {TRANSIT_SHORT, STATUS_OK, STATUS_IO, "answer is none"},
    {TRANSIT_GIANT, STATUS_IO, STATUS_IO, "longer than"},
    {TRANSIT_REDIRECT, STATUS_IO, STATUS_IO, "redirect"},
    {TRANSIT_METADATA, STATUS_IO, STATUS_IO, "redirect"},
    {TRANSIT_ECHO, STATUS_DENIED, STATUS_DENIED, "HTTP 400"},
    {TRANSIT_PLAIN, STATUS_IO, STATUS_IO, "127.0.0.1"},
};

static void
tells_a_refusal_from_an_answer_that_is_none(void **state)
{
    struct diag diag = {0};
    DEFER(provider_freep) struct provider *p = NULL;
    DEFER(buf_done) struct buf good = {0};
    (void)state;
    assert_ok(provider_by(uri, uri, rules, TRANSIT_TOKEN, &diag, &p));
    assert_ok(wrap_by(p, &diag, &good));
    for (size_t i = 0; i < sizeof troubles / sizeof *troubles; i++) {
        DEFER(buf_done) struct buf text = {0};
        service->trouble = troubles[i].trouble;
        testing_status(wrap_by(p, &diag, &text), troubles[i].wrap, troubles[i].says, __FILE__,
                       __LINE__);
        testing_status(unwrap_by(p, buf_view(&good), &diag), troubles[i].unwrap, troubles[i].says,
                       __FILE__, __LINE__);
        assert_says(&diag, troubles[i].says);
        assert_null(strstr(diag.text, TRANSIT_TOKEN));
    }
    service->trouble = TRANSIT_WELL;
    assert_ok(unwrap_by(p, buf_view(&good), &diag));
    assert_int_equal(service->strayed, 0); /* nobody went where a redirect led */
}

static void
tells_why_the_key_is_not_to_be_had(void **state)
{
    struct diag diag = {0};
    DEFER(provider_freep) struct provider *p = NULL;
    DEFER(provider_freep) struct provider *stranger = NULL;
    DEFER(buf_done) struct buf good = {0};
    DEFER(buf_done) struct buf text = {0};
    (void)state;
    assert_ok(provider_by(uri, uri, rules, TRANSIT_TOKEN, &diag, &p));
    assert_ok(provider_by(uri, uri, rules, "hvs.another", &diag, &stranger));
    assert_ok(wrap_by(p, &diag, &good));
    assert_status(unwrap_by(stranger, buf_view(&good), &diag), AUTH);
    assert_says(&diag, "HTTP 403");
    service->revoked = true;
    assert_status(unwrap_by(p, buf_view(&good), &diag), AUTH);
    service->sealed = true;
    assert_status(unwrap_by(p, buf_view(&good), &diag), DENIED);
    assert_says(&diag, "is sealed");
    service->sealed = service->revoked = false;
    service->deleted = true;
    assert_status(unwrap_by(p, buf_view(&good), &diag), NOT_FOUND);
    assert_says(&diag, "no such key");
    assert_status(wrap_by(p, &diag, &text), AUTH);
    service->deleted = false;
    service->rsa = true;
    buf_done(&text);
    assert_status(wrap_by(p, &diag, &text), UNSUPPORTED);
    assert_says(&diag, "aes256-gcm96");
    service->rsa = false;
    assert_ok(unwrap_by(p, buf_view(&good), &diag));
}

/* By a name, which is looked up. */
static void
asks_a_service_by_its_name(void **state)
{
    struct diag diag = {0};
    DEFER(provider_freep) struct provider *p = NULL;
    DEFER(buf_done) struct buf text = {0};
    char named[512];
    (void)state;
    (void)snprintf(named, sizeof named,
                   "transit:https://localhost:%u/team/transit/steward?ca-file=%s/ca.pem",
                   service->port, dir);
    assert_ok(provider_by(named, named, "transit localhost 1-65535 at 127.0.0.0/8,::1\n",
                          TRANSIT_TOKEN, &diag, &p));
    const struct status s = wrap_by(p, &diag, &text);
    if (!status_ok(s)) {
        print_error("%s\n", diag.text);
    }
    assert_ok(s);
    assert_ok(unwrap_by(p, buf_view(&text), &diag));
}

static void
a_path_that_is_not_there_is_no_key(void **state)
{
    struct diag diag = {0};
    DEFER(provider_freep) struct provider *p = NULL;
    DEFER(buf_done) struct buf text = {0};
    char other[256];
    (void)state;
    (void)snprintf(other, sizeof other,
                   "transit:https://127.0.0.1:%u/nowhere/steward?ca-file=%s/ca.pem", service->port,
                   dir);
    assert_ok(provider_by(other, other, rules, TRANSIT_TOKEN, &diag, &p));
    assert_status(wrap_by(p, &diag, &text), NOT_FOUND);
    assert_says(&diag, "HTTP 404");
}

/* An agent of the service's puts a new token in its place; nobody restarts anything. */
static void
reads_the_tokens_file_for_every_question(void **state)
{
    struct diag diag = {0};
    DEFER(file_freep) char *path = file_join(dir, "token");
    char more[256];
    DEFER(provider_freep) struct provider *p = NULL;
    DEFER(buf_done) struct buf text = {0};
    (void)state;
    (void)snprintf(more, sizeof more, "&token-file=%s", path);
    DEFER(memory_freep) char *with = transit_service_uri(service, dir, more);
    testing_write(path, view_str("hvs.old\n"));
    assert_int_equal(chmod(path, 0600), 0);
    assert_ok(provider_by(uri, with, rules, "", &diag, &p));
    assert_status(wrap_by(p, &diag, &text), AUTH);
    testing_write(path, view_str(TRANSIT_TOKEN "\n"));
    buf_done(&text);
    assert_ok(wrap_by(p, &diag, &text));
    assert_ok(unwrap_by(p, buf_view(&text), &diag));
    assert_int_equal(chmod(path, 0644), 0);
    assert_status(unwrap_by(p, buf_view(&text), &diag), AUTH);
    assert_int_equal(unlink(path), 0);
    assert_status(unwrap_by(p, buf_view(&text), &diag), AUTH);
}

/* ---- a vault ---- */

struct house {
    char *keys;
    struct provider *p;
    struct vault *v;
};

static void
house_done(struct house *h)
{
    vault_free(h->v);
    provider_free(h->p);
    testing_remove(h->keys);
    free(h->keys);
}

static void
house_make(struct house *h)
{
    struct diag diag = {0};
    h->keys = file_join(dir, "keys");
    assert_ok(file_mkdirs(h->keys, 0700, &diag));
    assert_ok(provider_by(uri, uri, rules, TRANSIT_TOKEN, &diag, &h->p));
    assert_ok(vault_create(h->keys, provider_table(h->p), &diag, &h->v));
    vault_hold(h->v, provider_table(h->p));
}

static void
is_withdrawn_at_once_by_a_refusal_and_back_when_it_is_given_again(void **state)
{
    DEFER(house_done) struct house h = {0};
    struct diag diag = {0};
    (void)state;
    house_make(&h);
    assert_ok(vault_check(h.v, &diag));
    service->revoked = true;
    assert_status(vault_check(h.v, &diag), AUTH);
    assert_status(vault_usable(h.v, &diag), DENIED);
    assert_says(&diag, "the key is not to be had: the transit service does not let the token");
    service->revoked = false;
    assert_ok(vault_check(h.v, &diag));
    assert_ok(vault_usable(h.v, &diag));
    service->trouble = TRANSIT_OTHER; /* a liar */
    assert_status(vault_check(h.v, &diag), INTEGRITY);
    assert_status(vault_usable(h.v, &diag), DENIED);
}

static void
goes_on_for_its_time_while_nobody_answers(void **state)
{
    static const enum transit_trouble none[] = {TRANSIT_BUSY,  TRANSIT_PAGE_503,
                                                TRANSIT_HALF,  TRANSIT_GARBAGE,
                                                TRANSIT_GIANT, TRANSIT_REDIRECT};
    DEFER(house_done) struct house h = {0};
    struct diag diag = {0};
    (void)state;
    house_make(&h);
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        service->trouble = none[i];
        assert_false(status_ok(vault_check(h.v, &diag)));
        assert_ok(vault_usable(h.v, &diag));
    }
    vault_set_patience(h.v, 1);
    assert_status(vault_usable(h.v, &diag), DENIED);
    service->trouble = TRANSIT_WELL;
    assert_ok(vault_check(h.v, &diag));
    assert_ok(vault_usable(h.v, &diag));
}

/* ---- a rotation that is cut off ---- */

static struct status
rotate(struct vault *v, struct diag *diag)
{
    struct vault_generation all[VAULT_GENERATIONS];
    if (vault_generations(v, all) == 1) {
        TRY(vault_advance(v, diag));
    }
    TRY(vault_rewrap_roots(v, diag));
    return vault_forget_older(v, diag);
}

/* What is there opens; finished, it is one generation. */
static void
assert_goes_on(struct house *h)
{
    struct vault_generation all[VAULT_GENERATIONS];
    struct diag diag = {0};
    vault_free(h->v);
    h->v = NULL;
    assert_ok(vault_open(h->keys, provider_table(h->p), &diag, &h->v));
    vault_hold(h->v, provider_table(h->p));
    assert_ok(rotate(h->v, &diag));
    assert_int_equal(vault_generations(h->v, all), 1);
}

static void
a_rotation_goes_on_whichever_question_failed(void **state)
{
    DEFER(house_done) struct house h = {0};
    struct diag diag = {0};
    unsigned failed = 0;
    (void)state;
    house_make(&h);
    for (bool cut = true; cut; failed += cut) {
        service->trouble = failed % 2 == 0 ? TRANSIT_PAGE_502 : TRANSIT_OTHER;
        service->after = service->asked + failed;
        cut = !status_ok(rotate(h.v, &diag));
        transit_service_heal(service);
        assert_goes_on(&h);
    }
    assert_true(failed >= 6); /* twice: unwrap, wrap, and look whether that opens */
}

static void
rotate_here(void *ctx)
{
    DEFER(provider_freep) struct provider *p = NULL;
    DEFER(vault_freep) struct vault *v = NULL;
    if (!status_ok(provider_by(uri, uri, rules, TRANSIT_TOKEN, NULL, &p)) ||
        !status_ok(vault_open(ctx, provider_table(p), NULL, &v))) {
        _exit(1);
    }
    vault_hold(v, provider_table(p));
    (void)raise(SIGUSR1);
    _exit(status_ok(rotate(v, NULL)) ? 0 : 1);
}

static void
a_rotation_goes_on_wherever_it_was_cut_off(void **state)
{
    DEFER(house_done) struct house h = {0};
    unsigned n = 1;
    (void)state;
    house_make(&h);
    for (bool cut = true, traced = true; cut; n += 4) {
        cut = testing_cut_before(n, rotate_here, h.keys, &traced);
        if (!traced) {
            print_message("# SKIP: no process can be traced here\n");
            return;
        }
        assert_goes_on(&h);
    }
    assert_true(n > 15);
}

/* ---- the verbs ---- */

#define STEWARD(CODE, ...)                                                                         \
    do {                                                                                           \
        testing_run_done(&r);                                                                      \
        testing_steward(&r, __VA_ARGS__, NULL);                                                    \
        if (r.exit_code != (CODE)) {                                                               \
            print_error("%s\n", buf_str(&r.err));                                                  \
        }                                                                                          \
        assert_int_equal(r.exit_code, CODE);                                                       \
        assert_null(strstr(buf_str(&r.err), TRANSIT_TOKEN));                                       \
        assert_null(strstr(buf_str(&r.out), TRANSIT_TOKEN));                                       \
    } while (0)

static void
a_workspace_changes_hands(void **state)
{
    DEFER(file_freep) char *w = file_join(dir, "w");
    DEFER(file_freep) char *config = file_join(w, "steward.yaml");
    DEFER(testing_run_done) struct testing_run r = {0};
    DEFER(buf_done) struct buf yaml;
    (void)state;
    buf_init(&yaml, 4096);
    assert_int_equal(setenv("STEWARD_TRANSIT_TOKEN", TRANSIT_TOKEN, 1), 0);
    STEWARD(0, "init", w, "--provider", uri);
    STEWARD(0, "key", "list", "--workspace", w);
    assert_text_has(buf_str(&r.out), "transit:https://127.0.0.1");
    service->version++;
    STEWARD(0, "key", "rewrap", "--workspace", w);
    service->least = service->version; /* the older version is not needed any more */
    STEWARD(0, "key", "rotate", "--workspace", w);
    assert_int_equal(setenv("STEWARD_NEW_PASSPHRASE", "a new passphrase", 1), 0);
    STEWARD(0, "key", "rewrap", "--workspace", w);
    assert_int_equal(unsetenv("STEWARD_NEW_PASSPHRASE"), 0);
    assert_int_equal(setenv("STEWARD_PASSPHRASE", "a new passphrase", 1), 0);
    testing_write(config, view_str("network:\n  egress: []\n"));
    STEWARD(3, "key", "rewrap", "--to", uri, "--workspace", w);
    assert_text_has(buf_str(&r.err), "no line of network.egress allows it");
    buf_printf(&yaml, "network:\n  egress:\n    - %s", rules);
    testing_write(config, buf_view(&yaml));
    STEWARD(0, "key", "rewrap", "--to", uri, "--workspace", w);
    STEWARD(3, "key", "list", "--workspace", w); /* steward.yaml does not name it yet */
    assert_text_has(buf_str(&r.err), "keys.transit in steward.yaml, to transit:https://127.0.0.1");
    buf_printf(&yaml, "keys:\n  transit: %s\n", uri);
    testing_write(config, buf_view(&yaml));
    STEWARD(0, "key", "list", "--workspace", w);
    assert_int_equal(unsetenv("STEWARD_PASSPHRASE"), 0);
    assert_int_equal(unsetenv("STEWARD_TRANSIT_TOKEN"), 0);
    STEWARD(3, "key", "list", "--workspace", w);
    assert_text_has(buf_str(&r.err), "STEWARD_TRANSIT_TOKEN");
}

/* Where a backup says that its key is, nobody is asked; where STEWARD_TRANSIT says, somebody is. */
static void
a_backup_is_verified_and_restored_where_its_operator_says(void **state)
{
    DEFER(file_freep) char *w = file_join(dir, "kept");
    DEFER(file_freep) char *file = file_join(dir, "kept.backup");
    DEFER(file_freep) char *again = file_join(dir, "again");
    DEFER(testing_run_done) struct testing_run r = {0};
    (void)state;
    assert_int_equal(setenv("STEWARD_TRANSIT_TOKEN", TRANSIT_TOKEN, 1), 0);
    STEWARD(0, "init", w, "--provider", uri);
    STEWARD(0, "backup", "create", file, "--workspace", w);
    const unsigned asked = service->asked;
    STEWARD(3, "backup", "restore", file, again);
    assert_text_has(buf_str(&r.err), "set STEWARD_TRANSIT");
    assert_int_equal(service->asked, asked);
    assert_int_equal(setenv("STEWARD_TRANSIT", uri, 1), 0);
    service->revoked = true;
    STEWARD(3, "backup", "restore", file, again);
    assert_false(file_exists(again));
    service->revoked = false;
    STEWARD(0, "backup", "verify", file);
    STEWARD(0, "backup", "restore", file, again);
    STEWARD(0, "key", "list", "--workspace", again);
    assert_int_equal(unsetenv("STEWARD_TRANSIT"), 0);
    STEWARD(0, "key", "list", "--workspace", again); /* its steward.yaml was in the backup */
    assert_int_equal(unsetenv("STEWARD_TRANSIT_TOKEN"), 0);
}

/* A second service, of whoever can write the workspace's keys/: its address stands there. */
static void
who_writes_the_keys_folder_gets_no_token(void **state)
{
    DEFER(file_freep) char *w = file_join(dir, "edited");
    DEFER(file_freep) char *file = file_join(w, "keys/workspace.json");
    DEFER(file_freep) char *theirs = file_join(dir, "theirs");
    DEFER(testing_run_done) struct testing_run r = {0};
    DEFER(buf_done) struct buf text;
    char ours[16], evil_port[16];
    (void)state;
    assert_ok(file_mkdirs(theirs, 0700, NULL));
    struct transit_service *evil = transit_service_start(theirs);
    assert_int_equal(setenv("STEWARD_TRANSIT_TOKEN", TRANSIT_TOKEN, 1), 0);
    STEWARD(0, "init", w, "--provider", uri);
    (void)snprintf(ours, sizeof ours, ":%05u/", service->port);
    (void)snprintf(evil_port, sizeof evil_port, ":%05u/", evil->port);
    testing_read(file, &text);
    char *at = strstr((char *)text.ptr, ours);
    assert_non_null(at);
    memcpy(at, evil_port, strlen(evil_port));
    testing_write(file, buf_view(&text));
    const unsigned asked = service->asked;
    STEWARD(6, "key", "list", "--workspace", w); /* the right one opens it, and the edit is seen */
    assert_text_has(buf_str(&r.err), "changed by somebody without the key");
    assert_true(service->asked > asked);
    assert_int_equal(evil->asked, 0);
    assert_int_equal(unsetenv("STEWARD_TRANSIT_TOKEN"), 0);
    transit_service_stop(evil);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_uris_with_a_sentence),
        cmocka_unit_test(reads_what_a_uri_says),
        cmocka_unit_test(asks_nobody_without_a_letter_that_names_that_key),
        cmocka_unit_test(asks_where_the_letter_says_and_not_where_the_file_does),
        cmocka_unit_test(asks_nobody_whom_no_rule_allows_or_another_authority_vouches_for),
        cmocka_unit_test_setup(opens_what_it_wrapped_and_no_changed_letter, heal),
        cmocka_unit_test_setup(follows_the_versions_of_the_services_key, heal),
        cmocka_unit_test_setup(tells_a_refusal_from_an_answer_that_is_none, heal),
        cmocka_unit_test_setup(tells_why_the_key_is_not_to_be_had, heal),
        cmocka_unit_test_setup(asks_a_service_by_its_name, heal),
        cmocka_unit_test_setup(a_path_that_is_not_there_is_no_key, heal),
        cmocka_unit_test_setup(reads_the_tokens_file_for_every_question, heal),
        cmocka_unit_test_setup(is_withdrawn_at_once_by_a_refusal_and_back_when_it_is_given_again,
                               heal),
        cmocka_unit_test_setup(goes_on_for_its_time_while_nobody_answers, heal),
        cmocka_unit_test_setup(a_rotation_goes_on_whichever_question_failed, heal),
        cmocka_unit_test_setup(a_rotation_goes_on_wherever_it_was_cut_off, heal),
        cmocka_unit_test_setup(a_workspace_changes_hands, heal),
        cmocka_unit_test_setup(a_backup_is_verified_and_restored_where_its_operator_says, heal),
        cmocka_unit_test_setup(who_writes_the_keys_folder_gets_no_token, heal),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
