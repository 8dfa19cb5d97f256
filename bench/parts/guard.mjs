/** Bounds 1 to 3: what the guard of a route costs, against the signature that it cannot avoid. */
import {
  createHmac,
  createPublicKey,
  createSecretKey,
  generateKeyPairSync,
  randomBytes,
  timingSafeEqual,
  verify,
} from 'node:crypto'
import { deploy } from '../deployment.mjs'
import { dpopProof } from '../dpop-proof.mjs'
import { alternate, line, ratios, timed } from '../measure.mjs'
import { ORIGIN } from '../our-keys.mjs'

/** V8 compiles some of the code only after about 10,000 requests. */
const ROUNDS = { rounds: 41, warmUp: 400 }
const ALL_ROUNDS = ROUNDS.rounds + ROUNDS.warmUp
/** Requests in a round. */
const COUNT = 25
/** The guard remembers fewer keys, so it verifies the signature of each key of the warm-up each time. */
const WARM_UP_KEYS = 3_000

export async function run() {
  return [
    ...(await freshKeys('ES256', { most: 1.12 })),
    ...(await freshKeys('HS256', { most: 2.6 })),
    ...(await freshKeys('RS256', { most: 1.45 })),
    ...(await repeatedKey()),
    ...(await dpop()),
  ]
}

/** Each request presents a key that this process has not seen. */
async function freshKeys(algorithm, bound) {
  const [signingKeys, verifyBare] = signer(algorithm)
  const deployment = await deploy({ signingKeys })
  const forWarmUp = await times(WARM_UP_KEYS, () => deployment.issue())
  const tokens = Array.from({ length: ROUNDS.warmUp * COUNT }, (_, i) => forWarmUp[i % WARM_UP_KEYS])
  tokens.push(...(await times(ROUNDS.rounds * COUNT, () => deployment.issue())))
  const guard = deployment.keys.requireProvisioningKey({ scope: 'read' })
  const costs = await alternate(ROUNDS, {
    guard: guardRounds(deployment, guard, tokens, bearer),
    bare: timed(COUNT, (i) => verifyBare(tokens[i])),
  })
  deployment.close()
  return [
    line(`guard, new key, ${algorithm} / signature check only`, 'x', ratios(costs.guard, costs.bare), bound),
    line(`guard, new key, ${algorithm}`, 'us', costs.guard),
  ]
}

async function repeatedKey() {
  const deployment = await deploy({ signingKeys: PAIRS.ES256().privateKey })
  const token = await deployment.issue()
  const tokens = Array.from({ length: ALL_ROUNDS * 200 }, () => token)
  const guard = deployment.keys.requireProvisioningKey({ scope: 'read' })
  const costs = await alternate(ROUNDS, { guard: guardRounds(deployment, guard, tokens, bearer, 200) })
  deployment.close()
  return [line('guard, repeated key, ES256', 'us', costs.guard, { most: 7 })]
}

/** Each request has a new proof, with the same key. */
async function dpop() {
  const deployment = await deploy({ signingKeys: PAIRS.ES256().privateKey })
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const token = await deployment.issue(pair)
  const claims = { method: 'GET', url: `${ORIGIN}/telemetry`, token }
  const proofs = Array.from({ length: ALL_ROUNDS * COUNT }, () => dpopProof(pair, 'ES256', claims))
  const guard = deployment.keys.requireProvisioningKey({ scope: 'read' })
  const withProof = (proof) => ({ Authorization: `DPoP ${token}`, DPoP: proof })
  const costs = await alternate(ROUNDS, {
    guard: guardRounds(deployment, guard, proofs, withProof),
    bare: timed(COUNT, (i) => verifyProof(proofs[i])),
  })
  deployment.close()
  return [
    line('guard, repeated key with DPoP / check of one proof only', 'x', ratios(costs.guard, costs.bare), {
      most: 1.15,
    }),
  ]
}

/** What every server must do for a proof: import the key in its header, and verify its signature with that key. */
function verifyProof(proof) {
  const { jwk } = JSON.parse(Buffer.from(proof.slice(0, proof.indexOf('.')), 'base64url'))
  isSigned(proof, createPublicKey({ key: jwk, format: 'jwk' }))
}

/** Rounds of a guard. Requests are made before each round, because they are not the guard's work. */
export function guardRounds(deployment, guard, texts, headersOf, count = COUNT) {
  let begin = 0
  return async () => {
    const exchanges = texts.slice(begin, begin + count).map((one) => deployment.exchange(headersOf(one)))
    begin += count
    const before = deployment.events()
    const cost = await timed(count, (i) => passes(guard, exchanges[i]))()
    if (deployment.events() - before !== count) throw new Error('a request was refused')
    return cost
  }
}

function passes(guard, { req, res }) {
  return new Promise((resolve) => guard(req, res, resolve))
}

export const bearer = (token) => ({ Authorization: `Bearer ${token}` })

/** A signing key, and the bare verification of a token that it has signed. */
function signer(algorithm) {
  if (algorithm === 'HS256') {
    const secret = createSecretKey(randomBytes(32))
    return [secret, (token) => isAuthenticated(token, secret)]
  }
  const { publicKey, privateKey } = PAIRS[algorithm]()
  return [privateKey, (token) => isSigned(token, publicKey)]
}

const PAIRS = {
  ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  RS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
}

function isSigned(token, key) {
  const end = token.lastIndexOf('.')
  const signature = Buffer.from(token.slice(end + 1), 'base64url')
  const data = Buffer.from(token.slice(0, end))
  if (!verify('sha256', data, { key, dsaEncoding: 'ieee-p1363' }, signature)) throw new Error('not signed')
}

function isAuthenticated(token, secret) {
  const end = token.lastIndexOf('.')
  const expected = createHmac('sha256', secret).update(token.slice(0, end)).digest()
  if (!timingSafeEqual(expected, Buffer.from(token.slice(end + 1), 'base64url')))
    throw new Error('not signed')
}

async function times(count, act) {
  const results = []
  while (results.length < count) results.push(await act())
  return results
}
