/* The process that fetches issuers' keys, and what it may connect to. */
#include "net/fake.h"

#include "base/file.h"
#include "serve/fetcher.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Runs in the fetcher: one rule, from a file; no file: wrong, and a passphrase too. */
static struct egress *
read_rule(void *path)
{
    DEFER(buf_done) struct buf line;
    DEFER(egress_freep) struct egress *e = egress_new();
    buf_init(&line, 4096);
    const char *passphrase = getenv("STEWARD_PASSPHRASE");
    if (passphrase == NULL || *passphrase != '\0' ||
        !status_ok(file_read(path, 4096, NULL, &line)) ||
        (line.len > 0 && !status_ok(egress_add(e, buf_view(&line), NULL)))) {
        return NULL;
    }
    return MOVE(e);
}

static void
answer(void *ctx, const struct fake_request *q, struct buf *out)
{
    (void)ctx, (void)q;
    fake_put(out, 200, "", "{\"keys\":[]}");
}

static struct status
get(struct fetcher *f, const char *url, struct diag *diag)
{
    DEFER(buf_done) struct buf body;
    buf_init(&body, 1000);
    *diag = (struct diag){0};
    const struct status s = fetcher_get(f, url, (struct view){0}, 1000, diag, &body);
    assert_true(!status_ok(s) || view_equal_str(buf_view(&body), "{\"keys\":[]}"));
    return s;
}

static void
it_connects_where_its_own_rules_say_and_takes_changed_ones(void **state)
{
    (void)state;
    DEFER(testing_dirp) char *root = testing_dir();
    DEFER(file_freep) char *path = file_join(root, "rule");
    char url[128];
    struct diag diag = {0};
    DEFER(fetcher_stopp) struct fetcher *f = NULL;
    testing_write(path, view_str("jwks 127.0.0.1 1-65535 http"));
    const struct fetcher_rules rules = {read_rule, path};
    assert_int_equal(setenv("STEWARD_PASSPHRASE", "correct horse", 1), 0);
    assert_ok(fetcher_start(&rules, "jwks", &diag, &f));
    struct fake *server = fake_start(answer, NULL);
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/keys", fake_port(server));
    assert_status(get(f, "", &diag), INPUT);
    assert_status(get(f, "http://169.254.169.254/", &diag), IO);
    assert_says(&diag, "no line of network.egress");
    assert_ok(get(f, url, &diag));
    testing_write(path, view_str(""));
    assert_ok(get(f, url, &diag)); /* not yet told */
    assert_true(fetcher_reread(f));
    assert_status(get(f, url, &diag), IO);
    assert_says(&diag, "no line of network.egress");
    testing_write(path, view_str("jwks 127.0.0.1 1-65535 http"));
    assert_true(fetcher_reread(f));
    assert_ok(get(f, url, &diag));
    testing_write(path, view_str("jwks 127.0.0.1/8 443")); /* a slip: what was, stays */
    assert_false(fetcher_reread(f));
    assert_ok(get(f, url, &diag));
    fake_stop(server);
}

static void
a_name_is_resolved_within_its_walls(void **state)
{
    (void)state;
    DEFER(testing_dirp) char *root = testing_dir();
    DEFER(file_freep) char *path = file_join(root, "rule");
    char url[128];
    struct diag diag = {0};
    DEFER(fetcher_stopp) struct fetcher *f = NULL;
    testing_write(path, view_str("jwks localhost 1-65535 http at 127.0.0.0/8,::1"));
    const struct fetcher_rules rules = {read_rule, path};
    assert_int_equal(setenv("STEWARD_PASSPHRASE", "correct horse", 1), 0);
    assert_ok(fetcher_start(&rules, "jwks", &diag, &f));
    struct fake *server = fake_start(answer, NULL);
    (void)snprintf(url, sizeof url, "http://localhost:%u/keys", fake_port(server));
    assert_ok(get(f, url, &diag));
    assert_ok(get(f, url, &diag));
    DEFER(buf_done) struct buf body;
    buf_init(&body, 1000);
    assert_status(fetcher_get(f, url, (struct view){0}, 5, &diag, &body), IO);
    assert_says(&diag, "longer than 5 bytes");
    fake_stop(server);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_connects_where_its_own_rules_say_and_takes_changed_ones),
        cmocka_unit_test(a_name_is_resolved_within_its_walls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
