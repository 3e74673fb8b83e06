// DOM helpers: elements, dialogs, radio buttons, downloads. Text is inserted as text, never as HTML.

export function byId<T extends Element = HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no element #${id}`);
  return found as unknown as T;
}

export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K, properties: Partial<HTMLElementTagNameMap[K]> = {}, ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

/** Sets the text only if it differs, to avoid a new layout. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

// Reading the size of an element forces a layout; a ResizeObserver does not.
const sizes = new Map<Element, { width: number; height: number }>();
const observer = new ResizeObserver((entries) => {
  for (const { target, contentRect: { width, height } } of entries) sizes.set(target, { width, height });
});

function sizeOf(element: Element): { width: number; height: number } {
  if (!sizes.has(element)) {
    sizes.set(element, { width: element.clientWidth, height: element.clientHeight });
    observer.observe(element);
  }
  return sizes.get(element)!;
}

/** Clears a canvas at screen resolution; the drawing context uses CSS pixels. */
export function pen(canvas: HTMLCanvasElement): { pen: CanvasRenderingContext2D; width: number; height: number } {
  const { width, height } = sizeOf(canvas);
  const ratio = Math.min(2, window.devicePixelRatio);
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  // Rendered by the CPU: small drawings do not need a GPU surface.
  const context = canvas.getContext("2d", { willReadFrequently: true })!;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return { pen: context, width, height };
}

let toastTimer = 0;

export function toast(text: string): void {
  const element = byId("toast");
  element.textContent = text;
  element.hidden = false;
  window.clearTimeout(toastTimer);
  toastTimer = window.setTimeout(() => (element.hidden = true), 6000);
}

/** Downloads a file. */
export function download(name: string, content: Blob): void {
  const link = make("a", { href: URL.createObjectURL(content), download: name });
  document.body.append(link);
  link.click();
  link.remove();
  window.setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

const colors = new Map<string, string>();

/** A color of the style sheet in the current theme. */
export function cssColor(name: string): string {
  const root = document.documentElement;
  const key = `${root.dataset.theme} ${name}`;
  if (!colors.has(key)) colors.set(key, getComputedStyle(root).getPropertyValue(name).trim());
  return colors.get(key)!;
}

/** Opens a dialog; resolves to true if it was confirmed. */
export function ask(id: string): Promise<boolean> {
  const dialog = byId<HTMLDialogElement>(id);
  if (dialog.open) return Promise.resolve(false);
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

/** Explains something in a dialog. */
export function tell(title: string, text: string): void {
  setText(byId("notice-title"), title);
  setText(byId("notice-text"), text);
  const dialog = byId<HTMLDialogElement>("notice");
  if (!dialog.open) dialog.showModal();
}

/** Headers of a request to the server. */
export const authorized = (token: string): Record<string, string> => (token ? { Authorization: `Bearer ${token}` } : {});

/** Calls `act` with the value of the radio button that is selected. */
export function onChoice<T extends string>(name: string, act: (value: T) => void): void {
  for (const input of document.querySelectorAll<HTMLInputElement>(`input[name="${name}"]`)) {
    // Browsers restore the selection on reload, but not its effect.
    input.checked = input.defaultChecked;
    input.addEventListener("change", () => act(input.value as T));
  }
}

/** Selects a radio button, as a click would. */
export function choose(name: string, value: string): void {
  const input = document.querySelector<HTMLInputElement>(`input[name="${name}"][value="${value}"]`)!;
  input.checked = true;
  input.dispatchEvent(new Event("change"));
}

/** The value of the selected radio button. */
export function chosen(name: string): string {
  return document.querySelector<HTMLInputElement>(`input[name="${name}"]:checked`)!.value;
}
