/* Three fences, each enough alone: the predicate is parsed by DuckDB itself (json_serialize_sql)
 * and every node of its tree must be on the list below; the engine that evaluates it holds one
 * table and nothing else; and it is locked without external access, so that no file could be
 * reached if the first two failed. */
#include "data/cohort.h"

#include "base/json.h"
#include "base/text.h"
#include "data/duck.h"
#include "data/import.h"
#include "data/table_build.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SQL_MAX (64u << 10)
#define TREE_MAX (8u << 20)
#define COHORT_MEMORY_MIB 2048u
#define COHORT_MAX_SECONDS 60u

static const char *const node_classes[] = {"COLUMN_REF",  "CONSTANT", "COMPARISON",
                                           "CONJUNCTION", "OPERATOR", "BETWEEN",
                                           "CASE",        "CAST",     "FUNCTION"};

/* Functions of their arguments alone: no state, no files, no output longer than what went in. */
static const char *const functions[] = {
    "+",
    "-",
    "*",
    "/",
    "//",
    "%",
    "abs",
    "ceil",
    "ceiling",
    "floor",
    "round",
    "sign",
    "sqrt",
    "ln",
    "exp",
    "isnan",
    "isfinite",
    "least",
    "greatest",
    "lower",
    "upper",
    "trim",
    "ltrim",
    "rtrim",
    "length",
    "substring",
    "substr",
    "contains",
    "starts_with",
    "ends_with",
    "prefix",
    "suffix",
    "regexp_matches",
    "~~",
    "!~~",
    "~~*",
    "!~~*",
    "like_escape",
    "not_like_escape",
    "ilike_escape",
    "not_ilike_escape",
    "year",
    "month",
    "day",
    "hour",
    "date_part",
};

/* Those whose time depends on more than the length of the text: their pattern must be written out,
 * so that it can be looked at. */
static const char *const pattern_functions[] = {
    "contains",     "regexp_matches",
    "~~",           "!~~",
    "~~*",          "!~~*",
    "like_escape",  "not_like_escape",
    "ilike_escape", "not_ilike_escape",
};

/* A chain through BIT or BLOB multiplies a text's length with each step. */
static const char *const cast_types[] = {
    "BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT",   "FLOAT",
    "DOUBLE",  "DECIMAL", "VARCHAR",  "DATE",    "TIME",   "TIMESTAMP", "INTERVAL",
};

struct checker {
    const struct table *table;
    struct outcome *outcome; /* or NULL */
    struct diag *diag;
    const struct column **used; /* columns that the predicate names, once each */
    uint32_t used_count;
};

#define LISTED(WORD, LIST) listed(WORD, LIST, sizeof(LIST) / sizeof *(LIST))

static bool
listed(const char *word, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(word, list[i]) == 0) {
            return true;
        }
    }
    return false;
}

static const char *
member(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    return text == NULL ? "" : text;
}

/* SQL names are matched without case. */
static struct status
check_column(struct checker *k, const json_t *node)
{
    const json_t *names = json_object_get(node, "column_names");
    const char *name = json_string_value(json_array_get(names, json_array_size(names) - 1));
    const struct column *c =
        name == NULL || json_array_size(names) > 2 ? NULL : table_column_folded(k->table, name);
    if (c == NULL && k->outcome != NULL && json_array_size(names) == 1) {
        TRY(outcome_column(k->outcome, name, k->diag, &c));
    }
    if (c == NULL) {
        names_absent(k->diag, "cohort", name == NULL ? "" : name, k->table);
        FAIL(INPUT);
    }
    for (uint32_t i = 0; i < k->used_count; i++) {
        if (k->used[i] == c) {
            return OK;
        }
    }
    k->used[k->used_count++] = c;
    return OK;
}

/* % that something other than % follows: each is a place where the matcher starts again. */
static size_t
inner_wildcards(const char *pattern)
{
    size_t count = 0;
    for (const char *p = pattern; *p != '\0'; p++) {
        count += *p == '%' && p[1] != '%' && p[1] != '\0';
    }
    return count;
}

/* DuckDB matches LIKE with % alone in one pass; with _ or ESCAPE, or without case, it tries every
 * way to place the %s, which takes the text's length to the power of their number. */
static struct status
check_pattern(const struct checker *k, const char *name, const json_t *node)
{
    const json_t *second = json_array_get(json_object_get(node, "children"), 1);
    const char *pattern =
        strcmp(member(second, "class"), "CONSTANT") == 0
            ? json_string_value(json_object_get(json_object_get(second, "value"), "value"))
            : NULL;
    if (pattern == NULL) {
        diag_set(k->diag, "cohort: the pattern of LIKE, contains or regexp_matches must be a text "
                          "in quotes");
        FAIL(INPUT);
    }
    const bool like = strcmp(name, "contains") != 0 && strcmp(name, "regexp_matches") != 0;
    const bool one_pass =
        (strcmp(name, "~~") == 0 || strcmp(name, "!~~") == 0) && strchr(pattern, '_') == NULL;
    if (like && !one_pass && inner_wildcards(pattern) > 1) {
        diag_set(k->diag,
                 "cohort: a pattern with _, ILIKE or ESCAPE may have one %% before its end "
                 "(more take too long); use regexp_matches");
        FAIL(INPUT);
    }
    return OK;
}

