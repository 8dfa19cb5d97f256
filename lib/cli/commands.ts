import { ConfigurationError } from '../base/errors.js'
import { closest } from '../base/faults.js'
import { wrap } from '../checks/report/terminal.js'
import { oneLine, ProvisionError } from '../client/failure.js'
import { ownArguments, readArguments, UsageError } from './arguments.js'
import { type Command, type Ending, EXIT, Interruption, type Surroundings } from './command.js'
import { packageVersion } from './package.js'
import { usageErrorOf } from './provision-options.js'
import type { ReportedError } from './report.js'
import { OutputError } from './result.js'
import { ProgramError } from './run-program.js'

const PROGRAM = 'express-provisioning-keys'
/** The width of most terminals. */
const HELP_WIDTH = 80

/** A command and its module, which is loaded when somebody calls it. A device that calls `provision` loads no server. */
interface CommandEntry {
  /** What the command does, in one sentence without an end. */
  readonly summary: string
  load(): Promise<Command>
}

/** All commands. A new one needs only its entry here. */
export const COMMANDS: Readonly<Record<string, CommandEntry>> = {
  provision: {
    summary: 'get a provisioning key and redeem it: run this on each device',
    load: async () => (await import('./provision.js')).PROVISION,
  },
  check: {
    summary: 'test a deployment from outside, with a test client',
    load: async () => (await import('./check.js')).CHECK,
  },
  'check-client': {
    summary: 'test a client in any language with an issuer that has faults',
    load: async () => (await import('./check-client.js')).CHECK_CLIENT,
  },
  explain: {
    summary: 'explain why a key, an access token or a request is refused',
    load: async () => (await import('./explain.js')).EXPLAIN,
  },
  review: {
    summary: 'compare a configuration with a security policy',
    load: async () => (await import('./review.js')).REVIEW,
  },
  keygen: {
    summary: 'generate a signing key, or the secret of a client with its hash',
    load: async () => (await import('./keygen.js')).KEYGEN,
  },
  init: {
    summary: 'write a small complete app into an empty folder',
    load: async () => (await import('./init.js')).INIT,
  },
}

/** Runs the command that the arguments name, and reports its errors. */
export async function runCommand(arguments_: readonly string[], surroundings: Surroundings): Promise<Ending> {
  try {
    return await dispatch(arguments_, surroundings)
  } catch (error) {
    const { signal } = surroundings
    const { ending, ...reported } = describe(signal.aborted ? signal.reason : error)
    const isContinued = reported.code === 'interrupted' && (await commandOf(arguments_))?.isResumable
    const more = isContinued ? ' The next call continues.' : helpFor(reported, arguments_)
    surroundings.report.error({ ...reported, message: `${reported.message}${more}` })
    return ending
  }
}

/** Names the help of a command if the command line lacks a part, and a proxy that nobody uses. */
function helpFor({ code, message }: ReportedError, arguments_: readonly string[]): string {
  const [name = ''] = arguments_
  if (code === 'issuer_unreachable') return unusedProxy(arguments_)
  return code === 'usage' && message.endsWith(', got nothing') ? `; see ${name} --help` : ''
}

/** By default, Node ignores the proxy of the environment. Those who set the variable do not expect this. */
function unusedProxy(arguments_: readonly string[]): string {
  const name = ['HTTPS_PROXY', 'https_proxy'].find((one) => process.env[one])
  if (name === undefined) return ''
  if (arguments_.some((one) => one.startsWith('--ca-sha256')))
    return ` With --ca-sha256, the command does not use ${name}.`
  const dispatchers = ['undici.globalDispatcher.1', 'undici.globalDispatcher.2']
  const isUsed = dispatchers.some((one) =>
    /Proxy/.test(Reflect.get(globalThis, Symbol.for(one))?.constructor.name),
  )
  return isUsed ? '' : ` Node ignores ${name}: set NODE_USE_ENV_PROXY=1 (Node 22.21 or 24).`
}

