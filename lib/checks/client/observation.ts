import type { ClientRun } from './client-process.js'
import { contentOf, type Endpoint, type Exchange } from './exchange.js'
import type { Leak } from './secret-search.js'

/** Where the client gets its key: it asks the issuer for one, or its operator gives it one. */
export type Supply = 'client' | 'key'

/** Everything that was seen of a client in one scenario. */
export interface Observation {
  readonly supply: Supply
  /** One for each start of the client. */
  readonly runs: readonly ClientRun[]
  readonly exchanges: readonly Exchange[]
  /** How many exchanges there were before each start. */
  readonly marks: readonly number[]
  /** How often a key pair was bound. */
  readonly bindings: number
  /** The requests that a server of somebody else got. */
  readonly strangerRequests: number
  readonly leaks: readonly Leak[]
  /** The files of the client that others can read. */
  readonly openFiles: readonly string[]
}

/** Sentences about what the client did wrong. */
export type Faults = readonly string[]

/** A client that sends more requests than this does not pause between them. */
const MOST_REQUESTS = 30
/** A timer may end a little early. */
const TIMER_TOLERANCE_MS = 50

/** The exchanges with an endpoint. */
export function exchangesWith(
  { exchanges }: Observation,
  ...endpoints: readonly Endpoint[]
): readonly Exchange[] {
  return exchanges.filter(({ request }) => endpoints.includes(request.endpoint))
}

/** The device is enrolled, once, and the client says so. */
export function mustEnroll(seen: Observation): Faults {
  const { runs, bindings } = seen
  return [
    ...runs.flatMap((run) => (run.exitCode === 0 ? [] : [endOf(run)])),
    ...(bindings === 1
      ? []
      : [bindings === 0 ? 'no key pair was bound' : `${bindings} key pairs were bound`]),
    ...(seen.exchanges.length === 0 ? ['no request arrived'] : []),
    ...mustPause(seen),
  ]
}

/** The client stops with an error, and says why. */
export function mustStop(seen: Observation): Faults {
  return [
    ...seen.runs.flatMap((run) => {
      if (run.exitCode === 0) return ['it ended with exit code 0, as after a success']
      if (run.exitCode === null) return [endOf(run)]
      return run.printed.trim() === '' ? ['it printed no error'] : []
    }),
    ...mustPause(seen),
  ]
}

/** Nobody else can see the secrets of the client. */
export function mustKeepSecrets({ leaks }: Pick<Observation, 'leaks'>): Faults {
  return leaks.map((leak) => `it disclosed ${leak}`)
}

/** Each repetition of a request is the same request with the same key pair and a new proof. */
export function mustRepeat(seen: Observation, endpoint: Endpoint): Faults {
  const requests = exchangesWith(seen, endpoint).map(({ request }) => request)
  const proofs = requests.flatMap(({ proof }) => proof ?? [])
  const isVaried = <T>(all: readonly T[]) => new Set(all).size > 1
  return [
    ...(isVaried(requests.map(({ headers }) => keyIn(headers.authorization)))
      ? ['it used another provisioning key when it tried again']
      : isVaried(requests.map(contentOf))
        ? ['it sent other bytes when it tried again']
        : []),
    ...(isVaried(proofs.map(({ key }) => key)) ? ['it used another proof key when it tried again'] : []),
    ...(new Set(proofs.map(({ jti }) => jti)).size < proofs.length ? ['it sent the same proof twice'] : []),
  ]
}

/** The client tries again after an answer with `Retry-After`, and not before. */
export function mustWait(seen: Observation, endpoint: Endpoint, seconds: number): Faults {
  const [first, second] = exchangesWith(seen, endpoint)
  if (first?.answeredAt === undefined || second === undefined) return []
  const waited = second.request.receivedAt - first.answeredAt
  if (waited >= seconds * 1000 - TIMER_TOLERANCE_MS) return []
  return [`it tried again after ${(waited / 1000).toFixed(1)} seconds, although Retry-After said ${seconds}`]
}

/** The client sends at most so many requests to an endpoint. */
export function atMost(seen: Observation, most: number, endpoint: Endpoint): Faults {
  const { length } = exchangesWith(seen, endpoint)
  return length > most ? [`it sent ${length} requests to ${NAMES[endpoint]}; expected ${most}`] : []
}

/** No key is presented again after the issuer has refused it. */
export function mustNotInsist(seen: Observation): Faults {
  const refused = exchangesWith(seen, 'bind').filter(({ status }) => status === 401 || status === 400)
  const keys = refused.map(({ request }) => keyIn(request.headers.authorization))
  return new Set(keys).size < keys.length ? ['it sent a key again that the issuer had refused'] : []
}

/** How a process ended, in a few words. */
export function endOf({ exitCode, isTimeout, seconds }: ClientRun): string {
  if (isTimeout) return `it did not end within ${Math.floor(seconds)} seconds`
  return exitCode === null ? 'a signal ended it' : `it ended with exit code ${exitCode}`
}

const NAMES: Readonly<Record<Endpoint, string>> = {
  metadata: 'the metadata',
  token: '/oauth/token',
  bind: '/oauth/bind',
  other: 'other paths',
}

function mustPause({ exchanges }: Observation): Faults {
  return exchanges.length > MOST_REQUESTS ? [`it sent ${exchanges.length} requests`] : []
}

function keyIn(authorization: string | undefined): string {
  return authorization?.split(' ')[1] ?? ''
}
