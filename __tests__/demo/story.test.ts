import { setTimeout as sleep } from 'node:timers/promises'
import type { ProvisioningEvent } from 'express-provisioning-keys'
import { readEnvironment } from '../../demo-app/environment.js'
import { type RunningDemo, startDemo } from '../../demo-app/server.js'
import type { Message } from '../../demo-app/story/messages.js'
import { SCENES } from '../../demo-app/story/scenes/scenes.js'
import { launch } from './child.js'
import { type Ask, ask, cookieFor, openStream, type Stream } from './story-client.js'

jest.setTimeout(60_000)

const SECRET = 'a-secret-of-the-story-and-of-nobody-else'
const SAME_ORIGIN = { 'sec-fetch-site': 'same-origin' }

let demo: RunningDemo
let link: string
let port: number
let cookie: string
let stream: Stream
const events: ProvisioningEvent[] = []

beforeAll(async () => {
  const environment = readEnvironment({ PORT: '0', HTTP_PORT: '0', DEMO_CLIENT_SECRET: SECRET })
  demo = await startDemo(environment, { observer: (event) => events.push(event), hasStory: true })
  link = demo.storyUrl ?? ''
  port = Number(new URL(link).port)
  cookie = await cookieFor(link)
  stream = await openStream(port, cookie)
})

afterAll(async () => {
  stream?.close()
  await demo?.stop()
})

const askAsPage = (path: string, options: Ask = {}) =>
  ask(port, path, { ...options, headers: { cookie, ...SAME_ORIGIN, ...options.headers } })

async function until(what: string, holds: () => boolean): Promise<void> {
  for (const deadline = Date.now() + 15_000; !holds(); await sleep(10))
    if (Date.now() > deadline) throw new Error(`timed out waiting until ${what}`)
}

/** Plays a scene, and returns its messages. */
async function play(scene: string): Promise<readonly Message[]> {
  const start = stream.messages.length
  const { status } = await askAsPage('/story/api/play', { method: 'POST', body: { scene } })
  expect(status).toBe(202)
  const messages = () => stream.messages.slice(start)
  await until(`${scene} is over`, () =>
    messages().some((message) => message.type === 'playing' && !message.isPlaying),
  )
  return messages()
}

function messagesOf<T extends Message['type']>(messages: readonly Message[], type: T) {
  return messages.filter((message): message is Extract<Message, { type: T }> => message.type === type)
}

