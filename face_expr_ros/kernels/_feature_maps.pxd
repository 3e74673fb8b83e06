cdef void sample_part(const float[:, :, ::1] features, const double *cells, float[:, :, ::1] out) noexcept nogil
