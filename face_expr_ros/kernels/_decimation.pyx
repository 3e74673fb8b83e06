# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Inner loops of the mesh decimation; decimation.py holds the checked public function.

The corner c belongs to the triangle c / 3. The corners of a vertex are a linked list; those of removed triangles stay
in it until another vertex is merged into this one, and are skipped.
"""

from libc.math cimport INFINITY, sqrt


cdef enum:
    NONE = -1
    TERMS = 10  # of a symmetric 4 x 4 matrix


cdef struct Surface:
    int shapes, count, stamp, stamp_too, most_neighbors
    double least_cosine
    const double *points  # (shapes, count, 3)
    double *quadrics  # (shapes, count, TERMS)
    int *triangles  # (T, 3), the first corner NONE if the triangle was removed
    int *following  # (3 T) the next corner of the same vertex, or NONE
    int *first  # (count) the first corner of a vertex, or NONE
    int *ring  # (count) scratch: the neighbors of a vertex
    int *shared  # (count) scratch: the number of triangles at the edge to each neighbor
    int *mark  # (count) scratch
    int *mark_too  # (count) scratch
    double *costs  # (count) scratch


cdef void normal(const double *a, const double *b, const double *c, double *out) noexcept nogil:
    """The cross product of two sides; its length is twice the area."""
    cdef double u[3]
    cdef double v[3]
    cdef int k
    for k in range(3):
        u[k], v[k] = b[k] - a[k], c[k] - a[k]
    out[0], out[1], out[2] = u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]


cdef const double *place(const Surface *m, int shape, int vertex) noexcept nogil:
    return m.points + 3 * (<Py_ssize_t>shape * m.count + vertex)


cdef double *quadric(const Surface *m, int shape, int vertex) noexcept nogil:
    return m.quadrics + TERMS * (<Py_ssize_t>shape * m.count + vertex)


cdef void add_plane(const Surface *m, int shape, const int *triangle) noexcept nogil:
    """Add the squared distance from a triangle's plane, times its area, to the quadrics of its corners."""
    cdef double n[4]
    cdef double area, weight
    cdef double *q
    cdef const double *a = place(m, shape, triangle[0])
    cdef int i, j, k, term
    normal(a, place(m, shape, triangle[1]), place(m, shape, triangle[2]), n)
    area = sqrt(n[0] * n[0] + n[1] * n[1] + n[2] * n[2])
    if area <= 0:
        return
    n[3] = -(n[0] * a[0] + n[1] * a[1] + n[2] * a[2])
    for k in range(3):
        q = quadric(m, shape, triangle[k])
        term = 0
        for i in range(4):
            for j in range(i, 4):
                q[term] += n[i] * n[j] / area
                term += 1


cdef double error(const double *q, const double *p) noexcept nogil:
    return (q[0] * p[0] * p[0] + q[4] * p[1] * p[1] + q[7] * p[2] * p[2] + q[9]
            + 2 * (p[0] * (q[1] * p[1] + q[2] * p[2] + q[3]) + p[1] * (q[5] * p[2] + q[6]) + p[2] * q[8]))


cdef double cost_of(const Surface *m, int start, int end) noexcept nogil:
    """The squared distances, over all shapes, of moving a vertex to another one."""
    cdef double total = 0
    cdef int shape
    for shape in range(m.shapes):
        total += error(quadric(m, shape, start), place(m, shape, end))
        total += error(quadric(m, shape, end), place(m, shape, end))
    return total


