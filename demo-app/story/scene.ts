import type { KeyObject } from 'node:crypto'
import type { EventType, RuleId } from 'express-provisioning-keys'
import type { Exchange } from '../requests/step'

/** A column of the page. */
export type Lane = 'device' | 'thief' | 'server'

/** Somebody who sends requests. */
export interface Actor {
  readonly name: string
  readonly lane: Exclude<Lane, 'server'>
  readonly userAgent: string
  readonly network: NetworkName
}

/** A place in the story. Each has another address. */
export type NetworkName = 'home' | 'elsewhere' | 'abroad'

/** A request of the story. */
export interface Request extends Exchange {
  readonly by: Actor
  /** What the actor does, in one sentence. */
  readonly says: string
  /** How often the actor sends the request. Default: once. */
  readonly times?: number
  /** An event to wait for, besides the events that the request itself causes. */
  readonly waitFor?: EventType
}

/** A sentence in a lane about something that no request shows. */
export interface Note {
  readonly lane: Lane
  readonly note: string
}

export type Beat = Request | Note

export const SCENE_IDS = [
  'enroll',
  'steal',
  'replay',
  'lose',
  'cleartext',
  'forge',
  'guess',
  'network',
] as const

export type SceneId = (typeof SCENE_IDS)[number]

/** A button of the page, with its requests. */
export interface Scene {
  readonly id: SceneId
  /** The text of the button. */
  readonly title: string
  /** What the button shows, in one sentence. */
  readonly shows: string
  /** The events, for a reader who has just seen them. */
  readonly happened: string
  /** Why that matters. */
  readonly matters: string
  /** The rules whose findings it leads to. None: that it leads to no finding is the point. */
  readonly rules: readonly RuleId[]
  /** The scene that must run before, unless it has run a short time ago. */
  readonly needs?: SceneId
  readonly beats: (world: World) => readonly Beat[]
}

/** What scenes are made of, besides what the actors remember. */
export interface World {
  /** The key that signs provisioning keys. The thief of one scene has stolen it. */
  readonly signingKey: KeyObject
}
