# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Inner loops that sample patches; patches.py holds the checked public function.

The arithmetic is that of cv2.warpAffine for 8 bits: places in 1/1024 of a pixel, rounded to 1/32; weights that are
whole numbers. So the answers are the same to the bit, on every machine.
"""

cdef extern from *:
    """
    #include <math.h>
    #include <stdint.h>
    #include <string.h>
    #if defined(__x86_64__)
    #include <immintrin.h>
    #endif

    #define BLOCK 128 /* fine pixels of a row whose steps are kept */

    /* In 1/1024 of a pixel. Far outside is outside, wherever: that keeps the sums from overflowing. */
    static int64_t fixed(double place) {
        return llrint((place < -1e9 ? -1e9 : place > 1e9 ? 1e9 : place) * 1024);
    }

    /* The bilinear mean of pixels in two rows, rounded; weights in 1/32. */
    static inline unsigned bilinear(unsigned a, unsigned b, unsigned c, unsigned d, unsigned across, unsigned down) {
        unsigned upper = (a << 5) + (b - a) * across, lower = (c << 5) + (d - c) * across;
        return ((upper << 5) + (lower - upper) * down + 512) >> 10;
    }

    static inline unsigned tap(const unsigned char *image, int height, int width, int64_t row, int64_t column) {
        return row < 0 || row >= height || column < 0 || column >= width ? 0 : image[row * width + column];
    }

    static unsigned anywhere(const unsigned char *image, int height, int width, int64_t x, int64_t y) {
        const int64_t column = x >> 10, row = y >> 10;
        return bilinear(tap(image, height, width, row, column), tap(image, height, width, row, column + 1),
                        tap(image, height, width, row + 1, column), tap(image, height, width, row + 1, column + 1),
                        (unsigned)(x >> 5 & 31), (unsigned)(y >> 5 & 31));
    }

    static inline unsigned within(const unsigned char *image, int width, int32_t x, int32_t y) {
        const unsigned char *p = image + (Py_ssize_t)(y >> 10) * width + (x >> 10);
        return bilinear(p[0], p[1], p[width], p[width + 1], x >> 5 & 31, y >> 5 & 31);
    }

    /* fine[count]: a row of fine pixels that all lie within the image. */
    static void narrow_row(const unsigned char *image, int width, const int32_t *across_x, const int32_t *across_y,
                           int32_t x0, int32_t y0, int count, int32_t *fine) {
        for (int i = 0; i < count; i++) fine[i] = within(image, width, x0 + across_x[i], y0 + across_y[i]);
    }

    #if defined(__x86_64__)
    /* The same, eight at once: a gathered word holds a pixel and its right neighbor. */
    __attribute__((target("avx2")))
    static void wide_row(const unsigned char *image, int width, const int32_t *across_x, const int32_t *across_y,
                         int32_t x0, int32_t y0, int count, int32_t *fine) {
        const __m256i fraction = _mm256_set1_epi32(31), byte = _mm256_set1_epi32(255), half = _mm256_set1_epi32(512);
        int i = 0;
        for (; i + 8 <= count; i += 8) {
            __m256i x = _mm256_add_epi32(_mm256_set1_epi32(x0), _mm256_loadu_si256((const __m256i *)(across_x + i)));
            __m256i y = _mm256_add_epi32(_mm256_set1_epi32(y0), _mm256_loadu_si256((const __m256i *)(across_y + i)));
            __m256i place = _mm256_add_epi32(_mm256_mullo_epi32(_mm256_srai_epi32(y, 10), _mm256_set1_epi32(width)),
                                             _mm256_srai_epi32(x, 10));
            __m256i above = _mm256_i32gather_epi32((const int *)image, place, 1);
            __m256i below = _mm256_i32gather_epi32((const int *)(image + width), place, 1);
            __m256i a = _mm256_and_si256(above, byte), b = _mm256_and_si256(_mm256_srli_epi32(above, 8), byte);
            __m256i c = _mm256_and_si256(below, byte), d = _mm256_and_si256(_mm256_srli_epi32(below, 8), byte);
            x = _mm256_and_si256(_mm256_srai_epi32(x, 5), fraction);
            y = _mm256_and_si256(_mm256_srai_epi32(y, 5), fraction);
            __m256i upper = _mm256_add_epi32(_mm256_slli_epi32(a, 5), _mm256_mullo_epi32(_mm256_sub_epi32(b, a), x));
            __m256i lower = _mm256_add_epi32(_mm256_slli_epi32(c, 5), _mm256_mullo_epi32(_mm256_sub_epi32(d, c), x));
            __m256i sum = _mm256_add_epi32(_mm256_slli_epi32(upper, 5),
                                           _mm256_mullo_epi32(_mm256_sub_epi32(lower, upper), y));
            _mm256_storeu_si256((__m256i *)(fine + i), _mm256_srli_epi32(_mm256_add_epi32(sum, half), 10));
        }
        narrow_row(image, width, across_x + i, across_y + i, x0, y0, count - i, fine + i);
    }
    #endif

    static void row_within(const unsigned char *image, int width, const int32_t *across_x, const int32_t *across_y,
                           int32_t x0, int32_t y0, int count, int32_t *fine) {
    #if defined(__x86_64__)
        if (__builtin_cpu_supports("avx2")) {
            wide_row(image, width, across_x, across_y, x0, y0, count, fine);
            return;
        }
    #endif
        narrow_row(image, width, across_x, across_y, x0, y0, count, fine);
    }

    /* Whether no fine pixel is read outside the image, nor the two pixels right of those that are: the corners of the
       patch lie inside by three pixels. */
    static int is_inside(const double *transform, int height, int width, int side) {
        for (int corner = 0; corner < 4; corner++) {
            const double i = corner % 2 ? 2 * side - 1 : 0, j = corner / 2 ? 2 * side - 1 : 0;
            const double x = transform[0] * i + transform[1] * j + transform[2];
            const double y = transform[3] * i + transform[4] * j + transform[5];
            if (!(1 <= x && x < width - 4 && 1 <= y && y < height - 3)) return 0;
        }
        return width < 1 << 20 && height < 1 << 20 && (int64_t)width * height < 1 << 30;
    }

    /* out[side, side]: of each of its pixels the mean of 2 x 2 fine ones. */
    static void sample(const unsigned char *image, int height, int width, const double *transform, int side,
                       unsigned char *out) {
        const int inside = is_inside(transform, height, width, side);
        for (int first = 0; first < side; first += BLOCK / 2) {
            const int count = side - first < BLOCK / 2 ? side - first : BLOCK / 2;
            int64_t across_x[BLOCK], across_y[BLOCK];
            int32_t short_x[BLOCK], short_y[BLOCK];
            for (int i = 0; i < 2 * count; i++) {
                across_x[i] = fixed(transform[0] * (2 * first + i));
                across_y[i] = fixed(transform[3] * (2 * first + i));
                short_x[i] = (int32_t)across_x[i], short_y[i] = (int32_t)across_y[i];
            }
            for (int y = 0; y < side; y++) {
                int32_t fine[2][BLOCK];
                for (int row = 0; row < 2; row++) {
                    const int64_t x0 = fixed(transform[1] * (2 * y + row) + transform[2]) + 16;
                    const int64_t y0 = fixed(transform[4] * (2 * y + row) + transform[5]) + 16;
                    if (inside)
                        row_within(image, width, short_x, short_y, (int32_t)x0, (int32_t)y0, 2 * count, fine[row]);
                    else
                        for (int i = 0; i < 2 * count; i++)
                            fine[row][i] = anywhere(image, height, width, x0 + across_x[i], y0 + across_y[i]);
                }
                for (int i = 0; i < count; i++) {
                    const int sum = fine[0][2 * i] + fine[0][2 * i + 1] + fine[1][2 * i] + fine[1][2 * i + 1];
                    out[(Py_ssize_t)y * side + first + i] = (unsigned char)((sum + 2) >> 2);
                }
            }
        }
    }
    """
    void sample(const unsigned char *image, int height, int width, const double *transform, int side,
                unsigned char *out) noexcept nogil


def cut(const unsigned char[:, ::1] image, const double[:, :, ::1] transforms, unsigned char[:, :, ::1] out):
    cdef int height = <int>image.shape[0], width = <int>image.shape[1], side = <int>out.shape[1]
    cdef Py_ssize_t i
    with nogil:
        for i in range(transforms.shape[0]):
            sample(&image[0, 0], height, width, &transforms[i, 0, 0], side, &out[i, 0, 0])
