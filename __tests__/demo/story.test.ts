import type { Message } from '../../demo-app/story/messages.js'
import { SCENES } from '../../demo-app/story/scenes/scenes.js'
import { itInAll } from '../support/scale.js'
import { launch } from './child.js'
import { openStream, SECRET, type StoryDemo, type Stream, startStoryDemo, until } from './story-client.js'

jest.setTimeout(60_000)

let story: StoryDemo
let stream: Stream

beforeAll(async () => {
  story = await startStoryDemo()
  stream = await openStream(story.port, story.cookie)
})

afterAll(async () => {
  stream?.close()
  await story?.demo.stop()
})

/** Plays a scene, and returns its messages. */
async function play(scene: string): Promise<readonly Message[]> {
  const start = stream.messages.length
  const { status } = await story.askAsPage('/story/api/play', { method: 'POST', body: { scene } })
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

  itInAll(
    'run again: the first key that is missing is stolen anew, and the finding is opened anew',
    async () => {
      const messages = await play('replay')
      const played = messagesOf(messages, 'scene').filter(({ state }) => state === 'played')
      expect(played.map(({ scene }) => scene)).toEqual(['steal', 'replay'])
      expect(findingsOf(messages)).toEqual(['wrong_proof_key', 'replayed_key'])
    },
  )

  it('are shown again to a page that is loaded later', async () => {
    const later = await openStream(story.port, story.cookie)
    await until('the page has everything', () => findingsOf(later.messages).includes('many_networks'))
    later.close()
    const [opening] = messagesOf(later.messages, 'opening')
    expect(opening?.scenes.map(({ id }) => id)).toEqual(SCENES.map(({ id }) => id))
    const played = messagesOf(later.messages, 'scene').filter(({ state }) => state === 'played')
    expect(new Set(played.map(({ scene }) => scene))).toEqual(new Set(SCENES.map(({ id }) => id)))
  })

  it('run one at a time, and only those that exist', async () => {
    const [first, second] = await Promise.all(
      ['enroll', 'guess'].map((scene) =>
        story.askAsPage('/story/api/play', { method: 'POST', body: { scene } }),
      ),
    )
    expect([first?.status, second?.status].sort()).toEqual([202, 409])
    expect((await story.askAsPage('/story/api/reset', { method: 'POST', body: {} })).status).toBe(409)
    for (const body of [{}, { scene: 'none' }, { scene: ['all'] }, { scene: '__proto__' }])
      expect((await story.askAsPage('/story/api/play', { method: 'POST', body })).status).toBe(400)
    await until('no scene is played', () => stream.messages.at(-1)?.type === 'playing')
  })

  itInAll('are all played at a pace that a person can follow, until somebody stops them', async () => {
    const start = stream.messages.length
    const messages = () => stream.messages.slice(start)
    const { status } = await story.askAsPage('/story/api/play', { method: 'POST', body: { scene: 'all' } })
    expect(status).toBe(202)
    await until('the first scene is over', () =>
      messages().some((one) => one.type === 'scene' && one.state === 'played'),
    )
    expect(messagesOf(messages(), 'playing')).toEqual([{ type: 'playing', isPlaying: true, isAll: true }])
    expect((await story.askAsPage('/story/api/stop', { method: 'POST', body: {} })).status).toBe(200)
    await until('no scene is played', () => messages().at(-1)?.type === 'playing')
    expect(messagesOf(messages(), 'playing').at(-1)).toMatchObject({ isPlaying: false })
    expect(new Set(messagesOf(messages(), 'scene').map(({ scene }) => scene))).toEqual(new Set(['enroll']))
  })

  it('have a column only for those who act', async () => {
    const later = await openStream(story.port, story.cookie)
    await until('the page has opened', () => later.messages.length > 0)
    later.close()
    const [opening] = messagesOf(later.messages, 'opening')
    const lanes = Object.fromEntries((opening?.scenes ?? []).map((scene) => [scene.id, scene.lanes]))
    expect(lanes).toMatchObject({
      enroll: ['device', 'server'],
      steal: ['device', 'thief', 'server'],
      guess: ['thief', 'server'],
    })
  })

  it('leave their findings to the operator until the reset', async () => {
    const rules = async () => {
      const { text } = await story.askAsPage('/operator/api/findings')
      return new Set(JSON.parse(text).items.map(({ rule }: { rule: string }) => rule))
    }
    const expected = Object.values(EXPECTED).flatMap(([, findings]) => findings)
    const before = await rules()
    expect(expected.filter((rule) => !before.has(rule))).toEqual([])
    expect((await story.askAsPage('/story/api/reset', { method: 'POST', body: {} })).status).toBe(200)
    const after = await rules()
    expect(expected.filter((rule) => after.has(rule))).toEqual([])
    expect(stream.messages.at(-1)).toEqual({ type: 'reset' })
  })

  itInAll('say so when the operator has locked the client, until the reset', async () => {
    const body = { clientId: 'demo-client', reason: 'a test', kind: 'lock' }
    const { status } = await story.askAsPage('/operator/api/clients/lock', { method: 'POST', body })
    expect(status).toBe(200)
    const [, failed] = messagesOf(await play('enroll'), 'scene')
    expect(failed).toMatchObject({ state: 'failed' })
    expect(failed?.problems.at(-1)).toBe('the operator has locked the client; “Reset” unlocks it')
    await story.askAsPage('/story/api/reset', { method: 'POST', body: {} })
    const [, played] = messagesOf(await play('enroll'), 'scene')
    expect(played).toMatchObject({ state: 'played' })
  })
})

describe('the curl commands of the story', () => {
  itInAll('send the request again when pasted, from the same network', async () => {
    const messages = await play('network')
    const { id, command } = messagesOf(messages, 'request').at(-2) ?? { id: '', command: '' }
    expect(command).toContain("-H 'Authorization: Bearer <published key>'")
    const { text } = await story.askAsPage(`/story/api/commands/${id}`)
    story.events.splice(0)
    const shell = launch('bash', [], { input: `${text.trim()} -H 'X-Forwarded-For: 8.8.8.8'\n` })
    await shell.exited
    expect([shell.stdout(), shell.stderr()]).toEqual([
      expect.stringMatching(/"invalid_token".*\n401\n$/s),
      '',
    ])
    const [refusal] = story.events.filter(({ type }) => type === 'request.refused')
    expect([refusal?.address, refusal?.userAgent]).toEqual(['203.0.113.9', 'python-requests/2.32'])
  })

  it('are refused if they carry a proof, and the page says so before', async () => {
    const requests = messagesOf(await play('enroll'), 'request')
    expect(requests.map(({ hasProof }) => hasProof)).toEqual([true, true, true, true, true])
    const commands = await Promise.all(requests.map(({ id }) => story.askAsPage(`/story/api/commands/${id}`)))
    const shell = launch('bash', [], { input: commands.map(({ text }) => text).join('\n') })
    await shell.exited
    expect(shell.stdout().match(/^\d{3}$/gm)).toEqual(['400', '401', '401', '400', '401'])
    const [asked] = messagesOf(await play('guess'), 'request')
    expect(asked?.hasProof).toBe(false)
  })

  it('all run in a shell', async () => {
    const ids = messagesOf(stream.messages, 'request').map(({ id }) => id)
    const commands = (await Promise.all(ids.map((id) => story.askAsPage(`/story/api/commands/${id}`))))
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
    expect((await story.askAsPage('/story/api/commands/request-0')).status).toBe(404)
  })
})
