import { type Composing, type Draft, toDraft } from './composing.ts';
import { addContainerFile, containerFor } from './containers.ts';
import { newId } from './ids.ts';
import { drawBars } from './images.ts';

const filename = 'chart.png';
const maxBars = 20;

/** Draws a bar chart of the numbers in the question, if it asks for a chart and the request has a code interpreter. */
export function drawChart({ engine, request, history, question }: Composing): Draft | null {
  if (!request.tools.some((tool) => tool['type'] === 'code_interpreter')) return null;
  if (!/\b(?:chart|plot|graph|histogram|diagram)s?\b/i.test(question)) return null;
  const numbers = (question.match(/\d+(?:\.\d+)?/g) ?? []).slice(0, maxBars).map(Number);
  const values = numbers.length > 0 ? numbers : [3, 5, 2, 4];
  const container = containerFor(engine, request, history);
  const file = addContainerFile(engine, container, filename, drawBars(values));
  const path = `sandbox:/mnt/data/${filename}`;
  const opening = `I drew a bar chart of ${values.join(', ')}: [${filename}](`;
  return toDraft(`${opening}${path})`, {
    items: [
      {
        id: newId('ci'),
        type: 'code_interpreter_call',
        status: 'completed',
        code: `import matplotlib.pyplot as plt\n\nvalues = [${values.join(', ')}]\nplt.bar(range(len(values)), values)\nplt.savefig("/mnt/data/${filename}")\nprint(sum(values))\n`,
        container_id: container.id,
        outputs: [{ type: 'logs', logs: `${values.reduce((sum, value) => sum + value, 0)}\n` }],
      },
    ],
    annotations: [
      {
        type: 'container_file_citation',
        container_id: container.id,
        file_id: file.id,
        filename,
        start_index: opening.length,
        end_index: opening.length + path.length,
      },
    ],
  });
}
