/** Until what has just been shown is there, such as the dialog below one that closes, in milliseconds. */
const settleMs = 100;

/** Lets a screen reader say what has happened; what a conversation does, it says itself. */
export function announce(text: string): void {
  setTimeout(() => {
    // A modal dialog silences what is behind it, so that each has an announcer of its own.
    const announcer = [...document.querySelectorAll('.announcer')].at(-1);
    if (announcer) announcer.textContent = text;
  }, settleMs);
}
