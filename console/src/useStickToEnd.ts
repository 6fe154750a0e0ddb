import { useLayoutEffect, useRef, useState } from 'react';

/** How near to its end a list counts as read to the end, in pixels. */
const tolerance = 80;

/**
 * Keeps a list scrolled to its end while it grows, unless its reader has scrolled away; then what is read stays where it
 * is, also when something is added before it.
 * @param first what the list begins with.
 */
export function useStickToEnd(first: string | undefined) {
  const scroller = useRef<HTMLElement>(null);
  const sticks = useRef(true);
  /** From the upper edge of what is visible to the end of the list, in pixels. */
  const fromEnd = useRef(0);
  const [isAway, setAway] = useState(false);
  const former = useRef(first);
  const go = () => {
    const element = scroller.current;
    sticks.current = true;
    if (element) element.scrollTop = element.scrollHeight;
  };
  const measure = () => {
    const element = scroller.current;
    if (!element) return;
    fromEnd.current = element.scrollHeight - element.scrollTop;
    sticks.current = fromEnd.current - element.clientHeight < tolerance;
    setAway(!sticks.current);
  };
  // After each rendering, whatever has changed.
  useLayoutEffect(() => {
    const element = scroller.current;
    if (sticks.current) go();
    // Browsers do not keep the place of a list that is scrolled to its beginning, and not all do otherwise.
    else if (element && former.current !== first) element.scrollTop = element.scrollHeight - fromEnd.current;
    former.current = first;
    measure();
  });
  useLayoutEffect(() => {
    const element = scroller.current;
    if (!element) return;
    const stay = () => {
      if (sticks.current) element.scrollTop = element.scrollHeight;
    };
    // Pictures grow after they have been added.
    element.addEventListener('load', stay, true);
    // The next message takes more or less of the room.
    const observer = new ResizeObserver(stay);
    observer.observe(element);
    return () => {
      element.removeEventListener('load', stay, true);
      observer.disconnect();
    };
  }, []);
  return { scroller, isAway, go, onScroll: measure };
}
