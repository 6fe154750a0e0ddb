/** Runs at most one piece of work per key at a time; callers with the same key share its result. */
export type SingleFlight<T> = (key: string, work: () => Promise<T>) => Promise<T>;

/** Creates a {@link SingleFlight}; nothing is remembered once the work is done, whether it succeeded or not. */
export function createSingleFlight<T>(): SingleFlight<T> {
  const flights = new Map<string, Promise<T>>();
  return (key, work) => {
    const flight = flights.get(key);
    if (flight) return flight;
    const started = work().finally(() => flights.delete(key));
    flights.set(key, started);
    return started;
  };
}
