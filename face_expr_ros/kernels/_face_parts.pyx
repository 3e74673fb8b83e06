# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Inner loops around FaceMesh's second network; face_parts.py holds the checked public class."""

from libc.math cimport sqrt

from face_expr_ros.kernels._feature_maps cimport sample_part


cdef void part_axes(const float[:, ::1] mesh, const int[::1] part, int corner, int opposite, double margin,
                    double *axes) noexcept nogil:
    """axes (2, 3): from a part of the face, with corners (0, 0) and (1, 1), to the input of the first network."""
    cdef double right = mesh[opposite, 0] - mesh[corner, 0], down = mesh[opposite, 1] - mesh[corner, 1]
    cdef double length = sqrt(right * right + down * down), x, y, across, along, width, height
    cdef double left = 1e300, top = 1e300, far = -1e300, low = -1e300
    cdef Py_ssize_t i
    if length > 0:
        right, down = right / length, down / length
    else:
        right, down = 1, 0
    for i in range(part.shape[0]):
        x, y = mesh[part[i], 0], mesh[part[i], 1]
        across, along = right * x + down * y, right * y - down * x
        left, far, top, low = min(left, across), max(far, across), min(top, along), max(low, along)
    width, height = margin * (far - left), margin * (low - top)
    left, top = (left + far - width) / 2, (top + low - height) / 2
    axes[0], axes[1], axes[2] = right * width, -down * height, right * left - down * top
    axes[3], axes[4], axes[5] = down * width, right * height, down * left + right * top


def cut(const float[:, ::1] mesh, const int[::1] indices, const int[::1] ends, const int[:, ::1] corners,
        double margin, int cell, const float[:, :, ::1] features, double[:, :, ::1] axes, list parts):
    """Each of ``parts`` (side, side, channels): that of the feature map, whose indices end at ``ends``; axes (n, 2, 3).
    """
    cdef Py_ssize_t n, r, begin = 0, side
    cdef float[:, :, ::1] out
    cdef double[2][3] cells  # from the cells of a part to those of the feature map, from the center of the first one
    for n in range(axes.shape[0]):
        out = parts[n]
        with nogil:
            side = out.shape[0]
            part_axes(mesh, indices[begin : ends[n]], corners[n, 0], corners[n, 1], margin, &axes[n, 0, 0])
            begin = ends[n]
            for r in range(2):
                cells[r][0], cells[r][1] = axes[n, r, 0] / (side * cell), axes[n, r, 1] / (side * cell)
                cells[r][2] = axes[n, r, 2] / cell + cells[r][0] / 2 + cells[r][1] / 2 - 0.5
            sample_part(features, &cells[0][0], out)


def place(list answers, list places, const Py_ssize_t[::1] parts, const double[:, :, ::1] axes, double unit,
          int lids, float[:, ::1] points):
    """points[places[i]] (x, y): answers[i], in the axes of parts[i]; see face_parts.py."""
    cdef Py_ssize_t count, i, n
    cdef double x, y, depth
    cdef const float[::1] answer
    cdef const int[::1] indices
    cdef const int[::1] eye
    for n in range(parts.shape[0]):
        answer, indices, eye = answers[n], places[n], places[parts[n]]
        count = indices.shape[0]
        with nogil:
            for i in range(count):
                x, y = answer[2 * i] / unit, answer[2 * i + 1] / unit
                points[indices[i], 0] = <float>(axes[parts[n], 0, 0] * x + axes[parts[n], 0, 1] * y
                                                + axes[parts[n], 0, 2])
                points[indices[i], 1] = <float>(axes[parts[n], 1, 0] * x + axes[parts[n], 1, 1] * y
                                                + axes[parts[n], 1, 2])
            if n != parts[n]:
                depth = 0
                for i in range(lids):
                    depth += points[eye[i], 2]
                for i in range(count):
                    points[indices[i], 2] = <float>(depth / lids)