cdef int find_ring(Surface *m, int vertex) noexcept nogil:
    """Find and mark the neighbors of a vertex; returns their number."""
    cdef int corner = m.first[vertex], count = 0, other, k
    cdef int *triangle
    m.stamp += 1
    while corner != NONE:
        triangle = m.triangles + 3 * (corner // 3)
        if triangle[0] != NONE:
            for k in range(3):
                other = triangle[k]
                if other == vertex:
                    continue
                if m.mark[other] != m.stamp:
                    m.mark[other] = m.stamp
                    m.shared[other] = 0
                    m.ring[count] = other
                    count += 1
                m.shared[other] += 1
        corner = m.following[corner]
    return count


cdef bint linked(Surface *m, int vertex, int degree) noexcept nogil:
    """Whether the vertex whose ring was found, with `degree` neighbors, may be merged into this one: they share exactly
    two neighbors (link condition), and the result has at most `most_neighbors`."""
    cdef int corner = m.first[vertex], shared = 0, all = 0, other, k
    cdef int *triangle
    m.stamp_too += 1
    while corner != NONE:
        triangle = m.triangles + 3 * (corner // 3)
        if triangle[0] != NONE:
            for k in range(3):
                other = triangle[k]
                if other != vertex and m.mark_too[other] != m.stamp_too:
                    m.mark_too[other] = m.stamp_too
                    all += 1
                    shared += m.mark[other] == m.stamp
        corner = m.following[corner]
    return shared == 2 and all + degree - 4 <= m.most_neighbors


cdef bint turns(const Surface *m, int start, int end) noexcept nogil:
    """Whether a triangle would flip, in any shape, if a vertex moved to another one."""
    cdef int corner = m.first[start], shape, k
    cdef int *triangle
    cdef const double *places[3]
    cdef double before[3]
    cdef double after[3]
    cdef double along, lengths
    while corner != NONE:
        triangle = m.triangles + 3 * (corner // 3)
        if triangle[0] != NONE and triangle[0] != end and triangle[1] != end and triangle[2] != end:
            for shape in range(m.shapes):
                for k in range(3):
                    places[k] = place(m, shape, triangle[k])
                normal(places[0], places[1], places[2], before)
                places[corner % 3] = place(m, shape, end)
                normal(places[0], places[1], places[2], after)
                along = before[0] * after[0] + before[1] * after[1] + before[2] * after[2]
                lengths = sqrt((before[0] * before[0] + before[1] * before[1] + before[2] * before[2])
                               * (after[0] * after[0] + after[1] * after[1] + after[2] * after[2]))
                if not along >= m.least_cosine * lengths or lengths == 0:
                    return True
        corner = m.following[corner]
    return False


cdef double evaluate(Surface *m, int vertex, int *target) noexcept nogil:
    """The lowest cost of merging a vertex into a neighbor, and that neighbor; INFINITY if no merge is allowed."""
    cdef int count = find_ring(m, vertex), i, best
    for i in range(count):
        if m.shared[m.ring[i]] != 2:
            return INFINITY  # at the border
        m.costs[i] = cost_of(m, vertex, m.ring[i])
    while True:
        best = NONE
        for i in range(count):
            if m.costs[i] < INFINITY and (best == NONE or m.costs[i] < m.costs[best]):
                best = i
        if best == NONE:
            return INFINITY
        if linked(m, m.ring[best], count) and not turns(m, vertex, m.ring[best]):
            target[0] = m.ring[best]
            return m.costs[best]
        m.costs[best] = INFINITY


cdef void collapse(Surface *m, int start, int end) noexcept nogil:
    """Merge a vertex into a neighbor and remove the triangles at their edge."""
    cdef int corner = m.first[start], after, kept = NONE, k, shape
    cdef int *triangle
    cdef double *into
    cdef const double *taken
    while corner != NONE:
        triangle = m.triangles + 3 * (corner // 3)
        if triangle[0] == end or triangle[1] == end or triangle[2] == end:
            triangle[0] = NONE
        after = m.following[corner]
        if triangle[0] != NONE:
            triangle[corner % 3] = end
            m.following[corner] = kept
            kept = corner
        corner = after
    corner = m.first[end]
    while corner != NONE:
        after = m.following[corner]
        if m.triangles[3 * (corner // 3)] != NONE:
            m.following[corner] = kept
            kept = corner
        corner = after
    m.first[end], m.first[start] = kept, NONE
    for shape in range(m.shapes):
        into, taken = quadric(m, shape, end), quadric(m, shape, start)
        for k in range(TERMS):
            into[k] += taken[k]


cdef struct Queue:
    int size
    int *vertices  # a binary heap by the vertices' keys, the smallest first
    int *places  # (count) in the heap, or NONE
    double *keys  # (count)


cdef void sift(Queue *q, int at) noexcept nogil:
    """Restore the heap order of an entry."""
    cdef int vertex = q.vertices[at], parent, child
    while at > 0:
        parent = (at - 1) // 2
        if q.keys[q.vertices[parent]] <= q.keys[vertex]:
            break
        q.vertices[at] = q.vertices[parent]
        q.places[q.vertices[at]] = at
        at = parent
    while True:
        child = 2 * at + 1
        if child >= q.size:
            break
        if child + 1 < q.size and q.keys[q.vertices[child + 1]] < q.keys[q.vertices[child]]:
            child += 1
        if q.keys[q.vertices[child]] >= q.keys[vertex]:
            break
        q.vertices[at] = q.vertices[child]
        q.places[q.vertices[at]] = at
        at = child
    q.vertices[at] = vertex
    q.places[vertex] = at


cdef void set_key(Queue *q, int vertex, double key) noexcept nogil:
    """Insert a vertex or change its key; the key INFINITY removes it."""
    cdef int at = q.places[vertex]
    q.keys[vertex] = key
    if key == INFINITY:
        if at != NONE:
            q.size -= 1
            q.places[vertex] = NONE
            if at < q.size:
                q.vertices[at] = q.vertices[q.size]
                q.places[q.vertices[at]] = at
                sift(q, at)
        return
    if at == NONE:
        at = q.size
        q.vertices[at] = vertex
        q.places[vertex] = at
        q.size += 1
    sift(q, at)


def decimate(const double[:, :, ::1] points, double[:, :, ::1] quadrics, int[:, ::1] triangles, int[::1] following,
             int[:, ::1] work, double[:, ::1] keys, int removed, double least_cosine,
             int most_neighbors):
    """Remove up to `removed` vertices; removed triangles (T, 3) begin with -1. quadrics (shapes, count, 10) are zeros;
    following (3 T,), work (7, count) of -1 and keys (2, count) are scratch."""
    cdef Surface m
    cdef Queue q
    cdef int corner, vertex, target = 0, count, i, shape
    cdef int *around = &work[6, 0]
    cdef double cost
    m.shapes, m.count, m.stamp, m.least_cosine = <int>points.shape[0], <int>points.shape[1], 0, least_cosine
    m.stamp_too, m.most_neighbors = 0, most_neighbors
    m.points, m.quadrics = &points[0, 0, 0], &quadrics[0, 0, 0]
    m.triangles, m.following = &triangles[0, 0], &following[0]
    m.first, m.ring, m.shared, m.mark, m.mark_too = &work[0, 0], &work[1, 0], &work[2, 0], &work[3, 0], &work[4, 0]
    m.costs = &keys[0, 0]
    cdef int[::1] heap = work[5].copy()
    q.size, q.vertices, q.keys = 0, &heap[0], &keys[1, 0]
    cdef int[::1] places = work[5]
    q.places = &places[0]
    with nogil:
        for corner in range(3 * <int>triangles.shape[0]):
            vertex = m.triangles[corner]
            m.following[corner] = m.first[vertex]
            m.first[vertex] = corner
        for i in range(<int>triangles.shape[0]):
            for shape in range(m.shapes):
                add_plane(&m, shape, m.triangles + 3 * i)
        for vertex in range(m.count):
            if m.first[vertex] != NONE:
                set_key(&q, vertex, evaluate(&m, vertex, &target))
        while removed > 0 and q.size > 0:
            vertex = q.vertices[0]
            cost = evaluate(&m, vertex, &target)
            if cost > q.keys[vertex]:  # its neighborhood has changed since the key was computed
                set_key(&q, vertex, cost)
                continue
            set_key(&q, vertex, INFINITY)
            collapse(&m, vertex, target)
            removed -= 1
            count = find_ring(&m, target)
            for i in range(count):
                around[i] = m.ring[i]
            set_key(&q, target, evaluate(&m, target, &vertex))
            for i in range(count):
                set_key(&q, around[i], evaluate(&m, around[i], &vertex))
