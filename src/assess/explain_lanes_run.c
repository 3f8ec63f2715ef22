/* The kernels of lanes: floats and doubles, with AVX2 and in whatever vectors the target has. */
#include "assess/explain_lanes_parts.h"

typedef float vector_f __attribute__((vector_size(LANES_VECTOR), may_alias));
typedef int32_t bits_f __attribute__((vector_size(LANES_VECTOR)));
typedef double vector_d __attribute__((vector_size(LANES_VECTOR), may_alias));
typedef int64_t bits_d __attribute__((vector_size(LANES_VECTOR)));

/* Four numbers, and four at the address of any. */
typedef float quad_f __attribute__((vector_size(16), may_alias));
typedef float quad_any_f __attribute__((vector_size(16), aligned(4), may_alias));
typedef int32_t quad_bits_f __attribute__((vector_size(16)));
typedef double quad_d __attribute__((vector_size(32), may_alias));
typedef double quad_any_d __attribute__((vector_size(32), aligned(8), may_alias));
typedef int64_t quad_bits_d __attribute__((vector_size(32)));

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

#define REAL float
#define VECTOR quad_f
#define BITS quad_bits_f
#define NAME(X) X##_row_float
#define TARGET
#define CONSTANTS narrow
#define NODES_IN_LANES
#define UNALIGNED quad_any_f
#include "assess/explain_lanes_kernel.inc"

#define REAL double
#define VECTOR quad_d
#define BITS quad_bits_d
#define NAME(X) X##_row_double
#define TARGET
#define CONSTANTS wide
#define NODES_IN_LANES
#define UNALIGNED quad_any_d
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

#define REAL float
#define VECTOR quad_f
#define BITS quad_bits_f
#define NAME(X) X##_row_float_avx2
#define TARGET __attribute__((target("avx2")))
#define CONSTANTS narrow
#define NODES_IN_LANES
#define UNALIGNED quad_any_f
#include "assess/explain_lanes_kernel.inc"

#define REAL double
#define VECTOR quad_d
#define BITS quad_bits_d
#define NAME(X) X##_row_double_avx2
#define TARGET __attribute__((target("avx2")))
#define CONSTANTS wide
#define NODES_IN_LANES
#define UNALIGNED quad_any_d
#include "assess/explain_lanes_kernel.inc"
#else
#define tree_float_avx2 tree_float
#define tree_double_avx2 tree_double
#define tree_pairs_double_avx2 tree_pairs_double
#define tree_row_float_avx2 tree_row_float
#define tree_row_double_avx2 tree_row_double
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

lanes_kernel *
lanes_row_kernel_of(const struct lanes *l)
{
    if (l->doubles) {
        return l->avx2 ? tree_row_double_avx2 : tree_row_double;
    }
    return l->avx2 ? tree_row_float_avx2 : tree_row_float;
}
