import type { KeyObject } from 'node:crypto'
import type { Claims } from '../jose/jws.js'
import type { ClientMetadata } from './client.js'

/** How a deployment registers clients. */
export interface RegistrationRules {
  /** How long a registration access token is good, from its issue or from the last update of its client. */
  readonly accessTokenLifetimeSeconds: number
  readonly rotateAccessToken: boolean
  /** How long what an update replaced goes on working, so that an answer may be lost. */
  readonly overlapSeconds: number
  /** 0: a client secret does not expire. */
  readonly clientSecretLifetimeSeconds: number
  /** Whose software statements are trusted: their keys by issuer. */
  readonly softwareStatements: ReadonlyMap<string, readonly StatementKey[]>
  readonly policies: ReadonlyMap<string, RegistrationPolicy>
}

/** A public key of an issuer of software statements. */
export interface StatementKey {
  readonly kid: string | undefined
  readonly key: KeyObject
}

/** What is about to be registered, as a registration policy is shown it: frozen, and without any secret. */
export interface ProposedRegistration {
  readonly operation: 'register' | 'update'
  readonly clientId: string
  /** The client whose key registered it; the policy is its choice, or the deployment's. */
  readonly registeredBy: string
  /** The metadata, validated, with the claims of the software statement in their place. */
  readonly metadata: ClientMetadata
  /** The claims of the software statement, when there is one. */
  readonly softwareStatement?: Claims
  /** What is registered so far, when it is an update. */
  readonly current?: ClientMetadata
}

/** What a registration policy answers: nothing, other metadata to be registered, or why not. */
// biome-ignore lint/suspicious/noConfusingVoidType: a policy that has nothing to say returns nothing.
export type RegistrationVerdict = void | ClientMetadata | { readonly refuse: string }

/**
 * Judges a registration, and every later update of it. If it throws, the answer is a 500 without details, so that a
 * policy that fails lets nothing pass. The event names the class of the error, but not its message.
 */
export type RegistrationPolicy = (
  registration: ProposedRegistration,
) => RegistrationVerdict | Promise<RegistrationVerdict>
