#include "workspace/policy_settings.h"

#include <string.h>

/* Of the first resource of that type. */
static const json_t *
fields_of(const json_t *resources, const char *type)
{
    const json_t *r = NULL;
    size_t i = 0;
    json_array_foreach(resources, i, r)
    {
        if (strcmp(json_string_value(json_object_get(r, "type")), type) == 0) {
            return json_object_get(r, "fields");
        }
    }
    return NULL;
}

/* "mortgage@3" of the model "mortgage". */
static bool
is_version_of(const char *endpoint, const char *model)
{
    const size_t n = strlen(model);
    return endpoint != NULL && strncmp(endpoint, model, n) == 0 && endpoint[n] == '@';
}

/* Of a model's routes: one that captures is not hidden by the others, nor one that does not. */
struct shares {
    double least, most;
};

static struct shares
percents_of(const json_t *lines, const json_t *own, const char *model)
{
    const double first = json_number_value(json_object_get(own, "percent"));
    struct shares s = {first, first};
    const json_t *line = NULL;
    size_t i = 0;
    json_array_foreach(lines, i, line)
    {
        if (is_version_of(json_string_value(json_object_get(line, "endpoint")), model)) {
            const double percent = json_number_value(json_object_get(line, "percent"));
            s.least = percent < s.least ? percent : s.least;
            s.most = percent > s.most ? percent : s.most;
        }
    }
    return s;
}

static json_t *
capture_word(double percent)
{
    return json_string(percent >= 100 ? "full" : percent > 0 ? "sampled" : "off");
}

/* How long captures of the model are kept: every line that it has says the same. */
static json_t *
keep_of(const json_t *lines, const json_t *own, const char *model)
{
    const json_t *line = NULL;
    size_t i = 0;
    json_array_foreach(lines, i, line)
    {
        if (own == NULL &&
            is_version_of(json_string_value(json_object_get(line, "endpoint")), model)) {
            own = line;
        }
    }
    return json_object_get(own, "keep");
}

/* The model's own line, or that of all others; NULL: neither. */
static const json_t *
capture_of(const json_t *lines, const char *model)
{
    const json_t *line = NULL, *others = NULL;
    size_t i = 0;
    json_array_foreach(lines, i, line)
    {
        const char *of = json_string_value(json_object_get(line, "endpoint"));
        if (of != NULL && strcmp(of, model) == 0) {
            return line;
        }
        others = of != NULL && strcmp(of, "*") == 0 ? line : others;
    }
    return others;
}

static struct status
put_capture(json_t *fields, const json_t *lines, const char *model)
{
    const json_t *line = capture_of(lines, model);
    const struct shares percents = percents_of(lines, line, model);
    json_t *keep = percents.most > 0 ? keep_of(lines, line, model) : NULL;
    TRY(js_set(fields, "capture", capture_word(percents.most)));
    TRY(js_set(fields, "capture.least", capture_word(percents.least)));
    return js_set(fields, "capture.keep", keep == NULL ? json_null() : json_incref(keep));
}

static struct status
put_quotas(json_t *fields, const json_t *quotas, const char *model)
{
    const json_t *q = NULL;
    json_t *names = json_array();
    size_t i = 0;
    TRY(js_set(fields, "quotas", names));
    json_array_foreach(quotas, i, q)
    {
        const char *of = json_string_value(json_object_get(q, "model"));
        CHECK((of != NULL && strcmp(of, model) != 0) ||
                  json_array_append(names, json_object_get(q, "name")) == 0,
              MEMORY);
    }
    return OK;
}

struct status
policy_settings_put(json_t *resources, const json_t *configuration)
{
    const json_t *server = fields_of(json_object_get(configuration, "resources"), "server"), *r;
    size_t i = 0;
    if (server == NULL) {
        return OK;
    }
    json_array_foreach(resources, i, r)
    {
        json_t *fields = json_object_get(r, "fields");
        const char *model = json_string_value(json_object_get(fields, "model"));
        if (strcmp(json_string_value(json_object_get(r, "type")), "endpoint") == 0) {
            TRY(put_capture(fields, json_object_get(server, "capture.endpoints"), model));
            TRY(put_quotas(fields, json_object_get(server, "limits.quotas"), model));
        }
    }
    return OK;
}
