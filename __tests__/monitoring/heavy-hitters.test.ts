import fc from 'fast-check'
import { HeavyHitters } from '../../lib/monitoring/heavy-hitters.js'

describe('heavy hitters', () => {
  it('counts each name while there is room', () => {
    const hitters = new HeavyHitters(3, 1_000)
    const counts = ['a', 'b', 'a', 'c', 'a', 'b'].map((name) => hitters.add(name, 0))
    expect(counts).toEqual([1, 1, 2, 1, 3, 2])
  })

  it('counts anew in the next window', () => {
    const hitters = new HeavyHitters(3, 1_000)
    hitters.add('a', 500)
    expect(hitters.add('a', 1_499)).toBe(2)
    expect(hitters.add('a', 1_500)).toBe(1)
  })

  it('starts a window anew if the clock was ahead before', () => {
    const hitters = new HeavyHitters(3, 1_000)
    hitters.add('a', 1_000_000)
    hitters.add('a', 500)
    expect(hitters.add('a', 1_500)).toBe(1)
  })

  it('never holds more names than it may, nor counts too high', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 12 }), { maxLength: 300 }), (names) => {
        const hitters = new HeavyHitters(5, 1_000)
        const exact = new Map<number, number>()
        for (const name of names) {
          exact.set(name, (exact.get(name) ?? 0) + 1)
          const counted = hitters.add(String(name), 0)
          expect(counted).toBeGreaterThanOrEqual(1)
          expect(counted).toBeLessThanOrEqual(exact.get(name) ?? 0)
        }
        expect(hitters.size).toBeLessThanOrEqual(5)
      }),
    )
  })

  it('keeps a name that is counted more often than its share, whatever else comes', () => {
    const hitters = new HeavyHitters(100, 1_000)
    let counted = 0
    for (let i = 0; i < 100_000; i += 1) {
      hitters.add(`stranger-${i}`, 0)
      if (i % 50 === 0) counted = hitters.add('attacker', 0)
    }
    expect(counted).toBeGreaterThan(1_900)
  })
})
