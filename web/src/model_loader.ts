// Asks for the face model: at the beginning, when another is announced, and again where it did not come.

import { toast } from "./dom";
import { fetchModel, ModelError, Unauthorized, type FaceModel } from "./model";

const RETRY = 2000; // milliseconds until a model that did not come is asked for again

export interface LoaderHandlers {
  /** Another model than before has come. */
  loaded: (model: FaceModel) => void;
  /** The server wants another token. */
  refused: () => void;
  /** Whether the server can be reached: without it the stream comes back by itself, and asks for the model then. */
  reachable: () => boolean;
}

export class ModelLoader {
  private loading = false;
  private loaded = ""; // sha256 of the last model
  private wanted = ""; // sha256 of the model that the last hello named

  constructor(private token: () => string, private handlers: LoaderHandlers) {}

  /** The model with this sha256 is the server's now. */
  announce(sha256: string): void {
    this.wanted = sha256;
    this.loadWanted();
  }

  /** Asks for the server's model, unless it is on its way already. */
  async load(): Promise<void> {
    if (this.loading) return;
    this.loading = true;
    try {
      const model = await fetchModel(this.token());
      if (model.sha256 !== this.loaded) this.handlers.loaded(model);
      this.loaded = model.sha256;
    } catch (error) {
      if (error instanceof Unauthorized) this.handlers.refused();
      else if (error instanceof ModelError) toast(error.message);
    } finally {
      this.loading = false;
      // Another one was announced meanwhile, or this one was refused for now.
      if (this.handlers.reachable() && this.wanted !== this.loaded) window.setTimeout(() => this.loadWanted(), RETRY);
    }
  }

  private loadWanted(): void {
    if (this.handlers.reachable() && this.wanted !== this.loaded) void this.load();
  }
}
