# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Inner loops of the z-buffer renderer; rasterizer.py holds the checked public functions.

Points are x, y in pixels of the buffer (the center of the first pixel is (0, 0)) and z in meters along the optical
axis. Buffers hold inverse depth 1/z, which is linear in the image and 0 where nothing was drawn.
A pixel that lies exactly on an edge belongs to the triangle that has it as a top or left edge.
"""

from libc.math cimport ceil, fabsf, floor, isfinite, sqrtf

# Four lanes at once, in GCC's and Clang's portable vectors: the compiler does not find them in the loops by itself.
cdef extern from *:
    """
    #include <string.h>
    typedef float lanes __attribute__((vector_size(16)));
    typedef unsigned char byte_lanes __attribute__((vector_size(4)));

    static inline lanes load_lanes(const float *p) { lanes v; memcpy(&v, p, 16); return v; }
    static inline lanes load_bytes(const unsigned char *p) {
        byte_lanes v; memcpy(&v, p, 4); return __builtin_convertvector(v, lanes);
    }
    static inline void store_lanes(float *p, lanes v) { memcpy(p, &v, 16); }

    /* out[0:8] = weight @ rows[3, 8] */
    static inline void mix_corners(const float *rows, const float *weight, float *out) {
        for (int k = 0; k < 8; k += 4)
            store_lanes(out + k, load_lanes(rows + k) * weight[0] + load_lanes(rows + 8 + k) * weight[1]
                + load_lanes(rows + 16 + k) * weight[2]);
    }
    /* out[0:8] = weight @ (p[0:8], p[8:16], q[0:8], q[8:16]) */
    static inline void mix_lights(const float *p, const float *q, const float *weight, float *out) {
        for (int k = 0; k < 8; k += 4)
            store_lanes(out + k, load_lanes(p + k) * weight[0] + load_lanes(p + 8 + k) * weight[1]
                + load_lanes(q + k) * weight[2] + load_lanes(q + 8 + k) * weight[3]);
    }
    /* out[0:4] = weight @ (four texels: at p, to its right, below it, right below it) */
    static inline void mix_texels(const unsigned char *p, Py_ssize_t across, Py_ssize_t down, const float *weight,
                                  float *out) {
        store_lanes(out, load_bytes(p) * weight[0] + load_bytes(p + across) * weight[1]
            + load_bytes(p + down) * weight[2] + load_bytes(p + down + across) * weight[3]);
    }
    """
    void mix_corners(const float* rows, const float* weight, float* out) noexcept nogil
    void mix_lights(const float* p, const float* q, const float* weight, float* out) noexcept nogil
    void mix_texels(const unsigned char* p, Py_ssize_t across, Py_ssize_t down, const float* weight,
                    float* out) noexcept nogil


# Typed constants: a literal would turn the arithmetic around it into double precision.
cdef float ONE = 1.0
cdef float HALF = 0.5
cdef float TINY = 1e-12
cdef float LEVEL = 1.0 / 255.0


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
    """Fill t from three vertices; False for what cannot be seen: behind the camera, not finite, no area, culled."""
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


cdef inline void bounds(const Triangle* t, Py_ssize_t width, Py_ssize_t height, Py_ssize_t* box) noexcept nogil:
    """First and last column and row of the triangle inside the buffer; clipped before it becomes an integer."""
    box[0] = <Py_ssize_t>ceil(min(max(lowest(t.x), 0.0), <double>width))
    box[1] = <Py_ssize_t>floor(max(min(highest(t.x), <double>(width - 1)), -1.0))
    box[2] = <Py_ssize_t>ceil(min(max(lowest(t.y), 0.0), <double>height))
    box[3] = <Py_ssize_t>floor(max(min(highest(t.y), <double>(height - 1)), -1.0))


cdef inline void span(const Triangle* t, Py_ssize_t row, Py_ssize_t* first, Py_ssize_t* last) noexcept nogil:
    """Narrow first and last to the columns of a row inside the triangle; last < first where there are none."""
    cdef double left = <double>first[0]
    cdef double right = <double>last[0] + 1.0
    cdef double at_row, crossing
    cdef int i
    for i in range(3):
        at_row = t.dx[i] * (<double>row - t.y[(i + 1) % 3])
        if t.dy[i] == 0.0:
            if at_row < 0.0 or (at_row == 0.0 and not t.owns[i]):
                last[0] = first[0] - 1
                return
            continue
        crossing = t.x[(i + 1) % 3] + at_row / t.dy[i]
        if t.dy[i] < 0.0:
            left = max(left, crossing)
        else:
            right = min(right, crossing)
    # A left edge owns its samples, a right edge does not.
    if not left < right:
        last[0] = first[0] - 1
        return
    first[0] = <Py_ssize_t>ceil(left)
    last[0] = <Py_ssize_t>ceil(right) - 1


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
    with nogil:
        for n in range(triangles.shape[0]):
            if not set_up(points, triangles[n, 0], triangles[n, 1], triangles[n, 2], cull, &t):
                continue
            bounds(&t, width, height, box)
            step = -(t.dy[0] * t.inverse_z[0] + t.dy[1] * t.inverse_z[1] + t.dy[2] * t.inverse_z[2]) / t.area
            for row in range(box[2], box[3] + 1):
                start = box[0]
                stop = box[1]
                span(&t, row, &start, &stop)
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


cdef struct Corners:
    # What the three corners of a triangle bring to shading: normal x y z and u, tint blue green red and v.
    # Rows of eight, so that the compiler interpolates them as vectors.
    float value[3][8]


cdef struct Surface:
    # What a fragment looks like: linear B, G, R and opacity.
    float color[4]
    float opacity


cdef inline void load(const int[:, ::1] triangles, const int[:, ::1] uv_triangles, const float[:, ::1] normals,
                      const float[:, ::1] uv, const float[:, ::1] tint, Py_ssize_t n, Corners* c) noexcept nogil:
    cdef int i, k
    for i in range(3):
        for k in range(3):
            c.value[i][k] = normals[triangles[n, i], k]
            c.value[i][4 + k] = tint[triangles[n, i], k]
        c.value[i][3] = uv[uv_triangles[n, i], 0]
        c.value[i][7] = uv[uv_triangles[n, i], 1]


cdef inline void locate(const Triangle* t, const double* weight, float* barycentric) noexcept nogil:
    """Perspective-correct barycentric coordinates, clamped into the triangle, in the order of its corners."""
    cdef float zero = 0.0
    cdef float third = <float>(1.0 / 3.0)
    cdef float b[3]
    cdef float total
    cdef int i
    for i in range(3):
        b[i] = max(<float>(weight[i] * t.inverse_z[i]), zero)
    total = b[0] + b[1] + b[2]
    if total <= zero:
        barycentric[0] = barycentric[1] = barycentric[2] = third
        return
    total = ONE / total
    barycentric[0] = b[0] * total
    barycentric[1] = (b[2] if t.flipped else b[1]) * total
    barycentric[2] = (b[1] if t.flipped else b[2]) * total


cdef inline void bilinear_weights(float x, float y, float* weight) noexcept nogil:
    weight[0] = (ONE - x) * (ONE - y)
    weight[1] = x * (ONE - y)
    weight[2] = (ONE - x) * y
    weight[3] = x * y


cdef inline void fetch(const unsigned char[:, :, ::1] texture, float u, float v, float* texel) noexcept nogil:
    """Bilinear texture lookup at u, v in 0..1 of the texture's width and height, clamped at its border."""
    cdef int width = <int>texture.shape[1]
    cdef int height = <int>texture.shape[0]
    cdef float zero = 0.0
    cdef float x = min(max(u * <float>width - HALF, zero), <float>(width - 1))
    cdef float y = min(max(v * <float>height - HALF, zero), <float>(height - 1))
    cdef int left = <int>x
    cdef int top = <int>y
    cdef float fx = x - <float>left
    cdef float fy = y - <float>top
    cdef Py_ssize_t across = 4 if left + 1 < width else 0
    cdef Py_ssize_t down = 4 * <Py_ssize_t>width if top + 1 < height else 0
    cdef float weight[4]
    bilinear_weights(fx, fy, weight)
    mix_texels(&texture[top, left, 0], across, down, weight, texel)


