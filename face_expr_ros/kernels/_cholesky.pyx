# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Inner loops of the partial Cholesky factorization; cholesky.py holds the checked public functions."""

cdef extern from *:
    """
    #include <math.h>

    /* Eliminates the first `count` unknowns in the upper triangle of matrix[size, size], and completes the lower
       triangle of the Schur complement. Returns the number of unknowns before the first pivot that is not positive. */
    static int eliminate_upper(double *matrix, int size, int count) {
        for (int j = 0; j < count; j++) {
            double *restrict pivot = matrix + (Py_ssize_t)j * size;
            if (!(pivot[j] > 0)) return j;
            const double inverse = 1 / sqrt(pivot[j]);
            for (int k = j; k < size; k++) pivot[k] *= inverse;
            for (int i = j + 1; i < size; i++) {
                double *restrict row = matrix + (Py_ssize_t)i * size;
                const double factor = pivot[i];
                for (int k = i; k < size; k++) row[k] -= factor * pivot[k];
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
    """
    int eliminate_upper(double *matrix, int size, int count) noexcept nogil
    void _forward "forward"(const double *factor, int size, int count, double *values) noexcept nogil
    void _backward "backward"(const double *factor, int size, int count, double *values) noexcept nogil


def eliminate(double[:, ::1] matrix, int count):
    cdef int done
    with nogil:
        done = eliminate_upper(&matrix[0, 0], <int>matrix.shape[0], count)
    return done


def forward(const double[:, ::1] factor, int count, double[::1] values):
    with nogil:
        _forward(&factor[0, 0], <int>factor.shape[1], count, &values[0])


def backward(const double[:, ::1] factor, int count, double[::1] values):
    with nogil:
        _backward(&factor[0, 0], <int>factor.shape[1], count, &values[0])
