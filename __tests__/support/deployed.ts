import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { ProvisioningError, type Reason } from '../../lib/base/errors.js'
import type { PresentedRequest } from '../../lib/base/request.js'
import {
  type AuthenticatedClient,
  authenticateClient,
} from '../../lib/clients/authentication/authenticate.js'
import { parseOptions } from '../../lib/options/options.js'
import type { ProvisioningOptions } from '../../lib/options/provisioning-options.js'
import type { Deployment, VerifyingDeployment } from '../../lib/ports/deployment.js'
import type { ProvisioningEvent } from '../../lib/ports/events.js'
import type { RedemptionAction } from '../../lib/ports/redemption.js'
import type { KeyState, ProvisioningStore } from '../../lib/ports/store.js'
import type { Target } from '../../lib/possession/target.js'
import type { Verified } from '../../lib/redemption/key-state.js'
import { OutcomeCipher } from '../../lib/redemption/outcome.js'
import type { Reservation } from '../../lib/redemption/reservation.js'
import { reserve } from '../../lib/redemption/reserve.js'
import { authorizeKey, recognizeKey } from '../../lib/redemption/verification.js'
import { memoryStore } from '../../lib/stores/memory/memory.js'
import { type IssuedKey, issueKey as issueWith, type KeyRequest } from '../../lib/tokens/issuance.js'
import { verifyGenuine } from '../../lib/tokens/issued-token.js'
import type { Presentation } from '../../lib/tokens/presentation.js'
import { PROVISIONING_KEY, type VerifiedKey, verifiedKey } from '../../lib/tokens/provisioning-key.js'

export const ISSUER = 'https://auth.example.com'
export const AUDIENCE = 'https://api.example.com'
export const OTHER_AUDIENCE = 'https://other.example.com/things'
export const CLIENT = 'ci-runner'
export const SECRET = 'correct-horse-battery-staple'

/** The initial time of the clock of a deployment, as a NumericDate. */
export const START = 1_700_000_000

/** The signing key of all deployments in a test file. With it, tests forge tokens that have a valid signature. */
export const SIGNING_KEY: KeyObject = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey

/** Valid options, with a client whose policy allows all that tests need. */
export function workingOptions(overrides: Partial<ProvisioningOptions> = {}): ProvisioningOptions {
  return {
    issuer: ISSUER,
    audience: [AUDIENCE, OTHER_AUDIENCE],
    signingKeys: SIGNING_KEY,
    policy: { scopes: ['provision:token', 'provision:bind', 'provision:register', 'devices:read'] },
    clients: [
      {
        clientId: CLIENT,
        clientSecret: SECRET,
        policy: { defaultScopes: ['provision:token', 'devices:read'], subjects: ['device:*', 'gateway-1'] },
      },
      { clientId: 'bystander', clientSecret: SECRET, policy: { scopes: ['devices:read'] } },
    ],
    ...overrides,
  }
}

/** A deployment as `provisioningKeys()` makes it, with a clock that tests can set, and all events. */
export interface Deployed {
  readonly deployment: Deployment
  readonly clock: { seconds: number }
  readonly events: ProvisioningEvent[]
}

export function deployed(
  overrides: Partial<ProvisioningOptions> = {},
  clock: Deployed['clock'] = { seconds: START },
): Deployed {
  const now = () => clock.seconds * 1000
  const events: ProvisioningEvent[] = []
  const observer = (event: ProvisioningEvent) => events.push(event)
  const store = memoryStore({ now })
  return {
    deployment: parseOptions(workingOptions({ now, observer, store, ...overrides })).deployment,
    clock,
    events,
  }
}

/** A request without credentials, changed by `presented`. */
export function request(presented: Partial<PresentedRequest> = {}): PresentedRequest {
  return {
    authorization: [],
    queryNames: [],
    tokenInBody: false,
    method: 'POST',
    dpop: [],
    certificate: undefined,
    address: '192.0.2.1',
    ...presented,
  }
}

