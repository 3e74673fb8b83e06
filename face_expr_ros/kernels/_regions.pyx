# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The inner loop that cuts a region out of a color image; regions.py holds the checked public functions.

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

    #define HALF 16 /* of 1/32 pixel, in 1/1024 */
    #define AHEAD 4 /* rows to prefetch: an image is larger than the caches */

    typedef struct {
        const unsigned char *pixels; /* BGR */
        int64_t height, width, stride;
        int black; /* outside; else the nearest pixel */
    } Image;

    /* In 1/1024 of a pixel; clamped far outside the image, so that sums do not overflow. */
    static inline int64_t fixed(double place) {
        const double parts = (place < -1e9 ? -1e9 : place > 1e9 ? 1e9 : place) * 1024;
    #if defined(__x86_64__) && !defined(NARROW)
        return _mm_cvtsd_si64(_mm_set_sd(parts)); /* llrint as an instruction instead of a call */
    #else
        return llrint(parts);
    #endif
    }

    static inline int64_t between(int64_t value, int64_t last) {
        return value < 0 ? 0 : value > last ? last : value;
    }

    /* A row of the image for `anywhere`: the nearest one, or NULL where it is outside and black. */
    static inline const unsigned char *row_at(const Image *image, int64_t y) {
        if (image->black && (y < 0 || y >= image->height)) return 0;
        return image->pixels + between(y, image->height - 1) * image->stride;
    }

    static inline int value_at(const Image *image, const unsigned char *row, int64_t x, int channel) {
        if (!row || (image->black && (x < 0 || x >= image->width))) return 0;
        return row[3 * between(x, image->width - 1) + channel];
    }

    /* out[3]: RGB at a position, in 1/1024 of a pixel, inside or outside the image. */
    static void anywhere(const Image *image, int64_t x, int64_t y, unsigned char *out) {
        const int64_t left = x >> 10;
        const unsigned char *above = row_at(image, y >> 10), *below = row_at(image, (y >> 10) + 1);
        const int across = (int)(x >> 5 & 31), down = (int)(y >> 5 & 31);
        for (int channel = 0; channel < 3; channel++) {
            const int upper = value_at(image, above, left, channel) * (32 - across)
                              + value_at(image, above, left + 1, channel) * across;
            const int lower = value_at(image, below, left, channel) * (32 - across)
                              + value_at(image, below, left + 1, channel) * across;
            out[2 - channel] = (unsigned char)((upper * (32 - down) + lower * down + 512) >> 10);
        }
    }

    /* Whether the eight bytes from the pixel on, and from the one below it, are within their rows. */
    static inline int is_inside(const Image *image, int64_t x, int64_t y) {
        return x >= 0 && (x >> 10) + 2 < image->width && y >= 0 && (y >> 10) + 1 < image->height;
    }

    #if defined(__x86_64__) && !defined(NARROW)
    /* R, G, B, 0 in 0..1 of two pixels inside the image, with the weights of left and right, and of above and below. */
    __attribute__((target("avx2")))
    static inline __m256 two(const unsigned char *first, const unsigned char *last, int64_t stride, __m256i across,
                             __m256i down) {
        const __m256i order = _mm256_setr_epi8(2, 5, 10, 13, 1, 4, 9, 12, 0, 3, 8, 11, -1, -1, -1, -1,
                                               2, 5, 10, 13, 1, 4, 9, 12, 0, 3, 8, 11, -1, -1, -1, -1);
        const __m256i pixels = _mm256_inserti128_si256(
            _mm256_castsi128_si256(_mm_unpacklo_epi64(_mm_loadl_epi64((const __m128i *)first),
                                                      _mm_loadl_epi64((const __m128i *)(first + stride)))),
            _mm_unpacklo_epi64(_mm_loadl_epi64((const __m128i *)last),
                               _mm_loadl_epi64((const __m128i *)(last + stride))), 1);
        const __m256i sum = _mm256_madd_epi16(_mm256_maddubs_epi16(_mm256_shuffle_epi8(pixels, order), across), down);
        const __m256i rounded = _mm256_srli_epi32(_mm256_add_epi32(sum, _mm256_set1_epi32(512)), 10);
        return _mm256_mul_ps(_mm256_cvtepi32_ps(rounded), _mm256_set1_ps(1.0f / 255));
    }

    /* Eight pixels at once; returns the number of pixels written. One number after the last of them is changed. */
    __attribute__((target("avx2")))
    static int wide(const Image *image, const int32_t *across_x, const int32_t *across_y, const int64_t *start,
                    const int64_t *coming, int count, float *out) {
        const __m256i fraction = _mm256_set1_epi32(31), whole = _mm256_set1_epi32(32);
        int i = 0;
        for (; i + 8 <= count; i += 8) {
            const __m256i x = _mm256_add_epi32(_mm256_loadu_si256((const __m256i *)(across_x + i)),
                                               _mm256_set1_epi32((int32_t)start[0]));
            const __m256i y = _mm256_add_epi32(_mm256_loadu_si256((const __m256i *)(across_y + i)),
                                               _mm256_set1_epi32((int32_t)start[1]));
            const __m256i right = _mm256_and_si256(_mm256_srli_epi32(x, 5), fraction);
            const __m256i below = _mm256_and_si256(_mm256_srli_epi32(y, 5), fraction);
            __m256i across = _mm256_or_si256(_mm256_sub_epi32(whole, right), _mm256_slli_epi32(right, 8));
            across = _mm256_or_si256(across, _mm256_slli_epi32(across, 16)); /* twice two bytes */
            const __m256i down = _mm256_or_si256(_mm256_sub_epi32(whole, below), _mm256_slli_epi32(below, 16));
            const __m256i rows = _mm256_mullo_epi32(_mm256_srai_epi32(y, 10), _mm256_set1_epi32((int)image->stride));
            const __m256i columns = _mm256_mullo_epi32(_mm256_srai_epi32(x, 10), _mm256_set1_epi32(3));
            int32_t places[8];
            _mm256_storeu_si256((__m256i *)places, _mm256_add_epi32(rows, columns));
            for (int k = 0; k < 8; k += 4) {
                const unsigned char *next = image->pixels + ((coming[1] + across_y[i + k]) >> 10) * image->stride
                                            + 3 * ((coming[0] + across_x[i + k]) >> 10);
                __builtin_prefetch(next);
                __builtin_prefetch(next + image->stride);
            }
            for (int k = 0; k < 8; k += 2) {
                const __m256i each = _mm256_setr_epi32(k, k, k, k, k + 1, k + 1, k + 1, k + 1);
                const __m256 both = two(image->pixels + places[k], image->pixels + places[k + 1], image->stride,
                                        _mm256_permutevar8x32_epi32(across, each),
                                        _mm256_permutevar8x32_epi32(down, each));
                _mm_storeu_ps(out + 3 * (i + k), _mm256_castps256_ps128(both));
                _mm_storeu_ps(out + 3 * (i + k + 1), _mm256_extractf128_ps(both, 1));
            }
        }
        return i;
    }
    #endif

    static int many(const Image *image, const int32_t *across_x, const int32_t *across_y, const int64_t *start,
                    const int64_t *coming, int count, float *out) {
    #if defined(__x86_64__) && !defined(NARROW)
        if (__builtin_cpu_supports("avx2") && image->width < 1 << 20 && image->height < 1 << 20
            && image->stride * image->height < (int64_t)1 << 31)
            return wide(image, across_x, across_y, start, coming, count, out);
    #endif
        return 0;
    }

    /* The start of a row of the region, in 1/1024 of a pixel. */
    static void begin(const double *transform, int row, int64_t *place) {
        place[0] = fixed(transform[1] * row + transform[2]) + HALF;
        place[1] = fixed(transform[4] * row + transform[5]) + HALF;
    }

    /* The offsets of the pixels of a row, from its start. */
    typedef struct {
        int64_t *x, *y;
        int32_t *short_x, *short_y; /* overflow: outside the image */
        int count;
    } Offsets;

    /* room[3 count] */
    static Offsets offsets_of(const double *transform, int count, int64_t *room) {
        Offsets across = {room, room + count, (int32_t *)(room + 2 * count), 0, count};
        across.short_y = across.short_x + count;
        for (int i = 0; i < count; i++) {
            across.x[i] = fixed(transform[0] * i);
            across.y[i] = fixed(transform[3] * i);
            across.short_x[i] = (int32_t)across.x[i], across.short_y[i] = (int32_t)across.y[i];
        }
        return across;
    }

    /* out[3 count]: a row of the region, RGB in 0..1; one number more is changed unless it is the end of the array. */
    static void cut_row(const Image *image, const double *transform, const Offsets *across, int row, int is_end,
                        float *out) {
        int64_t start[2], coming[2];
        int first = 0, last = across->count; /* the pixels inside are contiguous */
        begin(transform, row, start);
        begin(transform, row + AHEAD, coming);
        while (first < last && !is_inside(image, start[0] + across->x[first], start[1] + across->y[first])) first++;
        while (last > first && !is_inside(image, start[0] + across->x[last - 1], start[1] + across->y[last - 1]))
            last--;
        const int count = last - first - (is_end && last == across->count);
        const int done = many(image, across->short_x + first, across->short_y + first, start, coming, count,
                              out + 3 * first);
        for (int i = 0; i < across->count; i++)
            if (i < first || i >= first + done) {
                unsigned char bytes[3];
                anywhere(image, start[0] + across->x[i], start[1] + across->y[i], bytes);
                for (int channel = 0; channel < 3; channel++) out[3 * i + channel] = bytes[channel] * (1.0f / 255);
            }
    }

    /* out[side, side, 3] RGB in 0..1; room[3 side]: scratch for the offsets in a row. */
    static void cut(const Image *image, const double *transform, int side, int64_t *room, float *out) {
        const Offsets across = offsets_of(transform, side, room);
        for (int row = 0; row < side; row++, out += 3 * side)
            cut_row(image, transform, &across, row, row == side - 1, out);
    }

    /* out[height, width, 3] RGB; room[5 width]: scratch for the offsets in a row, and for its numbers. */
    static void warp(const Image *image, const double *transform, int height, int width, int64_t *room,
                     unsigned char *out) {
        const Offsets across = offsets_of(transform, width, room);
        float *numbers = (float *)(room + 3 * width);
        for (int row = 0; row < height; row++, out += 3 * (int64_t)width) {
            cut_row(image, transform, &across, row, 0, numbers);
            for (int i = 0; i < 3 * width; i++) out[i] = (unsigned char)(numbers[i] * 255 + 0.5f);
        }
    }

    static double turn_between(double to, double from) { return remainder(to - from, 6.283185307179586); }
    """
    ctypedef long long int64_t
    ctypedef struct Image:
        const unsigned char *pixels
        int64_t height
        int64_t width
        int64_t stride
        int black
    void _cut "cut"(const Image *image, const double *transform, int side, int64_t *room,
                    float *out) noexcept nogil
    void _warp "warp"(const Image *image, const double *transform, int height, int width, int64_t *room,
                      unsigned char *out) noexcept nogil
    double turn_between(double to, double start) noexcept nogil

from libc.math cimport atan2, cos, fabs, isfinite, sin


def cut(const unsigned char[:, :, :] image, const double[:, ::1] transform, float[:, :, ::1] out,
        int64_t[:, ::1] room):
    """out (side, side, 3) RGB in 0..1; room (3, side). False, and nothing written, if the transform is not finite."""
    cdef Image given
    cdef double total = 0
    cdef int row, column
    for row in range(2):
        for column in range(3):
            total += fabs(transform[row, column])
    if not isfinite(total):
        return False
    given.pixels, given.stride = &image[0, 0, 0], image.strides[0]
    given.height, given.width, given.black = image.shape[0], image.shape[1], False
    with nogil:
        _cut(&given, &transform[0, 0], <int>out.shape[0], &room[0, 0], &out[0, 0, 0])
    return True


def warp(const unsigned char[:, :, :] image, const double[:, ::1] transform, bint black, unsigned char[:, :, ::1] out,
         int64_t[:, ::1] room):
    """out (height, width, 3) RGB; room (5, width)."""
    cdef Image given
    given.pixels, given.stride = &image[0, 0, 0], image.strides[0]
    given.height, given.width, given.black = image.shape[0], image.shape[1], black
    with nogil:
        _warp(&given, &transform[0, 0], <int>out.shape[0], <int>out.shape[1], &room[0, 0], &out[0, 0, 0])


def place(double x, double y, double side, double rotation, int pixels, double[:, ::1] transform):
    """transform (2, 3): from the pixels of a region to those of the image, see regions.region_transform."""
    cdef double step = side / pixels, half = pixels / 2.0
    cdef double right = step * cos(rotation), down = step * sin(rotation)
    transform[0, 0], transform[0, 1], transform[0, 2] = right, -down, x + 0.5 - half * (right - down)
    transform[1, 0], transform[1, 1], transform[1, 2] = down, right, y + 0.5 - half * (right + down)


def move(const float[:, :] points, double x, double y, double side, double rotation, float[:, ::1] out):
    """out (n, 3) = points of a region in the image, see regions.points_in_image"""
    cdef Py_ssize_t i
    cdef double right = side * cos(rotation), down = side * sin(rotation)
    cdef double left = x - 0.5 * (right - down), top = y - 0.5 * (right + down)
    with nogil:
        for i in range(points.shape[0]):
            out[i, 0] = <float>(right * points[i, 0] - down * points[i, 1] + left)
            out[i, 1] = <float>(down * points[i, 0] + right * points[i, 1] + top)
            out[i, 2] = <float>(side * points[i, 2])


def around(const float[:, :] points, Py_ssize_t first_eye, Py_ssize_t last_eye, double margin):
    """x, y, side and rotation of the region around points (n, >= 2), see regions.region_around"""
    cdef Py_ssize_t i
    cdef float left = points[0, 0], right = left, top = points[0, 1], bottom = top, x, y
    cdef double width, height, known = 0  # NaN if a coordinate is
    for i in range(points.shape[0]):
        x, y = points[i, 0], points[i, 1]
        left, right, top, bottom = min(left, x), max(right, x), min(top, y), max(bottom, y)
        known += 0 * x + 0 * y
    width, height = <double>right - left + known, <double>bottom - top + known
    return (left + width / 2, top + height / 2, margin * max(width, height),
            atan2(<float>(points[last_eye, 1] - points[first_eye, 1]),
                  <float>(points[last_eye, 0] - points[first_eye, 0])))


def follow(double last_x, double last_y, double last_side, double last_rotation, double x, double y, double side,
           double rotation, double play, double rotation_play):
    """x, y, side and rotation of the region nearest to the last one within the play of another, see regions.py"""
    cdef double turn = turn_between(rotation, last_rotation)
    play *= side
    return (min(max(last_x, x - play), x + play), min(max(last_y, y - play), y + play),
            min(max(last_side, side - play), side + play), rotation - min(max(turn, -rotation_play), rotation_play))
