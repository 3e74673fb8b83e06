// Evaluates the morph targets in JavaScript, for pages that are drawn without a GPU: a shader in software takes many
// times as long.

import { DynamicDrawUsage, type BufferAttribute, type BufferGeometry } from "three";

const MIN_WEIGHT = 0.002; // smaller weights are ignored: displacements below 0.1 mm
const MIN_CHANGE = 1e-4; // of a weight; smaller changes do not update the geometry
const MIN_LENGTH = 1e-6; // displacements of a vertex are stored from this sum on

/** The vertices that one morph target moves, and their displacements (3 per vertex). */
interface Sparse {
  vertices: Uint32Array;
  moves: Float32Array;
}

export type SparseMorphs = Sparse[];

export function sparse(targets: BufferAttribute[]): SparseMorphs {
  return targets.map(({ array, count }) => {
    const vertices = Uint32Array.from({ length: count }, (_, v) => v).filter((v) => (
      Math.abs(array[3 * v]) + Math.abs(array[3 * v + 1]) + Math.abs(array[3 * v + 2]) > MIN_LENGTH
    ));
    const moves = new Float32Array(3 * vertices.length);
    vertices.forEach((v, k) => moves.set([array[3 * v], array[3 * v + 1], array[3 * v + 2]], 3 * k));
    return { vertices, moves };
  });
}

/** An attribute of one face: its neutral values plus the weighted morph targets. */
class MorphedAttribute {
  private base: Float32Array;

  constructor(private attribute: BufferAttribute, private targets: SparseMorphs) {
    attribute.setUsage(DynamicDrawUsage);
    this.base = Float32Array.from(attribute.array);
  }

  /** Takes the current values as those of the neutral face. */
  rebase(): void {
    this.base.set(this.attribute.array);
  }

  set(weights: Float32Array): void {
    const values = this.attribute.array as Float32Array;
    values.set(this.base);
    weights.forEach((weight, target) => {
      if (Math.abs(weight) < MIN_WEIGHT) return;
      const { vertices, moves } = this.targets[target];
      for (let k = 0, from = 0; k < vertices.length; k++, from += 3) {
        const to = 3 * vertices[k];
        values[to] += weight * moves[from];
        values[to + 1] += weight * moves[from + 1];
        values[to + 2] += weight * moves[from + 2];
      }
    });
    this.attribute.needsUpdate = true;
  }
}

/** The morph targets of one face, whose geometries have no morph attributes. */
export class CpuMorphs {
  private attributes: MorphedAttribute[];
  private weights: Float32Array | null = null;

  /** Each geometry with the morph targets of its attributes by name. */
  constructor(geometries: [BufferGeometry, Record<string, SparseMorphs>][]) {
    this.attributes = geometries.flatMap(([geometry, targets]) => (
      Object.entries(targets).map(([name, sparse]) => new MorphedAttribute(geometry.getAttribute(name) as BufferAttribute, sparse))
    ));
  }

  /** Call after the neutral face was changed. */
  rebase(): void {
    this.attributes.forEach((attribute) => attribute.rebase());
    this.weights = null;
  }

  set(weights: Float32Array): void {
    if (this.weights?.every((weight, k) => Math.abs(weight - weights[k]) < MIN_CHANGE)) return;
    this.weights = weights.slice();
    this.attributes.forEach((attribute) => attribute.set(weights));
  }
}