static struct status
check_function(const struct checker *k, const json_t *node)
{
    const char *name = member(node, "function_name");
    const char *schema = member(node, "schema"); /* main: some of SQL's own forms, as LIKE ESCAPE */
    const bool plain = !json_is_true(json_object_get(node, "distinct")) &&
                       (*schema == '\0' || strcmp(schema, "main") == 0) &&
                       *member(node, "catalog") == '\0' &&
                       !json_is_object(json_object_get(node, "filter"));
    if (!plain || !LISTED(name, functions)) {
        diag_set(k->diag, "cohort: the function %.60s is not one that a cohort may use", name);
        FAIL(INPUT);
    }
    return LISTED(name, pattern_functions) ? check_pattern(k, name, node) : OK;
}

static struct status
check_cast(const struct checker *k, const json_t *node)
{
    const char *id = member(json_object_get(node, "cast_type"), "id");
    if (!LISTED(id, cast_types)) {
        diag_set(k->diag, "cohort: a value cannot be cast to %.40s here", id);
        FAIL(INPUT);
    }
    return OK;
}

static struct status check_tree(struct checker *k, const json_t *value);
static struct status check_node(struct checker *k, const char *class, const json_t *node);

static struct status
check_members(struct checker *k, const json_t *node)
{
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach((json_t *)(uintptr_t)node, key, value)
    {
        /* The value of a constant and the type of a cast are data, not expressions. */
        if (strcmp(key, "value") != 0 && strcmp(key, "cast_type") != 0) {
            TRY(check_tree(k, value));
        }
    }
    return OK;
}

/* Everything below the WHERE: objects with a "class" are expressions, and each must be on the list.
 */
static struct status
check_tree(struct checker *k, const json_t *value)
{
    size_t i = 0;
    json_t *item = NULL;
    json_array_foreach((json_t *)(uintptr_t)value, i, item)
    {
        TRY(check_tree(k, item));
    }
    if (!json_is_object(value)) {
        return OK;
    }
    const char *class = json_string_value(json_object_get(value, "class"));
    return class == NULL ? check_members(k, value) : check_node(k, class, value);
}

static struct status
check_node(struct checker *k, const char *class, const json_t *node)
{
    if (!LISTED(class, node_classes)) {
        diag_set(k->diag,
                 "cohort: %.40s is not something that a cohort may hold; it is one condition on "
                 "the columns",
                 class);
        FAIL(INPUT);
    }
    if (strcmp(class, "COLUMN_REF") == 0) {
        TRY(check_column(k, node));
    }
    if (strcmp(class, "FUNCTION") == 0) {
        TRY(check_function(k, node));
    }
    if (strcmp(class, "CAST") == 0) {
        TRY(check_cast(k, node));
    }
    return check_members(k, node);
}

/* Absent, null, or an empty array or object: the clause is not used. */
static bool
unused(const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);
    return v == NULL || json_is_null(v) || (json_is_array(v) && json_array_size(v) == 0) ||
           (json_is_object(v) && json_object_size(v) == 0);
}

/* The statement around the predicate must be the one that was written here and nothing more. */
static struct status
check_statement(struct checker *k, const json_t *tree)
{
    static const char *const clauses[] = {"modifiers", "group_expressions", "group_sets",
                                          "having",    "qualify",           "sample"};
    const json_t *statements = json_object_get(tree, "statements");
    const json_t *node = json_object_get(json_array_get(statements, 0), "node");
    const json_t *from = json_object_get(node, "from_table"),
                 *where = json_object_get(node, "where_clause");
    bool plain = json_array_size(statements) == 1 &&
                 strcmp(member(node, "type"), "SELECT_NODE") == 0 &&
                 strcmp(member(from, "type"), "BASE_TABLE") == 0 &&
                 strcmp(member(from, "table_name"), "t") == 0 && json_is_object(where);
    for (size_t i = 0; i < sizeof clauses / sizeof *clauses; i++) {
        plain = plain && unused(node, clauses[i]);
    }
    plain = plain && unused(json_object_get(node, "cte_map"), "map");
    if (!plain) {
        diag_set(k->diag, "cohort: it must be one condition, such as age > 40 and sex = 'F'");
        FAIL(INPUT);
    }
    return check_tree(k, where);
}

