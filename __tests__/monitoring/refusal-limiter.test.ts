import { RefusalLimiter } from '../../lib/monitoring/refusal-limiter.js'
import type { EventOf } from '../../lib/ports/events.js'
import { eventAt } from './events.js'

function refusal(details: object, at = 0): EventOf<'request.refused'> {
  return eventAt(at, 'request.refused', {
    reason: 'signature_wrong',
    ...details,
  }) as EventOf<'request.refused'>
}

function limiterOf(most: number) {
  const summaries: object[] = []
  const timers: (() => void)[] = []
  const limiter = new RefusalLimiter(most, {
    emit: (type, details, source) => void summaries.push({ type, ...details, ...source }),
    background: { run: (work) => void work(), schedule: (work) => void timers.push(work) },
  })
  return { limiter, summaries, endMinute: () => timers.shift()?.() }
}

describe('the limit of refusals', () => {
  it('counts all IPv6 addresses of 64 bits as one source', () => {
    const { limiter } = limiterOf(2)
    const passed = [1, 2, 3, 4].map((i) => limiter.passes(refusal({ address: `2001:db8::${i}` })))
    expect(passed).toEqual([true, true, false, false])
  })

  it('hides no refusal of a genuine key behind many strangers', () => {
    const { limiter } = limiterOf(1)
    for (let i = 0; i < 5_000; i += 1) limiter.passes(refusal({ address: `10.${i >> 8}.${i & 255}.1` }))
    const ofKey = { address: '192.0.2.1', clientId: 'fleet', keyId: 'a-key', reason: 'possession_unproven' }
    expect(limiter.passes(refusal(ofKey))).toBe(true)
  })

  it('summarizes each key and each source, and puts the rest together', () => {
    const { limiter, summaries, endMinute } = limiterOf(1)
    for (let i = 0; i < 3; i += 1) {
      limiter.passes(refusal({ address: '192.0.2.1', clientId: 'fleet', keyId: 'a-key' }))
      for (let address = 0; address < 150; address += 1)
        limiter.passes(refusal({ address: `198.51.100.${address}` }))
    }
    endMinute()
    expect(summaries).toHaveLength(101)
    expect(summaries).toContainEqual(
      expect.objectContaining({ type: 'refusals.summarized', keyId: 'a-key', clientId: 'fleet', count: 2 }),
    )
    expect(summaries.at(-1)).toEqual({
      type: 'refusals.summarized',
      address: undefined,
      count: 102,
      reasons: ['signature_wrong: 102'],
    })
  })

  it('summarizes at the next refusal if the timer of a minute never comes', () => {
    const { limiter, summaries } = limiterOf(1)
    const refuse = (at: number) => limiter.passes(refusal({ address: '192.0.2.1' }, at))
    expect([0, 1, 59_999].map(refuse)).toEqual([true, false, false])
    expect(summaries).toEqual([])
    expect(refuse(60_000)).toBe(true)
    expect(summaries).toMatchObject([{ type: 'refusals.summarized', address: '192.0.2.1', count: 2 }])
  })

  it('lets a late timer end no minute but its own', () => {
    const { limiter, summaries, endMinute } = limiterOf(1)
    const refuse = (at: number) => limiter.passes(refusal({ address: '192.0.2.1' }, at))
    expect([0, 1, 70_000, 70_001].map(refuse)).toEqual([true, false, true, false])
    endMinute()
    expect(summaries).toHaveLength(1)
    expect(refuse(70_002)).toBe(false)
    endMinute()
    expect(summaries).toMatchObject([{ count: 1 }, { count: 2 }])
  })
})
