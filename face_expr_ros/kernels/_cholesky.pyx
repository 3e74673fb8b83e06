# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Inner loops of the partial Cholesky factorization; cholesky.py holds the checked public functions."""

cdef extern from *:
    """
    #include <math.h>
    #define INLINED static inline __attribute__((always_inline))

    /* Row j of the factor, of which the rows from `first` on are not yet subtracted; 0 if its pivot is not positive. */
    INLINED int pivot_row(double *matrix, int size, int first, int j) {
        double *restrict row = matrix + (Py_ssize_t)j * size;
        for (int p = first; p < j; p++) {
            const double *restrict pivot = matrix + (Py_ssize_t)p * size;
            const double factor = pivot[j];
            for (int k = j; k < size; k++) row[k] -= factor * pivot[k];
        }
        if (!(row[j] > 0)) return 0;
        const double inverse = 1 / sqrt(row[j]);
        for (int k = j; k < size; k++) row[k] *= inverse;
        return 1;
    }

    /* Eliminates the first `count` unknowns in the upper triangle of matrix[size, size], and completes the lower
       triangle of the Schur complement. Returns the number of unknowns before the first pivot that is not positive.
       Four pivots are subtracted at once, because the matrix is larger than the L1 cache. */
    INLINED int eliminate_any(double *matrix, int size, int count) {
        for (int first = 0; first < count; first += 4) {
            const int end = first + 4 <= count ? first + 4 : count;
            for (int j = first; j < end; j++)
                if (!pivot_row(matrix, size, first, j)) return j;
            const double *restrict one = matrix + (Py_ssize_t)first * size;
            const double *restrict two = one + (end - first > 1 ? size : 0), *restrict three = two, *restrict four = two;
            if (end - first == 4) three = two + size, four = three + size;
            for (int i = end; i < size; i++) {
                double *restrict row = matrix + (Py_ssize_t)i * size;
                const double a = one[i], b = two[i], c = three[i], d = four[i];
                if (end - first == 4)
                    for (int k = i; k < size; k++) row[k] -= (a * one[k] + b * two[k]) + (c * three[k] + d * four[k]);
                else
                    for (int p = first; p < end; p++) {
                        const double *restrict pivot = matrix + (Py_ssize_t)p * size;
                        const double factor = pivot[i];
                        for (int k = i; k < size; k++) row[k] -= factor * pivot[k];
                    }
            }
        }
        for (int i = count; i < size; i++)
            for (int k = i + 1; k < size; k++) matrix[(Py_ssize_t)k * size + i] = matrix[(Py_ssize_t)i * size + k];
        return count;
    }

    /* values[size], in place: the first `count` become inverse(U') times themselves, the others are reduced by V' times
       those; the upper rows of factor[size, size] are U and V. */
    static void forward(const double *factor, int size, int count, double *values) {
        for (int j = 0; j < count; j++) {
            const double *restrict row = factor + (Py_ssize_t)j * size;
            const double value = values[j] /= row[j];
            for (int k = j + 1; k < size; k++) values[k] -= value * row[k];
        }
    }

    /* values[size], in place: the first `count` become inverse(U) (themselves - V times the others). Four independent
       sums hide the latency of additions. */
    static void backward(const double *factor, int size, int count, double *values) {
        for (int j = count - 1; j >= 0; j--) {
            const double *restrict row = factor + (Py_ssize_t)j * size;
            double sums[4] = {0};
            int k = j + 1;
            for (; k + 4 <= size; k += 4)
                for (int lane = 0; lane < 4; lane++) sums[lane] += row[k + lane] * values[k + lane];
            for (; k < size; k++) sums[0] += row[k] * values[k];
            values[j] = (values[j] - ((sums[0] + sums[1]) + (sums[2] + sums[3]))) / row[j];
        }
    }

    /* Variants for the processor's instruction set, selected at run time. */
    static int narrow_eliminate(double *matrix, int size, int count) { return eliminate_any(matrix, size, count); }
    #if defined(__x86_64__) && !defined(NARROW)
    __attribute__((target("avx2,fma"))) static int wide_eliminate(double *matrix, int size, int count) {
        return eliminate_any(matrix, size, count);
    }
    #define HAS_WIDE (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    #else
    #define wide_eliminate narrow_eliminate
    #define HAS_WIDE 0
    #endif
    static int eliminate(double *matrix, int size, int count) {
        return (HAS_WIDE ? wide_eliminate : narrow_eliminate)(matrix, size, count);
    }
    """
    int _eliminate "eliminate"(double *matrix, int size, int count) noexcept nogil
    void _forward "forward"(const double *factor, int size, int count, double *values) noexcept nogil
    void _backward "backward"(const double *factor, int size, int count, double *values) noexcept nogil


cdef int eliminate_upper(double *matrix, int size, int count) noexcept nogil:
    return _eliminate(matrix, size, count)


cdef void forward_upper(const double *factor, int size, int count, double *values) noexcept nogil:
    _forward(factor, size, count, values)


cdef void backward_upper(const double *factor, int size, int count, double *values) noexcept nogil:
    _backward(factor, size, count, values)


def eliminate(double[:, ::1] matrix, int count):
    cdef int done
    with nogil:
        done = _eliminate(&matrix[0, 0], <int>matrix.shape[0], count)
    return done


def forward(const double[:, ::1] factor, int count, double[::1] values):
    with nogil:
        _forward(&factor[0, 0], <int>factor.shape[1], count, &values[0])


def backward(const double[:, ::1] factor, int count, double[::1] values):
    with nogil:
        _backward(&factor[0, 0], <int>factor.shape[1], count, &values[0])
