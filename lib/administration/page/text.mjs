import { element } from './dom.mjs'

/** Longer names are cut, and shown in full on demand. */
const LONGEST_NAME = 48
const LONGEST_ID = 32

/**
 * Control characters, and characters that are invisible or change the direction of the text around them. A name must not
 * be able to hide a part of itself, or to rearrange the page.
 */
const HIDDEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu

/**
 * Makes hidden characters visible, as in `⟨202E⟩`.
 *
 * @param {unknown} text
 */
export function visible(text) {
  return String(text)
    .toWellFormed()
    .replace(HIDDEN, (one) => `⟨${(one.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}⟩`)
}

/**
 * @param {unknown} text
 * @param {number} [length]
 */
export function shortened(text, length = LONGEST_NAME) {
  const characters = [...visible(text)]
  return characters.length > length ? `${characters.slice(0, length - 1).join('')}…` : characters.join('')
}

/**
 * A name that somebody else has chosen, such as a client id. It cannot change the direction of the text around it.
 *
 * @param {unknown} text
 * @param {number} [length]
 */
export function name(text, length) {
  const short = shortened(text, length)
  const full = visible(text)
  return element('bdi', { class: 'name', title: short === full ? undefined : full }, short)
}

/**
 * A name with a button that shows all of it, if it is long.
 *
 * @param {unknown} text
 * @param {string} [href]
 */
export function nameInFull(text, href) {
  const short = href === undefined ? name(text) : element('a', { href }, name(text))
  if ([...visible(text)].length <= LONGEST_NAME) return short
  return element(
    'div',
    { class: 'long' },
    short,
    element(
      'details',
      null,
      element('summary', null, 'full name'),
      element('bdi', { class: 'full' }, visible(text)),
    ),
  )
}

/**
 * An id in a fixed font.
 *
 * @param {unknown} id
 * @param {string} [href]
 * @param {number} [length]
 */
export function identifier(id, href, length = LONGEST_ID) {
  const code = element('code', { title: visible(id) }, element('bdi', null, shortened(id, length)))
  return href === undefined ? code : element('a', { href }, code)
}

/**
 * A link within the page.
 *
 * @param {string} view
 * @param {Record<string, string | undefined>} [parameters]
 */
export function link(view, parameters = {}) {
  const given = Object.entries(parameters).filter(([, value]) => value !== undefined && value !== '')
  const query = given
    .map(([key, value]) => `${key}=${encodeURIComponent(String(value).toWellFormed())}`)
    .join('&')
  return `#/${view}${query === '' ? '' : `?${query}`}`
}

/** @param {{ clientId: string, keyId: string }} key */
export function keyLink({ clientId, keyId }) {
  return link('key', { clientId, keyId })
}

/** @param {string} clientId */
export function clientLink(clientId) {
  return link('client', { clientId })
}

/**
 * A number with its noun, as in `1 key` and `2 keys`.
 *
 * @param {number} count
 * @param {string} one
 * @param {string} [many]
 */
export function counted(count, one, many = `${one}s`) {
  return `${number(count)} ${count === 1 ? one : many}`
}

/** @param {number} value */
export function number(value) {
  return value.toLocaleString('en-GB')
}

/**
 * `a`, `a and b`, `a, b and c`.
 *
 * @param {readonly string[]} parts
 */
export function listed(parts) {
  return parts.length < 2 ? (parts[0] ?? '') : `${parts.slice(0, -1).join(', ')} and ${parts.at(-1)}`
}

/** @param {string} text */
export function capitalized(text) {
  return text.charAt(0).toUpperCase() + text.slice(1)
}
