/** What monitoring costs: against the same app with `monitoring: false`, and in memory for a million distinct strangers. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { compare } from '../http-load.mjs'
import { line } from '../measure.mjs'
import { issue } from '../our-keys.mjs'
import { repeated, telemetry } from './stack.mjs'

const app = (name, request, prepare) => ({ program: './stack-app.mjs', name, request, prepare })

export async function run() {
  const guard = await compare(
    { on: app('ours', telemetry, repeated), off: app('unmonitored', telemetry, repeated) },
    [{ name: 'guard, repeated key, of monitoring off', ours: 'on', peer: 'off', least: 0.95 }],
  )
  const issuance = await compare({ on: app('ours', issue), off: app('unmonitored', issue) }, [
    { name: 'issue, of monitoring off', ours: 'on', peer: 'off', least: 0.95 },
  ])
  return [...guard, ...issuance, ...(await strangers())]
}

/** In a process of its own, so that nothing else is in its memory. */
async function strangers() {
  const child = fork(new URL('../strangers.mjs', import.meta.url), { execArgv: ['--expose-gc'] })
  const [{ bytes, microseconds }] = await once(child, 'message')
  return [
    line('memory that 950,000 more clients and addresses take', 'bytes each', [bytes], { most: 5 }),
    line('  a refusal and a key of a stranger, all rules', 'us', [microseconds]),
  ]
}
