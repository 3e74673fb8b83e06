// Reads avatar files: glTF and VRM 0 and 1, with the names of their morph targets from wherever the file has them.

import { VRMLoaderPlugin, VRMUtils, type VRM } from "@pixiv/three-vrm";
import { Mesh, TextureLoader, type Object3D, type WebGLRenderer } from "three";
import { GLTFLoader, type GLTF, type GLTFParser } from "three/examples/jsm/loaders/GLTFLoader.js";
import { addDecoders } from "./avatar_decoders";

/** A mesh with morph targets, and the name of each. */
export interface MorphMesh {
  mesh: Mesh;
  names: string[];
}

export interface AvatarFile {
  scene: Object3D;
  vrm: VRM | null;
  meshes: MorphMesh[];
}

/** Loads textures as <img>: createImageBitmap would fetch blob: URLs. */
function loadAsImages(parser: GLTFParser): { name: string } {
  parser.textureLoader = new TextureLoader(parser.options.manager);
  return { name: "images" };
}

/** Throws Error if the data is not a glTF or VRM file. */
export async function readAvatar(name: string, data: ArrayBuffer, renderer: WebGLRenderer): Promise<AvatarFile> {
  const loader = new GLTFLoader();
  loader.register((parser) => new VRMLoaderPlugin(parser));
  loader.register(loadAsImages);
  const dispose = await addDecoders(loader, data, renderer);
  try {
    const gltf = await loader.parseAsync(data, "");
    const vrm: VRM | null = gltf.userData.vrm ?? null;
    if (vrm) VRMUtils.rotateVRM0(vrm);
    return { scene: vrm?.scene ?? gltf.scene, vrm, meshes: morphMeshes(gltf) };
  } catch (error) {
    throw new Error(`${name} is not a glTF or VRM file (${error instanceof Error ? error.message : String(error)})`);
  } finally {
    dispose();
  }
}

function morphMeshes(gltf: GLTF): MorphMesh[] {
  const found: MorphMesh[] = [];
  gltf.scene.traverse((object) => {
    object.frustumCulled = false; // bounding boxes ignore morphs and bones
    if (object instanceof Mesh && object.morphTargetInfluences?.length) {
      found.push({ mesh: object, names: targetNames(gltf, object) });
    }
  });
  return found;
}

/** Names in `extras.targetNames` of the mesh or of the primitive, or those of the accessors; empty if there are none. */
function targetNames(gltf: GLTF, mesh: Mesh): string[] {
  const place = gltf.parser.associations.get(mesh);
  const { meshes = [], accessors = [] } = gltf.parser.json;
  const entry = meshes[place?.meshes ?? -1];
  const primitive = entry?.primitives[place?.primitives ?? 0];
  const count = mesh.morphTargetInfluences!.length;
  for (const names of [entry?.extras?.targetNames, primitive?.extras?.targetNames, entry?.primitives[0]?.extras?.targetNames]) {
    if (Array.isArray(names) && names.length === count) return names.map(String);
  }
  return Array.from({ length: count }, (_, k) => {
    const target = primitive?.targets?.[k] ?? {};
    const index = target.POSITION ?? target.NORMAL;
    return String(accessors[index]?.name ?? "").replace(/[-_. ]?(positions?|POSITION)$/, "");
  });
}
