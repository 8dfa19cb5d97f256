import type { KeyObject } from 'node:crypto'
import type { RequestListener } from 'node:http'
import express, { type ErrorRequestHandler, type RequestHandler } from 'express'
import type { DemoApp } from '../app'
import type { Certificate } from '../certificate'
import type { Site } from '../requests/step'
import { access } from './access'
import { Feed } from './feed'
import { openGates } from './gates'
import type { Pace } from './pace'
import { Player } from './player'
import { storyRoutes } from './routes'
import type { Beat, Lane } from './scene'
import { SCENES } from './scenes/scenes'

export interface StoryOptions extends Site {
  readonly certificate: Certificate
  readonly demo: DemoApp
  readonly signingKey: KeyObject
  /** How fast all scenes are played. */
  readonly pace: Pace
}

/** The demo as a page with buttons. */
export interface Story {
  /** The link to the page, with its token. */
  readonly url: string
  /** Answers requests for plain HTTP: those for the page itself, the others by the demo. */
  readonly answer: RequestListener
  close(): Promise<void>
}

/**
 * @param onFailure called if the story cannot start
 * @throws EnvironmentError if there is no free port
 */
export async function startStory(
  { certificate, demo, signingKey, pace, ...site }: StoryOptions,
  onFailure: () => Promise<unknown>,
): Promise<Story> {
  const { keys, app, proxiedApp } = demo
  const gates = await openGates(proxiedApp, certificate).catch(async (error) => {
    await onFailure()
    throw error
  })
  const world = { signingKey }
  const feed = new Feed(SCENES.map(({ beats, ...text }) => ({ ...text, lanes: lanesOf(beats(world)) })))
  const trust = { ca: certificate.cert }
  const player = new Player({ site, trust, gates, world, keys, feed, pace })
  const { require, requireSameOrigin, link } = access(Number(new URL(site.cleartextOrigin).port || 80))
  const pages = express().disable('x-powered-by')
  pages.get('/story', require, addSlash)
  pages.use('/story', require, requireSameOrigin, storyRoutes(player, feed), answerUnknown, answerError)
  // The library checks itself that no other website sends the requests of an operator.
  const administration = keys.administration({
    authorize: () => ({ role: 'operate', actor: 'demo' }),
    page: true,
  })
  pages.use('/operator', require, administration, answerUnknown, answerError)
  return {
    url: link(`${site.cleartextOrigin}/story/`),
    answer: (req, res) => pages(req as never, res as never, () => app(req, res)),
    async close() {
      player.close()
      feed.close()
      await gates.close()
    },
  }
}

const LANES: readonly Lane[] = ['device', 'thief', 'server']

/** The columns that a scene needs. That of the server is always there. */
function lanesOf(beats: readonly Beat[]): readonly Lane[] {
  const used = new Set<Lane>(beats.map((beat) => ('note' in beat ? beat.lane : beat.by.lane)))
  return LANES.filter((lane) => lane === 'server' || used.has(lane))
}

/** The URLs of the page are relative. */
const addSlash: RequestHandler = (req, res, next) => {
  if (req.path.endsWith('/')) next()
  else res.redirect(308, '/story/')
}

const answerUnknown: RequestHandler = (_req, res) => {
  res.status(404).type('text/plain').send('There is no such page.\n')
}

const answerError: ErrorRequestHandler = (error, _req, res, _next) => {
  const status = error?.status >= 400 && error?.status < 500 ? error.status : 500
  res.status(status).type('text/plain').send('The request failed.\n')
}
