import { createHmac } from 'node:crypto'
import { type Check, CheckEnd, type Finding, PASSED, skipped } from '../check.js'
import type { Deployment, IssuedKey } from './deployment.js'
import type { Exchange } from './exchange.js'
import { noteRedeemed, type Place, present, proven, verificationPlace } from './places.js'
import { type DecodedToken, encodePart, importKey, type Members, makeToken, newPair } from './tokens.js'

const group = 'Forgeries'
const EXPECTED = 'a refusal: status 400 or 401, or active: false'

/** A trick that needs no signing key, and the tokens that it makes of a genuine key. */
interface Forgery {
  readonly id: string
  readonly title: string
  readonly clause: string
  readonly fix: string
  readonly needs?: readonly string[]
  forge(token: DecodedToken, deployment: Deployment): readonly string[]
}

const FORGERIES: readonly Forgery[] = [
  {
    id: 'forgery-alg-none',
    title: 'a key without a signature is refused (alg none)',
    clause: 'RFC 8725 3.1, RFC 8725 3.2',
    fix: 'Verify with the algorithm of the signing key, whatever the header of the key says.',
    forge: ({ header, claims, parts: [, , signature] }) =>
      ['none', 'None', 'NONE'].flatMap((alg) => {
        const input = `${encodePart({ ...header, alg })}.${encodePart(claims)}.`
        return [input, input + signature]
      }),
  },
  {
    id: 'forgery-hs256',
    title: 'a key that is signed with the public key as a secret is refused',
    clause: 'RFC 8725 3.1',
    fix: 'Verify with the algorithm of the signing key, whatever the header of the key says.',
    needs: ['key-accepted', 'jwks-served'],
    forge: ({ header, claims }, { jwks }) =>
      secretsOf(jwks).map((secret) => {
        const signInput = (input: Buffer) => createHmac('sha256', secret).update(input).digest()
        return makeToken({ header: { ...header, alg: 'HS256' }, claims }, signInput)
      }),
  },
  {
    id: 'forgery-signature',
    title: 'a key with another signature, or with none, is refused',
    clause: 'RFC 7515 5.2',
    fix: 'Verify the signature of each key.',
    forge({ header, claims, parts: [head, payload, signature] }) {
      const bytes = Buffer.from(signature, 'base64url')
      const changed = Buffer.from(bytes)
      changed[0] = (changed[0] ?? 0) ^ 1
      const zeros = Buffer.alloc(bytes.length)
      const others = [changed, zeros, bytes.subarray(0, -1)].map((one) => one.toString('base64url'))
      const foreign = makeToken({ header: { ...header, alg: 'ES256' }, claims }, newPair().sign)
      return [
        ...others.map((one) => `${head}.${payload}.${one}`),
        `${head}.${payload}.`,
        `${head}.${payload}`,
        foreign,
      ]
    },
  },
  {
    id: 'forgery-claims',
    title: 'a key with changed claims is refused',
    clause: 'RFC 7515 5.2',
    fix: 'Verify the signature before you read the claims.',
    forge: ({ claims, parts: [head, , signature] }) =>
      [
        { sub: 'check.invalid-admin' },
        { exp: Number(claims['exp']) + 86_400 },
        { scope: `${claims['scope']} admin` },
      ].map((change) => `${head}.${encodePart({ ...claims, ...change })}.${signature}`),
  },
  {
    id: 'forgery-embedded-jwk',
    title: 'a key that brings its own public key is refused (jwk, jku, x5u)',
    clause: 'RFC 8725 3.10, RFC 7515 4.1.3',
    fix: 'Verify only with the signing keys of the server, and ignore or refuse jwk, jku, x5c and x5u.',
    forge({ header, claims }) {
      const pair = newPair()
      const url = 'https://check.invalid/jwks.json'
      const additions: Members[] = [{ jwk: pair.jwk }, { jku: url }, { x5u: url }]
      return additions.map((addition) =>
        makeToken({ header: { ...header, alg: 'ES256', kid: 'check', ...addition }, claims }, pair.sign),
      )
    },
  },
  {
    id: 'forgery-kid',
    title: 'a key with a strange key id is refused',
    clause: 'RFC 8725 3.10',
    fix: 'Use the kid only to select one of the signing keys of the server.',
    forge({ header, claims }) {
      const empty = (input: Buffer) => createHmac('sha256', '').update(input).digest()
      const names = ['../../../../../../dev/null', "x' UNION SELECT '", '', 'toString', '__proto__']
      const forged = names.map((kid) =>
        makeToken({ header: { ...header, alg: 'HS256', kid }, claims }, empty),
      )
      return [...forged, makeToken({ header: { ...header, kid: undefined }, claims }, newPair().sign)]
    },
  },
  {
    id: 'forgery-crit',
    title: 'a key with an unknown critical extension is refused',
    clause: 'RFC 7515 4.1.11',
    fix: 'Refuse a key with a crit header that you do not understand.',
    forge: ({ header, parts: [, payload, signature] }) => [
      `${encodePart({ ...header, crit: ['check'], check: true })}.${payload}.${signature}`,
    ],
  },
  {
    id: 'forgery-spelling',
    title: 'a second spelling of a key is refused',
    clause: 'RFC 7515 2, RFC 4648 3.5',
    fix: 'Decode base64url strictly: no padding, no spaces, no line ends, no other last character.',
    forge({ parts }) {
      const token = parts.join('.')
      return [`${token}=`, `${token}==`, ` ${token}`, `${token}\n`, `${token}.`, respelled(token)]
    },
  },
]

