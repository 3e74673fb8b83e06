# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Loops over short vectors; small_vectors.py holds the checked public functions."""

from libc.math cimport atan2, fabs, sqrt


def weighted_mean(const double[::1] first, const double[::1] last, double weight, double[::1] out):
    """out = weight first + (1 - weight) last"""
    cdef Py_ssize_t i
    for i in range(out.shape[0]):
        out[i] = weight * first[i] + (1 - weight) * last[i]


def largest_change(const double[::1] values, const Py_ssize_t[::1] rows, const double[::1] last):
    """The largest difference of some values from the last ones; 0 without any."""
    cdef Py_ssize_t i
    cdef double largest = 0
    for i in range(rows.shape[0]):
        largest = max(largest, fabs(values[rows[i]] - last[i]))
    return largest


def product(const double[:, ::1] matrix, const double[:] values, double[::1] out):
    """out += matrix values"""
    cdef Py_ssize_t i, j
    cdef double total
    for i in range(out.shape[0]):
        total = 0
        for j in range(values.shape[0]):
            total += matrix[i, j] * values[j]
        out[i] += total


def scaled_columns(const double[:] values, const double[::1] factors, const Py_ssize_t[::1] columns, float[:] out):
    """out (m,) = chosen values times their factors, limited to 0..1"""
    cdef Py_ssize_t i
    for i in range(columns.shape[0]):
        out[i] = <float>min(max(factors[columns[i]] * values[columns[i]], 0.0), 1.0)


def turn_between(const double[:, :] first, const double[:, :] last):
    """The rotation vector, in the axes of the first rotation (3, 3), that turns it into the last one"""
    cdef double m[3][3]
    cdef double x, y, z, sine, angle, factor = 0.5
    cdef int i, j, k
    for i in range(3):
        for j in range(3):
            m[i][j] = 0
            for k in range(3):
                m[i][j] += first[k, i] * last[k, j]
    x, y, z = m[2][1] - m[1][2], m[0][2] - m[2][0], m[1][0] - m[0][1]
    sine = 0.5 * sqrt(x * x + y * y + z * z)
    angle = atan2(sine, 0.5 * (m[0][0] + m[1][1] + m[2][2] - 1))
    if sine > 1e-12:
        factor = 0.5 * angle / sine
    return factor * x, factor * y, factor * z
