#!/usr/bin/env node
import { Interruption } from './command.js'
import { runCommand } from './commands.js'
import { Report } from './report.js'
import { codeOfSignal } from './run-program.js'

const SIGNALS: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM']

async function main(): Promise<void> {
  const { stdout, stderr } = process
  // The reader of a pipe may have gone.
  for (const stream of [stdout, stderr]) stream.on('error', () => undefined)
  const controller = new AbortController()
  // A second signal ends the process immediately.
  for (const signal of SIGNALS) process.once(signal, () => controller.abort(new Interruption(signal)))
  const ending = await runCommand(process.argv.slice(2), {
    report: new Report((line) => stderr.write(line), stderr.isTTY === true),
    signal: controller.signal,
    print: (text) => new Promise((resolve) => stdout.write(text, () => resolve())),
  })
  if (typeof ending === 'number') process.exit(ending)
  if (!SIGNALS.includes(ending)) process.exit(codeOfSignal(ending))
  // A process that ends by the signal itself tells shells and systemd that it was stopped, and did not fail.
  process.removeAllListeners(ending)
  process.kill(process.pid, ending)
}

void main()
