import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** The variable that tells the workers of Jest which folder their run has. */
const VARIABLE = 'TEST_RUN_FOLDER'

/** Jest calls this before a run. A new folder for each run means that a run that was killed leaves nothing to wait for. */
export default function makeRunFolder(): void {
  process.env[VARIABLE] = mkdtempSync(join(tmpdir(), 'test-run-'))
}

/** A folder outside this repository that all workers of a run share. It is removed after the run. */
export function runFolder(): string {
  const folder = process.env[VARIABLE]
  if (folder === undefined) throw new Error(`${VARIABLE} is not set: jest.config.ts has no globalSetup`)
  return folder
}
