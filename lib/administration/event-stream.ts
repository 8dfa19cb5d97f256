import type { Response } from 'express'
import { isGone } from '../http/request-body.js'
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

/** The operator who asks for a stream, and the last event that this reader has. */
interface StreamRequest {
  readonly actor: string
  /** The id of the last event that the reader has. Default: it has none. */
  readonly after?: string | undefined
}

/** Streams the events of a log, as lines of JSON. */
export class EventStreams {
  readonly #log: EventLog
  /** The open streams and their operators, the oldest first. */
  readonly #open = new Map<Response, string>()

  constructor(log: EventLog) {
    this.#log = log
  }

  /** @throws Problem if too many streams are open */
  serve(res: Response, { actor, after }: StreamRequest): void {
    // The reader has gone while authorize was deciding, so nothing would tell when this stream is over.
    if (isGone(res.req, res)) return
    const isShort = res.req.method === 'HEAD'
    if (!isShort && this.#open.size >= MOST_STREAMS) this.#makeRoom(actor)
    // Proxies must not collect, compress or delay the lines.
    const headers = { 'Cache-Control': 'no-store, no-transform', 'X-Accel-Buffering': 'no' }
    res.writeHead(200, { ...headers, 'Content-Type': 'application/x-ndjson' })
    if (isShort) return void res.end()
    this.#open.set(res, actor)
    const earlier = this.#log.after(after, MOST_EARLIER)
    res.write(earlier.map(lineOf).join(''))
    const stop = this.#goOn(res)
    res.once('close', () => {
      this.#open.delete(res)
      stop()
    })
    res.write(HEARTBEAT)
  }

  /**
   * Ends the oldest stream of the operator who has the most streams.
   *
   * @throws Problem if the new reader would then have as many
   */
  #makeRoom(actor: string): void {
    const streamsOf = (name: string) => [...this.#open].filter(([, owner]) => owner === name)
    const most = [...this.#open.values()].map(streamsOf).reduce((a, b) => (b.length > a.length ? b : a))
    const [oldest] = most[0] ?? []
    if (oldest === undefined || most.length <= streamsOf(actor).length + 1)
      throw new Problem(503, `${MOST_STREAMS} pages are open already. Close some of them.`)
    this.#open.delete(oldest)
    oldest.destroy()
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
