// Only the morph targets that move something: three.js's shader looks at all 52 for every vertex, which costs machines
// without a graphics card, and weak phones, most of a frame.

import type { IUniform, Material, WebGLProgramParametersWithUniforms } from "three";

/** Weights below it are left out: a tenth of a millimeter at most; without a graphics card what nobody sees. */
export const LEAST_WEIGHT = 0.002, LEAST_WEIGHT_IN_SOFTWARE = 0.03;

const HEAD = /* glsl */ `
#ifdef USE_MORPHTARGETS
uniform int morphCount; uniform int morphIndex[MORPHTARGETS_COUNT]; uniform float morphWeight[MORPHTARGETS_COUNT];
#endif
`;
const POSITION = /* glsl */ `
#ifdef USE_MORPHTARGETS
for (int k = 0; k < morphCount; k++) transformed += getMorph(gl_VertexID, morphIndex[k], 0).xyz * morphWeight[k];
#endif
`;
const NORMAL = /* glsl */ `
#ifdef USE_MORPHNORMALS
for (int k = 0; k < morphCount; k++) objectNormal += getMorph(gl_VertexID, morphIndex[k], 1).xyz * morphWeight[k];
#endif
`;

/** The list of one face, for all of its materials. */
export class ActiveMorphs {
  private uniforms: { morphCount: IUniform<number>; morphIndex: IUniform<Int32Array>; morphWeight: IUniform<Float32Array> };

  constructor(count: number, private least: number) {
    this.uniforms = {
      morphCount: { value: 0 },
      morphIndex: { value: new Int32Array(Math.max(1, count)) },
      morphWeight: { value: new Float32Array(Math.max(1, count)) },
    };
  }

  set(weights: Float32Array): void {
    const { morphCount, morphIndex, morphWeight } = this.uniforms;
    let count = 0;
    for (let k = 0; k < weights.length; k++) {
      if (weights[k] < this.least && weights[k] > -this.least) continue;
      morphIndex.value[count] = k;
      morphWeight.value[count++] = weights[k];
    }
    morphCount.value = count;
  }

  /** Lets the material use the list; what its onBeforeCompile does already still happens. */
  use<T extends Material>(material: T): T {
    const before = material.onBeforeCompile;
    material.onBeforeCompile = (shader: WebGLProgramParametersWithUniforms, renderer) => {
      before.call(material, shader, renderer);
      Object.assign(shader.uniforms, this.uniforms);
      shader.vertexShader = shader.vertexShader
        .replace("#include <morphtarget_pars_vertex>", `#include <morphtarget_pars_vertex>\n${HEAD}`)
        .replace("#include <morphtarget_vertex>", POSITION)
        .replace("#include <morphnormal_vertex>", NORMAL);
    };
    // Faces share their programs: what differs between them is in the uniforms.
    material.customProgramCacheKey = () => `active morphs ${material.type}`;
    return material;
  }
}
