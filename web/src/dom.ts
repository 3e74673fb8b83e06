// The page's elements by id, and new ones; dialogs, radio buttons, downloads. Text goes in as text, never as HTML.

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

/** Changes the text only where it is another: nothing is laid out anew for nothing. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

// Asking an element for its size lays the page out at once; an observer is told without that.
const sizes = new Map<Element, { width: number; height: number }>();
const watcher = new ResizeObserver((entries) => {
  for (const { target, contentRect: { width, height } } of entries) sizes.set(target, { width, height });
});

function sizeOf(element: Element): { width: number; height: number } {
  if (!sizes.has(element)) {
    sizes.set(element, { width: element.clientWidth, height: element.clientHeight });
    watcher.observe(element);
  }
  return sizes.get(element)!;
}

/** A canvas that is as fine as the screen, its pen in CSS pixels; cleared. */
export function pen(canvas: HTMLCanvasElement): { pen: CanvasRenderingContext2D; width: number; height: number } {
  const { width, height } = sizeOf(canvas);
  const ratio = Math.min(2, window.devicePixelRatio);
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  // Drawn by the processor: small drawings are not worth a surface on the graphics card.
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

/** Hands a file to the user. */
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

/** Opens a dialog; whether it was left by its "yes". */
export function ask(id: string): Promise<boolean> {
  const dialog = byId<HTMLDialogElement>(id);
  if (dialog.open) return Promise.resolve(false);
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

/** The radio buttons of a name: `act` gets the value of the one that is chosen. */
export function onChoice<T extends string>(name: string, act: (value: T) => void): void {
  for (const input of document.querySelectorAll<HTMLInputElement>(`input[name="${name}"]`)) {
    // Browsers keep a choice over a reload, but not what it had done.
    input.checked = input.defaultChecked;
    input.addEventListener("change", () => act(input.value as T));
  }
}

/** Chooses one of the radio buttons of a name, as a click would. */
export function choose(name: string, value: string): void {
  const input = document.querySelector<HTMLInputElement>(`input[name="${name}"][value="${value}"]`)!;
  input.checked = true;
  input.dispatchEvent(new Event("change"));
}

/** The value of the chosen radio button of a name. */
export function chosen(name: string): string {
  return document.querySelector<HTMLInputElement>(`input[name="${name}"]:checked`)!.value;
}
