/**
 * The result of a promise, unless the signal is aborted first: a standard input or a named pipe may never end.
 *
 * @throws the reason of the signal
 */
export async function abortable<T>(start: () => T | Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted()
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
  return Promise.race([start(), aborted])
}
