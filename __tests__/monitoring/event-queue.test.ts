import { AsyncLocalStorage } from 'node:async_hooks'
import { EventQueue, MOST_WAITING } from '../../lib/monitoring/event-queue.js'
import type { Observer, ProvisioningEvent } from '../../lib/ports/events.js'

const settled = () => new Promise<void>((resolve) => setImmediate(resolve))

/** An event that a test tells from others by its number. */
function event(number: number): ProvisioningEvent {
  return { number } as never
}

function queueTo(observer: Observer, faults: unknown[] = []): EventQueue {
  return new EventQueue(observer, {
    onFault: (_, fault) => faults.push(fault),
    gap: (count) => ({ missed: count }) as never,
  })
}

/** An observer whose promises a test resolves. */
function slowObserver() {
  const seen: unknown[] = []
  const resolvers: (() => void)[] = []
  const observer: Observer = (one) => {
    seen.push(one)
    return new Promise<void>((resolve) => resolvers.push(resolve))
  }
  const finishOne = async () => {
    resolvers.shift()?.()
    await settled()
  }
  return { seen, observer, finishOne }
}

describe('a queue of events', () => {
  it('delivers each event in the asynchronous context that emitted it, also later', async () => {
    const request = new AsyncLocalStorage<string>()
    const seen: unknown[] = []
    const queue = queueTo(async (one) => {
      seen.push([one, request.getStore()])
      await settled()
      seen.push([one, request.getStore()])
    })
    for (const number of [1, 2, 3]) request.run(`request ${number}`, () => queue.add(event(number)))
    for (let i = 0; i < 12; i += 1) await settled()
    const expected = [1, 2, 3].flatMap((number) => Array(2).fill([event(number), `request ${number}`]))
    expect(seen).toEqual(expected)
  })

  it('delivers after the code that adds events, in their order', async () => {
    const seen: unknown[] = []
    const queue = queueTo((one) => void seen.push(one))
    queue.add(event(1))
    queue.add(event(2))
    expect(seen).toEqual([])
    await Promise.resolve()
    expect(seen).toEqual([event(1), event(2)])
  })

  it('delivers the next event when the promise of the observer has settled', async () => {
    const { seen, observer, finishOne } = slowObserver()
    const queue = queueTo(observer)
    for (const number of [1, 2, 3]) queue.add(event(number))
    await settled()
    expect(seen).toEqual([event(1)])
    await finishOne()
    expect(seen).toEqual([event(1), event(2)])
    await finishOne()
    expect(seen).toEqual([event(1), event(2), event(3)])
  })

  it('goes on after an event that the observer rejects', async () => {
    const [seen, faults] = [[] as unknown[], [] as unknown[]]
    const queue = queueTo(async (one) => {
      seen.push(one)
      throw new Error('full disk')
    }, faults)
    queue.add(event(1))
    queue.add(event(2))
    await settled()
    expect(seen).toEqual([event(1), event(2)])
    expect(faults).toEqual([new Error('full disk'), new Error('full disk')])
  })

  it('goes on after 10 seconds with an observer that hangs', async () => {
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'queueMicrotask'] })
    try {
      const [seen, faults] = [[] as unknown[], [] as unknown[]]
      const queue = queueTo((one) => {
        seen.push(one)
        return new Promise(() => undefined)
      }, faults)
      queue.add(event(1))
      queue.add(event(2))
      await settled()
      jest.advanceTimersByTime(9_999)
      await settled()
      expect(seen).toEqual([event(1)])
      jest.advanceTimersByTime(1)
      await settled()
      expect(seen).toEqual([event(1), event(2)])
      expect(faults).toEqual([new Error('An observer did not answer within 10 s')])
    } finally {
      jest.useRealTimers()
    }
  })

  it('drops and counts events beyond 1,000, and says how many are missing', async () => {
    const { seen, observer, finishOne } = slowObserver()
    const queue = queueTo(observer)
    queue.add(event(0))
    await settled()
    for (let number = 1; number <= MOST_WAITING + 3; number += 1) queue.add(event(number))
    expect(queue.dropped).toBe(3)
    for (let i = 0; i < MOST_WAITING; i += 1) await finishOne()
    queue.add(event(2_000))
    for (let i = 0; i < 2; i += 1) await finishOne()
    expect(seen.slice(-3)).toEqual([event(MOST_WAITING), { missed: 3 }, event(2_000)])
    expect(seen).toHaveLength(MOST_WAITING + 3)
    expect(queue.dropped).toBe(3)
  })

  it('says what became of a delivery', async () => {
    const ends: unknown[] = []
    const refusing = event(2)
    const queue = queueTo((one) => (one === refusing ? Promise.reject(new Error('no')) : undefined))
    queue.add(event(1), (error) => ends.push(error))
    queue.add(refusing, (error) => ends.push(error))
    await settled()
    expect(ends).toEqual([undefined, new Error('An observer failed')])
  })

  it('keeps places for events that a request waits for, and says if none is left', () => {
    const ends: (Error | undefined)[] = []
    const queue = queueTo(() => undefined)
    for (let number = 0; number < MOST_WAITING; number += 1) queue.add(event(number))
    queue.add(event(-1))
    expect(queue.dropped).toBe(1)
    // One place has the event that says how many are missing.
    for (let number = 0; number < MOST_WAITING; number += 1)
      queue.add(event(number), (error) => ends.push(error))
    expect(ends.map(String)).toEqual(['Error: An observer has not taken 2000 earlier events'])
  })

  it('delivers nothing more after clear()', async () => {
    const { seen, observer, finishOne } = slowObserver()
    const queue = queueTo(observer)
    for (const number of [1, 2]) queue.add(event(number))
    await settled()
    queue.clear()
    await finishOne()
    expect(seen).toEqual([event(1)])
  })

  it('frees delivered events although the observer is always behind', async () => {
    const { seen, observer, finishOne } = slowObserver()
    const queue = queueTo(observer)
    for (let number = 0; number < 500; number += 1) queue.add(event(number))
    await settled()
    for (let number = 500; number < 3_500; number += 1) {
      queue.add(event(number))
      await finishOne()
    }
    expect(queue.dropped).toBe(0)
    expect(seen.at(-1)).toEqual(event(3_000))
  })
})
