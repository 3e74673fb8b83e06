# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The inner loop that samples a feature map; feature_maps.py holds the checked public function."""

from libc.math cimport floor


def sample(const float[:, :, ::1] features, const double[:, :, ::1] transforms, float[:, :, :, ::1] out):
    """out (n, side, side, channels), interpolated from features (height, width, channels); 0 outside."""
    cdef Py_ssize_t i, row, column, channel
    cdef Py_ssize_t side = out.shape[1], channels = out.shape[3]
    cdef Py_ssize_t last_row = features.shape[0] - 1, last_column = features.shape[1] - 1
    cdef Py_ssize_t above, below, left, right
    cdef double x, y
    cdef float across, down, upper_left, upper_right, lower_left, lower_right
    cdef const float* first
    cdef const float* second
    cdef const float* third
    cdef const float* fourth
    cdef float* target
    with nogil:
        for i in range(out.shape[0]):
            for row in range(side):
                for column in range(side):
                    target = &out[i, row, column, 0]
                    x = transforms[i, 0, 0] * column + transforms[i, 0, 1] * row + transforms[i, 0, 2]
                    y = transforms[i, 1, 0] * column + transforms[i, 1, 1] * row + transforms[i, 1, 2]
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
