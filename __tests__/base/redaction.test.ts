import { Redaction } from '../../lib/base/redaction.js'

const SECRET = `Zm9v/Y"m&F<y'ö+=Zg\\9`
const NAME = '$CLIENT_SECRET'

function redactionOf(...secrets: string[]): Redaction {
  const redaction = new Redaction()
  for (const secret of secrets) redaction.hide(secret, NAME)
  return redaction
}

it.each([
  ['as it is', SECRET],
  ['in a URL', encodeURIComponent(SECRET)],
  ['in a URL in lower case', encodeURIComponent(SECRET).replace(/%../g, (code) => code.toLowerCase())],
  ['in a form', new URLSearchParams({ a: SECRET }).toString().slice(2)],
  ['in JSON', JSON.stringify(SECRET).slice(1, -1)],
  ['in JSON of PHP', `Zm9v\\/Y\\"m&F<y'\\u00f6+=Zg\\\\9`],
  ['in JSON of Go', `Zm9v/Y\\"m\\u0026F\\u003cy'ö+=Zg\\\\9`],
  ['in JSON of Gson', `Zm9v/Y\\"m\\u0026F\\u003cy\\u0027ö+\\u003dZg\\\\9`],
  ['in JSON of .NET', `Zm9v/Y\\"m\\u0026F\\u003Cy\\u0027\\u00F6\\u002B=Zg\\\\9`],
  ['in XML', `Zm9v/Y&quot;m&amp;F&lt;y'ö+=Zg\\9`],
  ['in HTML', `Zm9v/Y&quot;m&amp;F&lt;y&#39;ö+=Zg\\9`],
])('a secret is hidden %s', (_, spelled) => {
  const redaction = redactionOf(SECRET)
  expect(redaction.redact(`a ${spelled}, ${spelled} b`)).toBe(`a ${NAME}, ${NAME} b`)
  expect(redaction.spellings).toContain(spelled)
})

it.each([0, 1, 2])('a secret is hidden in base64 after %s other bytes', (before) => {
  const text = Buffer.from(`${'a'.repeat(before)}${SECRET}b`).toString('base64')
  expect(redactionOf(SECRET).redact(text)).toMatch(/^.{0,3}\$CLIENT_SECRET.{0,5}$/)
})

it('a secret that contains another one is hidden as a whole', () => {
  expect(redactionOf('secret-1', 'longer-secret-1').redact('a longer-secret-1')).toBe(`a ${NAME}`)
})

it('a short secret hides no other text', () => {
  expect(redactionOf('abcd').redact('the text YWJj')).toBe('the text YWJj')
})
