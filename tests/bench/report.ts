/** One line of the report: one or more numbers, and those that they are compared with. */
export interface Row {
  readonly figure: string;
  /** What the numbers are, in their order. */
  readonly unit: string;
  readonly value: readonly number[];
  readonly against?: { readonly name: string; readonly value: readonly number[] };
  /** What the figure has to reach, and whether it does; the machine's doing as much as the service's. */
  readonly target?: { readonly text: string; readonly met: boolean };
}

/** What a part of the benchmark found. */
export interface Section {
  readonly rows: readonly Row[];
  /** Everything it measured, for the JSON file only. */
  readonly details: unknown;
  /** What a reader of the figures should know. */
  readonly notes?: readonly string[];
  /** What went wrong apart from figures: a wrong answer, a lost run. */
  readonly errors?: readonly string[];
}

/** A row's numbers as multiples of those compared with. */
export const ratios = ({ value, against }: Row): number[] =>
  against ? value.map((number, index) => number / (against.value[index] ?? Number.NaN)) : [];

/** All rows as one table of text. */
export function toTable(rows: readonly Row[]): string {
  const lines = [
    ['figure', 'what', 'value', 'against', 'its value', 'ratio', 'target'],
    ...rows.map((row) => [
      row.figure,
      row.unit,
      row.value.map(short).join(' / '),
      row.against?.name ?? '',
      row.against?.value.map(short).join(' / ') ?? '',
      ratios(row).map(short).join(' / '),
      row.target ? `${row.target.text}: ${row.target.met ? 'met' : 'MISSED'}` : '',
    ]),
  ];
  const widths = lines[0]?.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  return lines
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths?.[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** Three digits that count, none of them after a number of a hundred or more. */
const short = (value: number): string =>
  !Number.isFinite(value)
    ? '–'
    : Math.abs(value) >= 100
      ? String(Math.round(value))
      : String(Number(value.toPrecision(3)));
