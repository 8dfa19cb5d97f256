import type { KeyObject } from 'node:crypto'
import type { RequestListener } from 'node:http'
import express, { type ErrorRequestHandler, type RequestHandler } from 'express'
import type { DemoApp } from '../app'
import type { Certificate } from '../certificate'
import type { Site } from '../requests/step'
import { access } from './access'
import { Feed } from './feed'
import { openGates } from './gates'
import { Player } from './player'
import { storyRoutes } from './routes'
import { SCENES } from './scenes/scenes'

export interface StoryOptions extends Site {
  readonly certificate: Certificate
  readonly demo: DemoApp
  readonly signingKey: KeyObject
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
  { certificate, demo, signingKey, ...site }: StoryOptions,
  onFailure: () => Promise<unknown>,
): Promise<Story> {
  const { keys, app, proxiedApp } = demo
  const gates = await openGates(proxiedApp, certificate).catch(async (error) => {
    await onFailure()
    throw error
  })
  const feed = new Feed(SCENES.map(({ beats: _, ...text }) => text))
  const trust = { ca: certificate.cert }
  const player = new Player({ site, trust, gates, world: { signingKey }, keys, feed })
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
