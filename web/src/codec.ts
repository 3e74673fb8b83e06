// One binary frame of /ws/stream and /ws/infer; docs/web.md has the layout with its offsets. Little-endian, packed.

export interface FaceFrame {
  id: number;
  confidence: number;
  /** Meters, in the camera's optical frame (x right, y down, z forward). */
  position: [number, number, number];
  /** xyzw, from model axes to the camera frame. */
  quaternion: [number, number, number, number];
  /** x, y, width, height in image pixels. */
  roi: [number, number, number, number];
  metric: boolean;
  mouthOpen: boolean;
  /** Empty where nothing was read. */
  label: string;
  /** -1..1 */
  valence: number;
  arousal: number;
  /** 0..1, in the order of the model's names. */
  blendshapes: Float32Array;
  /** Standard deviations; null where the frame does not carry it. */
  shape: Float32Array | null;
  /** The model's own basis, for models whose expressions are not the blendshapes; else null. */
  expression: Float32Array | null;
}

export interface StreamFrame {
  sequence: number;
  /** Of the image, seconds. */
  stamp: number;
  /** When the server sent it, seconds of its clock. */
  sent: number;
  width: number;
  height: number;
  /** fx, fy, cx, cy in pixels; 0 where the camera is unknown. */
  camera: [number, number, number, number];
  faces: FaceFrame[];
}

const MAGIC = 0xfe;
/** Of the stream. */
export const VERSION = 1;
const HEADER = 48;
const LABELS = ["neutral", "happy", "sad", "surprised", "scared", "angry", "disgusted"];
const METRIC = 1, MOUTH_OPEN = 2, HAS_SHAPE = 4, HAS_EXPRESSION = 8;

/** Raises RangeError for half a frame, Error for one of another kind. */
export function decodeFrame(data: ArrayBuffer): StreamFrame {
  const view = new DataView(data);
  if (view.byteLength < HEADER || view.getUint8(0) !== MAGIC) throw new Error("not a frame of the stream");
  if (view.getUint8(1) !== VERSION) throw new Error(`version ${VERSION} of the stream was wanted, ${view.getUint8(1)} given`);
  const float = (offset: number): number => view.getFloat32(offset, true);
  const reader = new Reader(view, HEADER);
  const faces: FaceFrame[] = [];
  for (let k = view.getUint16(2, true); k > 0; k--) faces.push(readFace(reader));
  return {
    sequence: view.getUint32(4, true),
    stamp: view.getFloat64(8, true),
    sent: view.getFloat64(16, true),
    width: view.getUint32(24, true),
    height: view.getUint32(28, true),
    camera: [float(32), float(36), float(40), float(44)],
    faces,
  };
}

class Reader {
  constructor(private view: DataView, private at: number) {}
  uint8 = (): number => this.view.getUint8(this.at++);
  int8 = (): number => this.view.getInt8(this.at++);
  uint16 = (): number => this.view.getUint16((this.at += 2) - 2, true);
  uint32 = (): number => this.view.getUint32((this.at += 4) - 4, true);
  float32 = (): number => this.view.getFloat32((this.at += 4) - 4, true);
  array(count: number, read: () => number, scale = 1): Float32Array {
    const values = new Float32Array(count);
    for (let k = 0; k < count; k++) values[k] = read() * scale;
    return values;
  }
}

function readFace(reader: Reader): FaceFrame {
  const { uint8, int8, uint16, uint32, float32 } = reader;
  const id = uint32();
  const confidence = float32();
  const position: FaceFrame["position"] = [float32(), float32(), float32()];
  const quaternion: FaceFrame["quaternion"] = [float32(), float32(), float32(), float32()];
  const roi: FaceFrame["roi"] = [uint16(), uint16(), uint16(), uint16()];
  const flags = uint8();
  const label = LABELS[uint8()] ?? "";
  const valence = int8() / 127;
  const arousal = int8() / 127;
  const blendshapes = reader.array(uint8(), uint16, 1 / 65535);
  const shape = flags & HAS_SHAPE ? reader.array(uint8(), int8, 4 / 127) : null;
  const expression = flags & HAS_EXPRESSION ? reader.array(uint8(), float32) : null;
  const metric = (flags & METRIC) !== 0;
  const mouthOpen = (flags & MOUTH_OPEN) !== 0;
  return {
    id, confidence, position, quaternion, roi, metric, mouthOpen, label, valence, arousal, blendshapes, shape, expression,
  };
}
