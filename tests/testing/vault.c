#include "testing/testing.h"

#include "testing/vault.h"

#include "base/file.h"

static void
say(const struct diag *diag, struct status s)
{
    if (!status_ok(s)) {
        print_error("%s\n", diag->text);
    }
    assert_ok(s);
}

typedef struct status (*make)(const char *dir, const struct vault_provider *p, struct diag *diag,
                              struct vault **ret_vault);

static struct vault *
with_passphrase(make f, const char *dir)
{
    struct secret passphrase = {0};
    struct vault *v = NULL;
    struct diag diag = {0};
    assert_ok(secret_from(view_str(TESTING_PASSPHRASE), &passphrase));
    const struct vault_provider p = vault_passphrase_provider(&passphrase);
    say(&diag, f(dir, &p, &diag, &v));
    secret_done(&passphrase);
    return v;
}

struct vault *
testing_vault(const char *dir)
{
    assert_ok(file_mkdirs(dir, 0700, NULL));
    return with_passphrase(vault_create, dir);
}

struct vault *
testing_vault_again(const char *dir)
{
    return with_passphrase(vault_open, dir);
}
