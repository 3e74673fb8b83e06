// The scene: lights, viewpoints, and the camera picture behind the faces.

import {
  Group, Matrix4, Mesh, MeshBasicMaterial, NeutralToneMapping, PerspectiveCamera, PlaneGeometry,
  Quaternion, Scene, Spherical, SRGBColorSpace, Texture, Vector3, WebGLRenderer,
} from "three";
import { OrbitControls } from "three/examples/jsm/controls/OrbitControls.js";
import { addLights } from "./lights";
import type { FaceView } from "./face_view";
import type { StreamFrame } from "./codec";
import { Resolution } from "./resolution";

export type Viewpoint = "portrait" | "camera";

const PORTRAIT_ANGLE = 24; // degrees, vertical
const NEAR = 0.05, FAR = 20;
const PORTRAIT_TARGET = new Vector3(0, -0.042, -0.05); // center of a head whose sellion is the origin
const PORTRAIT_HEIGHT = 0.33, PORTRAIT_WIDTH = 0.29; // meters that are always visible
const SOFTWARE = /swiftshader|llvmpipe|softpipe|software|basic render/i; // names of renderers
const PICTURE_DISTANCE = 10;
const ROTATE_STEP = 0.1, ZOOM_STEP = 1.08; // radians and factor per key press
const HEAD_PIVOT = new Vector3(0, -0.03, -0.09); // center of the head from the sellion: the portrait turns about it
const DEFAULT_FOCAL = 1.1; // focal length of an unknown camera, in image widths

/** Intrinsics of the camera: image size, focal lengths and principal point in pixels. */
export interface Lens {
  width: number;
  height: number;
  fx: number;
  fy: number;
  cx: number;
  cy: number;
}

export function lensOf(frame: StreamFrame): Lens {
  const { width, height, camera: [fx, fy, cx, cy] } = frame;
  if (fx > 0 && fy > 0) return { width, height, fx, fy, cx, cy };
  const focal = DEFAULT_FOCAL * width;
  return { width, height, fx: focal, fy: focal, cx: (width - 1) / 2, cy: (height - 1) / 2 };
}

export class Stage {
  readonly renderer: WebGLRenderer;
  /** WebGL is rendered in software, without a GPU. */
  readonly software = rendersInSoftware();
  readonly root = new Group();
  private scene = new Scene();
  private portrait = new PerspectiveCamera(PORTRAIT_ANGLE, 1, NEAR, FAR);
  private lensCamera = new PerspectiveCamera(45, 1, NEAR, FAR);
  private orbit: OrbitControls;
  private background: Mesh<PlaneGeometry, MeshBasicMaterial>;
  private viewpoint: Viewpoint = "portrait";
  private mirrored = false;
  private transparent = false;
  private lens: Lens | null = null;
  private resolution = new Resolution(this.software, () => window.devicePixelRatio);
  private center = new Vector3();
  private pivot = new Vector3();
  private width = 1;
  private height = 1;

  constructor(private canvas: HTMLCanvasElement) {
    this.renderer = new WebGLRenderer({ canvas, antialias: !this.software, alpha: true });
    this.renderer.toneMapping = NeutralToneMapping;
    this.renderer.toneMappingExposure = 1.05;
    this.scene.add(this.root);
    addLights(this.scene);
    this.background = new Mesh(new PlaneGeometry(1, 1), new MeshBasicMaterial({ toneMapped: false, depthWrite: false }));
    // The first row of a picture is its top and has v = 0.
    const uv = this.background.geometry.getAttribute("uv");
    for (let k = 0; k < uv.count; k++) uv.setY(k, 1 - uv.getY(k));
    this.background.renderOrder = -1;
    this.background.visible = false;
    this.root.add(this.background);
    this.orbit = new OrbitControls(this.portrait, canvas);
    canvas.addEventListener("keydown", (event) => this.key(event));
    this.orbit.enableDamping = true;
    this.orbit.dampingFactor = 0.12;
    this.orbit.enablePan = false;
    this.orbit.minDistance = 0.3;
    this.orbit.maxDistance = 3;
    this.resetView();
    new ResizeObserver(() => this.resize()).observe(canvas.parentElement ?? canvas);
    this.resize();
  }

