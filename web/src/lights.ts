// The lights of the scene.

import { Color, DirectionalLight, HemisphereLight, Vector3, type Object3D } from "three";

/** Color, strength and position of the directional lights: a warm key light from above, a cool fill light from the
 * other side, and rim lights from behind. */
const LAMPS: [string, number, [number, number, number]][] = [
  ["#fff1e0", 2.35, [-0.7, 0.75, 1.1]],
  ["#cfe0ff", 0.75, [1.2, 0.1, 0.7]],
  ["#ffd9c2", 1.5, [0.9, 0.8, -1.2]],
  ["#bcd3ff", 0.9, [-1.1, 0.4, -1.0]],
];
const SKY = "#e8eeff", GROUND = "#8a6a5c", AMBIENT = 0.85;

export function addLights(scene: Object3D): void {
  for (const [color, strength, place] of LAMPS) {
    const lamp = new DirectionalLight(color, strength);
    lamp.position.set(...place);
    scene.add(lamp);
  }
  scene.add(new HemisphereLight(SKY, GROUND, AMBIENT));
}

/** The same lights for a shader of this page: linear colors times strength, directions in world axes. */
export interface LightValues {
  lampColors: Color[];
  lampDirections: Vector3[];
  sky: Color;
  ground: Color;
}

export function lightValues(): LightValues {
  return {
    lampColors: LAMPS.map(([color, strength]) => new Color(color).multiplyScalar(strength)),
    lampDirections: LAMPS.map(([, , place]) => new Vector3(...place).normalize()),
    sky: new Color(SKY).multiplyScalar(AMBIENT),
    ground: new Color(GROUND).multiplyScalar(AMBIENT),
  };
}
