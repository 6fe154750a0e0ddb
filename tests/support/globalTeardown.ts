import type { Azurite } from '../../local/azurite.ts';

export default async function globalTeardown(): Promise<void> {
  await (globalThis as { azurite?: Azurite }).azurite?.close();
}
