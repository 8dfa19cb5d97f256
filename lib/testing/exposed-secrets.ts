import { AssertionError } from 'node:assert'
import { spellingsOf } from '../base/redaction.js'
import { jwtsIn, registrationTokensIn } from '../base/secret.js'
import { parseJws } from '../jose/jws.js'
import { textsIn } from './captured-texts.js'

/**
 * Options of `expectNoKeyIn()`.
 *
 * @example
 * const options: ExposureOptions = { secrets: ['the-secret-of-the-tests-1'] }
 */
export interface ExposureOptions {
  /**
   * Secrets with another form than a key, such as a client secret: at least 8 characters each. Parts of 20 characters
   * count too. Default: none.
   * @example ['the-secret-of-the-tests-1']
   */
  readonly secrets?: readonly string[]
}

const SHORTEST_SECRET = 8
const MOST_PLACES = 5

/**
 * Checks that captured values contain no key, no token and no secret. It searches strings, buffers, arrays, errors, and
 * every object that they lead to. `testKit().expectNoKeyIn()` also knows the secrets of its kit.
 *
 * @throws AssertionError with the kind and the place of each secret, but not the secret
 * @throws TypeError if one of `secrets` is shorter than 8 characters
 *
 * @example
 * const lines: string[] = []
 * keys.on('*', (event) => lines.push(JSON.stringify(event)))
 * expectNoKeyIn(lines, { secrets: ['the-secret-of-the-tests-1'] })
 */
export function expectNoKeyIn(captured: unknown, options: ExposureOptions = {}): void {
  const message = exposureIn(captured, options)
  if (message !== undefined) throw new AssertionError({ message, stackStartFn: expectNoKeyIn })
}

/** The kinds and places of secrets in captured values, as a message; `undefined` if there are none. */
export function exposureIn(captured: unknown, { secrets = [] }: ExposureOptions): string | undefined {
  if (secrets.some((secret) => secret.length < SHORTEST_SECRET))
    throw new TypeError(`secrets: expected at least ${SHORTEST_SECRET} characters each`)
  const finders = secrets.flatMap(spellingsOf).map(finderOf)
  const found = new Set<string>()
  for (const { place, text } of textsIn(captured))
    for (const kind of kindsIn(text, finders)) found.add(`${place} contains ${kind}`)
  if (found.size === 0) return undefined
  const places = [...found].slice(0, MOST_PLACES).map((line) => `\n  ${line}`)
  const more = found.size > MOST_PLACES ? `\n  and ${found.size - MOST_PLACES} more` : ''
  return `Expected no key, token or secret:${places.join('')}${more}\nLog the key_id instead of the key.`
}

/** The kinds of secrets in a text. */
function kindsIn(text: string, finders: readonly Finder[]): ReadonlySet<string> {
  const jwts = jwtsIn(text).flatMap(kindOfJwt)
  const registrations = registrationTokensIn(text).map(() => 'a registration access token')
  const isKnown = finders.some((find) => find(text) !== undefined)
  const parts = isKnown && jwts.length === 0 ? ['a secret of this test, or 20 characters of it'] : []
  return new Set([...jwts, ...registrations, ...parts])
}

const KINDS: Readonly<Record<string, string>> = {
  'provisioning-key+jwt': 'a provisioning key',
  'at+jwt': 'an access token',
  'dpop+jwt': 'a DPoP proof',
  'client-authentication+jwt': 'a client assertion',
}

function kindOfJwt(text: string): readonly string[] {
  const jws = parseJws(text)
  if (typeof jws === 'string') return []
  const { jti } = jws.claims ?? {}
  const kind = KINDS[String(jws.header['typ']).toLowerCase()] ?? 'a JWT'
  // The id is what events contain too. Anybody can write any text into another JWT.
  const isId = typeof jti === 'string' && /^[\w-]{27}$/.test(jti)
  return [isId && kind === 'a provisioning key' ? `${kind} (key_id ${jti})` : kind]
}

const TELLING_LENGTH = 20

/** Finds the place of a secret in a text. */
type Finder = (text: string) => number | undefined

/**
 * Finds where a text contains 20 successive characters of a secret, or a shorter secret. All JWTs of one server begin in
 * the same way, so the beginning does not count.
 */
export function finderOf(secret: string): Finder {
  const own = ownPartOf(secret)
  const length = Math.min(TELLING_LENGTH, own.length)
  // Each window of 20 characters contains one of these pieces, so there are few pieces to search for.
  const blocks = own.match(new RegExp(`.{${length >> 1}}`, 'gs')) ?? []
  return (text) => {
    if (!blocks.some((block) => text.includes(block))) return undefined
    for (let i = 0; i + length <= own.length; i++) {
      const place = text.indexOf(own.slice(i, i + length))
      if (place !== -1) return place
    }
    return undefined
  }
}

const SHARED_CHARACTERS = 140

/** The header and the first claims are the same in all keys. The rest differs, so it counts as secret. */
function ownPartOf(secret: string): string {
  const [, payload, signature, ...others] = secret.startsWith('eyJ') ? secret.split('.') : []
  if (payload === undefined || signature === undefined || others.length > 0) return secret
  return `${payload.slice(SHARED_CHARACTERS)}.${signature}`
}
