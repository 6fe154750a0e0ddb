import { type FormEvent, useState } from 'react';
import { Dialog } from './Dialog.tsx';

interface Props {
  readonly answer: (token: string) => void;
  readonly giveUp: () => void;
}

/** Asks for a new token when the service has refused the present one. What was going on waits for it. */
export function TokenDialog({ answer, giveUp }: Props) {
  const [token, setToken] = useState('');
  const submit = (event: FormEvent) => {
    event.preventDefault();
    answer(token.trim().replace(/^Bearer\s+/i, ''));
  };
  return (
    <Dialog title="The token is no longer accepted" onClose={giveUp}>
      <form onSubmit={submit}>
        <p className="muted">Paste a new one to go on where you are. Closing this dialog signs you out.</p>
        <label htmlFor="new-token">Access token</label>
        <textarea
          id="new-token"
          data-first
          className="mono"
          rows={4}
          required
          spellCheck={false}
          autoComplete="off"
          value={token}
          onChange={(event) => setToken(event.target.value)}
        />
        <footer>
          <button type="button" onClick={giveUp}>
            Sign out
          </button>
          <button type="submit" className="primary">
            Go on
          </button>
        </footer>
      </form>
    </Dialog>
  );
}
