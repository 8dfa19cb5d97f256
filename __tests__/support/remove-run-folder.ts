import { rmSync } from 'node:fs'
import { runFolder } from './run-folder'

/** Jest calls this after a run. */
export default function removeRunFolder(): void {
  rmSync(runFolder(), { recursive: true, force: true })
}
