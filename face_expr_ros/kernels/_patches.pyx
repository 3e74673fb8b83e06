# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Inner loops that sample patches; patches.py holds the checked public function.

The arithmetic is that of cv2.warpAffine for 8 bits: places in 1/1024 of a pixel, rounded to 1/32; weights that are
whole numbers. So the answers are the same to the bit, on every machine.
"""

cdef extern from *:
    """
    #include <math.h>
    #include <stdint.h>

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

    /* Whether no fine pixel is read outside the image: its corners are not, with a pixel to spare. */
    static int is_inside(const double *transform, int height, int width, int side) {
        for (int corner = 0; corner < 4; corner++) {
            const double i = corner % 2 ? 2 * side - 1 : 0, j = corner / 2 ? 2 * side - 1 : 0;
            const double x = transform[0] * i + transform[1] * j + transform[2];
            const double y = transform[3] * i + transform[4] * j + transform[5];
            if (!(1 <= x && x < width - 2 && 1 <= y && y < height - 2)) return 0;
        }
        return width < 1 << 20 && height < 1 << 20;
    }

    /* out[side, side]: of each of its pixels the mean of 2 x 2 fine ones. */
    static void sample(const unsigned char *image, int height, int width, const double *transform, int side,
                       unsigned char *out) {
        const int inside = is_inside(transform, height, width, side);
        for (int first = 0; first < side; first += BLOCK / 2) {
            const int count = side - first < BLOCK / 2 ? side - first : BLOCK / 2;
            int64_t across_x[BLOCK], across_y[BLOCK];
            for (int i = 0; i < 2 * count; i++) {
                across_x[i] = fixed(transform[0] * (2 * first + i));
                across_y[i] = fixed(transform[3] * (2 * first + i));
            }
            for (int y = 0; y < side; y++) {
                unsigned sums[BLOCK / 2];
                for (int i = 0; i < count; i++) sums[i] = 2;
                for (int fine = 2 * y; fine < 2 * y + 2; fine++) {
                    const int64_t x0 = fixed(transform[1] * fine + transform[2]) + 16;
                    const int64_t y0 = fixed(transform[4] * fine + transform[5]) + 16;
                    if (inside)
                        for (int i = 0; i < 2 * count; i++)
                            sums[i / 2] += within(image, width, (int32_t)(x0 + across_x[i]), (int32_t)(y0 + across_y[i]));
                    else
                        for (int i = 0; i < 2 * count; i++)
                            sums[i / 2] += anywhere(image, height, width, x0 + across_x[i], y0 + across_y[i]);
                }
                for (int i = 0; i < count; i++) out[(Py_ssize_t)y * side + first + i] = (unsigned char)(sums[i] >> 2);
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
