#include "testing/testing.h"

#include "fixture.h"

#include "base/file.h"
#include "testing/vault.h"

#include <stdlib.h>

char *keys_dir, *dir, *path;
struct vault *vault;

int
make_keys(void **state)
{
    (void)state;
    keys_dir = testing_dir();
    vault = testing_vault(keys_dir);
    return 0;
}

int
remove_keys(void **state)
{
    (void)state;
    vault_free(vault);
    testing_dirp(&keys_dir);
    return 0;
}

int
set_up(void **state)
{
    (void)state;
    dir = testing_dir();
    path = file_join(dir, "state.db");
    return 0;
}

int
tear_down(void **state)
{
    (void)state;
    free(path);
    testing_dirp(&dir);
    return 0;
}

struct store *
open_store(void)
{
    struct store *s = NULL;
    struct diag diag = {0};
    const struct status opened = store_open(path, vault, &diag, &s);
    if (!status_ok(opened)) {
        print_error("%s\n", diag.text);
    }
    assert_ok(opened);
    return s;
}

struct status
put(struct store *s, const char *collection, const char *id, const char *value, uint64_t expect)
{
    return store_put(s, collection, id, view_str(value), expect, NULL);
}

void
assert_value(struct store *s, const char *collection, const char *id, const char *value,
             uint64_t revision)
{
    DEFER(buf_done) struct buf found;
    uint64_t at = 0;
    buf_init(&found, 1u << 16);
    assert_ok(store_get(s, collection, id, NULL, &found, &at));
    assert_string_equal(buf_str(&found), value);
    assert_int_equal(at, revision);
}

void
assert_absent(struct store *s, const char *collection, const char *id)
{
    DEFER(buf_done) struct buf found;
    buf_init(&found, 1u << 16);
    assert_status(store_get(s, collection, id, NULL, &found, NULL), NOT_FOUND);
    assert_int_equal(found.len, 0);
}
