import type { Detection } from '../../lib/monitoring/detector.js'
import { FindingRecorder } from '../../lib/monitoring/findings.js'
import type { RuleId } from '../../lib/monitoring/rules/rule.js'
import { RULES } from '../../lib/monitoring/rules/rules.js'
import { memoryStore } from '../../lib/stores/memory/memory.js'
import { eventAt, START_MILLISECONDS } from './events.js'

const settled = () => new Promise<void>((resolve) => setImmediate(resolve))

function detection(rule: RuleId, subject: string, at = 0): Detection {
  const event = eventAt(at, 'key.replayed', { clientId: 'fleet', keyId: 'a-key' })
  return { rule: RULES[rule], subject, event, count: 1, isByAnother: false }
}

/** A recorder whose pauses a test ends. */
function recorderOn(store: ReturnType<typeof memoryStore> | undefined) {
  const emitted: [type: string, count: number][] = []
  const responses: string[] = []
  const pauses: (() => void)[] = []
  const recorder = new FindingRecorder({
    store,
    emit: (type, details) => void emitted.push([type, 'count' in details ? Number(details.count) : 0]),
    respond: async ({ rule }) => {
      responses.push(rule.id)
      return ['report']
    },
    schedule: (act) => void pauses.push(act),
  })
  const next = async () => {
    await settled()
    for (const act of pauses.splice(0)) act()
    await settled()
  }
  return { recorder, emitted, responses, next }
}

const store = () => memoryStore({ now: () => START_MILLISECONDS })

describe('the recorder of findings', () => {
  it('responds to bound evidence although strangers fill their own lane, and the store hangs', async () => {
    const hanging = { ...store(), noteFinding: () => new Promise<never>(() => undefined) }
    const { recorder, responses } = recorderOn(hanging)
    for (let i = 0; i < 2_000; i += 1) recorder.add(detection('algorithm_tricks', `address:${i}`))
    await settled()
    for (let i = 0; i < 2_000; i += 1) recorder.add(detection('algorithm_tricks', `address:more-${i}`))
    recorder.add(detection('replayed_key', 'client:fleet'))
    await settled()
    expect(responses).toContain('replayed_key')
  })

  it('responds after one time limit although a store hangs that should write many earlier findings', async () => {
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'queueMicrotask', 'nextTick'] })
    try {
      const hanging = { ...store(), noteFinding: () => new Promise<never>(() => undefined) }
      const { recorder, responses, next } = recorderOn(hanging)
      for (let i = 0; i < 50; i += 1) recorder.add(detection('replayed_key', `client:${i}`))
      await settled()
      recorder.add(detection('many_networks', 'client:fleet'))
      await jest.advanceTimersByTimeAsync(5_000)
      await next()
      expect(responses).toContain('many_networks')
    } finally {
      jest.useRealTimers()
    }
  })

  it.each(['with', 'without'])(
    'says when a count has doubled, and not each time, %s a store',
    async (has) => {
      const { recorder, emitted, next } = recorderOn(has === 'with' ? store() : undefined)
      for (let i = 0; i < 9; i += 1) {
        recorder.add(detection('replayed_key', 'client:fleet', i * 1_000))
        await next()
      }
      expect(emitted).toEqual([
        ['finding.opened', 1],
        ['finding.updated', 2],
        ['finding.updated', 4],
        ['finding.updated', 8],
      ])
    },
  )

  it('says after a minute that a finding has grown', async () => {
    const { recorder, emitted, next } = recorderOn(store())
    for (const at of [0, 1_000, 2_000, 63_000]) {
      recorder.add(detection('replayed_key', 'client:fleet', at))
      await next()
    }
    expect(emitted.map(([, count]) => count)).toEqual([1, 2, 4])
  })
})
