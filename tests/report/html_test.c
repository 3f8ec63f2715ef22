#include "testing/testing.h"

#include "report/html.h"
#include "report/sample.h"

#include <stdlib.h>
#include <string.h>

static void
draw(const json_t *document, struct buf *html)
{
    struct diag diag = {0};
    buf_init(html, HTML_MAX_BYTES);
    assert_ok(html_report(document, &diag, html));
}

static void
make_report(const struct sample_names *names, size_t rows, struct buf *html)
{
    DEFER(sample_done) struct sample s;
    sample_make(names, rows, &s);
    DEFER(js_freep) json_t *d = sample_assess(&s);
    draw(d, html);
}

static void
assert_lacks(const struct buf *html, const char *text)
{
    const char *at = strstr(buf_str(html), text);
    if (at != NULL) {
        const size_t before = (size_t)(at - buf_str(html)) < 60 ? 0 : 60;
        fail_msg("the report holds \"%s\": %.120s", text, at - before);
    }
}

/* ---- a strict reader of the little HTML that the report uses ---- */

#define DEEPEST 32

static bool
is_one_of(const char *word, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (strcmp(word, *words) == 0) {
            return true;
        }
    }
    return false;
}

static const char *const tags[] = {
    "html",    "head", "meta", "title", "style",  "body", "main",   "header",  "h1",
    "h2",      "h3",   "h4",   "div",   "span",   "b",    "p",      "ol",      "li",
    "section", "code", "br",   "dl",    "dt",     "dd",   "table",  "thead",   "tbody",
    "tr",      "th",   "td",   "a",     "nav",    "ul",   "footer", "details", "summary",
    "svg",     "text", "rect", "line",  "circle", "path", "g",      NULL};
static const char *const attributes[] = {"lang",        "charset",
                                         "name",        "content",
                                         "http-equiv",  "class",
                                         "style",       "viewBox",
                                         "role",        "x",
                                         "y",           "x1",
                                         "y1",          "x2",
                                         "y2",          "cx",
                                         "cy",          "r",
                                         "width",       "height",
                                         "rx",          "fill-opacity",
                                         "text-anchor", "transform",
                                         "d",           "href",
                                         "id",          "tabindex",
                                         "aria-label",  "aria-labelledby",
                                         "open",        NULL};

/* One word of letters, digits and '-'. */
static const char *
read_word(const char *at, char word[static 32])
{
    size_t n = 0;
    while (n < 31 && (strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-",
                             *at) != NULL &&
                      *at != '\0')) {
        word[n++] = *at++;
    }
    word[n] = '\0';
    return at;
}

/* After the tag's name; returns what follows '>'. */
static const char *
read_attributes(const char *at, bool *ret_closed)
{
    char word[32];
    *ret_closed = false;
    while (*at == ' ') {
        at = read_word(at + 1, word);
        if (!is_one_of(word, attributes)) {
            fail_msg("an attribute \"%s\" near: %.60s", word, at);
        }
        assert_true(at[0] == '=' && at[1] == '"');
        at = strchr(at + 2, '"');
        assert_non_null(at);
        at++;
    }
    if (*at == '/') {
        *ret_closed = true;
        at++;
    }
    assert_true(*at == '>');
    return at + 1;
}

struct stack {
    char open[DEEPEST][32];
    size_t depth;
};

static const char *
read_tag(const char *at, struct stack *s)
{
    static const char *const alone[] = {"meta", "br", NULL};
    char word[32];
    bool closed = false;
    if (at[1] == '/') {
        at = read_word(at + 2, word);
        assert_true(*at == '>' && s->depth > 0);
        assert_string_equal(s->open[s->depth - 1], word);
        s->depth--;
        return at + 1;
    }
    at = read_word(at + 1, word);
    if (!is_one_of(word, tags)) {
        fail_msg("a tag \"%s\" near: %.60s", word, at);
    }
    at = read_attributes(at, &closed);
    if (!closed && !is_one_of(word, alone)) {
        assert_true(s->depth < DEEPEST);
        (void)strcpy(s->open[s->depth++], word);
    }
    return at;
}

/* Every '<' opens or closes a tag of the list, with attributes of the list, and all close. */
static void
check_well_formed(const struct buf *html)
{
    static const char head[] = "<!doctype html>";
    struct stack s = {.depth = 0};
    const char *at = buf_str(html);
    assert_int_equal(strncmp(at, head, sizeof head - 1), 0);
    for (at += sizeof head - 1; *at != '\0';) {
        at = *at == '<' ? read_tag(at, &s) : at + 1;
    }
    assert_int_equal(s.depth, 0);
}

/* ---- misuse and hostile names ---- */

