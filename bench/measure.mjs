/**
 * Measurements that a busy machine changes little: ratios of two things that alternate in short rounds, as a median with
 * its quartiles.
 */

/** One line of the table. `low` and `high` are the quartiles of all rounds. */
export function line(name, unit, values, bound = {}) {
  const sorted = [...values].sort((a, b) => a - b)
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]
  const value = at(0.5)
  const { most, least } = bound
  const passed = !(value > most) && !(value < least)
  return { name, value, unit, low: at(0.25), high: at(0.75), most, least, passed }
}

/**
 * Runs all candidates in turn, `rounds` times, and returns the cost of each in each round. Before, it runs them
 * `warmUp` times, so that V8 has compiled what they run.
 *
 * @param candidates functions by name; each does one round and returns its cost
 * @returns {Promise<Record<string, number[]>>}
 */
export async function alternate({ rounds, warmUp = 1 }, candidates) {
  const names = Object.keys(candidates)
  const costs = Object.fromEntries(names.map((name) => [name, []]))
  for (let round = -warmUp; round < rounds; round += 1) {
    // Each round starts with another candidate, so that no candidate always follows the same one.
    for (const [i] of names.entries()) {
      const name = names[(i + round + warmUp) % names.length]
      const cost = await candidates[name]()
      if (round >= 0) costs[name].push(cost)
    }
  }
  return costs
}

/** The ratio of two lists of costs, round by round. */
export function ratios(costs, peers) {
  return costs.map((cost, i) => cost / peers[i])
}

/** Returns a round that calls `act(i)` `count` times, one after the other, and its cost: microseconds for each call. */
export function timed(count, act) {
  let i = 0
  return async () => {
    const end = i + count
    const start = process.hrtime.bigint()
    while (i < end) {
      const pending = act(i)
      if (pending !== undefined) await pending
      i += 1
    }
    return Number(process.hrtime.bigint() - start) / 1_000 / count
  }
}
