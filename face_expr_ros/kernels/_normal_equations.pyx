# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Inner loops of the landmark fit; normal_equations.py holds the checked public class.

BLAS is not used for the largest sums: in a program that imported NumPy before this package it wakes threads for
matrices of this size, and on a busy machine waiting for them takes longer than the sums.
"""

cdef extern from *:
    """
    #include <string.h>
    #define INLINED static inline __attribute__((always_inline)) void
    /* upper triangle of gram[stride, stride] (+)= matrix' matrix, matrix[rows, stride]; stride is a multiple of a
       tile's columns, which are two vectors or one. The eight sums of a tile stay in registers. */
    #define UPPER_GRAM(name, lanes, across)                                                                            \
        INLINED name(const float *matrix, int rows, int stride, int add, float *gram) {                                \
            typedef float vector __attribute__((vector_size(4 * lanes)));                                              \
            for (int j = 0; j < stride; j += across * lanes)                                                           \
                for (int i = 0; i < j + across * lanes; i += 8 / across) {                                             \
                    vector s0 = {0}, s1 = s0, s2 = s0, s3 = s0, s4 = s0, s5 = s0, s6 = s0, s7 = s0;                    \
                    const float *row = matrix;                                                                         \
                    for (int k = 0; k < rows; k++, row += stride) {                                                    \
                        const float *left = row + i;                                                                   \
                        vector first, last;                                                                            \
                        memcpy(&first, row + j, sizeof first);                                                         \
                        memcpy(&last, row + j + (across - 1) * lanes, sizeof last);                                    \
                        s0 += left[0] * first, s1 += left[across > 1 ? 0 : 1] * last;                                  \
                        s2 += left[2 / across] * first, s3 += left[across > 1 ? 1 : 3] * last;                         \
                        s4 += left[4 / across] * first, s5 += left[across > 1 ? 2 : 5] * last;                         \
                        s6 += left[6 / across] * first, s7 += left[across > 1 ? 3 : 7] * last;                         \
                    }                                                                                                  \
                    const vector tile[8 / across][across] = {s0, s1, s2, s3, s4, s5, s6, s7};                          \
                    for (int d = 0; d < 8 / across; d++) {                                                             \
                        float *out = gram + (size_t)(i + d) * stride + j;                                              \
                        for (int a = 0; a < across; a++) {                                                             \
                            vector sum = {0};                                                                          \
                            if (add) memcpy(&sum, out + a * lanes, sizeof sum);                                        \
                            sum += tile[d][a];                                                                         \
                            memcpy(out + a * lanes, &sum, sizeof sum);                                                 \
                        }                                                                                              \
                    }                                                                                                  \
                }                                                                                                      \
        }
    UPPER_GRAM(gram_of_4, 4, 2)
    UPPER_GRAM(gram_of_8, 8, 2)
    UPPER_GRAM(gram_of_16, 16, 1)

    /* out[count] = sum of weights[3] times first, second, third */
    INLINED blend_any(const float *first, const float *second, const float *third, const float *weights, int count,
                      float *out) {
        const float a = weights[0], b = weights[1], c = weights[2];
        for (int k = 0; k < count; k++) out[k] = a * first[k] + b * second[k] + c * third[k];
    }

    /* out[count] += sum of weights[3] times first, second, third */
    INLINED add_blend_any(const float *first, const float *second, const float *third, const double *weights, int count,
                          double *out) {
        const float a = weights[0], b = weights[1], c = weights[2];
        for (int k = 0; k < count; k++) out[k] += a * first[k] + b * second[k] + c * third[k];
    }

    /* moved[3, n] += basis[3, n, count] coefficients; four rows at once, as independent sums */
    INLINED displace_any(const float *basis, int points, int count, const float *coefficients, double *moved) {
        typedef float vector __attribute__((vector_size(32)));
        typedef float half __attribute__((vector_size(16)));
        const int rows = 3 * points;
        for (int first = 0; first < rows; first += 4) {
            const int last = first + 4 <= rows ? 4 : rows - first;
            const float *row[4];
            vector sums[4] = {{0}};
            for (int r = 0; r < 4; r++) row[r] = basis + (size_t)(first + (r < last ? r : 0)) * count;
            int k = 0;
            for (; k + 8 <= count; k += 8) {
                vector weights, values;
                memcpy(&weights, coefficients + k, sizeof weights);
                for (int r = 0; r < 4; r++) {
                    memcpy(&values, row[r] + k, sizeof values);
                    sums[r] += values * weights;
                }
            }
            for (int r = 0; r < last; r++) {
                half halves[2];
                memcpy(halves, &sums[r], sizeof halves);
                halves[0] += halves[1];
                double sum = (halves[0][0] + halves[0][1]) + (halves[0][2] + halves[0][3]);
                for (int rest = k; rest < count; rest++) sum += row[r][rest] * coefficients[rest];
                moved[first + r] += sum;
            }
        }
    }

    /* Variants for the processor's instruction set, selected at run time. */
    #define GRAM (const float *matrix, int rows, int stride, int add, float *gram)
    #define BLEND (const float *first, const float *second, const float *third, const float *weights, int count,       \
                   float *out)
    #define ADD_BLEND (const float *first, const float *second, const float *third, const double *weights, int count,  \
                       double *out)
    #define DISPLACE (const float *basis, int points, int count, const float *coefficients, double *moved)
    static void narrow_gram GRAM { gram_of_4(matrix, rows, stride, add, gram); }
    static void narrow_blend BLEND { blend_any(first, second, third, weights, count, out); }
    static void narrow_add_blend ADD_BLEND { add_blend_any(first, second, third, weights, count, out); }
    static void narrow_displace DISPLACE { displace_any(basis, points, count, coefficients, moved); }
    #if defined(__x86_64__) && !defined(NARROW)
    #define WIDE __attribute__((target("avx2,fma"))) static void
    __attribute__((target("avx512f"))) static void widest_gram GRAM { gram_of_16(matrix, rows, stride, add, gram); }
    WIDE wide_gram GRAM { gram_of_8(matrix, rows, stride, add, gram); }
    WIDE wide_blend BLEND { blend_any(first, second, third, weights, count, out); }
    WIDE wide_add_blend ADD_BLEND { add_blend_any(first, second, third, weights, count, out); }
    WIDE wide_displace DISPLACE { displace_any(basis, points, count, coefficients, moved); }
    #define HAS_WIDE (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    #ifndef HAS_WIDEST
    #define HAS_WIDEST __builtin_cpu_supports("avx512f")
    #endif
    #else
    #define widest_gram narrow_gram
    #define wide_gram narrow_gram
    #define wide_blend narrow_blend
    #define wide_add_blend narrow_add_blend
    #define wide_displace narrow_displace
    #define HAS_WIDE 0
    #define HAS_WIDEST 0
    #endif
    static void upper_gram GRAM {
        (HAS_WIDEST ? widest_gram : HAS_WIDE ? wide_gram : narrow_gram)(matrix, rows, stride, add, gram);
    }
    static void blend BLEND { (HAS_WIDE ? wide_blend : narrow_blend)(first, second, third, weights, count, out); }
    static void add_blend ADD_BLEND {
        (HAS_WIDE ? wide_add_blend : narrow_add_blend)(first, second, third, weights, count, out);
    }
    static void add_displacements DISPLACE {
        (HAS_WIDE ? wide_displace : narrow_displace)(basis, points, count, coefficients, moved);
    }
    """
    void upper_gram(const float *matrix, int rows, int stride, int add, float *gram) noexcept nogil
    void blend(const float *first, const float *second, const float *third, const float *weights, int count,
               float *out) noexcept nogil
    void add_blend(const float *first, const float *second, const float *third, const double *weights, int count,
                   double *out) noexcept nogil
    void add_displacements(const float *basis, int points, int count, const float *coefficients,
                           double *moved) noexcept nogil


cdef enum:
    POSE = 7


cpdef void displace(const float[:, :, ::1] basis, const float[::1] coefficients, double[:, ::1] points) noexcept nogil:
    """points (3, n) += basis (3, n, coefficients) times coefficients."""
    add_displacements(&basis[0, 0, 0], <int>basis.shape[1], <int>basis.shape[2], &coefficients[0], &points[0, 0])


cdef struct Landmark:
    double distance  # of the face
    double across
    double along
    double turned[3]  # R p
    double x, y, z  # R p + t
    double row[3][3]  # the derivatives of the three errors by X


cdef double mean_depth(const double[:, ::1] points, const double[:, ::1] rotation,
                       const double[::1] position) noexcept nogil:
    cdef Py_ssize_t n = points.shape[1], i
    cdef double distance = position[2], total
    cdef int c
    for c in range(3):
        total = 0
        for i in range(n):
            total += points[c, i]
        distance += rotation[2, c] * total / n
    return distance


cdef void place(Landmark *at, Py_ssize_t i, const double[:, ::1] points, const double[:, ::1] rotation,
                const double[::1] position) noexcept nogil:
    cdef int r
    for r in range(3):
        at.turned[r] = rotation[r, 0] * points[0, i] + rotation[r, 1] * points[1, i] + rotation[r, 2] * points[2, i]
    at.x, at.y, at.z = at.turned[0] + position[0], at.turned[1] + position[1], at.turned[2] + position[2]


cdef void differentiate(Landmark *at) noexcept nogil:
    cdef double inverse = 1 / at.z, scale = at.across * at.distance / at.z
    at.row[0][0], at.row[0][1], at.row[0][2] = scale, 0, -scale * at.x * inverse
    at.row[1][0], at.row[1][1], at.row[1][2] = 0, scale, -scale * at.y * inverse
    at.row[2][0], at.row[2][1], at.row[2][2] = 0, 0, at.along


cpdef double residuals(const double[:, ::1] points, const double[:, ::1] rotation, const double[::1] position,
                       double offset, const double[:, ::1] directions, const double[::1] depths,
                       const double[::1] across, const double[::1] along, double[::1] errors) noexcept nogil:
    """The errors (3 n,) of points (3, n) in model axes.

    Returns:
        the mean square distance of the points from the rays, square meters.
    """
    cdef Py_ssize_t n = points.shape[1], i
    cdef double off = 0, u, v, scale
    cdef Landmark at
    at.distance = mean_depth(points, rotation, position)
    for i in range(n):
        place(&at, i, points, rotation, position)
        u, v = at.x / at.z - directions[i, 0], at.y / at.z - directions[i, 1]
        off += at.z * at.z * (u * u + v * v)
        scale = across[i] * at.distance
        errors[3 * i], errors[3 * i + 1] = scale * u, scale * v
        errors[3 * i + 2] = along[i] * (at.z - at.distance * (1 + depths[i]) - offset)
    return off / n


cdef void fill_rows(Landmark *at, const float[:, :, ::1] basis, Py_ssize_t i, const double[:, ::1] rotation,
                    const double[::1] position, float *out, int stride) noexcept nogil:
    """out (3, stride): the landmark's rows of the Jacobian; their padding is not written."""
    cdef int r, c
    cdef float weights[3]
    for r in range(3):
        out[0] = <float>(at.turned[1] * at.row[r][2] - at.turned[2] * at.row[r][1])
        out[1] = <float>(at.turned[2] * at.row[r][0] - at.turned[0] * at.row[r][2])
        out[2] = <float>(at.turned[0] * at.row[r][1] - at.turned[1] * at.row[r][0])
        for c in range(3):
            out[3 + c] = <float>at.row[r][c]
            weights[c] = <float>(at.row[r][0] * rotation[0, c] + at.row[r][1] * rotation[1, c]
                                 + at.row[r][2] * rotation[2, c])
        out[6] = 0
        blend(&basis[0, i, 0], &basis[1, i, 0], &basis[2, i, 0], weights, <int>basis.shape[2], out + POSE)
        if r == 2:
            out[5] -= <float>(at.along * at.z / position[2])
            out[6] = <float>(-at.along)
        out += stride


