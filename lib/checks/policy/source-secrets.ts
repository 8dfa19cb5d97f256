import type { FoundDeviation } from './rule.js'

/** The texts in a program that look like secrets. A shorter literal is a name, such as that of a variable. */
const SECRETS: readonly { readonly pattern: RegExp; readonly what: string }[] = [
  { pattern: /-----BEGIN [A-Z ]*PRIVATE KEY-----/g, what: 'a private key in PEM' },
  { pattern: /["']?\bd["']?\s*:\s*["'`][\w-]{20,}["'`]/g, what: 'the private part of a JWK' },
  { pattern: /["']?\bk["']?\s*:\s*["'`][\w-]{20,}["'`]/g, what: 'a symmetric key in a JWK' },
  {
    // Also a default, as in `process.env.SECRET ?? 'a-secret'`.
    pattern:
      /\b(clientSecret|nonceSecret|secret|password)\b["']?\s*[:=]\s*(?:[\w.]+\s*(?:\?\?|\|\|)\s*)?["'`][^"'`$\n]{16,}["'`]/gi,
    what: 'a secret',
  },
  { pattern: /\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}/g, what: 'a token' },
  { pattern: /\b\w+:\/\/[^\s:@/"'`]*:[^\s@/"'`$]+@/g, what: 'a password in a URL' },
]

/** Finds the secrets in the text of a program. A deviation names the line, and never the secret. */
export function secretsIn(source: string): readonly FoundDeviation[] {
  const lines = source.split('\n')
  return lines.flatMap((text, index) => {
    const line = index + 1
    const found = SECRETS.filter(({ pattern }) => text.slice(0, 4096).search(pattern) !== -1)
    return found.map(({ what }) => ({ path: `line ${line}`, actual: what, expected: 'no secret', line }))
  })
}