  resize(): void {
    const box = (this.canvas.parentElement ?? this.canvas).getBoundingClientRect();
    this.width = Math.max(1, Math.round(box.width));
    this.height = Math.max(1, Math.round(box.height));
    this.setRatio();
    this.renderer.setSize(this.width, this.height, false);
    this.portrait.aspect = this.width / this.height;
    // The buttons cover the bottom: the head is moved up by half of the covered height.
    this.portrait.setViewOffset(this.width, this.height, 0, this.covered / 2, this.width, this.height);
    this.fitPortrait();
  }

  /** Adapts the resolution to the speed; `seconds` since the last frame. */
  adaptResolution(seconds: number): void {
    if (this.resolution.add(seconds)) this.setRatio();
  }

  private setRatio(): void {
    this.renderer.setPixelRatio(Math.min(this.resolution.ratio, window.devicePixelRatio));
  }

  private get covered(): number {
    const dock = this.canvas.parentElement?.querySelector(".dock");
    return dock ? 0.7 * dock.clientHeight : 0;
  }

  /** Moves the camera so that the head fits, keeping the view direction. */
  private fitPortrait(): void {
    const half = Math.tan((PORTRAIT_ANGLE / 2) * (Math.PI / 180));
    const height = PORTRAIT_HEIGHT / Math.max(0.3, 1 - this.covered / this.height);
    const distance = Math.max(height, PORTRAIT_WIDTH / this.portrait.aspect) / 2 / half;
    const direction = this.portrait.position.clone().sub(this.orbit.target).normalize();
    this.portrait.position.copy(this.orbit.target).addScaledVector(direction, distance);
  }

  resetView(): void {
    this.orbit.target.copy(PORTRAIT_TARGET);
    this.portrait.position.copy(PORTRAIT_TARGET).add(new Vector3(0, 0, 1));
    this.fitPortrait();
    this.orbit.update();
  }

