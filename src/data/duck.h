/* duck: the embedded DuckDB as this folder uses it: in memory, no extensions fetched, configuration
 * locked, and access to the one file that the caller opened, or to none. Not for other folders. */
#ifndef STEWARD_DATA_DUCK_H
#define STEWARD_DATA_DUCK_H

#include "base/bytes.h"

#include <duckdb.h>

struct duck {
    duckdb_database db;
    duckdb_connection con;
};

/* file: the only path that may be opened, or NULL for none. memory_mib: what it may use. threads: 0
 * for its own choice. */
struct status duck_open(const char *file, unsigned memory_mib, unsigned threads,
                        struct duck *ret_duck);
void duck_close(struct duck *d);
/* Runs sql; on failure puts the engine's words (first line, without its place in the source) in
 * ret_words, if given. */
struct status duck_run(struct duck *d, const char *sql, struct buf *ret_words,
                       duckdb_result *ret_result);
/* As duck_run for one statement, stopped after that many seconds (STATUS_LIMIT, with words), and
 * with words that quote no value of the table. */
struct status duck_run_within(struct duck *d, const char *sql, unsigned seconds,
                              struct buf *ret_words, duckdb_result *ret_result);
/* As duck_run, result thrown away. */
struct status duck_execute(struct duck *d, const char *sql, struct buf *ret_words);
void duck_result_done(duckdb_result *r);
void duck_put_name(struct buf *sql, const char *name);    /* "name" quoted */
void duck_put_literal(struct buf *sql, const char *text); /* 'text' quoted */
/* Calls each(ctx, row, null, value) for the first column of the result, which is VARCHAR, in order.
 */
struct status duck_each_text(duckdb_result *r,
                             struct status (*each)(void *ctx, uint64_t row, bool null,
                                                   struct view value),
                             void *ctx);

#endif
