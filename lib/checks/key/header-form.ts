/** What is wrong with the value of a header, and how to write it. */
export interface HeaderFault {
  readonly actual: string
  readonly fix: string
}

const PLAIN = 'Write the header as Authorization: Bearer <key>, or DPoP <key>.'

/** The first pattern that fits is the most specific one. */
const FAULTS: readonly (HeaderFault & { readonly pattern: RegExp })[] = [
  {
    pattern: /^(\w+ +)?["']?(undefined|null|\[object Object\]|\$\{?\w+\}?|<[\w -]+>|\{\{.*\}\})["']?$/,
    actual: 'it has a placeholder or the name of a variable in place of a key',
    fix: 'Put the value of the variable into the header. In a shell, use double quotes: "Authorization: Bearer $KEY".',
  },
  {
    pattern: /\n/,
    actual: 'it has a line break',
    fix: 'Write the key in one line. A terminal or an editor has added the line break; base64 -w0 adds none.',
  },
  {
    pattern: /["'\u2018\u2019\u201c\u201d]/,
    actual: 'it has quotes',
    fix: 'Remove the quotes. If the key comes from JSON, read it with a JSON parser or with jq -r.',
  },
  {
    pattern: /%[0-9a-f]{2}/i,
    actual: 'it is percent-encoded',
    fix: 'Send the key as the issuer wrote it. Only parameters of a URL or of a form are percent-encoded.',
  },
  {
    pattern: /^(bearer|dpop) +(bearer|dpop)\b/i,
    actual: 'it has two schemes',
    fix: 'Write the scheme once. The variable contains the scheme already.',
  },
  {
    pattern: /^["']?eyJ/,
    actual: 'it has a key without a scheme',
    fix: `The word Bearer is missing. ${PLAIN}`,
  },
  {
    pattern: /^(bearer|dpop)$/i,
    actual: 'it has a scheme without a key',
    fix: 'Add the key. If it comes from a variable, the variable is empty.',
  },
  {
    pattern: /^(bearer|dpop)[:=,;]/i,
    actual: 'it has a punctuation mark after the scheme',
    fix: `Write one space after the scheme, and nothing else. ${PLAIN}`,
  },
  {
    pattern: /^(bearer|dpop)\s+\S+\s+\S/i,
    actual: 'it has spaces in the key, or a text after it',
    fix: 'Remove all spaces from the key, and all text after it.',
  },
  {
    pattern: /^(bearer|dpop)[^ ]\S*/i,
    actual: 'it has no space after the scheme',
    fix: `Write one space after the scheme. ${PLAIN}`,
  },
]

/** Schemes that clients use by mistake. Any other word could be a secret, so it is not shown. */
const OTHER_SCHEME = /^(token|jwt|key|apikey|api-key|oauth|basic|digest|negotiate)\b/i

/** Describes a header value that is not `Bearer <key>` or `DPoP <key>`. */
export function faultOfHeader(value: string): HeaderFault {
  const encoded = faultOfEncoding(value)
  if (encoded !== undefined) return encoded
  const known = FAULTS.find(({ pattern }) => pattern.test(value))
  if (known !== undefined) return { actual: known.actual, fix: known.fix }
  const [scheme] = OTHER_SCHEME.exec(value) ?? []
  const actual = scheme === undefined ? 'it has an unknown scheme' : `its scheme is ${scheme}`
  return { actual, fix: `The scheme must be Bearer or DPoP. ${PLAIN}` }
}

/** The fault if a key is encoded in base64 once more. Such a header has the right form. */
export function faultOfEncoding(value: string): HeaderFault | undefined {
  if (!/^(bearer |dpop |basic |authorization|eyJ)/i.test(decoded(value))) return undefined
  return {
    actual: 'it is the base64 of a key or of a whole header',
    fix: 'Send the key as the issuer wrote it: it is base64url already, with two dots.',
  }
}

/** The text in the last word of a header, if that is base64 without a dot. */
function decoded(value: string): string {
  const word = value.split(/\s+/).at(-1) ?? ''
  return /^[\w+/-]{16,}={0,2}$/.test(word) ? Buffer.from(word, 'base64').toString('latin1') : ''
}

/** Twice as long as the longest key, so that the search takes no time to speak of. */
const MOST_CHARACTERS = 16_384
const KEY = /eyJ[\w-]*\.[\w-]*\.[\w-]+/

/** The key in a faulty header, so that its other faults can be explained too. */
export function keyIn(value: string): string | undefined {
  const plain = value.slice(0, MOST_CHARACTERS).replace(/%[0-9a-f]{2}/gi, percentDecoded)
  // A line break is inside of the key, but a space ends it.
  const joined = plain.includes('\n')
    ? plain.replace(/^(bearer|dpop|token)\b/i, '').replace(/\s+/g, '')
    : plain
  for (const text of [decoded(value), joined]) {
    const [key] = KEY.exec(text) ?? []
    if (key !== undefined) return key
  }
  return undefined
}

function percentDecoded(octet: string): string {
  return String.fromCharCode(Number.parseInt(octet.slice(1), 16))
}
