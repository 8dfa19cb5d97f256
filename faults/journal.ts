import { fsyncSync, openSync, readFileSync, writeSync } from 'node:fs'
import { clock } from './clock'
import type { Effect } from './model/history'

/** A note of an action. The journal adds the time and the worker. */
export type Note = Omit<Effect, 'at' | 'worker'>

/** Writes notes to disk before the action continues, so that they survive its process and Redis. */
export function journal(path: string, worker: number): (note: Note) => void {
  const file = openSync(path, 'a')
  return function write(note) {
    const effect: Effect = { ...note, at: clock(), worker }
    writeSync(file, `${JSON.stringify(effect)}\n`)
    fsyncSync(file)
  }
}

/** @throws SyntaxError if a line is incomplete, because no effect may be missed */
export function readJournal(path: string): Effect[] {
  const lines = readFileSync(path, 'utf8').split('\n')
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line))
}
