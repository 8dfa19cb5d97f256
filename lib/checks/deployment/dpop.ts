import { randomUUID } from 'node:crypto'
import { newPair, type ProofPair, type ProofPlan } from '../../testing/forged-token.js'
import { type Check, type CheckDescription, type Finding, inGroup, PASSED, skipped } from '../check.js'
import type { DeploymentUnderTest } from './deployment-under-test.js'
import type { Exchange } from './exchange.js'
import { refused } from './issuance.js'
import { isRefused, NO_ROUTE, present, redemptionPlace, verificationPlace } from './places.js'

const EXPECTED = 'status 400 with invalid_dpop_proof'
const HOUR_SECONDS = 3600

type Changes = Partial<Pick<ProofPlan, 'header' | 'claims' | 'signInput' | 'method' | 'url'>>

/** Wrong proofs, each of which the token endpoint must refuse. */
const MATRIX: readonly (CheckDescription & {
  readonly changes: (deployment: DeploymentUnderTest, pair: ProofPair) => Changes
})[] = [
  {
    id: 'dpop-method',
    title: 'a proof for another HTTP method is refused',
    clause: 'RFC 9449 4.3, 8',
    fix: 'Compare the htm of the proof with the method of the request.',
    changes: () => ({ method: 'GET' }),
  },
  {
    id: 'dpop-url',
    title: 'a proof for another URL is refused',
    clause: 'RFC 9449 4.3, 9',
    fix: 'Compare the htu of the proof with the URL of the endpoint.',
    changes: () => ({ url: 'https://check.invalid/oauth/token' }),
  },
  {
    id: 'dpop-stale',
    title: 'an old proof is refused',
    clause: 'RFC 9449 4.3, 11',
    fix: 'Accept proofs for a minute only, and synchronize the clock of the server.',
    changes: ({ nowSeconds }) => ({ claims: { iat: nowSeconds - HOUR_SECONDS } }),
  },
  {
    id: 'dpop-future',
    title: 'a proof from the future is refused',
    clause: 'RFC 9449 4.3, 11',
    fix: 'Refuse a proof whose iat is more than a few seconds in the future.',
    changes: ({ nowSeconds }) => ({ claims: { iat: nowSeconds + HOUR_SECONDS } }),
  },
  {
    id: 'dpop-type',
    title: 'a proof with a wrong type is refused',
    clause: 'RFC 9449 4.3, 4',
    fix: 'Refuse a proof whose typ is not dpop+jwt.',
    changes: () => ({ header: { typ: 'JWT' } }),
  },
  {
    id: 'dpop-algorithm',
    title: 'a proof without a signature is refused',
    clause: 'RFC 9449 4.3, 5',
    fix: 'Accept only asymmetric algorithms for proofs.',
    changes: () => ({ header: { alg: 'none' }, signInput: () => Buffer.alloc(0) }),
  },
  {
    id: 'dpop-signature',
    title: 'a proof that another private key has signed is refused',
    clause: 'RFC 9449 4.3, 6',
    fix: 'Verify the signature of the proof with the public key (jwk) in the header of the proof.',
    changes: () => ({ signInput: newPair().sign }),
  },
  {
    id: 'dpop-private-key',
    title: 'a proof that contains a private key is refused',
    clause: 'RFC 9449 4.3, 7',
    fix: 'Refuse a proof whose jwk contains a private key.',
    changes: (_, { privateKey }) => ({ header: { jwk: privateKey.export({ format: 'jwk' }) as never } }),
  },
  {
    id: 'dpop-jti',
    title: 'a proof without an id is refused',
    clause: 'RFC 9449 4.3, 3',
    fix: 'Refuse a proof without a jti.',
    changes: () => ({ claims: { jti: undefined } }),
  },
]

