import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { ConfigurationError } from './errors.js'

/** What stands where something secret stood. */
export const REDACTED = '[redacted]'

/** A string that does not print: what is inside shows only through `reveal()`. */
export class Secret {
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  reveal(): string {
    return this.#text
  }

  toString(): string {
    return REDACTED
  }

  toJSON(): string {
    return REDACTED
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return REDACTED
  }
}

const HASH = /^hmac-sha256:([\w-]{22}):([\w-]{43})$/

function hashWith(salt: string, secret: string): string {
  return createHmac('sha256', salt).update(secret, 'utf8').digest('base64url')
}

/** In characters. In hex, 24 characters hold 96 random bits. */
const SHORTEST_SECRET = 24

/** What a secret must be, and how to get one. */
export const SECRET_FORM = `at least ${SHORTEST_SECRET} characters (generate one: openssl rand -hex 32)`

/** Whether a client secret is long enough to be random. */
export function isLongEnough(secret: unknown): secret is string {
  return typeof secret === 'string' && secret.length >= SHORTEST_SECRET
}

/**
 * Hashes a client secret for keeping: `hmac-sha256:<salt>:<hash>`, both base64url.
 *
 * The hash is fast on purpose: client secrets are random, not chosen by people (RFC 6749 10.10), and a slow one
 * would let strangers spend the server's time. Generate secrets, for example with `openssl rand -hex 32`.
 *
 * @throws ConfigurationError when the secret has fewer than 24 characters
 */
export function hashSecret(secret: string): string {
  const given: unknown = secret
  if (!isLongEnough(given)) {
    const got = typeof given === 'string' ? `a string of ${given.length} characters` : 'no string'
    throw new ConfigurationError([`secret: expected ${SECRET_FORM}, got ${got}`])
  }
  const salt = randomBytes(16).toString('base64url')
  return `hmac-sha256:${salt}:${hashWith(salt, secret)}`
}

/** Whether `text` is what `hashSecret` makes. */
export function isSecretHash(text: string): boolean {
  return HASH.test(text)
}

const NOBODY = hashSecret(randomBytes(32).toString('base64url'))

/** Compares in constant time. Without a hash (an unknown client) it does the same work and answers no. */
export function secretMatches(presented: Secret, hash: string | undefined): boolean {
  const [, salt = '', expected = ''] = HASH.exec(hash ?? NOBODY) ?? []
  const equal = timingSafeEqual(sha256(hashWith(salt, presented.reveal())), sha256(expected))
  return equal && hash !== undefined
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

/** A new random secret of 256 bits. */
export function randomSecret(): string {
  return randomBytes(32).toString('base64url')
}

/** Takes whatever looks like a JWT, or a registration access token, out of a message that others wrote. */
export function scrub(message: string): string {
  return message.replace(/[\w.-]{24,}/g, (word) => (SECRET_WORD.test(word) ? REDACTED : word))
}

/** Of a JWT the beginning or the three parts, of a registration access token the 256 random bits at its end. */
const SECRET_WORD = /eyJ|\..*\.|\.[\w-]{43}(\.|$)/

/** The words of a text that could be a JWT: three parts, the first beginning as the base64url of `{"` does. */
export function jwtsIn(text: string): readonly string[] {
  // Split, not matched: a pattern with three repetitions takes quadratic time on what a stranger can send.
  return text.split(/[^\w.-]+/).filter((word) => word.startsWith('eyJ') && word.split('.').length === 3)
}

/** The words of a text that could be a registration access token: an id, a dot, and 43 characters. */
export function registrationTokensIn(text: string): readonly string[] {
  return text.split(/[^\w.-]+/).filter((word) => /^[\w-]{1,340}\.[\w-]{43}$/.test(word))
}
