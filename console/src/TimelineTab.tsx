import type { Run, Step } from '@thread-run-service/client';
import { CopyId } from './CopyId.tsx';
import { clock, duration, number, pretty, stamp } from './format.ts';
import type { RawEvent } from './recorder.ts';
import { isTerminal, type Moment, toTimeline } from './timeline.ts';

interface Props {
  readonly run: Run;
  readonly events: readonly RawEvent[];
  readonly steps: readonly Step[];
}

/** What the run did and when, its tokens and its ids. */
export function TimelineTab({ run, events, steps }: Props) {
  const moments = toTimeline(run, events, steps);
  const start = Date.parse(run.createdAt);
  return (
    <>
      <Figures run={run} moments={moments} />
      {run.errorCode && run.status !== 'cancelled' && (
        <div className="error-note">
          <p>{run.errorMessage ?? 'The run did not complete.'}</p>
          <p className="facts">
            <code>{run.errorCode}</code>
          </p>
        </div>
      )}
      <ol className="timeline">
        {moments.map((moment) => (
          <li key={moment.key} data-kind={moment.kind} data-tone={moment.tone}>
            <div className="moment">
              <span className="label">{moment.label}</span>
              {moment.at !== undefined && (
                <time dateTime={new Date(moment.at).toISOString()} title={stamp(moment.at)}>
                  {moment.at - start <= 0 ? clock(moment.at) : `+${duration(moment.at - start)}`}
                </time>
              )}
            </div>
            {moment.step && <StepDetails step={moment.step} />}
          </li>
        ))}
      </ol>
      <h3>Ids</h3>
      <div className="ids">
        <CopyId label="run" id={run.runId} />
        <CopyId label="thread" id={run.threadId} />
        <CopyId label="assistant" id={run.assistantId} />
        <CopyId label="project" id={run.projectId} />
      </div>
    </>
  );
}

function Figures({ run, moments }: { readonly run: Run; readonly moments: readonly Moment[] }) {
  const start = Date.parse(run.createdAt);
  const firstText = moments.find(({ kind, at }) => kind === 'text' && at !== undefined)?.at;
  const figures: readonly (readonly [string, string | undefined])[] = [
    ['Duration', run.completedAt ? duration(Date.parse(run.completedAt) - start) : undefined],
    ['First text', firstText === undefined ? undefined : duration(Math.max(0, firstText - start))],
    ['Tokens in', run.usage && number(run.usage.inputTokens)],
    ['Tokens out', run.usage && number(run.usage.outputTokens)],
  ];
  return (
    <dl className="figures">
      {figures.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value ?? (isTerminal(run) ? '–' : '…')}</dd>
        </div>
      ))}
    </dl>
  );
}

function StepDetails({ step }: { readonly step: Step }) {
  const target = [step.server, step.tool ?? step.name].filter(Boolean).join(' · ');
  const rows = [
    ...(target ? [<code key="target">{target}</code>] : []),
    ...[...new Set(step.queries)].map((query) => <q key={`query ${query}`}>{query}</q>),
    ...[...new Map(step.files?.map((file) => [file.filename, file])).values()].map(({ filename, score }) => (
      <span key={`file ${filename}`} className="found">
        <span className="name">{filename}</span>
        {score !== null && <span className="muted">{score.toFixed(2)}</span>}
      </span>
    )),
    ...[...new Set(step.urls)].map((url) => (
      <span key={`url ${url}`} className="found">
        {url}
      </span>
    )),
    ...(step.tools?.length ? [<span key="tools">{step.tools.join(', ')}</span>] : []),
  ];
  const texts = [
    ...(step.arguments ? [['Arguments', pretty(step.arguments)] as const] : []),
    ...(step.code ? [['Code', step.code] as const] : []),
    ...(step.outputs ?? []).flatMap(({ logs }) => (logs ? [['Logs', logs] as const] : [])),
    ...(step.output ? [['Output', pretty(step.output)] as const] : []),
  ];
  return (
    <div className="step-details">
      {rows}
      {texts.map(([label, text]) => (
        <details key={`${label} ${text}`}>
          <summary>{label}</summary>
          <pre tabIndex={0}>{text}</pre>
        </details>
      ))}
    </div>
  );
}
