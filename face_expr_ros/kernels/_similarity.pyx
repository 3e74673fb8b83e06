# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Inner loops of the similarity between points; similarity.py holds the checked public function."""

from libc.math cimport fabs, sqrt


cdef enum:
    SWEEPS = 30  # of Jacobi's method, which needs about six


cdef void rotate(double matrix[4][4], double vectors[4][4], int p, int q) noexcept nogil:
    """Jacobi's rotation that makes matrix[p][q] zero (Golub and Van Loan, "Matrix Computations", section 8.5)."""
    cdef double tau, t, c, s, a, b
    cdef int k
    if matrix[p][q] == 0:
        return
    tau = (matrix[q][q] - matrix[p][p]) / (2 * matrix[p][q])
    t = (1 if tau >= 0 else -1) / (fabs(tau) + sqrt(1 + tau * tau))
    c = 1 / sqrt(1 + t * t)
    s = t * c
    for k in range(4):
        a, b = matrix[k][p], matrix[k][q]
        matrix[k][p], matrix[k][q] = c * a - s * b, s * a + c * b
    for k in range(4):
        a, b = matrix[p][k], matrix[q][k]
        matrix[p][k], matrix[q][k] = c * a - s * b, s * a + c * b
    for k in range(4):
        a, b = vectors[k][p], vectors[k][q]
        vectors[k][p], vectors[k][q] = c * a - s * b, s * a + c * b


cdef double largest(double matrix[4][4], double *vector) noexcept nogil:
    """The largest eigenvalue of a symmetric matrix, which is destroyed, and its eigenvector (4,) of length one."""
    cdef double vectors[4][4]
    cdef double off, on
    cdef int i, j, sweep, best = 0
    for i in range(4):
        for j in range(4):
            vectors[i][j] = i == j
    for sweep in range(SWEEPS):
        off = on = 0
        for i in range(4):
            on += fabs(matrix[i][i])
            for j in range(i + 1, 4):
                off += fabs(matrix[i][j])
        if not off > 1e-17 * on:
            break
        for i in range(4):
            for j in range(i + 1, 4):
                rotate(matrix, vectors, i, j)
    for i in range(1, 4):
        if matrix[i][i] > matrix[best][best]:
            best = i
    for i in range(4):
        vector[i] = vectors[i][best]
    return matrix[best][best]


def turn(const double[:, ::1] points, const double[:, ::1] images, double[:, ::1] middles, double[:, ::1] rotation):
    """rotation (3, 3) and middles (2, 3) of points (n, 3) and images (n, 3).

    Returns:
        the sums of squares of the centered points, and of the images times the turned points.
    """
    cdef Py_ssize_t n = points.shape[0], i
    cdef int r, c
    cdef double spread = 0, w, x, y, z, reached
    cdef double s[3][3]
    cdef double a[3]
    cdef double horn[4][4]
    cdef double q[4]
    with nogil:
        for r in range(3):
            w = x = 0
            for i in range(n):
                w += points[i, r]
                x += images[i, r]
            middles[0, r], middles[1, r] = w / n, x / n
            for c in range(3):
                s[r][c] = 0
        for i in range(n):
            for r in range(3):
                a[r] = points[i, r] - middles[0, r]
                spread += a[r] * a[r]
            for c in range(3):
                x = images[i, c] - middles[1, c]
                for r in range(3):
                    s[r][c] += a[r] * x
        horn[0][0] = s[0][0] + s[1][1] + s[2][2]
        horn[1][1] = s[0][0] - s[1][1] - s[2][2]
        horn[2][2] = s[1][1] - s[0][0] - s[2][2]
        horn[3][3] = s[2][2] - s[0][0] - s[1][1]
        horn[0][1] = horn[1][0] = s[1][2] - s[2][1]
        horn[0][2] = horn[2][0] = s[2][0] - s[0][2]
        horn[0][3] = horn[3][0] = s[0][1] - s[1][0]
        horn[1][2] = horn[2][1] = s[0][1] + s[1][0]
        horn[1][3] = horn[3][1] = s[2][0] + s[0][2]
        horn[2][3] = horn[3][2] = s[1][2] + s[2][1]
        reached = largest(horn, q)
        w, x, y, z = q[0], q[1], q[2], q[3]
        rotation[0, 0], rotation[0, 1], rotation[0, 2] = 1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)
        rotation[1, 0], rotation[1, 1], rotation[1, 2] = 2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)
        rotation[2, 0], rotation[2, 1], rotation[2, 2] = 2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)
    return spread, reached
