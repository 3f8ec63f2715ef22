/* Opening an engine takes far longer than reading a small file, so the libFuzzer targets keep one
 * open: linked with --wrap, calls of duck_open, duck_close and duck_execute come here.
 * The replay of the corpus opens one for each file, as `steward dataset add` does. */
#include "data/duck.h"

#include <string.h>

struct status __real_duck_open(const char *file, unsigned memory_mib, unsigned threads,
                               struct duck *ret_duck);
void __real_duck_close(struct duck *d);
struct status __real_duck_execute(struct duck *d, const char *sql, struct buf *ret_words);
duckdb_state __real_duckdb_create_config(duckdb_config *ret_config);
struct status __wrap_duck_open(const char *file, unsigned memory_mib, unsigned threads,
                               struct duck *ret_duck);
void __wrap_duck_close(struct duck *d);
struct status __wrap_duck_execute(struct duck *d, const char *sql, struct buf *ret_words);
duckdb_state __wrap_duckdb_create_config(duckdb_config *ret_config);

static struct duck kept;
static char
    kept_file[64]; /* its allowed path, /proc/self/fd/N with nearly always the same N, or none */

/* The next file has the same name: nothing of this one may be remembered. */
duckdb_state
__wrap_duckdb_create_config(duckdb_config *ret_config)
{
    const duckdb_state state = __real_duckdb_create_config(ret_config);
    ASSERT(state == DuckDBSuccess);
    return duckdb_set_config(*ret_config, "enable_external_file_cache", "false");
}

struct status
__wrap_duck_open(const char *file, unsigned memory_mib, unsigned threads, struct duck *ret_duck)
{
    const char *name = file == NULL ? "" : file;
    (void)threads;
    ASSERT(strlen(name) < sizeof kept_file);
    if (kept.db != NULL && strcmp(name, kept_file) != 0) {
        __real_duck_close(&kept);
    }
    if (kept.db == NULL) {
        TRY(__real_duck_open(file, memory_mib, 1, &kept));
        (void)strcpy(kept_file, name);
    }
    *ret_duck = kept;
    return OK;
}

void
__wrap_duck_close(struct duck *d)
{
    if (d->db != NULL && !status_ok(__real_duck_execute(&kept, "DROP TABLE IF EXISTS t", NULL))) {
        __real_duck_close(&kept); /* after a fatal error it does nothing more */
    }
    *d = (struct duck){0};
}

/* The engine maps a buffer of 16 longest lines, 1 GiB, for each CSV; inputs here are far shorter
 * than the 64 KiB that a line may have instead. */
struct status
__wrap_duck_execute(struct duck *d, const char *sql, struct buf *ret_words)
{
    static const char option[] = "max_line_size=";
    const char *at = strstr(sql, option);
    if (at == NULL) {
        return __real_duck_execute(d, sql, ret_words);
    }
    const char *rest = at + strlen(option);
    DEFER(buf_done) struct buf shorter;
    buf_init(&shorter, 1u << 20);
    buf_put(&shorter, view_of(sql, (size_t)(rest - sql)));
    buf_put_str(&shorter, "65536");
    buf_put_str(&shorter, rest + strspn(rest, "0123456789"));
    TRY(buf_status(&shorter));
    return __real_duck_execute(d, buf_str(&shorter), ret_words);
}
