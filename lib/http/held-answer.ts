import type { Response } from 'express'
import type { Claim } from '../core/redemption.js'

type Output = 'writeHead' | 'write' | 'end' | 'flushHeaders'
type Call = readonly [output: Output, args: readonly unknown[]]
type AnyFunction = (...args: readonly unknown[]) => unknown

/** What would change an answer after its first output: Node allows it no more by then, and so do we. */
const CHANGES = ['setHeader', 'appendHeader', 'removeHeader', 'setHeaders'] as const

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
  const restoreOutputs = replace(res, {
    writeHead: (...args) => hold('writeHead', args, res),
    flushHeaders: (...args) => hold('flushHeaders', args, undefined),
    end: (...args) => hold('end', args, res),
    write: (...args) => {
      bytes += sizeOf(args[0])
      // Full from the mark on, as any stream: whatever of this is written in the end then answers with a 'drain'.
      return hold('write', args, bytes < res.writableHighWaterMark)
    },
  })
  const held: Call[] = []
  let bytes = 0
  let hasEnded = false
  let restoreAll = restoreOutputs

  function hold<T>(name: Output, args: readonly unknown[], result: T): T {
    const isFirst = held.length === 0
    // As with an answer that was sent: its head is final, and nothing follows its end. A handler that fails after it
    // has answered must not be able to change what it answered.
    if (hasEnded || (!isFirst && (name === 'writeHead' || name === 'flushHeaders'))) return result
    held.push([name, args])
    if (name === 'end') hasEnded = true
    if (isFirst) decide(name === 'writeHead' ? Number(args[0]) : res.statusCode).catch(refuseInstead)
    return result
  }

  async function decide(status: number): Promise<void> {
    restoreAll = fixHead(res, restoreOutputs, () => hasEnded)
    if (status < 400) await claim.settle()
    else await claim.release()
    writeHeld()
  }

  function writeHeld(): void {
    restoreAll()
    for (const [name, args] of held) (res[name] as AnyFunction)(...args)
    if (!hasEnded && !res.writableNeedDrain) res.emit('drain')
  }

  function refuseInstead(error: unknown): void {
    restoreAll()
    if (!res.headersSent) {
      for (const name of res.getHeaderNames()) res.removeHeader(name)
      for (const [name, value] of Object.entries(headersBefore))
        if (value !== undefined) res.setHeader(name, value)
    }
    refuseWith(error)
  }

  res.once('close', () => {
    if (held.length === 0) connection.abort()
  })
  return connection.signal
}

function sizeOf(chunk: unknown): number {
  return typeof chunk === 'string' || chunk instanceof Uint8Array ? chunk.length : 0
}

/** Fixes status and headers as they are at the first output; answers with what undoes that. */
function fixHead(res: Response, restoreOutputs: () => void, hasEnded: () => boolean): () => void {
  const { statusCode, statusMessage } = res
  const restoreChanges = replace(res, Object.fromEntries(CHANGES.map((name) => [name, () => res])))
  Object.defineProperty(res, 'writableEnded', { get: hasEnded, configurable: true })
  return () => {
    restoreOutputs()
    restoreChanges()
    Reflect.deleteProperty(res, 'writableEnded')
    Object.assign(res, { statusCode, statusMessage })
  }
}

/** Replaces methods by others; answers with what puts the ones before back, whoever made those. */
function replace(res: Response, methods: Readonly<Record<string, AnyFunction>>): () => void {
  const before = Object.keys(methods).map(
    (name) => [name, Object.getOwnPropertyDescriptor(res, name)] as const,
  )
  Object.assign(res, methods)
  return () => {
    for (const [name, own] of before) {
      if (own === undefined) Reflect.deleteProperty(res, name)
      else Object.defineProperty(res, name, own)
    }
  }
}
