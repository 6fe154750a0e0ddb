import { type DragEvent, type ReactNode, useRef, useState } from 'react';

interface Props {
  readonly onFiles: (files: Iterable<File>) => void;
  readonly children: ReactNode;
}

/** Takes files that are dropped anywhere on the conversation. By keyboard, the composer's button chooses them. */
export function DropZone({ onFiles, children }: Props) {
  const [isOver, setOver] = useState(false);
  // Entering a child leaves its parent.
  const depth = useRef(0);
  const change = (by: number) => {
    depth.current += by;
    setOver(depth.current > 0);
  };
  const hasFiles = (event: DragEvent) => event.dataTransfer.types.includes('Files');
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: dropping is for the mouse.
    <div
      className="drop-zone"
      onDragEnter={(event) => hasFiles(event) && change(1)}
      onDragLeave={(event) => hasFiles(event) && change(-1)}
      onDragOver={(event) => hasFiles(event) && event.preventDefault()}
      onDrop={(event) => {
        if (!hasFiles(event)) return;
        event.preventDefault();
        change(-depth.current);
        onFiles(event.dataTransfer.files);
      }}
    >
      {children}
      {isOver && <div className="drop-hint">Drop files to attach them</div>}
    </div>
  );
}
