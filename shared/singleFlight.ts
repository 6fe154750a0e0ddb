/** Runs work once at a time per key; concurrent calls with the same key share its result. */
export type SingleFlight<T> = (key: string, work: () => Promise<T>) => Promise<T>;

/** Creates a {@link SingleFlight}. Results and failures are not cached. */
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
