/** Random numbers from 0 to 1 (mulberry32). A seed determines them, so that a run can be repeated. */
export interface Random {
  (): number
  /** A number from 0 to `count - 1`. */
  below(count: number): number
  chance(probability: number): boolean
}

export function random(seed: number): Random {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  return Object.assign(next, {
    below: (count: number) => Math.floor(next() * count),
    chance: (probability: number) => next() < probability,
  })
}
