import { IconButton } from './IconButton.tsx';
import { BookIcon, KeyboardIcon, Logo, SignOutIcon } from './icons.tsx';
import type { Session } from './session.ts';

interface Props {
  readonly session: Session;
  readonly onProject: (projectId: string) => void;
  readonly onSignOut: () => void;
  readonly onDocuments: () => void;
  readonly onHelp: () => void;
}

/** The project, and what concerns all of it. */
export function TopBar({ session, onProject, onSignOut, onDocuments, onHelp }: Props) {
  const { projectId, projects } = session;
  const name = projects.find((project) => project.projectId === projectId)?.name ?? projectId;
  return (
    <header className="top-bar">
      <Logo />
      <h1>Console</h1>
      <span className="divider" aria-hidden="true" />
      {projects.length > 1 ? (
        <select aria-label="Project" value={projectId} onChange={(event) => onProject(event.target.value)}>
          {projects.map((project) => (
            <option key={project.projectId} value={project.projectId}>
              {project.name}
            </option>
          ))}
        </select>
      ) : (
        <span className="project" title={projectId}>
          {name}
        </span>
      )}
      <span className="spacer" />
      <button type="button" className="small" aria-label="Documents" onClick={onDocuments}>
        <BookIcon /> <span>Documents</span>
      </button>
      <IconButton label="Keyboard shortcuts" onClick={onHelp}>
        <KeyboardIcon />
      </IconButton>
      <IconButton label="Sign out" onClick={onSignOut}>
        <SignOutIcon />
      </IconButton>
    </header>
  );
}
