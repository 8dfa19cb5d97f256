import type { Response } from 'express'
import type { Message, Opening, PlayState, Shown } from './messages'
import type { SceneId } from './scene'

/** The most messages from outside of the story that a new page gets. */
const MOST_OUTSIDE = 100

/** A page that does not read its stream loses it, and connects again. */
const MOST_UNREAD_BYTES = 1_000_000

const HEARTBEAT_MILLISECONDS = 15_000

/** Sends what happens to all pages that are open, and keeps it for those that are opened later. */
export class Feed {
  readonly #scenes: Opening['scenes']
  readonly #pages = new Set<Response>()
  #shown: Shown[] = []
  #playing: PlayState = { isPlaying: false, isAll: false }

  constructor(scenes: Opening['scenes']) {
    this.#scenes = scenes
  }

  get isPlaying(): boolean {
    return this.#playing.isPlaying
  }

  setPlaying(playing: PlayState): void {
    this.#playing = playing
    this.#send({ type: 'playing', ...playing })
  }

  show(message: Shown): void {
    this.#shown.push(message)
    this.#dropOldOnes()
    this.#send(message)
  }

  /** Forgets the last run of a scene. Pages do the same when the scene begins. */
  begin(scene: SceneId): void {
    this.#shown = this.#shown.filter((message) => message.scene !== scene)
    this.show({ type: 'scene', scene, state: 'playing', problems: [] })
  }

  reset(): void {
    this.#shown = []
    this.#send({ type: 'reset' })
  }

  /** Streams to a page until its connection ends. */
  open(page: Response): void {
    page.setHeader('Content-Type', 'application/x-ndjson')
    page.setHeader('Cache-Control', 'no-store, no-transform')
    const opening: Opening = { type: 'opening', scenes: this.#scenes, ...this.#playing }
    for (const message of [opening, ...this.#shown]) page.write(lineOf(message))
    this.#pages.add(page)
    const heart = setInterval(() => page.write(lineOf({ type: 'heartbeat' })), HEARTBEAT_MILLISECONDS)
    page.once('close', () => {
      clearInterval(heart)
      this.#pages.delete(page)
    })
  }

  close(): void {
    for (const page of this.#pages) page.end()
  }

  #send(message: Message): void {
    const line = lineOf(message)
    for (const page of this.#pages) {
      page.write(line)
      if (page.writableLength > MOST_UNREAD_BYTES) page.destroy()
    }
  }

  #dropOldOnes(): void {
    const outside = this.#shown.filter(({ scene }) => scene === undefined)
    const oldest = outside.length > MOST_OUTSIDE ? outside[0] : undefined
    if (oldest !== undefined) this.#shown.splice(this.#shown.indexOf(oldest), 1)
  }
}

function lineOf(message: Message): string {
  return `${JSON.stringify(message)}\n`
}
