/* testing: what every test program shares. Include it first; it brings cmocka. */
#ifndef STEWARD_TESTING_H
#define STEWARD_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/json.h"
#include "base/status.h"

#include <sys/types.h>

/* assert_status(f(), INPUT): that code and no other; says where the status came from. */
#define assert_ok(EXPR) testing_status((EXPR), STATUS_OK, #EXPR, __FILE__, __LINE__)
#define assert_status(EXPR, CODE) testing_status((EXPR), STATUS_##CODE, #EXPR, __FILE__, __LINE__)
void testing_status(struct status s, int32_t code, const char *expression, const char *file,
                    int line);
/* assert_says(&diag, "line 17"): the sentence holds that text. */
#define assert_says(DIAG, PART) testing_says((DIAG)->text, PART, __FILE__, __LINE__)
#define assert_text_has(TEXT, PART) testing_says((TEXT), PART, __FILE__, __LINE__)
void testing_says(const char *text, const char *part, const char *file, int line);
/* |a - b| <= tolerance; NaN equals NaN. */
#define assert_near(A, B, TOLERANCE) testing_near((A), (B), (TOLERANCE), #A, __FILE__, __LINE__)
void testing_near(double a, double b, double tolerance, const char *expression, const char *file,
                  int line);

/* A fresh folder under $TMPDIR, and its removal with all that is in it. free() the path. */
char *testing_dir(void);
void testing_remove(const char *dir);
/* For DEFER: removes and frees. */
void testing_dirp(char **dir);
/* The folder at from, whole, in place of what is at to. */
void testing_copy_dir(const char *from, const char *to);
/* "<source>/tests/model/data/x.json": a path in the source tree, on malloc. */
char *testing_source(const char *relative);
/* A file of the source tree, or any file; the test fails when it cannot be read. */
void testing_read(const char *path, struct buf *ret_bytes);
void testing_write(const char *path, struct view bytes);
/* The answer of a query of DuckDB's as a Parquet file. */
void testing_parquet(const char *path, const char *query);
json_t *testing_read_json(const char *path);
/* Skips, with the reason, where the kernel has no rules for files. First in a test: a skip jumps
 * over what its caller would release. */
void testing_need_landlock(void);
/* Skips, with the reason, where no small file system can be mounted. First in a test: a skip jumps
 * over what its caller would release. */
void testing_need_small_disk(void);
/* Where `path` is on a file system of `bytes`, made with mount (as root): false when that is not
 * possible here. */
bool testing_small_disk(const char *path, size_t bytes);
void testing_small_disk_done(const char *path);

/* A program with its arguments (ends with NULL), run to its end; out and err are NUL-terminated,
 * cut at 4 MiB. */
struct testing_run {
    int exit_code; /* 128 + signal when it was killed */
    struct buf out, err;
};
void testing_run(char *const argv[], struct testing_run *ret_run);
void testing_run_done(struct testing_run *r);
/* The steward of this build with these arguments (ends with NULL). */
void testing_steward(struct testing_run *ret_run, ...) __attribute__((sentinel));
/* assert_steward("init", dir): runs it; the test fails, with what it said, unless it exits 0. */
#define assert_steward(...)                                                                        \
    do {                                                                                           \
        struct testing_run run_;                                                                   \
        testing_steward(&run_, __VA_ARGS__, NULL);                                                 \
        testing_ran(&run_, __FILE__, __LINE__);                                                    \
        testing_run_done(&run_);                                                                   \
    } while (0)
void testing_ran(const struct testing_run *r, const char *file, int line);
/* A key that this workspace's steward issues to a principal. */
void testing_issue_key(char *principal, char ret_key[static 128]);
/* Starts and does not wait: process id. stdout and stderr go to `log` (a path). */
pid_t testing_start(char *const argv[], const char *log);
/* SIGTERM to that process, and its exit code. */
int testing_stop(pid_t pid);
const char *testing_binary(void);

#endif
