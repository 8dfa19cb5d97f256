/** Set by jest.config.ts: true in `npm run test:all`, false in `npm test`. */
declare const testsAll: boolean

export const ALL = testsAll

/** The first case of each class in `npm test`, and all cases in `npm run test:all`. */
export function sampled<T>(cases: readonly T[], classOf: (one: T) => unknown): readonly T[] {
  if (ALL) return cases
  const seen = new Set<unknown>()
  return cases.filter((one) => {
    const isNew = !seen.has(classOf(one))
    seen.add(classOf(one))
    return isNew
  })
}

/** A test that only `npm run test:all` runs. */
export function itInAll(...test: Parameters<typeof it>): void {
  if (ALL) it(...test)
}

/** A group of tests that only `npm run test:all` runs. */
export function describeInAll(...group: Parameters<typeof describe>): void {
  if (ALL) describe(...group)
}

/** The number of runs of a random test. */
export function times({ all, few }: { readonly all: number; readonly few: number }): number {
  return ALL ? all : few
}
