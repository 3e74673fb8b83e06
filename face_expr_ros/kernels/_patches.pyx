# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Inner loops that sample patches; patches.py holds the checked public functions.

The arithmetic is that of cv2.warpAffine for 8 bits: positions in 1/1024 of a pixel, rounded to 1/32, and integer
weights. The results are therefore bit-identical on every machine.
"""

cdef extern from *:
    """
    #include <math.h>
    #include <stdint.h>
    #include <string.h>
    #if defined(__x86_64__) && !defined(NARROW)
    #include <immintrin.h>
    #endif

    enum { BLUE = 3735, GREEN = 19235, RED = 9798 }; /* of 32768 */
    #define BLOCK 128 /* fine pixels of a row whose offsets are stored */

    /* In 1/1024 of a pixel; clamped far outside the image, so that sums do not overflow. */
    static inline int64_t fixed(double place) {
        const double parts = (place < -1e9 ? -1e9 : place > 1e9 ? 1e9 : place) * 1024;
    #if defined(__x86_64__) && !defined(NARROW)
        return _mm_cvtsd_si64(_mm_set_sd(parts)); /* llrint as an instruction instead of a call */
    #else
        return llrint(parts);
    #endif
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

    /* Offsets of the fine pixels of a row from its first one, and the starts of two rows, in 1/1024 of a pixel. */
    typedef struct {
        const int32_t *across_x, *across_y;
        int32_t x[2], y[2];
    } Rows;

    /* out[count]: means of 2 x 2 fine pixels, all of which are inside the image. */
    static void narrow_row(const unsigned char *image, int width, const Rows *rows, int first, int count,
                           unsigned char *out) {
        for (int i = first; i < count; i++) {
            unsigned sum = 2;
            for (int fine = 0; fine < 4; fine++)
                sum += within(image, width, rows->x[fine / 2] + rows->across_x[2 * i + fine % 2],
                              rows->y[fine / 2] + rows->across_y[2 * i + fine % 2]);
            out[i] = (unsigned char)(sum >> 2);
        }
    }

    #if defined(__x86_64__) && !defined(NARROW)
    /* Eight fine pixels of a row at once: a gathered word holds a pixel and its right neighbor. */
    __attribute__((target("avx2")))
    static inline __m256i eight(const unsigned char *image, int width, const Rows *rows, int row, int i) {
        const __m256i fraction = _mm256_set1_epi32(31), whole = _mm256_set1_epi32(32);
        __m256i x = _mm256_loadu_si256((const __m256i *)(rows->across_x + i));
        __m256i y = _mm256_loadu_si256((const __m256i *)(rows->across_y + i));
        x = _mm256_add_epi32(x, _mm256_set1_epi32(rows->x[row]));
        y = _mm256_add_epi32(y, _mm256_set1_epi32(rows->y[row]));
        const __m256i place = _mm256_add_epi32(_mm256_mullo_epi32(_mm256_srai_epi32(y, 10), _mm256_set1_epi32(width)),
                                               _mm256_srai_epi32(x, 10));
        const __m256i above = _mm256_i32gather_epi32((const int *)image, place, 1);
        const __m256i below = _mm256_i32gather_epi32((const int *)(image + width), place, 1);
        x = _mm256_and_si256(_mm256_srli_epi32(x, 5), fraction);
        y = _mm256_and_si256(_mm256_srli_epi32(y, 5), fraction);
        x = _mm256_or_si256(_mm256_sub_epi32(whole, x), _mm256_slli_epi32(x, 8)); /* weights of left and right */
        x = _mm256_or_si256(x, _mm256_slli_epi32(x, 16)); /* the same above and below */
        y = _mm256_or_si256(_mm256_sub_epi32(whole, y), _mm256_slli_epi32(y, 16));
        const __m256i pixels = _mm256_blend_epi16(above, _mm256_slli_epi32(below, 16), 0xaa);
        const __m256i sum = _mm256_madd_epi16(_mm256_maddubs_epi16(pixels, x), y);
        return _mm256_srli_epi32(_mm256_add_epi32(sum, _mm256_set1_epi32(512)), 10);
    }

    __attribute__((target("avx2")))
    static void wide_row(const unsigned char *image, int width, const Rows *rows, int count, unsigned char *out) {
        int i = 0;
        for (; i + 8 <= count; i += 8) {
            const __m256i left = _mm256_add_epi32(eight(image, width, rows, 0, 2 * i),
                                                  eight(image, width, rows, 1, 2 * i));
            const __m256i right = _mm256_add_epi32(eight(image, width, rows, 0, 2 * i + 8),
                                                   eight(image, width, rows, 1, 2 * i + 8));
            __m256i sum = _mm256_permute4x64_epi64(_mm256_hadd_epi32(left, right), 0xd8);
            sum = _mm256_srli_epi32(_mm256_add_epi32(sum, _mm256_set1_epi32(2)), 2);
            const __m128i words = _mm_packus_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
            _mm_storel_epi64((__m128i *)(out + i), _mm_packus_epi16(words, words));
        }
        narrow_row(image, width, rows, i, count, out);
    }

    /* Converts a row of BGR pixels to gray; returns the number converted, all but the last few. */
    __attribute__((target("avx2")))
    static Py_ssize_t wide_gray(const unsigned char *row, Py_ssize_t count, unsigned char *gray) {
        const __m256i blue_green = _mm256_setr_epi8(
            0, -1, 1, -1, 3, -1, 4, -1, 6, -1, 7, -1, 9, -1, 10, -1,
            0, -1, 1, -1, 3, -1, 4, -1, 6, -1, 7, -1, 9, -1, 10, -1);
        const __m256i red = _mm256_setr_epi8(
            2, -1, -1, -1, 5, -1, -1, -1, 8, -1, -1, -1, 11, -1, -1, -1,
            2, -1, -1, -1, 5, -1, -1, -1, 8, -1, -1, -1, 11, -1, -1, -1);
        Py_ssize_t i = 0;
        for (; 3 * i + 28 <= 3 * count; i += 8) {
            const __m256i pixels = _mm256_inserti128_si256(
                _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)(row + 3 * i))),
                _mm_loadu_si128((const __m128i *)(row + 3 * i + 12)), 1);
            const __m256i most = _mm256_madd_epi16(_mm256_shuffle_epi8(pixels, blue_green),
                                                   _mm256_set1_epi32(GREEN << 16 | BLUE));
            const __m256i rest = _mm256_madd_epi16(_mm256_shuffle_epi8(pixels, red), _mm256_set1_epi32(RED));
            __m256i sum = _mm256_add_epi32(_mm256_add_epi32(most, rest), _mm256_set1_epi32(1 << 14));
            sum = _mm256_srli_epi32(sum, 15);
            const __m128i words = _mm_packus_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
            _mm_storel_epi64((__m128i *)(gray + i), _mm_packus_epi16(words, words));
        }
        return i;
    }
    #endif

    static void row_within(const unsigned char *image, int width, const Rows *rows, int count, unsigned char *out) {
    #if defined(__x86_64__) && !defined(NARROW)
        if (__builtin_cpu_supports("avx2")) {
            wide_row(image, width, rows, count, out);
            return;
        }
    #endif
        narrow_row(image, width, rows, 0, count, out);
    }

    static void call_row(const unsigned char *row, Py_ssize_t bytes) {
        for (Py_ssize_t i = 0; i < bytes; i += 64) __builtin_prefetch(row + i);
    }

    /* gray[count] of a row of BGR pixels */
    static void gray_row(const unsigned char *row, Py_ssize_t count, unsigned char *gray) {
        Py_ssize_t i = 0;
    #if defined(__x86_64__) && !defined(NARROW)
        if (__builtin_cpu_supports("avx2")) i = wide_gray(row, count, gray);
    #endif
        for (; i < count; i++) {
            const unsigned char *pixel = row + 3 * i;
            gray[i] = (unsigned char)((pixel[0] * BLUE + pixel[1] * GREEN + pixel[2] * RED + (1 << 14)) >> 15);
        }
    }

    /* Whether all reads are inside the image, including the two bytes after each pixel. */
    static int is_inside(const double *transform, int height, int width, int side) {
        for (int corner = 0; corner < 4; corner++) {
            const double i = corner % 2 ? 2 * side - 1 : 0, j = corner / 2 ? 2 * side - 1 : 0;
            const double x = transform[0] * i + transform[1] * j + transform[2];
            const double y = transform[3] * i + transform[4] * j + transform[5];
            if (!(1 <= x && x < width - 2 && 1 <= y && y < height - 3)) return 0;
        }
        return width < 1 << 20 && height < 1 << 20 && (int64_t)width * height < 1 << 30;
    }

    /* out[side, side]: means of 2 x 2 fine pixels. */
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
                unsigned char *row = out + (Py_ssize_t)y * side + first;
                int64_t x0[2], y0[2];
                for (int fine = 0; fine < 2; fine++) {
                    x0[fine] = fixed(transform[1] * (2 * y + fine) + transform[2]) + 16;
                    y0[fine] = fixed(transform[4] * (2 * y + fine) + transform[5]) + 16;
                }
                if (inside) {
                    const Rows rows = {short_x, short_y, {(int32_t)x0[0], (int32_t)x0[1]},
                                       {(int32_t)y0[0], (int32_t)y0[1]}};
                    row_within(image, width, &rows, count, row);
                    continue;
                }
                for (int i = 0; i < count; i++) {
                    unsigned sum = 2;
                    for (int fine = 0; fine < 4; fine++)
                        sum += anywhere(image, height, width, x0[fine / 2] + across_x[2 * i + fine % 2],
                                        y0[fine / 2] + across_y[2 * i + fine % 2]);
                    row[i] = (unsigned char)(sum >> 2);
                }
            }
        }
    }
    """
    void call_row(const unsigned char *row, Py_ssize_t bytes) noexcept nogil
    void gray_row(const unsigned char *row, Py_ssize_t count, unsigned char *gray) noexcept nogil
    void sample(const unsigned char *image, int height, int width, const double *transform, int side,
                unsigned char *out) noexcept nogil


from libc.math cimport isfinite, sqrt

ctypedef fused Number:
    float
    double


def cut(const unsigned char[:, ::1] image, const double[:, :, ::1] maps, double left, double top, int step,
        unsigned char[:, :, ::1] out):
    """See patches.cut_squares; False if a map is not finite."""
    cdef int height = <int>image.shape[0], width = <int>image.shape[1], side = <int>out.shape[1], k
    cdef Py_ssize_t n
    cdef double[6] moved
    for n in range(maps.shape[0]):
        for k in range(6):
            moved[k] = (&maps[n, 0, 0])[k] / step
        moved[2] += ((1 - step) / 2.0 - left) / step
        moved[5] += ((1 - step) / 2.0 - top) / step
        for k in range(6):
            if not isfinite(moved[k]):
                return False
        with nogil:
            sample(&image[0, 0], height, width, moved, side, &out[n, 0, 0])
    return True


cdef enum:
    AHEAD = 6  # rows to prefetch: an image is larger than the caches


def gray(const unsigned char[:, :, :] image, unsigned char[:, ::1] out):
    """out (height, width) of an image (height, width, 3) with contiguous rows."""
    cdef Py_ssize_t i
    with nogil:
        for i in range(out.shape[0]):
            if i + AHEAD < out.shape[0]:
                call_row(&image[i + AHEAD, 0, 0], 3 * out.shape[1])
            gray_row(&image[i, 0, 0], out.shape[1], &out[i, 0])


cdef void axis(double x, double y, double scale, double shortest, double *out) noexcept nogil:
    """out (2,): an axis of the face in the image, pixels per meter, whose foreshortening is limited"""
    cdef double length = sqrt(x * x + y * y), factor = scale * max(length, shortest) / max(length, 1e-9)
    out[0], out[1] = factor * x, factor * y


def place(const Number[:, :] points, const Py_ssize_t[:, ::1] pairs, const double[:, ::1] offsets,
          const double[::1] across, const double[::1] down, const double[:, :] rotation, double scale,
          double shortest, double end, double[:, :, ::1] maps):
    """maps (n, 2, 3), see patches.place_squares.

    Returns:
        left, right, top and bottom of what the squares show.
    """
    cdef Py_ssize_t n
    cdef int k
    cdef double a, d, start, middle
    cdef double[2] right
    cdef double[2] up
    cdef double[2] low = [1e300, 1e300]
    cdef double[2] high = [-1e300, -1e300]
    axis(rotation[0, 0], -rotation[1, 0], scale, shortest, right)
    axis(rotation[0, 1], -rotation[1, 1], scale, shortest, up)
    for n in range(maps.shape[0]):
        for k in range(2):
            a, d = across[n] * right[k], -down[n] * up[k]
            middle = (points[pairs[n, 0], k] + points[pairs[n, 1], k]) / 2
            start = middle + offsets[n, 0] * right[k] + offsets[n, 1] * up[k] - end / 2 * (a + d)
            maps[n, k, 0], maps[n, k, 1], maps[n, k, 2] = a, d, start
            low[k] = min(low[k], start + min(end * a, 0.0) + min(end * d, 0.0))
            high[k] = max(high[k], start + max(end * a, 0.0) + max(end * d, 0.0))
    return low[0], high[0], low[1], high[1]
