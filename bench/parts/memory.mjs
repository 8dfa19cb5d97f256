/**
 * The memory store: bytes of a key, the longest time in which nothing else runs while keys expire, and the slowest
 * answers over HTTP with many keys.
 */
import { fork } from 'node:child_process'
import { Agent, request } from 'node:http'
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { memoryStore } from 'express-provisioning-keys'
import { line } from '../measure.mjs'
import { fill, ipv4NetworkOf, ipv6NetworkOf, keyOf } from '../memory-keys.mjs'
import { issue } from '../our-keys.mjs'

const MILLION = 1_000_000
const KEYS = 200_000
/** Some second. Only the servers have the real time. */
const START = 1_760_000_000
const RUNS = 3
const LATENCY_ROUNDS = 5
const REQUESTS = 1_000

export async function run() {
  return [...(await bytes()), ...(await blocking()), ...(await latency())]
}

async function bytes() {
  // Bytes differ little from run to run.
  const outstanding = (clients, kind) => repeat(2, () => bytesOfKey({ clients, ...kind }))
  const redeemed = (clients, kind) => outstanding(clients, { ...kind, redeemed: true })
  const [ipv4, ipv6] = [{ networkOf: ipv4NetworkOf }, { networkOf: ipv6NetworkOf }]
  return [
    line('unused key, 1,000 clients', 'bytes', await outstanding(1_000), { most: 260 }),
    line('unused key, one per client', 'bytes', await outstanding(KEYS), { most: 260 }),
    line('unused key, one network per client', 'bytes', await outstanding(KEYS, ipv4), { most: 260 }),
    line('unused key, one IPv6 network per client', 'bytes', await outstanding(KEYS, ipv6), {
      most: 260,
    }),
    line('unused key, two per client', 'bytes', await outstanding(KEYS / 2)),
    line('redeemed key, 1,000 clients', 'bytes', await redeemed(1_000), { most: 380 }),
    line('redeemed key, one per client', 'bytes', await redeemed(KEYS), { most: 380 }),
    line('redeemed key, one network per client', 'bytes', await redeemed(KEYS, ipv4), { most: 380 }),
  ]
}

async function bytesOfKey(kind) {
  const store = memoryStore({ maxKeys: MILLION, now: () => START * 1_000 + 123 })
  const before = await bytesInUse()
  await fill(store, { count: KEYS, now: START, ...kind })
  const used = (await bytesInUse()) - before
  // The store must live until here.
  await store.find(keyOf(0, START))
  return used / KEYS
}

async function bytesInUse() {
  for (let i = 0; i < 3; i += 1) {
    globalThis.gc()
    await nextTurn()
  }
  const { heapUsed, external, arrayBuffers } = process.memoryUsage()
  return heapUsed + external + arrayBuffers
}

async function blocking() {
  const [together, spread, waits] = [[], [], []]
  for (let i = 0; i < RUNS; i += 1) {
    together.push(await gapOfExpiry({ ends: 1, call: (store) => store.find(keyOf(0, START)) }))
    spread.push(await gapOfExpiry({ ends: 300, call: (store) => store.find(keyOf(0, START)) }))
    waits.push(await gapOfExpiry({ ends: 1, call: recordIntoFullStore }))
  }
  const idle = await repeat(RUNS, () => longestGap(workFor(700)))
  const gap = (name, runs) => line(name, 'ms', gapsOf(runs), { most: 5 })
  return [
    gap('longest pause while 1,000,000 keys expire in one second', together),
    gap('longest pause while 1,000,000 keys expire within 300 s', spread),
    gap('longest pause when the process issues a key after 1,000,000 keys have expired', waits),
    line('longest pause without the store', 'ms', idle),
    line(
      'time to issue a key after 1,000,000 keys have expired',
      'ms',
      waits.map(({ answered }) => answered),
    ),
  ]
}

/** Works for half a millisecond in each turn, as the sweep does: it shows what other load on the machine adds. */
function workFor(milliseconds) {
  return (elapsed) => {
    const end = performance.now() + 0.5
    while (elapsed < milliseconds && performance.now() < end);
    return elapsed < milliseconds
  }
}

function gapsOf(runs) {
  return runs.map(({ gap }) => gap)
}

