# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The landmark fit of one face in one call; landmark_fit.py holds the checked public class."""

from libc.math cimport fabs, cos, sin, sqrt

from face_expr_ros.kernels._cholesky cimport backward_upper, eliminate_upper, forward_upper
from face_expr_ros.kernels._normal_equations cimport displace, residuals, slope, upper_normal
from face_expr_ros.kernels._similarity cimport best_rotation
from face_expr_ros.kernels._unit_box cimport minimize_in_box

import numpy as np

cdef enum:
    POSE = 7  # unknowns before the coefficients
    NEWTON_STEPS = 30
    FITTED = 0
    NOT_SPREAD = 1
    NOT_DETERMINED = 2

cdef double MIN_GRADIENT = 1e-6
cdef double CONVERGED_ROTATION = 2e-3  # radians; after a smaller step about a tenth of it remains
cdef double LARGE_ROTATION = 0.01  # radians; after a larger step the normal matrix is computed anew
cdef double MIN_VARIANCE = 1.0  # square pixels; FaceMesh may return all points in one place


cdef void mean_and_variance(const double *values, Py_ssize_t count, Py_ssize_t stride, double *mean,
                            double *variance) noexcept nogil:
    cdef Py_ssize_t i
    cdef double total = 0, square = 0
    for i in range(count):
        total += values[i * stride]
    mean[0] = total / count
    for i in range(count):
        square += (values[i * stride] - mean[0]) * (values[i * stride] - mean[0])
    variance[0] = square / count


cdef void rotation_to_axis(double x, double y, double z, double[:, ::1] out) noexcept nogil:
    """See geometry.rotation_to_axis."""
    cdef double length = sqrt(x * x + y * y + z * z), slant
    x, y, z = x / length, y / length, z / length
    slant = 1 / (1 + z)
    out[0, 0], out[0, 1], out[0, 2] = 1 - slant * x * x, -slant * x * y, -x
    out[1, 0], out[1, 1], out[1, 2] = -slant * x * y, 1 - slant * y * y, -y
    out[2, 0], out[2, 1], out[2, 2] = x, y, z


cdef void turn(const double *vector, double[:, ::1] rotation) noexcept nogil:
    """rotation = (the rotation of a rotation vector) rotation"""
    cdef double angle = sqrt(vector[0] * vector[0] + vector[1] * vector[1] + vector[2] * vector[2])
    cdef double first = 1 - angle * angle / 6, second = 0.5 - angle * angle / 24, x, y, z
    cdef double m[3][3]
    cdef double column[3]
    cdef int i, j
    if angle > 1e-4:
        first, second = sin(angle) / angle, (1 - cos(angle)) / (angle * angle)
    x, y, z = vector[0], vector[1], vector[2]
    m[0][:] = [1 - second * (y * y + z * z), second * x * y - first * z, second * x * z + first * y]
    m[1][:] = [second * x * y + first * z, 1 - second * (x * x + z * z), second * y * z - first * x]
    m[2][:] = [second * x * z - first * y, second * y * z + first * x, 1 - second * (x * x + y * y)]
    for j in range(3):
        for i in range(3):
            column[i] = rotation[i, j]
        for i in range(3):
            rotation[i, j] = m[i][0] * column[0] + m[i][1] * column[1] + m[i][2] * column[2]


def rays(const float[:, :] landmarks, const Py_ssize_t[::1] chosen, const double[:, :] matrix, double[:, ::1] out):
    """out (n, 2): the directions of the chosen landmarks in a pinhole camera"""
    cdef Py_ssize_t i
    cdef double across = 1 / matrix[0, 0], down = 1 / matrix[1, 1]
    cdef double left = matrix[0, 2] / matrix[0, 0], top = matrix[1, 2] / matrix[1, 1]
    with nogil:
        for i in range(chosen.shape[0]):
            out[i, 0] = landmarks[chosen[i], 0] * across - left
            out[i, 1] = landmarks[chosen[i], 1] * down - top


