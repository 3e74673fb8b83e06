# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Inner loops of the quadratic program bounded to 0..1; unit_box.py holds the checked public function."""

from libc.math cimport fabs, sqrt

cdef extern from *:
    """
    /* right = solution of matrix[size, size] right, in place, by the Cholesky factor of the upper triangle, which is
       overwritten; returns 0 if the matrix is not positive definite. */
    static int solve_upper(double *matrix, int size, double *right) {
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

    /* slope = normal[size, size] point - right */
    static void slope_at(const double *normal, const double *point, const double *right, int size, double *slope) {
        for (int i = 0; i < size; i++) slope[i] = -right[i];
        for (int i = 0; i < size; i++) {
            const double *restrict row = normal + (Py_ssize_t)i * size;
            const double value = point[i];
            if (value != 0)
                for (int k = 0; k < size; k++) slope[k] += value * row[k];
        }
    }
    """
    int solve_upper(double *matrix, int size, double *right) noexcept nogil
    void slope_at(const double *normal, const double *point, const double *right, int size,
                  double *slope) noexcept nogil


cdef int find_free(const double *point, const double *slope, int size, int *free) noexcept nogil:
    """The indices of the free unknowns: those that are not at a bound which the gradient step would violate."""
    cdef int i, count = 0
    for i in range(size):
        if not ((point[i] <= 0 and slope[i] > 0) or (point[i] >= 1 and slope[i] < 0)):
            free[count] = i
            count += 1
    return count


def minimize(const double[:, ::1] normal, const double[::1] right, double[:, ::1] work, int[::1] free, int steps,
             double small):
    """work (5 + n, n): row 0 is the start and becomes the solution, the others are scratch; free (n,) is scratch, too.

    Returns:
        whether every factored part of the normal matrix was positive definite.
    """
    cdef int size = <int>right.shape[0], i, j, count, step
    cdef double largest, length, decrease, required, change
    cdef double *point = &work[0, 0]
    cdef double *slope = &work[1, 0]
    cdef double *toward = &work[2, 0]
    cdef double *moved = &work[3, 0]
    cdef double *moved_slope = &work[4, 0]
    cdef double *factor = &work[5, 0]
    with nogil:
        slope_at(&normal[0, 0], point, &right[0], size, slope)
        largest = 0
        for i in range(size):
            largest = max(largest, fabs(right[i]))
        small *= largest
        for step in range(steps):
            count = find_free(point, slope, size, &free[0])
            largest = 0
            for i in range(count):
                largest = max(largest, fabs(slope[free[i]]))
            if count == 0 or largest < small:
                break
            for i in range(count):
                moved[i] = -slope[free[i]]
                for j in range(i, count):
                    factor[i * count + j] = normal[free[i], free[j]]
            if not solve_upper(factor, count, moved):
                with gil:
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
                slope_at(&normal[0, 0], moved, &right[0], size, moved_slope)
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
