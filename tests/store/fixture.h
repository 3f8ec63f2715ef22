/* fixture: a store in a folder of its own for each test, and the vault that seals it. */
#ifndef STEWARD_TESTS_STORE_FIXTURE_H
#define STEWARD_TESTS_STORE_FIXTURE_H

#include "store/store.h"

extern char *keys_dir, *dir, *path; /* path: of the store's file, in dir */
extern struct vault *vault;

/* Of the whole program. */
int make_keys(void **state);
int remove_keys(void **state);
/* Of each test. */
int set_up(void **state);
int tear_down(void **state);

struct store *open_store(void);
struct status put(struct store *s, const char *collection, const char *id, const char *value,
                  uint64_t expect);
void assert_value(struct store *s, const char *collection, const char *id, const char *value,
                  uint64_t revision);
void assert_absent(struct store *s, const char *collection, const char *id);

#endif
