import { plainJson, type Screen } from '../checks/report/terminal.js'
import type { ArgumentForm, Given } from './arguments.js'
import type { Report } from './report.js'

/** What a command needs of the process around it. */
export interface Surroundings {
  readonly report: Report
  /** Is aborted if somebody ends the process. The reason is an `Interruption`. */
  readonly signal: AbortSignal
  /** The terminal or pipe of the result. */
  readonly screen: Screen
  /** Whether people read the result on a terminal. */
  readonly isTerminal: boolean
  /** Prints the result. */
  print(text: string): Promise<void>
}

/** How a command ended: with an exit code, or by a signal, as the program that it ran. */
export type Ending = number | NodeJS.Signals

/** A command of the command line. */
export interface Command extends ArgumentForm {
  /** The text after the list of options. */
  readonly notes: string
  /** Whether the next call continues one that was interrupted. Default `false`. */
  readonly isResumable?: boolean
  run(given: Given, surroundings: Surroundings): Promise<Ending>
}

/** Prints a result: sentences on a terminal, and one JSON object in a pipe. */
export function printResult(
  sentences: readonly string[],
  facts: object,
  { isTerminal, print }: Pick<Surroundings, 'isTerminal' | 'print'>,
): Promise<void> {
  return print(`${isTerminal ? sentences.join('\n') : plainJson(JSON.stringify(facts))}\n`)
}

/** The exit codes of all commands. 75 is EX_TEMPFAIL of sysexits.h: another call can succeed. */
export const EXIT = { done: 0, final: 1, usage: 2, transient: 75 } as const

/** The signals that end a command. SIGHUP comes when somebody closes the terminal. */
export const SIGNALS: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP']

/** The process got a signal. */
export class Interruption extends Error {
  readonly signal: NodeJS.Signals

  constructor(signal: NodeJS.Signals) {
    super(`Ended by ${signal}.`)
    this.signal = signal
  }
}
