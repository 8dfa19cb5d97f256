import { StringDecoder } from 'node:string_decoder'

/** A secret that was found, such as `the provisioning key (in base64) in stdout`. */
export type Leak = string

/** One spelling of a secret. */
interface Needle {
  readonly name: string
  readonly text: string
}

/**
 * Private keys in PEM (RFC 7468), and the private member of a JWK (RFC 7518 6.2.2 and 6.3.2), in the form of `plainForm()`.
 * That of RSA with 4096 bits has 683 characters.
 */
const PRIVATE_KEYS = [/\+{5}BEGIN[A-Z]*PRIVATEKEY\+{5}/, /(?<!\w)d["']?:["'][\w+/]{42,700}["']/]
/** The longest match of these patterns. */
const LONGEST_PATTERN = 710

/** Looks for secrets in texts, in all common encodings. Secrets can be added at any time. */
export class SecretSearch {
  readonly #needles: Needle[] = []
  readonly #known = new Set<string>()
  readonly #leaks = new Set<Leak>()

  /** @param secret a text without white space. Of a JWT, the signature is enough: without it, the JWT has no use. */
  add(name: string, secret: string): void {
    const text = secret.split('.').at(-1) ?? ''
    if (text.length < 16 || this.#known.has(text)) return
    this.#known.add(text)
    for (const [spelling, spelled] of spellingsOf(text))
      this.#needles.push({ name: name + spelling, text: plainForm(spelled) })
  }

  /** All secrets that were found. */
  get leaks(): readonly Leak[] {
    return [...this.#leaks]
  }

  /** Looks in a whole text. */
  look(text: string, place: string): void {
    this.#note(this.find(text), place)
  }

  /** The secrets in a text, such as `the client secret`. */
  find(text: string): readonly string[] {
    return this.#findIn(plainForm(text))
  }

  /** A function that looks in a text of any length, piece by piece. Secrets can be in two pieces. */
  stream(place: string): (chunk: Buffer) => void {
    const decoder = new StringDecoder('utf8')
    let end = ''
    return (chunk) => {
      const window = end + plainForm(decoder.write(chunk))
      this.#note(this.#findIn(window), place)
      end = window.slice(-this.#longest)
    }
  }

  get #longest(): number {
    return Math.max(LONGEST_PATTERN, ...this.#needles.map(({ text }) => text.length))
  }

  #note(found: readonly string[], place: string): void {
    for (const one of found) this.#leaks.add(`${one} in ${place}`)
  }

  #findIn(window: string): readonly string[] {
    const found = this.#needles.filter(({ text }) => window.includes(text)).map(({ name }) => name)
    return PRIVATE_KEYS.some((pattern) => pattern.test(window)) ? [...found, 'a private key'] : found
  }
}

/** A text without line breaks, escapes and the difference between base64 and base64url. */
function plainForm(text: string): string {
  return text
    .replace(/[\s%\\]+/g, '')
    .replaceAll('-', '+')
    .replaceAll('_', '/')
}

function spellingsOf(text: string): [spelling: string, spelled: string][] {
  const hex = Buffer.from(text).toString('hex')
  const base64 = [0, 1, 2].map((offset) => innerBase64(text, offset))
  return [
    ['', text],
    [' (in hex)', hex],
    [' (in hex)', hex.toUpperCase()],
    ...base64.flatMap((one): [string, string][] => [
      [' (in base64)', one],
      [' (in base64)', encodeURIComponent(one)],
    ]),
  ]
}

/** The characters of the base64 of a text that are the same whatever precedes and follows the text. */
function innerBase64(text: string, offset: number): string {
  const bytes = Buffer.concat([Buffer.alloc(offset), Buffer.from(text)])
  return bytes.toString('base64').slice(Math.ceil((offset * 8) / 6), Math.floor((bytes.length * 8) / 6))
}
