# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The inner loop of the One-Euro filter; one_euro.py holds the checked public function."""

from libc.math cimport fabs, isnan, sqrt

cdef double PI = 3.141592653589793

ctypedef fused Number:
    float
    double

cdef struct Noise:
    double weight, min_limit, sigmas, speeds, residual, min_cutoff


cdef double sigma_of(double value, double[:, ::1] state, Py_ssize_t i, const Noise *noise) noexcept nogil:
    """The standard deviation of the noise, updated with a value; see one_euro.py."""
    cdef double change, limit, reversal
    if isnan(state[4, i]):  # the first value
        state[2, i], state[3, i], state[4, i] = 0, value, 0
        return 0
    change = value - state[3, i]
    limit = max(noise.min_limit, noise.sigmas * state[2, i])
    reversal = min(max(-change * state[4, i], -limit), limit)
    state[2, i] = max(state[2, i] + noise.weight * (reversal - state[2, i]), 0.0)
    state[3, i], state[4, i] = value, change
    return sqrt(state[2, i])


def step(const Number[::1] values, double scale, double elapsed, const double[:, ::1] settings, double speed_gain,
         Py_ssize_t noisy, tuple levels, double[:, ::1] state, Number[::1] out):
    cdef Py_ssize_t i
    cdef double value, change, cutoff, dead_zone, unit, sigma, quiet, still = 1 / (2 * PI * elapsed)
    cdef Noise noise
    noise.weight, noise.min_limit, noise.sigmas, noise.speeds, noise.residual, noise.min_cutoff = levels
    noise.weight = min(1.0, elapsed / noise.weight)  # of the latest product of changes, by the time constant
    with nogil:
        for i in range(values.shape[0]):
            value, unit, dead_zone, cutoff = values[i] / scale, settings[0, i], settings[1, i], settings[2, i]
            if i >= noisy:
                sigma = sigma_of(value, state, i, &noise)
                dead_zone = max(dead_zone, noise.speeds * sigma / (elapsed * unit))
                quiet = noise.residual / max(sigma, noise.residual)
                cutoff = min(cutoff, max(quiet * quiet / (PI * elapsed), noise.min_cutoff))
            change = value - state[0, i]
            state[1, i] += speed_gain * (change / (elapsed * unit) - state[1, i])
            cutoff += settings[3, i] * max(fabs(state[1, i]) - dead_zone, 0.0)
            state[0, i] += change / (1 + still / cutoff)
            out[i] = <Number>(state[0, i] * scale)
