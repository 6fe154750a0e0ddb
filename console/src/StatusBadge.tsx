import type { RunStatus } from '@thread-run-service/client';
import { statusLabels, statusTones } from './timeline.ts';

export const StatusBadge = ({ status }: { readonly status: RunStatus }) => (
  <span className="badge" data-tone={statusTones[status]}>
    {statusLabels[status]}
  </span>
);
