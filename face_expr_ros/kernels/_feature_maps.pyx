# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The inner loop that samples a feature map; feature_maps.py holds the checked public function."""

from libc.math cimport floor


cdef void sample_part(const float[:, :, ::1] features, const double *cells, float[:, :, ::1] out) noexcept nogil:
    """out (side, side, channels), interpolated from features (height, width, channels) at cells (2, 3); 0 outside."""
    cdef Py_ssize_t row, column, channel, side = out.shape[0], channels = out.shape[2]
    cdef Py_ssize_t last_row = features.shape[0] - 1, last_column = features.shape[1] - 1
    cdef Py_ssize_t above, below, left, right
    cdef double x, y
    cdef float across, down, upper_left, upper_right, lower_left, lower_right
    cdef const float* first
    cdef const float* second
    cdef const float* third
    cdef const float* fourth
    cdef float* target
    for row in range(side):
        for column in range(side):
            target = &out[row, column, 0]
            x = cells[0] * column + cells[1] * row + cells[2]
            y = cells[3] * column + cells[4] * row + cells[5]
            if not (0 <= x <= last_column and 0 <= y <= last_row):
                for channel in range(channels):
                    target[channel] = 0
                continue
            left, above = <Py_ssize_t>floor(x), <Py_ssize_t>floor(y)
            right = left + 1 if left < last_column else left
            below = above + 1 if above < last_row else above
            across, down = <float>(x - left), <float>(y - above)
            upper_left, upper_right = (1 - across) * (1 - down), across * (1 - down)
            lower_left, lower_right = (1 - across) * down, across * down
            first, second = &features[above, left, 0], &features[above, right, 0]
            third, fourth = &features[below, left, 0], &features[below, right, 0]
            for channel in range(channels):
                target[channel] = (
                    upper_left * first[channel] + upper_right * second[channel]
                    + lower_left * third[channel] + lower_right * fourth[channel]
                )


def sample(const float[:, :, ::1] features, const double[:, :, ::1] transforms, float[:, :, :, ::1] out):
    """out (n, side, side, channels): a part for each of transforms (n, 2, 3)."""
    cdef Py_ssize_t i
    with nogil:
        for i in range(out.shape[0]):
            sample_part(features, &transforms[i, 0, 0], out[i])
