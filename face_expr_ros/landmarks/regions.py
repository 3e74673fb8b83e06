"""Which of FaceMesh's 478 points lie where, by MediaPipe's published topology."""

from __future__ import annotations

LIDS_AND_IRISES = (
    7, 33, 133, 144, 145, 153, 154, 155, 157, 158, 159, 160, 161, 163, 173, 246, 249, 263, 362, 373, 374, 380, 381,
    382, 384, 385, 386, 387, 388, 390, 398, 466, 468, 469, 470, 471, 472, 473, 474, 475, 476, 477,
)  # fmt: skip
LIPS = (
    0, 13, 14, 17, 37, 39, 40, 61, 78, 80, 81, 82, 84, 87, 88, 91, 95, 146, 178, 181, 185, 191, 267, 269, 270, 291,
    308, 310, 311, 312, 314, 317, 318, 321, 324, 375, 402, 405, 409, 415,
)  # fmt: skip
BROWS = (
    46, 52, 53, 55, 63, 65, 66, 70, 105, 107, 276, 282, 283, 285, 293, 295, 296, 300, 334, 336,
)  # fmt: skip
OUTLINE = (
    10, 21, 54, 58, 67, 93, 103, 109, 127, 132, 136, 148, 149, 150, 152, 162, 172, 176, 234, 251, 284, 288, 297,
    323, 332, 338, 356, 361, 365, 377, 378, 379, 389, 397, 400, 454,
)  # fmt: skip

# The points of cheeks, nose and forehead are many and say nearly the same: every third of them is enough for a fit.
FEATURES = tuple(sorted({*LIDS_AND_IRISES, *LIPS, *BROWS, *OUTLINE}))
REST_STEP = 3
FITTED = tuple(sorted({*FEATURES, *[point for point in range(468) if point not in FEATURES][::REST_STEP]}))