cdef inline void light(const float[:, :, :, ::1] lights, int material, float nx, float ny, float nz,
                       float* eight) noexcept nogil:
    """Diffuse and specular light on a normal, from the map of lights seen by a sphere; bilinear."""
    cdef int size = <int>lights.shape[1]
    cdef float scale = HALF * <float>(size - 1)
    cdef float length = ONE / (sqrtf(nx * nx + ny * ny + nz * nz) + TINY)
    cdef float x = (nx * length + ONE) * scale
    cdef float y = (ny * length + ONE) * scale
    cdef int left = min(max(<int>x, 0), size - 2)
    cdef int top = min(max(<int>y, 0), size - 2)
    cdef float fx = x - <float>left
    cdef float fy = y - <float>top
    cdef float weight[4]
    bilinear_weights(fx, fy, weight)
    mix_lights(&lights[material, top, left, 0], &lights[material, top + 1, left, 0], weight, eight)


cdef inline void shade_fragment(const Corners* c, const unsigned char[:, :, ::1] texture, const float[::1] linear,
                                const float[:, :, :, ::1] lights, int material, const float* b, bint blended,
                                Surface* out) noexcept nogil:
    cdef float texel[4]
    cdef float lit[8]
    cdef float at[8]
    cdef float albedo[4]
    cdef float gloss
    cdef int k
    mix_corners(&c.value[0][0], b, at)
    fetch(texture, at[3], at[7], texel)
    light(lights, material, at[0], at[1], at[2], lit)
    out.opacity = texel[3] * LEVEL if blended else ONE
    gloss = ONE if blended else texel[3] * LEVEL
    for k in range(3):
        albedo[k] = linear[<int>(texel[k] + HALF)]
    albedo[3] = 0
    for k in range(4):
        out.color[k] = at[4 + k] * (albedo[k] * lit[k] + gloss * lit[4 + k])


