/**
 * Decodes a text in its only valid spelling: with no character that decoders skip, no spare bits, and the padding of its
 * encoding (RFC 4648 3.5). Otherwise a credential could be sent in a second spelling that no record matches.
 *
 * @returns `undefined` if the text has another spelling
 */
export function decodeCanonical(text: string, encoding: 'base64' | 'base64url'): Buffer | undefined {
  const bytes = Buffer.from(text, encoding)
  return bytes.toString(encoding) === text ? bytes : undefined
}
