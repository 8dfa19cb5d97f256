const GLOBALS = ['describe', 'it', 'expect']

/** @throws Error if the test runner does not have the globals that a contract needs */
export function requireGlobals(contract: string): void {
  const missing = GLOBALS.filter((name) => !(name in globalThis))
  if (missing.length === 0) return
  throw new Error(
    `${contract} needs the globals describe, it and expect, and there is no ${missing.join(', ')}. Jest has them, and ` +
      'Vitest with globals: true. Elsewhere, install the package expect, and assign them to globalThis.',
  )
}
