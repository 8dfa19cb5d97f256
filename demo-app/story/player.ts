import { setTimeout as sleep } from 'node:timers/promises'
import type { ProvisioningEvent, ProvisioningKeys } from 'express-provisioning-keys'
import { eventDetails } from '../event-lines'
import { perform } from '../requests/exchange'
import { type Redaction, redaction } from '../requests/redaction'
import { answerLines } from '../requests/request-text'
import type { Answer, Trust } from '../requests/send'
import type { Call, Site } from '../requests/step'
import { ADDRESSES } from './actors'
import { curlCommand } from './curl'
import type { Feed } from './feed'
import type { Gates } from './gates'
import { type Pace, Pauses, QUICK } from './pace'
import type { Beat, Request, Scene, SceneId, World } from './scene'
import { SCENES } from './scenes/scenes'

export interface PlayerOptions {
  readonly site: Site
  readonly trust: Trust
  readonly gates: Gates
  readonly world: World
  readonly keys: ProvisioningKeys
  readonly feed: Feed
  /** How fast all scenes are played. */
  readonly pace: Pace
}

/** How long to wait for an event that a request causes, and for a finding. Findings are written once a second. */
const EVENT_MILLISECONDS = 1000
const FINDING_MILLISECONDS = 3000

/** Who closes findings and unlocks clients, as the operator's page shows it. */
const AUTHOR = 'the demo'

/** A key is valid for five minutes. */
const FRESH_MILLISECONDS = 240_000

/** Plays scenes: sends their requests, and shows them with the events that they cause. */
export class Player {
  readonly #options: PlayerOptions
  readonly #unsubscribe: () => void
  /** The full commands of all requests, by request. The page asks for them one by one. */
  readonly #commands = new Map<string, string>()
  readonly #playedAt = new Map<SceneId, number>()
  #memory: Redaction
  #scene: Scene | undefined
  #request: string | undefined
  #lastAnswer: Answer | undefined
  #count = 0
  #pauses = new Pauses(QUICK)
  /** The types of the events since the last request began, and the rules of the findings since the last scene began. */
  readonly #types = new Set<string>()
  readonly #rules = new Set<string>()

  constructor(options: PlayerOptions) {
    this.#options = options
    this.#memory = newMemory(options.site)
    this.#unsubscribe = options.keys.on('*', (event) => this.#see(event))
  }

  close(): void {
    this.#unsubscribe()
  }

  /** The curl command of a request, with its secrets. */
  commandOf(request: string): string | undefined {
    return this.#commands.get(request)
  }

  /** Forgets everything, closes the findings of all scenes, and ends a lock that the operator has set. */
  async reset(): Promise<void> {
    const { keys, site } = this.#options
    this.#memory = newMemory(site)
    this.#playedAt.clear()
    this.#commands.clear()
    for (const scene of SCENES) await this.#closeFindings(scene)
    await keys.unlockClient({ clientId: site.clientId, author: AUTHOR })
    this.#options.feed.reset()
  }

  /** Plays scenes one after another. The caller makes sure that no others are being played. */
  async play(scenes: readonly Scene[]): Promise<void> {
    const { feed, pace } = this.#options
    const isAll = scenes.length > 1
    const pauses = new Pauses(isAll ? pace : QUICK)
    this.#pauses = pauses
    feed.setPlaying({ isPlaying: true, isAll })
    try {
      for (const scene of scenes) {
        await this.#playWithNeeded(scene)
        if (scene !== scenes.at(-1)) await pauses.afterScene()
        if (pauses.isStopped) break
      }
    } finally {
      feed.setPlaying({ isPlaying: false, isAll: false })
    }
  }

  /** Ends the run after the current scene, which goes on without long pauses. */
  stop(): void {
    this.#pauses.stop()
  }

  async #playWithNeeded(scene: Scene): Promise<void> {
    const { needs } = scene
    const needed = SCENES.find(({ id }) => id === needs)
    const isFresh = needs !== undefined && Date.now() - (this.#playedAt.get(needs) ?? 0) < FRESH_MILLISECONDS
    if (needed !== undefined && !isFresh) await this.#playOne(needed)
    await this.#playOne(scene)
    // The scene has used up what the other one has left.
    if (needs !== undefined) this.#playedAt.delete(needs)
  }

