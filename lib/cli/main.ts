#!/usr/bin/env node
import { styleText } from 'node:util'
import { systemCode } from '../base/system-code.js'
import type { Screen } from '../checks/report/terminal.js'
import { Interruption, SIGNALS } from './command.js'
import { runCommand } from './commands.js'
import { Report } from './report.js'
import { OutputError } from './result.js'
import { codeOfSignal } from './run-program.js'

async function main(): Promise<void> {
  const { stdout, stderr } = process
  // The reader of a pipe may have gone.
  for (const stream of [stdout, stderr]) stream.on('error', () => undefined)
  const controller = new AbortController()
  // A second signal ends the process immediately, unless the program of `--exec` runs.
  for (const signal of SIGNALS) process.once(signal, () => controller.abort(new Interruption(signal)))
  const ending = await runCommand(process.argv.slice(2), {
    report: new Report((line) => stderr.write(line), stderr.isTTY === true),
    signal: controller.signal,
    screen: screenOf(stdout),
    isTerminal: stdout.isTTY === true,
    print: (text) => printOn(stdout, text),
  })
  if (typeof ending === 'number') process.exit(ending)
  if (!SIGNALS.includes(ending)) process.exit(codeOfSignal(ending))
  // A process that ends by the signal itself tells shells and systemd that it was stopped, and did not fail.
  process.removeAllListeners(ending)
  process.kill(process.pid, ending)
}

/** @throws OutputError if the text is lost, for example on a full disk; not if nobody reads it any more */
function printOn(stream: NodeJS.WriteStream, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(text, (error) => {
      const isLost = error instanceof Error && systemCode(error) !== 'EPIPE'
      if (isLost) reject(new OutputError('the standard output', error))
      else resolve()
    })
  })
}

/** A pipe has 80 columns. Colours follow NO_COLOR and FORCE_COLOR. */
function screenOf(stream: NodeJS.WriteStream): Screen {
  const hasColours = styleText('red', 'x', { stream }) !== 'x'
  return { columns: stream.isTTY ? Math.max(40, Math.min(stream.columns, 100)) : 80, hasColours }
}

void main()
