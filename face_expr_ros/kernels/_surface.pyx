# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Inner loops of a face's surface; surface.py holds the checked public functions."""

cdef extern from *:
    """
    #include <math.h>
    #include <string.h>

    #define BLOCK 2048 /* values of the sum that stay in the L1 cache while all rows are added */

    static void add_rows(const float *a, const float *b, const float *c, const float *d, const float *weights,
                         Py_ssize_t count, float *restrict out) {
        const float wa = weights[0], wb = weights[1], wc = weights[2], wd = weights[3];
        for (Py_ssize_t i = 0; i < count; i++) out[i] += wa * a[i] + wb * b[i] + wc * c[i] + wd * d[i];
    }

    /* out[size] = mean[size] + weights[count] times those rows of basis[, size]; four rows at once */
    static void weighted_sum(const float *mean, const float *basis, const Py_ssize_t *rows, const float *weights,
                             int count, Py_ssize_t size, float *out) {
        for (Py_ssize_t first = 0; first < size; first += BLOCK) {
            const Py_ssize_t length = size - first < BLOCK ? size - first : BLOCK;
            memcpy(out + first, mean + first, length * sizeof *out);
            for (int row = 0; row < count; row += 4) {
                const float *at[4];
                float weight[4];
                for (int k = 0; k < 4; k++) {
                    at[k] = basis + rows[row + k < count ? row + k : row] * size + first;
                    weight[k] = row + k < count ? weights[row + k] : 0;
                }
                add_rows(at[0], at[1], at[2], at[3], weight, length, out + first);
            }
        }
    }

    /* normals[vertices, 3], initially zero: the normalized sums of the triangles' cross products */
    static void sum_normals(const float *points, Py_ssize_t vertices, const int *triangles, Py_ssize_t count,
                            float *normals) {
        for (Py_ssize_t t = 0; t < count; t++, triangles += 3) {
            const float *a = points + 3 * (Py_ssize_t)triangles[0], *b = points + 3 * (Py_ssize_t)triangles[1];
            const float *c = points + 3 * (Py_ssize_t)triangles[2];
            const float px = b[0] - a[0], py = b[1] - a[1], pz = b[2] - a[2];
            const float qx = c[0] - a[0], qy = c[1] - a[1], qz = c[2] - a[2];
            const float across[3] = {py * qz - pz * qy, pz * qx - px * qz, px * qy - py * qx};
            for (int corner = 0; corner < 3; corner++) {
                float *normal = normals + 3 * (Py_ssize_t)triangles[corner];
                for (int k = 0; k < 3; k++) normal[k] += across[k];
            }
        }
        for (Py_ssize_t v = 0; v < vertices; v++, normals += 3) {
            const float length = sqrtf(normals[0] * normals[0] + normals[1] * normals[1] + normals[2] * normals[2]);
            const float inverse = 1 / (length > 1e-12f ? length : 1e-12f);
            for (int k = 0; k < 3; k++) normals[k] *= inverse;
        }
    }
    """
    void weighted_sum(const float *mean, const float *basis, const Py_ssize_t *rows, const float *weights, int count,
                      Py_ssize_t size, float *out) noexcept nogil
    void sum_normals(const float *points, Py_ssize_t vertices, const int *triangles, Py_ssize_t count,
                     float *normals) noexcept nogil


def reconstruct(const float[::1] mean, const float[:, ::1] basis, const Py_ssize_t[::1] rows,
                const float[::1] weights, float[::1] out):
    cdef int count = <int>rows.shape[0]
    with nogil:
        weighted_sum(&mean[0], &basis[0, 0], &rows[0], &weights[0], count, mean.shape[0], &out[0])


def normals(const float[:, ::1] vertices, const int[:, ::1] triangles, float[:, ::1] out):
    with nogil:
        sum_normals(&vertices[0, 0], vertices.shape[0], &triangles[0, 0], triangles.shape[0], &out[0, 0])
