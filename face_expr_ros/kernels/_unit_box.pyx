# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Inner loops of the quadratic program bounded to 0..1; unit_box.py holds the checked public function."""

from libc.math cimport fabs, sqrt

cdef extern from *:
    """
    #define INLINED static inline __attribute__((always_inline))

    /* right = solution of matrix[size, size] right, in place, by the Cholesky factor of the upper triangle, which is
       overwritten; returns 0 if the matrix is not positive definite. */
    INLINED int solve_any(double *matrix, int size, double *right) {
        for (int j = 0; j < size; j++) {
            double *restrict pivot = matrix + (Py_ssize_t)j * size;
            if (!(pivot[j] > 0)) return 0;
            const double inverse = 1 / sqrt(pivot[j]);
            for (int k = j; k < size; k++) pivot[k] *= inverse;
            right[j] *= inverse;
            for (int i = j + 1; i < size; i++) {
                double *restrict row = matrix + (Py_ssize_t)i * size;
                const double factor = pivot[i];
                for (int k = i; k < size; k++) row[k] -= factor * pivot[k];
                right[i] -= factor * right[j];
            }
        }
        for (int j = size - 1; j >= 0; j--) {
            const double *restrict pivot = matrix + (Py_ssize_t)j * size;
            for (int k = j + 1; k < size; k++) right[j] -= pivot[k] * right[k];
            right[j] /= pivot[j];
        }
        return 1;
    }

    /* slope = normal[size, stride] point - right */
    INLINED void slope_any(const double *normal, Py_ssize_t stride, const double *point, const double *right, int size,
                           double *slope) {
        for (int i = 0; i < size; i++) slope[i] = -right[i];
        for (int i = 0; i < size; i++) {
            const double *restrict row = normal + i * stride;
            const double value = point[i];
            if (value != 0)
                for (int k = 0; k < size; k++) slope[k] += value * row[k];
        }
    }
    /* Variants for the processor's instruction set, selected at run time. */
    #define SOLVE (double *matrix, int size, double *right)
    #define SLOPE (const double *normal, Py_ssize_t stride, const double *point, const double *right, int size,        \
                   double *slope)
    static int narrow_solve SOLVE { return solve_any(matrix, size, right); }
    static void narrow_slope SLOPE { slope_any(normal, stride, point, right, size, slope); }
    #if defined(__x86_64__) && !defined(NARROW)
    __attribute__((target("avx2,fma"))) static int wide_solve SOLVE { return solve_any(matrix, size, right); }
    __attribute__((target("avx2,fma"))) static void wide_slope SLOPE {
        slope_any(normal, stride, point, right, size, slope);
    }
    #define HAS_WIDE (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    #else
    #define wide_solve narrow_solve
    #define wide_slope narrow_slope
    #define HAS_WIDE 0
    #endif
    static int solve_upper SOLVE { return (HAS_WIDE ? wide_solve : narrow_solve)(matrix, size, right); }
    static void slope_at SLOPE { (HAS_WIDE ? wide_slope : narrow_slope)(normal, stride, point, right, size, slope); }
    """
    int solve_upper(double *matrix, int size, double *right) noexcept nogil
    void slope_at(const double *normal, Py_ssize_t stride, const double *point, const double *right, int size,
                  double *slope) noexcept nogil


cdef int find_free(const double *point, const double *slope, int size, int *free) noexcept nogil:
    """The indices of the free unknowns: those that are not at a bound which the gradient step would violate."""
    cdef int i, count = 0
    for i in range(size):
        if not ((point[i] <= 0 and slope[i] > 0) or (point[i] >= 1 and slope[i] < 0)):
            free[count] = i
            count += 1
    return count


cdef bint minimize_in_box(const double *normal, Py_ssize_t stride, const double *right, int size, double *work,
                          int *free, int steps, double small) noexcept nogil:
    """work (5 + n, n): row 0 is the start and becomes the solution, the others are scratch; free (n,) is scratch, too.

    Args:
        normal: (n, stride), of which the first n columns are used.

    Returns:
        whether every factored part of the normal matrix was positive definite.
    """
    cdef int i, j, count, step
    cdef double largest, length, decrease, required, change
    cdef double *point = work
    cdef double *slope = work + size
    cdef double *toward = work + 2 * size
    cdef double *moved = work + 3 * size
    cdef double *moved_slope = work + 4 * size
    cdef double *factor = work + 5 * size
    slope_at(normal, stride, point, right, size, slope)
    largest = 0
    for i in range(size):
        largest = max(largest, fabs(right[i]))
    small *= largest
    for step in range(steps):
        count = find_free(point, slope, size, free)
        largest = 0
        for i in range(count):
            largest = max(largest, fabs(slope[free[i]]))
        if count == 0 or largest < small:
            break
        for i in range(count):
            moved[i] = -slope[free[i]]
            for j in range(i, count):
                factor[i * count + j] = normal[free[i] * stride + free[j]]
        if not solve_upper(factor, count, moved):
            return False
        for i in range(size):
            toward[i] = 0
        for i in range(count):
            toward[free[i]] = moved[i]
        length = 1
        while True:
            decrease = required = 0
            for i in range(size):
                moved[i] = min(max(point[i] + length * toward[i], 0.0), 1.0)
            slope_at(normal, stride, moved, right, size, moved_slope)
            for i in range(size):
                change = moved[i] - point[i]
                decrease -= 0.5 * change * (slope[i] + moved_slope[i])
                required -= 0.1 * slope[i] * change
            if decrease >= required or length < 1e-3:
                break
            length *= 0.5
        for i in range(size):
            point[i], slope[i] = moved[i], moved_slope[i]
    return True


def minimize(const double[:, ::1] normal, const double[::1] right, double[:, ::1] work, int[::1] free, int steps,
             double small):
    """See `minimize_in_box`."""
    cdef bint done
    with nogil:
        done = minimize_in_box(&normal[0, 0], normal.shape[1], &right[0], <int>right.shape[0], &work[0, 0], &free[0],
                               steps, small)
    return done
