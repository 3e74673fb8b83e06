"""Regions of FaceMesh's 478 points, from MediaPipe's published topology."""

from __future__ import annotations

# Closed chains.
OUTLINE = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176, 149, 150,
    136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip
OUTER_LIPS = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185)
INNER_LIPS = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191)
RIGHT_LIDS = (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246)
LEFT_LIDS = (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466)
CLOSED_CONTOURS = (OUTLINE, OUTER_LIPS, INNER_LIPS, RIGHT_LIDS, LEFT_LIDS)

# Open chains.
BROW_EDGES = ((46, 53, 52, 65, 55), (70, 63, 105, 66, 107), (276, 283, 282, 295, 285), (300, 293, 334, 296, 336))
NOSE = ((168, 6, 197, 195, 5, 4), (98, 97, 2, 326, 327))
OPEN_CONTOURS = (*BROW_EDGES, *NOSE)

IRISES = ((468, 469, 470, 471, 472), (473, 474, 475, 476, 477))  # center, then four points of the rim

# The points closest to the 68 iBUG points, in their order; the two jaw lines differ most.
IBUG68 = (
    162, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 389, 71, 63, 105, 66, 107,
    336, 296, 334, 293, 301, 168, 197, 5, 4, 75, 97, 2, 326, 305, 33, 160, 158, 133, 153, 144, 362, 385, 387,
    263, 373, 380, 61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181, 78, 82, 13, 312, 308, 317, 14, 87,
)  # fmt: skip

# Regions, without order.
LIDS_AND_IRISES = (*RIGHT_LIDS, *LEFT_LIDS, *IRISES[0], *IRISES[1])
LIPS = (*OUTER_LIPS, *INNER_LIPS)
BROWS = tuple(point for edge in BROW_EDGES for point in edge)

# The many points of cheeks, nose and forehead are nearly redundant: a fit uses every third of them.
FEATURES = frozenset({*LIDS_AND_IRISES, *LIPS, *BROWS, *OUTLINE})
REST_STEP = 3
FITTED = tuple(sorted({*FEATURES, *[point for point in range(468) if point not in FEATURES][::REST_STEP]}))
