#include "serve/usage_routes.h"

#include "base/clock.h"
#include "serve/console_form.h"

#include <stdio.h>
#include <string.h>

#define BUSY_S "5"
#define AGAIN_S "1" /* the next call waits for the answer again */
#define WAIT_NS (20 * NS_PER_S)

/* The parameters of the query, which are the options of `steward usage`. */
static const char *const names[] = {"by", "since", "until", "principal", "model"};
#define NAMES (sizeof names / sizeof *names)

static void
refuse_question(struct call *c, const char *why)
{
    call_refuse(c, 400, why, "a question that is not readable");
}

/* "principal,day" */
static bool
read_by(struct call *c, char *words, bool by[static USAGE_KEYS])
{
    struct diag diag = {0};
    char *rest = words;
    if (*words == '\0') {
        return true;
    }
    while (rest != NULL) {
        const char *word = strsep(&rest, ",");
        if (!status_ok(usage_word(word, &diag, by))) {
            refuse_question(c, diag.text);
            return false;
        }
    }
    return true;
}

static bool
read_question(struct call *c, struct usages_asked *ret_asked)
{
    char by[USAGES_TEXT_MAX], stray[32], why[160];
    const struct view form = view_str(c->x->query);
    char *const values[NAMES] = {by, ret_asked->since, ret_asked->until, ret_asked->principal,
                                 ret_asked->model};
    if (form_stray(form, names, NAMES, stray)) {
        (void)snprintf(why, sizeof why,
                       "there is no parameter \"%s\"; there are by, since, until, principal and "
                       "model",
                       stray);
        refuse_question(c, why);
        return false;
    }
    for (size_t i = 0; i < NAMES; i++) {
        if (!form_field(form, names[i], values[i], USAGES_TEXT_MAX)) {
            (void)snprintf(why, sizeof why,
                           "%s: it stands here once, in at most %u characters of printable ASCII, "
                           "others as %%XX",
                           names[i], USAGES_TEXT_MAX - 1);
            refuse_question(c, why);
            return false;
        }
    }
    return read_by(c, by, ret_asked->by);
}

/* Well before http ends the call, and those who hold its connection. */
static int64_t
wait_until(const struct call *c)
{
    const int64_t half = c->server->options.http.limits.request_ns / 2;
    return c->x->arrived_ns + (half < WAIT_NS ? half : WAIT_NS);
}

/* why: the sentence of STATUS_LIMIT. */
static void
wait_for(struct call *c, struct status s, const char *why)
{
    if (s.code == STATUS_NOT_FOUND) {
        call_refuse(c, 404,
                    "there is no such question; what nobody asks for is forgotten: ask it anew",
                    "no such question");
    } else if (s.code == STATUS_LIMIT) {
        http_set_header(c->x, "retry-after", BUSY_S);
        call_refuse(c, 429, why, why);
    } else if (!status_ok(s)) {
        http_set_header(c->x, "retry-after", BUSY_S);
        call_refuse(c, 503, "as many questions about usage as may wait do so; try again",
                    "too many questions about usage");
    } else {
        call_park(c, SERVER_USAGE_TICKET | c->question);
    }
}

static void
ask(struct call *c, const struct usages_asked *asked)
{
    struct diag diag = {0};
    wait_for(c,
             usages_ask(c->server->usages, asked, c->caller.principal, wait_until(c), &diag,
                        &c->question),
             diag.text);
}

void
usage_inspect(struct call *c)
{
    struct usages_asked asked = {.since = ""};
    if (!c->parked_once && read_question(c, &asked)) {
        ask(c, &asked);
    }
}

static bool
takes_no_parameters(struct call *c)
{
    if (*c->x->query != '\0') {
        refuse_question(c, "this path takes no parameters");
    }
    return !c->decided;
}

void
usage_inspect_quotas(struct call *c)
{
    static const struct usages_asked asked = {.quotas = true};
    if (takes_no_parameters(c) && !c->parked_once) {
        ask(c, &asked);
    }
}

void
usage_inspect_again(struct call *c)
{
    struct diag diag = {0};
    if (takes_no_parameters(c) && !c->parked_once) {
        wait_for(c,
                 usages_ask_again(c->server->usages, c->at.index, c->caller.principal,
                                  wait_until(c), &diag, &c->question),
                 diag.text);
    }
}

/* Whoever asks there later has the right to it then. */
static void
put_question(struct call *c, uint64_t question)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/v2/usage/questions/%llu", (unsigned long long)question);
    http_set_header(c->x, "location", path);
    http_set_header(c->x, "retry-after", AGAIN_S);
    c->x->status = 202;
    buf_printf(&c->x->answer, "{\"question\":\"%s\"}", path);
}

void
usage_act(struct call *c)
{
    struct diag diag = {0};
    uint64_t goes_on = 0;
    const struct status s =
        usages_take(c->server->usages, c->question, &diag, &c->x->answer, &goes_on);
    c->question = 0;
    if (goes_on > 0) {
        put_question(c, goes_on);
    } else if (s.code == STATUS_INPUT) {
        refuse_question(c, diag.text);
    } else if (s.code == STATUS_MEMORY) {
        call_refuse(c, 503, "out of memory; try again", "no memory for the counts");
    } else if (s.code == STATUS_BUSY) {
        http_set_header(c->x, "retry-after", BUSY_S);
        call_refuse(c, 503, "the question is not answered: the server stops, or has too much to do",
                    "the question is not answered");
    } else if (!status_ok(s)) {
        call_refuse(c, 503, "the log cannot be read now: \"steward audit verify\" says where",
                    "the log cannot be read");
    }
}
