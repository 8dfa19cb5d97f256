import type { ProvisioningEvent, Severity } from 'express-provisioning-keys'
import type { Lane, SceneId } from './scene'

/** What the page needs to know of a scene. */
export interface SceneText {
  readonly id: SceneId
  readonly title: string
  readonly shows: string
  readonly happened: string
  readonly matters: string
  readonly rules: readonly string[]
  readonly needs?: SceneId
  /** The columns that the scene needs, from left to right. */
  readonly lanes: readonly Lane[]
}

/** Whether a scene is playing, or all of them. */
export interface PlayState {
  readonly isPlaying: boolean
  readonly isAll: boolean
}

/** The first message of each stream. */
export interface Opening extends PlayState {
  readonly type: 'opening'
  readonly scenes: readonly SceneText[]
}

export interface SceneState {
  readonly type: 'scene'
  readonly scene: SceneId
  readonly state: 'playing' | 'played' | 'failed'
  /** What did not go as the scene describes. */
  readonly problems: readonly string[]
}

export interface RequestSent {
  readonly type: 'request'
  readonly scene: SceneId
  readonly id: string
  readonly lane: Lane
  readonly who: string
  readonly says: string
  /** The address that the server sees. */
  readonly address: string
  readonly userAgent: string
  readonly method: string
  readonly url: string
  readonly times: number
  /** The curl command, with the names of the secrets. */
  readonly command: string
  /** Whether it carries a proof of a private key. Then the server refuses the command, because a proof works only once. */
  readonly hasProof: boolean
}

export interface ResponseReceived {
  readonly type: 'response'
  readonly scene: SceneId
  /** The request. */
  readonly id: string
  /** `undefined` if the sender closed the connection first. */
  readonly status: number | undefined
  readonly text: string
}

export interface NoteTaken {
  readonly type: 'note'
  readonly scene: SceneId
  readonly lane: Lane
  readonly note: string
}

/** An event of the server. Without a scene, a request from outside of the story has caused it. */
export interface EventEmitted {
  readonly type: 'event'
  readonly scene: SceneId | undefined
  /** The request that caused it. */
  readonly id: string | undefined
  readonly at: string
  readonly event: ProvisioningEvent['type']
  readonly severity: Severity
  readonly details: readonly string[]
}

export interface FindingReported {
  readonly type: 'finding'
  readonly scene: SceneId | undefined
  readonly at: string
  readonly findingId: string
  readonly rule: string
  readonly severity: Severity
  readonly subject: string
  readonly count: number
  readonly actions: readonly string[]
}

export interface Playing extends PlayState {
  readonly type: 'playing'
}

/** Messages that a page gets again when you reload it. */
export type Shown = SceneState | RequestSent | ResponseReceived | NoteTaken | EventEmitted | FindingReported

/** A line of the stream. */
export type Message = Opening | Shown | Playing | { readonly type: 'reset' } | { readonly type: 'heartbeat' }
