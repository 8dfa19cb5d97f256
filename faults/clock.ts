/** The time in milliseconds, from a clock that all processes of this machine share and that nobody can set. */
export function clock(): number {
  return Number(process.hrtime.bigint() / 1_000n) / 1_000
}

export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}

/** Waits until a condition holds. Rejects after a deadline, in case it never does. */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  withinMilliseconds = 30_000,
): Promise<void> {
  for (const deadline = clock() + withinMilliseconds; !(await holds()); await pause(20))
    if (clock() > deadline) throw new Error(`timed out after ${withinMilliseconds / 1000} s: ${what}`)
}