static void
refuses_what_is_no_assessment_of_this_version(void **state)
{
    (void)state;
    struct diag diag = {0};
    DEFER(buf_done) struct buf html;
    DEFER(js_freep) json_t *d = json_pack("{s:s}", "format", "steward-assessment-9");
    buf_init(&html, HTML_MAX_BYTES);
    assert_status(html_report(d, &diag, &html), INPUT);
    assert_says(&diag, "its \"format\" is \"steward-assessment-9\", not \"steward-assessment-3\"");
    assert_says(&diag, "assess again");
    assert_int_equal(html.len, 0);
    DEFER(js_freep) json_t *other = json_pack("{s:s}", "format", "steward-bias-1");
    assert_status(html_report(other, &diag, &html), INPUT);
    assert_says(&diag, "not an assessment document");
}

static void
an_assessment_of_version_1_is_refused_with_what_to_do(void **state)
{
    (void)state;
    struct diag diag = {0};
    DEFER(buf_done) struct buf html;
    DEFER(js_freep)
    json_t *d = json_pack("{s:s, s:[]}", "format", "steward-assessment-1", "fairness");
    buf_init(&html, HTML_MAX_BYTES);
    assert_status(html_report(d, &diag, &html), INPUT);
    assert_says(&diag, "of another version of Steward: its \"format\" is \"steward-assessment-1\"");
    assert_says(&diag, "assess again to draw a report");
}

static void
a_document_of_nothing_but_its_format_makes_a_page(void **state)
{
    (void)state;
    DEFER(buf_done) struct buf html;
    DEFER(js_freep) json_t *d = json_pack("{s:s}", "format", "steward-assessment-3");
    draw(d, &html);
    check_well_formed(&html);
}

static const char *
two_hundred_letters(void)
{
    static char text[401];
    for (size_t i = 0; i < 200; i++) {
        memcpy(text + 2 * i, "\xc3\xa4", 2);
    }
    return text;
}

static void
hostile_names_stay_text(void **state)
{
    (void)state;
    struct sample_names n = sample_plain;
    DEFER(buf_done) struct buf html;
    n.feature[0] = "<script>alert(1)</script>";
    n.feature[1] = "\" onload=\"alert(2)";
    n.feature[2] = two_hundred_letters();
    n.feature[3] = "\xe2\x80\xae"
                   "drow eht nrut"
                   "\xe2\x80\xac"; /* RLO ... PDF */
    n.purpose[2] = "</title></svg><img src=x onerror=alert(3)>";
    n.insured[1] = "\x1b[2J\x07";
    n.factor[0] = "</style><style>*{display:none}";
    n.group[1] = "\xd7\xa9\xd7\x97\xd7\x95\xd7\xa8 & \xd7\x9c\xd7\x91\xd7\x9f";
    n.sex[0] = "'; javascript:alert(4)//";
    n.label = "<!--";
    n.positive = "-->";
    n.negative = "&lt;";
    n.model = "<h1>";
    n.dataset = "]]>";
    make_report(&n, 900, &html);
    check_well_formed(&html);
    assert_lacks(&html, "<script");
    assert_lacks(&html, "<img");
    assert_lacks(&html, "<!--");
    assert_lacks(&html, "</style><style>");
    assert_lacks(&html, "\xe2\x80\xae");
    assert_lacks(&html, "\x1b");
    assert_text_has(buf_str(&html), "&lt;script&gt;alert(1)&lt;/script&gt;");
    assert_text_has(buf_str(&html), "&amp;lt;");
    assert_text_has(buf_str(&html), "\xd7\xa9\xd7\x97\xd7\x95\xd7\xa8 &amp; ");
    assert_text_has(buf_str(&html), "\xef\xbf\xbd"
                                    "drow eht nrut"
                                    "\xef\xbf\xbd");
}

/* ---- what the file is ---- */

static void
makes_no_request_and_runs_nothing(void **state)
{
    (void)state;
    DEFER(buf_done) struct buf html;
    static const char *const never[] = {"http:",   "https:",  "//",        "src=",    "url(",
                                        "@import", "<script", "<link",     "<iframe", "<object",
                                        "<img",    "onclick", "javascript"};
    make_report(&sample_plain, 900, &html);
    check_well_formed(&html);
    for (size_t i = 0; i < sizeof never / sizeof *never; i++) {
        assert_lacks(&html, never[i]);
    }
    assert_text_has(buf_str(&html),
                    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
                    "style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\">");
}

