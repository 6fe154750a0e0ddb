import type OpenAI from 'openai';

/*
 * The objects of the Assistants API, as the official package types them. Only types are imported: what the service sends
 * must compile against what its clients parse.
 */
export type WireAssistant = OpenAI.Beta.Assistant;
export type WireAssistantDeleted = OpenAI.Beta.AssistantDeleted;
export type WireThread = OpenAI.Beta.Thread;
export type WireThreadDeleted = OpenAI.Beta.ThreadDeleted;
export type WireMessage = OpenAI.Beta.Threads.Message;
export type WireContent = OpenAI.Beta.Threads.MessageContent;
export type WireAnnotation = OpenAI.Beta.Threads.Annotation;
export type WireAttachment = NonNullable<WireMessage['attachments']>[number];
export type WireMessageDeleted = OpenAI.Beta.Threads.MessageDeleted;
export type WireRun = OpenAI.Beta.Threads.Run;
export type WireStep = OpenAI.Beta.Threads.Runs.RunStep;
export type WireToolCall = OpenAI.Beta.Threads.Runs.ToolCall;
export type WireToolCallDelta = OpenAI.Beta.Threads.Runs.ToolCallDelta;
export type WireTool = OpenAI.Beta.AssistantTool;
export type WireFile = OpenAI.FileObject;
export type WireModel = OpenAI.Model;
export type WireFileDeleted = OpenAI.FileDeleted;
export type WireVectorStore = OpenAI.VectorStore;
export type WireVectorStoreDeleted = OpenAI.VectorStoreDeleted;
export type WireSearchResult = OpenAI.VectorStoreSearchResponse;
export type WireVectorStoreFile = OpenAI.VectorStores.VectorStoreFile;
export type WireVectorStoreFileDeleted = OpenAI.VectorStores.VectorStoreFileDeleted;
export type WireFileBatch = OpenAI.VectorStores.VectorStoreFileBatch;
export type WireFileContent = OpenAI.VectorStores.FileContentResponse;
export type WireEvent = OpenAI.Beta.AssistantStreamEvent;

/** Returns a time in whole Unix seconds. */
export const toUnixSeconds = (date: Date): number => Math.floor(date.getTime() / 1000);
