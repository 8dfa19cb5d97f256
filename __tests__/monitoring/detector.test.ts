import { Detector } from '../../lib/monitoring/detector.js'
import { RULES } from '../../lib/monitoring/rules/rules.js'
import { heapBytes } from '../support/heap'
import { itInAll, times } from '../support/scale'
import { detectorOf, eventAt } from './events.js'

const MINUTE = 60_000

/** Far more addresses than a rule watches. */
const FLOOD = times({ all: 200_000, few: 20_000 })

function refused(reason: string, details: object = {}, at = 0) {
  return eventAt(at, 'request.refused', { reason, ...details })
}

describe('a detector', () => {
  it('opens a finding at the first event of a rule without a threshold', () => {
    const event = eventAt(0, 'key.replayed', { clientId: 'fleet', keyId: 'a' })
    const [detection, ...others] = detectorOf('replayed_key').inspect(event)
    expect(others).toEqual([])
    expect(detection).toMatchObject({ subject: 'client:fleet', count: 1, event, rule: RULES.replayed_key })
  })

  it('counts up to the threshold, says the count, and then says each further event', () => {
    const detector = detectorOf('client_guessing')
    const counts = Array.from({ length: 12 }, () =>
      detector.inspect(refused('client_secret_wrong', { clientId: 'fleet' })).map(({ count }) => count),
    )
    expect(counts).toEqual([...Array(9).fill([]), [10], [1], [1]])
  })

  it('counts each subject apart', () => {
    const detector = detectorOf('client_guessing')
    const found = Array.from({ length: 18 }, (_, i) =>
      detector.inspect(refused('client_secret_wrong', { clientId: i % 2 === 0 ? 'one' : 'two' })),
    ).flat()
    expect(found).toEqual([])
  })

  it('forgets what is older than the window of the threshold', () => {
    const detector = detectorOf('client_guessing')
    const wrong = (at: number) => detector.inspect(refused('client_secret_wrong', { clientId: 'fleet' }, at))
    for (let i = 0; i < 9; i += 1) wrong(0)
    expect(wrong(60 * MINUTE)).toEqual([])
  })

  it.each([0, 3, 5, 8])('finds events on both sides of the end of an hour, %i minutes later too', (later) => {
    const detector = detectorOf('client_guessing')
    const wrong = (minutes: number) => {
      const at = (later + minutes) * MINUTE
      return detector.inspect(refused('client_secret_wrong', { clientId: 'fleet' }, at))
    }
    // The first one begins an hour that ends in the middle of the others.
    const found = [0, 56, 57, 58, 59, 59, 61, 61, 62, 63, 64].flatMap(wrong)
    expect(found).toMatchObject([{ subject: 'client:fleet', count: 10 }])
  })

  it('finds steady guesses from the threshold on, and none below it', () => {
    const findingsAtRate = (minutesBetween: number) => {
      const detector = detectorOf('client_guessing')
      return Array.from({ length: 200 }, (_, i) => {
        const at = i * minutesBetween * MINUTE
        return detector.inspect(refused('client_secret_wrong', { clientId: 'fleet' }, at))
      }).flat().length
    }
    expect([findingsAtRate(6) > 0, findingsAtRate(6.7)]).toEqual([true, 0])
  })

  it('counts an event in one detection only, also after the threshold was left and reached again', () => {
    const detector = detectorOf('client_guessing')
    const at = (minutes: number) =>
      detector
        .inspect(refused('client_secret_wrong', { clientId: 'fleet' }, minutes * MINUTE))
        .map(({ count }) => count)
    const story = [0, 0, 0, 0, 0, 25, 25, 25, 25, 25, 70, 70, 70, 70, 70]
    expect(story.map(at)).toEqual([...Array(9).fill([]), [10], ...Array(4).fill([]), [5]])
  })

  it('looks only at the reasons of a rule', () => {
    const detector = detectorOf('client_guessing')
    const found = Array.from({ length: 50 }, () =>
      detector.inspect(refused('body_malformed', { clientId: 'fleet' })),
    )
    expect(found.flat()).toEqual([])
  })

  it('finds nothing about a client that the event does not name', () => {
    const detector = detectorOf('client_guessing')
    const found = Array.from({ length: 50 }, () => detector.inspect(refused('client_secret_wrong')))
    expect(found.flat()).toEqual([])
  })

  it('looks at no exempt event', () => {
    const active = [{ rule: RULES.replayed_key, threshold: RULES.replayed_key.threshold }]
    const detector = new Detector(active, {
      canaries: new Set(),
      isExempt: ({ address }) => address === '10.0.0.1',
    })
    const replay = (address: string) =>
      detector.inspect(eventAt(0, 'key.replayed', { clientId: 'a', address }))
    expect([replay('10.0.0.1').length, replay('10.0.0.2').length]).toEqual([0, 1])
  })

  it('watches no type of event without a rule', () => {
    const detector = detectorOf(...(Object.keys(RULES) as (keyof typeof RULES)[]))
    expect(detector.watches('request.refused')).toBe(true)
    expect(detector.watches('signing_key.added')).toBe(false)
  })

  itInAll('stays within its memory for many clients and addresses', async () => {
    const detector = detectorOf(...(Object.keys(RULES) as (keyof typeof RULES)[]))
    const flood = (from: number, to: number) => {
      for (let i = from; i < to; i += 1) {
        const source = {
          address: `${i % 256}.${(i >> 8) % 256}.${(i >> 16) % 256}.7`,
          clientId: `client-${i}`,
        }
        detector.inspect(refused('client_secret_wrong', source, i))
        detector.inspect(eventAt(i, 'key.issued', { ...source, keyId: `key-${i}` }))
      }
    }
    flood(0, 15_000)
    const before = await heapBytes()
    flood(15_000, 60_000)
    expect((await heapBytes()) - before).toBeLessThan(2_000_000)
  })

  it('finds an attacker in a flood of others', () => {
    const detector = detectorOf('source_guessing')
    let found = 0
    for (let i = 0; i < FLOOD; i += 1) {
      detector.inspect(refused('client_unknown', { address: `stranger-${i}` }))
      if (i % 100 === 0) found += detector.inspect(refused('client_unknown', { address: '192.0.2.1' })).length
    }
    expect(found).toBeGreaterThan(0)
  })
})
