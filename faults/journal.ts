import { fsyncSync, openSync, readFileSync, writeSync } from 'node:fs'
import { clock } from './clock'
import type { Effect } from './model/history'

/** What an action notes of itself; time and place are added. */
export type Note = Omit<Effect, 'at' | 'worker'>

/** Notes on disk, before it goes on, what an action did: whatever then becomes of process and Redis, it was done. */
export function journal(path: string, worker: number): (note: Note) => void {
  const file = openSync(path, 'a')
  return function note(noted) {
    const effect: Effect = { ...noted, at: clock(), worker }
    writeSync(file, `${JSON.stringify(effect)}\n`)
    fsyncSync(file)
  }
}

/** @throws SyntaxError when a line is torn: nothing that was done may be passed over */
export function readJournal(path: string): Effect[] {
  const lines = readFileSync(path, 'utf8').split('\n')
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line))
}
