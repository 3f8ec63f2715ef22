/* Names of categories in XGBoost's files (data/xgboost-3.2.0-categories.json): JSON and UBJSON, and
 * encodings that are not what they say. */
#include "testing/testing.h"

#include "base/file.h"
#include "base/text.h"
#include "model/model_file.h"

#include <stdio.h>

static json_t *pinned;

static int
load(void **state)
{
    (void)state;
    DEFER(file_freep)
    char *path = testing_source("tests/model/data/xgboost-3.2.0-categories.json");
    pinned = testing_read_json(path);
    return 0;
}

static int
unload(void **state)
{
    (void)state;
    js_freep(&pinned);
    return 0;
}

static const char *
text(void)
{
    return json_string_value(json_object_get(pinned, "json"));
}

/* The file with the first `from` after "cats" replaced by `to` must be refused with these words. */
static void
refused(const char *from, const char *to, const char *part)
{
    const char *cats = strstr(text(), "\"cats\""), *at = strstr(cats, from);
    DEFER(buf_done) struct buf b;
    struct model_file *m = NULL;
    struct diag diag = {0};
    assert_non_null(at);
    buf_init(&b, 1u << 20);
    buf_put(&b, view_of(text(), (size_t)(at - text())));
    buf_put_str(&b, to);
    buf_put_str(&b, at + strlen(from));
    const struct status s = model_file_load(buf_view(&b), &diag, &m);
    if (s.code != STATUS_INPUT || strstr(diag.text, part) == NULL) {
        print_error("%s -> %s: %s\n", from, to, diag.text);
    }
    assert_int_equal(s.code, STATUS_INPUT);
    assert_says(&diag, part);
    assert_null(m);
}

static void
refuses_encodings_that_are_not_what_they_say(void **state)
{
    (void)state;
    refused("\"offsets\":[0,4", "\"offsets\":[1,4", "\"offsets\" must ascend from 0");
    refused("\"offsets\":[0,4,8", "\"offsets\":[0,4,3", "\"offsets\" must ascend from 0");
    refused("\"offsets\":[0,4", "\"offsets\":[0,400", "within \"values\"");
    refused("\"offsets\":[0,4", "\"offsets\":[0,0.5", "\"offsets\" must ascend from 0");
    refused("\"offsets\":[0,4,8,8]", "\"offsets\":3", "must be an object with \"values\"");
    refused("\"values\":[30", "\"values\":[\"x\"", "neither text nor whole number");
    refused("\"values\":[30,7,10]", "\"value\":[]", "must be an object with \"values\"");
    refused("\"values\":[66", "\"values\":[300", "a value is no byte");
    refused("{\"type\":15,\"values\":[30,7,10]},", "", "must have 4 encodings");
    refused("{\"type\":15,\"values\":[30,7,10]}", "7", "must be an object");
}

/* "Köln" is past ASCII: its feature's names are not told. */
static void
has_the_names(const struct model_file *m)
{
    static const char *const sizes[] = {"30", "7", "10"}, *const colours[] = {"red", "blue", ""};
    assert_non_null(m->levels);
    assert_int_equal(m->levels[0].count, 3);
    assert_int_equal(m->levels[1].count, 0);
    assert_int_equal(m->levels[2].count, 3);
    assert_int_equal(m->levels[3].count, 0);
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(m->levels[0].names[i], sizes[i]);
        assert_string_equal(m->levels[2].names[i], colours[i]);
    }
}

static void
names_are_read_from_both_formats(void **state)
{
    (void)state;
    DEFER(model_file_freep) struct model_file *json = NULL;
    DEFER(model_file_freep) struct model_file *ubj = NULL;
    DEFER(buf_done) struct buf bytes;
    struct diag diag = {0};
    buf_init(&bytes, 1u << 20);
    assert_ok(text_from_hex(view_str(json_string_value(json_object_get(pinned, "ubj"))), &bytes));
    assert_ok(model_file_load(view_str(text()), &diag, &json));
    assert_ok(model_file_load(buf_view(&bytes), &diag, &ubj));
    has_the_names(json);
    has_the_names(ubj);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_encodings_that_are_not_what_they_say),
        cmocka_unit_test(names_are_read_from_both_formats),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
