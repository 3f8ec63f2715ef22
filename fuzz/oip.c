/* What an endpoint of the Open Inference Protocol answers: the first byte says whether the rest is
 * its metadata or an answer about two rows; what is accepted has every number. */
#include "net/oip_body.h"

#include <math.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const levels[] = {"no", "yes"};
static const struct oip_column columns[] = {{"a", NULL, 0, false}, {"b", levels, 2, true}};

static void
try_metadata(struct view json)
{
    DEFER(oip_metadata_done) struct oip_metadata m = {0};
    DEFER(buf_done) struct buf request;
    const double rows[] = {1, 0, (double)NAN, 1};
    struct oip_binding b;
    struct diag diag = {0};
    buf_init(&request, 1 << 20);
    if (!status_ok(oip_metadata_parse(json, &diag, &m))) {
        ASSERT(diag.text[0] != '\0' && m.input == NULL);
        return;
    }
    ASSERT(m.inputs > 0 && m.outputs > 0);
    for (size_t n = 1; n <= 2; n++) {
        if (status_ok(oip_bind(&m, columns, n, NULL, &diag, &b))) {
            (void)status_ok(oip_put_request(&b, rows, 2, &diag, &request));
        }
    }
}

static void
try_answer(struct view json)
{
    static char name[] = "p";
    static struct oip_tensor output = {.name = name, .datatype = "FP64", .rank = 1, .shape = {-1}};
    static const struct oip_metadata m = {.output = &output, .outputs = 1};
    struct oip_binding b = {.metadata = &m, .column = columns, .columns = 2};
    struct diag diag = {0};
    char text[200];
    oip_error_text(json, text);
    ASSERT(strlen(text) < sizeof text);
    if (!status_ok(oip_answer_width(&b, json, 2, &diag, &b.width))) {
        ASSERT(diag.text[0] != '\0');
        return;
    }
    ASSERT(b.width >= 1 && b.width <= OIP_MOST_OUTPUTS);
    double score[2 * OIP_MOST_OUTPUTS + 1];
    score[2 * b.width] = 12345;
    if (status_ok(oip_answer_parse(&b, json, 2, &diag, score))) {
        for (size_t i = 0; i < 2 * b.width; i++) {
            ASSERT(isfinite(score[i]));
        }
    }
    ASSERT(score[2 * b.width] == 12345);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 0 && data[0] == 'm') {
        try_metadata(view_of(data + 1, size - 1));
    } else if (size > 0) {
        try_answer(view_of(data + 1, size - 1));
    }
    return 0;
}
