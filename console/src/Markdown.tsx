import { memo, useEffect, useRef } from 'react';
import ReactMarkdown, { type Components, type ExtraProps } from 'react-markdown';
import remarkGfm from 'remark-gfm';
import { CopyButton } from './CopyId.tsx';
import { splitMarkdown } from './splitMarkdown.ts';

/** Only addresses that lead to a page or to a mail, never to a script or a file. */
const safeUrl = (url: string): string => (/^(https?:\/\/|mailto:)/i.test(url) ? url : '');

const components: Components = {
  // Below the headings of the page and of the message.
  h1: 'h3',
  h2: 'h4',
  h3: 'h5',
  h4: 'h6',
  h5: 'h6',
  a: ({ href, children }) =>
    href ? (
      <a href={href} target="_blank" rel="noopener noreferrer">
        {children}
      </a>
    ) : (
      <span>{children}</span>
    ),
  // Fetching it would tell another server who reads what.
  img: ({ src, alt }) =>
    typeof src === 'string' && src ? (
      <a href={src} target="_blank" rel="noopener noreferrer">
        {alt || 'image'}
      </a>
    ) : (
      <span>{alt}</span>
    ),
  // Their marks stand where their text begins.
  ul: ({ node: _, ...list }) => <ul dir="auto" {...list} />,
  ol: ({ node: _, ...list }) => <ol dir="auto" {...list} />,
  // Wide tables and code scroll by keyboard, too.
  table: ({ children }) => (
    <div className="table" tabIndex={0}>
      <table>{children}</table>
    </div>
  ),
  pre: ({ children, node }) => (
    <div className="code">
      <pre tabIndex={0}>{children}</pre>
      <CopyButton text={() => textOf(node)} label="Copy" what="code" />
    </div>
  ),
};

/** Returns the text of a block of code. */
function textOf(node: ExtraProps['node']): string {
  const [code] = node?.children ?? [];
  const [text] = code?.type === 'element' ? code.children : [];
  return text?.type === 'text' ? text.value : '';
}

/** Tables, task lists and bare links, which models write. */
const plugins = [remarkGfm];

/** Characters of a reply that are shown as Markdown; what follows is shown as text, which costs a thousandth. */
const maxMarkdown = 100_000;

/** Characters of a piece that is shown as Markdown. A longer list, table or block of code is shown as text. */
const maxPiece = 20_000;

/** Shows a reply's Markdown. HTML in it stays text. */
export const Markdown = memo(({ text }: { readonly text: string }) => {
  const former = useRef<readonly string[]>([]);
  const pieces = splitMarkdown(text, former.current);
  useEffect(() => {
    former.current = pieces;
  });
  let start = 0;
  return (
    <div className="markdown" dir="auto">
      {pieces.map((piece, index) => {
        const isShort = start < maxMarkdown && piece.length < maxPiece;
        start += piece.length;
        const Piece = isShort ? Formatted : Plain;
        // biome-ignore lint/suspicious/noArrayIndexKey: pieces are added at the end only.
        return <Piece key={index} text={piece} />;
      })}
    </div>
  );
});

/** Memoized, because a growing reply changes its last piece only. */
const Formatted = memo(({ text }: { readonly text: string }) => (
  <ReactMarkdown components={components} remarkPlugins={plugins} urlTransform={safeUrl}>
    {text}
  </ReactMarkdown>
));

/** In parts of whole lines, where there are any, because a browser lays out a part anew when it grows. */
const Plain = memo(({ text }: { readonly text: string }) => (
  <div className="plain">
    {text.match(parts)?.map((part, index) => (
      // biome-ignore lint/suspicious/noArrayIndexKey: parts are added at the end only.
      <PlainPart key={index} text={part} />
    ))}
  </div>
));

const parts = /.{1,5000}[^\n]{0,5000}\n?/gs;

const PlainPart = memo(({ text }: { readonly text: string }) => <p dir="auto">{text}</p>);
