import { useLayoutEffect, useRef, useState } from 'react';

/** How near to its end a list counts as read to the end, in pixels. */
const tolerance = 80;

/** Keeps a list scrolled to its end while it grows, unless its reader has scrolled away. */
export function useStickToEnd() {
  const scroller = useRef<HTMLElement>(null);
  const sticks = useRef(true);
  const [isAway, setAway] = useState(false);
  const go = () => {
    const element = scroller.current;
    if (element) element.scrollTop = element.scrollHeight;
  };
  // After each rendering, whatever made it grow.
  useLayoutEffect(() => {
    if (sticks.current) go();
  });
  // Pictures grow after they have been added.
  useLayoutEffect(() => {
    const element = scroller.current;
    if (!element) return;
    const onLoad = () => {
      if (sticks.current) element.scrollTop = element.scrollHeight;
    };
    element.addEventListener('load', onLoad, true);
    return () => element.removeEventListener('load', onLoad, true);
  }, []);
  const onScroll = () => {
    const element = scroller.current;
    if (!element) return;
    sticks.current = element.scrollHeight - element.scrollTop - element.clientHeight < tolerance;
    setAway(!sticks.current);
  };
  return { scroller, isAway, go, onScroll };
}
