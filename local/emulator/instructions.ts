import { type Annotation, endOf, moved } from './composing.ts';

interface Reply {
  text: string;
  annotations: Annotation[];
}

const quotedStart = 100;
const quotedEnd = 60;

/**
 * Applies the instructions that it understands to a reply, and quotes them below it:
 * "Answer in one sentence", "Begin with X", "End with X" and "in upper case".
 * @param introduction text before the reply, omitted from a reply of one sentence.
 */
export function follow(instructions: string | null, introduction: string, reply: Reply): Reply {
  const wanted = instructions ?? '';
  const isShort = /\b(?:in|with|of) (?:only |just )?(?:one|a single) (?:short )?sentence\b/i.test(wanted);
  let followed = isShort ? firstSentence(reply) : prefixed(introduction, reply);
  const beginning = /\b(?:begin|start)\b[^.\n]{0,30}? with (?:the words? )?(.+)/i.exec(wanted)?.[1];
  if (beginning) followed = prefixed(`${wordsOf(beginning)} `, followed);
  const ending = /\bend\b[^.\n]{0,30}? with (?:the words? )?(.+)/i.exec(wanted)?.[1];
  if (ending) followed = { ...followed, text: `${followed.text} ${wordsOf(ending)}` };
  if (/\b(?:in|only|use) (?:upper ?case|upper-case|capital letters|capitals)\b/i.test(wanted))
    followed = { ...followed, text: toUpperCase(followed.text) };
  if (wanted.trim() === '' || isShort) return followed;
  return { ...followed, text: `${followed.text}\n\n(My instructions: ${shortened(wanted)})` };
}

function prefixed(prefix: string, { text, annotations }: Reply): Reply {
  return { text: prefix + text, annotations: moved(annotations, prefix.length) };
}

/** Returns the text up to the end of its first sentence, with the annotations there; the first one is always kept. */
function firstSentence({ text, annotations }: Reply): Reply {
  const length = (/[.!?](?=\s|$)/.exec(text)?.index ?? text.length - 1) + 1;
  const kept = annotations.filter(
    (annotation, index) => endOf(annotation) <= length || (index === 0 && 'index' in annotation),
  );
  return {
    text: text.slice(0, length),
    annotations: kept.map((annotation) =>
      'index' in annotation ? { ...annotation, index: Math.min(annotation.index, length) } : annotation,
    ),
  };
}

/** Returns what is quoted at the beginning of a text, or else its words up to a punctuation mark. */
function wordsOf(text: string): string {
  const quoted = /^["“'‘`]([^"”'’`\n]+)["”'’`]/.exec(text)?.[1];
  return quoted ?? text.replace(/[.,;:\n].*$/s, '').trim();
}

/** Converts the letters whose upper case is as long, so that offsets stay the same. */
function toUpperCase(text: string): string {
  return text.replace(/\p{Ll}/gu, (letter) => {
    const upper = letter.toUpperCase();
    return upper.length === letter.length ? upper : letter;
  });
}

function shortened(instructions: string): string {
  const line = instructions.trim().replace(/\s+/g, ' ');
  if (line.length <= quotedStart + quotedEnd) return `“${line}”`;
  return `“${line.slice(0, quotedStart).trim()} … ${line.slice(-quotedEnd).trim()}”`;
}
