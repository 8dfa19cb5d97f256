import { parseNetwork } from '../../base/network.js'
import { flag, type Reader, texts, whole } from '../../base/schema.js'
import type { ConfigurationDescription, DescribedClient } from '../../options/description.js'
import type { PolicyOptions } from '../../ports/policy-options.js'

/**
 * How serious a deviation is. An error fails the command `review`.
 *
 * @example
 * const levels: readonly PolicySeverity[] = ['warning', 'error']
 */
export type PolicySeverity = 'error' | 'warning'

/**
 * The parameters of rules. Each rule accepts only its own.
 *
 * @example
 * const parameters: PolicyParameters = { maxSeconds: 300 }
 */
export interface PolicyParameters {
  /**
   * The longest time, in seconds. Default: as the documentation of the rule says.
   * @example 300
   */
  readonly maxSeconds?: number
  /**
   * The longest time, in days. Default: as the documentation of the rule says.
   * @example 90
   */
  readonly maxDays?: number
  /**
   * The greatest number. Default: as the documentation of the rule says.
   * @example 50
   */
  readonly most?: number
  /**
   * The accepted values. Default: as the documentation of the rule says.
   * @example ['dpop']
   */
  readonly allowed?: readonly string[]
  /**
   * The networks that contain all others, in CIDR notation. Default: none.
   * @example ['10.0.0.0/8']
   */
  readonly within?: readonly string[]
  /**
   * Whether an unknown value is a deviation. Default `false`.
   * @example true
   */
  readonly mustBeKnown?: boolean
}

/** How each parameter is read, and its JSON Schema. */
export const PARAMETERS: {
  readonly [P in keyof PolicyParameters]-?: {
    readonly read: Reader<PolicyParameters[P]>
    readonly schema: object
  }
} = {
  maxSeconds: {
    read: whole(1, 86_400, ' seconds'),
    schema: { type: 'integer', minimum: 1, maximum: 86_400 },
  },
  maxDays: { read: whole(1, 3650, ' days'), schema: { type: 'integer', minimum: 1, maximum: 3650 } },
  most: { read: whole(1, 1_000_000), schema: { type: 'integer', minimum: 1, maximum: 1_000_000 } },
  allowed: {
    read: texts('a text', (one) => one !== ''),
    schema: { type: 'array', items: { type: 'string', minLength: 1 } },
  },
  within: {
    read: texts('a network in CIDR notation', (one) => parseNetwork(one) !== undefined),
    schema: { type: 'array', items: { type: 'string', pattern: '^[0-9A-Fa-f.:]+/[0-9]{1,3}$' } },
  },
  mustBeKnown: { read: flag, schema: { type: 'boolean' } },
}

/** A part of a configuration that a rule does not accept. */
export interface FoundDeviation {
  readonly path: string
  readonly actual: string
  readonly expected: string
  /** The line in the file of the configuration, if it is known. */
  readonly line?: number
}

/** What rules look at. */
export interface Reviewed {
  readonly description: ConfigurationDescription
  /** The text of the file of the configuration, if there is one. */
  readonly source?: string
  /** Milliseconds since the epoch. */
  readonly now: number
}

/** What rules about the deployment look at: a configuration, and the names of clients in each class of the policy. */
export interface ReviewedDeployment extends Reviewed {
  readonly classes: readonly { readonly clients: readonly string[] }[]
}

type Given = Required<PolicyParameters>

/** A rule of a security policy. */
export interface PolicyRule {
  readonly id: string
  readonly group: string
  /** What is true if the rule is kept. */
  readonly title: string
  readonly clause?: string
  /** The path of the option that the rule is about. */
  readonly option: string
  /** What is wrong with a deviation. */
  readonly why: string
  readonly fix: string
  /** The default severity. `off`: a policy must switch the rule on. */
  readonly severity: PolicySeverity | 'off'
  /** The parameters that the rule accepts, with their defaults. Default: none. */
  readonly parameters?: PolicyParameters
  /** Why the rule does not apply to a configuration. `undefined`: it applies. */
  readonly notFor?: (description: ConfigurationDescription) => string | undefined
  /** Finds deviations of the deployment. */
  readonly find?: (reviewed: ReviewedDeployment, parameters: Given) => readonly FoundDeviation[]
  /** Finds deviations of one client. Classes of clients can have their own settings of such a rule. */
  readonly findIn?: (
    client: DescribedClient,
    parameters: Given,
    reviewed: Reviewed,
  ) => readonly FoundDeviation[]
}

/** The path of the option that gives a client a member of its policy. The policy of the deployment can be this option. */
export function optionOf({ path, inherited }: DescribedClient, name: keyof PolicyOptions): string {
  return `${inherited.includes(name) ? 'policy' : path}.${name}`
}

/** The path of the client to which a policy belongs. */
export function clientPath(path: string): string {
  return path.replace(/\.policy$/, '')
}

/** Whether an entry of a class is the id of a client, or a prefix of it with `*`. */
export function matchesClient(entry: string, { clientId }: DescribedClient): boolean {
  return entry.endsWith('*') ? clientId?.startsWith(entry.slice(0, -1)) === true : clientId === entry
}

/** Why a rule about Redis does not apply. */
export function withoutRedis({ store }: ConfigurationDescription): string | undefined {
  return store.kind === 'redis' ? undefined : 'the store is not redisStore()'
}

/** Why a rule about the clients in a list does not apply. */
export function withoutList({ clients }: ConfigurationDescription): string | undefined {
  return clients.some(({ clientId }) => clientId !== undefined) ? undefined : 'the clients are not in a list'
}

/** One deviation if a condition is true, and none otherwise. */
export function deviationIf(
  isDeviation: boolean,
  path: string,
  { actual, expected }: Pick<FoundDeviation, 'actual' | 'expected'>,
): readonly FoundDeviation[] {
  return isDeviation ? [{ path, actual, expected }] : []
}

/** A deviation if a number is greater than it may be. */
export function beyond(
  path: string,
  [actual, most]: readonly [actual: number, most: number],
  unit = '',
): readonly FoundDeviation[] {
  return deviationIf(actual > most, path, { actual: `${actual}${unit}`, expected: `at most ${most}${unit}` })
}
