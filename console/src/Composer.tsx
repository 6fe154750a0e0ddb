import type { SubmitOptions } from '@thread-run-service/client/react';
import {
  type ChangeEvent,
  type ClipboardEvent,
  type FormEvent,
  type KeyboardEvent,
  type RefObject,
  useId,
  useRef,
  useState,
} from 'react';
import { ErrorNote } from './ErrorNote.tsx';
import { passFocusTo } from './focus.ts';
import { bytes } from './format.ts';
import { IconButton } from './IconButton.tsx';
import { ClipIcon, CloseIcon, FileIcon, SendIcon, StopIcon } from './icons.tsx';
import type { PendingFile, Uploads } from './useUploads.ts';

interface Props {
  readonly uploads: Uploads;
  readonly messageBox: RefObject<HTMLTextAreaElement | null>;
  readonly text: string;
  readonly onText: (text: string) => void;
  readonly canSubmit: boolean;
  /** Whether there is a run to cancel. */
  readonly isRunning: boolean;
  /** @returns whether the message was taken. */
  readonly onSubmit: (message: string, options: SubmitOptions) => boolean;
  readonly onCancel: () => void;
}

/** Sent, cancelled or removed: the next thing is to write. */
const toMessageBox = passFocusTo('.message-box');

/** Writes a message, with files and instructions for its run. */
export function Composer(props: Props) {
  const { uploads, messageBox, text, onText, isRunning } = props;
  const [instructions, setInstructions] = useState('');
  const [showsInstructions, setShowsInstructions] = useState(false);
  const files = useRef<HTMLInputElement>(null);
  const instructionsId = useId();
  const canSend = text.trim() !== '' && props.canSubmit && !uploads.isBusy;

  const send = () => {
    if (!canSend) return;
    const attachments = uploads.ready();
    const isTaken = props.onSubmit(text, {
      // Only what can be seen is sent.
      ...(showsInstructions && instructions.trim() && { instructions }),
      ...(attachments.length > 0 && { attachments }),
    });
    if (!isTaken) return;
    onText('');
    uploads.clear();
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    send();
    // One goes on by writing.
    messageBox.current?.focus();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    // Enter also ends the composition of a character; Safari says so by the code only.
    const isComposing = event.nativeEvent.isComposing || event.keyCode === compositionCode;
    if (event.key !== 'Enter' || event.shiftKey || isComposing) return;
    event.preventDefault();
    send();
  };
  const onPaste = (event: ClipboardEvent) => {
    if (event.clipboardData.files.length === 0) return;
    event.preventDefault();
    uploads.add(event.clipboardData.files);
  };
  const onFiles = (event: ChangeEvent<HTMLInputElement>) => {
    uploads.add(event.target.files ?? []);
    // So that the same file can be chosen again.
    event.target.value = '';
  };

  return (
    <form className="composer" onSubmit={submit}>
      {showsInstructions && (
        <div className="instructions">
          <label htmlFor={instructionsId}>Instructions for this run</label>
          <textarea
            id={instructionsId}
            rows={2}
            maxLength={2000}
            placeholder="Added after those of the assistant and the project"
            value={instructions}
            onChange={(event) => setInstructions(event.target.value)}
          />
        </div>
      )}
      {uploads.files.length > 0 && (
        <ul className="pending-files" aria-label="Files to send">
          {uploads.files.map((file) => (
            <PendingFileRow key={file.key} file={file} onRemove={() => uploads.remove(file.key)} />
          ))}
        </ul>
      )}
      <textarea
        ref={messageBox}
        className="message-box"
        aria-label="Message"
        dir="auto"
        enterKeyHint="send"
        rows={1}
        placeholder="Write a message…"
        value={text}
        onChange={(event) => onText(event.target.value)}
        onKeyDown={onKeyDown}
        onPaste={onPaste}
      />
      <div className="composer-actions">
        <input ref={files} type="file" multiple hidden tabIndex={-1} aria-label="Files" onChange={onFiles} />
        <IconButton label="Attach files" onClick={() => files.current?.click()}>
          <ClipIcon />
        </IconButton>
        <button
          type="button"
          className="quiet"
          aria-expanded={showsInstructions}
          onClick={() => setShowsInstructions(!showsInstructions)}
        >
          Instructions
        </button>
        <span className="spacer" />
        {isRunning && (
          <button ref={toMessageBox} type="button" className="stop" onClick={props.onCancel}>
            <StopIcon /> Cancel run
          </button>
        )}
        {/* Never in place of the other one, which a double click would hit. */}
        <button type="submit" className="send primary" aria-disabled={!canSend}>
          <SendIcon />
          <span>Send</span>
        </button>
      </div>
    </form>
  );
}

/** `keyCode` of a key that an input method has handled. */
const compositionCode = 229;

function PendingFileRow({ file, onRemove }: { readonly file: PendingFile; readonly onRemove: () => void }) {
  const state = file.error !== undefined ? 'failed' : file.file === undefined ? 'uploading' : 'ready';
  return (
    <li ref={toMessageBox} data-state={state}>
      <span className="chip">
        <FileIcon />
        <span className="name">{file.name}</span>
        <span className="muted">
          {state === 'uploading' ? 'uploading…' : file.bytes !== undefined && bytes(file.bytes)}
        </span>
        <IconButton label={`Remove ${file.name}`} onClick={onRemove}>
          <CloseIcon />
        </IconButton>
      </span>
      {file.error !== undefined && <ErrorNote error={file.error} />}
    </li>
  );
}
