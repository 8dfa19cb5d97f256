import { eventHub } from '../../lib/monitoring/event-hub.js'
import type { ProvisioningEvent } from '../../lib/ports/events.js'

const KEY = { keyId: 'a-jti', clientId: 'a-client' }
const ISSUED = { ...KEY, subject: 'device', scope: ['read'], audience: 'urn:api', expiresAt: 1_700_000_300 }
const AT = 1_700_000_000_123

function hub(faults: unknown[] = []) {
  return eventHub({ now: () => AT, onFault: (fault) => faults.push(fault) })
}

/** Until all events are delivered. */
const settled = () => new Promise<void>((resolve) => setImmediate(resolve))

describe('an event', () => {
  it('says what happened, when, and how grave it is', async () => {
    const seen: ProvisioningEvent[] = []
    const { emit, on } = hub()
    on('*', (event) => seen.push(event))
    emit('key.replayed', { ...KEY, familyRevoked: true }, { address: '192.0.2.1' })
    await settled()
    expect(seen).toEqual([
      {
        type: 'key.replayed',
        code: 'key.replayed:family_revoked',
        at: new Date(AT),
        severity: 'high',
        ...KEY,
        address: '192.0.2.1',
        familyRevoked: true,
      },
    ])
  })

  it('is frozen, and the same for all who are told of it', async () => {
    const seen: ProvisioningEvent[] = []
    const { emit, on } = hub()
    on('key.revoked', (event) => seen.push(event))
    on('*', (event) => seen.push(event))
    emit('key.revoked', KEY)
    await settled()
    expect(seen).toHaveLength(2)
    expect(seen[0]).toBe(seen[1])
    expect(Object.isFrozen(seen[0])).toBe(true)
  })

  it('cannot be altered in its lists, neither for other observers nor for the one who emitted it', async () => {
    const scope = ['read']
    const seen: unknown[] = []
    const { emit, on } = hub()
    on('key.issued', (event) => (event.scope as string[]).push('admin'))
    on('key.issued', (event) => seen.push([...event.scope]))
    emit('key.issued', { ...ISSUED, scope })
    await settled()
    expect([seen, scope]).toEqual([[['read']], ['read']])
  })

  it('does not freeze what the caller still works with', async () => {
    const details = { ...KEY }
    const { emit, on } = hub()
    on('*', () => undefined)
    emit('key.revoked', details)
    await settled()
    expect(Object.isFrozen(details)).toBe(false)
  })

  it('goes to those who subscribed to its type and to those who subscribed to all, to nobody else', async () => {
    const told: string[] = []
    const { emit, on } = hub()
    on('*', ({ type }) => told.push(`all: ${type}`))
    on('key.revoked', () => told.push('revoked'))
    on('key.redeemed', () => told.push('redeemed'))
    emit('key.revoked', KEY)
    await settled()
    expect(told.sort()).toEqual(['all: key.revoked', 'revoked'])
  })

  it('is told to observers of one subscription in the order in which they came', async () => {
    const told: number[] = []
    const { emit, on } = hub()
    for (const number of [3, 1, 2]) on('key.revoked', () => told.push(number))
    emit('key.revoked', KEY)
    await settled()
    expect(told).toEqual([3, 1, 2])
  })

  it('costs nothing when nobody observes: not even the clock is read', () => {
    const { emit } = eventHub({
      now: () => {
        throw new Error('read')
      },
      onFault: () => undefined,
    })
    expect(() => emit('key.revoked', KEY)).not.toThrow()
  })
})

