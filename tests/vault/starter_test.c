#include "testing/testing.h"

#include "vault/starter.h"

static const char own[] =
    "transit:https://keys.example:8200/transit/steward?token-file=/nowhere/token";

/* What takes a program over after it began cannot have a holder started that it chooses. */
static void
starts_holders_for_what_was_named_at_the_beginning_alone(void **state)
{
    static const char *const others[] = {
        "transit:https://evil.example/transit/steward?token-file=/nowhere/token",
        "transit:https://keys.example:8200/transit/steward?token-file=/nowhere/other",
        "pkcs11:token=steward?module-path=/tmp/own.so",
        "",
    };
    static const char *const targets[] = {own};
    (void)state;
    char target[PROVIDER_TARGET_MAX];
    int holder = -1;
    DEFER(secret_done) struct secret letter = {0};
    const struct starter_means means = {0};
    assert_ok(starter_begin(&means, targets, 1, NULL));
    assert_true(starter_is_there());
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        struct diag diag = {0};
        assert_status(starter_ask(others[i], &letter, &diag, target, &holder), DENIED);
        assert_says(&diag, "another holder of keys is asked for than the command began with");
    }
    assert_int_equal(holder, -1);
    starter_end();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(starts_holders_for_what_was_named_at_the_beginning_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
