import { useEffect } from 'react';

/** Calls back when the page becomes visible again: meanwhile, others may have changed what it shows. */
export function useReturn(callback: () => void): void {
  useEffect(() => {
    const listener = () => document.visibilityState === 'visible' && callback();
    document.addEventListener('visibilitychange', listener);
    return () => document.removeEventListener('visibilitychange', listener);
  }, [callback]);
}
