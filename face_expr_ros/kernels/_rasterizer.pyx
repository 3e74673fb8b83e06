# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Inner loops of the z-buffer renderer; rasterizer.py holds the checked public functions.

Points are x, y in pixels of the buffer (the center of the first pixel is (0, 0)) and z in meters along the optical
axis. Buffers hold inverse depth 1/z, which is linear in the image and 0 where nothing was drawn.
A pixel that lies exactly on an edge belongs to the triangle that has it as a top or left edge.
"""

from libc.math cimport ceil, floor, isfinite, sqrt

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


def draw(const float[:, ::1] points, const int[:, ::1] triangles, int first, bint cull,
         float[:, ::1] inverse_depth, int[:, ::1] index):
    """Draw triangles into the z-buffer; index receives first + the number of the nearest triangle."""
    cdef Py_ssize_t n, row, column, width = inverse_depth.shape[1], height = inverse_depth.shape[0]
    cdef Py_ssize_t box[4]
    cdef double weight[3]
    cdef double at_row[3]
    cdef double near
    cdef bint entered
    cdef int i
    cdef Triangle t
    with nogil:
        for n in range(triangles.shape[0]):
            if not set_up(points, triangles[n, 0], triangles[n, 1], triangles[n, 2], cull, &t):
                continue
            bounds(&t, width, height, box)
            for row in range(box[2], box[3] + 1):
                entered = False
                for i in range(3):
                    at_row[i] = t.dx[i] * (<double>row - t.y[(i + 1) % 3])
                for column in range(box[0], box[1] + 1):
                    for i in range(3):
                        weight[i] = at_row[i] - t.dy[i] * (<double>column - t.x[(i + 1) % 3])
                    if not inside(&t, weight):
                        if entered:
                            break
                        continue
                    entered = True
                    near = (weight[0] * t.inverse_z[0] + weight[1] * t.inverse_z[1]
                            + weight[2] * t.inverse_z[2]) / t.area
                    if near > inverse_depth[row, column]:
                        inverse_depth[row, column] = <float>near
                        index[row, column] = first + <int>n


cdef struct Surface:
    # What a fragment looks like: linear B, G, R and opacity.
    float color[3]
    float opacity


cdef inline void locate(const Triangle* t, const double* weight, float* barycentric) noexcept nogil:
    """Perspective-correct barycentric coordinates, clamped into the triangle, in the order of its corners."""
    cdef double b[3]
    cdef double total = 0.0
    cdef int i
    for i in range(3):
        b[i] = max(weight[i], 0.0) * t.inverse_z[i]
        total += b[i]
    if total <= 0.0:
        b[0] = b[1] = b[2] = total = 1.0
        total = 3.0
    barycentric[0] = <float>(b[0] / total)
    barycentric[1] = <float>((b[2] if t.flipped else b[1]) / total)
    barycentric[2] = <float>((b[1] if t.flipped else b[2]) / total)


cdef inline void fetch(const unsigned char[:, :, ::1] texture, float u, float v, float* texel) noexcept nogil:
    """Bilinear texture lookup at u, v in 0..1 of the texture's width and height, clamped at its border."""
    cdef float x = u * texture.shape[1] - 0.5
    cdef float y = v * texture.shape[0] - 0.5
    cdef Py_ssize_t left, top, right, bottom
    cdef float fx, fy
    cdef int k
    x = min(max(x, 0.0), <float>(texture.shape[1] - 1))
    y = min(max(y, 0.0), <float>(texture.shape[0] - 1))
    left = <Py_ssize_t>x
    top = <Py_ssize_t>y
    right = min(left + 1, texture.shape[1] - 1)
    bottom = min(top + 1, texture.shape[0] - 1)
    fx = x - left
    fy = y - top
    for k in range(4):
        texel[k] = (texture[top, left, k] * (1 - fx) + texture[top, right, k] * fx) * (1 - fy) \
            + (texture[bottom, left, k] * (1 - fx) + texture[bottom, right, k] * fx) * fy


cdef inline void light(const float[:, :, :, ::1] lights, int material, float nx, float ny, float nz,
                       float* six) noexcept nogil:
    """Diffuse and specular light on a normal, from the map of lights seen by a sphere; bilinear."""
    cdef Py_ssize_t size = lights.shape[1]
    cdef float length = <float>sqrt(nx * nx + ny * ny + nz * nz) + <float>1e-12
    cdef float x = (nx / length * <float>0.5 + <float>0.5) * (size - 1)
    cdef float y = (ny / length * <float>0.5 + <float>0.5) * (size - 1)
    cdef Py_ssize_t left = min(max(<Py_ssize_t>x, 0), size - 2)
    cdef Py_ssize_t top = min(max(<Py_ssize_t>y, 0), size - 2)
    cdef float fx = x - left
    cdef float fy = y - top
    cdef const float* p = &lights[material, top, left, 0]
    cdef const float* q = &lights[material, top + 1, left, 0]
    cdef int k
    for k in range(6):
        six[k] = (p[k] * (1 - fx) + p[k + 6] * fx) * (1 - fy) + (q[k] * (1 - fx) + q[k + 6] * fx) * fy


