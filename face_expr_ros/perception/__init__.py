"""From an image to faces: detection, landmarks, tracking, fitting, expression, smoothing."""
