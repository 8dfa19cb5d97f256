/** Milliseconds on the one clock that all processes of a machine share and that nobody sets. */
export function clock(): number {
  return Number(process.hrtime.bigint() / 1_000n) / 1_000
}

export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}

/** Waits until something holds; the deadline is there to find what never does. */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  withinMilliseconds = 30_000,
): Promise<void> {
  for (const deadline = clock() + withinMilliseconds; !(await holds()); await pause(20))
    if (clock() > deadline) throw new Error(`${what}: still not so after ${withinMilliseconds / 1000} s`)
}
