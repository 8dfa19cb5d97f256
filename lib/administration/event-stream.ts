import type { Response } from 'express'
import type { EventLog, LoggedEvent } from './event-log.js'
import { Problem } from './problem.js'

/**
 * The server ends a stream after this time. The page then asks again, so a session that has ended gets no more events, with
 * any kind of `authorize`.
 */
const LONGEST_MILLISECONDS = 60_000

const HEARTBEAT_MILLISECONDS = 15_000
const HEARTBEAT = '{"type":"heartbeat"}\n'

/** A reader that is slower than this is disconnected, and asks again. */
const MOST_WAITING_BYTES = 1_048_576

/** At its end, a stream has this time to reach its reader. */
const LONGEST_END_MILLISECONDS = 5_000

/** Each open page takes one. */
const MOST_STREAMS = 50

/** A page gets at most this many earlier events when it connects. */
const MOST_EARLIER = 200

/** Streams the events of a log, as lines of JSON. */
export class EventStreams {
  readonly #log: EventLog
  #open = 0

  constructor(log: EventLog) {
    this.#log = log
  }

  /**
   * @param after the id of the last event that the reader has. Default: it has none
   * @throws Problem if too many streams are open
   */
  serve(res: Response, after: string | undefined): void {
    // The reader has gone while authorize was deciding, so nothing would tell when this stream is over.
    if (res.destroyed) return
    if (this.#open >= MOST_STREAMS)
      throw new Problem(503, `${MOST_STREAMS} pages are open already. Close some of them.`)
    // Proxies must not collect, compress or delay the lines.
    const headers = { 'Cache-Control': 'no-store, no-transform', 'X-Accel-Buffering': 'no' }
    res.writeHead(200, { ...headers, 'Content-Type': 'application/x-ndjson' })
    if (res.req.method === 'HEAD') return void res.end()
    this.#open += 1
    const earlier = this.#log.after(after, MOST_EARLIER)
    res.write(earlier.map(lineOf).join(''))
    const stop = this.#goOn(res)
    res.once('close', () => {
      this.#open -= 1
      stop()
    })
    res.write(HEARTBEAT)
  }

  /** Sends the events that come, until the time of the stream is over. Returns the function that stops this. */
  #goOn(res: Response): () => void {
    const stopWatching = this.#log.watch((event) => {
      if (res.writableLength > MOST_WAITING_BYTES) res.destroy()
      else res.write(lineOf(event))
    })
    const heartbeat = setInterval(() => res.write(HEARTBEAT), HEARTBEAT_MILLISECONDS).unref()
    const timers: NodeJS.Timeout[] = [heartbeat]
    const stop = () => {
      stopWatching()
      for (const timer of timers) clearTimeout(timer)
    }
    const end = () => {
      // A slow reader is still there after the end, and another write would then be an error that stops the process.
      stop()
      res.end()
      timers.push(setTimeout(() => res.destroy(), LONGEST_END_MILLISECONDS).unref())
    }
    timers.push(setTimeout(end, LONGEST_MILLISECONDS).unref())
    return stop
  }
}

function lineOf(event: LoggedEvent): string {
  return `${JSON.stringify(event)}\n`
}