def jacobian(const double[:, ::1] points, const float[:, :, ::1] basis, const double[:, ::1] rotation,
             const double[::1] position, const double[::1] across, const double[::1] along, float[:, ::1] out):
    """out (3 n, stride): the Jacobian at points (3, n) in model axes; its padding is not written."""
    cdef Py_ssize_t i
    cdef Landmark at
    with nogil:
        at.distance = mean_depth(points, rotation, position)
        for i in range(points.shape[1]):
            place(&at, i, points, rotation, position)
            at.across, at.along = across[i], along[i]
            differentiate(&at)
            fill_rows(&at, basis, i, rotation, position, &out[3 * i, 0], <int>out.shape[1])


cdef void upper_normal(const double[:, ::1] points, const float[:, :, ::1] basis, const double[:, ::1] rotation,
                       const double[::1] position, const double[::1] across, const double[::1] along,
                       float[:, ::1] rows, float[:, ::1] gram, double[:, ::1] out) noexcept nogil:
    """The upper triangle of `normal`."""
    cdef Py_ssize_t n = points.shape[1], most = rows.shape[0] // 3, count = 0, i, j
    cdef int stride = <int>rows.shape[1], add = 0
    cdef Landmark at
    at.distance = mean_depth(points, rotation, position)
    for i in range(n):
        place(&at, i, points, rotation, position)
        at.across, at.along = across[i], along[i]
        differentiate(&at)
        fill_rows(&at, basis, i, rotation, position, &rows[3 * count, 0], stride)
        count += 1
        if count == most or i == n - 1:
            upper_gram(&rows[0, 0], <int>(3 * count), stride, add, &gram[0, 0])
            add, count = 1, 0
    for i in range(out.shape[0]):
        for j in range(i, out.shape[0]):
            out[i, j] = gram[i, j]


