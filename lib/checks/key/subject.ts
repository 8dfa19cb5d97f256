import { BackgroundWork } from '../../base/background.js'
import { unlessRefused } from '../../base/caught-refusal.js'
import type { ProvisioningError } from '../../base/errors.js'
import type { SigningKey, VerificationKeys } from '../../jose/key-ring.js'
import { parseSignedToken, typedClaims } from '../../jose/signed-token.js'
import { dpopRules } from '../../options/dpop.js'
import { isLocalIssuer } from '../../options/local.js'
import { LONGEST_LIFETIME_SECONDS } from '../../options/policy.js'
import type { VerificationRules } from '../../ports/deployment.js'
import type { PresentedCredential } from '../../possession/possession.js'
import { ACCESS_TOKEN } from '../../tokens/access-token.js'
import type { IssuedClaims, IssuedKind } from '../../tokens/issued-token.js'
import { extractKey } from '../../tokens/presentation.js'
import { PROVISIONING_KEY } from '../../tokens/provisioning-key.js'
import { type Check, type CheckDescription, type Finding, failed, skipped } from '../check.js'
import { keyIn } from './header-form.js'
import type { RequestDump } from './request-dump.js'
import type { ServerAnswer } from './server-answer.js'

/** The kind of token that a request should present. */
export type SubjectKind = 'key' | 'access-token'

/** What the deployment expects, as far as the user knows it. */
export interface Expected {
  readonly issuer: string | undefined
  readonly audiences: readonly string[] | undefined
  readonly environment: string | undefined
  /** Whether it is known that the deployment has no environment. */
  readonly hasNoEnvironment: boolean
  readonly scope: readonly string[] | undefined
  /** Whether the signing keys of the issuer are known. */
  readonly hasKeys: boolean
}

/** Everything that the checks of a key work with. */
export interface Subject {
  readonly dump: RequestDump
  /** The answer of the server, if the text has it. */
  readonly answer: ServerAnswer | undefined
  readonly kind: IssuedKind<IssuedClaims>
  readonly credentialName: 'provisioning key' | 'access token'
  readonly expected: Expected
  /** The rules of the guard. Its issuer and audiences are empty texts if they are not known. */
  readonly rules: VerificationRules
}

/** The description of a kind of token. It is the one that the guards use. */
export function kindOf(kind: SubjectKind): Pick<Subject, 'kind' | 'credentialName'> {
  return kind === 'key'
    ? { kind: PROVISIONING_KEY as unknown as IssuedKind<IssuedClaims>, credentialName: 'provisioning key' }
    : { kind: ACCESS_TOKEN as unknown as IssuedKind<IssuedClaims>, credentialName: 'access token' }
}

/** The request and its answer. */
export type Conversation = Pick<Subject, 'dump' | 'answer'>

/** What the user knows about the deployment. */
export interface KnownDeployment extends Pick<Subject, 'kind' | 'credentialName'> {
  readonly issuer?: string
  /** The audience in the metadata of the API. `audiences` replaces it. */
  readonly audience?: string
  readonly audiences?: readonly string[]
  readonly environment?: string | undefined
  readonly hasNoEnvironment?: boolean
  readonly scope?: readonly string[]
  /** The signing keys of the issuer, by their `kid`. */
  readonly keys?: ReadonlyMap<string, SigningKey>
  readonly maxLifetimeSeconds: number
  readonly now: () => number
}

/** Prepares the checks of a key. Unknown expectations stay unknown, and their checks are skipped. */
export function newSubject(conversation: Conversation, known: KnownDeployment): Subject {
  const { kind, credentialName, issuer, audience, environment, scope, keys, maxLifetimeSeconds, now } = known
  const { audiences = audience === undefined ? undefined : [audience] } = known
  const keyRing: VerificationKeys = {
    all: () => [...(keys?.values() ?? [])],
    find: (kid) => (kid === undefined ? undefined : keys?.get(kid)),
  }
  const rules: VerificationRules = {
    issuer: issuer ?? '',
    audiences: audiences ?? [],
    // A local deployment has this name by default.
    environment: environment ?? (isLocalIssuer(issuer) ? 'local' : undefined),
    keyRing,
    maxLifetimeSeconds,
    maxAccessTokenLifetimeSeconds: LONGEST_LIFETIME_SECONDS,
    issueAccessToken: undefined,
    store: { useOnce: async () => 'first' },
    clockToleranceSeconds: 5,
    dpop: dpopRules(undefined, now),
    now,
    emit: () => undefined,
    background: new BackgroundWork(),
  }
  const { hasNoEnvironment = false } = known
  const expected = {
    issuer,
    audiences,
    environment: rules.environment,
    hasNoEnvironment,
    scope,
    hasKeys: keys !== undefined,
  }
  return { ...conversation, kind, credentialName, expected, rules }
}

/** The key as the guard reads it, or the key in a faulty header. `undefined` if there is none. */
export function credentialOf({ dump, credentialName }: Subject): PresentedCredential | undefined {
  const { presented, subjectToken } = dump
  if (subjectToken !== undefined) return { token: subjectToken, scheme: 'body' }
  const credential = unlessRefused(() => extractKey(presented, credentialName))
  if (credential !== undefined) return credential
  const [value = ''] = presented.authorization
  const token = keyIn(value)
  return token === undefined ? undefined : { token, scheme: /^dpop/i.test(value) ? 'DPoP' : 'Bearer' }
}

/** The claims of the key. Their signature is not checked here. `undefined` if they cannot be read. */
export function claimsOf(subject: Subject): IssuedClaims | undefined {
  const { token } = credentialOf(subject) ?? {}
  return unlessRefused(() => typedClaims(parseSignedToken(token, subject.kind), subject.kind))
}

/** A finding for a refusal. Its section of the help page is that of the reason. */
export function findingOf(
  { reason, message }: ProvisioningError,
  facts: Omit<Finding, 'outcome' | 'reason'> = {},
): Finding {
  return failed({ actual: message, section: reason, ...facts })
}

/** A check of the claims. */
export function termCheck(
  info: CheckDescription & { readonly group?: string },
  run: (subject: Subject, claims: IssuedClaims) => Finding,
): Check<Subject> {
  return {
    group: 'Terms',
    needs: ['claims'],
    ...info,
    run(subject) {
      const claims = claimsOf(subject)
      return claims === undefined ? skipped('the claims cannot be read') : run(subject, claims)
    },
  }
}

/** A claim for a report. Anybody can write any text into a token. */
export function shortOf(claim: unknown): string {
  const text = typeof claim === 'string' ? claim : 'none'
  return text.length > 120 ? `${text.slice(0, 120)}...` : text
}
