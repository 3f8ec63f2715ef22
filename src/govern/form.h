/* form: what a law wants written down, item by item: some is asked of a person, some the workspace
 * knows (docs/spec/records.md). Pure: text in, items out. The forms are forms/ of the source tree.
 */
#ifndef STEWARD_GOVERN_FORM_H
#define STEWARD_GOVERN_FORM_H

#include "base/arena.h"
#include "base/digest.h"
#include "base/json.h"

#define FORM_ANSWER_MAX (16u << 10) /* bytes of one answer */

struct form_item {
    const char *id, *title, *section;
    const char *ask;  /* what a person is asked; NULL: */
    const char *fact; /* what the workspace is asked for */
};

struct form {
    struct arena *arena;
    struct digest digest; /* of its text: answers name the form that they answer */
    const char *name, *title, *law;
    bool of_model; /* about one model; else about the workspace */
    const struct form_item *items;
    size_t count;
};

/* STATUS_INPUT: "FILE line N: ...". */
struct status form_read(struct view yaml, const char *file, struct diag *diag,
                        struct form **ret_form);
void form_free(struct form *f);
DEFINE_FREEP(form_free, struct form)
/* One that comes with the program. STATUS_NOT_FOUND names those there are. */
struct status form_built_in(const char *name, struct diag *diag, struct form **ret_form);
/* A file of answers with every question, for people to fill in: YAML that form_take_answers reads;
 * answers that there are stand in it. answers may be NULL. */
void form_put_template(const struct form *f, const json_t *answers, struct buf *ret_yaml);
/* "form: NAME" and "answers:", a mapping from ids of questions to texts: untrusted, fuzzed.
 * Answers to what is not asked, of another form, or too long: STATUS_INPUT with the line; empty
 * ones are left out. */
struct status form_take_answers(const struct form *f, struct view yaml, const char *file,
                                struct diag *diag, json_t **ret_answers);
/* Questions without an answer. answers may be NULL. */
size_t form_open(const struct form *f, const json_t *answers);

#endif
