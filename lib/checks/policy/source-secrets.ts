import type { FoundDeviation } from './rule.js'

/** A literal that can be a secret. A shorter one is a name, such as that of a variable. */
const LITERAL = /["'`][^"'`$\n]{16,}["'`]/.source
/** A name that ends as those of secrets do, such as `FLEET_SECRET`, but not `secretHash` or `secretFile`. */
const NAME = /\b\w{0,60}(?:secret|password)(?:_?key|_?\d{1,3})?\b["']?\]?/.source
/** What precedes a default, as in `process.env['SECRET'] ?? 'a-secret'`. */
const BEFORE_DEFAULT = /[\w.?[\]'"]{1,100}\s*(?:\?\?|\|\|)\s*/.source

/**
 * The texts in a program that look like secrets. They can be in several lines. Each search takes time in proportion to
 * the length of the text: a repetition has a bound, or can begin at one place only.
 */
const SECRETS: readonly { readonly pattern: RegExp; readonly what: string }[] = [
  { pattern: /-----BEGIN [A-Z ]*PRIVATE KEY-----/g, what: 'a private key in PEM' },
  { pattern: /\bd["']?\s*:\s*["'`][\w-]{20,}["'`]/g, what: 'the private part of a JWK' },
  { pattern: /\bk["']?\s*:\s*["'`][\w-]{20,}["'`]/g, what: 'a symmetric key in a JWK' },
  {
    pattern: new RegExp(
      `(?:${NAME}\\s*(?:[:=]|(?:\\?\\?|\\|\\|)=?)\\s*(?:${BEFORE_DEFAULT})?|\\bhashSecret\\(\\s*)${LITERAL}`,
      'gi',
    ),
    what: 'a secret',
  },
  { pattern: /(?<![\w-])eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}/g, what: 'a token' },
  { pattern: /\b\w+:\/\/[^\s:@/"'`]*:[^\s@/"'`$]+@/g, what: 'a password in a URL' },
]

/** Finds the secrets in the text of a program. A deviation names the line, and never the secret. */
export function secretsIn(source: string): readonly FoundDeviation[] {
  const places = SECRETS.flatMap(({ pattern, what }) =>
    [...source.matchAll(pattern)].map(({ index }) => ({ index, what })),
  ).sort((one, other) => one.index - other.index)
  const found = new Map<string, FoundDeviation>()
  let [line, end] = [1, 0]
  for (const { index, what } of places) {
    line += source.slice(end, index).split('\n').length - 1
    end = index
    found.set(`${line} ${what}`, { path: `line ${line}`, actual: what, expected: 'no secret', line })
  }
  return [...found.values()]
}