/** Does the deployment accept a key that it did not issue? */
export const FORGERY_CHECKS: readonly Check<Deployment>[] = [
  {
    id: 'key-accepted',
    group,
    title: 'a genuine key is accepted',
    fix: 'Name a route with --protected-url or --redeem-url that accepts keys of the test client.',
    needs: ['issuance-key'],
    async run(deployment, signal) {
      const key = await deployment.issue({}, signal)
      const place = verificationPlace(deployment, key)
      const exchange = await present(deployment, key.text, { place, pair: key.pair, signal })
      return place.isAccepted(exchange)
        ? PASSED
        : deployment.failed(exchange, `${place.name} accepts the key`)
    },
  },
  ...FORGERIES.map(({ forge, ...texts }) =>
    check(texts, async (deployment, signal) => {
      const { victim, decoded } = await victimOf(deployment, signal)
      return presentAll(deployment, { victim, tokens: forge(decoded, deployment) }, signal)
    }),
  ),
  check(
    {
      id: 'forgery-type',
      title: 'a token of another kind does not pass for a key',
      clause: 'RFC 8725 3.11, RFC 8725 3.12',
      fix: 'Require the typ of a provisioning key.',
    },
    async (deployment, signal) => {
      const { victim, decoded } = await victimOf(deployment, signal)
      const { header, parts } = decoded
      const renamed = ['JWT', 'at+jwt', undefined].map(
        (typ) => `${encodePart({ ...header, typ })}.${parts[1]}.${parts[2]}`,
      )
      // Introspection may also describe access tokens.
      const isForKeys = verificationPlace(deployment, victim).isForKeys
      const others = isForKeys ? deployment.accessTokens : []
      return presentAll(deployment, { victim, tokens: [...renamed, ...others] }, signal)
    },
  ),
  check(
    {
      id: 'forgery-duplicate',
      title: 'a request with two keys is refused',
      clause: 'RFC 6749 3.2, RFC 6750 3.1',
      fix: 'Refuse a request that contains the key twice.',
    },
    checkDuplicate,
  ),
  {
    id: 'wrong-audience',
    group: 'Audience',
    title: 'a route refuses a key for another API',
    clause: 'RFC 8707 2, RFC 8725 3.9',
    fix: 'Set the option audience of each guard.',
    needs: ['key-accepted'],
    run: checkAudience,
  },
  {
    id: 'key-in-query',
    group: 'Audience',
    title: 'a route refuses a key in the URL',
    clause: 'RFC 9700 4.3.2, RFC 6750 5.3',
    fix: 'Read the key from the header Authorization only.',
    needs: ['key-accepted'],
    async run(deployment, signal) {
      const { protectedUrl } = deployment.settings
      if (protectedUrl === undefined) return skipped('there is no route; name one with --protected-url')
      const { text } = await deployment.issue({}, signal)
      const url = new URL(protectedUrl)
      url.searchParams.set('access_token', text)
      const exchange = await deployment.send({ method: 'GET', url: url.href }, signal)
      return exchange.status >= 400 ? PASSED : deployment.failed(exchange, 'status 400')
    },
  },
]

