// Elements of the page. Text of peers only ever becomes text, never markup.

/** The element of the page with this id. */
export function element<T extends HTMLElement = HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no element ${id}`);
  return found as T;
}

/** A new element. */
export function make(tag: string, className = '', text = ''): HTMLElement {
  const made = document.createElement(tag);
  if (className !== '') made.className = className;
  if (text !== '') made.textContent = text;
  return made;
}

/** Sets the text where it differs, so that nothing is announced or redrawn for nothing. */
export function setText(target: HTMLElement, text: string): void {
  if (target.textContent !== text) target.textContent = text;
}

/** Shows a text, or hides its element when there is none. */
export function say(target: HTMLElement, text: string): void {
  setText(target, text);
  target.hidden = text === '';
}

/** A peer id that fits on a phone. Its start is the same for all. */
export function short(peer: string): string {
  return `…${peer.slice(-8)}`;
}

export function time(): string {
  return new Date().toLocaleTimeString();
}