/** Lets a million keys of 1,000 clients expire. The event loop turns as fast as it can. */
async function gapOfExpiry({ ends, call }) {
  const clock = { seconds: START }
  const store = memoryStore({ maxKeys: MILLION, now: () => clock.seconds * 1_000 })
  await fill(store, { count: MILLION, clients: 1_000, now: START, endsIn: ends, ends })
  await bytesInUse()
  // V8 goes on for a while after a collection.
  await pause(500)
  const times = { answered: undefined }
  // If they do not end all at once, the clock moves forward by one second every 10 ms. Each second has one call.
  const gap = await longestGap((elapsed) => {
    const seconds = Math.min(START + ends + 1, START + 2 + Math.floor(elapsed / 10))
    if (seconds === clock.seconds) return seconds <= START + ends
    clock.seconds = seconds
    void call(store).then(() => (times.answered ??= performance.now() - times.asked))
    times.asked ??= performance.now()
    return true
  })
  return { gap, answered: times.answered }
}

/**
 * The longest time between two turns of the event loop, until nothing happens any more. Of each, the processor time
 * counts if it is shorter, so that less of the other load on the machine counts. The loop makes little garbage, since
 * its collection would count too.
 *
 * @param act returns whether it will do more
 */
async function longestGap(act) {
  const started = performance.now()
  let gap = 0
  let [before, busyBefore] = [started, processorMilliseconds()]
  for (let shortTurns = 0; shortTurns < 1_000; ) {
    const goesOn = act(before - started)
    await nextTurn()
    const [after, busyAfter] = [performance.now(), processorMilliseconds()]
    gap = Math.max(gap, Math.min(after - before, busyAfter - busyBefore))
    shortTurns = goesOn || after - before > 0.1 ? 0 : shortTurns + 1
    before = after
    busyBefore = busyAfter
  }
  return gap
}

function processorMilliseconds() {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1_000
}

async function recordIntoFullStore(store) {
  const outcome = await store.record(keyOf(0, START + 600), { outstanding: 1_000 })
  if (outcome !== 'recorded') throw new Error(`record answered ${outcome}`)
}

async function latency() {
  const servers = await Promise.all([1_000, MILLION].map(startServer))
  const bound = { most: 1.2 }
  const guard = await p99Ratios(servers, (server, i) => guarded(server, server.keys[i % server.keys.length]))
  const issue = await p99Ratios(servers, (server) => issueKey(server))
  for (const server of servers) server.stop()
  return [
    line('guard, 1,000,000 keys / 1,000 keys: slowest 1 %', 'x', guard, bound),
    line('issue, 1,000,000 keys / 1,000 keys: slowest 1 %', 'x', issue, bound),
  ]
}

/** The servers answer in turn, so that other load on the machine affects them equally. */
async function p99Ratios([few, many], send) {
  const ratios = []
  for (let round = -1; round < LATENCY_ROUNDS; round += 1) {
    const times = { few: [], many: [] }
    for (let i = 0; i < REQUESTS; i += 1) {
      times.few.push(await timeOf(() => send(few, i)))
      times.many.push(await timeOf(() => send(many, i)))
    }
    if (round >= 0) ratios.push(p99(times.many) / p99(times.few))
  }
  return ratios
}

async function timeOf(act) {
  const started = performance.now()
  await act()
  return performance.now() - started
}

function p99(times) {
  return times.sort((a, b) => a - b)[Math.floor(0.99 * times.length)]
}

async function startServer(count) {
  const app = fork(fileURLToPath(new URL('../memory-app.mjs', import.meta.url)), [String(count)])
  const { port } = await new Promise((resolve) => app.once('message', resolve))
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const server = { port, agent, keys: [], stop: () => app.kill() }
  server.keys = await repeat(200, async () => JSON.parse(await issueKey(server)).access_token)
  return server
}

function issueKey(server) {
  const form = `${issue.body()}&requested_expiry=900`
  return send(server, { method: 'POST', path: issue.path, headers: issue.headers() }, { form, status: 200 })
}

function guarded(server, key) {
  return send(server, { path: '/guarded', headers: { Authorization: `Bearer ${key}` } }, { status: 204 })
}

function send({ port, agent }, { headers, ...target }, { form, status }) {
  const options = { host: '127.0.0.1', port, agent, headers: { 'X-Forwarded-Proto': 'https', ...headers } }
  return new Promise((resolve, reject) => {
    const sent = request({ ...options, ...target }, async (response) => {
      let text = ''
      for await (const chunk of response.setEncoding('utf8')) text += chunk
      if (response.statusCode === status) resolve(text)
      else reject(new Error(`${target.path} answered ${response.statusCode} ${text}`))
    })
    sent.on('error', reject).end(form)
  })
}

async function repeat(times, act) {
  const results = []
  for (let i = 0; i < times; i += 1) results.push(await act())
  return results
}
