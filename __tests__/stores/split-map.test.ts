import fc from 'fast-check'
import { SplitMap } from '../../lib/stores/memory/split-map.js'

describe('a map that is split', () => {
  it('answers as a Map does, before it is split and after', () => {
    const map = new SplitMap<number>()
    const plain = new Map<string, number>()
    const compare = () => {
      expect(map.size).toBe(plain.size)
      expect([...map.values()].sort()).toEqual([...plain.values()].sort())
      for (const name of ['0', '77', '4999', '__proto__', 'absent', ''])
        expect(map.get(name)).toBe(plain.get(name))
    }
    const set = (name: string, value: number) => {
      map.set(name, value)
      plain.set(name, value)
    }
    for (let i = 0; i < 5_000; i += 1) {
      set(`${i}`, i)
      if (i % 1_000 === 0) compare()
    }
    for (const name of ['__proto__', '', '77']) set(name, -1)
    compare()
    for (let i = 0; i < 5_000; i += 2) {
      map.delete(`${i}`)
      map.delete('absent')
      plain.delete(`${i}`)
    }
    compare()
  })

  it('takes any text as a name', () => {
    const map = new SplitMap<string>()
    for (let i = 0; i < 5_000; i += 1) map.set(`${i}`, `${i}`)
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (name) => {
        map.set(name, name)
        expect(map.get(name)).toBe(name)
        map.delete(name)
        expect(map.get(name)).toBeUndefined()
      }),
    )
  })
})
