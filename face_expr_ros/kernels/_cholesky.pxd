cdef int eliminate_upper(double *matrix, int size, int count) noexcept nogil
cdef void forward_upper(const double *factor, int size, int count, double *values) noexcept nogil
cdef void backward_upper(const double *factor, int size, int count, double *values) noexcept nogil
