import type { Detection } from '../../lib/monitoring/detector.js'
import { FindingRecorder, type Incident } from '../../lib/monitoring/findings.js'
import type { RuleId } from '../../lib/monitoring/rules/rule.js'
import { RULES } from '../../lib/monitoring/rules/rules.js'
import { memoryStore } from '../../lib/stores/memory/memory.js'
import { eventAt, START_MILLISECONDS } from './events.js'

const settled = () => new Promise<void>((resolve) => setImmediate(resolve))

function detection(rule: RuleId, subject: string, at = 0): Detection {
  const event = eventAt(at, 'key.replayed', { clientId: 'fleet', keyId: 'a-key' })
  return { rule: RULES[rule], subject, event, count: 1, isByAnother: false }
}

async function* reportOnly(_: Incident): AsyncIterable<string> {
  yield 'report'
}

/** A recorder whose pauses a test ends. */
function recorderOn(store: ReturnType<typeof memoryStore> | undefined, act = reportOnly) {
  const emitted: [type: string, count: number][] = []
  const responses: string[] = []
  const pauses: (() => void)[] = []
  async function* respond(incident: Incident) {
    responses.push(incident.rule.id)
    yield* act(incident)
  }
  const recorder = new FindingRecorder({
    store,
    emit: (type, details) => void emitted.push([type, 'count' in details ? Number(details.count) : 0]),
    respond,
    background: {
      run: (work) => queueMicrotask(() => void work()),
      schedule: (work) => void pauses.push(work),
    },
  })
  const next = async () => {
    await settled()
    for (const act of pauses.splice(0)) act()
    await settled()
  }
  return { recorder, emitted, responses, next }
}

const store = () => memoryStore({ now: () => START_MILLISECONDS })

const withFakeTimers = async (test: () => Promise<void>) => {
  jest.useFakeTimers({ doNotFake: ['setImmediate', 'queueMicrotask', 'nextTick'] })
  await test().finally(() => jest.useRealTimers())
}

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

  it('responds after one time limit although a store hangs that should write many earlier findings', () =>
    withFakeTimers(async () => {
      const hanging = { ...store(), noteFinding: () => new Promise<never>(() => undefined) }
      const { recorder, responses, next } = recorderOn(hanging)
      for (let i = 0; i < 50; i += 1) recorder.add(detection('replayed_key', `client:${i}`))
      await settled()
      recorder.add(detection('many_networks', 'client:fleet'))
      await jest.advanceTimersByTimeAsync(5_000)
      await next()
      expect(responses).toContain('many_networks')
    }))

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

  it('writes a finding after an outage of the store, and says once that it is new', async () => {
    const working = store()
    let isDown = true
    const failing: typeof working = {
      ...working,
      noteFinding: async (report) => {
        if (isDown) throw new Error('down')
        return working.noteFinding(report)
      },
    }
    const { recorder, emitted, responses, next } = recorderOn(failing)
    recorder.add(detection('replayed_key', 'client:fleet'))
    await next()
    recorder.add(detection('replayed_key', 'client:fleet', 1_000))
    await next()
    expect(await working.findings()).toEqual([])
    isDown = false
    for (let i = 0; i < 2; i += 1) await next()
    recorder.add(detection('replayed_key', 'client:fleet', 2_000))
    await next()
    const [finding, ...others] = await working.findings()
    expect([finding?.count, finding?.actions, others]).toEqual([3, ['report'], []])
    expect(emitted).toEqual([
      ['finding.opened', 1],
      ['finding.updated', 2],
    ])
    expect(responses).toHaveLength(3)
    expect(await working.closeFinding(String(finding?.id))).toBe('closed')
    recorder.add(detection('replayed_key', 'client:fleet', 3_000))
    await next()
    expect(emitted.at(-1)).toEqual(['finding.opened', 1])
  })

  it('stores the responses that took effect in time, and then those that took effect later', () =>
    withFakeTimers(async () => {
      const working = store()
      const { recorder, next } = recorderOn(working, async function* slow() {
        yield 'revokeKey'
        await new Promise((resolve) => setTimeout(resolve, 5_500))
        yield 'lockClient'
      })
      const stored = async () => (await working.findings()).map(({ count, actions }) => [count, ...actions])
      recorder.add(detection('replayed_key', 'client:fleet'))
      await settled()
      await jest.advanceTimersByTimeAsync(5_000)
      await next()
      expect(await stored()).toEqual([[1, 'revokeKey']])
      await jest.advanceTimersByTimeAsync(500)
      await next()
      expect(await stored()).toEqual([[1, 'revokeKey', 'lockClient']])
    }))

  it('tries a store that hangs with one of many findings, so that it does not delay a response', () =>
    withFakeTimers(async () => {
      let calls = 0
      const noteFinding = () => {
        calls += 1
        return new Promise<never>(() => undefined)
      }
      const { recorder, emitted, responses, next } = recorderOn({ ...store(), noteFinding })
      for (let i = 0; i < 200; i += 1) recorder.add(detection('replayed_key', `client:${i}`))
      await settled()
      const callsOfRounds: number[] = []
      for (let i = 0; i < 3; i += 1) {
        recorder.add(detection('many_networks', `client:${i}`))
        await jest.advanceTimersByTimeAsync(5_000)
        await next()
        callsOfRounds.push(calls)
      }
      expect(callsOfRounds).toEqual([51, 52, 53])
      expect(responses.filter((id) => id === 'many_networks')).toHaveLength(3)
      expect(emitted).toHaveLength(202)
    }))

  it.each([
    ['device:b6', ' for device:b6'],
    ['fleet', ''],
    ['device from 192.0.2.9', ' for device%20from%20192.0.2.9'],
    ['device:%20', ' for device:%2520'],
    ['d'.repeat(255), ` for ${'d'.repeat(61)}...`],
  ])('names the device of a key, and it looks like nothing else: %s', async (subject, words) => {
    const kept = store()
    const event = eventAt(0, 'key.replayed', {
      clientId: 'fleet',
      keyId: 'a-key',
      subject,
      userAgent: 'curl',
    })
    recorderOn(kept).recorder.add({ ...detection('replayed_key', 'client:fleet'), event })
    await settled()
    const [finding] = await kept.findings()
    expect(finding?.samples[0]?.slice(25)).toBe(`key.replayed key a-key from 192.0.2.1${words} by curl`)
  })

  it('keeps what a replay has done to the client or the binding of the key', async () => {
    const kept = store()
    const family = { clientId: 'device:b6', fate: 'flagged' }
    const event = eventAt(0, 'key.replayed', { clientId: 'fleet', keyId: 'a-key', family })
    recorderOn(kept).recorder.add({ ...detection('replayed_key', 'client:fleet'), event })
    await settled()
    const [finding] = await kept.findings()
    expect(finding?.samples[0]?.slice(25)).toBe('key.replayed key a-key family flagged from 192.0.2.1')
  })
})
