import { ApiError, ConnectionError, RunFailedError } from '@thread-run-service/client';
import { CopyId } from './CopyId.tsx';

/** Sentences for codes where the service's own says too little to act on. */
const hints: Readonly<Record<string, string>> = {
  rate_limited: 'Too many requests at the moment, of this project or to the model.',
  thread_busy: 'Another run of this thread is under way. Wait for it, or cancel it.',
  editor_required: 'Only editors of the project may see and change its documents.',
  access_denied: 'This token gives no access to the project, or there is no such project.',
  steps_expired: 'The engine no longer has the steps of this run.',
};

/** Shows an error with its code and the request's id, which names it in the service's log. */
export function ErrorNote({ error, onRetry }: { readonly error: unknown; readonly onRetry?: () => void }) {
  const isApi = error instanceof ApiError;
  const fields = isApi ? Object.entries(error.errors) : [];
  return (
    <div className="error-note" role="alert">
      <p>{sentenceOf(error)}</p>
      {fields.map(([field, messages]) => (
        <p key={field}>
          <strong>{field}</strong>: {messages.join(' ')}
        </p>
      ))}
      {isApi && (
        <p className="facts">
          <code>{error.code ?? error.status}</code>
          {error.retryAfter !== undefined && <span>again in {error.retryAfter} s</span>}
          {error.requestId && <CopyId id={error.requestId} label="request" />}
        </p>
      )}
      {error instanceof RunFailedError && (
        <p className="facts">
          <code>{error.run.errorCode ?? error.run.status}</code>
          <CopyId id={error.run.runId} label="run" />
        </p>
      )}
      {onRetry && (
        <button type="button" onClick={onRetry}>
          Try again
        </button>
      )}
    </div>
  );
}

function sentenceOf(error: unknown): string {
  if (error instanceof ConnectionError) return 'The service cannot be reached. Check the connection.';
  if (error instanceof RunFailedError) return error.run.errorMessage ?? `The run is ${error.run.status}.`;
  if (!(error instanceof ApiError)) return error instanceof Error ? error.message : 'Something went wrong.';
  const hint = error.code === undefined ? undefined : hints[error.code];
  return hint ?? error.detail ?? `The service responded with the status ${error.status}.`;
}