/** Is a bound key useless without its private key? */
export const DPOP_CHECKS = inGroup<Check<DeploymentUnderTest>>({ group: 'DPoP', needs: ['dpop-bound'] }, [
  {
    id: 'dpop-bound',
    title: 'a request with a DPoP proof gets a bound key',
    clause: 'RFC 9449 5, RFC 9449 6.1',
    fix: 'Bind each key to the public key in the DPoP proof of the request, and let the proxy forward the header DPoP.',
    needs: ['issuance-key'],
    async run(deployment, signal) {
      if (!('dpop_signing_alg_values_supported' in deployment.metadata))
        return skipped('the metadata have no dpop_signing_alg_values_supported')
      const pair = newPair()
      const { exchange, decoded } = await deployment.issue({ pair }, signal)
      const { token_type: type } = exchange.json
      if (!/^dpop$/i.test(String(type))) return deployment.failed(exchange, 'DPoP', `token_type ${type}`)
      if (decoded === undefined) return PASSED
      const { jkt } = (decoded.claims['cnf'] ?? {}) as { readonly jkt?: unknown }
      return deployment.expect(exchange, jkt === pair.thumbprint, `jkt ${pair.thumbprint}`, `jkt ${jkt}`)
    },
  },
  ...MATRIX.map(({ changes, ...texts }) => ({
    ...texts,
    async run(deployment: DeploymentUnderTest, signal: AbortSignal) {
      const pair = newPair()
      const exchange = await askWith(deployment, [prove(deployment, pair, changes(deployment, pair))], signal)
      return refused(deployment, exchange, EXPECTED)
    },
  })),
  {
    id: 'dpop-duplicate',
    title: 'two proofs in one request are refused',
    clause: 'RFC 9449 4.3, 1',
    fix: 'Refuse a request with more than one header DPoP.',
    async run(deployment, signal) {
      const pair = newPair()
      const proofs = [prove(deployment, pair), prove(deployment, pair)]
      return refused(deployment, await askWith(deployment, proofs, signal), EXPECTED)
    },
  },
  {
    id: 'dpop-replay',
    title: 'a proof works only once',
    clause: 'RFC 9449 11.1',
    fix: 'In a store that all processes share, remember the jti of each proof until the proof is too old.',
    async run(deployment, signal) {
      const proof = prove(deployment, newPair(), { claims: { jti: randomUUID() } })
      const first = await askWith(deployment, [proof], signal)
      if (deployment.keyIn(first) === undefined) return deployment.failed(first, 'status 200 with a key')
      return refused(deployment, await askWith(deployment, [proof], signal), EXPECTED)
    },
  },
  {
    id: 'dpop-possession',
    title: 'a bound key is refused without a proof, and with a proof of another key pair',
    clause: 'RFC 9449 7.1',
    fix: 'Compare the public key in the proof with the claim cnf of the provisioning key.',
    run: (deployment, signal) =>
      checkPossession(deployment, signal, {
        placeOf: redemptionPlace,
        isRoute: deployment.settings.redeemUrl !== undefined,
      }),
  },
  {
    id: 'dpop-route',
    title: 'a route refuses a bound key without a proof, and with a proof of another key pair',
    clause: 'RFC 9449 7.1',
    fix: 'Guard the route with requireProvisioningKey(), which checks the proof of each bound key.',
    run: (deployment, signal) =>
      deployment.settings.protectedUrl === undefined
        ? skipped(NO_ROUTE)
        : checkPossession(deployment, signal, { placeOf: verificationPlace, isRoute: true }),
  },
])

/** A place that accepts keys. A route can accept a bound key as a bearer key. */
interface Guarded {
  readonly placeOf: typeof redemptionPlace
  readonly isRoute: boolean
}

async function checkPossession(
  deployment: DeploymentUnderTest,
  signal: AbortSignal,
  { placeOf, isRoute }: Guarded,
): Promise<Finding> {
  const pair = newPair()
  const key = await deployment.issue({ pair }, signal)
  const place = placeOf(deployment, key)
  const unproven = { ...key, pair: undefined }
  const thefts = [
    { place, key: unproven },
    { place, key: { ...key, pair: newPair() } },
    // A route for bearer keys may ignore the binding.
    ...(isRoute ? [{ place: placeOf(deployment, unproven), key: unproven }] : []),
  ]
  for (const theft of thefts) {
    const exchange = await present(deployment, theft, signal)
    if (!isRefused(place, exchange)) return deployment.failed(exchange, 'status 400')
  }
  const exchange = await present(deployment, { place, key }, signal)
  if (place.isAccepted(exchange)) return PASSED
  if (!(await isUsable(deployment, signal, placeOf))) return skipped(`${place.name} accepts no key`)
  return deployment.failed(exchange, `${place.name} accepts the key with its proof`)
}

/** Whether a place accepts the usual keys of this run. */
async function isUsable(
  deployment: DeploymentUnderTest,
  signal: AbortSignal,
  placeOf: Guarded['placeOf'],
): Promise<boolean> {
  const key = await deployment.issue({}, signal)
  const place = placeOf(deployment, key)
  return place.isAccepted(await present(deployment, { place, key }, signal))
}

function prove(deployment: DeploymentUnderTest, pair: ProofPair, changes: Changes = {}): string {
  const url = deployment.endpoint('token_endpoint')
  return deployment.proof(pair, { method: 'POST', url, ...changes })
}

/** Asks for a key with these proofs. */
function askWith(
  deployment: DeploymentUnderTest,
  proofs: readonly string[],
  signal: AbortSignal,
): Promise<Exchange> {
  return deployment.requestKey({ headers: { DPoP: proofs } }, signal)
}
