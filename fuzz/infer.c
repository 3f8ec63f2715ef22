/* The body of an infer call: parsed for a model of four features, for one that decides by group
 * besides, and for one behind a correlation remover; what is accepted is answered. */
#include "serve/infer.h"

#include "base/json.h"

#include <math.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char north[] = "north", south[] = "south", no[] = "no", yes[] = "yes";
static char age[] = "age", income[] = "income", region[] = "region", owner[] = "owner";
static char *regions[] = {north, south}, *truths[] = {no, yes};
static struct feature features[] = {{age, COLUMN_INTEGER, NULL, 0},
                                    {income, COLUMN_FLOAT, NULL, 0},
                                    {region, COLUMN_CATEGORY, regions, 2},
                                    {owner, COLUMN_BOOLEAN, truths, 2}};

static char sex[] = "sex", f[] = "f", m[] = "m";
static char *sexes[] = {f, m};
static struct feature group = {sex, COLUMN_CATEGORY, sexes, 2};
static double at[] = {0, 1};

static char height[] = "height";
static struct feature beside[] = {{sex, COLUMN_CATEGORY, sexes, 2},
                                  {height, COLUMN_FLOAT, NULL, 0}};
static uint32_t changed[] = {0, 1};
static double means[] = {0.5, 170}, weights[] = {2, -1, 3e38, 0.25};

/* What a forest may be given: missing, or a number of the feature's kind. */
static void
check_matrix(const struct infer_request *q)
{
    for (size_t i = 0; i < q->rows * 4; i++) {
        const struct feature *of = &features[i % 4];
        const float v = q->x[i];
        ASSERT(isnan(v) || isfinite(v));
        ASSERT(isnan(v) || of->level_count == 0 ||
               (v >= 0 && v < (float)of->level_count && v == floorf(v)));
    }
    for (size_t i = 0; q->group != NULL && i < q->rows; i++) {
        ASSERT(isnan(q->group[i]) || q->group[i] == 0 || q->group[i] == 1);
    }
}

static void
run(const struct model *model, const uint8_t *data, size_t size)
{
    enum { ROWS = 64 };
    static const double out[ROWS];
    DEFER(arena_freep) struct arena *arena = arena_new(1 << 16);
    DEFER(buf_done) struct buf answer;
    struct infer_request q = {0};
    struct diag diag = {0};
    buf_init(&answer, 1 << 20);
    ASSERT(arena != NULL);
    const char *rule = NULL;
    const struct status s = infer_parse(view_of(data, size), model, ROWS, arena, &diag, &rule, &q);
    if (!status_ok(s)) {
        ASSERT(s.code == STATUS_INPUT || s.code == STATUS_LIMIT);
        ASSERT(s.code == STATUS_LIMIT || diag.text[0] != '\0');
        return;
    }
    ASSERT(q.rows > 0 && q.rows <= ROWS && q.x != NULL);
    ASSERT((q.group != NULL) == (model_group(model) != NULL));
    check_matrix(&q);
    infer_put_answer(model, &q, out, &answer);
    DEFER(js_freep) json_t *o = NULL;
    ASSERT(status_ok(js_parse(buf_view(&answer), NULL, NULL, &o)));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct forest forest = {.has_cover = true};
    static struct model_file file = {.outputs = 1, .link = FOREST_LOGISTIC, .forest = &forest};
    static const struct model plain = {.name = "loans",
                                       .version = 1,
                                       .features = {features, 4},
                                       .file = &file,
                                       .positive = yes,
                                       .negative = no};
    static const struct model by_group = {.name = "loans",
                                          .version = 2,
                                          .features = {features, 4},
                                          .file = &file,
                                          .threshold = 0.5,
                                          .thresholds = {{&group, 1}, at},
                                          .positive = yes,
                                          .negative = no};
    run(&plain, data, size);
    static const struct model behind = {.name = "loans",
                                        .version = 3,
                                        .features = {features, 4},
                                        .file = &file,
                                        .remover = {.by = {beside, 2},
                                                    .alpha = 1,
                                                    .mean = means,
                                                    .terms = 2,
                                                    .feature = changed,
                                                    .features = 2,
                                                    .w = weights},
                                        .threshold = 0.5,
                                        .thresholds = {{&group, 1}, at},
                                        .positive = yes,
                                        .negative = no};
    static struct thresholds_chances chances[] = {{0.25, 0.5, {0, 0.5, 1}}, {0, 1, {0.5, 0.5, 1}}};
    static const struct model draws = {.name = "loans",
                                       .version = 4,
                                       .features = {features, 4},
                                       .file = &file,
                                       .threshold = 0.5,
                                       .thresholds = {.by = {&group, 1}, .drawn = chances},
                                       .positive = yes,
                                       .negative = no};
    run(&by_group, data, size);
    run(&behind, data, size);
    run(&draws, data, size);
    return 0;
}
