import { execFile } from 'node:child_process'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { promisify } from 'node:util'

/** Runs commands like a reader who pastes them, and stops at the first that fails. */
export async function inShell(
  cwd: string,
  commands: string,
  env: Readonly<Record<string, string>> = {},
): Promise<{ stdout: string }> {
  return promisify(execFile)('sh', ['-ec', commands], { cwd, env: { ...process.env, ...env } })
}

export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** The answers that the commands promise in comments, in their order. `...` stands for an omission. */
export function promisedBy(commands: string): RegExp {
  const answers = [...commands.matchAll(/ # (.+)$/gm)].map(([, answer = '']) => asPattern(answer))
  if (answers.length === 0) throw new Error('the commands promise nothing')
  return new RegExp(answers.join('[\\s\\S]*'))
}

function asPattern(text: string): string {
  const literal = text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')
  return literal.replaceAll('\\.\\.\\.', '.*')
}
