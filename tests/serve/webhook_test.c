/* What a webhook's message is signed with: the secret's form, and a signature of another
 * implementation. */
#include "testing/testing.h"

#include "serve/webhook_sink.h"

#include <string.h>

/* The example of the Standard Webhooks specification's libraries. */
static void
the_signature_is_the_one_that_others_make(void **state)
{
    (void)state;
    struct diag diag = {0};
    struct hmac_key key;
    DEFER(buf_done) struct buf signature;
    buf_init(&signature, 128);
    assert_ok(webhook_secret(view_str("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), &diag, &key));
    webhook_sign(&key, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330",
                 view_str("{\"test\": 2432232314}"), &signature);
    assert_string_equal(buf_str(&signature), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

static void
a_secret_that_is_none_is_refused_and_not_shown(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "whsec_",
        "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS",  /* no base64 */
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLQ==", /* 22 bytes */
        /* 65 bytes */
        ("whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4v"
         "MDEyMzQ1Njc4OTo7PD0+P0A="),
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct diag diag = {0};
        struct hmac_key key;
        assert_int_equal(webhook_secret(view_str(bad[i]), &diag, &key).code, STATUS_INPUT);
        assert_text_has(diag.text, "24 to 64 bytes in base64");
        assert_null(strstr(diag.text, "MfKQ"));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_signature_is_the_one_that_others_make),
        cmocka_unit_test(a_secret_that_is_none_is_refused_and_not_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
