# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Joins and splits the numbers of a face; face_numbers.py holds the checked public functions."""

from libc.math cimport sqrt


cdef void quaternion_of(const double[:, :] m, double *q) noexcept nogil:
    """q (4,) x, y, z, w, see rotations.quaternion_from_rotation"""
    cdef double trace = m[0, 0] + m[1, 1] + m[2, 2], length
    cdef int i = 0, j, k
    for j in range(1, 3):
        if m[j, j] > m[i, i]:
            i = j
    if trace >= m[i, i]:
        q[0], q[1], q[2], q[3] = m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1], 1 + trace
    else:
        j, k = (i + 1) % 3, (i + 2) % 3
        q[i], q[j], q[k] = 1 - trace + 2 * m[i, i], m[j, i] + m[i, j], m[k, i] + m[i, k]
        q[3] = m[k, j] - m[j, k]
    length = sqrt(q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3])
    for i in range(4):
        q[i] /= length


cdef void rotation_of(const double *q, double[:, ::1] m) noexcept nogil:
    """m (3, 3), see rotations.rotation_from_quaternion"""
    cdef double scale = sqrt(2 / (q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3]))
    cdef double x = q[0] * scale, y = q[1] * scale, z = q[2] * scale, w = q[3] * scale
    m[0, 0], m[0, 1], m[0, 2] = 1 - y * y - z * z, x * y - z * w, x * z + y * w
    m[1, 0], m[1, 1], m[1, 2] = x * y + z * w, 1 - x * x - z * z, y * z - x * w
    m[2, 0], m[2, 1], m[2, 2] = x * z - y * w, y * z + x * w, 1 - x * x - y * y


cdef Py_ssize_t put(const double[:] values, double[::1] out, Py_ssize_t begin) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(values.shape[0]):
        out[begin + i] = values[i]
    return begin + values.shape[0]


def join(const double[:] position, const double[:] shape, const double[:] expression, const double[:, :] points,
         const double[:, :] matrix, const double[:, :] rotation, const double[:] values, const double[::1] last,
         double height, double axis_length, double unit, double[::1] out):
    """See face_numbers.join_numbers."""
    cdef Py_ssize_t begin, i
    cdef int row, column
    cdef double sign = 0
    cdef double[4] quaternion
    with nogil:
        begin = put(expression, out, put(shape, out, put(position, out, 0)))
        for i in range(points.shape[0]):
            for column in range(3):
                out[begin + 3 * i + column] = points[i, column] / height
        begin += 3 * points.shape[0]
        for column in range(3):
            out[begin + column] = matrix[column, 3] / height
        for row in range(3):
            for column in range(3):
                out[begin + 3 + 3 * row + column] = (matrix[column, row] * axis_length + matrix[column, 3]) / height
        begin += 12
        quaternion_of(rotation, quaternion)
        for row in range(4):
            sign += quaternion[row] * last[row]
        for row in range(4):
            out[begin + row] = unit * (-quaternion[row] if sign < 0 else quaternion[row])
        put(values, out, begin + 4)


def split(const double[::1] numbers, Py_ssize_t begin, double height, double axis_length, double unit,
          double[:, ::1] points, double[:, ::1] matrix, double[:, ::1] rotation, double[::1] quaternion):
    """See face_numbers.split_numbers."""
    cdef Py_ssize_t i
    cdef int row, column
    with nogil:
        for i in range(points.shape[0]):
            for column in range(3):
                points[i, column] = numbers[begin + 3 * i + column] * height
        begin += 3 * points.shape[0]
        for column in range(3):
            matrix[column, 3] = numbers[begin + column] * height
        for row in range(3):
            for column in range(3):
                matrix[column, row] = (numbers[begin + 3 + 3 * row + column] * height - matrix[column, 3]) / axis_length
        begin += 12
        for row in range(4):
            quaternion[row] = numbers[begin + row] / unit
        rotation_of(&quaternion[0], rotation)
