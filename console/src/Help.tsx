import { Dialog } from './Dialog.tsx';

const shortcuts: readonly (readonly [string, string])[] = [
  ['Alt + N', 'New thread'],
  ['Alt + T', 'Go to the threads'],
  ['Alt + M', 'Go to the message box'],
  ['Alt + R', 'Go to the run'],
  ['Enter', 'Send the message'],
  ['Shift + Enter', 'New line in the message'],
  ['← →', 'Change the tab of the run'],
  ['Esc', 'Close a dialog'],
];

export const Help = ({ onClose }: { readonly onClose: () => void }) => (
  <Dialog title="Keyboard shortcuts" onClose={onClose}>
    <dl className="shortcuts">
      {shortcuts.map(([keys, what]) => (
        <div key={keys}>
          <dt>
            <kbd>{keys}</kbd>
          </dt>
          <dd>{what}</dd>
        </div>
      ))}
    </dl>
  </Dialog>
);
