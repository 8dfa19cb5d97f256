import type { Response } from 'express'
import type { Claim } from '../core/redemption.js'

type Output = 'writeHead' | 'write' | 'end' | 'flushHeaders'
type Call = readonly [output: Output, args: readonly unknown[]]

/**
 * Holds what a handler answers until its key is settled, so that no client is told of a success that does not last.
 *
 * The first output decides. A status under 400 settles the key, any other releases it; then what was held is written.
 * Where the claim was lost in the meantime, what was held is dropped and the refusal is written in its place. A
 * connection that breaks does not release by itself: the handler may be at work still, and two handlers must not be
 * at work for one key. It is told by the signal, and decides by what it answers.
 *
 * @returns a signal that is aborted when the connection breaks before the handler has answered
 */
export function holdAnswer(res: Response, claim: Claim, refuseWith: (error: unknown) => void): AbortSignal {
  const connection = new AbortController()
  const headersBefore = { ...res.getHeaders() }
  const originals = {
    writeHead: res.writeHead,
    write: res.write,
    end: res.end,
    flushHeaders: res.flushHeaders,
  }
  let held: Call[] | undefined

  function output(name: Output, args: readonly unknown[]): Response {
    if (held !== undefined) {
      held.push([name, args])
      return res
    }
    held = [[name, args]]
    const status = name === 'writeHead' ? Number(args[0]) : res.statusCode
    decide(status).catch(refuseInstead)
    return res
  }

  async function decide(status: number): Promise<void> {
    if (status < 400) await claim.settle()
    else await claim.release()
    writeHeld()
  }

  function writeHeld(): void {
    Object.assign(res, originals)
    for (const [name, args] of held ?? []) (res[name] as (...args: readonly unknown[]) => unknown)(...args)
    if (!res.writableEnded) res.emit('drain')
  }

  function refuseInstead(error: unknown): void {
    Object.assign(res, originals)
    for (const name of res.getHeaderNames()) res.removeHeader(name)
    for (const [name, value] of Object.entries(headersBefore))
      if (value !== undefined) res.setHeader(name, value)
    refuseWith(error)
  }

  Object.assign(res, {
    writeHead: (...args: unknown[]) => output('writeHead', args),
    flushHeaders: (...args: unknown[]) => void output('flushHeaders', args),
    end: (...args: unknown[]) => output('end', args),
    write(...args: unknown[]) {
      output('write', args)
      // Not to be written to until 'drain', as with any stream that is full.
      return false
    },
  })
  res.once('close', () => {
    if (held === undefined) connection.abort()
  })
  return connection.signal
}
