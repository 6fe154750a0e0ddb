/**
 * Returns a ref for something that may go away: if it has the focus, that goes to what the selector finds. Create it once,
 * not while rendering.
 */
export const passFocusTo = (selector: string) => (element: HTMLElement | null) => () => {
  if (element?.contains(document.activeElement)) document.querySelector<HTMLElement>(selector)?.focus();
};
