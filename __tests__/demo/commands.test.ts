import { itInAll } from '../support/scale.js'
import { type Demo, launch, startDemo } from './child.js'

jest.setTimeout(30_000)

const SECRET_LINE = /^ {6}export DEMO_CLIENT_SECRET='([\w-]{43})'$/m

/** The indented commands, by the number of their example; 0 for those before the first. */
function printedCommands(text: string): Map<number, string> {
  const commands = new Map<number, string>()
  let number = 0
  for (const line of text.split('\n')) {
    number = Number(/^ {2}( \d|\d\d)\. /.exec(line)?.[1] ?? number)
    if (line.startsWith('      ')) commands.set(number, `${commands.get(number) ?? ''}${line.slice(6)}\n`)
  }
  return commands
}

/** Pastes all commands into one shell, and returns the output of each example. */
async function paste(demo: Demo, env: Record<string, string> = {}): Promise<(example: number) => string> {
  const input = [...printedCommands(demo.stdout())]
    .map(([number, lines]) => `echo '=== ${number}'\n${lines}`)
    .join('')
  const shell = launch('bash', [], { env, input })
  await shell.exited
  expect(shell.stderr()).toBe('')
  const outputs = new Map<number, string>()
  for (const part of shell.stdout().split(/^=== /m).slice(1)) {
    const [number, ...lines] = part.split('\n')
    outputs.set(Number(number), lines.join('\n'))
  }
  return (example) => outputs.get(example) ?? ''
}

/** The expected output of each example: statuses, and texts in the answers. */
const EXPECTED: readonly [example: number, statuses: readonly number[], contents: readonly RegExp[]][] = [
  [1, [200], [/"access_token":"eyJ/, /"expires_in":300,"scope":"devices:create"/]],
  [2, [], [/^$/]],
  [3, [200], [/"active":true.*"scope":"devices:create"/]],
  [4, [200], [/"scope":\["devices:create"\].*"keyId"/]],
  [5, [201], [/"name":"lamp"/]],
  [6, [200, 200], [/"report_every_seconds":60/, /"active":true.*"scope":"config:read"/]],
  [7, [201], [/"client_name":"lamp".*"client_secret"/]],
  [8, [201], [/"client_id":"device:\d+".*"jkt"/]],
  [9, [401], [/"error":"invalid_token"/]],
  [10, [400, 401, 200], [/"error":"invalid_request"/, /"error":"invalid_token"/, /\{"active":false\}/]],
  [11, [403, 401], [/"HTTPS is required."/, /"error":"invalid_token"/]],
  [12, [200, 401], [/"audience":"https:\/\/localhost:\d+\/warehouse"/, /"error":"invalid_token"/]],
  [13, [200, 200, 200], [/"token_endpoint"/, /"authorization_servers"/, /"kty":"EC"/]],
]

describe('the text that the demo prints', () => {
  let demo: Demo

  beforeAll(async () => {
    demo = await startDemo()
  })

  afterAll(async () => {
    demo.kill('SIGTERM')
    await demo.exited
  })

  it('fits 100 columns, without colours if there is no terminal', () => {
    expect(
      demo
        .stdout()
        .split('\n')
        .filter((line) => line.length > 100),
    ).toEqual([])
    expect(demo.stdout()).not.toContain('\x1b')
  })

  it('shows the random secret once', () => {
    const [, secret = ''] = SECRET_LINE.exec(demo.stdout()) ?? []
    expect(demo.stdout().split(secret)).toHaveLength(2)
  })

  it('has the link to the page too', () => {
    expect(demo.stdout()).toContain(`http://localhost:${demo.httpPort}/story/?token=`)
  })

  it('exports its URL and names its HTTP port for the tour, so that it finds this demo', () => {
    const { port, httpPort } = demo
    expect(demo.stdout()).toContain(`\n      export DEMO_URL=https://localhost:${port}\n`)
    expect(demo.stdout()).toContain(`\n  HTTP_PORT=${httpPort} npm run demo:tour\n`)
  })

  it('has commands that do what their titles say, when pasted into bash', async () => {
    const output = await paste(demo)
    for (const [example, statuses, contents] of EXPECTED) {
      const text = output(example)
      expect([example, [...text.matchAll(/^\d{3}$/gm)].map(([status]) => Number(status))]).toEqual([
        example,
        statuses,
      ])
      for (const content of contents) expect(text).toMatch(content)
    }
  })

  it('is followed by events, which name keys and never contain them', () => {
    const events = demo.stdout().slice(demo.stdout().indexOf('Ctrl-C'))
    expect(events).toMatch(/ key\.issued +key=[\w-]+ client=demo-client$/m)
    expect(events).toMatch(/ key\.replayed +key=[\w-]+ client=demo-client family revoked$/m)
    expect(events).toMatch(/ key\.exposed +key=[\w-]+ client=demo-client revoked$/m)
    expect(events).toMatch(/ request\.refused +401 audience_wrong key=[\w-]+ client=demo-client$/m)
    expect(events).not.toMatch(/eyJ[\w-]+\.[\w-]+/)
    expect(events.split('\n').filter((line) => line.length > 100)).toEqual([])
    expect(demo.stderr()).toBe('')
  })
})

itInAll(
  'prints commands for an id and a secret that need encoding, and never prints a given secret',
  async () => {
    const env = {
      DEMO_CLIENT_ID: "it's a+client:50%",
      DEMO_CLIENT_SECRET: 'p+ss/w0rd="$HOME" \\n%41 and more',
    }
    const demo = await startDemo(env)
    try {
      expect(demo.stdout()).not.toContain('p+ss')
      expect(demo.stdout()).not.toMatch(/export DEMO_CLIENT_SECRET/)
      const output = await paste(demo, { DEMO_CLIENT_SECRET: env.DEMO_CLIENT_SECRET })
      for (const [example, statuses] of EXPECTED) {
        expect([...output(example).matchAll(/^\d{3}$/gm)].map(([status]) => Number(status))).toEqual(statuses)
      }
    } finally {
      demo.kill('SIGTERM')
      await demo.exited
    }
  },
)

it('prints one link, and no events, without --commands', async () => {
  const demo = await startDemo({}, [])
  try {
    expect(demo.stdout().match(/https?:\/\/\S+/g)).toEqual([
      expect.stringMatching(/^http:\/\/localhost:\d+\/story\/\?token=[\w-]{43}$/),
    ])
    expect(demo.stdout().split('\n').length).toBeLessThan(12)
    expect((await fetch(`http://localhost:${demo.httpPort}/`)).status).toBe(403)
    expect(demo.stdout().trimEnd()).toMatch(/ Press Ctrl-C to stop the demo\.$/)
  } finally {
    demo.kill('SIGTERM')
    await demo.exited
  }
})
