cdef double best_rotation(const double *products, double *rotation) noexcept nogil
