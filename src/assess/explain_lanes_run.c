/* The kernels of lanes: floats and doubles, with AVX2 and in whatever vectors the target has. */
#include "assess/explain_lanes_parts.h"

typedef float vector_f __attribute__((vector_size(LANES_VECTOR), may_alias));
typedef int32_t bits_f __attribute__((vector_size(LANES_VECTOR)));
typedef double vector_d __attribute__((vector_size(LANES_VECTOR), may_alias));
typedef int64_t bits_d __attribute__((vector_size(LANES_VECTOR)));

#define REAL float
#define VECTOR vector_f
#define BITS bits_f
#define NAME(X) X##_float
#define TARGET
#define CONSTANTS narrow
#include "assess/explain_lanes_kernel.inc"

#define REAL double
#define VECTOR vector_d
#define BITS bits_d
#define NAME(X) X##_double
#define TARGET
#define CONSTANTS wide
#define WITH_PAIRS
#include "assess/explain_lanes_kernel.inc"

#ifdef __x86_64__
#define REAL float
#define VECTOR vector_f
#define BITS bits_f
#define NAME(X) X##_float_avx2
#define TARGET __attribute__((target("avx2")))
#define CONSTANTS narrow
#include "assess/explain_lanes_kernel.inc"

#define REAL double
#define VECTOR vector_d
#define BITS bits_d
#define NAME(X) X##_double_avx2
#define TARGET __attribute__((target("avx2")))
#define CONSTANTS wide
#define WITH_PAIRS
#include "assess/explain_lanes_kernel.inc"
#else
#define tree_1_float_avx2 tree_1_float
#define tree_2_float_avx2 tree_2_float
#define tree_1_double_avx2 tree_1_double
#define tree_2_double_avx2 tree_2_double
#define tree_pairs_double_avx2 tree_pairs_double
#endif

lanes_kernel *
lanes_kernel_of(const struct lanes *l, uint32_t vectors)
{
    static lanes_kernel *const rows[2][2][2] = {
        {{tree_1_float, tree_2_float}, {tree_1_float_avx2, tree_2_float_avx2}},
        {{tree_1_double, tree_2_double}, {tree_1_double_avx2, tree_2_double_avx2}},
    };
    if (l->pairs) {
        ASSERT(vectors == 1);
        return l->avx2 ? tree_pairs_double_avx2 : tree_pairs_double;
    }
    return rows[l->doubles][l->avx2][vectors - 1];
}
