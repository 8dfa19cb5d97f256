import type { KeyObject } from 'node:crypto'
import type { Claims } from '../jose/jws.js'
import type { ClientMetadata } from './client.js'

/** How a deployment registers clients. */
export interface RegistrationRules {
  /** The lifetime of a registration access token, from its issue or from the last update of its client. */
  readonly accessTokenLifetimeSeconds: number
  readonly rotateAccessToken: boolean
  /** How long a replaced secret or token keeps working, in case the answer with the new one is lost. */
  readonly overlapSeconds: number
  /** 0: a client secret does not expire. */
  readonly clientSecretLifetimeSeconds: number
  /** The trusted issuers of software statements, and their keys. */
  readonly softwareStatements: ReadonlyMap<string, readonly StatementKey[]>
  readonly policies: ReadonlyMap<string, RegistrationPolicy>
}

/** A public key of an issuer of software statements. */
export interface StatementKey {
  readonly kid: string | undefined
  readonly key: KeyObject
  /** The only algorithm of the key, if its JWK names one. */
  readonly alg?: unknown
}

/**
 * A registration, as a registration policy sees it: frozen, and without any secret.
 *
 * @example
 * function isFirst({ operation, registeredBy }: ProposedRegistration): boolean {
 *   return operation === 'register' && registeredBy === 'fleet'
 * }
 */
export interface ProposedRegistration {
  readonly operation: 'register' | 'update'
  readonly clientId: string
  /** The client whose key registered it; the policy comes from that client, or from the deployment. */
  readonly registeredBy: string
  /** The validated metadata, in which the claims of the software statement win. */
  readonly metadata: ClientMetadata
  /** The claims of the software statement, if there is one. */
  readonly softwareStatement?: Claims
  /** For an update, the metadata that are registered so far. */
  readonly current?: ClientMetadata
}

/**
 * The answer of a registration policy: nothing, other metadata, or a refusal. The client is told the text of a refusal.
 *
 * @example
 * const verdict: RegistrationVerdict = { refuse: 'Send a client_name.' }
 */
// biome-ignore lint/suspicious/noConfusingVoidType: a policy that has nothing to say returns nothing.
export type RegistrationVerdict = void | ClientMetadata | { readonly refuse: string }

/**
 * Validates a registration, and every later update of it. If it throws, or does not answer within 10 seconds, the answer is
 * a 500 without details, so that a failing policy lets nothing pass. The event names the class of the error, but not its
 * message.
 *
 * @example
 * const named: RegistrationPolicy = ({ metadata }) => {
 *   if (metadata.client_name === undefined) return { refuse: 'Send a client_name.' }
 * }
 */
export type RegistrationPolicy = (
  registration: ProposedRegistration,
) => RegistrationVerdict | Promise<RegistrationVerdict>
