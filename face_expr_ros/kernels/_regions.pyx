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
    /* The integer parts of eight positions, and weights for multiply-add from their fractions. */
    typedef struct {
        int32_t column[8], row[8];
        int32_t across[8]; /* twice two bytes: of left and right */
        int32_t down[8]; /* two words: of above and below */
    } Eight;

    static inline const unsigned char *at(const Image *image, const Eight *places, int i) {
        return image->pixels + places->row[i] * image->stride + 3 * (int64_t)places->column[i];
    }

    __attribute__((target("avx2")))
    static inline void split(const int32_t *across_x, const int32_t *across_y, const int64_t *start, Eight *places) {
        const __m256i fraction = _mm256_set1_epi32(31), whole = _mm256_set1_epi32(32);
        const __m256i x = _mm256_add_epi32(_mm256_loadu_si256((const __m256i *)across_x),
                                           _mm256_set1_epi32((int32_t)start[0]));
        const __m256i y = _mm256_add_epi32(_mm256_loadu_si256((const __m256i *)across_y),
                                           _mm256_set1_epi32((int32_t)start[1]));
        const __m256i right = _mm256_and_si256(_mm256_srli_epi32(x, 5), fraction);
        const __m256i below = _mm256_and_si256(_mm256_srli_epi32(y, 5), fraction);
        const __m256i across = _mm256_or_si256(_mm256_sub_epi32(whole, right), _mm256_slli_epi32(right, 8));
        _mm256_storeu_si256((__m256i *)places->column, _mm256_srai_epi32(x, 10));
        _mm256_storeu_si256((__m256i *)places->row, _mm256_srai_epi32(y, 10));
        _mm256_storeu_si256((__m256i *)places->across, _mm256_or_si256(across, _mm256_slli_epi32(across, 16)));
        _mm256_storeu_si256((__m256i *)places->down,
                            _mm256_or_si256(_mm256_sub_epi32(whole, below), _mm256_slli_epi32(below, 16)));
    }

    /* Four words R, G, B, 0 at a position inside the image. */
    __attribute__((target("avx2")))
    static inline __m128i inside(const Image *image, const Eight *places, int i) {
        const __m128i order = _mm_setr_epi8(2, 5, 10, 13, 1, 4, 9, 12, 0, 3, 8, 11, -1, -1, -1, -1);
        const unsigned char *pixel = at(image, places, i);
        const __m128i two_rows = _mm_unpacklo_epi64(_mm_loadl_epi64((const __m128i *)pixel),
                                                    _mm_loadl_epi64((const __m128i *)(pixel + image->stride)));
        const __m128i rows = _mm_maddubs_epi16(_mm_shuffle_epi8(two_rows, order), _mm_set1_epi32(places->across[i]));
        const __m128i sum = _mm_madd_epi16(rows, _mm_set1_epi32(places->down[i]));
        return _mm_srli_epi32(_mm_add_epi32(sum, _mm_set1_epi32(512)), 10);
    }

    /* out[12]: four pixels. */
    __attribute__((target("avx2")))
    static inline void four(const Image *image, const Eight *places, int i, unsigned char *out) {
        const __m128i close_up = _mm_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1);
        const __m128i first = _mm_packus_epi32(inside(image, places, i), inside(image, places, i + 1));
        const __m128i last = _mm_packus_epi32(inside(image, places, i + 2), inside(image, places, i + 3));
        const __m128i pixels = _mm_shuffle_epi8(_mm_packus_epi16(first, last), close_up);
        const int32_t rest = _mm_extract_epi32(pixels, 2);
        _mm_storel_epi64((__m128i *)out, pixels);
        memcpy(out + 8, &rest, sizeof rest);
    }

    /* Eight pixels at once; returns the number of pixels written. */
    __attribute__((target("avx2")))
    static int wide(const Image *image, const int32_t *across_x, const int32_t *across_y, const int64_t *start,
                    const int64_t *coming, int count, unsigned char *out) {
        int i = 0;
        for (; i + 8 <= count; i += 8) {
            Eight places;
            split(across_x + i, across_y + i, coming, &places);
            for (int k = 0; k < 8; k += 4) {
                const unsigned char *next = at(image, &places, k);
                __builtin_prefetch(next);
                __builtin_prefetch(next + image->stride);
            }
            split(across_x + i, across_y + i, start, &places);
            four(image, &places, 0, out + 3 * i);
            four(image, &places, 4, out + 3 * i + 12);
        }
        return i;
    }
    #endif

    static int many(const Image *image, const int32_t *across_x, const int32_t *across_y, const int64_t *start,
                    const int64_t *coming, int count, unsigned char *out) {
    #if defined(__x86_64__) && !defined(NARROW)
        if (__builtin_cpu_supports("avx2") && image->width < 1 << 20 && image->height < 1 << 20)
            return wide(image, across_x, across_y, start, coming, count, out);
    #endif
        return 0;
    }

    /* The start of a row of the region, in 1/1024 of a pixel. */
    static void begin(const double *transform, int row, int64_t *place) {
        place[0] = fixed(transform[1] * row + transform[2]) + HALF;
        place[1] = fixed(transform[4] * row + transform[5]) + HALF;
    }

    #define SHARES const unsigned char *row, int count, float *out
    #define SHARE_LOOP for (int i = 0; i < count; i++) out[i] = row[i] * (1.0f / 255)
    static void narrow_shares(SHARES) { SHARE_LOOP; }
    #if defined(__x86_64__) && !defined(NARROW)
    __attribute__((target("avx2"))) static void wide_shares(SHARES) { SHARE_LOOP; }
    #endif

    /* out[count] = row / 255 */
    static void shares(SHARES) {
    #if defined(__x86_64__) && !defined(NARROW)
        if (__builtin_cpu_supports("avx2")) {
            wide_shares(row, count, out);
            return;
        }
    #endif
        narrow_shares(row, count, out);
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

    /* bytes[3 count]: a row of the region, RGB. */
    static void cut_row(const Image *image, const double *transform, const Offsets *across, int row,
                        unsigned char *bytes) {
        int64_t start[2], coming[2];
        int first = 0, last = across->count; /* the pixels inside are contiguous */
        begin(transform, row, start);
        begin(transform, row + AHEAD, coming);
        while (first < last && !is_inside(image, start[0] + across->x[first], start[1] + across->y[first])) first++;
        while (last > first && !is_inside(image, start[0] + across->x[last - 1], start[1] + across->y[last - 1]))
            last--;
        const int done = many(image, across->short_x + first, across->short_y + first, start, coming, last - first,
                              bytes + 3 * first);
        for (int i = 0; i < across->count; i++)
            if (i < first || i >= first + done)
                anywhere(image, start[0] + across->x[i], start[1] + across->y[i], bytes + 3 * i);
    }

    /* out[side, side, 3] RGB in 0..1; room[4 side]: scratch for the offsets in a row, and for its bytes. */
    static void cut(const Image *image, const double *transform, int side, int64_t *room, float *out) {
        unsigned char *bytes = (unsigned char *)(room + 3 * side);
        const Offsets across = offsets_of(transform, side, room);
        for (int row = 0; row < side; row++, out += 3 * side) {
            cut_row(image, transform, &across, row, bytes);
            shares(bytes, 3 * side, out);
        }
    }

    /* out[height, width, 3] RGB; room[3 width] */
    static void warp(const Image *image, const double *transform, int height, int width, int64_t *room,
                     unsigned char *out) {
        const Offsets across = offsets_of(transform, width, room);
        for (int row = 0; row < height; row++) cut_row(image, transform, &across, row, out + 3 * (int64_t)width * row);
    }
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


def cut(const unsigned char[:, :, :] image, const double[:, ::1] transform, float[:, :, ::1] out,
        int64_t[:, ::1] room):
    """out (side, side, 3) RGB in 0..1; room (4, side)."""
    cdef Image given
    given.pixels, given.stride = &image[0, 0, 0], image.strides[0]
    given.height, given.width, given.black = image.shape[0], image.shape[1], False
    with nogil:
        _cut(&given, &transform[0, 0], <int>out.shape[0], &room[0, 0], &out[0, 0, 0])


def warp(const unsigned char[:, :, :] image, const double[:, ::1] transform, bint black, unsigned char[:, :, ::1] out,
         int64_t[:, ::1] room):
    """out (height, width, 3) RGB; room (3, width)."""
    cdef Image given
    given.pixels, given.stride = &image[0, 0, 0], image.strides[0]
    given.height, given.width, given.black = image.shape[0], image.shape[1], black
    with nogil:
        _warp(&given, &transform[0, 0], <int>out.shape[0], <int>out.shape[1], &room[0, 0], &out[0, 0, 0])


def move(const float[:, :] points, const double[:, ::1] axes, float[:, ::1] out):
    """out (n, 3) = points mapped by axes (3, 4)"""
    cdef Py_ssize_t i, r
    with nogil:
        for i in range(points.shape[0]):
            for r in range(3):
                out[i, r] = <float>(axes[r, 0] * points[i, 0] + axes[r, 1] * points[i, 1] + axes[r, 2] * points[i, 2]
                                    + axes[r, 3])
