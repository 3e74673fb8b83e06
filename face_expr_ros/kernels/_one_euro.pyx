# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Inner loop of the One-Euro filter; one_euro.py holds the checked public function."""

from libc.math cimport M_PI, fabs


cdef inline double gain(double cutoff, double elapsed) noexcept nogil:
    return 1 / (1 + 1 / (2 * M_PI * cutoff * elapsed))


def step(const double[::1] value, const double[::1] last, double[::1] speed, const double[:, ::1] settings,
         double derivative_cutoff, double elapsed, double[::1] out):
    """settings (4, n): unit, slow, minimum cutoff and beta; speed is changed in place."""
    cdef double at_once = gain(derivative_cutoff, elapsed), seen, cutoff
    cdef Py_ssize_t i
    for i in range(out.shape[0]):
        seen = (value[i] - last[i]) / (elapsed * settings[0, i])
        speed[i] += at_once * (seen - speed[i])
        cutoff = settings[2, i] + settings[3, i] * max(fabs(speed[i]) - settings[1, i], 0.0)
        out[i] = last[i] + gain(cutoff, elapsed) * (value[i] - last[i])