  async #playOne(scene: Scene): Promise<void> {
    const { feed, world } = this.#options
    await this.#closeFindings(scene)
    feed.begin(scene.id)
    this.#scene = scene
    this.#rules.clear()
    const problems = await this.#playBeats(scene, scene.beats(world)).catch((error: Error) => [error.message])
    this.#request = undefined
    if (problems.length === 0) problems.push(...(await this.#waitForFindings(scene)))
    if (problems.length > 0) problems.push(...(await this.#lockOfClient()))
    this.#scene = undefined
    this.#playedAt.set(scene.id, Date.now())
    const state = problems.length === 0 ? 'played' : 'failed'
    feed.show({ type: 'scene', scene: scene.id, state, problems: problems.map(this.#memory.redact) })
  }

  async #playBeats(scene: Scene, beats: readonly Beat[]): Promise<string[]> {
    const problems: string[] = []
    for (const beat of beats) {
      if ('note' in beat) this.#options.feed.show({ type: 'note', scene: scene.id, ...beat })
      else problems.push(...(await this.#playRequest(scene, beat)))
      await this.#pauses.afterBeat()
    }
    return problems
  }

  async #playRequest(scene: Scene, request: Request): Promise<readonly string[]> {
    this.#count += 1
    const id = `request-${this.#count}`
    this.#request = id
    const problems: string[] = []
    let answer: Answer | undefined
    for (let i = 0; i < (request.times ?? 1); i += 1) {
      const { userAgent } = request.by
      const call = { ...request.call(this.#options.site, this.#memory), userAgent }
      if (i === 0) this.#showRequest(scene, request, { id, call })
      const outcome = await this.#send(request, call)
      problems.push(...outcome.problems)
      answer = outcome.answer
    }
    const text = answer === undefined ? '' : answerLines(answer).join('\n')
    const response = { status: answer?.status, text: this.#memory.redact(text) }
    this.#options.feed.show({ type: 'response', scene: scene.id, id, ...response })
    const { waitFor } = request
    if (waitFor !== undefined) await until(() => this.#types.has(waitFor), FINDING_MILLISECONDS)
    return problems
  }

  async #send(request: Request, call: Call) {
    const { gates, trust } = this.#options
    this.#types.clear()
    const route = { trust, ports: gates.of(request.by.network) }
    const outcome = await perform(request, call, {
      route,
      memory: this.#memory,
      lastAnswer: this.#lastAnswer,
    })
    this.#lastAnswer = outcome.answer ?? this.#lastAnswer
    const { event } = request
    const isThere = event === undefined || (await until(() => this.#types.has(event), EVENT_MILLISECONDS))
    const problems = isThere ? [] : [`expected the event ${event}, got none`]
    return { answer: outcome.answer, problems: [...outcome.problems, ...problems] }
  }

  #showRequest(scene: Scene, { by, says, times = 1 }: Request, sent: { id: string; call: Call }): void {
    const { id, call } = sent
    const gate = this.#options.gates.of(by.network)
    const command = curlCommand(call, call.url.startsWith('https:') ? gate.https : gate.http)
    this.#commands.set(id, command)
    this.#options.feed.show({
      type: 'request',
      ...{ scene: scene.id, id, says, times, lane: by.lane, who: by.name },
      ...{ address: ADDRESSES[by.network], userAgent: by.userAgent, method: call.method },
      url: this.#memory.redact(call.url),
      command: this.#memory.redact(command),
      hasProof: call.dpop !== undefined || call.form?.client_assertion !== undefined,
    })
  }

  #see(event: ProvisioningEvent): void {
    const at = event.at.toISOString()
    const { type, severity } = event
    this.#types.add(type)
    if (type === 'finding.opened') this.#rules.add(event.rule)
    if (type === 'finding.opened' || type === 'finding.updated') {
      const { findingId, rule, subject, count, actions } = event
      const scene = SCENES.find(({ rules }) => rules.some((id) => id === rule)) ?? this.#scene
      const finding = { findingId, rule, severity, subject, count, actions }
      this.#options.feed.show({ type: 'finding', scene: scene?.id, at, ...finding })
    } else if (type !== 'finding.closed') {
      const details = eventDetails(event)
      const shown = { scene: this.#scene?.id, id: this.#request, at, event: type, severity, details }
      this.#options.feed.show({ type: 'event', ...shown })
    }
  }

  /** Closes the findings of the last run, so that this run opens new ones. */
  async #closeFindings({ rules }: Scene): Promise<void> {
    const { keys } = this.#options
    const open = rules.length === 0 ? [] : await keys.findings()
    for (const { id, rule } of open)
      if (rules.some((one) => one === rule)) await keys.closeFinding({ findingId: id, author: AUTHOR })
  }

  /** The most likely cause of problems: on the page of the operator, one can lock the client of the demo. */
  async #lockOfClient(): Promise<readonly string[]> {
    const { keys, site } = this.#options
    const isLocked = (await keys.locks()).some(({ clientId }) => clientId === site.clientId)
    return isLocked ? ['the operator has locked the client; “Reset” unlocks it'] : []
  }

  async #waitForFindings({ rules }: Scene): Promise<readonly string[]> {
    const isFound = (rule: string) => this.#rules.has(rule)
    await until(() => rules.every(isFound), FINDING_MILLISECONDS)
    return rules
      .filter((rule) => !isFound(rule))
      .map((rule) => `expected a finding of the rule ${rule}, got none`)
  }
}

function newMemory(site: Site): Redaction {
  const memory = redaction()
  memory.keepSecret('client secret', site.clientSecret)
  return memory
}

async function until(holds: () => boolean, milliseconds: number): Promise<boolean> {
  for (const deadline = Date.now() + milliseconds; Date.now() < deadline; await sleep(5))
    if (holds()) return true
  return holds()
}
