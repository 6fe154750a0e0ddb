/** The parts used here of the module that the Functions worker provides at run time. */
declare module '@azure/functions-core' {
  interface CoreInvocationContext {
    readonly invocationId: string;
    readonly metadata: {
      readonly name?: string;
      readonly bindings?: Readonly<
        Record<string, { readonly type: string; readonly direction: 'in' | 'out' }>
      >;
    };
    readonly request: {
      readonly invocationId?: string;
      readonly inputData?: readonly { readonly name: string; readonly data?: object }[];
      readonly triggerMetadata?: Record<string, object> | null;
    };
    log(level: string, category: string, message: string): void;
  }

  interface InvocationModel {
    getArguments(): Promise<{ context: unknown; inputs: unknown[] }>;
    invokeFunction(
      context: unknown,
      inputs: unknown[],
      callback: (...args: never[]) => unknown,
    ): Promise<unknown>;
    getResponse(context: unknown, result: unknown): Promise<object>;
  }

  interface ProgrammingModel {
    readonly name: string;
    readonly version: string;
    getInvocationModel(context: CoreInvocationContext): InvocationModel;
    getCapabilities(capabilities: object): Promise<object>;
  }

  function getProgrammingModel(): ProgrammingModel;
  function setProgrammingModel(model: ProgrammingModel): void;
}
