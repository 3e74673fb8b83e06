# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Inner loop of the partial Cholesky factorization; cholesky.py holds the checked public function."""

cdef extern from *:
    """
    #include <math.h>

    /* The upper triangle of matrix[size, size], its first `count` unknowns eliminated, and what is left of the others
       in full; the number of those that went well. */
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
    """
    int eliminate_upper(double *matrix, int size, int count) noexcept nogil


def eliminate(double[:, ::1] matrix, int count):
    cdef int done
    with nogil:
        done = eliminate_upper(&matrix[0, 0], <int>matrix.shape[0], count)
    return done
