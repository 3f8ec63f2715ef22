/* incident: reports of incidents and their clocks; review: what people made of decisions. */
#include "cli/cli.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "govern/incident.h"
#include "workspace/incidents.h"
#include "workspace/reviews.h"

#include <string.h>

const struct cli_option cli_review_add_options[] = {
    {"ground", "GROUND", "override: of one's own accord; contest: the person asked; check: a look",
     "override", CLI_ONCE, "override contest check"},
    {"outcome", "OUTCOME", "kept or changed", NULL, CLI_ONCE, "kept changed"},
    {"decision", "TEXT", "what was decided instead", NULL, CLI_ONCE, NULL},
    {"reviewer", "PERSON", "who looked at it", NULL, CLI_ONCE, NULL},
    {"reason", "TEXT", "why", NULL, CLI_ONCE, NULL},
    {"row", "N", "row N of the call's, the first is 1 (default: all)", "0", CLI_ONCE, NULL},
    {0},
};

const struct cli_option cli_review_list_options[] = {
    {"model", "MODEL", "only of its decisions", NULL, CLI_ONCE, NULL},
    {0},
};

const struct cli_option cli_incident_open_options[] = {
    {"title", "TEXT", "what happened, in a sentence", NULL, CLI_ONCE, NULL},
    {"under", "RULE", "the duty to report: steward incident rules lists them", NULL, CLI_ONCE,
     "gdpr-33 ai-act-73 ai-act-73-death ai-act-73-widespread hipaa-404"},
    {"aware", "TIME", "since when it is known, e.g. 2026-12-31T18:00:00Z (default: now)", NULL,
     CLI_ONCE, NULL},
    {"model", "MODEL", "that it is about", NULL, CLI_ONCE, NULL},
    {0},
};

const struct cli_option cli_incident_reported_options[] = {
    {"at", "TIME", "when, e.g. 2026-12-31T18:00:00Z (default: now)", NULL, CLI_ONCE, NULL},
    {0},
};

const struct cli_option cli_incident_close_options[] = {
    {"unreported", NULL, "it need not be reported; OUTCOME says why", NULL, CLI_ONCE, NULL},
    {0},
};

/* --NAME TIME, or now. */
static struct status
take_time(struct cli *c, const char *name, int64_t *ret_ns)
{
    const char *text = cli_value(c, name);
    *ret_ns = clock_wall_ns();
    if (text != NULL && !status_ok(clock_from_rfc3339(view_str(text), ret_ns))) {
        diag_set(&c->diag, "--%s %.40s: a time in UTC such as 2026-12-31T18:00:00Z", name, text);
        FAIL(INPUT);
    }
    return OK;
}

/* ---- incidents ---- */

/* "2 d 3 h", "45 min". */
static void
put_span(struct buf *b, int64_t s)
{
    s = s < 0 ? -s : s;
    if (s >= 86400) {
        buf_printf(b, "%lld d ", (long long)(s / 86400));
    }
    if (s >= 3600) {
        buf_printf(b, "%lld h", (long long)(s % 86400 / 3600));
    } else {
        buf_printf(b, "%lld min", (long long)(s / 60));
    }
}

static struct status
print_incident(struct cli *c, const json_t *incident)
{
    size_t i;
    json_t *note = NULL;
    if (c->json) {
        return cli_print_json(incident);
    }
    const json_t *clock = json_object_get(incident, "clock");
    const char *state = json_string_value(json_object_get(clock, "state"));
    const int64_t left_s = json_integer_value(json_object_get(clock, "left_s"));
    DEFER(buf_done) struct buf span;
    buf_init(&span, 64);
    put_span(&span, left_s);
    cli_say("incident %s: %s", json_string_value(json_object_get(incident, "name")),
            json_string_value(json_object_get(incident, "title")));
    cli_say("  %s; known since %s", json_string_value(json_object_get(incident, "law")),
            json_string_value(json_object_get(incident, "aware")));
    cli_say("  due %s: %s%s%s%s", json_string_value(json_object_get(clock, "due")), state,
            strcmp(state, "need not be reported") == 0 ? "" : ", ",
            strcmp(state, "need not be reported") == 0 ? "" : buf_str(&span),
            strcmp(state, "need not be reported") == 0 ? ""
            : left_s < 0                               ? " too late"
                                                       : " left");
    json_array_foreach(json_object_get(incident, "notes"), i, note)
    {
        cli_say("  %s  %s", json_string_value(json_object_get(note, "time")),
                json_string_value(json_object_get(note, "text")));
    }
    const char *outcome = json_string_value(json_object_get(incident, "outcome"));
    if (outcome != NULL) {
        cli_say("  closed: %s", outcome);
    }
    return OK;
}

struct status
cli_incident_open(struct cli *c)
{
    struct incident_start start = {.name = c->operand[0], .model = cli_value(c, "model")};
    DEFER(workspace_closep) struct workspace *w = NULL;
    DEFER(js_freep) json_t *incident = NULL;
    TRY(cli_need(c, "title", "TEXT", &start.title));
    TRY(cli_need(c, "under", "RULE", &start.rule));
    TRY(take_time(c, "aware", &start.aware_ns));
    TRY(cli_open(c, &w));
    TRY(incident_open(w, &start, &c->diag, &incident));
    return print_incident(c, incident);
}

