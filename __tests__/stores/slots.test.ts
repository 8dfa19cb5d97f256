import { Slots } from '../../lib/stores/memory/slots.js'
import { Sweep } from '../../lib/stores/memory/sweep.js'

const START = 1_700_000_000
const DAY = 86_400

function underTest() {
  const clock = { seconds: START }
  const forgotten: string[] = []
  const sweep = new Sweep(() => clock.seconds * 1000)
  const slots = new Slots<{ name: string; until: number }>(sweep, ({ name }) => forgotten.push(name))
  const fill = (name: string, seconds: number) => slots.fill({ name, until: clock.seconds + seconds })
  return { clock, sweep, slots, fill, forgotten }
}

describe('slots', () => {
  it('are used again for an entry that ends as late', () => {
    const { slots, fill } = underTest()
    const first = fill('a', DAY)
    slots.clear(first)
    expect(fill('b', 2 * DAY)).toBe(first)
  })

  it('forget a short entry in time, though a longer one was removed before', () => {
    const { clock, sweep, slots, fill, forgotten } = underTest()
    slots.clear(fill('long', 30 * DAY))
    fill('short', 3_600)
    clock.seconds += DAY
    sweep.run()
    expect(forgotten).toEqual(['short'])
  })

  it('forget an entry at its end if the slot was filled again with a longer one', () => {
    const { clock, sweep, slots, fill, forgotten } = underTest()
    slots.clear(fill('short', DAY))
    fill('long', 3 * DAY)
    clock.seconds += 2 * DAY
    sweep.run()
    expect(forgotten).toEqual([])
    clock.seconds += 2 * DAY
    sweep.run()
    expect(forgotten).toEqual(['long'])
  })
})
