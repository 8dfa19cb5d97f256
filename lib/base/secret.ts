import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { ConfigurationError } from './errors.js'

/** Replaces a secret in logs and messages. */
export const REDACTED = '[redacted]'

/** A string that logs, templates and JSON cannot show. Only `reveal()` returns the text. */
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

function hashWith(salt: string, secret: string): Buffer {
  return createHmac('sha256', salt).update(secret, 'utf8').digest()
}

/** In characters: 24 hexadecimal digits are 96 random bits. */
export const SHORTEST_SECRET = 24

/** What error messages expect of a secret. */
export const SECRET_FORM = `at least ${SHORTEST_SECRET} characters (generate one: openssl rand -hex 32)`

/** Whether a client secret is long enough. A shorter one is not random enough for the fast hash. */
export function isLongEnough(secret: unknown): secret is string {
  return typeof secret === 'string' && secret.length >= SHORTEST_SECRET
}

/**
 * Hashes a client secret for storage: `hmac-sha256:<salt>:<hash>`, both in base64url.
 *
 * The hash is fast on purpose. Client secrets are random, not chosen by people (RFC 6749 10.10), so a slow hash adds
 * nothing, and strangers could use it to overload the server. Generate secrets with `openssl rand -hex 32`.
 *
 * @throws ConfigurationError if the secret has fewer than 24 characters
 * @example
 * const clients = [{ clientId: 'ci-runner', secretHash: hashSecret(process.env.CI_RUNNER_SECRET ?? '') }]
 */
export function hashSecret(secret: string): string {
  // Callers in JavaScript can pass anything.
  const given: unknown = secret
  if (!isLongEnough(given)) {
    const got = typeof given === 'string' ? `a string of ${given.length} characters` : 'no string'
    throw new ConfigurationError([`secret: expected ${SECRET_FORM}, got ${got}`])
  }
  const salt = randomBytes(16).toString('base64url')
  return `hmac-sha256:${salt}:${hashWith(salt, secret).toString('base64url')}`
}

/** Whether a text has the form of a result of `hashSecret`. */
export function isSecretHash(text: string): boolean {
  return HASH.test(text)
}

/** Stands in for the hash of a client that has none. */
const DECOY = `hmac-sha256:${'A'.repeat(22)}:${'A'.repeat(43)}`

/** Compares in constant time. Without a hash, as for an unknown client, it does the same work and returns `false`. */
export function secretMatches(presented: Secret, hash: string | undefined): boolean {
  const [, salt = '', expected = ''] = HASH.exec(hash ?? DECOY) ?? []
  const [own, other] = [hashWith(salt, presented.reveal()), Buffer.from(expected, 'base64url')]
  return own.length === other.length && timingSafeEqual(own, other) && hash !== undefined
}

/** A new random secret of 256 bits. */
export function randomSecret(): string {
  return randomBytes(32).toString('base64url')
}

/** The `Authorization` of `client_secret_basic`: id and secret are form-encoded (RFC 6749 2.3.1, RFC 7617). */
export function basicAuth(clientId: string, clientSecret: string): string {
  const encode = (text: string) => new URLSearchParams([['', text]]).toString().slice(1)
  return `Basic ${Buffer.from(`${encode(clientId)}:${encode(clientSecret)}`).toString('base64')}`
}

/** Removes whatever looks like a JWT or a registration access token from a message that other code has written. */
export function scrub(message: string): string {
  return message.replace(/[\w.-]{24,}/g, (word) => (SECRET_WORD.test(word) ? REDACTED : word))
}

/** The beginning of a JWT, its three parts, or the 43 characters at the end of a registration access token. */
const SECRET_WORD = /eyJ|\..*\.|\.[\w-]{43}(\.|$)/

/** The words of a text that could be a JWT: three parts, and `{"` in base64url at the beginning. */
export function jwtsIn(text: string): readonly string[] {
  // One pattern for a JWT would have three repetitions, and take quadratic time on a text that a stranger chooses.
  return text.split(/[^\w.-]+/).filter((word) => word.startsWith('eyJ') && word.split('.').length === 3)
}

/** The words of a text that could be a registration access token: an id, a dot, and 43 characters. */
export function registrationTokensIn(text: string): readonly string[] {
  return text.split(/[^\w.-]+/).filter((word) => /^[\w-]{1,340}\.[\w-]{43}$/.test(word))
}
