// Loads KTX2 textures with the transcoder in a worker of its own file, basis_worker.ts.

import { KTX2Loader } from "three/examples/jsm/loaders/KTX2Loader.js";
import binary from "three/examples/jsm/libs/basis/basis_transcoder.wasm?url";

interface Internals {
  workerConfig: object;
  transcoderPending: Promise<void> | null;
  workerPool: { setWorkerCreator: (create: () => Worker) => void };
}

export class Ktx2 extends KTX2Loader {
  /** Called by the loader before the first texture. */
  init(): Promise<void> {
    const own = this as unknown as Internals;
    own.transcoderPending ??= this.start(own);
    return own.transcoderPending;
  }

  private async start({ workerConfig, workerPool }: Internals): Promise<void> {
    const answer = await fetch(new URL(binary, document.baseURI));
    if (!answer.ok) throw new Error(`the KTX2 transcoder cannot be loaded: ${answer.status} ${answer.statusText}`);
    const transcoder = await answer.arrayBuffer();
    workerPool.setWorkerCreator(() => {
      const worker = new Worker(new URL("./basis_worker.ts", import.meta.url));
      const copy = transcoder.slice(0);
      worker.postMessage({ type: "init", config: workerConfig, transcoderBinary: copy }, [copy]);
      return worker;
    });
  }
}