static void
its_size_does_not_grow_with_the_rows(void **state)
{
    (void)state;
    DEFER(buf_done) struct buf few;
    DEFER(buf_done) struct buf many;
    make_report(&sample_plain, 2000, &few);
    make_report(&sample_plain, 40000, &many);
    assert_true(few.len > 30000 && many.len < few.len + few.len / 10);
    assert_true(many.len < 256 * 1024);
}

/* ---- for keyboard and screen reader ---- */

/* The value of the attribute that `at` stands before. */
static size_t
value_at(const char *at, char value[static 64])
{
    const char *begin = strchr(at, '"') + 1, *end = strchr(begin, '"');
    assert_true(end - begin < 64);
    (void)snprintf(value, 64, "%.*s", (int)(end - begin), begin);
    return (size_t)(end - at);
}

/* Every link leads to one place in the page; no place has two. */
static void
links_lead_to_places_in_the_page(void **state)
{
    (void)state;
    DEFER(buf_done) struct buf html;
    make_report(&sample_plain, 900, &html);
    size_t links = 0, places = 0;
    char value[64], id[80];
    for (const char *at = strstr(buf_str(&html), "href="); at != NULL;
         at = strstr(at + 1, "href=")) {
        (void)value_at(at, value);
        assert_true(value[0] == '#');
        (void)snprintf(id, sizeof id, " id=\"%s\"", value + 1);
        assert_text_has(buf_str(&html), id);
        links++;
    }
    for (const char *at = strstr(buf_str(&html), " id="); at != NULL; at = strstr(at + 1, " id=")) {
        (void)value_at(at, value);
        (void)snprintf(id, sizeof id, " id=\"%s\"", value);
        assert_null(strstr(at + 1, id));
        places++;
    }
    assert_true(links >= 8 && places >= 8);
}

static size_t
count_of(const struct buf *html, const char *text)
{
    size_t n = 0;
    for (const char *at = strstr(buf_str(html), text); at != NULL; at = strstr(at + 1, text)) {
        n++;
    }
    return n;
}

static void
has_landmarks_and_headings_that_skip_no_level(void **state)
{
    (void)state;
    DEFER(buf_done) struct buf html;
    make_report(&sample_plain, 900, &html);
    static const char *const once[] = {"<main ", "<nav ", "<header>", "<footer", "<h1>"};
    for (size_t i = 0; i < sizeof once / sizeof *once; i++) {
        assert_int_equal(count_of(&html, once[i]), 1);
    }
    int level = 0;
    for (const char *at = strstr(buf_str(&html), "<h"); at != NULL; at = strstr(at + 1, "<h")) {
        if (at[2] >= '1' && at[2] <= '6') {
            assert_true(at[2] - '0' <= level + 1);
            level = at[2] - '0';
        }
    }
    assert_true(level > 0);
    /* Sections have names, charts have titles, and what the numbers mean is there. */
    assert_int_equal(count_of(&html, "<section "), count_of(&html, "aria-labelledby="));
    assert_int_equal(count_of(&html, "<section>"), 0);
    assert_true(count_of(&html, "<svg ") >= 10);
    assert_true(count_of(&html, "What the numbers mean") >= 4);
}

static void
is_drawn_from_the_document_alone(void **state)
{
    (void)state;
    DEFER(sample_done) struct sample s;
    DEFER(buf_done) struct buf text;
    DEFER(buf_done) struct buf html;
    DEFER(buf_done) struct buf again;
    DEFER(js_freep) json_t *read = NULL;
    struct diag diag = {0};
    sample_make(&sample_plain, 900, &s);
    DEFER(js_freep) json_t *d = sample_assess(&s);
    buf_init(&text, 1u << 24);
    assert_ok(js_put(&text, d));
    assert_ok(js_parse(buf_view(&text), "document", &diag, &read));
    draw(d, &html);
    draw(read, &again);
    assert_true(view_equal(buf_view(&html), buf_view(&again)));
}

/* ---- what it says ---- */

static void
says_whom_it_refuses_more_often_and_by_how_much(void **state)
{
    (void)state;
    DEFER(sample_done) struct sample s;
    DEFER(buf_done) struct buf html;
    sample_make(&sample_plain, 3000, &s);
    DEFER(js_freep) json_t *d = sample_assess(&s);
    draw(d, &html);
    const json_t *groupings = json_object_get(json_object_get(d, "fairness"), "groupings");
    const json_t *gap =
        json_object_get(json_object_get(json_array_get(groupings, 0), "gaps"), "selection_rate");
    assert_string_equal(json_string_value(json_object_get(gap, "high")), "b");
    const char *sentence = json_string_value(json_object_get(gap, "sentence"));
    assert_text_has(sentence, " times as often for origin = b as for origin = a (");
    assert_text_has(buf_str(&html), " times as often for origin\xc2\xa0=\xc2\xa0"
                                    "b as for origin\xc2\xa0=\xc2\xa0"
                                    "a (");
    assert_text_has(buf_str(&html), "origin\xc2\xa0=\xc2\xa0"
                                    "b: predicted so ");
    assert_text_has(buf_str(&html), ", few");
    assert_lacks(&html, "nan");
    assert_lacks(&html, ">inf");
}