cdef inline void shade_fragment(const int[:, ::1] triangles, const int[:, ::1] uv_triangles,
                                const float[:, ::1] normals, const float[:, ::1] uv, const float[:, ::1] tint,
                                const unsigned char[:, :, ::1] texture, const float[::1] linear,
                                const float[:, :, :, ::1] lights, int material, Py_ssize_t n, const float* b,
                                bint blended, Surface* out) noexcept nogil:
    cdef float texel[4]
    cdef float six[6]
    cdef float normal[3]
    cdef float color[3]
    cdef float u = 0.0
    cdef float v = 0.0
    cdef float gloss, value, fraction
    cdef int i, k, low
    for k in range(3):
        normal[k] = 0.0
        color[k] = 0.0
    for i in range(3):
        u += b[i] * uv[uv_triangles[n, i], 0]
        v += b[i] * uv[uv_triangles[n, i], 1]
        for k in range(3):
            normal[k] += b[i] * normals[triangles[n, i], k]
            color[k] += b[i] * tint[triangles[n, i], k]
    fetch(texture, u, v, texel)
    light(lights, material, normal[0], normal[1], normal[2], six)
    gloss = 1.0 if blended else texel[3] / <float>255.0
    for k in range(3):
        low = min(<int>texel[k], 254)
        fraction = texel[k] - low
        value = linear[low] + (linear[low + 1] - linear[low]) * fraction
        out.color[k] = color[k] * (value * six[k] + gloss * six[3 + k])
    out.opacity = texel[3] / <float>255.0 if blended else 1.0


def shade(const float[:, ::1] points, const int[:, ::1] triangles, int first, const int[:, ::1] uv_triangles,
          const float[:, ::1] normals, const float[:, ::1] uv, const float[:, ::1] tint,
          const unsigned char[::1] materials, const unsigned char[:, :, ::1] texture, const float[::1] linear,
          const float[:, :, :, ::1] lights, const float[:, ::1] inverse_depth, const int[:, ::1] index,
          int samples, float crease, float[:, :, ::1] canvas):
    """Add to the canvas (premultiplied linear B, G, R, opacity) what the visibility buffer shows of one mesh.

    The samples of a pixel that share a material and lie within the relative depth `crease` are shaded once, at
    their center: edges stay smooth at the cost of about one shading a pixel.
    """
    cdef Py_ssize_t row, column, n, other
    cdef int i, j, count, total = samples * samples, last = first + <int>triangles.shape[0]
    cdef int k, m
    cdef double x, y, weight[3]
    cdef float b[3]
    cdef float near, share
    cdef unsigned long long done, bit
    cdef Triangle t
    cdef Surface s
    with nogil:
        for row in range(canvas.shape[0]):
            for column in range(canvas.shape[1]):
                done = 0
                for i in range(total):
                    bit = (<unsigned long long>1) << i
                    n = index[row * samples + i // samples, column * samples + i % samples]
                    if done & bit or n < first or n >= last:
                        continue
                    near = inverse_depth[row * samples + i // samples, column * samples + i % samples]
                    x = y = 0.0
                    count = 0
                    for j in range(i, total):
                        k = <int>row * samples + j // samples
                        m = <int>column * samples + j % samples
                        other = index[k, m]
                        if other < first or other >= last or done & ((<unsigned long long>1) << j):
                            continue
                        if other != n and (materials[other - first] != materials[n - first]
                                           or abs(inverse_depth[k, m] - near) > crease * near):
                            continue
                        done |= (<unsigned long long>1) << j
                        count += 1
                        x += m
                        y += k
                    n -= first
                    if not set_up(points, triangles[n, 0], triangles[n, 1], triangles[n, 2], False, &t):
                        continue
                    weigh(&t, x / count, y / count, weight)
                    locate(&t, weight, b)
                    shade_fragment(triangles, uv_triangles, normals, uv, tint, texture, linear, lights,
                                   materials[n], n, b, False, &s)
                    share = <float>count / total
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
    cdef double x, y, near, weight[3]
    cdef float b[3]
    cdef float a
    cdef Triangle t
    cdef Surface s
    with nogil:
        for n in range(triangles.shape[0]):
            if not set_up(points, triangles[n, 0], triangles[n, 1], triangles[n, 2], False, &t):
                continue
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
                    shade_fragment(triangles, uv_triangles, normals, uv, tint, texture, linear, lights,
                                   materials[n], n, b, True, &s)
                    a = s.opacity * count / (samples * samples)
                    for k in range(3):
                        canvas[row, column, k] = canvas[row, column, k] * (1 - a) + a * s.color[k]
                    canvas[row, column, 3] = canvas[row, column, 3] * (1 - a) + a


def composite(const float[:, :, ::1] canvas, const float[::1] linear, const unsigned char[::1] encoded,
              unsigned char[:, :, :] image):
    """Lay the canvas over the image of the same size: image = encode(canvas + (1 - opacity) * decode(image))."""
    cdef Py_ssize_t row, column, last = encoded.shape[0] - 1
    cdef int k
    cdef float rest, value
    with nogil:
        for row in range(canvas.shape[0]):
            for column in range(canvas.shape[1]):
                if canvas[row, column, 3] <= 0.0:
                    continue
                rest = 1 - canvas[row, column, 3]
                for k in range(3):
                    value = canvas[row, column, k] + rest * linear[image[row, column, k]]
                    value = min(max(value, <float>0.0), <float>1.0)
                    image[row, column, k] = encoded[<Py_ssize_t>(value * last + <float>0.5)]
