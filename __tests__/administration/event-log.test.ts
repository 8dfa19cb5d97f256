import { EventLog } from '../../lib/administration/event-log.js'
import { eventHub } from '../../lib/monitoring/event-hub.js'
import type { Emit } from '../../lib/ports/events.js'

const REPLAY = { keyId: 'k', clientId: 'fleet', familyRevoked: true }
const NOBODY = { method: 'GET', path: '/api/keys' }

/** The log of a deployment with a theft, after which strangers send requests. */
async function logAfter(...floods: readonly ((emit: Emit) => void)[]): Promise<EventLog> {
  const { on, emit } = eventHub({ now: Date.now, onFault: () => undefined })
  const log = new EventLog(on)
  emit('key.replayed', REPLAY)
  for (const flood of floods) {
    flood(emit)
    await new Promise(setImmediate)
  }
  return log
}

const FLOODS: readonly [string, (emit: Emit) => void][] = [
  [
    'refused requests',
    (emit) => emit('request.refused', { reason: 'client_unknown', endpoint: 'token' } as never),
  ],
  ['refused operators', (emit) => emit('administration.refused', { reason: 'forbidden', ...NOBODY })],
  ['summaries of refusals', (emit) => emit('refusals.summarized', { count: 1, reasons: [] })],
]

describe('the log of events', () => {
  it.each(FLOODS)('keeps a theft while strangers cause %s', async (_, cause) => {
    const flood = (emit: Emit) => {
      for (let i = 0; i < 900; i += 1) cause(emit)
    }
    const log = await logAfter(flood, flood)
    const types = log.after(undefined, 200).map(({ type }) => type)
    expect([types.length, types[0]]).toEqual([200, 'key.replayed'])
  })

  it('has the last events in their order', async () => {
    const log = await logAfter((emit) => {
      for (let i = 0; i < 5; i += 1) {
        emit('administration.refused', { reason: 'forbidden', ...NOBODY })
        emit('client.unlocked', { clientId: `${i}`, author: 'alice' })
      }
    })
    const [theft, ...others] = log.after(undefined, 20)
    expect(theft?.type).toBe('key.replayed')
    expect(others).toHaveLength(10)
    expect(log.after(undefined, 4)).toEqual(others.slice(-4))
    expect(log.after(others[7]?.id, 20)).toEqual(others.slice(-2))
  })
})
