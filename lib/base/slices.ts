/** Calls of a store at a time. */
const SLICE = 50

/** Acts on all, some at a time. The results have the same order. */
export async function inSlices<T, R>(all: readonly T[], act: (one: T) => Promise<R>): Promise<R[]> {
  const results: R[] = []
  for (let i = 0; i < all.length; i += SLICE)
    results.push(...(await Promise.all(all.slice(i, i + SLICE).map((one) => act(one)))))
  return results
}
