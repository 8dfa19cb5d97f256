import { RefusalLimiter } from '../../lib/monitoring/refusal-limiter.js'
import type { EventOf } from '../../lib/ports/events.js'
import { eventAt } from './events.js'

function refusal(details: object): EventOf<'request.refused'> {
  return eventAt(0, 'request.refused', {
    reason: 'signature_wrong',
    ...details,
  }) as EventOf<'request.refused'>
}

function limiterOf(most: number) {
  const summaries: object[] = []
  let end: () => void = () => undefined
  const limiter = new RefusalLimiter(most, {
    emit: (type, details, source) => void summaries.push({ type, ...details, ...source }),
    schedule: (act) => {
      end = act
    },
  })
  return { limiter, summaries, endMinute: () => end() }
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
})
