// The materials of one face: skin with painted lips and brows, eyes with an iris, teeth, eyelashes; or the camera picture.

import {
  Color, DoubleSide, FrontSide, Matrix4, MeshStandardMaterial, Vector3, type DataTexture, type IUniform, type Material, type Texture,
} from "three";
import { FRAGMENT_COLOR, FRAGMENT_HAIR, FRAGMENT_HEAD, FRAGMENT_LIGHT, FRAGMENT_PICTURE, FRAGMENT_ROUGHNESS, VERTEX_END, VERTEX_HEAD } from "./skin_shader";
import { softwareMaterials } from "./skin_software";

/** Variable uniforms of one face: the camera picture and its projection. */
export interface SkinUniforms {
  [name: string]: IUniform;
  picture: IUniform<Texture | null>;
  /** From model axes to homogeneous picture coordinates (u w, v w, w). */
  pictureMatrix: IUniform<Matrix4>;
  /** Camera center in model axes. */
  pictureEye: IUniform<Vector3>;
  pictureAmount: IUniform<number>;
  /** Linear average color of the face in the picture; 0 if unknown. */
  tone: IUniform<Color>;
  /** Fade-out of the bust: model y in meters, from and to. */
  fade: IUniform<[number, number]>;
  /** Brightness factor; below 1 under an overlay. */
  dim: IUniform<number>;
  opacity: IUniform<number>;
}

/** What the materials show. */
export interface SkinState {
  opacity: number;
  /** False: the skin only hides what is behind it. */
  visible: boolean;
  /** Lines on the surface are in front of it. */
  behindLines: boolean;
  /** The camera picture is projected on the face. */
  picture: boolean;
}

export class Skin {
  readonly uniforms: SkinUniforms;
  /** Of the groups of the geometry: skin, and all other parts. */
  readonly materials: Material[];

  /** `hair`: the texture for drawing without a GPU, or null. */
  constructor(paint: Texture, fade: [number, number], private hair: DataTexture | null) {
    this.uniforms = {
      picture: { value: null },
      pictureMatrix: { value: new Matrix4() },
      pictureEye: { value: new Vector3(0, 0, 1) },
      pictureAmount: { value: 0 },
      dim: { value: 1 },
      tone: { value: new Color(0, 0, 0) },
      paint: { value: paint },
      fade: { value: fade },
      opacity: { value: 1 },
    };
    this.materials = hair ? softwareMaterials(this.uniforms, hair) : [FrontSide, DoubleSide].map((side) => standardMaterial(this.uniforms, side));
  }

  show({ opacity, visible, behindLines, picture }: SkinState): void {
    this.uniforms.opacity.value = opacity;
    this.uniforms.pictureAmount.value = picture ? 1 : 0;
    for (const material of this.materials) {
      Object.assign(material, { opacity, colorWrite: visible, polygonOffset: behindLines, polygonOffsetFactor: 1, polygonOffsetUnits: 1 });
      if (this.hair && picture !== "PICTURE" in material.defines!) {
        if (picture) material.defines!.PICTURE = "";
        else delete material.defines!.PICTURE;
        material.needsUpdate = true;
      }
    }
  }
}

/** Lines of the mesh fade out with the bust. */
export function fading<T extends Material>(material: T, fade: SkinUniforms["fade"]): T {
  material.onBeforeCompile = (shader) => {
    shader.uniforms.fade = fade;
    shader.vertexShader = `attribute vec3 rest; varying float vHeight;\n${shader.vertexShader}`
      .replace("#include <project_vertex>", "#include <project_vertex>\nvHeight = rest.y;");
    shader.fragmentShader = `uniform vec2 fade; varying float vHeight;\n${shader.fragmentShader}`
      .replace("#include <color_fragment>", "#include <color_fragment>\ndiffuseColor.a *= smoothstep(fade.x, fade.y, vHeight);");
  };
  return material;
}

function standardMaterial(uniforms: SkinUniforms, side: typeof FrontSide | typeof DoubleSide): MeshStandardMaterial {
  const material = new MeshStandardMaterial({ vertexColors: true, side, transparent: true, roughness: 0.62, metalness: 0 });
  material.forceSinglePass = true;
  material.onBeforeCompile = (shader) => {
    const { opacity, ...own } = uniforms; // three.js sets the opacity
    Object.assign(shader.uniforms, own);
    const after = (source: string, chunk: string, text: string): string => source.replace(`#include <${chunk}>`, `#include <${chunk}>\n${text}`);
    shader.vertexShader = after(VERTEX_HEAD + shader.vertexShader, "project_vertex", VERTEX_END);
    let fragment = after(FRAGMENT_HEAD + FRAGMENT_HAIR + shader.fragmentShader, "color_fragment", FRAGMENT_COLOR);
    fragment = after(fragment, "roughnessmap_fragment", FRAGMENT_ROUGHNESS);
    shader.fragmentShader = fragment.replace("#include <opaque_fragment>", `${FRAGMENT_LIGHT}\n${FRAGMENT_PICTURE}\n#include <opaque_fragment>`);
  };
  return material;
}