def shade(const float[:, ::1] points, const int[:, ::1] triangles, int first, const int[:, ::1] uv_triangles,
          const float[:, ::1] normals, const float[:, ::1] uv, const float[:, ::1] tint,
          const unsigned char[::1] materials, const unsigned char[:, :, ::1] texture, const float[::1] linear,
          const float[:, :, :, ::1] lights, const float[:, ::1] inverse_depth, const int[:, ::1] index,
          int samples, float crease, float[:, :, ::1] canvas):
    """Add to the canvas (premultiplied linear B, G, R, opacity) what the visibility buffer shows of one mesh.

    The samples of a pixel that share a material and lie within the relative depth `crease` are shaded once, at
    their center: edges stay smooth at the cost of about one shading a pixel.
    """
    cdef Py_ssize_t row, column, n, other, loaded = -1
    cdef Py_ssize_t stride = index.shape[1]
    cdef int i, j, k, count, total = samples * samples, last = first + <int>triangles.shape[0]
    cdef double x, y
    cdef double weight[3]
    cdef float b[3]
    cdef float near, share
    cdef unsigned long long done
    cdef const int* seen
    cdef const float* depth
    cdef bint whole
    cdef double middle = 0.5 * (samples - 1)
    cdef Py_ssize_t place[64]
    cdef double place_x[64]
    cdef double place_y[64]
    cdef Triangle t
    cdef Corners c
    cdef Surface s
    if not index.shape[0] or not index.shape[1]:
        return
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
                # Most pixels show one triangle or nothing: they need no sorting of samples into groups.
                whole = True
                for i in range(1, total):
                    if seen[place[i]] != seen[0]:
                        whole = False
                        break
                for i in range(1 if whole else total):
                    n = seen[place[i]]
                    if n < first or n >= last or (done >> i) & 1:
                        continue
                    near = depth[place[i]]
                    x = y = middle
                    count = total
                    if not whole:
                        x = y = 0.0
                        count = 0
                    for j in range(i, 0 if whole else total):
                        other = seen[place[j]]
                        if other != n:
                            if other < first or other >= last or (done >> j) & 1:
                                continue
                            if materials[other - first] != materials[n - first] \
                                    or fabsf(depth[place[j]] - near) > crease * near:
                                continue
                        done |= (<unsigned long long>1) << j
                        count += 1
                        x += place_x[j]
                        y += place_y[j]
                    n -= first
                    if n != loaded:
                        if not set_up(points, triangles[n, 0], triangles[n, 1], triangles[n, 2], False, &t):
                            continue
                        load(triangles, uv_triangles, normals, uv, tint, n, &c)
                        loaded = n
                    if not whole:
                        x /= count
                        y /= count
                    weigh(&t, <double>(column * samples) + x, <double>(row * samples) + y, weight)
                    locate(&t, weight, b)
                    shade_fragment(&c, texture, linear, lights, materials[n], b, False, &s)
                    share = <float>count / <float>total
                    for k in range(3):
                        canvas[row, column, k] += share * s.color[k]
                    canvas[row, column, 3] += share


def blend(const float[:, ::1] points, const int[:, ::1] triangles, const int[:, ::1] uv_triangles,
          const float[:, ::1] normals, const float[:, ::1] uv, const float[:, ::1] tint,
          const unsigned char[::1] materials, const unsigned char[:, :, ::1] texture, const float[::1] linear,
          const float[:, :, :, ::1] lights, const float[:, ::1] inverse_depth, float bias, int samples,
          float[:, :, ::1] canvas):
    """Lay see-through triangles over the canvas in their order; the texture's fourth channel is their opacity.

    A sample is covered where the triangle is nearer than the z-buffer or behind it by at most the relative depth
    `bias`. Points are in samples, as for `draw`; nothing is written to the z-buffer.
    """
    cdef Py_ssize_t n, row, column
    cdef Py_ssize_t box[4]
    cdef int i, k, m, count
    cdef double x, y, near
    cdef double weight[3]
    cdef float b[3]
    cdef float a
    cdef Triangle t
    cdef Corners c
    cdef Surface s
    with nogil:
        for n in range(triangles.shape[0]):
            if not set_up(points, triangles[n, 0], triangles[n, 1], triangles[n, 2], False, &t):
                continue
            load(triangles, uv_triangles, normals, uv, tint, n, &c)
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
                    weigh(&t, x / count, y / count, weight)
                    locate(&t, weight, b)
                    shade_fragment(&c, texture, linear, lights, materials[n], b, True, &s)
                    a = s.opacity * <float>count / <float>(samples * samples)
                    for k in range(3):
                        canvas[row, column, k] = canvas[row, column, k] * (ONE - a) + a * s.color[k]
                    canvas[row, column, 3] = canvas[row, column, 3] * (ONE - a) + a


def composite(const float[:, :, ::1] canvas, const float[::1] linear, const unsigned char[::1] encoded,
              unsigned char[:, :, :] image):
    """Lay the canvas over the image of the same size: image = encode(canvas + (1 - opacity) * decode(image))."""
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
