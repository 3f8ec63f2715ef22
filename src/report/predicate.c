#include "report/predicate.h"

#include "base/text.h"

#include <stdlib.h>
#include <string.h>

/* DuckDB 1.4's keywords that cannot stand for a column (duckdb_keywords(): reserved and
 * type_function), sorted. */
static const char *const keywords[] = {
    "all",
    "analyse",
    "analyze",
    "and",
    "anti",
    "any",
    "array",
    "as",
    "asc",
    "asof",
    "asymmetric",
    "at",
    "authorization",
    "binary",
    "both",
    "by",
    "case",
    "cast",
    "check",
    "collate",
    "collation",
    "column",
    "columns",
    "concurrently",
    "constraint",
    "create",
    "cross",
    "default",
    "deferrable",
    "desc",
    "describe",
    "distinct",
    "do",
    "else",
    "end",
    "except",
    "false",
    "fetch",
    "for",
    "foreign",
    "freeze",
    "from",
    "full",
    "generated",
    "glob",
    "group",
    "having",
    "ilike",
    "in",
    "initially",
    "inner",
    "intersect",
    "into",
    "is",
    "isnull",
    "join",
    "lambda",
    "lateral",
    "leading",
    "left",
    "like",
    "limit",
    "map",
    "natural",
    "not",
    "notnull",
    "null",
    "offset",
    "on",
    "only",
    "or",
    "order",
    "outer",
    "overlaps",
    "pivot",
    "pivot_longer",
    "pivot_wider",
    "placing",
    "positional",
    "primary",
    "qualify",
    "references",
    "returning",
    "right",
    "select",
    "semi",
    "show",
    "similar",
    "some",
    "struct",
    "summarize",
    "symmetric",
    "table",
    "tablesample",
    "then",
    "to",
    "trailing",
    "true",
    "try_cast",
    "union",
    "unique",
    "unpack",
    "unpivot",
    "using",
    "variadic",
    "verbose",
    "when",
    "where",
    "window",
    "with",
};

static int
compare(const void *word, const void *keyword)
{
    return strcmp(word, *(const char *const *)keyword);
}

static bool
is_plain(const char *name)
{
    const size_t n = strlen(name);
    return n > 0 && strspn(name, "abcdefghijklmnopqrstuvwxyz_0123456789") == n &&
           !(name[0] >= '0' && name[0] <= '9') &&
           bsearch(name, keywords, sizeof keywords / sizeof *keywords, sizeof *keywords, compare) ==
               NULL;
}

void
predicate_put_name(struct buf *b, const char *name)
{
    if (is_plain(name)) {
        buf_put_str(b, name);
    } else {
        text_put_quoted(b, '"', name);
    }
}

void
predicate_put_text(struct buf *b, const char *text)
{
    text_put_quoted(b, '\'', text);
}
