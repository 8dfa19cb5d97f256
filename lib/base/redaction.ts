/** Hides secrets in texts, in each spelling of headers, URLs, JSON and XML. */
export class Redaction {
  readonly #names = new Map<string, string>()

  /** Replaces this secret by a name from now on. */
  hide(secret: string, name: string): void {
    for (const spelling of spellingsOf(secret)) this.#names.set(spelling, name)
  }

  /** All spellings of all secrets. */
  get spellings(): readonly string[] {
    return [...this.#names.keys()]
  }

  /** The text without secrets. */
  redact(text: string): string {
    // A secret can contain a spelling of another one, as the header of client_secret_basic does.
    const longestFirst = [...this.#names].sort(([one], [other]) => other.length - one.length)
    return longestFirst.reduce((left, [spelling, name]) => left.replaceAll(spelling, name), text)
  }
}

/** A shorter part of base64 also occurs by chance. */
const SHORTEST_BASE64 = 8

/** A secret as headers, URLs, JSON and XML spell it. */
export function spellingsOf(secret: string): readonly string[] {
  const inUrl = [encodeURIComponent(secret), new URLSearchParams({ a: secret }).toString().slice(2)]
  const inLowerCase = inUrl.map((text) => text.replace(/%../g, (code) => code.toLowerCase()))
  const base64 = inBase64(secret).filter((text) => text.length >= SHORTEST_BASE64)
  return [...new Set([secret, ...inUrl, ...inLowerCase, ...inJson(secret), ...inXml(secret), ...base64])]
}

/** What servers also escape in JSON: PHP and Python, Go and Rails, Gson, .NET. Some escape slashes too. */
const ESCAPED = [/[^ -~]/g, /[<>&]/g, /[<>&=']/g, /[^ -~]|[<>&'+]/g]

function inJson(secret: string): string[] {
  const json = JSON.stringify(secret).slice(1, -1)
  const escaped = ESCAPED.flatMap((characters) => [
    json.replace(characters, (one) => `\\u${hexOf(one)}`),
    json.replace(characters, (one) => `\\u${hexOf(one).toUpperCase()}`),
  ])
  return [json, ...escaped].flatMap((text) => [text, text.replaceAll('/', '\\/')])
}

function hexOf(character: string): string {
  return character.charCodeAt(0).toString(16).padStart(4, '0')
}

function inXml(secret: string): string[] {
  const escaped = secret.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
  const quotes = [escaped, escaped.replaceAll('"', '&quot;'), escaped.replaceAll('"', '&#34;')]
  return quotes.flatMap((text) => ["'", '&#39;', '&apos;', '&#x27;'].map((one) => text.replaceAll("'", one)))
}

/** In base64, a text has three spellings. The first and last characters depend on what is before and after it. */
function inBase64(secret: string): string[] {
  return [0, 1, 2].flatMap((before) => {
    const padded = Buffer.concat([Buffer.alloc(before), Buffer.from(secret)])
    const inner = (text: string) => text.replace(/=+$/, '').slice(before === 0 ? 0 : before + 1, -1)
    return [inner(padded.toString('base64')), inner(padded.toString('base64url'))]
  })
}
