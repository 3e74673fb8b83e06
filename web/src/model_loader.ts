// Loads the face model: at start, when another one is announced, and again after errors.

import { toast } from "./dom";
import { fetchModel, ModelError, Unauthorized, type FaceModel } from "./model";

const RETRY = 2000; // milliseconds between attempts

export interface LoaderHandlers {
  /** A new model is loaded. */
  loaded: (model: FaceModel) => void;
  /** The server rejected the token. */
  unauthorized: () => void;
  /** Whether the server can be reached; if not, the model is loaded after the stream has reconnected. */
  reachable: () => boolean;
}

export class ModelLoader {
  private loading = false;
  private loaded = ""; // sha256 of the last model
  private announced = ""; // sha256 of the model in the last hello

  constructor(private token: () => string, private handlers: LoaderHandlers) {}

  /** Loads the model with this sha256 if it is not loaded yet. */
  announce(sha256: string): void {
    this.announced = sha256;
    this.loadAnnounced();
  }

  /** Loads the current model of the server, unless it is already loading. */
  async load(): Promise<void> {
    if (this.loading) return;
    this.loading = true;
    try {
      const model = await fetchModel(this.token());
      if (model.sha256 !== this.loaded) this.handlers.loaded(model);
      this.loaded = model.sha256;
    } catch (error) {
      if (error instanceof Unauthorized) this.handlers.unauthorized();
      else if (error instanceof ModelError) toast(error.message);
    } finally {
      this.loading = false;
      // Another model was announced meanwhile, or loading failed.
      if (this.handlers.reachable() && this.announced !== this.loaded) window.setTimeout(() => this.loadAnnounced(), RETRY);
    }
  }

  private loadAnnounced(): void {
    if (this.handlers.reachable() && this.announced !== this.loaded) void this.load();
  }
}