describe('a subscription', () => {
  it('ends with the function that on() answered, for its observer alone', async () => {
    const told: string[] = []
    const { emit, on } = hub()
    const end = on('key.revoked', () => told.push('first'))
    on('key.revoked', () => told.push('second'))
    end()
    emit('key.revoked', KEY)
    end()
    emit('key.revoked', KEY)
    await settled()
    expect(told).toEqual(['second', 'second'])
  })

  it('can be ended, and begun, while an event is being told', async () => {
    const told: string[] = []
    const { emit, on } = hub()
    const end = on('key.revoked', () => {
      told.push('once')
      end()
      on('key.revoked', () => told.push('later'))
    })
    emit('key.revoked', KEY)
    await settled()
    emit('key.revoked', KEY)
    await settled()
    expect(told).toEqual(['once', 'later'])
  })

  it('lets an observer emit another event', async () => {
    const told: string[] = []
    const { emit, on } = hub()
    on('*', ({ type }) => told.push(type))
    on('key.revoked', () => emit('token.revoked', KEY))
    emit('key.revoked', KEY)
    await settled()
    expect(told.sort()).toEqual(['key.revoked', 'token.revoked'])
  })

  it.each([
    ['key.replay', 'key.replayed'],
    ['key.Issued', 'key.issued'],
    ['keys.issued', 'key.issued'],
  ])('to %s is refused with the event that was meant: %s', (type, meant) => {
    expect(() => hub().on(type as '*', () => undefined)).toThrow(
      `on: expected an event; did you mean ${meant}? got ${type}`,
    )
  })

  it.each(['', 'key', '**', 'constructor', '__proto__', undefined, null, 1])(
    'to %j, which is no type of event, is refused with all that are',
    (type) => {
      expect(() => hub().on(type as '*', () => undefined)).toThrow(
        /^on: expected one of key\.issued, .*events\.dropped or \*, got /,
      )
    },
  )

  it.each([undefined, null, 'console.log', {}, 1])(
    'with %j, which is no function, is refused immediately',
    (observer) => {
      expect(() => hub().on('*', observer as never)).toThrow(TypeError)
    },
  )
})

describe('a faulty observer', () => {
  const FAULTS: [string, (fault: unknown) => unknown][] = [
    [
      'throws',
      (fault) => {
        throw fault
      },
    ],
    ['rejects', (fault) => Promise.reject(fault)],
    [
      'answers a thenable that rejects',
      // biome-ignore lint/suspicious/noThenProperty: a thenable is what is tried here
      (fault) => ({ then: (_: unknown, reject: (fault: unknown) => void) => reject(fault) }),
    ],
  ]

  it.each(FAULTS)('that %s keeps nobody else from being told, and disturbs no caller', async (_, fail) => {
    const faults: unknown[] = []
    const told: string[] = []
    const { emit, on } = hub(faults)
    const fault = new Error('observer')
    on('key.revoked', () => fail(fault))
    on('key.revoked', ({ keyId }) => told.push(keyId))
    expect(() => emit('key.revoked', KEY)).not.toThrow()
    await settled()
    expect([told, faults]).toEqual([['a-jti'], [fault]])
  })

  it.each(FAULTS)('that %s is complained of once, however often it fails', async (_, fail) => {
    const faults: unknown[] = []
    const { emit, on } = hub(faults)
    on('*', () => fail('one'))
    on('*', () => fail('other'))
    for (let i = 0; i < 5; i += 1) emit('key.revoked', KEY)
    await settled()
    expect(faults.sort()).toEqual(['one', 'other'])
  })

  it.each(FAULTS)('that %s with nothing at all is a faulty one too', async (_, fail) => {
    const faults: unknown[] = []
    const { emit, on } = hub(faults)
    on('*', () => fail(undefined))
    emit('key.revoked', KEY)
    await settled()
    expect(faults).toEqual([undefined])
  })

  it('disturbs no caller even when complaining of it fails', async () => {
    const { emit, on } = eventHub({
      now: () => AT,
      onFault: () => {
        throw new Error('complaint')
      },
    })
    on('*', () => {
      throw new Error('observer')
    })
    expect(() => emit('key.revoked', KEY)).not.toThrow()
  })
})

describe('a monitor that fails', () => {
  it('neither fails the caller nor hides the event', async () => {
    const [faults, seen] = [[] as unknown[], [] as string[]]
    const { emit, on, watch } = hub(faults)
    const fault = new Error('monitor')
    watch({
      watches: () => true,
      inspect: () => {
        throw fault
      },
    })
    on('*', ({ type }) => seen.push(type))
    expect(() => emit('key.revoked', KEY)).not.toThrow()
    await settled()
    expect([seen, faults]).toEqual([['key.revoked'], [fault]])
  })
})
