/* status: the result of everything that can fail, and diag: the sentence for the person whose input
 * was at fault.
 *
 * A status is a two-register value. `where` is "file:line" of the failure (static storage), `code`
 * the category, `os` an errno or 0. Functions that return one are checked by the compiler. A
 * caller's bug aborts (ASSERT). */
#ifndef STEWARD_BASE_STATUS_H
#define STEWARD_BASE_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum status_code {
    STATUS_OK = 0,
    STATUS_INPUT,       /* what the user or client gave is wrong */
    STATUS_AUTH,        /* nobody we know: missing or wrong credential, wrong passphrase */
    STATUS_DENIED,      /* known, but not allowed */
    STATUS_NOT_FOUND,   /* no such thing */
    STATUS_EXISTS,      /* there is one already */
    STATUS_INTEGRITY,   /* bytes are not what was written: tampered, truncated, corrupt */
    STATUS_LIMIT,       /* a named limit was passed */
    STATUS_IO,          /* the operating system said no; see os */
    STATUS_BUSY,        /* held by another; try again later */
    STATUS_MEMORY,      /* allocation failed */
    STATUS_UNSUPPORTED, /* valid, but not something this build does */
    STATUS_CODES
};

/* On the type, so that no function that returns one can be forgotten. */
#ifdef __clang__
#define STATUS_MUST_USE __attribute__((warn_unused_result))
#else
#define STATUS_MUST_USE [[nodiscard]]
#endif

struct STATUS_MUST_USE status {
    const char *where;
    int32_t code;
    int32_t os;
};

#define STATUS_STR2(x) #x
#define STATUS_STR(x) STATUS_STR2(x)
#define STATUS_HERE __FILE__ ":" STATUS_STR(__LINE__)

#define OK ((struct status){0})
/* FAIL(INPUT): return that failure from here. FAIL_OS: an IO failure carrying errno. */
#define FAILURE(CODE) ((struct status){STATUS_HERE, STATUS_##CODE, 0})
#define FAIL(CODE) return FAILURE(CODE)
#define FAIL_OS(ERRNO) return ((struct status){STATUS_HERE, STATUS_IO, (ERRNO)})
/* TRY(f()): return f's failure to our caller. CHECK(cond, INPUT): fail unless cond holds. */
#define TRY(EXPR)                                                                                  \
    do {                                                                                           \
        const struct status try_status_ = (EXPR);                                                  \
        if (try_status_.code != STATUS_OK) {                                                       \
            return try_status_;                                                                    \
        }                                                                                          \
    } while (0)
#define CHECK(COND, CODE)                                                                          \
    do {                                                                                           \
        if (!(COND)) {                                                                             \
            FAIL(CODE);                                                                            \
        }                                                                                          \
    } while (0)
/* ASSERT: the caller broke the contract; abort with the place. Never for input. */
#define ASSERT(COND) ((COND) ? (void)0 : status_abort(STATUS_HERE, #COND))

/* DEFER(buf_done) struct buf b = ...; runs buf_done(&b) when b leaves scope. For owned pointers use
 * the _freep function that DEFINE_FREEP makes: DEFER(table_freep) struct table *t = NULL; */
#define DEFER(FUNCTION) __attribute__((cleanup(FUNCTION)))
#define DEFINE_FREEP(FUNCTION, TYPE)                                                               \
    static inline void FUNCTION##p(TYPE **slot)                                                    \
    {                                                                                              \
        FUNCTION(*slot);                                                                           \
        *slot = NULL;                                                                              \
    }
/* DEFER(memory_freep) on any pointer from malloc. */
static inline void
memory_freep(void *slot)
{
    void *p;
    memcpy(&p, slot, sizeof p);
    free(p);
}
/* MOVE(p): give p away: yields its value and leaves NULL behind. */
#define MOVE(P)                                                                                    \
    __extension__({                                                                                \
        __typeof__(P) move_value_ = (P);                                                           \
        (P) = NULL;                                                                                \
        move_value_;                                                                               \
    })

static inline bool
status_ok(struct status s)
{
    return s.code == STATUS_OK;
}

/* Short stable word for a code: "input", "auth", ... (used in JSON errors, logs, exit codes). */
const char *status_word(int32_t code);
__attribute__((noreturn)) void status_abort(const char *where, const char *what);

/* The sentence a person needs: place first, then what is wrong, then what would be right.
 * Filled only where the *user's* input is at fault. Every function that takes a diag accepts NULL.
 */
struct diag {
    char text[768];
};

void diag_set(struct diag *diag, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Puts "prefix: " before what is already there (place of an inner failure as seen from outside). */
void diag_prefix(struct diag *diag, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The sentence for a status: the diag's text if there is one, otherwise words for the code and
 * errno. Writes at most n bytes with the terminator. */
void diag_describe(const struct diag *diag, struct status s, char *ret_text, size_t n);

#endif
