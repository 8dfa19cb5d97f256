import { nonces } from '../../lib/possession/dpop.js'

const SECRET = Buffer.alloc(32, 7)
const START = 1_700_000_040

function underTest({ secret = SECRET, step = 60, ahead = 0 } = {}, clock = { seconds: START }) {
  return { clock, ...nonces(secret, step, () => (clock.seconds + ahead) * 1000) }
}

describe('nonces', () => {
  it('are the same for the whole of a step, and others in each step', () => {
    const { clock, current } = underTest()
    const seen = new Set<string>()
    for (let step = 0; step < 100; step += 1) {
      clock.seconds = START + step * 60
      const first = current()
      clock.seconds += 59.999
      expect(current()).toBe(first)
      seen.add(first)
    }
    expect(seen.size).toBe(100)
  })

  it('are of characters that a header and a JSON string can carry (RFC 9449 8.1)', () => {
    expect(underTest().current()).toMatch(/^[\w-]{43}$/)
  })

  it('are accepted in their own step and in the one after it', () => {
    const { clock, current, accepts } = underTest()
    const nonce = current()
    const answers = [0, 59.999, 60, 119.999, 120, 1_000_000].map((seconds) => {
      clock.seconds = START + seconds
      return accepts(nonce)
    })
    expect(answers).toEqual([true, true, true, true, false, false])
  })

  it('of another instance are accepted, though its clock be a step ahead, and no further', () => {
    const clock = { seconds: START }
    const { accepts } = underTest({}, clock)
    const nonceOf = (ahead: number) => underTest({ ahead }, clock).current()
    expect([0, 60, 119, 120, -60, -61].map((ahead) => accepts(nonceOf(ahead)))).toEqual([
      true,
      true,
      true,
      false,
      true,
      false,
    ])
  })

  it('of another secret are not accepted', () => {
    const { accepts } = underTest()
    expect(accepts(underTest({ secret: Buffer.alloc(32, 8) }).current())).toBe(false)
  })

  it('are accepted as they are alone', () => {
    const { current, accepts } = underTest()
    const nonce = current()
    const others = [
      '',
      ' ',
      nonce.slice(0, -1),
      `${nonce}A`,
      `${nonce} `,
      nonce.toUpperCase(),
      'é'.repeat(43),
    ]
    expect(others.map(accepts)).toEqual(others.map(() => false))
    expect(accepts(nonce)).toBe(true)
  })
})
