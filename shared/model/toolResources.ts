/** A vector store that a program made. */
export interface NamedVectorStore {
  /** Its sealed id, by which clients name it. */
  readonly vectorStoreId: string;
  /** The engine's id. Never leaves the service. */
  readonly engineStoreId: string;
}

/** What the tools of a thread's or an assistant's runs use. */
export interface ToolResources {
  /** Ids of the files that code interpreters get. */
  readonly codeFiles?: readonly string[];
  /** Vector stores that file searches search, besides those of the project. */
  readonly vectorStores?: readonly NamedVectorStore[];
}

/** Maximum number of files that the code interpreters of a thread get. */
export const maxCodeFiles = 20;

/** Maximum number of vector stores that a thread or an assistant names, as in the original API. */
export const maxNamedStores = 1;

/** Days after its last search after which a vector store that was created for a thread expires, as in the original API. */
export const threadStoreExpiryDays = 7;
