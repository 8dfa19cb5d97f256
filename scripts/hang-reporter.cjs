/**
 * A reporter for Jest that ends a run in which no test file has ended for ten minutes. It prints the files that did not
 * end and all processes. Jest has no limit for a file that blocks its process.
 */
const { execFileSync } = require('node:child_process')

const MINUTE = 60_000

module.exports = class HangReporter {
  #running = new Set()
  #timer

  constructor(_config, { minutes = 10 } = {}) {
    this.#timer = setTimeout(() => this.#end(minutes), minutes * MINUTE).unref()
  }

  onTestFileStart({ path }) {
    this.#running.add(path)
  }

  onTestFileResult({ path }) {
    this.#running.delete(path)
    this.#timer.refresh()
  }

  #end(minutes) {
    console.error(`No test file has ended for ${minutes} minutes. These are running:`)
    for (const path of this.#running) console.error(`  ${path}`)
    if (process.platform !== 'win32')
      console.error(execFileSync('ps', ['-eo', 'pid,ppid,etime,args'], { encoding: 'utf8' }))
    process.exit(1)
  }
}
