/** What monitoring costs: against the same app with `monitoring: false`, and in memory for a million distinct strangers. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { compare, preparedOnce } from '../http-load.mjs'
import { line } from '../measure.mjs'
import { issue } from '../our-keys.mjs'
import { oneKey, telemetry } from './stack.mjs'

const app = (name, label, request, prepare) => ({ program: './stack-app.mjs', name, label, request, prepare })

export async function run() {
  const guard = await compare(
    {
      on: app('ours', 'guard, with monitoring', telemetry, preparedOnce(oneKey)),
      off: app('unmonitored', 'guard, without monitoring', telemetry, preparedOnce(oneKey)),
    },
    [{ name: 'guard, with monitoring / without monitoring', ours: 'on', peer: 'off', least: 0.95 }],
  )
  const issuance = await compare(
    {
      on: app('ours', 'issue, with monitoring', issue),
      off: app('unmonitored', 'issue, without monitoring', issue),
    },
    [{ name: 'issue, with monitoring / without monitoring', ours: 'on', peer: 'off', least: 0.95 }],
  )
  return [...guard, ...issuance, ...(await strangers())]
}

/** In a process of its own, so that nothing else is in its memory. */
async function strangers() {
  const child = fork(new URL('../strangers.mjs', import.meta.url), { execArgv: ['--expose-gc'] })
  const [{ bytes, microseconds }] = await once(child, 'message')
  return [
    line('memory for each of 950,000 more clients and addresses', 'bytes', [bytes], { most: 5 }),
    line('time of all rules for one refusal and one new key', 'us', [microseconds]),
  ]
}
