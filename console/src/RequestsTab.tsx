import { CopyButton, CopyId } from './CopyId.tsx';
import { toCurl } from './curl.ts';
import type { Exchange } from './exchange.ts';
import { clock, duration } from './format.ts';
import { apiUrl } from './signingIn.ts';

/** The requests of this page, newest first, each as a command for a shell. */
export function RequestsTab({ exchanges }: { readonly exchanges: readonly Exchange[] }) {
  return (
    <>
      <p className="muted tab-note">
        As commands for a shell in which <code>TOKEN</code> is set.
      </p>
      <ol className="requests">
        {exchanges.map((exchange) => (
          <li key={exchange.key}>
            <details>
              <summary>
                <code className="method">{exchange.method}</code>
                <span className="path" title={exchange.url}>
                  {pathOf(exchange.url)}
                </span>
                <Outcome exchange={exchange} />
              </summary>
              <pre tabIndex={0}>{toCurl(exchange)}</pre>
              <div className="facts">
                <CopyButton text={toCurl(exchange)} label="Copy as curl" />
                {exchange.requestId && <CopyId id={exchange.requestId} label="request" />}
                <time dateTime={new Date(exchange.at).toISOString()}>{clock(exchange.at)}</time>
                {exchange.durationMs !== undefined && <span>{duration(exchange.durationMs)}</span>}
              </div>
            </details>
          </li>
        ))}
      </ol>
    </>
  );
}

function Outcome({ exchange: { status, ended } }: { readonly exchange: Exchange }) {
  const isBad = ended === 'failed' || (status ?? 0) >= 400;
  const tone = isBad ? 'danger' : status === undefined ? 'neutral' : 'success';
  return (
    <span className="badge" data-tone={tone}>
      {ended ?? status ?? '…'}
    </span>
  );
}

/** Returns the part of an address below the project, with short ids. */
const pathOf = (url: string): string =>
  url
    .replace(apiUrl, '')
    .replace(/^\/projects\/[^/]+/, '')
    .replace(/[a-z]+_[\w-]+/g, (id) => `…${id.slice(-6)}`);