/* A name for the row's number that no column of the table has. */
static struct status
put_row_name(const struct table *t, struct buf *name)
{
    do {
        buf_put_str(name, " ");
        TRY(buf_status(name));
    } while (table_column(t, buf_str(name)) != NULL);
    return OK;
}

/* The line breaks keep a comment from swallowing the bracket. */
static struct status
put_checked(const char *predicate, struct buf *sql)
{
    buf_put_str(sql, "SELECT 1 FROM t WHERE (\n");
    buf_put_str(sql, predicate);
    buf_put_str(sql, "\n)");
    return buf_status(sql);
}

/* What was checked is one expression: so it is here, too. */
static struct status
put_asked(const char *row_name, const char *predicate, struct buf *sql)
{
    buf_put_str(sql, "SELECT ");
    duck_put_name(sql, row_name);
    buf_put_str(sql, ", (\n");
    buf_put_str(sql, predicate);
    buf_put_str(sql, "\n) FROM t");
    return buf_status(sql);
}

static struct status
take_text(void *ctx, uint64_t row, bool null, struct view value)
{
    (void)row, (void)null;
    buf_put(ctx, value);
    return buf_status(ctx);
}

static struct status
parse_tree(struct duck *d, const char *statement, struct diag *diag, json_t **ret_tree)
{
    DEFER(buf_done) struct buf sql;
    DEFER(buf_done) struct buf words;
    DEFER(buf_done) struct buf text;
    DEFER(duck_result_done) duckdb_result r = {0};
    buf_init(&sql, SQL_MAX);
    buf_init(&words, 4096);
    buf_init(&text, TREE_MAX);
    /* Places in the text are cut: the engine's "nowhere" is no integer to a JSON reader. */
    buf_put_str(&sql, "SELECT regexp_replace(CAST(json_serialize_sql(CAST(");
    duck_put_literal(&sql, statement);
    buf_put_str(&sql, " AS VARCHAR)) AS VARCHAR), '\"query_location\":[0-9]+,', '', 'g')");
    TRY(buf_status(&sql));
    const struct status ran = duck_run(d, buf_str(&sql), &words, &r);
    if (!status_ok(ran)) {
        diag_set(diag, "cohort: %s", buf_str(&words));
        return ran;
    }
    TRY(duck_each_text(&r, take_text, &text));
    DEFER(js_freep) json_t *tree = NULL;
    if (!status_ok(js_parse(buf_view(&text), "cohort", diag, &tree))) {
        diag_set(diag, "cohort: nested too deeply, or not a condition on the columns alone");
        FAIL(INPUT);
    }
    if (json_is_true(json_object_get(tree, "error"))) {
        diag_set(diag, "cohort: %.300s", member(tree, "error_message"));
        FAIL(INPUT);
    }
    *ret_tree = MOVE(tree);
    return OK;
}

/* ---- the table in the engine ---- */

static const char *
sql_type(enum column_type type)
{
    return type == COLUMN_FLOAT     ? "DOUBLE"
           : type == COLUMN_INTEGER ? "BIGINT"
           : type == COLUMN_TIME    ? "TIMESTAMP"
                                    : "VARCHAR";
}

static struct status
create_table(struct duck *d, const struct checker *k, const char *row_name)
{
    DEFER(buf_done) struct buf sql;
    buf_init(&sql, 16u << 20);
    buf_put_str(&sql, "CREATE TABLE t (");
    for (uint32_t i = 0; i < k->used_count; i++) {
        duck_put_name(&sql, k->used[i]->name);
        buf_printf(&sql, " %s, ", sql_type(k->used[i]->type));
    }
    duck_put_name(&sql, row_name);
    buf_put_str(&sql, " BIGINT)");
    TRY(buf_status(&sql));
    return duck_execute(d, buf_str(&sql), NULL);
}

static duckdb_state
append_value(duckdb_appender a, const struct column *c, uint64_t row)
{
    if (column_is_null(c, row)) {
        return duckdb_append_null(a);
    }
    switch (c->type) {
    case COLUMN_FLOAT:
        return duckdb_append_double(a, c->f[row]);
    case COLUMN_INTEGER:
        return duckdb_append_int64(a, c->i[row]);
    case COLUMN_TIME:
        return duckdb_append_timestamp(a, (duckdb_timestamp){c->i[row]});
    case COLUMN_TEXT: {
        const struct view v = column_text(c, row);
        return duckdb_append_varchar_length(a, (const char *)v.ptr, v.len);
    }
    default:
        return duckdb_append_varchar(a, c->levels[c->code[row]]);
    }
}

static void
appender_done(duckdb_appender *a)
{
    if (*a != NULL) {
        (void)duckdb_appender_destroy(a);
    }
}

