cpdef void displace(const float[:, :, ::1] basis, const float[::1] coefficients, double[:, ::1] points) noexcept nogil

cpdef double residuals(const double[:, ::1] points, const double[:, ::1] rotation, const double[::1] position,
                       double offset, const double[:, ::1] directions, const double[::1] depths,
                       const double[::1] across, const double[::1] along, double[::1] errors) noexcept nogil

cdef void upper_normal(const double[:, ::1] points, const float[:, :, ::1] basis, const double[:, ::1] rotation,
                       const double[::1] position, const double[::1] across, const double[::1] along,
                       float[:, ::1] rows, float[:, ::1] gram, double[:, ::1] out) noexcept nogil

cpdef void normal(const double[:, ::1] points, const float[:, :, ::1] basis, const double[:, ::1] rotation,
                  const double[::1] position, const double[::1] across, const double[::1] along, float[:, ::1] rows,
                  float[:, ::1] gram, double[:, ::1] out) noexcept nogil

cpdef void slope(const double[:, ::1] points, const float[:, :, ::1] basis, const double[:, ::1] rotation,
                 const double[::1] position, const double[::1] across, const double[::1] along,
                 const double[::1] errors, double[::1] out) noexcept nogil
