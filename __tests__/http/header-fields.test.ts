import { headerFields } from '../../lib/http/wire.js'
import { growthOf } from '../support/growth'

const NOTHING = { authorization: [], dpop: [], clientCert: [], isForwarded: false }

describe('the header fields of a request', () => {
  it('are found in any case, each repetition in its order', () => {
    const raw = [
      'Host',
      'a',
      'AUTHORIZATION',
      'one',
      'DPoP',
      'x',
      'authorization',
      'two',
      'Client-Cert',
      'c',
      'dpop',
      'y',
    ]
    expect(headerFields(raw)).toEqual({
      authorization: ['one', 'two'],
      dpop: ['x', 'y'],
      clientCert: ['c'],
      isForwarded: false,
    })
  })

  it('are none among other names of the same lengths', () => {
    const names = [
      'Host',
      'X-Tokenizer-1',
      'content-typ',
      'x-request',
      'x-forwarded-xyz',
      'x-forwarded-porto',
    ]
    expect(headerFields(names.flatMap((name) => [name, 'value']))).toEqual(NOTHING)
    expect(headerFields([])).toEqual(NOTHING)
  })

  it.each(['Forwarded', 'X-Forwarded-For', 'X-Forwarded-Proto', 'X-Forwarded-Host'])(
    'tell from %s that a proxy forwards',
    (name) => {
      expect(headerFields([name, 'value'])).toEqual({ ...NOTHING, isForwarded: true })
    },
  )

  it.each(['Authorization', 'DPoP', 'Client-Cert'])(
    'are read in linear time, however often %s is repeated',
    (name) => {
      const repeated = (count: number) => Array.from({ length: count }, () => [name, 'a']).flat()
      const inputs = new Map([2_000, 8_000].map((count) => [count, repeated(count)]))
      expect(growthOf((count) => headerFields(inputs.get(count) ?? []), 2_000)).toBeLessThan(8)
    },
  )
})