async function commandOf([name = '']: readonly string[]): Promise<Command | undefined> {
  return Object.hasOwn(COMMANDS, name) ? COMMANDS[name]?.load() : undefined
}

async function dispatch(arguments_: readonly string[], surroundings: Surroundings): Promise<Ending> {
  const [name = '', ...rest] = arguments_
  if (name === 'help') return dispatch([...rest.slice(0, 1), '--help'], surroundings)
  const command = await commandOf(arguments_)
  const own = command === undefined ? arguments_ : ownArguments(command, rest)
  if (own.includes('--help') || own.includes('-h'))
    return print(command === undefined ? overview() : helpOf(name, command), surroundings)
  if (own.includes('--version')) return print(`${packageVersion()}\n`, surroundings)
  if (command === undefined) throw unknownCommand(name)
  return command.run(readArguments(command, rest), surroundings)
}

function unknownCommand(name: string): UsageError {
  const known = Object.keys(COMMANDS)
  const near = closest(name, known)
  const hint = near === undefined ? 'see --help' : `did you mean ${near}?`
  return new UsageError(
    `expected a command (${known.join(', ')}), got ${name === '' ? 'nothing' : 'another one'}; ${hint}`,
  )
}

async function print(text: string, { print }: Surroundings): Promise<Ending> {
  await print(text)
  return EXIT.done
}

function overview(): string {
  const lines = Object.entries(COMMANDS).map(([name, { summary }]) => `  ${name.padEnd(14)}${summary}`)
  const more = `Options of a command: ${PROGRAM} COMMAND --help\nVersion: ${PROGRAM} --version`
  return `Usage: ${PROGRAM} COMMAND [OPTIONS]\n\nCommands:\n${lines.join('\n')}\n\n${more}\n`
}

/** How to call a command. */
export function usageOf(name: string, { operand, programAfter }: Command): string {
  const program = programAfter === '--' ? ['-- COMMAND...'] : []
  return [PROGRAM, name, ...(operand === undefined ? [] : [operand]), '[OPTIONS]', ...program].join(' ')
}

function helpOf(name: string, command: Command): string {
  const { options, notes } = command
  const forms = Object.entries(options).map(
    ([option, { value = '', about }]) => [`--${option} ${value}`, about] as const,
  )
  const width = Math.max(22, ...forms.map(([form]) => form.length + 1))
  const lines = forms.map(([form, about]) => `  ${form.padEnd(width)}${about}`)
  const title = wrap(`${PROGRAM} ${name}: ${COMMANDS[name]?.summary}.`, { width: HELP_WIDTH }).join('\n')
  return `${title}\n\nUsage: ${usageOf(name, command)}\n\n${lines.join('\n')}\n\n${notes}\n`
}

function describe(error: unknown): ReportedError & { readonly ending: Ending } {
  if (error instanceof ConfigurationError) return describe(usageErrorOf(error))
  const message = oneLine(error)
  if (error instanceof UsageError) return { code: 'usage', message, ending: EXIT.usage }
  if (error instanceof Interruption) return { code: 'interrupted', message, ending: error.signal }
  if (error instanceof OutputError)
    return { code: 'output_not_written', message, blame: 'you', isTransient: true, ending: EXIT.transient }
  if (error instanceof ProgramError) return { code: 'exec_failed', message, ending: error.exitCode }
  if (error instanceof ProvisionError) {
    const { code, blame, isTransient, retryAfterSeconds } = error
    const ending = isTransient ? EXIT.transient : EXIT.final
    // The command line has said it in its own terms.
    const ours = error.cause instanceof UsageError ? oneLine(error.cause) : error.message
    return { code, message: ours, blame, isTransient, retryAfterSeconds, ending }
  }
  return { code: 'failed', message, blame: 'you', isTransient: false, ending: EXIT.final }
}
