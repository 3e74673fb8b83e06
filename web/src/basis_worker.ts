// Worker: transcodes KTX2 textures. The transcoder creates functions at run time, which the page's security policy
// forbids: the server allows it in this file alone, see face_expr_ros/web/security.py.

import { KTX2Loader } from "three/examples/jsm/loaders/KTX2Loader.js";
import script from "three/examples/jsm/libs/basis/basis_transcoder.js?url";

declare function importScripts(...urls: string[]): void;

const { EngineFormat, EngineType, TranscoderFormat, BasisFormat, BasisWorker } = KTX2Loader as unknown as {
  [name: string]: object;
} & { BasisWorker: () => void };

importScripts(new URL(script, self.location.href).href);
// The globals that the loader's own worker would define.
Object.assign(self, { _EngineFormat: EngineFormat, _EngineType: EngineType, _TranscoderFormat: TranscoderFormat, _BasisFormat: BasisFormat });
BasisWorker();
