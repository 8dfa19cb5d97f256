import { join } from 'node:path'
import express, { type RequestHandler, type Router } from 'express'
import type { Feed } from './feed'
import type { Player } from './player'
import type { Scene } from './scene'
import { SCENES } from './scenes/scenes'

const POLICY = [
  "default-src 'none'",
  ...["script-src 'self'", "style-src 'self'", "connect-src 'self'", "img-src 'self'"],
  ...["form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'"],
  ...["require-trusted-types-for 'script'", "trusted-types 'none'"],
].join('; ')

const setHeaders: RequestHandler = (_req, res, next) => {
  res.set({
    'Content-Security-Policy': POLICY,
    'X-Content-Type-Options': 'nosniff',
    'Referrer-Policy': 'no-referrer',
    'Cross-Origin-Opener-Policy': 'same-origin',
    'Cross-Origin-Resource-Policy': 'same-origin',
    'Cache-Control': 'no-store',
  })
  next()
}

/** The page of the story, and its API. */
export function storyRoutes(player: Player, feed: Feed): Router {
  const router = express.Router()
  router.use(setHeaders)
  router.get('/api/stream', (_req, res) => feed.open(res))
  router.get('/api/commands/:id', (req, res) => {
    const command = player.commandOf(req.params.id)
    if (command === undefined) res.status(404).type('text/plain').send('There is no such request.\n')
    else res.type('text/plain').send(`${command}\n`)
  })
  router.post('/api/play', express.json(), (req, res) => {
    const scenes = scenesOf(req.body?.scene)
    if (scenes === undefined) res.status(400).type('text/plain').send('scene: expected a scene or "all"\n')
    else if (feed.isPlaying) res.status(409).type('text/plain').send(BUSY)
    else {
      player.play(scenes).catch((error) => console.error('story:', error))
      res.status(202).json({})
    }
  })
  router.post('/api/stop', (_req, res) => {
    player.stop()
    res.json({})
  })
  router.post('/api/reset', (_req, res, next) => {
    if (feed.isPlaying) res.status(409).type('text/plain').send(BUSY)
    else player.reset().then(() => res.json({}), next)
  })
  router.use(express.static(join(__dirname, 'page'), { redirect: false }))
  return router
}

const BUSY = 'A scene is being played.\n'

function scenesOf(id: unknown): readonly Scene[] | undefined {
  if (id === 'all') return SCENES
  const scene = SCENES.find((one) => one.id === id)
  return scene && [scene]
}