struct status
cli_incident_note(struct cli *c)
{
    DEFER(workspace_closep) struct workspace *w = NULL;
    DEFER(js_freep) json_t *incident = NULL;
    TRY(cli_open(c, &w));
    TRY(incident_note(w, c->operand[0], c->operand[1], &c->diag, &incident));
    return print_incident(c, incident);
}

struct status
cli_incident_reported(struct cli *c)
{
    int64_t at_ns = 0;
    DEFER(workspace_closep) struct workspace *w = NULL;
    DEFER(js_freep) json_t *incident = NULL;
    TRY(take_time(c, "at", &at_ns));
    TRY(cli_open(c, &w));
    TRY(incident_reported(w, c->operand[0], at_ns, c->operand[1], &c->diag, &incident));
    return print_incident(c, incident);
}

struct status
cli_incident_close(struct cli *c)
{
    DEFER(workspace_closep) struct workspace *w = NULL;
    DEFER(js_freep) json_t *incident = NULL;
    TRY(cli_open(c, &w));
    TRY(incident_close(w, c->operand[0], c->operand[1], cli_flag(c, "unreported"), &c->diag,
                       &incident));
    return print_incident(c, incident);
}

struct status
cli_incident_show(struct cli *c)
{
    DEFER(workspace_closep) struct workspace *w = NULL;
    DEFER(js_freep) json_t *incident = NULL;
    TRY(cli_open(c, &w));
    TRY(incident_get(w, c->operand[0], &c->diag, &incident));
    return print_incident(c, incident);
}

/* One that is overdue is told by the exit code, so that a timer can ring. */
struct status
cli_incident_list(struct cli *c)
{
    size_t i;
    json_t *o = NULL;
    DEFER(buf_done) struct buf text;
    DEFER(workspace_closep) struct workspace *w = NULL;
    DEFER(js_freep) json_t *list = NULL;
    buf_init(&text, 64u << 20);
    TRY(cli_open(c, &w));
    TRY(incident_list(w, &c->diag, &list));
    json_array_foreach(list, i, o)
    {
        const json_t *clock = json_object_get(o, "clock");
        const char *state = json_string_value(json_object_get(clock, "state"));
        c->exit_code = strcmp(state, "overdue") == 0 ? CLI_EXIT_NO : c->exit_code;
        if (!c->json) {
            TRY(js_set(o, "due", json_copy(json_object_get(clock, "due"))));
            TRY(js_set(o, "state", json_string(state)));
        }
    }
    TRY(js_put(&text, list));
    return cli_print_list(c, buf_view(&text),
                          "name:NAME rule:UNDER state:STATE due:DUE title:TITLE");
}

struct status
cli_incident_rules(struct cli *c)
{
    size_t n = 0;
    const struct incident_rule *rules = incident_rules(&n);
    DEFER(js_freep) json_t *list = json_array();
    CHECK(list != NULL, MEMORY);
    for (size_t i = 0; i < n; i++) {
        if (!c->json) {
            cli_say("%s: %s; %s", rules[i].name, rules[i].law, rules[i].about);
        }
        json_t *o =
            json_pack("{s:s, s:s, s:s, s:I}", "rule", rules[i].name, "law", rules[i].law, "about",
                      rules[i].about, "within_s", (json_int_t)(rules[i].within_ns / NS_PER_S));
        CHECK(json_array_append_new(list, o) == 0, MEMORY);
    }
    return c->json ? cli_print_json(list) : OK;
}

/* ---- reviews ---- */

struct status
cli_review_add(struct cli *c)
{
    struct review r = {.ground = cli_value(c, "ground"),
                       .reviewer = cli_value(c, "reviewer"),
                       .reason = cli_value(c, "reason"),
                       .decision = cli_value(c, "decision")};
    DEFER(workspace_closep) struct workspace *w = NULL;
    DEFER(js_freep) json_t *review = NULL;
    TRY(cli_need(c, "outcome", "kept|changed", &r.outcome));
    TRY(cli_need(c, "reviewer", "PERSON", &r.reviewer));
    TRY(cli_need(c, "reason", "TEXT", &r.reason));
    TRY(cli_u64(c, "row", &r.row));
    if (!status_ok(text_to_u64(view_str(c->operand[0]), &r.entry))) {
        diag_set(&c->diag, "%.40s: the number of an entry of the log, as the call's answer has it",
                 c->operand[0]);
        FAIL(INPUT);
    }
    TRY(cli_open(c, &w));
    TRY(review_add(w, &r, &c->diag, &review));
    if (c->json) {
        return cli_print_json(review);
    }
    cli_say("review of entry %llu kept: %s, %s", (unsigned long long)r.entry, r.ground, r.outcome);
    return OK;
}

struct status
cli_review_list(struct cli *c)
{
    DEFER(buf_done) struct buf text;
    DEFER(workspace_closep) struct workspace *w = NULL;
    DEFER(js_freep) json_t *list = NULL;
    buf_init(&text, 64u << 20);
    TRY(cli_open(c, &w));
    TRY(review_list(w, cli_value(c, "model"), &list));
    TRY(js_put(&text, list));
    return cli_print_list(c, buf_view(&text),
                          "entry:ENTRY resource:MODEL ground:GROUND outcome:OUTCOME "
                          "reviewer:REVIEWER time:TIME");
}
