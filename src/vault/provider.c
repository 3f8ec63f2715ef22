#include "vault/provider.h"

#include "base/file.h"
#include "vault/keyring.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_FILE "workspace.json"

struct provider {
    struct vault_provider table;
    struct secret credential;
    char target[PROVIDER_TARGET_MAX];
};

void
provider_free(struct provider *p)
{
    if (p != NULL) {
        secret_done(&p->credential);
        free(p);
    }
}

static struct status
make(const char *target, const struct secret *credential, struct provider **ret_provider)
{
    DEFER(provider_freep) struct provider *p = calloc(1, sizeof *p);
    CHECK(p != NULL, MEMORY);
    if (credential->len > 0) {
        TRY(secret_from(secret_view(credential), &p->credential));
    }
    (void)snprintf(p->target, sizeof p->target, "%s", target);
    *ret_provider = MOVE(p);
    return OK;
}

struct status
provider_new(const char *target, const struct secret *credential, struct diag *diag,
             struct provider **ret_provider)
{
    DEFER(provider_freep) struct provider *p = NULL;
    TRY(make(target, credential, &p));
    if (strcmp(target, "passphrase") != 0) {
        diag_set(diag, "\"%.100s\": a key is held by a passphrase: write \"passphrase\"", target);
        FAIL(INPUT);
    }
    p->table = vault_passphrase_provider(&p->credential);
    *ret_provider = MOVE(p);
    return OK;
}

static struct status
look(const char *dir, struct diag *diag, json_t **ret_file, const char **ret_name,
     json_t **ret_state)
{
    DEFER(file_freep) char *path = file_join(dir, KEY_FILE);
    return keyring_look(path, diag, ret_file, ret_name, ret_state);
}

struct status
provider_open(const char *dir, const struct secret *credential, struct diag *diag,
              struct provider **ret_provider)
{
    DEFER(js_freep) json_t *file = NULL;
    DEFER(provider_freep) struct provider *p = NULL;
    json_t *state = NULL;
    const char *name = NULL;
    TRY(look(dir, diag, &file, &name, &state));
    /* What is not known here is refused with the file's name by vault_open. */
    TRY(provider_new("passphrase", credential, diag, &p));
    *ret_provider = MOVE(p);
    return OK;
}

const struct vault_provider *
provider_table(const struct provider *p)
{
    return &p->table;
}

const char *
provider_target(const struct provider *p)
{
    return p->target;
}
