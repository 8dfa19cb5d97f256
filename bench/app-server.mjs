import express from 'express'

/**
 * Serves one candidate of a comparison, in a process of its own: `node PROGRAM NAME`. Its function adds routes to an app,
 * and what it returns goes to the parent. The parent asks by a message for the processor time or the used memory.
 */
export async function serve(candidates) {
  const app = express().set('trust proxy', 'loopback')
  const facts = await candidates[process.argv[2]](app)
  const server = app.listen(0, '127.0.0.1', () => process.send({ port: server.address().port, ...facts }))
  // The connections of a candidate are idle while the others have their turn.
  server.keepAliveTimeout = 0
  process.on('disconnect', () => process.exit())
  process.on('message', (question) => process.send(ANSWERS[question]()))
}

const ANSWERS = {
  /** Microseconds. */
  cpu() {
    const { user, system } = process.cpuUsage()
    return user + system
  },
  /** Bytes. */
  memory() {
    globalThis.gc()
    const { heapUsed, external } = process.memoryUsage()
    return heapUsed + external
  },
}
