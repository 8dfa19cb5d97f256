import { sourceDescriber } from '../../lib/monitoring/event-source.js'

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const describeOne = (source: object) => sourceDescriber()({ address: '192.0.2.1', ...source })

describe('the source of an event', () => {
  it('has the address, the user agent, the method and the trace id', () => {
    const source = {
      userAgent: 'agent/1.2',
      traceparent: `00-${TRACE}-00f067aa0ba902b7-01`,
      authenticationMethod: 'private_key_jwt',
    }
    expect(describeOne(source)).toEqual({
      address: '192.0.2.1',
      userAgent: 'agent/1.2',
      authenticationMethod: 'private_key_jwt',
      traceId: TRACE,
    })
  })

  it('has no members for what the request does not say', () => {
    expect(describeOne({})).toEqual({ address: '192.0.2.1' })
  })

  it.each([
    ['', 'not a traceparent'],
    [`00-${TRACE}-00f067aa0ba902b7`, 'no flags'],
    [`00-${'0'.repeat(32)}-00f067aa0ba902b7-01`, 'a trace id of zeros'],
    [`00-${TRACE}-${'0'.repeat(16)}-01`, 'a parent id of zeros'],
    [`ff-${TRACE}-00f067aa0ba902b7-01`, 'the version ff'],
    [`00-${TRACE.toUpperCase()}-00f067aa0ba902b7-01`, 'capital letters'],
    [`x00-${TRACE}-00f067aa0ba902b7-01`, 'a prefix'],
  ])('has no trace id for the traceparent %j: %s', (traceparent) => {
    expect(describeOne({ traceparent })).toEqual({ address: '192.0.2.1' })
  })

  it('has a trace id for a later version with more fields (W3C Trace Context 3.2.4)', () => {
    expect(describeOne({ traceparent: `cc-${TRACE}-00f067aa0ba902b7-01-more` })).toMatchObject({
      traceId: TRACE,
    })
  })

  it.each([
    ['a\tb\u0007c\u0085d\u009b31m', 'a?b?c?d?31m'],
    ['caf\u00e9/1', 'caf\u00e9/1'],
    ['x'.repeat(300), 'x'.repeat(256)],
    ['', ''],
  ])('has the user agent %j as %j', (userAgent, plain) => {
    const describe = sourceDescriber()
    for (let i = 0; i < 2; i += 1) expect(describe({ address: undefined, userAgent }).userAgent).toBe(plain)
  })

  it('has no part of a secret that is cut at the end of the searched text', () => {
    const token = `rc_1.${'d'.repeat(43)}`
    const secrets = `${'e'.repeat(20)}.${'f'.repeat(43)} `.repeat(15)
    for (let cut = 1; cut < token.length; cut += 7) {
      const before = secrets.slice(0, 1_024 - cut - 1)
      const plain = describeOne({ userAgent: `${before} ${token}` }).userAgent ?? ''
      expect(plain).not.toMatch(/d{5}/)
    }
  })

  const KEY = `eyJhbGciOiJIUzI1NiJ9.${'a'.repeat(60)}.${'b'.repeat(43)}`
  const REGISTRATION_TOKEN = `${'c'.repeat(20)}.${'d'.repeat(43)}`

  it.each([KEY, REGISTRATION_TOKEN])('has no secret of the user agent, wherever it stands: %s', (secret) => {
    for (const before of [0, 10, 200, 230, 250, 255]) {
      const userAgent = `${'-'.repeat(Math.max(0, before - 1))} ${secret} more`
      const plain = describeOne({ userAgent }).userAgent ?? ''
      expect(plain).not.toMatch(/eyJ|aaaa|bbbb|cccc|dddd/)
      expect(plain.length).toBeLessThanOrEqual(256)
    }
  })
})