static struct status
fill_table(struct duck *d, const struct checker *k)
{
    DEFER(appender_done) duckdb_appender a = NULL;
    CHECK(duckdb_appender_create(d->con, NULL, "t", &a) == DuckDBSuccess, MEMORY);
    for (uint64_t row = 0; row < k->table->rows; row++) {
        for (uint32_t i = 0; i < k->used_count; i++) {
            CHECK(append_value(a, k->used[i], row) == DuckDBSuccess, LIMIT);
        }
        CHECK(duckdb_append_int64(a, (int64_t)row) == DuckDBSuccess &&
                  duckdb_appender_end_row(a) == DuckDBSuccess,
              LIMIT);
    }
    CHECK(duckdb_appender_close(a) == DuckDBSuccess, LIMIT);
    return OK;
}

/* Row number and answer: 1, 0 or null. */
static uint64_t
take_chunk(duckdb_data_chunk chunk, uint64_t rows, uint8_t *in)
{
    const int64_t *row = duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, 0));
    duckdb_vector answers = duckdb_data_chunk_get_vector(chunk, 1);
    const bool *answer = duckdb_vector_get_data(answers);
    uint64_t *known = duckdb_vector_get_validity(answers), unknown = 0;
    for (idx_t i = 0; i < duckdb_data_chunk_get_size(chunk); i++) {
        ASSERT(row[i] >= 0 && (uint64_t)row[i] < rows);
        const bool null = known != NULL && !duckdb_validity_row_is_valid(known, i);
        in[row[i]] = !null && answer[i];
        unknown += null;
    }
    return unknown;
}

static struct status
take_rows(const struct checker *k, duckdb_result *r, uint8_t *in, uint64_t *ret_unknown)
{
    uint64_t unknown = 0;
    CHECK(duckdb_column_type(r, 0) == DUCKDB_TYPE_BIGINT, INTEGRITY);
    if (duckdb_column_type(r, 1) != DUCKDB_TYPE_BOOLEAN) {
        diag_set(k->diag, "cohort: this is a value, not a condition such as age > 40");
        FAIL(INPUT);
    }
    for (duckdb_data_chunk c = duckdb_fetch_chunk(*r); c != NULL; c = duckdb_fetch_chunk(*r)) {
        unknown += take_chunk(c, k->table->rows, in);
        duckdb_destroy_data_chunk(&c);
    }
    if (ret_unknown != NULL) {
        *ret_unknown = unknown;
    }
    return OK;
}

static struct status
evaluate(struct duck *d, const struct checker *k, const char *predicate, uint8_t *ret_in,
         uint64_t *ret_unknown)
{
    DEFER(buf_done) struct buf words;
    DEFER(buf_done) struct buf row_name;
    DEFER(buf_done) struct buf statement;
    DEFER(duck_result_done) duckdb_result r = {0};
    buf_init(&words, 4096);
    buf_init(&row_name, IMPORT_MAX_COLUMNS + 1);
    buf_init(&statement, SQL_MAX);
    TRY(put_row_name(k->table, &row_name));
    TRY(put_asked(buf_str(&row_name), predicate, &statement));
    TRY(create_table(d, k, buf_str(&row_name)));
    TRY(fill_table(d, k));
    const struct status s = duck_run_within(d, buf_str(&statement), COHORT_MAX_SECONDS, &words, &r);
    if (!status_ok(s)) {
        diag_set(k->diag, "cohort: %s", buf_str(&words));
        return s;
    }
    return take_rows(k, &r, ret_in, ret_unknown);
}

struct status
cohort_select(const struct table *t, struct outcome *outcome, const char *predicate,
              struct diag *diag, uint8_t *ret_in, uint64_t *ret_unknown)
{
    if (*predicate == '\0' || strlen(predicate) > COHORT_MAX_BYTES ||
        !text_is_utf8(view_str(predicate))) {
        diag_set(diag,
                 "cohort: a condition of 1 to %u bytes of UTF-8, such as age > 40 and sex = 'F'",
                 COHORT_MAX_BYTES);
        FAIL(INPUT);
    }
    DEFER(memory_freep)
    const struct column **used = build_alloc(t->column_count + OUTCOME_COLUMNS, sizeof *used);
    struct checker k = {.table = t, .outcome = outcome, .diag = diag, .used = used};
    DEFER(duck_close) struct duck d = {0};
    DEFER(buf_done) struct buf statement;
    DEFER(js_freep) json_t *tree = NULL;
    buf_init(&statement, SQL_MAX);
    CHECK(used != NULL, MEMORY);
    TRY(duck_open(NULL, COHORT_MEMORY_MIB, 0, &d));
    TRY(put_checked(predicate, &statement));
    TRY(parse_tree(&d, buf_str(&statement), diag, &tree));
    TRY(check_statement(&k, tree));
    return evaluate(&d, &k, predicate, ret_in, ret_unknown);
}
