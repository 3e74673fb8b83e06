// Evaluates only morph targets with a non-zero weight: three.js's shader evaluates all 52 for every vertex, which takes
// most of a frame on slow phones. Without a GPU, cpu_morphs.ts replaces it.

import type { IUniform, Material, WebGLProgramParametersWithUniforms } from "three";

const MIN_WEIGHT = 0.002; // smaller weights are ignored: displacements below 0.1 mm

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

/** The active morph targets of one face, shared by its materials. */
export class ActiveMorphs {
  private uniforms: { morphCount: IUniform<number>; morphIndex: IUniform<Int32Array>; morphWeight: IUniform<Float32Array> };

  constructor(count: number) {
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
      if (Math.abs(weights[k]) < MIN_WEIGHT) continue;
      morphIndex.value[count] = k;
      morphWeight.value[count++] = weights[k];
    }
    morphCount.value = count;
  }

  /** Adds the list to a material; an existing onBeforeCompile is kept. */
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
    // All faces share one program; they differ only in the uniforms.
    material.customProgramCacheKey = () => `active morphs ${material.type}`;
    return material;
  }
}
