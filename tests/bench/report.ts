/** A row of the report: numbers and their baselines. */
export interface Row {
  readonly figure: string;
  /** Names of the numbers, in order. */
  readonly unit: string;
  readonly value: readonly number[];
  readonly against?: { readonly name: string; readonly value: readonly number[] };
  /** The target, and whether it is met; depends on the machine too. */
  readonly target?: { readonly text: string; readonly met: boolean };
}

/** Results of a part of the benchmark. */
export interface Section {
  readonly rows: readonly Row[];
  /** All measurements, for the JSON file only. */
  readonly details: unknown;
  /** Remarks about the figures. */
  readonly notes?: readonly string[];
  /** Errors such as a wrong response or a lost run. */
  readonly errors?: readonly string[];
}

/** Returns the numbers of a row as multiples of their baselines. */
export const ratios = ({ value, against }: Row): number[] =>
  against ? value.map((number, index) => number / (against.value[index] ?? Number.NaN)) : [];

/** Formats all rows as a text table. */
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

/** Formats a number with three significant digits, or as an integer from 100. */
const short = (value: number): string =>
  !Number.isFinite(value)
    ? '–'
    : Math.abs(value) >= 100
      ? String(Math.round(value))
      : String(Number(value.toPrecision(3)));
