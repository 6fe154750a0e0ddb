export type { AnnouncementTexts } from './announcement.ts';
export type {
  ApprovalPart,
  MessagePart,
  MessageStatus,
  RefusalPart,
  ShownAttachment,
  SubmitOptions,
  TextPart,
  ThreadMessage,
  ToolCallPart,
} from './messages.ts';
export type { ThreadActions, ThreadRun, ThreadSnapshot, ThreadStatus, ThreadStore } from './threadStore.ts';
export { createThreadStore, getThreadStore } from './threadStore.ts';
export { type FileUrl, useFileUrl } from './useFileUrl.ts';
export {
  ClientProvider,
  type MonitoredRun,
  type RunMonitoring,
  useRunMonitoring,
} from './useRunMonitoring.ts';
export { type UseThread, type UseThreadOptions, useThread } from './useThread.ts';
