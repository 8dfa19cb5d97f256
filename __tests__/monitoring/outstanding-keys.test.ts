import { OutstandingKeys } from '../../lib/monitoring/outstanding-keys.js'

const NOW = 1_700_000_000

describe('the outstanding keys of a process', () => {
  it('report each change once', () => {
    const keys = new OutstandingKeys()
    keys.add(NOW + 300, 1, NOW)
    keys.add(NOW + 300, 1, NOW)
    expect([keys.change(NOW), keys.change(NOW)]).toEqual([2, 0])
    keys.add(NOW + 300, -1, NOW)
    expect(keys.change(NOW)).toBe(-1)
  })

  it('end with 0 when all have expired, also those that another process has issued', () => {
    const keys = new OutstandingKeys()
    keys.add(NOW + 300, 1, NOW)
    keys.add(NOW + 200, -1, NOW)
    const changes = [keys.change(NOW), keys.change(NOW + 200), keys.change(NOW + 300)]
    expect(changes).toEqual([0, 1, -1])
  })

  it('take little memory if nobody collects the metrics for a week', () => {
    const keys = new OutstandingKeys()
    const week = 7 * 24 * 3600
    for (let at = NOW; at < NOW + week; at += 1) keys.add(at + 900, 1, at)
    const start = performance.now()
    // Only the keys of the last 15 minutes have not expired.
    expect(keys.change(NOW + week - 1)).toBe(900)
    expect(performance.now() - start).toBeLessThan(100)
  })
})
