#include "testing/testing.h"

#include "model/peer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <xgboost/c_api.h>

struct peer {
    DMatrixHandle matrix;
    BoosterHandle booster;
};

static void
good(int rc)
{
    if (rc != 0) {
        print_error("XGBoost: %s\n", XGBGetLastError());
    }
    assert_int_equal(rc, 0);
}

/* splitmix64 (Steele, Lea, Flood 2014), to [0, 1). */
static double
uniform(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (double)((z ^ (z >> 31)) >> 11) / 9007199254740992.0;
}

static float
value(size_t feature, uint64_t *state)
{
    const double u = uniform(state), missing = uniform(state);
    switch (feature) {
    case 0:
        return (float)floor(20 * u);
    case 1:
        return missing < 0.1 ? NAN : (float)u;
    case 2:
        return (float)floor(5 * u);
    default:
        return (float)(4 * u - 2);
    }
}

void
rows_make(struct rows *r, size_t count, size_t features, uint64_t seed)
{
    *r = (struct rows){.count = count, .features = features};
    r->x = calloc(count * features, sizeof *r->x);
    r->y = calloc(count, sizeof *r->y);
    assert_non_null(r->x);
    assert_non_null(r->y);
    for (size_t i = 0; i < count; i++) {
        float *x = r->x + i * features;
        for (size_t k = 0; k < features; k++) {
            x[k] = value(k, &seed);
        }
        const double score = ((int)x[0] % 3 == 1 ? 1.0 : -0.5) + (x[1] > 0.5f ? 1 : -1) +
                             (x[2] < 2 ? 0.5 : 0) + 0.5 * (double)x[features - 1];
        r->y[i] = score + 2 * uniform(&seed) - 1 > 0 ? 1 : 0;
    }
}

void
rows_done(struct rows *r)
{
    free(r->x);
    free(r->y);
    *r = (struct rows){0};
}

static DMatrixHandle
matrix(const struct rows *r, bool categories)
{
    DMatrixHandle m = NULL;
    good(XGDMatrixCreateFromMat(r->x, r->count, r->features, NAN, &m));
    good(XGDMatrixSetFloatInfo(m, "label", r->y, r->count));
    const char *types[64];
    assert_true(r->features <= 64);
    for (size_t i = 0; i < r->features; i++) {
        types[i] = categories && i == 0 ? "c" : "q";
    }
    good(XGDMatrixSetStrFeatureInfo(m, "feature_type", types, r->features));
    return m;
}

/* Ranking wants groups; the others do not mind them. */
static void
set_groups(DMatrixHandle m, size_t count)
{
    const unsigned sizes[2] = {(unsigned)(count / 2), (unsigned)(count - count / 2)};
    good(XGDMatrixSetUIntInfo(m, "group", sizes, 2));
}

struct peer *
peer_train(const struct rows *r, bool categories, unsigned rounds, const char *const parameters[])
{
    struct peer *p = calloc(1, sizeof *p);
    assert_non_null(p);
    p->matrix = matrix(r, categories);
    good(XGBoosterCreate(&p->matrix, 1, &p->booster));
    good(XGBoosterSetParam(p->booster, "nthread", "1"));
    good(XGBoosterSetParam(p->booster, "verbosity", "0"));
    good(XGBoosterSetParam(p->booster, "tree_method", "hist"));
    good(XGBoosterSetParam(p->booster, "max_cat_to_onehot", "4"));
    for (size_t i = 0; parameters[i] != NULL; i += 2) {
        good(XGBoosterSetParam(p->booster, parameters[i], parameters[i + 1]));
        if (strncmp(parameters[i + 1], "rank:", 5) == 0) {
            set_groups(p->matrix, r->count);
        }
    }
    for (unsigned i = 0; i < rounds; i++) {
        good(XGBoosterUpdateOneIter(p->booster, (int)i, p->matrix));
    }
    return p;
}

void
peer_free(struct peer *p)
{
    if (p != NULL) {
        (void)XGBoosterFree(p->booster);
        (void)XGDMatrixFree(p->matrix);
        free(p);
    }
}

void
peer_save(struct peer *p, const char *format, struct buf *ret_bytes)
{
    char config[64];
    bst_ulong n = 0;
    const char *bytes = NULL;
    (void)snprintf(config, sizeof config, "{\"format\": \"%s\"}", format);
    good(XGBoosterSaveModelToBuffer(p->booster, config, &n, &bytes));
    buf_init(ret_bytes, (size_t)1 << 28);
    buf_put(ret_bytes, view_of(bytes, (size_t)n));
    assert_ok(buf_status(ret_bytes));
}

void
peer_predict(struct peer *p, const struct rows *r, bool margin, size_t outputs, float *ret_out)
{
    DMatrixHandle m = NULL;
    good(XGDMatrixCreateFromMat(r->x, r->count, r->features, NAN, &m));
    bst_ulong n = 0;
    const float *out = NULL;
    good(XGBoosterPredict(p->booster, m, margin ? 1 : 0, 0, 0, &n, &out));
    assert_int_equal(n, r->count * outputs);
    memcpy(ret_out, out, n * sizeof *out);
    (void)XGDMatrixFree(m);
}
