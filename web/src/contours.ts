// Landmark contours: indices of MediaPipe's 478 points, and of the 68 iBUG points. Left and right are the subject's.

export const LIPS_OUTER = [
  61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146, 61,
];
export const LIPS_INNER = [
  78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95, 78,
];
export const LEFT_EYE = [362, 398, 384, 385, 386, 387, 388, 466, 263, 249, 390, 373, 374, 380, 381, 382, 362];
export const RIGHT_EYE = [33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7, 33];
/** Upper and lower edge of each brow, from the nose outwards. */
export const LEFT_BROW = { upper: [336, 296, 334, 293, 300], lower: [285, 295, 282, 283, 276] };
export const RIGHT_BROW = { upper: [107, 66, 105, 63, 70], lower: [55, 65, 52, 53, 46] };
export const FACE_OVAL = [
  10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176, 149, 150, 136,
  172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109, 10,
];
export const NOSE = [168, 6, 197, 195, 5, 4, 1, 19, 94, 2];
export const CHEEKS = [50, 280];

/** Midpoints of the inner lips; their distance is the mouth opening. */
export const INNER_LIP = { upper: 13, lower: 14 };

export const LINES = [
  LIPS_OUTER, LIPS_INNER, LEFT_EYE, RIGHT_EYE, FACE_OVAL, NOSE,
  LEFT_BROW.upper, LEFT_BROW.lower, RIGHT_BROW.upper, RIGHT_BROW.lower,
];

/** Consecutive points; a closed line ends with the first one. */
const run = (from: number, to: number, closed = false): number[] => {
  const points = Array.from({ length: to - from + 1 }, (_, k) => from + k);
  return closed ? [...points, from] : points;
};

/** Of the 68 iBUG points: jaw, brows, nose, eyes, lips. */
export const LINES_68 = [
  run(0, 16), run(17, 21), run(22, 26), run(27, 30), run(31, 35), run(36, 41, true), run(42, 47, true), run(48, 59, true),
  run(60, 67, true),
];
