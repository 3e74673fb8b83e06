# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The rotation that aligns points best; similarity.py holds the checked public function."""

from libc.math cimport fabs, sqrt

cdef enum:
    SWEEPS = 12  # of Jacobi's method, which converges quadratically; four suffice


cdef void rotate_rows(double[4][4] matrix, double[4][4] vectors, int p, int q) noexcept nogil:
    """One rotation of Jacobi's method, which makes matrix[p, q] zero."""
    cdef double ratio, t, c, s, first, second
    cdef int k
    if matrix[p][q] == 0:
        return
    ratio = (matrix[q][q] - matrix[p][p]) / (2 * matrix[p][q])
    t = (1 if ratio >= 0 else -1) / (fabs(ratio) + sqrt(1 + ratio * ratio))
    c = 1 / sqrt(1 + t * t)
    s = t * c
    for k in range(4):
        first, second = matrix[k][p], matrix[k][q]
        matrix[k][p], matrix[k][q] = c * first - s * second, s * first + c * second
    for k in range(4):
        first, second = matrix[p][k], matrix[q][k]
        matrix[p][k], matrix[q][k] = c * first - s * second, s * first + c * second
        first, second = vectors[k][p], vectors[k][q]
        vectors[k][p], vectors[k][q] = c * first - s * second, s * first + c * second


cdef int largest_eigenvector(double[4][4] matrix, double[4][4] vectors) noexcept nogil:
    """The column of ``vectors`` with the eigenvector of the largest eigenvalue, which stays on the diagonal."""
    cdef int sweep, p, q, best = 0
    cdef double off, whole
    for p in range(4):
        for q in range(4):
            vectors[p][q] = p == q
    for sweep in range(SWEEPS):
        off = whole = 0
        for p in range(4):
            whole += fabs(matrix[p][p])
            for q in range(p + 1, 4):
                off += fabs(matrix[p][q])
        if not off > 1e-17 * whole:
            break
        for p in range(3):
            for q in range(p + 1, 4):
                rotate_rows(matrix, vectors, p, q)
    for p in range(1, 4):
        if matrix[p][p] > matrix[best][best]:
            best = p
    return best


cdef double best_rotation(const double *products, double *rotation) noexcept nogil:
    """rotation (3, 3), row by row: the proper one with the largest sum of its products with those given.

    Horn, "Closed-form solution of absolute orientation using unit quaternions", 1987.

    Args:
        products: (3, 3), target rows times source columns of the centered points.

    Returns:
        that sum.
    """
    cdef double[4][4] matrix
    cdef double[4][4] vectors
    cdef const double *m = products
    cdef double w, x, y, z
    cdef int best, i, j
    matrix[0][:] = [m[0] + m[4] + m[8], m[7] - m[5], m[2] - m[6], m[3] - m[1]]
    matrix[1][:] = [0, m[0] - m[4] - m[8], m[1] + m[3], m[2] + m[6]]
    matrix[2][:] = [0, 0, m[4] - m[0] - m[8], m[5] + m[7]]
    matrix[3][:] = [0, 0, 0, m[8] - m[0] - m[4]]
    for i in range(4):
        for j in range(i):
            matrix[i][j] = matrix[j][i]
    best = largest_eigenvector(matrix, vectors)
    w, x, y, z = vectors[0][best], vectors[1][best], vectors[2][best], vectors[3][best]
    rotation[0], rotation[1], rotation[2] = 1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)
    rotation[3], rotation[4], rotation[5] = 2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)
    rotation[6], rotation[7], rotation[8] = 2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)
    return matrix[best][best]


def align(const double[:, :] source, const double[:, :] target, double[:, ::1] found):
    """found (5, 3): the rotation, the means of source and target.

    Returns:
        the sum of squared distances of the source points from their mean, and of the products of the centered target
        points with the rotated, centered source points.
    """
    cdef Py_ssize_t n = source.shape[0], i
    cdef int a, b
    cdef double[3] centered
    cdef double[9] products
    cdef double spread = 0, correlation
    with nogil:
        for a in range(3):
            found[3, a] = found[4, a] = 0
            for i in range(n):
                found[3, a] += source[i, a]
                found[4, a] += target[i, a]
            found[3, a] /= n
            found[4, a] /= n
        for a in range(9):
            products[a] = 0
        for i in range(n):
            for b in range(3):
                centered[b] = source[i, b] - found[3, b]
                spread += centered[b] * centered[b]
            for a in range(3):
                for b in range(3):
                    products[3 * a + b] += (target[i, a] - found[4, a]) * centered[b]
        correlation = best_rotation(products, &found[0, 0])
    return spread, correlation
