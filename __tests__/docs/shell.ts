import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

/** Runs commands like a reader who pastes them, and stops at the first that fails. */
export async function inShell(
  cwd: string,
  commands: string,
  env: Readonly<Record<string, string>> = {},
): Promise<{ stdout: string }> {
  return promisify(execFile)('sh', ['-ec', commands], { cwd, env: { ...process.env, ...env } })
}

/** A command that repeats another one until it succeeds, and fails after a minute. It must never outlive its test. */
export function untilItSucceeds(command: string): string {
  return `tries=0; until ${command}; do tries=$((tries+1)); [ $tries -lt 300 ]; sleep 0.2; done`
}

/** The answers that commands promise in comments. */
export function commentsIn(commands: string): string[] {
  return [...commands.matchAll(/ # (.+)$/gm)].map(([, answer = '']) => answer)
}

/** An output with these answers, in their order. `...` stands for an omission. */
export function printing(answers: readonly string[]): RegExp {
  if (answers.length === 0) throw new Error('the commands promise nothing')
  return new RegExp(answers.map(asPattern).join('[\\s\\S]*'))
}

function asPattern(text: string): string {
  const literal = text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')
  return literal.replaceAll('\\.\\.\\.', '.*')
}
