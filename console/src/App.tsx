import { useCallback, useEffect, useState } from 'react';
import { SignIn } from './SignIn.tsx';
import { createSession, type Session } from './session.ts';
import { fetchLocalSession, type LocalSession } from './signingIn.ts';
import { TokenDialog } from './TokenDialog.tsx';
import { Workspace } from './Workspace.tsx';

interface TokenQuestion {
  readonly answer: (token: string) => void;
  readonly giveUp: () => void;
}

/** Signs in, by itself with the local issuer, and shows the project. */
export function App() {
  const [session, setSession] = useState<Session | 'starting' | undefined>('starting');
  const [question, setQuestion] = useState<TokenQuestion>();
  const [hasSignedOut, setSignedOut] = useState(false);

  const signOut = useCallback(() => {
    setSession(undefined);
    setSignedOut(true);
  }, []);

  const signIn = useCallback(
    (credentials: LocalSession, isLocal: boolean) => {
      const askForToken = () =>
        new Promise<string>((resolve, reject) => {
          setQuestion({
            answer(token) {
              setQuestion(undefined);
              resolve(token);
            },
            giveUp() {
              setQuestion(undefined);
              signOut();
              reject(new Error('Signed out'));
            },
          });
        });
      setSession(createSession({ ...credentials, isLocal, askForToken }));
    },
    [signOut],
  );
  const signInLocally = async (projectId?: string) => {
    const local = await fetchLocalSession(projectId).catch(() => undefined);
    if (local) signIn(local, true);
    return local !== undefined;
  };

  useEffect(() => {
    let isCurrent = true;
    void fetchLocalSession()
      .catch(() => undefined)
      .then((local) => {
        if (!isCurrent) return;
        if (local) signIn(local, true);
        else setSession(undefined);
      });
    return () => {
      isCurrent = false;
    };
  }, [signIn]);

  if (session === 'starting') return <p className="starting">Signing in…</p>;
  if (!session)
    return (
      <SignIn
        takesFocus={hasSignedOut}
        onSignIn={(credentials) => signIn(credentials, false)}
        signInLocally={signInLocally}
      />
    );
  return (
    <>
      <Workspace
        key={session.projectId}
        session={session}
        onProject={(projectId) => void signInLocally(projectId)}
        onSignOut={signOut}
      />
      {question && <TokenDialog {...question} />}
    </>
  );
}
