/** The clock of a server, which a test can set forward. */
export function aClock() {
  const clock = { ahead: 0 }
  return { clock, now: () => Date.now() + clock.ahead * 1000 }
}
