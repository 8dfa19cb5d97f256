import { EnvironmentError, quote } from './environment'

/** What the arguments of the demo say. */
export interface Scale {
  /** How many workers the demo has. */
  readonly workers: number
  /** Whether to print all commands, and the events. */
  readonly printsCommands: boolean
  /** The URL of Redis; `undefined` if one process keeps everything in memory. */
  readonly redis: string | undefined
}

const DEFAULT_REDIS = 'redis://127.0.0.1:6379'
const MAX_WORKERS = 64
const USAGE =
  'expected --commands, --workers NUMBER or --redis URL; all other settings are environment variables'

/**
 * Reads `--commands`, `--workers`, and `--redis` or `DEMO_REDIS`. Several workers need a Redis; by default, the one on
 * this machine.
 *
 * @throws EnvironmentError
 */
export function readScale(arguments_: readonly string[], env: NodeJS.ProcessEnv): Scale {
  const given = new Map<string, string>()
  const rest = arguments_
    .filter((argument) => argument !== '--commands')
    .flatMap((argument) => argument.split(/(?<=^--\w+)=/))
  for (let i = 0; i < rest.length; i += 2) {
    const [name = '', value] = rest.slice(i, i + 2)
    if (name !== '--workers' && name !== '--redis')
      throw new EnvironmentError(`unexpected argument ${quote(name)}; ${USAGE}`)
    if (value === undefined || given.has(name))
      throw new EnvironmentError(`${name}: expected one value, got ${value === undefined ? 'none' : 'two'}`)
    given.set(name, value)
  }
  const workers = readWorkers(given.get('--workers'))
  const redis = readRedis('--redis', given.get('--redis')) ?? readRedis('DEMO_REDIS', env.DEMO_REDIS)
  const printsCommands = arguments_.includes('--commands')
  return { workers, printsCommands, redis: redis ?? (workers > 1 ? DEFAULT_REDIS : undefined) }
}

function readWorkers(text = '1'): number {
  const workers = /^\d{1,2}$/.test(text) ? Number(text) : 0
  if (workers >= 1 && workers <= MAX_WORKERS) return workers
  throw new EnvironmentError(`--workers: expected a number from 1 to ${MAX_WORKERS}, got ${quote(text)}`)
}

function readRedis(name: string, text: string | undefined): string | undefined {
  if (text === undefined || text === '') return undefined
  // The value can contain a password, so the message does not repeat it.
  if (!URL.canParse(text) || !/^rediss?:$/.test(new URL(text).protocol))
    throw new EnvironmentError(`${name}: expected a URL such as ${DEFAULT_REDIS}, got another value`)
  if (name.startsWith('--') && new URL(text).password !== '')
    throw new EnvironmentError(
      `${name}: other users can see this password in the process list; set DEMO_REDIS instead`,
    )
  return text
}

/** The URL without user name and password. */
export function printableRedis(url: string): string {
  const { protocol, host } = new URL(url)
  return `${protocol}//${host}`
}
