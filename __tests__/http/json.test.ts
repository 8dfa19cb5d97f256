import fc from 'fast-check'
import { hasMemberTwice } from '../../lib/http/body.js'
import { cpuSecondsOf } from '../support/cpu-time.js'

describe('a member twice', () => {
  it.each([
    '{"a":1,"a":2}',
    '{"a":1,"\\u0061":2}',
    '{"x":[{"a":{},"a":[]}]}',
    '{"a":{"b":1},"b":2,"a":3}',
    '{"":1,"":2}',
    '{"__proto__":1,"__proto__":2}',
    '{"a\\"b":1,"a\\u0022b":2}',
  ])('is found in %s', (json) => {
    expect(JSON.parse(json)).toBeDefined()
    expect(hasMemberTwice(json)).toBe(true)
  })

  it.each([
    '{}',
    '[]',
    '"a"',
    '{"a":"a","b":"a"}',
    '{"a":{"a":{"a":1}}}',
    '[{"a":1},{"a":2}]',
    '{"a":"\\"a\\":1,{","b":"}"}',
    '{"a":["a","a"],"A":1}',
    '{"a":{"b":1},"b":{"a":1}}',
  ])('is not seen in %s', (json) => {
    expect(hasMemberTwice(json)).toBe(false)
  })

  it('is in nothing that JSON.stringify writes', () => {
    fc.assert(fc.property(fc.json(), (json) => !hasMemberTwice(JSON.stringify(JSON.parse(json)))))
  })

  it('is in every object that is written with one of its members once more', () => {
    const objects = fc.dictionary(fc.string(), fc.jsonValue(), { minKeys: 1, noNullPrototype: true })
    fc.assert(
      fc.property(objects, fc.jsonValue(), (object, value) => {
        const [name = ''] = Object.keys(object)
        const once = JSON.stringify(object).slice(0, -1)
        const json = `${once},${JSON.stringify(name)}:${JSON.stringify(value)}}`
        return hasMemberTwice(json)
      }),
    )
  })

  it('is looked for in linear time', async () => {
    const texts = [
      `"${'\\\\'.repeat(150_000)}"`,
      '['.repeat(50_000) + ']'.repeat(50_000),
      `{"a":"${'{'.repeat(300_000)}"}`,
    ]
    const look = () => expect(texts.map(hasMemberTwice)).toEqual([false, false, false])
    expect(await cpuSecondsOf(look)).toBeLessThan(3)
  })
})
