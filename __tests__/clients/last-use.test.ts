import { LastUses } from '../../lib/clients/last-use.js'
import type { ClientUse } from '../../lib/ports/monitoring-store.js'

const START = 1_800_000_000_000

let now: number
let saved: ClientUse[]
let uses: LastUses

beforeEach(() => {
  now = START
  saved = []
  const noteUse = async (use: ClientUse) => void saved.push(use)
  uses = new LastUses({ noteUse }, () => now)
})

/** Uses a client some seconds after the start, and returns what was saved. */
function use(seconds: number, bindingId?: string): readonly (string | undefined)[] {
  saved = []
  now = START + seconds * 1_000
  uses.note({ clientId: 'device', bindingId, source: { address: '192.0.2.7' } as never })
  for (const { lastUsedAt, network } of saved)
    expect([lastUsedAt, network]).toEqual([Math.floor(now / 1_000), '192.0.2.0/24'])
  return saved.map(({ clientId, bindingId }) => bindingId ?? clientId)
}

describe('the last use', () => {
  it('of a binding is one of its client too', () => {
    expect(use(0, 'binding:a')).toEqual(['device', 'binding:a'])
    expect(use(30, 'binding:b')).toEqual(['device', 'binding:b'])
  })

  it('of a client without a binding is its own', () => {
    expect(use(0)).toEqual(['device'])
  })

  it('is saved at most once a minute', () => {
    use(0, 'binding:a')
    expect(use(59, 'binding:a')).toEqual([])
    expect(use(59)).toEqual([])
    expect(use(60, 'binding:a')).toEqual(['device', 'binding:a'])
    expect(use(119)).toEqual([])
    expect(use(120)).toEqual(['device'])
  })
})
