# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Inner loops of the z-buffer renderer; rasterizer.py holds the checked public functions.

Points are x, y in pixels of the buffer (the center of the first pixel is (0, 0)) and z in meters along the optical
axis. Buffers hold inverse depth 1/z, which is linear in the image and 0 where nothing was drawn.
A pixel that lies exactly on an edge belongs to the triangle that has it as a top or left edge.
"""

from libc.math cimport fabsf, isfinite
from libc.stdlib cimport free, malloc

# Four lanes at once, in portable vectors of GCC and Clang: compilers do not vectorize these loops by themselves.
cdef extern from *:
    """
    #include <math.h>
    #include <string.h>
    typedef float lanes __attribute__((vector_size(16)));
    typedef int int_lanes __attribute__((vector_size(16)));
    typedef unsigned char byte_lanes __attribute__((vector_size(4)));

    static inline lanes load_lanes(const float *p) { lanes v; memcpy(&v, p, 16); return v; }
    static inline lanes load_bytes(const unsigned char *p) {
        byte_lanes v; memcpy(&v, p, 4); return __builtin_convertvector(v, lanes);
    }
    static inline void store_lanes(float *p, lanes v) { memcpy(p, &v, 16); }
    static inline float clamped(float v, float high) { return v > 0 ? (v < high ? v : high) : 0; }
    static inline int bounded(int v, int high) { return v > 0 ? (v < high ? v : high) : 0; }

    /* Perspective-correct barycentric coordinates at x, y from the planes[3, 4] of weight over depth: value at the
       anchor, steps across and down. Clamped into the triangle; its centroid where they are undefined. */
    static inline void locate(const float *planes, float x, float y, float *barycentric) {
        lanes w = load_lanes(planes) + load_lanes(planes + 4) * x + load_lanes(planes + 8) * y;
        float a = w[0] > 0 ? w[0] : 0, b = w[1] > 0 ? w[1] : 0, c = w[2] > 0 ? w[2] : 0, total = a + b + c;
        if (!(total > 1e-30f && total < 1e30f)) a = b = c = 1, total = 3;
        total = 1 / total;
        barycentric[0] = a * total, barycentric[1] = b * total, barycentric[2] = c * total;
    }

    /* Bilinear lookup at u, v in 0..1 of the texture's width and height, clamped at its border. */
    static inline lanes fetch(const unsigned char *texture, int width, int height, float u, float v) {
        float x = clamped(u * width - 0.5f, width - 1), y = clamped(v * height - 0.5f, height - 1);
        int left = (int)x, top = (int)y;
        const unsigned char *p = texture + 4 * ((Py_ssize_t)top * width + left);
        Py_ssize_t across = left + 1 < width ? 4 : 0, down = top + 1 < height ? 4 * (Py_ssize_t)width : 0;
        x -= left, y -= top;
        lanes upper = load_bytes(p), lower = load_bytes(p + down);
        upper += (load_bytes(p + across) - upper) * x;
        lower += (load_bytes(p + down + across) - lower) * x;
        return upper + (lower - upper) * y;
    }

    /* color[0:4] = linear blue, green, red and 1 of a surface with these corners[3, 8]; returns its opacity.
       lights[size, size, 8] is the map of its material: diffuse and specular light on a normal, bilinear. */
    static inline float surface_color(const float *corners, const float *b, const unsigned char *texture, int width,
                                      int height, const float *linear, const float *lights, int size, int blended,
                                      float *color) {
        lanes normal_u = load_lanes(corners) * b[0] + load_lanes(corners + 8) * b[1] + load_lanes(corners + 16) * b[2];
        lanes tint_v = load_lanes(corners + 4) * b[0] + load_lanes(corners + 12) * b[1]
            + load_lanes(corners + 20) * b[2];
        lanes texel = fetch(texture, width, height, normal_u[3], tint_v[3]);
        lanes squared = normal_u * normal_u;
        float scale = 0.5f * (size - 1), length = 1 / (sqrtf(squared[0] + squared[1] + squared[2]) + 1e-12f);
        float x = (normal_u[0] * length + 1) * scale, y = (normal_u[1] * length + 1) * scale;
        int left = bounded((int)x, size - 2), top = bounded((int)y, size - 2);
        const float *p = lights + 8 * (top * size + left), *q = p + 8 * size;
        x -= left, y -= top;
        float w0 = (1 - x) * (1 - y), w1 = x * (1 - y), w2 = (1 - x) * y, w3 = x * y;
        lanes diffuse = load_lanes(p) * w0 + load_lanes(p + 8) * w1 + load_lanes(q) * w2 + load_lanes(q + 8) * w3;
        lanes specular = load_lanes(p + 4) * w0 + load_lanes(p + 12) * w1 + load_lanes(q + 4) * w2
            + load_lanes(q + 12) * w3;
        int_lanes level = __builtin_convertvector(texel + 0.5f, int_lanes);
        lanes albedo = {linear[level[0]], linear[level[1]], linear[level[2]], 0};
        float fourth = texel[3] * (1 / 255.0f);
        lanes lit = tint_v * (albedo * diffuse + specular * (blended ? 1.0f : fourth));
        lit[3] = 1;
        store_lanes(color, lit);
        return blended ? fourth : 1.0f;
    }

    /* Whether all samples of a pixel have the same triangle. */
    static inline int uniform(const int *seen, Py_ssize_t stride, int samples) {
        int first = *seen;
        if (samples == 2)
            return !((seen[1] ^ first) | (seen[stride] ^ first) | (seen[stride + 1] ^ first));
        for (int y = 0; y < samples; y++, seen += stride)
            for (int x = 0; x < samples; x++)
                if (seen[x] != first) return 0;
        return 1;
    }

    /* canvas[0:4] = canvas * keep + color * share */
    static inline void lay(float *canvas, const float *color, float keep, float share) {
        store_lanes(canvas, load_lanes(canvas) * keep + load_lanes(color) * share);
    }
    """
    void locate(const float* planes, float x, float y, float* barycentric) noexcept nogil
    float surface_color(const float* corners, const float* b, const unsigned char* texture, int width, int height,
                        const float* linear, const float* lights, int size, bint blended, float* color) noexcept nogil
    bint uniform(const int* seen, Py_ssize_t stride, int samples) noexcept nogil
    void lay(float* canvas, const float* color, float keep, float share) noexcept nogil


# Typed constants: a literal would turn the arithmetic around it into double precision.
cdef float ONE = 1.0
cdef float HALF = 0.5
cdef enum:
    SLOTS = 1024  # size of the cache of prepared triangles, a power of two


cdef struct Triangle:
    # One triangle, wound so that inside is positive: its corners, edge steps, ownership of edges, 1/z over area.
    double x[3]
    double y[3]
    double dx[3]
    double dy[3]
    bint owns[3]
    double inverse_z[3]
    double area
    bint flipped


cdef inline bint set_up(const float[:, ::1] points, Py_ssize_t a, Py_ssize_t b, Py_ssize_t c, bint cull,
                        Triangle* t) noexcept nogil:
    """Fill t from three vertices; False if it is invisible: behind the camera, not finite, no area, or culled."""
    cdef Py_ssize_t corner[3]
    cdef int i, j
    cdef double z, twice
    corner[0], corner[1], corner[2] = a, b, c
    twice = (<double>points[b, 0] - points[a, 0]) * (<double>points[c, 1] - points[a, 1]) \
        - (<double>points[b, 1] - points[a, 1]) * (<double>points[c, 0] - points[a, 0])
    if not isfinite(twice) or twice == 0.0 or (cull and twice > 0.0):
        return False
    t.flipped = twice < 0.0
    t.area = -twice if t.flipped else twice
    if t.flipped:
        corner[1], corner[2] = c, b
    for i in range(3):
        z = points[corner[i], 2]
        if not isfinite(z) or z <= 0.0:
            return False
        t.x[i] = points[corner[i], 0]
        t.y[i] = points[corner[i], 1]
        t.inverse_z[i] = 1.0 / z
    for i in range(3):
        # Edge i lies opposite corner i: from corner i + 1 to corner i + 2.
        j = (i + 1) % 3
        t.dx[i] = t.x[(i + 2) % 3] - t.x[j]
        t.dy[i] = t.y[(i + 2) % 3] - t.y[j]
        t.owns[i] = t.dy[i] < 0.0 or (t.dy[i] == 0.0 and t.dx[i] > 0.0)
    return True


cdef inline void weigh(const Triangle* t, double x, double y, double* weight) noexcept nogil:
    """The three edge functions at (x, y): areas opposite the corners, times two."""
    cdef int i
    cdef int j
    for i in range(3):
        j = (i + 1) % 3
        weight[i] = t.dx[i] * (y - t.y[j]) - t.dy[i] * (x - t.x[j])


cdef inline bint inside(const Triangle* t, const double* weight) noexcept nogil:
    return ((weight[0] > 0.0 or (weight[0] == 0.0 and t.owns[0]))
            and (weight[1] > 0.0 or (weight[1] == 0.0 and t.owns[1]))
            and (weight[2] > 0.0 or (weight[2] == 0.0 and t.owns[2])))


cdef inline double lowest(const double* v) noexcept nogil:
    return min(v[0], min(v[1], v[2]))


cdef inline double highest(const double* v) noexcept nogil:
    return max(v[0], max(v[1], v[2]))


cdef inline Py_ssize_t ceiling(double v) noexcept nogil:
    """The smallest integer not below v; without SSE4.1, ceil() would be a function call."""
    cdef Py_ssize_t cut = <Py_ssize_t>v
    return cut + (<double>cut < v)


cdef inline void bounds(const Triangle* t, Py_ssize_t width, Py_ssize_t height, Py_ssize_t* box) noexcept nogil:
    """First and last column and row of the triangle inside the buffer; clipped before it becomes an integer."""
    box[0] = ceiling(min(max(lowest(t.x), 0.0), <double>width))
    box[1] = -ceiling(-max(min(highest(t.x), <double>(width - 1)), -1.0))
    box[2] = ceiling(min(max(lowest(t.y), 0.0), <double>height))
    box[3] = -ceiling(-max(min(highest(t.y), <double>(height - 1)), -1.0))


cdef struct Edges:
    # Where each edge crosses a row: x + slope * (row - y), from its upper end, so that both triangles at an edge agree.
    double x[3]
    double y[3]
    double slope[3]


cdef inline void set_up_edges(const Triangle* t, Edges* e) noexcept nogil:
    cdef int i, upper
    for i in range(3):
        upper = (i + 1) % 3 if t.dy[i] > 0.0 else (i + 2) % 3
        e.x[i] = t.x[upper]
        e.y[i] = t.y[upper]
        e.slope[i] = t.dx[i] / t.dy[i] if t.dy[i] != 0.0 else 0.0


cdef inline void span(const Triangle* t, const Edges* e, Py_ssize_t row, Py_ssize_t* first,
                      Py_ssize_t* last) noexcept nogil:
    """Narrow first and last to the columns of a row inside the triangle; last < first if there are none."""
    cdef double left = <double>first[0]
    cdef double right = <double>last[0] + 1.0
    cdef double at_row, crossing
    cdef int i
    for i in range(3):
        if t.dy[i] == 0.0:
            at_row = t.dx[i] * (<double>row - t.y[(i + 1) % 3])
            if at_row < 0.0 or (at_row == 0.0 and not t.owns[i]):
                last[0] = first[0] - 1
                return
            continue
        crossing = e.x[i] + e.slope[i] * (<double>row - e.y[i])
        if t.dy[i] < 0.0:
            left = max(left, crossing)
        else:
            right = min(right, crossing)
    # A left edge owns its samples, a right edge does not.
    if not left < right:
        last[0] = first[0] - 1
        return
    first[0] = ceiling(left)
    last[0] = ceiling(right) - 1


def draw(const float[:, ::1] points, const int[:, ::1] triangles, int first, bint cull,
         float[:, ::1] inverse_depth, int[:, ::1] index):
    """Draw triangles into the z-buffer; index receives first + the number of the nearest triangle."""
    cdef Py_ssize_t n, row, column, start, stop, width = inverse_depth.shape[1], height = inverse_depth.shape[0]
    cdef Py_ssize_t box[4]
    cdef double weight[3]
    cdef double near, step
    cdef float* depth_row
    cdef int* index_row
    cdef Triangle t
    cdef Edges e
    with nogil:
        for n in range(triangles.shape[0]):
            if not set_up(points, triangles[n, 0], triangles[n, 1], triangles[n, 2], cull, &t):
                continue
            set_up_edges(&t, &e)
            bounds(&t, width, height, box)
            step = -(t.dy[0] * t.inverse_z[0] + t.dy[1] * t.inverse_z[1] + t.dy[2] * t.inverse_z[2]) / t.area
            for row in range(box[2], box[3] + 1):
                start = box[0]
                stop = box[1]
                span(&t, &e, row, &start, &stop)
                if stop < start:
                    continue
                weigh(&t, <double>start, <double>row, weight)
                near = (weight[0] * t.inverse_z[0] + weight[1] * t.inverse_z[1] + weight[2] * t.inverse_z[2]) / t.area
                depth_row = &inverse_depth[row, 0]
                index_row = &index[row, 0]
                for column in range(start, stop + 1):
                    if <float>near > depth_row[column]:
                        depth_row[column] = <float>near
                        index_row[column] = first + <int>n
                    near += step


cdef struct Prepared:
    # One triangle ready for shading: the planes for `locate`, with x and y from the anchor, and the attributes of its
    # three corners, in rows of eight: normal x y z and u, tint blue green red and v.
    Py_ssize_t number
    bint drawn
    float x
    float y
    float planes[12]
    float corners[24]


cdef void prepare(const float[:, ::1] points, const int[:, ::1] triangles, const int[:, ::1] uv_triangles,
                  const float[:, ::1] normals, const float[:, ::1] uv, const float[:, ::1] tint, Py_ssize_t n,
                  double width, double height, Prepared* p) noexcept nogil:
    """Fill p for triangle n; its anchor is a corner, or the nearest position to it in a buffer of this size."""
    cdef int i, k, lane
    cdef double weight[3]
    cdef double over_z
    cdef Triangle t
    p.number = n
    p.drawn = set_up(points, triangles[n, 0], triangles[n, 1], triangles[n, 2], False, &t)
    if not p.drawn:
        return
    p.x = <float>min(max(t.x[0], 0.0), width)
    p.y = <float>min(max(t.y[0], 0.0), height)
    weigh(&t, p.x, p.y, weight)
    for i in range(3):
        lane = 3 - i if t.flipped and i else i
        over_z = t.inverse_z[i] / t.area
        p.planes[lane] = <float>(weight[i] * over_z)
        p.planes[4 + lane] = <float>(-t.dy[i] * over_z)
        p.planes[8 + lane] = <float>(t.dx[i] * over_z)
        for k in range(3):
            p.corners[8 * i + k] = normals[triangles[n, i], k]
            p.corners[8 * i + 4 + k] = tint[triangles[n, i], k]
        p.corners[8 * i + 3] = uv[uv_triangles[n, i], 0]
        p.corners[8 * i + 7] = uv[uv_triangles[n, i], 1]
    p.planes[3] = p.planes[7] = p.planes[11] = 0


def shade(const float[:, ::1] points, const int[:, ::1] triangles, int first, const int[:, ::1] uv_triangles,
          const float[:, ::1] normals, const float[:, ::1] uv, const float[:, ::1] tint,
          const unsigned char[::1] materials, const unsigned char[:, :, ::1] texture, const float[::1] linear,
          const float[:, :, :, ::1] lights, const float[:, ::1] inverse_depth, const int[:, ::1] index,
          int samples, float crease, float[:, :, ::1] canvas):
    """Add the visible pixels of one mesh to the canvas (premultiplied linear B, G, R, opacity).

    The samples of a pixel that share a material and lie within the relative depth `crease` are shaded once, at
    their center: edges stay smooth at the cost of about one shading per pixel.
    """
    cdef Py_ssize_t row, column, n, other
    cdef Py_ssize_t stride = index.shape[1]
    cdef int i, j, count, total = samples * samples, last = first + <int>triangles.shape[0]
    cdef int size = <int>lights.shape[1], texture_width = <int>texture.shape[1], texture_height = <int>texture.shape[0]
    cdef float b[3]
    cdef float color[4]
    cdef float near, x, y
    cdef unsigned long long done
    cdef const int* seen
    cdef const float* depth
    cdef bint whole
    cdef float middle = HALF * <float>(samples - 1)
    cdef Py_ssize_t place[64]
    cdef float place_x[64]
    cdef float place_y[64]
    cdef Prepared* p
    cdef Prepared* prepared
    if not index.shape[0] or not index.shape[1]:
        return
    prepared = <Prepared*>malloc(SLOTS * sizeof(Prepared))
    if prepared == NULL:
        raise MemoryError()
    for i in range(SLOTS):
        prepared[i].number = -1
    for i in range(total):
        place[i] = (i // samples) * stride + i % samples
        place_x[i] = i % samples
        place_y[i] = i // samples
    with nogil:
        for row in range(canvas.shape[0]):
            for column in range(canvas.shape[1]):
                seen = &index[row * samples, column * samples]
                depth = &inverse_depth[row * samples, column * samples]
                done = 0
                # Most pixels contain one triangle or none: their samples need no grouping.
                whole = uniform(seen, stride, samples)
                if whole and (seen[0] < first or seen[0] >= last):
                    continue
                for i in range(1 if whole else total):
                    n = seen[place[i]]
                    if n < first or n >= last or (done >> i) & 1:
                        continue
                    near = depth[place[i]]
                    x = y = middle
                    count = total
                    if not whole:
                        x = y = 0
                        count = 0
                    for j in range(i, 0 if whole else total):
                        if (done >> j) & 1:
                            continue
                        other = seen[place[j]]
                        if other != n:
                            if other < first or other >= last:
                                continue
                            if materials[other - first] != materials[n - first] \
                                    or fabsf(depth[place[j]] - near) > crease * near:
                                continue
                        done |= (<unsigned long long>1) << j
                        count += 1
                        x += place_x[j]
                        y += place_y[j]
                    n -= first
                    p = &prepared[n & (SLOTS - 1)]
                    if p.number != n:
                        prepare(points, triangles, uv_triangles, normals, uv, tint, n, <double>stride,
                                <double>index.shape[0], p)
                    if not p.drawn:
                        continue
                    if count < total:
                        x /= <float>count
                        y /= <float>count
                    elif not whole:
                        x = y = middle
                    locate(p.planes, <float>(column * samples) + x - p.x, <float>(row * samples) + y - p.y, b)
                    surface_color(p.corners, b, &texture[0, 0, 0], texture_width, texture_height, &linear[0],
                                  &lights[materials[n], 0, 0, 0], size, False, color)
                    lay(&canvas[row, column, 0], color, ONE, ONE if count == total else <float>count / <float>total)
                    if count == total:
                        break
    free(prepared)


def blend(const float[:, ::1] points, const int[:, ::1] triangles, const int[:, ::1] uv_triangles,
          const float[:, ::1] normals, const float[:, ::1] uv, const float[:, ::1] tint,
          const unsigned char[::1] materials, const unsigned char[:, :, ::1] texture, const float[::1] linear,
          const float[:, :, :, ::1] lights, const float[:, ::1] inverse_depth, float bias, int samples,
          float[:, :, ::1] canvas):
    """Blend transparent triangles over the canvas in their order; the texture's fourth channel is their opacity.

    A sample is covered where the triangle is nearer than the z-buffer or behind it by at most the relative depth
    `bias`. Points are in samples, as for `draw`; nothing is written to the z-buffer.
    """
    cdef Py_ssize_t n, row, column
    cdef Py_ssize_t box[4]
    cdef int i, k, m, count
    cdef int size = <int>lights.shape[1], texture_width = <int>texture.shape[1], texture_height = <int>texture.shape[0]
    cdef double x, y, near
    cdef double weight[3]
    cdef float b[3]
    cdef float color[4]
    cdef float a
    cdef Triangle t
    cdef Prepared p
    with nogil:
        for n in range(triangles.shape[0]):
            if not set_up(points, triangles[n, 0], triangles[n, 1], triangles[n, 2], False, &t):
                continue
            prepare(points, triangles, uv_triangles, normals, uv, tint, n, <double>inverse_depth.shape[1],
                    <double>inverse_depth.shape[0], &p)
            bounds(&t, inverse_depth.shape[1], inverse_depth.shape[0], box)
            if box[1] < box[0] or box[3] < box[2]:
                continue
            for row in range(box[2] // samples, box[3] // samples + 1):
                for column in range(box[0] // samples, box[1] // samples + 1):
                    count = 0
                    x = y = 0.0
                    for i in range(samples * samples):
                        k = <int>row * samples + i // samples
                        m = <int>column * samples + i % samples
                        weigh(&t, m, k, weight)
                        if not inside(&t, weight):
                            continue
                        near = (weight[0] * t.inverse_z[0] + weight[1] * t.inverse_z[1]
                                + weight[2] * t.inverse_z[2]) / t.area
                        if near * (1.0 + bias) < inverse_depth[k, m]:
                            continue
                        count += 1
                        x += m
                        y += k
                    if count == 0:
                        continue
                    locate(p.planes, <float>(x / count) - p.x, <float>(y / count) - p.y, b)
                    a = surface_color(p.corners, b, &texture[0, 0, 0], texture_width, texture_height, &linear[0],
                                      &lights[materials[n], 0, 0, 0], size, True, color)
                    a *= <float>count / <float>(samples * samples)
                    lay(&canvas[row, column, 0], color, ONE - a, a)


def composite(const float[:, :, ::1] canvas, const float[::1] linear, const unsigned char[::1] encoded,
              unsigned char[:, :, :] image):
    """Composite the canvas over an image of the same size: image = encode(canvas + (1 - opacity) * decode(image))."""
    cdef Py_ssize_t row, column
    cdef int k, last = <int>encoded.shape[0] - 1
    cdef float rest, value
    cdef float zero = 0.0
    with nogil:
        for row in range(canvas.shape[0]):
            for column in range(canvas.shape[1]):
                if canvas[row, column, 3] <= 0.0:
                    continue
                rest = ONE - canvas[row, column, 3]
                for k in range(3):
                    value = canvas[row, column, k] + rest * linear[image[row, column, k]]
                    value = min(max(value, zero), ONE)
                    image[row, column, k] = encoded[<int>(value * <float>last + HALF)]
