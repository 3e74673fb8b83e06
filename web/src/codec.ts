// Decodes a binary frame of /ws/stream and /ws/infer; docs/web.md defines the layout. Little-endian, packed.

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
  /** Empty if unknown. */
  label: string;
  /** -1..1 */
  valence: number;
  arousal: number;
  /** 0..1, in the order of the model's names. */
  blendshapes: Float32Array;
  /** Standard deviations; null if not part of this frame. */
  shape: Float32Array | null;
  /** Coefficients of the model's own expression basis; null if that basis is the blendshapes. */
  expression: Float32Array | null;
}

export interface StreamFrame {
  sequence: number;
  /** Of the image, seconds. */
  stamp: number;
  /** Time of sending, seconds of the server's clock. */
  sent: number;
  width: number;
  height: number;
  /** fx, fy, cx, cy in pixels; 0 if the camera is unknown. */
  camera: [number, number, number, number];
  faces: FaceFrame[];
}

const MAGIC = 0xfe;
/** Version of the stream format. */
export const VERSION = 1;
const HEADER = 48;
const LABELS = ["neutral", "happy", "sad", "surprised", "scared", "angry", "disgusted"];
const METRIC = 1, MOUTH_OPEN = 2, HAS_SHAPE = 4, HAS_EXPRESSION = 8;

/** Throws RangeError for an incomplete frame, Error for other data. */
export function decodeFrame(data: ArrayBuffer): StreamFrame {
  const view = new DataView(data);
  if (view.byteLength < HEADER || view.getUint8(0) !== MAGIC) throw new Error("not a frame of the stream");
  if (view.getUint8(1) !== VERSION) throw new Error(`expected version ${VERSION} of the stream, got ${view.getUint8(1)}`);
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
  constructor(private view: DataView, private offset: number) {}
  uint8 = (): number => this.view.getUint8(this.offset++);
  int8 = (): number => this.view.getInt8(this.offset++);
  uint16 = (): number => this.view.getUint16((this.offset += 2) - 2, true);
  uint32 = (): number => this.view.getUint32((this.offset += 4) - 4, true);
  float32 = (): number => this.view.getFloat32((this.offset += 4) - 4, true);
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
