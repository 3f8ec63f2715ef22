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
#define tree_float_avx2 tree_float
#define tree_double_avx2 tree_double
#define tree_pairs_double_avx2 tree_pairs_double
#endif

lanes_kernel *
lanes_kernel_of(const struct lanes *l)
{
    if (l->pairs) {
        return l->avx2 ? tree_pairs_double_avx2 : tree_pairs_double;
    }
    if (l->doubles) {
        return l->avx2 ? tree_double_avx2 : tree_double;
    }
    return l->avx2 ? tree_float_avx2 : tree_float;
}
