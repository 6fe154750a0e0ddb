/* The examples of docs/client.md, by the package that they show; see testPages.ts. */
declare module 'guide:client/react' {
  export const Chat: (props: {
    readonly client: import('@thread-run-service/client').Client;
    readonly threadId: string | null;
  }) => React.ReactElement;
}

declare module 'guide:client/react/assistant-ui' {
  export { Chat } from 'guide:client/react';
}
