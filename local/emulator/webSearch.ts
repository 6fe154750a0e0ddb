import { type Composing, type Draft, toDraft } from './composing.ts';
import { newId } from './ids.ts';

/** Pretends to search the web, if the request may and the question asks for it or there are no documents to search. */
export function searchWeb({ request: { tools }, question }: Composing): Draft | null {
  const has = (prefix: string) => tools.some(({ type }) => String(type).startsWith(prefix));
  const isAsked = /\b(?:web|internet|online|news|latest|today)\b/i.test(question);
  if (!has('web_search') || (has('file_search') && !isAsked)) return null;
  const query = question.trim().split('\n')[0]?.slice(0, 100) ?? '';
  const title = 'Example results';
  const url = `https://example.com/search?q=${encodeURIComponent(query)}`;
  const opening = 'The emulator does not search the web; a real engine would cite its sources like this: ';
  const link = `([${title}](${url}))`;
  return toDraft(`${opening}${link}.`, {
    items: [
      {
        id: newId('ws'),
        type: 'web_search_call',
        status: 'completed',
        action: { type: 'search', query, queries: [query], sources: [{ type: 'url', url }] },
      },
    ],
    annotations: [
      {
        type: 'url_citation',
        start_index: opening.length,
        end_index: opening.length + link.length,
        title,
        url,
      },
    ],
  });
}
