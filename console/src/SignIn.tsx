import { type FormEvent, useEffect, useRef, useState } from 'react';
import { ErrorNote } from './ErrorNote.tsx';
import { Logo } from './icons.tsx';
import { tryToken } from './session.ts';
import { isLocal, type LocalSession, projectsOf } from './signingIn.ts';

interface Props {
  /** Whether what had the focus is gone, because the user has signed out. */
  readonly takesFocus: boolean;
  readonly onSignIn: (credentials: LocalSession) => void;
  /** @returns false when the service uses another issuer. */
  readonly signInLocally: () => Promise<boolean>;
}

/** Asks for a token and a project. */
export function SignIn({ takesFocus, onSignIn, signInLocally }: Props) {
  const [token, setToken] = useState('');
  const [projectId, setProjectId] = useState('');
  const [error, setError] = useState<unknown>();
  const [isBusy, setBusy] = useState(false);
  const tokenBox = useRef<HTMLTextAreaElement>(null);
  useEffect(() => {
    if (takesFocus) tokenBox.current?.focus();
  }, [takesFocus]);
  const listed = projectsOf(token);
  const chosen = projectId || listed[0] || '';

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setError(undefined);
    const given = token.trim().replace(/^Bearer\s+/i, '');
    try {
      await tryToken(given, chosen);
      const projects = (listed.length > 0 ? listed : [chosen]).map((id) => ({ projectId: id, name: id }));
      onSignIn({ token: given, projectId: chosen, projects });
    } catch (failure) {
      setError(failure);
      setBusy(false);
    }
  };

  return (
    <main className="sign-in">
      <form className="card" onSubmit={(event) => void submit(event)}>
        <Logo />
        <h1>Console</h1>
        <p className="muted">
          Threads, runs and documents of one project of the thread-run service. The token stays in this page's
          memory; closing or reloading the page forgets it.
        </p>
        <label htmlFor="token">Access token</label>
        <textarea
          ref={tokenBox}
          id="token"
          className="mono"
          rows={4}
          required
          spellCheck={false}
          autoComplete="off"
          placeholder="eyJhbGciOi…"
          value={token}
          onChange={(event) => setToken(event.target.value)}
        />
        <label htmlFor="project">Project id</label>
        <input
          id="project"
          className="mono"
          required
          spellCheck={false}
          autoComplete="off"
          list="projects"
          value={projectId || listed[0] || ''}
          onChange={(event) => setProjectId(event.target.value)}
        />
        <datalist id="projects">
          {listed.map((id) => (
            <option key={id} value={id} />
          ))}
        </datalist>
        {error !== undefined && <ErrorNote error={error} />}
        <button type="submit" className="primary" disabled={isBusy}>
          {isBusy ? 'Checking…' : 'Sign in'}
        </button>
        {isLocal && (
          <button
            type="button"
            onClick={() => void signInLocally().then((done) => !done && setError(noIssuer))}
          >
            Use the local issuer
          </button>
        )}
      </form>
    </main>
  );
}

const noIssuer = new Error('This service uses another issuer; paste one of its tokens.');
