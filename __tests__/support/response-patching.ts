import { Transform } from 'node:stream'
import type { RequestHandler } from 'express'

type Listener = (...args: unknown[]) => void

/**
 * A middleware that patches a response as `compression` and `on-headers` do. It sends the body through its own stream,
 * which answers later and gets the 'drain' listeners. The bytes do not change.
 */
export function compressing(): RequestHandler {
  return function compress(_req, res, next) {
    const original = { writeHead: res.writeHead, write: res.write, end: res.end, on: res.on }
    const waiting: Listener[] = []
    let stream: Transform | undefined
    let begun = false

    function begin(): void {
      if (begun) return
      begun = true
      res.setHeader('X-Compressed', 'yes')
      if (res.statusCode === 204) return
      res.removeHeader('Content-Length')
      const transform = (chunk: Buffer, _: string, done: (error: null, chunk: Buffer) => void) =>
        void setImmediate(() => done(null, chunk))
      const made = new Transform({ highWaterMark: 16 * 1024, transform })
      stream = made
      made.setMaxListeners(0)
      for (const listener of waiting) made.on('drain', listener)
      made.on('data', (chunk) => {
        if (!original.write.call(res, chunk, 'utf8')) made.pause()
      })
      made.on('end', () => original.end.call(res, undefined, 'utf8'))
      original.on.call(res, 'drain', () => made.resume())
    }

    Object.assign(res, {
      writeHead(...args: Parameters<typeof res.writeHead>) {
        if (typeof args[0] === 'number') res.statusCode = args[0]
        begin()
        return original.writeHead.apply(res, args)
      },
      on(event: string, listener: Listener) {
        if (event !== 'drain') return original.on.call(res, event, listener)
        if (stream !== undefined) stream.on('drain', listener)
        else waiting.push(listener)
        return res
      },
      write(chunk: Buffer | string, encoding?: BufferEncoding) {
        begin()
        return stream === undefined
          ? original.write.call(res, chunk, encoding ?? 'utf8')
          : stream.write(Buffer.from(chunk as string, encoding))
      },
      end(chunk?: Buffer | string, encoding?: BufferEncoding) {
        begin()
        if (stream === undefined) return original.end.call(res, chunk, encoding ?? 'utf8')
        return chunk === undefined ? stream.end() : stream.end(Buffer.from(chunk as string, encoding))
      },
    })
    next()
  }
}