static void
names_the_row_the_features_and_the_worst_slice(void **state)
{
    (void)state;
    DEFER(sample_done) struct sample s;
    DEFER(buf_done) struct buf html;
    sample_make(&sample_plain, 3000, &s);
    DEFER(js_freep) json_t *d = sample_assess(&s);
    draw(d, &html);
    char text[128];
    const json_t *example = json_object_get(d, "example");
    (void)snprintf(text, sizeof text, "One decision: row %lld<",
                   (long long)json_integer_value(json_object_get(example, "row")));
    assert_text_has(buf_str(&html), text);
    assert_text_has(buf_str(&html), "<b>history, income, ");
    assert_text_has(buf_str(&html), "It fails most where ");
    assert_text_has(buf_str(&html), "purpose: other");
    assert_text_has(buf_str(&html), "<code>");
}

static void
many_groups_are_cut_and_counted(void **state)
{
    (void)state;
    static const char *names[60];
    static char text[60][8];
    DEFER(sample_done) struct sample s;
    DEFER(buf_done) struct buf html;
    sample_make(&sample_plain, 3000, &s);
    for (int i = 0; i < 60; i++) {
        (void)snprintf(text[i], sizeof text[i], "g%02d", i);
        names[i] = text[i];
    }
    for (size_t i = 0; i < 3000; i++) {
        s.code[0][i] = (int32_t)(i < 600 ? i % 60 : 36 + i % 24); /* the last 24 are larger */
    }
    s.factors[0].levels = names;
    s.factors[0].level_count = 60;
    DEFER(js_freep) json_t *d = sample_assess(&s);
    draw(d, &html);
    check_well_formed(&html);
    assert_text_has(buf_str(&html), "The 24 largest of 60 groups.");
    assert_text_has(buf_str(&html), ">g59<");
    assert_lacks(&html, ">g35<");
}

/* ---- several classes, and numbers ---- */

static void
the_page_of_classes_and_the_page_of_numbers_are_well_formed(void **state)
{
    (void)state;
    DEFER(sample_done) struct sample classes;
    DEFER(sample_done) struct sample numbers;
    DEFER(buf_done) struct buf first;
    DEFER(buf_done) struct buf second;
    sample_classes(900, &classes);
    sample_numbers(900, &numbers);
    DEFER(js_freep) json_t *several = sample_assess(&classes);
    DEFER(js_freep) json_t *value = sample_assess(&numbers);
    draw(several, &first);
    draw(value, &second);
    check_well_formed(&first);
    check_well_formed(&second);
    assert_int_equal(count_of(&first, "<summary>Output "), 3);
    assert_int_equal(count_of(&first, " against the others: ranking and calibration"), 3);
    assert_int_equal(count_of(&first, "Calibration of the answer"), 1);
    assert_int_equal(count_of(&second, "Truth by prediction"), 1);
    assert_int_equal(count_of(&second, "<summary>Output "), 0);
    for (size_t i = 0; i < 2; i++) {
        const struct buf *html = i == 0 ? &first : &second;
        assert_lacks(html, "nan");
        assert_lacks(html, ">inf<");
        assert_lacks(html, "decided positive");
        assert_true(count_of(html, "What the numbers mean") >= 4);
    }
}

int
main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(refuses_what_is_no_assessment_of_this_version),
        cmocka_unit_test(an_assessment_of_version_1_is_refused_with_what_to_do),
        cmocka_unit_test(a_document_of_nothing_but_its_format_makes_a_page),
        cmocka_unit_test(hostile_names_stay_text),
        cmocka_unit_test(makes_no_request_and_runs_nothing),
        cmocka_unit_test(its_size_does_not_grow_with_the_rows),
        cmocka_unit_test(links_lead_to_places_in_the_page),
        cmocka_unit_test(has_landmarks_and_headings_that_skip_no_level),
        cmocka_unit_test(is_drawn_from_the_document_alone),
        cmocka_unit_test(says_whom_it_refuses_more_often_and_by_how_much),
        cmocka_unit_test(names_the_row_the_features_and_the_worst_slice),
        cmocka_unit_test(many_groups_are_cut_and_counted),
        cmocka_unit_test(the_page_of_classes_and_the_page_of_numbers_are_well_formed),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