cdef class LandmarkFit:
    """See landmark_fit.LandmarkFit. All arrays are preallocated, because none depends on the face."""

    cdef const double[:, ::1] mean
    cdef const float[:, :, ::1] basis
    cdef const double[::1] across
    cdef const double[::1] along
    cdef const double[:, ::1] prior
    cdef double[:, ::1] points, directions, normal, factor, work, toward, rotation
    cdef double[::1] depths, errors, right, unknowns, solution, position
    cdef float[:, ::1] rows, gram
    cdef float[::1] narrow
    cdef int[::1] free
    cdef int shape_count, size, unbounded, expressions
    cdef double offset
    cdef public double mean_square

    def __init__(self, mean, basis, across, along, prior, rows, gram, int shape_count):
        cdef int n = mean.shape[1], coefficients = basis.shape[2]
        self.mean, self.basis, self.across, self.along, self.prior = mean, basis, across, along, prior
        self.rows, self.gram = rows, gram
        self.shape_count, self.size, self.unbounded = shape_count, POSE + coefficients, POSE + shape_count
        self.expressions = coefficients - shape_count
        self.points, self.directions, self.depths = np.empty((3, n)), np.empty((n, 2)), np.empty(n)
        self.errors = np.empty(3 * n)
        self.normal, self.factor = np.empty((self.size, self.size)), np.empty((self.size, self.size))
        self.right, self.unknowns, self.solution = np.empty(self.size), np.empty(self.size), np.empty(self.size)
        self.work, self.free = np.empty((5 + self.expressions, self.expressions)), np.empty(self.expressions, np.intc)
        self.toward, self.rotation, self.position = np.empty((3, 3)), np.empty((3, 3)), np.empty(3)
        self.narrow = np.empty(coefficients, np.float32)

    def solve(self, const float[:, :] landmarks, const Py_ssize_t[::1] chosen, const double[:, ::1] rays,
              const double[::1] shape, const double[::1] expected, double inverse_variance, int iterations,
              double[:, ::1] rotation, double[::1] position, double[::1] coefficients):
        """Fits the chosen rows of landmarks (N, 3), of which rays (n, 2) are the directions.

        Writes rotation (3, 3), position (3,) in the camera frame and coefficients; returns FITTED or why it is not.
        """
        cdef int status
        with nogil:
            status = self.fit(landmarks, chosen, rays, shape, expected, inverse_variance, iterations, rotation,
                              position, coefficients)
        return status

    cdef int fit(self, const float[:, :] landmarks, const Py_ssize_t[::1] chosen, const double[:, ::1] rays,
                 const double[::1] shape, const double[::1] expected, double inverse_variance, int iterations,
                 double[:, ::1] rotation, double[::1] position, double[::1] coefficients) noexcept nogil:
        cdef int i, j
        cdef double turned = LARGE_ROTATION * 2
        if not self.observe(landmarks, chosen, rays):
            return NOT_SPREAD
        for i in range(self.shape_count):
            coefficients[i] = shape[i]
        for i in range(self.shape_count, coefficients.shape[0]):
            coefficients[i] = 0
        self.place(coefficients)
        self.align()
        self.linearize()
        for i in range(iterations):
            if turned > LARGE_ROTATION and not self.factorize(inverse_variance):
                return NOT_DETERMINED
            turned = self.step(expected, inverse_variance, coefficients)
            if turned < 0:
                return NOT_DETERMINED
            self.place(coefficients)
            self.linearize()
            if turned < CONVERGED_ROTATION:
                break
        for i in range(3):
            position[i] = 0
            for j in range(3):
                position[i] += self.toward[j, i] * self.position[j]
                rotation[i, j] = (self.toward[0, i] * self.rotation[0, j] + self.toward[1, i] * self.rotation[1, j]
                                  + self.toward[2, i] * self.rotation[2, j])
        return FITTED

    cdef bint observe(self, const float[:, :] landmarks, const Py_ssize_t[::1] chosen,
                      const double[:, ::1] rays) noexcept nogil:
        """Directions and relative depths in the camera that is rotated to the face; False for degenerate points.

        FaceMesh processes a crop around the face, so its depths are along the ray to the face, not the optical axis.
        """
        cdef Py_ssize_t n = chosen.shape[0], i, k
        cdef double[2] middle
        cdef double[2] spread
        cdef double pixels, x, y, z, scale
        for k in range(2):
            for i in range(n):
                self.depths[i] = landmarks[chosen[i], k]
            mean_and_variance(&self.depths[0], n, 1, &middle[k], &spread[k])
            if not spread[k] >= MIN_VARIANCE:  # also for NaN
                return False
        pixels = spread[0] + spread[1]
        for k in range(2):
            mean_and_variance(&rays[0, k], n, 2, &middle[k], &spread[k])
        rotation_to_axis(middle[0], middle[1], 1, self.toward)
        for i in range(n):
            x, y = rays[i, 0], rays[i, 1]
            z = self.toward[2, 0] * x + self.toward[2, 1] * y + self.toward[2, 2]
            self.directions[i, 0] = (self.toward[0, 0] * x + self.toward[0, 1] * y + self.toward[0, 2]) / z
            self.directions[i, 1] = (self.toward[1, 0] * x + self.toward[1, 1] * y + self.toward[1, 2]) / z
        for k in range(2):
            mean_and_variance(&self.directions[0, k], n, 2, &middle[k], &spread[k])
        scale = sqrt((spread[0] + spread[1]) / max(pixels, 1e-12))
        for i in range(n):
            self.depths[i] = landmarks[chosen[i], 2] * scale
        return True

    cdef void place(self, const double[::1] coefficients) noexcept nogil:
        """The points for the coefficients, in model axes."""
        cdef int i
        for i in range(coefficients.shape[0]):
            self.narrow[i] = <float>coefficients[i]
        self.points[:, :] = self.mean
        displace(self.basis, self.narrow, self.points)

    cdef void align(self) noexcept nogil:
        """The best similarity (Umeyama, 1991) from the model to rays and depths, as the initial state."""
        cdef Py_ssize_t n = self.depths.shape[0], i
        cdef int a, b
        cdef double[3] source
        cdef double[3] target
        cdef double[3] centered
        cdef double[9] products
        cdef double unused, spread = 0, correlation, distance
        for a in range(3):
            mean_and_variance(&self.points[a, 0], n, 1, &source[a], &unused)
            spread += unused * n
        for a in range(2):
            mean_and_variance(&self.directions[0, a], n, 2, &target[a], &unused)
        mean_and_variance(&self.depths[0], n, 1, &target[2], &unused)
        for a in range(9):
            products[a] = 0
        for i in range(n):
            centered[0], centered[1] = self.directions[i, 0] - target[0], self.directions[i, 1] - target[1]
            centered[2] = self.depths[i] - target[2]
            for a in range(3):
                for b in range(3):
                    products[3 * a + b] += centered[a] * (self.points[b, i] - source[b])
        correlation = best_rotation(products, &self.rotation[0, 0])
        distance = spread / correlation
        target[2] = 1
        for a in range(3):
            self.position[a] = distance * target[a] - (
                self.rotation[a, 0] * source[0] + self.rotation[a, 1] * source[1] + self.rotation[a, 2] * source[2])
        self.offset = 0

    cdef void linearize(self) noexcept nogil:
        self.mean_square = residuals(self.points, self.rotation, self.position, self.offset, self.directions,
                                     self.depths, self.across, self.along, self.errors)

    cdef bint factorize(self, double inverse_variance) noexcept nogil:
        """The normal matrix of landmarks and priors, and its partial factor; False if it is not positive definite."""
        cdef int i, j
        upper_normal(self.points, self.basis, self.rotation, self.position, self.across, self.along, self.rows,
                     self.gram, self.normal)
        for i in range(POSE, self.unbounded):
            self.normal[i, i] += inverse_variance
        for i in range(self.expressions):
            for j in range(i, self.expressions):
                self.normal[self.unbounded + i, self.unbounded + j] += self.prior[i, j]
        self.factor[:, :] = self.normal
        return eliminate_upper(&self.factor[0, 0], self.size, self.unbounded) == self.unbounded

    cdef double step(self, const double[::1] expected, double inverse_variance,
                     double[::1] coefficients) noexcept nogil:
        """One Gauss-Newton step; returns the largest component of its rotation, -1 if it is not determined."""
        cdef int i
        self.fill_right(expected, inverse_variance, coefficients)
        self.solution[:] = self.right
        forward_upper(&self.factor[0, 0], self.size, self.unbounded, &self.solution[0])
        for i in range(self.expressions):
            self.work[0, i] = coefficients[self.shape_count + i]
        if self.expressions:
            if not minimize_in_box(&self.factor[self.unbounded, self.unbounded], self.size,
                                   &self.solution[self.unbounded], self.expressions, &self.work[0, 0], &self.free[0],
                                   NEWTON_STEPS, MIN_GRADIENT):
                return -1
            self.solution[self.unbounded:] = self.work[0, :]
        backward_upper(&self.factor[0, 0], self.size, self.unbounded, &self.solution[0])
        turn(&self.solution[0], self.rotation)
        for i in range(3):
            self.position[i] = self.solution[3 + i]
        self.offset = self.solution[6]
        for i in range(coefficients.shape[0]):
            coefficients[i] = self.solution[POSE + i]
        return max(fabs(self.solution[0]), fabs(self.solution[1]), fabs(self.solution[2]))

    cdef void fill_right(self, const double[::1] expected, double inverse_variance,
                         const double[::1] coefficients) noexcept nogil:
        """right = normal times the unknowns, minus the gradient of landmarks and priors."""
        cdef int i, j
        cdef double total, value
        slope(self.points, self.basis, self.rotation, self.position, self.across, self.along, self.errors, self.right)
        for i in range(self.shape_count):
            self.right[POSE + i] += inverse_variance * (coefficients[i] - expected[i])
        for i in range(self.expressions):
            total = 0
            for j in range(self.expressions):
                total += self.prior[i, j] * coefficients[self.shape_count + j]
            self.right[self.unbounded + i] += total
        for i in range(3):
            self.unknowns[i], self.unknowns[3 + i] = 0, self.position[i]
        self.unknowns[6] = self.offset
        for i in range(coefficients.shape[0]):
            self.unknowns[POSE + i] = coefficients[i]
        for i in range(self.size):
            self.right[i] = -self.right[i]
        for i in range(self.size):
            value, total = self.unknowns[i], self.normal[i, i] * self.unknowns[i]
            for j in range(i + 1, self.size):
                total += self.normal[i, j] * self.unknowns[j]
                self.right[j] += self.normal[i, j] * value
            self.right[i] += total
