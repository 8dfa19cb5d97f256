/** Set by jest.config.ts: `npm run test:all` runs everything, `npm test` a sample. */
declare const testsAll: boolean

export const ALL = testsAll

/** For a rule that is tested in full elsewhere: in `npm test` the first case of each class, else every case. */
export function sampled<T>(cases: readonly T[], classOf: (one: T) => unknown): readonly T[] {
  if (ALL) return cases
  const seen = new Set<unknown>()
  return cases.filter((one) => {
    const isNew = !seen.has(classOf(one))
    seen.add(classOf(one))
    return isNew
  })
}

/** How often something random is tried. */
export function times({ all, few }: { readonly all: number; readonly few: number }): number {
  return ALL ? all : few
}
