/** A client's own labels of a thread or a run: at most 16 pairs, keys of up to 64 characters, values of up to 512. */
export type Metadata = Readonly<Record<string, string>>;

/** A pair that selects the items of a list. */
export interface MetadataPair {
  readonly key: string;
  readonly value: string;
}

/** Returns whether metadata has a pair. */
export const hasPair = (metadata: Metadata | undefined, { key, value }: MetadataPair): boolean =>
  metadata !== undefined && Object.hasOwn(metadata, key) && metadata[key] === value;

/** Returns the property `metadata` of an object, or no property if there are no pairs. */
export const metadataOf = (metadata: Metadata | undefined): { metadata?: Metadata } =>
  metadata === undefined || Object.keys(metadata).length === 0 ? {} : { metadata };
