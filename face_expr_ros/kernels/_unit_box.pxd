cdef bint minimize_in_box(const double *normal, Py_ssize_t stride, const double *right, int size, double *work, int *free, int steps, double small) noexcept nogil
