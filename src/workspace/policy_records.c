#include "workspace/policy_records.h"

#include "workspace/dataset_subjects.h"
#include "workspace/incidents.h"

#include <string.h>

static const struct {
    const char *form, *field;
} fields_of[] = {{"impact", "records.impact"},
                 {"instructions", "records.instructions"},
                 {"technical-documentation", "records.documentation"},
                 {"processing", "records.processing"}};

struct counting {
    const struct form *form;
    json_t *open; /* by name, of the newest version, which comes last */
};

static struct status
count_open(void *ctx, const char *name, uint64_t version, const json_t *record)
{
    (void)version;
    const struct counting *c = ctx;
    const size_t n = form_open(c->form, json_object_get(record, "answers"));
    return js_set(c->open, name, json_integer((json_int_t)n));
}

/* Of the models whose answers are kept, or of the workspace. */
static struct status
put_form(struct workspace *w, size_t which, json_t *resources, struct diag *diag)
{
    size_t i;
    json_t *r = NULL;
    DEFER(form_freep) struct form *f = NULL;
    DEFER(js_freep) json_t *open = json_object();
    CHECK(open != NULL, MEMORY);
    TRY(form_built_in(fields_of[which].form, diag, &f));
    struct counting c = {.form = f, .open = open};
    TRY(records_each(w, f->name, count_open, &c));
    json_array_foreach(resources, i, r)
    {
        json_t *fields = json_object_get(r, "fields");
        const char *type = json_string_value(json_object_get(r, "type"));
        if (strcmp(type, f->of_model ? "model" : "workspace") != 0) {
            continue;
        }
        const json_t *name = json_object_get(f->of_model ? fields : r, "name");
        json_t *n = json_object_get(open, json_string_value(name));
        TRY(js_set(fields, fields_of[which].field, n == NULL ? json_null() : json_incref(n)));
    }
    return OK;
}

static struct status
put_incidents(struct workspace *w, json_t *resources, struct diag *diag)
{
    size_t i, overdue = 0;
    json_t *o = NULL;
    DEFER(js_freep) json_t *list = NULL;
    TRY(incident_list(w, diag, &list));
    json_array_foreach(list, i, o)
    {
        const json_t *clock = json_object_get(o, "clock");
        overdue += strcmp(json_string_value(json_object_get(clock, "state")), "overdue") == 0;
    }
    json_array_foreach(resources, i, o)
    {
        if (strcmp(json_string_value(json_object_get(o, "type")), "workspace") == 0) {
            TRY(js_set(json_object_get(o, "fields"), "incidents.overdue",
                       json_integer((json_int_t)overdue)));
        }
    }
    return OK;
}

/* Of all versions of a name, which stand side by side. */
static struct status
put_persons(struct workspace *w, json_t *resources, struct diag *diag)
{
    DEFER(js_freep) json_t *of = NULL;
    const char *last = "";
    json_t *r = NULL;
    size_t i = 0;
    json_array_foreach(resources, i, r)
    {
        bool exist = false;
        json_t *fields = json_object_get(r, "fields");
        const char *name = json_string_value(json_object_get(fields, "name"));
        if (strcmp(json_string_value(json_object_get(r, "type")), "dataset") != 0) {
            continue;
        }
        if (strcmp(name, last) != 0) {
            json_decref(of);
            of = NULL;
            last = name;
            TRY(dataset_subjects_exist(w, name, &exist));
            TRY(exist ? dataset_subjects_describe(w, name, diag, &of) : OK);
        }
        json_t *persons = json_object_get(of, "persons"), *erased = json_object_get(of, "erased");
        TRY(js_set(fields, "persons", of == NULL ? json_null() : json_incref(persons)));
        TRY(js_set(fields, "erased", of == NULL ? json_null() : json_incref(erased)));
    }
    return OK;
}

struct status
policy_records_put(struct workspace *w, json_t *resources, struct diag *diag)
{
    for (size_t i = 0; i < sizeof fields_of / sizeof *fields_of; i++) {
        TRY(put_form(w, i, resources, diag));
    }
    TRY(put_persons(w, resources, diag));
    return put_incidents(w, resources, diag);
}