async function checkDuplicate(deployment: Deployment, signal: AbortSignal): Promise<Finding> {
  const { victim } = await victimOf(deployment, signal)
  const place = verificationPlace(deployment, victim)
  const request = proven(deployment, place.request(victim.text), { pair: victim.pair, token: victim.text })
  const header = request.headers?.['Authorization']
  const isInForm = request.form?.some(([, value]) => value === victim.text)
  const doubled = isInForm
    ? {
        ...request,
        form: [...(request.form ?? []), ...(request.form ?? []).filter(([, value]) => value === victim.text)],
      }
    : { ...request, headers: { ...request.headers, Authorization: [String(header), String(header)] } }
  const exchange = await deployment.send(doubled, signal)
  return place.isAccepted(exchange) ? accepted(deployment, { victim, place }, exchange) : PASSED
}

async function checkAudience(deployment: Deployment, signal: AbortSignal): Promise<Finding> {
  const { protectedUrl, otherAudience } = deployment.settings
  if (protectedUrl === undefined || otherAudience === undefined)
    return skipped(
      'there is no route or no second audience; name them with --protected-url and --other-audience',
    )
  const key = await deployment.issue({ form: { resource: otherAudience } }, signal)
  const place = verificationPlace(deployment, key)
  const exchange = await present(deployment, key.text, { place, pair: key.pair, signal })
  return place.isAccepted(exchange) ? deployment.failed(exchange, 'status 401') : PASSED
}

function check(
  texts: Pick<Check<Deployment>, 'id' | 'title' | 'clause' | 'fix' | 'needs'>,
  run: Check<Deployment>['run'],
): Check<Deployment> {
  return { needs: ['key-accepted'], ...texts, group, run }
}

/** The genuine key that forgeries begin with. No check redeems it, unless a forgery is accepted. */
async function victimOf(deployment: Deployment, signal: AbortSignal) {
  deployment.victim ??= await deployment.issue({}, signal)
  const victim = deployment.victim
  if (victim.decoded === undefined) throw new CheckEnd(skipped('the key is no JWT'))
  return { victim, decoded: victim.decoded }
}

interface Attack {
  readonly victim: IssuedKey
  readonly tokens: readonly string[]
}

async function presentAll(
  deployment: Deployment,
  { victim, tokens }: Attack,
  signal: AbortSignal,
): Promise<Finding> {
  const place = verificationPlace(deployment, victim)
  for (const token of tokens) {
    // A header cannot contain a line end, and spaces around its value have no meaning (RFC 9110 5.5).
    if (token === victim.text || (place.request(token).form === undefined && /\s/.test(token))) continue
    deployment.hide(token, '$KEY')
    const exchange = await present(deployment, token, { place, pair: victim.pair, signal })
    if (place.isAccepted(exchange)) return accepted(deployment, { victim, place }, exchange)
    if (exchange.status >= 500) return deployment.failed(exchange, EXPECTED)
  }
  return PASSED
}

/** The genuine key may be redeemed now. A later check would then replay it. */
function accepted(
  deployment: Deployment,
  { victim, place }: { readonly victim: IssuedKey; readonly place: Place },
  exchange: Exchange,
): Finding {
  deployment.victim = undefined
  if (place.redeems) noteRedeemed(deployment, victim.text, exchange)
  return deployment.failed(exchange, EXPECTED)
}

/** The public keys in the forms that a careless server may use as a secret. */
function secretsOf(jwks: readonly Members[]): readonly string[] {
  return jwks.flatMap((jwk) => {
    const pem = String(importKey(jwk)?.export({ format: 'pem', type: 'spki' }) ?? '')
    return pem === '' ? [] : [pem, pem.trim(), JSON.stringify(jwk)]
  })
}

/** The token with another last character, which decodes to the same bytes. */
function respelled(token: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const last = alphabet.indexOf(token.slice(-1))
  return token.slice(0, -1) + alphabet[last ^ 1]
}
