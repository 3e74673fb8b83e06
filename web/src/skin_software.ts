// The skin without a GPU: lit per vertex, hair from a texture, and only what a part of the head needs. The shaders of
// skin_shader.ts take several times as long in software.

import { DoubleSide, FrontSide, ShaderMaterial, type DataTexture, type IUniform } from "three";
import { GRAIN, HAIR_Y, HAIR_Z, RAGGED } from "./hair";
import { lightValues } from "./lights";
import { FRAGMENT_HEAD, FRAGMENT_PICTURE, PAINT_TOP, PAINT_WIDTH, VERTEX_END, VERTEX_HEAD } from "./skin_shader";

const VERTEX = /* glsl */ `
#include <common>
#include <morphtarget_pars_vertex>
${VERTEX_HEAD}
uniform vec3 lampColors[4]; uniform vec3 lampDirections[4]; uniform vec3 sky; uniform vec3 ground; uniform vec2 fade;
varying vec3 vColor; varying vec3 vLight; varying vec3 vRim; varying vec3 vPaint; varying vec3 vHair; varying float vAlpha;
varying float vOpening; varying vec3 vNormal;
void main() {
  #include <morphinstance_vertex>
  #include <beginnormal_vertex>
  #include <morphnormal_vertex>
  #include <begin_vertex>
  #include <morphtarget_vertex>
  #include <project_vertex>
  ${VERTEX_END}
  vec3 way = normalize(mat3(modelMatrix) * objectNormal);
  vec3 toEye = normalize(cameraPosition - (modelMatrix * vec4(transformed, 1.0)).xyz);
  vNormal = normalize(normalMatrix * objectNormal);
  vLight = mix(ground, sky, 0.5 + 0.5 * way.y);
  for (int k = 0; k < 4; k++) vLight += lampColors[k] * max(0.0, dot(way, lampDirections[k]));
  vLight *= RECIPROCAL_PI;
  float facing = dot(toEye, way), away = 1.0 - clamp(facing, 0.0, 1.0);
  vRim = away * away * away * vec3(0.16, 0.055, 0.035);
  vOpening = smoothstep(-0.045, 0.004, rest.z) * (0.35 + 0.65 * abs(facing));
  vColor = color;
  vPaint = vec3(rest.x / ${PAINT_WIDTH} + 0.5, (${PAINT_TOP} - rest.y) / ${PAINT_WIDTH}, smoothstep(-0.075, -0.045, rest.z));
  float ear = smoothstep(0.0745, 0.0775, abs(rest.x)) * (1.0 - smoothstep(0.026, 0.036, rest.y));
  vHair = vec3((rest.z - ${HAIR_Z[0]}) / ${HAIR_Z[1] - HAIR_Z[0]}, (rest.y - ${HAIR_Y[0]}) / ${HAIR_Y[1] - HAIR_Y[0]}, 1.0 - ear);
  vAlpha = smoothstep(fade.x, fade.y, rest.y);
}
`;
// The painting is decoded here: decoding by the texture unit is slow in software.
const FRAGMENT = /* glsl */ `
${FRAGMENT_HEAD}
uniform sampler2D hairMap; uniform float opacity;
varying vec3 vColor; varying vec3 vLight; varying vec3 vRim; varying vec3 vPaint; varying vec3 vHair; varying float vAlpha;
varying float vOpening; varying vec3 vNormal;
vec3 linear(vec3 c) { return c * (c * (c * 0.305306011 + 0.682171111) + 0.012522878); }
void main() {
  vec4 diffuseColor = vec4(vColor, opacity * vAlpha);
#ifdef SKIN
  const float isSkin = 1.0, inMouth = 0.0;
  diffuseColor.rgb = mix(diffuseColor.rgb, linear(texture2D(paint, vPaint.xy).rgb), vPaint.z);
  float ragged = ${RAGGED / (HAIR_Y[1] - HAIR_Y[0])} * (fract(dot(floor(vRest.xy * ${GRAIN}.0), vec2(0.754878, 0.569840))) - 0.5);
  vec2 hairs = texture2D(hairMap, vec2(vHair.x, vHair.y + ragged)).rg;
  float hair = vHair.z * hairs.r;
  diffuseColor.rgb = mix(diffuseColor.rgb, vec3(0.045, 0.030, 0.024) * (0.75 + 0.5 * hairs.g), 0.9 * hair);
  vec3 outgoingLight = diffuseColor.rgb * vLight + (1.0 - 0.8 * hair) * vRim;
#else
  const float isSkin = 0.0, hair = 0.0;
  bool isEye = abs(vKind - 1.0) < 0.5;
  if (isEye) diffuseColor = vec4(eyeColor(vRest), opacity);
  if (vKind > 2.5) diffuseColor.a *= 0.6 * (1.0 - pictureAmount);
  vec3 outgoingLight = diffuseColor.rgb * vLight;
  if (isEye) outgoingLight += 0.55 * pow(max(dot(normalize(vNormal), vec3(-0.33, 0.36, 0.87)), 0.0), 90.0);
  float inMouth = step(1.5, vKind) * (1.0 - step(2.5, vKind));
  outgoingLight = mix(outgoingLight, diffuseColor.rgb * vOpening, inMouth * (1.0 - vOut));
#endif
  outgoingLight *= dim;
#ifdef PICTURE
  ${FRAGMENT_PICTURE}
#endif
  gl_FragColor = vec4(outgoingLight, diffuseColor.a);
  #include <tonemapping_fragment>
  #include <colorspace_fragment>
}
`;

/** The materials of skin and of all other parts; `uniforms` are those of skin_material.ts, and `opacity`. */
export function softwareMaterials(uniforms: Record<string, IUniform>, hair: DataTexture): ShaderMaterial[] {
  const lights = Object.entries(lightValues()).map(([name, value]) => [name, { value }]);
  const common = {
    uniforms: { ...Object.fromEntries(lights), hairMap: { value: hair } },
    vertexShader: VERTEX, fragmentShader: FRAGMENT, vertexColors: true, transparent: true, forceSinglePass: true,
  };
  const materials = [
    new ShaderMaterial({ ...common, defines: { SKIN: "" }, side: FrontSide }),
    new ShaderMaterial({ ...common, side: DoubleSide }),
  ];
  for (const material of materials) Object.assign(material.uniforms, uniforms); // shared, not cloned
  return materials;
}
