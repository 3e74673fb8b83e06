# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Inner loops over a few hundred points; points.py holds the checked public functions."""

from libc.math cimport NAN
from libc.string cimport memcpy

ctypedef fused real:
    float
    double


def unpack(const unsigned char[::1] data, Py_ssize_t size, const Py_ssize_t[::1] places, float[:, ::1] out):
    """out (n, k): of each record of so many bytes, the floats at these places."""
    cdef Py_ssize_t i, j
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            memcpy(&out[i, j], &data[i * size + places[j]], sizeof(float))


def scale(const real[:, ::1] points, const double[::1] scales, const double[::1] starts, real[:, ::1] out):
    """out (n, k) = points * scales + starts."""
    cdef Py_ssize_t i, j
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            out[i, j] = points[i, j] * <real>scales[j] + <real>starts[j]


def box(const real[:, ::1] points):
    """Left, top, width and height of the box around points (n, >= 2)."""
    cdef real low[2]
    cdef real high[2]
    cdef real value
    cdef Py_ssize_t i, j
    for j in range(2):
        low[j] = high[j] = points[0, j]
        for i in range(points.shape[0]):
            value = points[i, j]
            if value != value:
                low[j] = high[j] = NAN
                break
            low[j], high[j] = min(low[j], value), max(high[j], value)
    return low[0], low[1], <real>(high[0] - low[0]), <real>(high[1] - low[1])


def moments(const real[:, ::1] points):
    """Means of x and y, and their variances, of points (n, >= 2)."""
    cdef double mean[2]
    cdef double variance[2]
    cdef double off
    cdef Py_ssize_t n = points.shape[0], i, j
    for j in range(2):
        mean[j] = variance[j] = 0
        for i in range(n):
            mean[j] += points[i, j]
        mean[j] /= n
        for i in range(n):
            off = points[i, j] - mean[j]
            variance[j] += off * off
        variance[j] /= n
    return mean[0], mean[1], variance[0], variance[1]


def move(const real[:, ::1] points, const double[:, ::1] matrix, const double[::1] start, double[:, ::1] out):
    """out (n, 3): matrix times each of the points, plus start."""
    cdef Py_ssize_t i, r
    for i in range(out.shape[0]):
        for r in range(3):
            out[i, r] = (matrix[r, 0] * points[i, 0] + matrix[r, 1] * points[i, 1] + matrix[r, 2] * points[i, 2]
                         + start[r])


def turn(const double[:, ::1] directions, const double[:, ::1] rotation, double[:, ::1] out):
    """out (n, 2): the directions (x / z, y / z), turned."""
    cdef double x, y, z
    cdef Py_ssize_t i
    for i in range(out.shape[0]):
        x, y = directions[i, 0], directions[i, 1]
        z = rotation[2, 0] * x + rotation[2, 1] * y + rotation[2, 2]
        out[i, 0] = (rotation[0, 0] * x + rotation[0, 1] * y + rotation[0, 2]) / z
        out[i, 1] = (rotation[1, 0] * x + rotation[1, 1] * y + rotation[1, 2]) / z
