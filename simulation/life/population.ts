import { type Actor, actor, secretOf } from '../actor'

/** How many of each kind of client live in a world. */
export interface Population {
  /** Devices behind one NAT, each with one key a day. */
  readonly devices: number
  /** Devices that change between networks. */
  readonly roaming: number
  readonly ciClients: number
  /** Programs that ask for keys for other devices. */
  readonly orchestrators: number
  /** Clients that work day and night, but not at weekends. */
  readonly weekdayClients: number
  /** Clients with an old key in a unit file. */
  readonly oldKeys: number
}

export const WEEK_OF_1000: Population = {
  devices: 1_000,
  roaming: 100,
  ciClients: 20,
  orchestrators: 5,
  weekdayClients: 3,
  oldKeys: 3,
}

/** Enough to hide an attack in. */
export const SMALL: Population = {
  devices: 200,
  roaming: 20,
  ciClients: 6,
  orchestrators: 2,
  weekdayClients: 1,
  oldKeys: 1,
}

const PREFIXES = {
  devices: 'device',
  roaming: 'phone',
  ciClients: 'ci',
  orchestrators: 'orchestrator',
  weekdayClients: 'weekday',
  oldKeys: 'unit',
} as const

/** The client that a health check uses. */
export const HEALTH_CHECK = 'health-check'

export function clientIds(population: Population, kind: keyof Population): string[] {
  return Array.from({ length: population[kind] }, (_, i) => `${PREFIXES[kind]}-${i}`)
}

/** All clients of normal life. */
export function clientsOf(population: Population) {
  const kinds = Object.keys(PREFIXES) as (keyof Population)[]
  const ids = [...kinds.flatMap((kind) => clientIds(population, kind)), HEALTH_CHECK]
  return ids.map((clientId) => client(clientId))
}

/** The configuration of a client. */
export function client(clientId: string, policy: object = {}) {
  return { clientId, clientSecret: secretOf(clientId), policy: { subjects: ['device:*'], ...policy } }
}

/** The same client with another address. */
export function moved(given: Actor, address: string): Actor {
  return actor({ ...given, address })
}
