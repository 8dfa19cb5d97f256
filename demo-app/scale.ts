import { EnvironmentError, quote } from './environment'

/** How many processes the demo is, and where they share what they know. */
export interface Scale {
  readonly workers: number
  /** Where Redis is; `undefined`: everything is in the memory of one process. */
  readonly redis: string | undefined
}

const DEFAULT_REDIS = 'redis://127.0.0.1:6379'
const MOST_WORKERS = 64
const USAGE = 'expected --workers NUMBER and --redis URL, and the rest in the environment'

/**
 * Reads `--workers` and `--redis` or `DEMO_REDIS`. Several workers need a Redis: without any named, the usual one.
 *
 * @throws EnvironmentError
 */
export function readScale(arguments_: readonly string[], env: NodeJS.ProcessEnv): Scale {
  const given = new Map<string, string>()
  const rest = arguments_.flatMap((argument) => argument.split(/(?<=^--\w+)=/))
  for (let i = 0; i < rest.length; i += 2) {
    const [name = '', value] = rest.slice(i, i + 2)
    if (name !== '--workers' && name !== '--redis') throw new EnvironmentError(`${USAGE}, got ${quote(name)}`)
    if (value === undefined || given.has(name))
      throw new EnvironmentError(`${name}: expected one value, got ${value === undefined ? 'none' : 'two'}`)
    given.set(name, value)
  }
  const workers = readWorkers(given.get('--workers'))
  const redis = readRedis('--redis', given.get('--redis')) ?? readRedis('DEMO_REDIS', env.DEMO_REDIS)
  return { workers, redis: redis ?? (workers > 1 ? DEFAULT_REDIS : undefined) }
}

function readWorkers(text = '1'): number {
  const workers = /^\d{1,2}$/.test(text) ? Number(text) : 0
  if (workers >= 1 && workers <= MOST_WORKERS) return workers
  throw new EnvironmentError(`--workers: expected a number from 1 to ${MOST_WORKERS}, got ${quote(text)}`)
}

function readRedis(name: string, text: string | undefined): string | undefined {
  if (text === undefined || text === '') return undefined
  // What it says may be a password: it is not repeated.
  if (!URL.canParse(text) || !/^rediss?:$/.test(new URL(text).protocol))
    throw new EnvironmentError(`${name}: expected a URL such as ${DEFAULT_REDIS}, got something else`)
  if (name.startsWith('--') && new URL(text).password !== '')
    throw new EnvironmentError(`${name}: a password here is shown to everybody by ps; put it into DEMO_REDIS`)
  return text
}

/** The URL without the password in it. */
export function printableRedis(url: string): string {
  const { protocol, host } = new URL(url)
  return `${protocol}//${host}`
}
