# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Inner loops of the landmark fit; normal_equations.py holds the checked public class.

BLAS would do the largest of the sums. But in a program that imported NumPy before this package it wakes threads for
matrices of this size, and where the cores have other things to do, waiting for them takes longer than the sums.
"""

cdef extern from *:
    """
    #include <string.h>
    typedef float lanes __attribute__((vector_size(16)));
    typedef float wide_lanes __attribute__((vector_size(32)));

    #define DOWN 4 /* rows of a tile, which is two vectors wide */

    /* upper triangle of gram[stride, stride] = matrix' matrix, matrix[rows, stride]; stride is a multiple of two
       vectors. The sums of a tile stay in registers. */
    #define UPPER_GRAM(name, vector)                                                                                 \
        static void name(const float *matrix, int rows, int stride, float *gram) {                                   \
            const int width = sizeof(vector) / sizeof(float);                                                        \
            for (int j = 0; j < stride; j += 2 * width)                                                              \
                for (int i = 0; i < j + 2 * width; i += DOWN) {                                                      \
                    vector a0 = {0}, a1 = a0, b0 = a0, b1 = a0, c0 = a0, c1 = a0, d0 = a0, d1 = a0;                  \
                    const float *row = matrix;                                                                       \
                    for (int k = 0; k < rows; k++, row += stride) {                                                  \
                        vector left, right;                                                                          \
                        memcpy(&left, row + j, sizeof left);                                                         \
                        memcpy(&right, row + j + width, sizeof right);                                               \
                        a0 += row[i] * left, a1 += row[i] * right;                                                   \
                        b0 += row[i + 1] * left, b1 += row[i + 1] * right;                                           \
                        c0 += row[i + 2] * left, c1 += row[i + 2] * right;                                           \
                        d0 += row[i + 3] * left, d1 += row[i + 3] * right;                                           \
                    }                                                                                                \
                    const vector tile[DOWN][2] = {{a0, a1}, {b0, b1}, {c0, c1}, {d0, d1}};                           \
                    for (int d = 0; d < DOWN; d++) memcpy(gram + (size_t)(i + d) * stride + j, tile[d], sizeof *tile);\
                }                                                                                                    \
        }

    UPPER_GRAM(narrow_gram, lanes)
    #if defined(__x86_64__)
    __attribute__((target("avx2,fma"))) UPPER_GRAM(wide_gram, wide_lanes)
    static void upper_gram(const float *matrix, int rows, int stride, float *gram) {
        int wide = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
        (wide ? wide_gram : narrow_gram)(matrix, rows, stride, gram);
    }
    #else
    #define upper_gram narrow_gram
    #endif

    /* out = sum of weights[3] times first, second, third */
    static void blend(const float *first, const float *second, const float *third, const float *weights, int count,
                      float *out) {
        float a = weights[0], b = weights[1], c = weights[2];
        for (int k = 0; k < count; k++) out[k] = a * first[k] + b * second[k] + c * third[k];
    }

    /* out += weights[3] times first, second, third */
    static void add_blend(const float *first, const float *second, const float *third, const double *weights, int count,
                          double *out) {
        float a = weights[0], b = weights[1], c = weights[2];
        for (int k = 0; k < count; k++) out[k] += a * first[k] + b * second[k] + c * third[k];
    }

    /* moved[3, n] += basis[3, n, count] coefficients */
    static void add_displacements(const float *basis, int points, int count, const float *coefficients, double *moved) {
        for (int i = 0; i < 3 * points; i++, basis += count) {
            lanes sums = {0};
            int k = 0;
            for (; k + 4 <= count; k += 4) {
                lanes a, b;
                memcpy(&a, basis + k, sizeof a);
                memcpy(&b, coefficients + k, sizeof b);
                sums += a * b;
            }
            double sum = sums[0] + sums[1] + sums[2] + sums[3];
            for (; k < count; k++) sum += basis[k] * coefficients[k];
            moved[i] += sum;
        }
    }
    """
    void upper_gram(const float *matrix, int rows, int stride, float *gram) noexcept nogil
    void blend(const float *first, const float *second, const float *third, const float *weights, int count,
               float *out) noexcept nogil
    void add_blend(const float *first, const float *second, const float *third, const double *weights, int count,
                   double *out) noexcept nogil
    void add_displacements(const float *basis, int points, int count, const float *coefficients,
                           double *moved) noexcept nogil


cdef enum:
    POSE = 7


def displace(const float[:, :, ::1] basis, const float[::1] coefficients, double[:, ::1] points):
    """points (3, n) += basis (3, n, coefficients) times coefficients."""
    with nogil:
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


def residuals(const double[:, ::1] points, const double[:, ::1] rotation, const double[::1] position, double offset,
              const double[:, ::1] directions, const double[::1] depths, const double[::1] across,
              const double[::1] along, double[::1] errors):
    """The errors (3 n,) of points (3, n) in model axes.

    Returns:
        the mean square distance of the points from the rays, square meters.
    """
    cdef Py_ssize_t n = points.shape[1], i
    cdef double off = 0, u, v, scale
    cdef Landmark at
    with nogil:
        at.distance = mean_depth(points, rotation, position)
        for i in range(n):
            place(&at, i, points, rotation, position)
            u, v = at.x / at.z - directions[i, 0], at.y / at.z - directions[i, 1]
            off += at.z * at.z * (u * u + v * v)
            scale = across[i] * at.distance
            errors[3 * i], errors[3 * i + 1] = scale * u, scale * v
            errors[3 * i + 2] = along[i] * (at.z - at.distance * (1 + depths[i]) - offset)
    return off / n


def differentiated(const double[:, ::1] points, const float[:, :, ::1] basis, const double[:, ::1] rotation,
                   const double[::1] position, const double[::1] across, const double[::1] along,
                   float[:, ::1] jacobian):
    """The jacobian (3 n, stride) at points (3, n) in model axes; its padding is left alone."""
    cdef Py_ssize_t n = points.shape[1], i
    cdef int count = <int>basis.shape[2], r, c
    cdef float weights[3]
    cdef float *out
    cdef Landmark at
    with nogil:
        at.distance = mean_depth(points, rotation, position)
        for i in range(n):
            place(&at, i, points, rotation, position)
            at.across, at.along = across[i], along[i]
            differentiate(&at)
            for r in range(3):
                out = &jacobian[3 * i + r, 0]
                out[0] = <float>(at.turned[1] * at.row[r][2] - at.turned[2] * at.row[r][1])
                out[1] = <float>(at.turned[2] * at.row[r][0] - at.turned[0] * at.row[r][2])
                out[2] = <float>(at.turned[0] * at.row[r][1] - at.turned[1] * at.row[r][0])
                for c in range(3):
                    out[3 + c] = <float>at.row[r][c]
                    weights[c] = <float>(at.row[r][0] * rotation[0, c] + at.row[r][1] * rotation[1, c]
                                         + at.row[r][2] * rotation[2, c])
                out[6] = 0
                blend(&basis[0, i, 0], &basis[1, i, 0], &basis[2, i, 0], weights, count, out + POSE)
            out[5] -= <float>(along[i] * at.z / position[2])
            out[6] = <float>(-along[i])


def gram(const float[:, ::1] jacobian, float[:, ::1] scratch, double[:, ::1] normal):
    """normal (u, u) = jacobian' jacobian without the padding of its columns; scratch is (stride, stride)."""
    cdef Py_ssize_t i, j
    with nogil:
        upper_gram(&jacobian[0, 0], <int>jacobian.shape[0], <int>jacobian.shape[1], &scratch[0, 0])
        for i in range(normal.shape[0]):
            for j in range(i, normal.shape[0]):
                normal[i, j] = normal[j, i] = scratch[i, j]


def slope(const double[:, ::1] points, const float[:, :, ::1] basis, const double[:, ::1] rotation,
          const double[::1] position, const double[::1] across, const double[::1] along, const double[::1] errors,
          double[::1] out):
    """out (u,) = jacobian' errors, without the jacobian: the three rows of a landmark share its place and basis."""
    cdef Py_ssize_t n = points.shape[1], i
    cdef int count = <int>basis.shape[2], r, c
    cdef double pull[3]
    cdef double weights[3]
    cdef Landmark at
    with nogil:
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