  /** Arrow keys rotate the portrait, plus and minus zoom. */
  private key(event: KeyboardEvent): void {
    const moves: Record<string, [number, number, number]> = {
      ArrowLeft: [-ROTATE_STEP, 0, 1], ArrowRight: [ROTATE_STEP, 0, 1], ArrowUp: [0, -ROTATE_STEP, 1], ArrowDown: [0, ROTATE_STEP, 1],
      "+": [0, 0, 1 / ZOOM_STEP], "=": [0, 0, 1 / ZOOM_STEP], "-": [0, 0, ZOOM_STEP],
    };
    const move = moves[event.key];
    if (!move || !this.orbit.enabled || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const place = new Spherical().setFromVector3(this.portrait.position.clone().sub(this.orbit.target));
    place.theta += move[0];
    place.phi = Math.min(Math.PI - 0.1, Math.max(0.1, place.phi + move[1]));
    place.radius = Math.min(this.orbit.maxDistance, Math.max(this.orbit.minDistance, place.radius * move[2]));
    this.portrait.position.copy(this.orbit.target).add(new Vector3().setFromSpherical(place));
  }

  /** The view is that of the camera whose image the faces are in. */
  get asCamera(): boolean {
    return this.viewpoint === "camera" && this.lens !== null;
  }

  setViewpoint(viewpoint: Viewpoint): void {
    this.viewpoint = viewpoint;
    this.orbit.enabled = viewpoint === "portrait";
  }

  setMirrored(mirrored: boolean): void {
    this.mirrored = mirrored;
  }

  /** Draws nothing behind the faces, also in the camera viewpoint. */
  setTransparent(transparent: boolean): void {
    this.transparent = transparent;
  }

  setLens(lens: Lens): void {
    this.lens = lens;
  }

  /** Sets the picture behind the faces in the camera viewpoint, or null. */
  setPicture(picture: Texture | null): void {
    if (picture) picture.colorSpace = SRGBColorSpace;
    if (this.background.material.map !== picture) {
      this.background.material.map = picture;
      this.background.material.needsUpdate = true;
    }
  }

  /** Renders the scene; the portrait follows the position of the sellion, and the head that turns by `rotation`. */
  render(sellion: Vector3, rotation: Quaternion | null): void {
    const { asCamera } = this;
    const center = this.center.copy(sellion);
    if (rotation) center.add(this.pivot.copy(HEAD_PIVOT).applyQuaternion(rotation)).sub(HEAD_PIVOT);
    this.root.scale.x = this.mirrored ? -1 : 1;
    if (asCamera) {
      this.root.position.set(0, 0, 0);
      this.placeLens(this.lens!);
    } else {
      this.root.position.copy(center).negate();
      if (this.mirrored) this.root.position.x *= -1;
      this.orbit.update();
    }
    this.background.visible = asCamera && !this.transparent && this.background.material.map !== null;
    this.renderer.render(this.scene, asCamera ? this.lensCamera : this.portrait);
  }

  /** Sets the projection of the real camera, fitted to the window, and the picture plane behind everything. */
  private placeLens({ width, height, fx, fy, cx, cy }: Lens): void {
    const scale = Math.min(this.width / width, this.height / height);
    // The center of the first pixel is (0, 0), the image corner is (-0.5, -0.5).
    const principal = this.mirrored ? width - (cx + 0.5) : cx + 0.5;
    const x = (this.width - scale * width) / 2 + scale * principal;
    const y = (this.height - scale * height) / 2 + scale * (cy + 0.5);
    const nearX = NEAR / (fx * scale), nearY = NEAR / (fy * scale);
    this.lensCamera.projectionMatrix.makePerspective(
      -x * nearX, (this.width - x) * nearX, y * nearY, -(this.height - y) * nearY, NEAR, FAR,
      this.lensCamera.coordinateSystem,
    );
    this.lensCamera.projectionMatrixInverse.copy(this.lensCamera.projectionMatrix).invert();
    this.background.scale.set((PICTURE_DISTANCE * width) / fx, (PICTURE_DISTANCE * height) / fy, 1);
    this.background.position.set(
      (PICTURE_DISTANCE * (width / 2 - (cx + 0.5))) / fx, (-PICTURE_DISTANCE * (height / 2 - (cy + 0.5))) / fy, -PICTURE_DISTANCE,
    );
  }
}

function rendersInSoftware(): boolean {
  const context = document.createElement("canvas").getContext("webgl2");
  const details = context?.getExtension("WEBGL_debug_renderer_info");
  const name = details ? String(context!.getParameter(details.UNMASKED_RENDERER_WEBGL)) : "";
  context?.getExtension("WEBGL_lose_context")?.loseContext();
  return SOFTWARE.test(name);
}

/** Projects the camera picture onto a face; position and rotation are those of the picture's frame, in three.js axes. */
export function projectPicture(view: FaceView, picture: Texture, lens: Lens, position: Vector3, rotation: Quaternion): void {
  const { width, height, fx, fy, cx, cy } = lens;
  // Rows u w, v w and w for a point in camera view; v starts at the top, y is up and z backwards.
  const pixels = new Matrix4().set(
    fx / width, 0, -(cx + 0.5) / width, 0, 0, -fy / height, -(cy + 0.5) / height, 0, 0, 0, -1, 0, 0, 0, 0, 1,
  );
  const head = new Matrix4().compose(position, rotation, new Vector3(1, 1, 1));
  view.uniforms.picture.value = picture;
  view.uniforms.pictureMatrix.value.copy(pixels).multiply(head);
  view.uniforms.pictureEye.value.set(0, 0, 0).applyMatrix4(head.clone().invert());
}