describe('the link of the story', () => {
  it('exchanges its token for a cookie, and leaves no token in the URL', async () => {
    const { pathname, search } = new URL(link)
    expect(search).toMatch(/^\?token=[\w-]{43}$/)
    const { status, headers } = await ask(port, pathname + search)
    expect([status, headers.location]).toEqual([303, '/story/'])
    expect(headers['set-cookie']).toEqual([
      expect.stringMatching(/^demo_story_\d+=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict$/),
    ])
    expect(headers['set-cookie']?.[0]).not.toContain(search.slice('?token='.length))
  })

  it('opens the page, which may load only its own files', async () => {
    const { status, headers, text } = await askAsPage('/story/')
    expect([status, headers['cache-control']]).toEqual([200, 'no-store'])
    expect(headers['content-security-policy']).toBe(
      "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; " +
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'; " +
        "trusted-types 'none'",
    )
    expect(text).not.toMatch(/<script>|style=|onclick=|https?:\/\//)
    expect((await askAsPage('/story')).headers.location).toBe('/story/')
  })

  it.each(['/story/', '/story/main.mjs', '/story/api/stream', '/operator/', '/operator/api/findings'])(
    'is necessary for %s',
    async (path) => {
      const wrong = [{}, { cookie: `demo_story_${port}=${'x'.repeat(43)}` }, { cookie: 'demo_story=1' }]
      for (const headers of wrong) expect((await ask(port, path, { headers })).status).toBe(403)
      expect((await ask(port, `${path}?token=${'x'.repeat(43)}`)).status).toBe(403)
    },
  )
})

describe('the listener of the story', () => {
  it('answers only for the names of this machine, so that no website can use it by DNS rebinding', async () => {
    const statusFor = async (host: string, path: string) =>
      (await ask(port, path, { headers: { cookie, host } })).status
    for (const host of [`localhost:${port}`, `127.0.0.1:${port}`, `[::1]:${port}`])
      expect(await statusFor(host, '/story/')).toBe(200)
    for (const host of [`evil.example:${port}`, 'localhost', `localhost:${port + 1}`, '127.0.0.1'])
      for (const path of ['/story/', '/operator/'])
        expect([host, await statusFor(host, path)]).toEqual([host, 403])
    const { pathname, search } = new URL(link)
    expect(await statusFor(`evil.example:${port}`, pathname + search)).toBe(403)
  })

  it.each([
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
    { 'sec-fetch-site': 'none' },
    { origin: 'http://evil.example' },
    { origin: 'null' },
    {},
  ])('refuses a POST that another website may have caused: %j', async (headers) => {
    for (const path of ['/story/api/play', '/story/api/reset']) {
      const body = { scene: 'enroll' }
      const answer = await ask(port, path, { method: 'POST', headers: { cookie, ...headers }, body })
      expect([answer.status, answer.text]).toEqual([
        403,
        'Only the pages of the demo may send this request.\n',
      ])
    }
  })

  it('accepts a POST of the page, from browsers with and without Sec-Fetch-Site', async () => {
    for (const headers of [SAME_ORIGIN, { origin: `http://localhost:${port}` }]) {
      const options = { method: 'POST', headers: { cookie, ...headers }, body: {} }
      expect((await ask(port, '/story/api/reset', options)).status).toBe(200)
    }
  })

  it('refuses all other paths, and files outside of the page', async () => {
    for (const path of ['/', '/metrics', '/storybook', '/oauth/token', '/operators'])
      expect([path, (await askAsPage(path)).status]).toEqual([path, 403])
    for (const path of ['/story/../main.ts', '/story/%2e%2e/story.ts', '/story/scene.ts', '/story/api'])
      expect([path, (await askAsPage(path)).text]).toEqual([path, 'There is no such page.\n'])
  })

  it('does not exist for HTTPS', async () => {
    const shell = launch('curl', ['-ksS', '-H', `Cookie: ${cookie}`, `${demo.origin}/story/`], {})
    await shell.exited
    expect(shell.stdout()).toContain('"error":"not_found"')
  })
})

/** The requests of each scene, by lane and status, and the rules of its findings. */
const EXPECTED: Readonly<Record<string, readonly [requests: string, findings: readonly string[]]>> = {
  enroll: ['device 200, device 201, device 200, device 200, device 200', []],
  steal: ['device 200, device 200, thief 401, thief 401, device 201', ['wrong_proof_key']],
  replay: ['device 200, device 200, thief 400, device 401', ['replayed_key']],
  lose: ['device 200, device cut, device 201, device 201, device 200', []],
  cleartext: ['device 200, device 403, thief 401', ['cleartext_exposure']],
  forge: ['device 200, thief 401, thief 401', ['forged_key']],
  guess: ['thief 401', ['client_guessing']],
  network: ['device 200, device 200, thief 200, thief 200, device 401', ['network_changed', 'many_networks']],
}

function requestsOf(messages: readonly Message[]): string {
  const responses = messagesOf(messages, 'response')
  return messagesOf(messages, 'request')
    .map(({ id, lane }) => `${lane} ${responses.find((response) => response.id === id)?.status ?? 'cut'}`)
    .join(', ')
}

function findingsOf(messages: readonly Message[]): readonly string[] {
  return [...new Set(messagesOf(messages, 'finding').map(({ rule }) => rule))]
}

describe('the scenes', () => {
  it.each(SCENES.map(({ id }) => id))('%s sends its requests, and leads to its findings', async (id) => {
    const messages = await play(id)
    const [requests, findings] = EXPECTED[id] ?? []
    expect([requestsOf(messages), findingsOf(messages)]).toEqual([requests, findings])
    expect(messagesOf(messages, 'scene')).toEqual([
      { type: 'scene', scene: id, state: 'playing', problems: [] },
      { type: 'scene', scene: id, state: 'played', problems: [] },
    ])
  })

  it('never stream a secret', () => {
    const text = JSON.stringify(stream.messages)
    expect(text).not.toMatch(/eyJ[\w-]+\.[\w-]+/)
    expect(text).not.toContain(SECRET)
    expect(text).not.toContain('<unexpected')
  })

  it('run again: the first key that is missing is stolen anew, and the finding is opened anew', async () => {
    const messages = await play('replay')
    const played = messagesOf(messages, 'scene').filter(({ state }) => state === 'played')
    expect(played.map(({ scene }) => scene)).toEqual(['steal', 'replay'])
    expect(findingsOf(messages)).toEqual(['wrong_proof_key', 'replayed_key'])
  })

  it('are shown again to a page that is loaded later', async () => {
    const later = await openStream(port, cookie)
    await until('the page has everything', () => findingsOf(later.messages).includes('many_networks'))
    later.close()
    const [opening] = messagesOf(later.messages, 'opening')
    expect(opening?.scenes.map(({ id }) => id)).toEqual(SCENES.map(({ id }) => id))
    const played = messagesOf(later.messages, 'scene').filter(({ state }) => state === 'played')
    expect(new Set(played.map(({ scene }) => scene))).toEqual(new Set(SCENES.map(({ id }) => id)))
  })

  it('run one at a time, and only those that exist', async () => {
    const [first, second] = await Promise.all(
      ['enroll', 'guess'].map((scene) => askAsPage('/story/api/play', { method: 'POST', body: { scene } })),
    )
    expect([first?.status, second?.status].sort()).toEqual([202, 409])
    expect((await askAsPage('/story/api/reset', { method: 'POST', body: {} })).status).toBe(409)
    for (const body of [{}, { scene: 'none' }, { scene: ['all'] }, { scene: '__proto__' }])
      expect((await askAsPage('/story/api/play', { method: 'POST', body })).status).toBe(400)
    await until('no scene is played', () => stream.messages.at(-1)?.type === 'playing')
  })

  it('leave their findings to the operator until the reset', async () => {
    const rules = async () => {
      const { text } = await askAsPage('/operator/api/findings')
      return new Set(JSON.parse(text).items.map(({ rule }: { rule: string }) => rule))
    }
    const expected = Object.values(EXPECTED).flatMap(([, findings]) => findings)
    const before = await rules()
    expect(expected.filter((rule) => !before.has(rule))).toEqual([])
    expect((await askAsPage('/story/api/reset', { method: 'POST', body: {} })).status).toBe(200)
    const after = await rules()
    expect(expected.filter((rule) => after.has(rule))).toEqual([])
    expect(stream.messages.at(-1)).toEqual({ type: 'reset' })
  })
})

describe('the curl commands of the story', () => {
  it('send the request again when pasted, from the same network', async () => {
    const messages = await play('network')
    const { id, command } = messagesOf(messages, 'request').at(-2) ?? { id: '', command: '' }
    expect(command).toContain("-H 'Authorization: Bearer <published key>'")
    const { text } = await askAsPage(`/story/api/commands/${id}`)
    events.splice(0)
    const shell = launch('bash', [], { input: `${text.trim()} -H 'X-Forwarded-For: 8.8.8.8'\n` })
    await shell.exited
    expect([shell.stdout(), shell.stderr()]).toEqual([
      expect.stringMatching(/"invalid_token".*\n401\n$/s),
      '',
    ])
    const [refusal] = events.filter(({ type }) => type === 'request.refused')
    expect([refusal?.address, refusal?.userAgent]).toEqual(['203.0.113.9', 'python-requests/2.32'])
  })

  it('all run in a shell', async () => {
    const ids = messagesOf(stream.messages, 'request').map(({ id }) => id)
    const commands = (await Promise.all(ids.map((id) => askAsPage(`/story/api/commands/${id}`))))
      .filter(({ status }) => status === 200)
      .map(({ text }) => text)
    expect(commands.length).toBeGreaterThan(4)
    const shell = launch('bash', [], { input: commands.join('\n') })
    await shell.exited
    expect(shell.stderr()).toBe('')
    expect(shell.stdout().match(/^[2-4]\d\d$/gm)).toHaveLength(commands.length)
  })

  it('cause events that the page shows apart from the scenes', () => {
    const outside = messagesOf(stream.messages, 'event').filter(({ scene }) => scene === undefined)
    expect(outside.map(({ event }) => event)).toContain('request.refused')
  })

  it('do not exist for other requests', async () => {
    expect((await askAsPage('/story/api/commands/request-0')).status).toBe(404)
  })
})

it('does not trust X-Forwarded-For at the ports of the demo itself', async () => {
  events.splice(0)
  const spoofed = ['-H', 'X-Forwarded-For: 198.51.100.7', '-H', 'Authorization: Bearer x']
  const shell = launch('curl', ['-ksS', ...spoofed, `${demo.origin}/whoami`], {})
  await shell.exited
  await until('the refusal is there', () => events.some(({ type }) => type === 'request.refused'))
  expect(events.find(({ type }) => type === 'request.refused')?.address).toMatch(/^(127\.0\.0\.1|::1)$/)
})
