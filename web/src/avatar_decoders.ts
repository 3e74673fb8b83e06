// Decoders of compressed avatar files, loaded only if the file uses them: Draco, meshopt, KTX2.

import type { WebGLRenderer } from "three";
import type { GLTFLoader } from "three/examples/jsm/loaders/GLTFLoader.js";
import dracoScript from "three/examples/jsm/libs/draco/gltf/draco_wasm_wrapper.js?url";
import dracoBinary from "three/examples/jsm/libs/draco/gltf/draco_decoder.wasm?url";

const GLB_MAGIC = 0x46546c67;

/** The JSON of a .glb or .gltf file; null if it is neither. */
export function gltfJson(data: ArrayBuffer): Record<string, any> | null {
  const view = new DataView(data);
  try {
    const binary = view.byteLength > 20 && view.getUint32(0, true) === GLB_MAGIC;
    const text = binary ? new Uint8Array(data, 20, view.getUint32(12, true)) : new Uint8Array(data);
    return JSON.parse(new TextDecoder().decode(text));
  } catch {
    return null;
  }
}

/** Adds the decoders that the file requires; returns a function that frees them. */
export async function addDecoders(loader: GLTFLoader, data: ArrayBuffer, renderer: WebGLRenderer): Promise<() => void> {
  const used = new Set<string>(gltfJson(data)?.extensionsUsed ?? []);
  const disposals: (() => void)[] = [];
  if (used.has("KHR_draco_mesh_compression")) {
    const { DRACOLoader } = await import("three/examples/jsm/loaders/DRACOLoader.js");
    const draco = new DRACOLoader().setDecoderPath({ js: resolved(dracoScript), wasm: resolved(dracoBinary) } as never);
    loader.setDRACOLoader(draco);
    disposals.push(() => draco.dispose());
  }
  if (used.has("EXT_meshopt_compression") || used.has("KHR_meshopt_compression")) {
    const { MeshoptDecoder } = await import("three/examples/jsm/libs/meshopt_decoder.module.js");
    await MeshoptDecoder.ready;
    loader.setMeshoptDecoder(MeshoptDecoder);
  }
  if (used.has("KHR_texture_basisu")) {
    const { Ktx2 } = await import("./ktx2");
    const ktx = new Ktx2().detectSupport(renderer);
    loader.setKTX2Loader(ktx);
    disposals.push(() => ktx.dispose());
  }
  return () => disposals.forEach((dispose) => dispose());
}

const resolved = (url: string): string => new URL(url, document.baseURI).href;