export function parameters(given: Record<string, string> = {}): ReadonlyMap<string, string> {
  return new Map(Object.entries(given))
}

/** The endpoint that the requests of the tests call, as a DPoP proof names it. */
export const TARGET: Target = { method: 'POST', url: `${ISSUER}/oauth/token` }

/** A request for a key, without a proof. `given` are its form parameters. */
export function keyRequest(given: Record<string, string> = {}): KeyRequest {
  return { parameters: parameters(given), presented: request(), target: TARGET }
}

/** Verifies a key as an endpoint does: presented as Bearer, with the scope that the endpoint requires. */
export function verifyBearerKey(
  { deployment }: Pick<Deployed, 'deployment'>,
  key: string,
  ...scope: string[]
): Promise<Verified> {
  const expected = { audiences: deployment.audiences, scope, target: TARGET }
  return verifyKey(deployment, {
    credential: { token: key, scheme: 'Bearer' },
    presented: request(),
    expected,
  })
}

/** A verified key in the given state. */
export function verifiedIn(state: KeyState, key: VerifiedKey, text: string): Verified {
  const nothing = { proof: undefined, certificate: undefined, recheck: async () => undefined }
  return { key, outcomeCipher: new OutcomeCipher(text), state, ...nothing } as unknown as Verified
}

/** Both steps of the verification of a key. */
export async function verifyKey(
  deployment: VerifyingDeployment,
  presentation: Presentation,
): Promise<Verified> {
  return authorizeKey(await recognizeKey(deployment, presentation), presentation.expected)
}

/** Reserves a key without an owner, so that nobody can get the outcome again. */
export async function reserveKey(
  { deployment }: Pick<Deployed, 'deployment'>,
  key: VerifiedKey,
  action: RedemptionAction = 'route',
  address?: string,
): Promise<Reservation> {
  const verified = {
    key,
    state: 'issued',
    outcomeCipher: new OutcomeCipher('a.b.c'),
    proof: undefined,
  } as const
  const request = { action, source: { address }, digest: undefined }
  const redemption = await reserve(deployment, verified, request)
  if (redemption.kind !== 'reservation') throw new Error('expected a reservation, got a repetition')
  return redemption
}

/** A client that has authenticated with its secret. */
export function authenticated(deployment: Deployment, clientId = CLIENT): Promise<AuthenticatedClient> {
  const credentials = parameters({ client_id: clientId, client_secret: SECRET })
  return authenticateClient(deployment, request(), credentials)
}

/** Issues a key, and verifies it. `asked` are the form parameters of the request. */
export async function issueKey(
  { deployment }: Pick<Deployed, 'deployment'>,
  asked: Record<string, string> = {},
  clientId = CLIENT,
): Promise<IssuedKey & { readonly verified: VerifiedKey }> {
  const client = await authenticated(deployment, clientId)
  const issued = await issueWith(deployment, client, keyRequest(asked))
  const claims = verifyGenuine(deployment, PROVISIONING_KEY, issued.key)
  return { ...issued, verified: verifiedKey(claims) }
}

/** A memory store with some verbs replaced, for example by one that rejects. */
export function storeBut(verbs: Partial<ProvisioningStore>, now = () => START * 1000): ProvisioningStore {
  return { ...memoryStore({ now }), ...verbs }
}

/** The refusal that `act` rejects with. Fails the test if `act` succeeds. */
export async function refusalOf(act: () => unknown): Promise<ProvisioningError> {
  try {
    await act()
  } catch (error) {
    if (error instanceof ProvisioningError) return error
    throw error
  }
  throw new Error('expected a refusal, but nothing was refused')
}

/** The reason of the refusal that `act` rejects with, or `undefined` if `act` succeeds. */
export async function reasonOf(act: () => unknown): Promise<Reason | undefined> {
  try {
    await act()
    return undefined
  } catch (error) {
    if (error instanceof ProvisioningError) return error.reason
    throw error
  }
}
