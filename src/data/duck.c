#include "data/duck.h"

#include "base/clock.h"
#include "base/text.h"

#include <string.h>
#include <time.h>

#define WORDS_MAX 300u

void
duck_close(struct duck *d)
{
    if (d->con != NULL) {
        duckdb_disconnect(&d->con);
    }
    if (d->db != NULL) {
        duckdb_close(&d->db);
    }
}

void
duck_result_done(duckdb_result *r)
{
    duckdb_destroy_result(r);
}

void
duck_put_name(struct buf *sql, const char *name)
{
    text_put_quoted(sql, '"', name);
}

void
duck_put_literal(struct buf *sql, const char *text)
{
    text_put_quoted(sql, '\'', text);
}

static void
config_done(duckdb_config *c)
{
    duckdb_destroy_config(c);
}

static struct status
set_limits(struct duck *d, const char *file, unsigned memory_mib, unsigned threads)
{
    DEFER(buf_done) struct buf sql;
    buf_init(&sql, 65536);
    buf_printf(&sql,
               "SET memory_limit='%uMiB'; SET temp_directory=''; SET TimeZone='UTC'; "
               "SET preserve_insertion_order=true; ",
               memory_mib);
    if (threads > 0) {
        buf_printf(&sql, "SET threads=%u; ", threads);
    }
    if (file != NULL) {
        buf_put_str(&sql, "SET allowed_paths=[");
        duck_put_literal(&sql, file);
        buf_put_str(&sql, "]; ");
    }
    buf_put_str(&sql, "SET enable_external_access=false; SET lock_configuration=true;");
    TRY(buf_status(&sql));
    return duck_execute(d, buf_str(&sql), NULL);
}

struct status
duck_open(const char *file, unsigned memory_mib, unsigned threads, struct duck *ret_duck)
{
    static const char *const settings[][2] = {
        {"autoinstall_known_extensions", "false"},
        {"autoload_known_extensions", "false"},
        {"allow_community_extensions", "false"},
        {"allow_persistent_secrets", "false"},
    };
    DEFER(duck_close) struct duck d = {0};
    DEFER(config_done) duckdb_config config = NULL;
    CHECK(duckdb_create_config(&config) == DuckDBSuccess, MEMORY);
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        CHECK(duckdb_set_config(config, settings[i][0], settings[i][1]) == DuckDBSuccess,
              UNSUPPORTED);
    }
    CHECK(duckdb_open_ext(NULL, &d.db, config, NULL) == DuckDBSuccess, MEMORY);
    CHECK(duckdb_connect(d.db, &d.con) == DuckDBSuccess, MEMORY);
    TRY(set_limits(&d, file, memory_mib, threads));
    *ret_duck = d;
    d = (struct duck){0};
    return OK;
}

/* "Binder Error: Referenced column "x" not found...\nCandidate..." -> its first line, after the
 * kind. */
static void
put_words(struct buf *words, const char *text)
{
    if (words == NULL || text == NULL) {
        return;
    }
    const char *kind = strstr(text, "Error: ");
    text = kind != NULL && kind - text < 40 ? kind + 7 : text;
    size_t n = strcspn(text, "\n");
    if (n > WORDS_MAX) {
        for (n = WORDS_MAX; n > 0 && ((uint8_t)text[n] & 0xc0) == 0x80; n--) {
        }
    }
    buf_put(words, view_of(text, n));
}

/* Words about values quote them; a person who may filter by a column may not see its values. */
static bool
quotes_values(duckdb_error_type type)
{
    return type == DUCKDB_ERROR_CONVERSION || type == DUCKDB_ERROR_OUT_OF_RANGE ||
           type == DUCKDB_ERROR_INVALID_INPUT;
}

static struct status
refuse_result(duckdb_result *r, bool discreet, struct buf *words)
{
    const duckdb_error_type type = duckdb_result_error_type(r);
    put_words(words, discreet && quotes_values(type)
                         ? "a value cannot be converted or is out of range"
                         : duckdb_result_error(r));
    duckdb_destroy_result(r);
    CHECK(type != DUCKDB_ERROR_OUT_OF_MEMORY, LIMIT);
    FAIL(INPUT);
}

