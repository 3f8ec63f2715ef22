#include "workspace/facets.h"

#include "base/text.h"

#include <stdlib.h>
#include <string.h>

#define EDGES_MAX 32u

/* What the text says of the column: "A,B" of COLUMN=A,B; NULL: it is of another one. */
static const char *
said_of(const char *text, const char *column)
{
    const size_t n = strlen(column);
    return strncmp(text, column, n) == 0 && text[n] == '=' ? text + n + 1 : NULL;
}

static struct status
take_edges(const char *given, const char *list, struct diag *diag, double *ret_edges,
           size_t *ret_count)
{
    *ret_count = 0;
    for (const char *at = list; *at != '\0' || *ret_count == 0;) {
        const size_t n = strcspn(at, ",");
        double v = 0;
        if (!status_ok(text_to_f64(view_of(at, n), &v)) || *ret_count == EDGES_MAX ||
            (*ret_count > 0 && v <= ret_edges[*ret_count - 1])) {
            diag_set(diag, "--intervals %s: write COLUMN=A,B,C with at most %u numbers that ascend",
                     given, EDGES_MAX);
            FAIL(INPUT);
        }
        ret_edges[(*ret_count)++] = v;
        at += n + (at[n] == ',');
    }
    return OK;
}

/* Of the last --intervals for the column; 0 where there is none. */
static struct status
edges_of(const struct facets *f, const struct column *column, struct diag *diag, double *ret_edges,
         size_t *ret_count)
{
    *ret_count = 0;
    for (size_t i = 0; i < f->intervals; i++) {
        const char *list = said_of(f->interval[i], column->name);
        if (list != NULL) {
            TRY(take_edges(f->interval[i], list, diag, ret_edges, ret_count));
        }
    }
    if (*ret_count > 0 && column->type != COLUMN_FLOAT && column->type != COLUMN_INTEGER) {
        diag_set(diag, "--intervals: column \"%s\" is not of numbers", column->name);
        FAIL(INPUT);
    }
    return OK;
}

/* The longest level name that begins the list and ends with a comma or with it, as names may have
 * commas; levels where there is none. */
static uint32_t
level_at(const struct plain_codes *p, const char *list)
{
    uint32_t found = p->levels;
    size_t longest = 0;
    for (uint32_t i = 0; i < p->levels; i++) {
        const size_t n = strlen(p->names[i]);
        const bool is = strncmp(list, p->names[i], n) == 0 && (list[n] == ',' || list[n] == '\0');
        if (is && (found == p->levels || n > longest)) {
            found = i;
            longest = n;
        }
    }
    return found;
}

static struct status
take_facet(const char *list, const struct plain_codes *p, uint32_t k, struct diag *diag,
           uint32_t *facet)
{
    for (const char *at = list;;) {
        const uint32_t i = level_at(p, at);
        if (i == p->levels) {
            diag_set(diag, "--facet: column \"%s\" has no value \"%.*s\"", p->name,
                     (int)strcspn(at, ","), at);
            FAIL(INPUT);
        }
        if (facet[i] != 0) {
            diag_set(diag, "--facet: value \"%s\" of column \"%s\" is named twice", p->names[i],
                     p->name);
            FAIL(INPUT);
        }
        facet[i] = k;
        at += strlen(p->names[i]);
        if (*at == '\0') {
            return OK;
        }
        at++;
    }
}

static struct status
join(const struct facets *f, const struct table *t, struct diag *diag, struct plain_codes *p)
{
    uint32_t facets = 0;
    DEFER(memory_freep) uint32_t *facet = calloc(p->levels + (size_t)1, sizeof *facet);
    CHECK(facet != NULL, MEMORY);
    for (size_t i = 0; i < f->facets; i++) {
        const char *list = said_of(f->facet[i], p->name);
        if (list != NULL) {
            TRY(take_facet(list, p, ++facets, diag, facet));
        }
    }
    return facets == 0 ? OK : plain_codes_join(t, facet, facets, p);
}

struct status
facets_codes(const struct facets *f, const struct table *t, const struct column *column,
             struct diag *diag, struct plain_codes *ret_codes, bool *ret_by_edges)
{
    double edges[EDGES_MAX];
    size_t n = 0;
    TRY(edges_of(f, column, diag, edges, &n));
    *ret_by_edges = n > 0;
    TRY(n > 0 ? plain_codes_by_edges(t, column, edges, n, ret_codes)
              : plain_codes_of(t, column, f->bins, ret_codes));
    return join(f, t, diag, ret_codes);
}

static struct status
check(const char *option, const char *const *text, size_t texts, const struct plain_codes *codes,
      size_t n, struct diag *diag)
{
    for (size_t i = 0; i < texts; i++) {
        bool known = false;
        for (size_t k = 0; k < n && !known; k++) {
            known = said_of(text[i], codes[k].name) != NULL;
        }
        if (!known) {
            diag_set(diag, "--%s %s: no such sensitive or control column", option, text[i]);
            FAIL(INPUT);
        }
    }
    return OK;
}

struct status
facets_check(const struct facets *f, const struct plain_codes *codes, size_t n, struct diag *diag)
{
    TRY(check("intervals", f->interval, f->intervals, codes, n, diag));
    return check("facet", f->facet, f->facets, codes, n, diag);
}
