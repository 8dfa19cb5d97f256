/** Bound 9: what strangers can cost. Each request is answered with a refusal, over HTTP. */
import { COUNT, compare, preparedOnce, start } from '../http-load.mjs'
import { line } from '../measure.mjs'
import { fresh, telemetry } from './stack.mjs'

const refused = { ...telemetry, status: 401 }
const app = { program: './stack-app.mjs', name: 'ours' }
const CANDIDATES = {
  'valid key': { ...app, label: 'request with a valid key', request: telemetry, prepare: fresh },
  forgery: { ...app, label: 'request with a forged key', request: refused, prepare: forgeries },
  headers: {
    ...app,
    label: 'request with 1,500 DPoP headers',
    request: { ...refused, headers: () => ({ DPoP: Array(1_500).fill('a') }) },
    prepare: fresh,
  },
  garbage: {
    ...app,
    label: 'request with text that is no key',
    request: refused,
    prepare: async (send) => (await fresh(send)).map(reversed),
  },
}

export async function run() {
  const costs = await compare(CANDIDATES, [
    { name: 'request with a forged key / with a valid key', ours: 'forgery', peer: 'valid key', most: 1.05 },
    { name: 'request with 1,500 DPoP headers / with a valid key', ours: 'headers', peer: 'valid key' },
    {
      name: 'request with text that is no key / with a valid key',
      ours: 'garbage',
      peer: 'valid key',
      most: 1,
    },
  ])
  return [...costs, await growth('forgery'), await growth('garbage')]
}

/** Keys with a signature of another key. */
async function forgeries(send) {
  const keys = (await fresh(send)).map((key) => key.split('.'))
  return keys.map(([header, payload], i) => [header, payload, keys.at(i - 1)[2]].join('.'))
}

function reversed(text) {
  return [...text].reverse().join('')
}

/** The bytes for each refused request that stay in memory. Issuing the keys takes memory, so the same ones come again. */
async function growth(name) {
  const { request, prepare } = CANDIDATES[name]
  const attacked = await start({ ...app, request, prepare: preparedOnce(prepare) })
  await rounds(attacked, 30)
  const before = await attacked.memory()
  await rounds(attacked, 60)
  const bytes = ((await attacked.memory()) - before) / (60 * COUNT)
  attacked.close()
  return line(`memory that each ${CANDIDATES[name].label} leaves in use`, 'bytes', [bytes], { most: 5 })
}

async function rounds({ round }, count) {
  for (let i = 0; i < count; i += 1) await round()
}