struct status
duck_run(struct duck *d, const char *sql, struct buf *ret_words, duckdb_result *ret_result)
{
    duckdb_result result;
    if (duckdb_query(d->con, sql, &result) != DuckDBSuccess) {
        return refuse_result(&result, false, ret_words);
    }
    *ret_result = result;
    return OK;
}

static void
statement_done(duckdb_prepared_statement *s)
{
    duckdb_destroy_prepare(s);
}

static void
pending_done(duckdb_pending_result *p)
{
    duckdb_destroy_pending(p);
}

static void
wait_a_little(void)
{
    const struct timespec pause = {.tv_nsec = 500000};
    (void)nanosleep(&pause, NULL);
}

/* Works on the query, with the engine's threads, until it is done; false when time was up. An
 * interrupted query is worked on until it says so: given up earlier, it is never freed. */
static bool
finish_within(struct duck *d, duckdb_pending_result p, unsigned seconds)
{
    const int64_t until = clock_mono_ns() + (int64_t)seconds * NS_PER_S;
    bool late = false;
    duckdb_pending_state state = duckdb_pending_execute_task(p);
    while (!duckdb_pending_execution_is_finished(state)) {
        if (!late && clock_mono_ns() > until) {
            late = true;
            duckdb_interrupt(d->con);
        }
        if (state == DUCKDB_PENDING_NO_TASKS_AVAILABLE) {
            wait_a_little(); /* the other threads have the last of it */
        }
        state = duckdb_pending_execute_task(p);
    }
    return !late;
}

struct status
duck_run_within(struct duck *d, const char *sql, unsigned seconds, struct buf *ret_words,
                duckdb_result *ret_result)
{
    DEFER(statement_done) duckdb_prepared_statement statement = NULL;
    DEFER(pending_done) duckdb_pending_result pending = NULL;
    if (duckdb_prepare(d->con, sql, &statement) != DuckDBSuccess) {
        put_words(ret_words, duckdb_prepare_error(statement));
        FAIL(INPUT);
    }
    if (duckdb_pending_prepared(statement, &pending) != DuckDBSuccess) {
        put_words(ret_words, duckdb_pending_error(pending));
        FAIL(INPUT);
    }
    if (!finish_within(d, pending, seconds)) {
        buf_printf(ret_words, "not answered within %u s", seconds);
        FAIL(LIMIT);
    }
    duckdb_result result;
    if (duckdb_execute_pending(pending, &result) != DuckDBSuccess) {
        return refuse_result(&result, true, ret_words);
    }
    *ret_result = result;
    return OK;
}

struct status
duck_execute(struct duck *d, const char *sql, struct buf *ret_words)
{
    duckdb_result result;
    TRY(duck_run(d, sql, ret_words, &result));
    duckdb_destroy_result(&result);
    return OK;
}

static struct status
each_in_chunk(duckdb_data_chunk chunk, uint64_t first,
              struct status (*each)(void *, uint64_t, bool, struct view), void *ctx)
{
    const duckdb_vector vector = duckdb_data_chunk_get_vector(chunk, 0);
    duckdb_string_t *strings = duckdb_vector_get_data(vector);
    uint64_t *valid = duckdb_vector_get_validity(vector);
    const idx_t n = duckdb_data_chunk_get_size(chunk);
    for (idx_t i = 0; i < n; i++) {
        const bool null = valid != NULL && !duckdb_validity_row_is_valid(valid, i);
        const struct view v =
            null ? (struct view){0}
                 : view_of(duckdb_string_t_data(&strings[i]), duckdb_string_t_length(strings[i]));
        TRY(each(ctx, first + i, null, v));
    }
    return OK;
}

struct status
duck_each_text(duckdb_result *r,
               struct status (*each)(void *ctx, uint64_t row, bool null, struct view value),
               void *ctx)
{
    CHECK(duckdb_column_type(r, 0) == DUCKDB_TYPE_VARCHAR, INPUT);
    uint64_t row = 0;
    for (duckdb_data_chunk chunk = duckdb_fetch_chunk(*r); chunk != NULL;
         chunk = duckdb_fetch_chunk(*r)) {
        const struct status s = each_in_chunk(chunk, row, each, ctx);
        row += duckdb_data_chunk_get_size(chunk);
        duckdb_destroy_data_chunk(&chunk);
        TRY(s);
    }
    return OK;
}