cpdef void normal(const double[:, ::1] points, const float[:, :, ::1] basis, const double[:, ::1] rotation,
                  const double[::1] position, const double[::1] across, const double[::1] along, float[:, ::1] rows,
                  float[:, ::1] gram, double[:, ::1] out) noexcept nogil:
    """out (u, u) = J' J of the Jacobian J at points (3, n) in model axes.

    rows (3 m, stride) is scratch whose padding is 0: m landmarks at a time, so that they fit into the L1 cache.
    gram (stride, stride) is scratch, too.
    """
    cdef Py_ssize_t i, j
    upper_normal(points, basis, rotation, position, across, along, rows, gram, out)
    for i in range(out.shape[0]):
        for j in range(i + 1, out.shape[0]):
            out[j, i] = out[i, j]


cpdef void slope(const double[:, ::1] points, const float[:, :, ::1] basis, const double[:, ::1] rotation,
                 const double[::1] position, const double[::1] across, const double[::1] along,
                 const double[::1] errors, double[::1] out) noexcept nogil:
    """out (u,) = jacobian' errors, without the jacobian: the three rows of a landmark share its position and basis."""
    cdef Py_ssize_t n = points.shape[1], i
    cdef int count = <int>basis.shape[2], r, c
    cdef double pull[3]
    cdef double weights[3]
    cdef Landmark at
    for i in range(out.shape[0]):
        out[i] = 0
    at.distance = mean_depth(points, rotation, position)
    for i in range(n):
        place(&at, i, points, rotation, position)
        at.across, at.along = across[i], along[i]
        differentiate(&at)
        for c in range(3):
            pull[c] = 0
            for r in range(3):
                pull[c] += at.row[r][c] * errors[3 * i + r]
            out[3 + c] += pull[c]
        out[0] += at.turned[1] * pull[2] - at.turned[2] * pull[1]
        out[1] += at.turned[2] * pull[0] - at.turned[0] * pull[2]
        out[2] += at.turned[0] * pull[1] - at.turned[1] * pull[0]
        out[5] -= along[i] * at.z / position[2] * errors[3 * i + 2]
        out[6] -= along[i] * errors[3 * i + 2]
        for c in range(3):
            weights[c] = pull[0] * rotation[0, c] + pull[1] * rotation[1, c] + pull[2] * rotation[2, c]
        add_blend(&basis[0, i, 0], &basis[1, i, 0], &basis[2, i, 0], weights, count, &out[POSE])
