import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto'

/** The longest outcome that is kept, in bytes. */
export const MAX_OUTCOME_BYTES = 65_536

const VERSION = 1
const NONCE_BYTES = 12
const TAG_BYTES = 16

/**
 * Encrypts the answer to a redemption. Only the same key with the same request can decrypt it: AES-256-GCM
 * (NIST SP 800-38D) under a key that HKDF-SHA-256 (RFC 5869) derives from the provisioning key itself. The server does
 * not keep the provisioning key, so the entry in the store is useless without it. The digest of the request goes into
 * the derivation, so that another request opens nothing.
 */
export class OutcomeCipher {
  readonly #token: string

  /** @param token the provisioning key, as presented */
  constructor(token: string) {
    this.#token = token
  }

  /** Recognises a repeated request. It reveals nothing of the request to a reader of the store. */
  mark(request: string): string {
    return Buffer.from(this.#derive('request', request)).toString('base64url')
  }

  seal(outcome: Buffer, request: string): string {
    const nonce = randomBytes(NONCE_BYTES)
    const cipher = createCipheriv('aes-256-gcm', this.#derive('outcome', request), nonce)
    const sealed = Buffer.concat([cipher.update(outcome), cipher.final()])
    return Buffer.concat([Buffer.of(VERSION), nonce, cipher.getAuthTag(), sealed]).toString('base64url')
  }

  /** `undefined` when it was sealed for another request, or was altered. */
  open(text: string, request: string): Buffer | undefined {
    const bytes = Buffer.from(text, 'base64url')
    const start = 1 + NONCE_BYTES + TAG_BYTES
    if (bytes.length < start || bytes[0] !== VERSION) return undefined
    const key = this.#derive('outcome', request)
    const nonce = bytes.subarray(1, 1 + NONCE_BYTES)
    const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES })
    decipher.setAuthTag(bytes.subarray(1 + NONCE_BYTES, start))
    try {
      return Buffer.concat([decipher.update(bytes.subarray(start)), decipher.final()])
    } catch {
      return undefined
    }
  }

  #derive(purpose: 'outcome' | 'request', request: string): Uint8Array {
    const info = `express-provisioning-keys ${purpose} ${VERSION}\0${request}`
    return new Uint8Array(hkdfSync('sha256', canonical(this.#token), '', info, 32))
  }
}

/** One signature has several spellings in base64url, because its last character has unused bits (RFC 4648 3.5). */
function canonical(token: string): string {
  const end = token.lastIndexOf('.')
  return token.slice(0, end + 1) + Buffer.from(token.slice(end + 1), 'base64url').toString('base64url')
}

/** The digest of a request with a body of the client; `undefined` if JSON cannot write it, such as a too deep one. */
export function bodyDigest(action: string, body: unknown): string | undefined {
  try {
    return requestDigest(action, body)
  } catch {
    return undefined
  }
}

/** The digest of a request. It recognizes a repetition. */
export function requestDigest(...parts: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url')
}
