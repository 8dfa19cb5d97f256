import fc from 'fast-check'
import { HeavyHitters } from '../../lib/monitoring/heavy-hitters.js'

describe('heavy hitters', () => {
  it('counts each name while there is room', () => {
    const hitters = new HeavyHitters(3, 1_000)
    const counts = ['a', 'b', 'a', 'c', 'a', 'b'].map((name) => hitters.add(name, 0))
    expect(counts).toEqual([1, 1, 2, 1, 3, 2])
  })

  it('forgets a count when the window has passed', () => {
    const hitters = new HeavyHitters(3, 6_000)
    hitters.add('a', 500)
    expect(hitters.add('a', 5_999)).toBe(2)
    expect(hitters.add('a', 6_000)).toBe(2)
    expect(hitters.add('a', 20_000)).toBe(1)
    expect(hitters.size).toBe(1)
  })

  it('forgets all counts if the clock was ahead before', () => {
    const hitters = new HeavyHitters(3, 1_000)
    hitters.add('a', 1_000_000)
    hitters.add('a', 500)
    expect(hitters.add('a', 1_500)).toBe(1)
  })

  it('keeps its counts if the clock is set back by a moment', () => {
    const hitters = new HeavyHitters(3, 6_000)
    hitters.add('a', 10_000)
    expect(hitters.add('a', 9_999)).toBe(2)
  })

  it('counts all of the last five sixths of the window, and nothing that is older than the window', () => {
    const pauses = fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.integer({ min: 0, max: 2_000 })))
    fc.assert(
      fc.property(pauses, fc.integer({ min: -10_000, max: 10_000 }), (events, start) => {
        const hitters = new HeavyHitters(3, 6_000)
        const seen: [name: string, at: number][] = []
        let now = start
        for (const [name, pause] of events) {
          now += pause
          seen.push([name, now])
          const within = (time: number) => seen.filter(([one, at]) => one === name && at > now - time).length
          const counted = hitters.add(name, now)
          expect(counted).toBeGreaterThanOrEqual(within(5_000))
          expect(counted).toBeLessThanOrEqual(within(6_000))
        }
      }),
    )
  })

  it('says what it has counted since it was last asked, within the window', () => {
    const hitters = new HeavyHitters(3, 6_000)
    for (const at of [0, 1, 2]) hitters.add('a', at)
    expect([hitters.take('a'), hitters.take('a'), hitters.take('b')]).toEqual([3, 0, 0])
    hitters.add('a', 3)
    hitters.add('a', 6_000)
    expect(hitters.take('a')).toBe(1)
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

  it('finds a frequent name again in each window, in a flood that never ends', () => {
    const hitters = new HeavyHitters(100, 60_000)
    let least = Number.POSITIVE_INFINITY
    for (let i = 0; i < 300_000; i += 1) {
      hitters.add(`stranger-${i}`, i)
      const counted = i % 50 === 0 ? hitters.add('attacker', i) : undefined
      if (i >= 60_000) least = Math.min(least, counted ?? least)
    }
    expect(hitters.size).toBeLessThanOrEqual(100)
    expect(least).toBeGreaterThan(950)
  })
})
