import { launch } from './child.js'
import { ask, SAME_ORIGIN, type StoryDemo, startStoryDemo, until } from './story-client.js'

jest.setTimeout(60_000)

let story: StoryDemo
let port: number
let cookie: string

beforeAll(async () => {
  story = await startStoryDemo()
  port = story.port
  cookie = story.cookie
})

afterAll(() => story?.demo.stop())

describe('the link of the story', () => {
  it('exchanges its token for a cookie, and leaves no token in the URL', async () => {
    const { pathname, search } = new URL(story.link)
    expect(search).toMatch(/^\?token=[\w-]{43}$/)
    const { status, headers } = await ask(port, pathname + search)
    expect([status, headers.location]).toEqual([303, '/story/'])
    expect(headers['set-cookie']).toEqual([
      expect.stringMatching(/^demo_story_\d+=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict$/),
    ])
    expect(headers['set-cookie']?.[0]).not.toContain(search.slice('?token='.length))
  })

  it('opens the page, which may load only its own files', async () => {
    const { status, headers, text } = await story.askAsPage('/story/')
    expect([status, headers['cache-control']]).toEqual([200, 'no-store'])
    expect(headers['content-security-policy']).toBe(
      "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; " +
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'; " +
        "trusted-types 'none'",
    )
    expect(text).not.toMatch(/<script>|style=|onclick=|https?:\/\//)
    expect((await story.askAsPage('/story')).headers.location).toBe('/story/')
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
    const { pathname, search } = new URL(story.link)
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
      expect([path, (await story.askAsPage(path)).status]).toEqual([path, 403])
    for (const path of ['/story/../main.ts', '/story/%2e%2e/story.ts', '/story/scene.ts', '/story/api'])
      expect([path, (await story.askAsPage(path)).text]).toEqual([path, 'There is no such page.\n'])
  })

  it('does not exist for HTTPS', async () => {
    const shell = launch('curl', ['-ksS', '-H', `Cookie: ${cookie}`, `${story.demo.origin}/story/`], {})
    await shell.exited
    expect(shell.stdout()).toContain('"error":"not_found"')
  })
})

it('does not trust X-Forwarded-For at the ports of the demo itself', async () => {
  story.events.splice(0)
  const spoofed = ['-H', 'X-Forwarded-For: 198.51.100.7', '-H', 'Authorization: Bearer x']
  const shell = launch('curl', ['-ksS', ...spoofed, `${story.demo.origin}/whoami`], {})
  await shell.exited
  await until('the refusal is there', () => story.events.some(({ type }) => type === 'request.refused'))
  expect(story.events.find(({ type }) => type === 'request.refused')?.address).toMatch(/^(127\.0\.0\.1|::1)$/)
})
