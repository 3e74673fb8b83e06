// Worker: scales pictures of the device camera and encodes them as JPEG, away from the thread that draws.

const QUALITY = 0.82;
let canvas: OffscreenCanvas | null = null;
let last = Promise.resolve(); // one picture after the other

self.onmessage = ({ data }: MessageEvent<ImageBitmap>): void => {
  last = last.then(() => encode(data));
};

async function encode(bitmap: ImageBitmap): Promise<void> {
  const { width, height } = bitmap;
  if (!canvas || canvas.width !== width || canvas.height !== height) canvas = new OffscreenCanvas(width, height);
  canvas.getContext("2d")!.drawImage(bitmap, 0, 0);
  const blob = await canvas.convertToBlob({ type: "image/jpeg", quality: QUALITY });
  const jpeg = await blob.arrayBuffer();
  self.postMessage({ jpeg, bitmap }, { transfer: [jpeg, bitmap] });
}
