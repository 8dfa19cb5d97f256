import { createHash } from 'node:crypto'
import type { Overheard } from './overheard.js'

/** So many successive characters of a secret count as a disclosure. */
const PART_CHARACTERS = 24
const PART_BYTES = 12

/** One form in which a secret can appear, in latin1: one character for each byte. */
interface Form {
  readonly name: string
  readonly text: string
  /** Parts of this length are searched for as well. Default: only the whole. */
  readonly part?: number
}

/**
 * The secrets that a text contains: whole or in part, decoded from base64url, in other encodings, and as hashes.
 */
export function disclosures(text: string, { secrets, identifiers }: Overheard): string[] {
  const parts = new Map([PART_CHARACTERS, PART_BYTES].map((length) => [length, windowsOf(text, length)]))
  const isFound = ({ text: form, part }: Form) => {
    if (part === undefined || form.length <= part) return form.length >= PART_BYTES && text.includes(form)
    return [...windowsOf(form, part)].some((window) => parts.get(part)?.has(window))
  }
  return [...secrets].flatMap(([secret, kind]) =>
    formsOf(secret, identifiers)
      .filter(isFound)
      .map(({ name }) => `${kind}: ${name}`),
  )
}

function formsOf(secret: string, identifiers: ReadonlySet<string>): Form[] {
  const segments = secret.split('.').filter((segment) => !identifiers.has(decoded(segment).toString()))
  const hash = createHash('sha256').update(secret).digest()
  return [
    { name: 'itself', text: secret },
    ...segments.map((text) => ({ name: 'a part', text, part: PART_CHARACTERS })),
    ...segments.flatMap((segment) => decodedForms(withoutUserId(decoded(segment)))),
    ...encodings('encoded', Buffer.from(secret)),
    ...encodings('hashed', hash),
    { name: 'hashed', text: hash.toString('latin1') },
  ]
}

/**
 * Basic credentials without the client id. It is not secret, and with the next letters of the secret it can look like the
 * name of a key in Redis: `<client id>:<jti>`.
 */
function withoutUserId(bytes: Buffer): Buffer {
  const [userId] = /^[\w.~-]+:(?=[\x21-\x7e]+$)/.exec(bytes.toString('latin1')) ?? []
  return userId === undefined ? bytes : bytes.subarray(userId.length)
}

function decodedForms(bytes: Buffer): Form[] {
  const json = objectIn(bytes)
  // Single ids, terms and thumbprints of a payload are not secret.
  if (json === undefined)
    return [
      { name: 'a part, decoded', text: bytes.toString('latin1'), part: PART_BYTES },
      ...encodings('a part', bytes),
    ]
  const publicKey = Object.values(json['jwk'] ?? {}).filter((member) => String(member).length > 20)
  return [
    { name: 'decoded', text: bytes.toString('latin1') },
    ...encodings('decoded', bytes),
    ...publicKey.map((member) => ({ name: 'its public key', text: String(member), part: PART_CHARACTERS })),
  ]
}

function encodings(what: string, bytes: Buffer): Form[] {
  return (['hex', 'base64', 'base64url'] as const).map((encoding) => ({
    name: `${what}, ${encoding}`,
    text: bytes.toString(encoding),
    part: PART_CHARACTERS,
  }))
}

function decoded(segment: string): Buffer {
  return Buffer.from(segment, 'base64url')
}

function objectIn(bytes: Buffer): Record<string, object> | undefined {
  try {
    const parsed: unknown = JSON.parse(bytes.toString())
    return typeof parsed === 'object' && parsed !== null ? { ...parsed } : undefined
  } catch {
    return undefined
  }
}

function windowsOf(text: string, length: number): Set<string> {
  const windows = new Set<string>()
  for (let start = 0; start + length <= text.length; start += 1)
    windows.add(text.slice(start, start + length))
  return windows
}
