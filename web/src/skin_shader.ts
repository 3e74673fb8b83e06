// Additions to three.js shaders for the skin: paint, hair, eyes, inside of the mouth, camera picture. `kind` is 0 skin,
// 1 eyeball, 2 inside of the mouth, 3 eyelashes; `rest` is the position on the mean face, or relative to the eyeball.

/** The painted square in frontal projection: model axes, meters. */
export const PAINT_WIDTH = 0.2, PAINT_TOP = 0.07;
const MOUTH_DEPTH = "0.012"; // meters by which the inside of the mouth is moved away in the depth buffer

export const VERTEX_HEAD = /* glsl */ `
attribute float kind; attribute vec3 rest;
uniform mat4 pictureMatrix; uniform vec3 pictureEye;
varying float vKind; varying vec3 vRest; varying vec3 vPicture; varying float vFacing; varying float vOut; varying float vUpward;
`;
export const VERTEX_END = /* glsl */ `
vKind = kind; vRest = rest;
vPicture = (pictureMatrix * vec4(transformed, 1.0)).xyz;
vFacing = dot(normalize(objectNormal), normalize(pictureEye - transformed));
// Teeth and tongue behind the lips are drawn behind all skin: a wide smile may push the skin through them.
// -1 where the skin around the nostrils faces down.
vUpward = abs(rest.x) < 0.02 && rest.y < -0.03 && rest.y > -0.056 ? normalize(objectNormal).y : 0.0;
vOut = smoothstep(0.006, 0.014, transformed.z);
float inside = step(1.5, kind) * (1.0 - step(2.5, kind)) * (1.0 - vOut);
vec4 deeper = projectionMatrix * (mvPosition + inside * ${MOUTH_DEPTH} * vec4(normalize(mvPosition.xyz), 0.0));
gl_Position.z = deeper.z / deeper.w * gl_Position.w;
`;
/** Declarations that all fragment shaders of the skin use, and the color of the eyes. */
export const FRAGMENT_HEAD = /* glsl */ `
uniform sampler2D paint; uniform sampler2D picture; uniform float pictureAmount; uniform float dim;
uniform vec3 tone;
varying float vKind; varying vec3 vRest; varying vec3 vPicture; varying float vFacing; varying float vOut; varying float vUpward;
vec3 eyeColor(vec3 place) {
  vec3 way = normalize(place);
  float angle = acos(clamp(way.z, -1.0, 1.0)), around = atan(way.y, way.x);
  vec3 white = vec3(0.86, 0.82, 0.79) * (1.0 - 0.35 * smoothstep(0.5, 1.1, angle)) * (1.0 - 0.3 * smoothstep(-0.1, 0.5, way.y));
  float rays = 0.5 + 0.25 * sin(around * 37.0 + 3.0 * sin(angle * 60.0)) + 0.25 * sin(around * 61.0 - angle * 40.0);
  vec3 iris = mix(vec3(0.10, 0.17, 0.22), vec3(0.20, 0.34, 0.42), rays);
  iris = mix(vec3(0.36, 0.26, 0.13), iris, smoothstep(0.16, 0.28, angle));
  iris *= 1.0 - 0.75 * smoothstep(0.33, 0.41, angle);
  iris *= 1.0 - 0.45 * smoothstep(0.0, 0.35, way.y);
  vec3 color = mix(iris, white, smoothstep(0.395, 0.43, angle));
  return mix(vec3(0.012), color, smoothstep(0.15, 0.175, angle));
}
`;
export const FRAGMENT_HAIR = /* glsl */ `
uniform vec2 fade;
float grain(vec3 place) { return fract(sin(dot(floor(place), vec3(12.9898, 78.233, 37.719))) * 43758.5453); }
// 1 on the scalp of the mean face: above the hairline over forehead, temples, ears and nape.
float hairAt(vec3 place) {
  float back = -place.z;
  float line = mix(0.070, 0.046, smoothstep(0.03, 0.062, back));
  line = mix(line, -0.016, smoothstep(0.070, 0.077, back));
  line = mix(line, 0.032, smoothstep(0.088, 0.096, back));
  line = mix(line, -0.045, smoothstep(0.128, 0.140, back));
  line = mix(line, -0.085, smoothstep(0.150, 0.190, back));
  float ear = smoothstep(0.0745, 0.0775, abs(place.x)) * (1.0 - smoothstep(0.026, 0.036, place.y));
  return (1.0 - ear) * smoothstep(-0.007, 0.006, place.y - line + 0.004 * (grain(place * 700.0) - 0.5));
}
`;
export const FRAGMENT_COLOR = /* glsl */ `
bool isEye = abs(vKind - 1.0) < 0.5;
float isSkin = 1.0 - step(0.5, vKind);
if (isEye) diffuseColor.rgb = eyeColor(vRest);
vec2 paintAt = vec2(vRest.x / ${PAINT_WIDTH} + 0.5, (${PAINT_TOP} - vRest.y) / ${PAINT_WIDTH});
float front = isSkin * smoothstep(-0.075, -0.045, vRest.z);
diffuseColor.rgb = mix(diffuseColor.rgb, texture2D(paint, paintAt).rgb, front);
float hair = isSkin * hairAt(vRest);
vec3 hairColor = vec3(0.045, 0.030, 0.024) * (0.75 + 0.5 * grain(vRest * vec3(1500.0, 500.0, 1500.0)));
diffuseColor.rgb = mix(diffuseColor.rgb, hairColor, 0.9 * hair);
if (vKind > 2.5) diffuseColor.a *= 0.6 * (1.0 - pictureAmount); // the picture has lashes of its own
diffuseColor.a *= isEye ? 1.0 : smoothstep(fade.x, fade.y, vRest.y);
`;
export const FRAGMENT_ROUGHNESS = /* glsl */ `
float lips = front * clamp((diffuseColor.r - 1.75 * diffuseColor.g) * 6.0, 0.0, 1.0);
roughnessFactor = isEye ? 0.06 : mix(mix(0.42, roughnessFactor, isSkin), 0.42, lips);
roughnessFactor = mix(roughnessFactor, 0.85, hair);
`;
export const FRAGMENT_LIGHT = /* glsl */ `
float grazing = pow(1.0 - clamp(dot(normalize(vViewPosition), normal), 0.0, 1.0), 3.0);
outgoingLight += isSkin * (1.0 - 0.8 * hair) * grazing * vec3(0.16, 0.055, 0.035);
#ifdef HIGHLIGHT
if (isEye) outgoingLight += 0.55 * pow(max(dot(normal, vec3(-0.33, 0.36, 0.87)), 0.0), 90.0);
#endif
// There are no shadows: teeth and tongue are lit only through the mouth opening, and fully in front of the lips.
float inMouth = step(1.5, vKind) * (1.0 - step(2.5, vKind));
float opening = smoothstep(-0.045, 0.004, vRest.z) * (0.35 + 0.65 * abs(dot(normalize(vViewPosition), normal)));
outgoingLight = mix(outgoingLight, diffuseColor.rgb * opening, inMouth * (1.0 - vOut));
outgoingLight *= dim;
`;
/** Projects the camera picture on the face; the skin has the values isSkin, hair and inMouth. */
export const FRAGMENT_PICTURE = /* glsl */ `
// Where the camera does not see the skin, it has the average color of the face in the picture.
const vec3 LUMA = vec3(0.2126, 0.7152, 0.0722);
float shade = clamp(dot(outgoingLight, LUMA) / dot(vec3(0.69, 0.36, 0.23), LUMA), 0.35, 1.15);
outgoingLight = mix(outgoingLight, tone * shade, isSkin * (1.0 - hair) * pictureAmount * step(0.001, tone.r));
vec2 pictureAt = vPicture.xy / vPicture.z;
float seen = pictureAmount * smoothstep(0.12, 0.5, vFacing) * step(0.0, vPicture.z);
seen *= step(0.0, pictureAt.x) * step(pictureAt.x, 1.0) * step(0.0, pictureAt.y) * step(pictureAt.y, 1.0);
// Not on teeth and lashes; the folds of the ears and of the nostrils hide one another.
float folds = smoothstep(0.068, 0.074, abs(vRest.x)) * smoothstep(0.070, 0.078, -vRest.z) * (1.0 - smoothstep(0.026, 0.036, vRest.y)) * smoothstep(-0.07, -0.055, vRest.y);
float nostrils = 1.0 - smoothstep(0.0, 0.35, vUpward + 0.35);
seen *= (1.0 - inMouth) * (1.0 - 0.9 * folds) * (1.0 - nostrils);
outgoingLight = mix(outgoingLight, texture2D(picture, pictureAt).rgb, seen);
`;
