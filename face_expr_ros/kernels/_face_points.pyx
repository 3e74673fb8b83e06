# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The points of a fitted face in the image; face_points.py holds the checked public function."""

from libc.math cimport fabs, sqrt

from face_expr_ros.kernels._normal_equations cimport displace


cdef void weak_perspective(const double[:, ::1] rotation, const double[::1] position, const double *camera,
                           double[:, ::1] out) noexcept nogil:
    """out (3, 4), see geometry.weak_perspective; camera: focal lengths, middle and height, pixels."""
    cdef double x = position[0], y = position[1], z = position[2], scale, length, slant
    cdef double axes[3][3]
    cdef int i, j
    length = sqrt(x * x + y * y + z * z)
    scale = (camera[0] + camera[1]) / 2 / z
    out[0, 3] = x / z * camera[0] + camera[2] + 1
    out[1, 3] = camera[4] - (y / z * camera[1] + camera[3])
    out[2, 3] = 0
    x, y, z = x / length, y / length, z / length
    slant = 1 / (1 + z)
    axes[0][:] = [1 - slant * x * x, -slant * x * y, -x]
    axes[1][:] = [slant * x * y, slant * y * y - 1, y]
    axes[2][:] = [-x, -y, -z]
    for i in range(3):
        for j in range(3):
            out[i, j] = scale * (axes[i][0] * rotation[0, j] + axes[i][1] * rotation[1, j]
                                 + axes[i][2] * rotation[2, j])


def place(const double[:, ::1] mean, const float[:, :, ::1] basis, const float[::1] coefficients,
          const double[:, :, ::1] slide, const Py_ssize_t[::1] mirror, const double[:, ::1] rotation,
          const double[::1] position, const double[:, :] intrinsics, double height, double[:, ::1] points,
          double[:, ::1] pixels, double[:, ::1] matrix):
    """points (3, n): the face in model axes; pixels (n, 3), matrix (3, 4): see face_points.py."""
    cdef Py_ssize_t n = points.shape[1], i, from_row
    cdef int c, r
    cdef double length, turn, size, sign, scale, value
    cdef double at[3]
    cdef double[5] camera = [intrinsics[0, 0], intrinsics[1, 1], intrinsics[0, 2], intrinsics[1, 2], height]
    with nogil:
        points[:, :] = mean
        displace(basis, coefficients, points)
        weak_perspective(rotation, position, camera, matrix)
        length = sqrt(matrix[0, 0] * matrix[0, 0] + matrix[0, 1] * matrix[0, 1] + matrix[0, 2] * matrix[0, 2])
        turn = -matrix[0, 2] / max(length, 1e-12)
        size, scale = fabs(turn), (camera[0] + camera[1]) / 2 / position[2]
        length = sqrt(position[0] * position[0] + position[1] * position[1] + position[2] * position[2])
        for i in range(n):
            if slide.shape[1]:
                from_row = mirror[i] if turn < 0 else i
                for c in range(3):
                    sign = -1 if turn < 0 and c == 0 else 1
                    points[c, i] += sign * (size * slide[0, from_row, c] + size * size * slide[1, from_row, c])
            value = 0
            for r in range(3):
                at[r] = rotation[r, 0] * points[0, i] + rotation[r, 1] * points[1, i] + rotation[r, 2] * points[2, i]
                value += at[r] * position[r]
            pixels[i, 2] = value * scale / length
            pixels[i, 0] = (at[0] + position[0]) / (at[2] + position[2]) * camera[0] + camera[2]
            pixels[i, 1] = (at[1] + position[1]) / (at[2] + position[2]) * camera[1] + camera[3]
