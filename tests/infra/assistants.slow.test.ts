import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { assistantFiles, folderFaults, listing } from '../../infra/assistants.ts';
import schema from '../../shared/model/project.schema.json' with { type: 'json' };
import { describeCompiled, snapshot } from './compiled.ts';

const infra = join(import.meta.dirname, '../../infra');
const second = {
  id: 'asst_second',
  name: 'Second',
  model: 'gpt-5.4-mini',
  instructions: 'Antworte höflich.',
};

describe('the assistants of the repository', () => {
  test('are valid and all listed for Bicep', () => {
    expect(folderFaults(infra)).toEqual([]);
    expect(readFileSync(join(infra, 'assistants.bicep'), 'utf8')).toBe(listing(assistantFiles(infra)));
  });

  test('are what the projects of the repository name', () => {
    const projects: { assistantId: string }[] = JSON.parse(
      readFileSync(join(infra, 'projects.json'), 'utf8'),
    );
    const validate = new Ajv2020({ allErrors: true }).compile(schema);
    expect([validate(projects), validate.errors]).toEqual([true, null]);
    const ids = assistantFiles(infra).map((file) => {
      const { id } = JSON.parse(readFileSync(join(infra, 'assistants', file), 'utf8'));
      return id;
    });
    expect(ids).toEqual(expect.arrayContaining(projects.map(({ assistantId }) => assistantId)));
  });
});

describe('a folder of assistants', () => {
  let folder: string;
  const write = (file: string, content: string) => writeFileSync(join(folder, 'assistants', file), content);

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'assistants-'));
    mkdirSync(join(folder, 'assistants'));
    cpSync(join(infra, 'main.bicep'), join(folder, 'main.bicep'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  test('is refused when it is empty', () => {
    expect(folderFaults(folder)).toEqual(['infra/assistants holds no assistant']);
  });

  test('is refused with the name of the file that is no JSON, breaks the schema or repeats an id', () => {
    write('a.json', JSON.stringify(second));
    write('b.json', JSON.stringify(second));
    write('c.json', JSON.stringify({ ...second, id: 'asst_c', temprature: 1 }));
    write('d.json', '{');
    write('E e.json', JSON.stringify({ ...second, id: 'asst_e' }));
    const faults = folderFaults(folder);
    expect(faults).toHaveLength(4);
    expect(faults).toEqual(
      expect.arrayContaining([
        'b.json: its id is taken',
        expect.stringMatching(/^c\.json: .*temprature/),
        expect.stringMatching(/^d\.json: is not JSON/),
        expect.stringMatching(/^E e\.json: name it/),
      ]),
    );
  });

  test('is refused with both sizes when it does not fit into the setting', () => {
    write('a.json', JSON.stringify({ ...second, instructions: 'x'.repeat(32_000) }));
    expect(folderFaults(folder)).toEqual([
      expect.stringMatching(/take 32\d{3} of at most 32000 characters together: shorten instructions/),
    ]);
  });
});

describeCompiled('a further assistant', () => {
  const add = (folder: string) =>
    writeFileSync(join(folder, 'assistants/second.json'), JSON.stringify(second));
  const list = (folder: string) =>
    writeFileSync(join(folder, 'assistants.bicep'), listing(assistantFiles(folder)));
  const assistants = async (change: (folder: string) => void) => {
    const { resources } = await snapshot({}, change);
    const site = JSON.stringify(resources.find(({ type }) => type === 'Microsoft.Web/sites'));
    const { value } = /\{"name":"ASSISTANTS","value":(?<value>"(?:[^"\\]|\\.)*")\}/.exec(site)?.groups ?? {};
    return JSON.parse(JSON.parse(value ?? '""')) as { id: string }[];
  };

  test('is in the setting once its file is there and listed', async () => {
    const found = await assistants((folder) => {
      add(folder);
      list(folder);
    });
    expect(found).toEqual([expect.objectContaining({ id: 'asst_docshelper' }), second]);
  }, 180_000);

  test('stops the deployment while it is not listed, and says what to run', async () => {
    await expect(assistants(add)).rejects.toThrow(
      /does not list second\.json: run "node infra\/assistants\.ts"/,
    );
  }, 180_000);

  test('stops the deployment when the setting would grow too long', async () => {
    const grow = (folder: string) => {
      const path = join(folder, 'assistants/long.json');
      writeFileSync(path, JSON.stringify({ ...second, instructions: 'x'.repeat(32_000) }));
      list(folder);
    };
    await expect(assistants(grow)).rejects.toThrow(/take 32\d{3} of at most 32000 characters/);
  }, 180_000);
});
