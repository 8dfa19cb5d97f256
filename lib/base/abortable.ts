/**
 * The result of a promise, unless the signal is aborted first: the work may take long, or never end.
 *
 * @throws the reason of the signal
 */
export async function abortable<T>(start: () => T | Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted()
  let abort = () => {}
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason)
  })
  signal.addEventListener('abort', abort, { once: true })
  try {
    return await Promise.race([start(), aborted])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}
