import { printableRedis, readScale } from '../../demo-app/scale.js'
import { pauseAfter } from '../../demo-app/workers/worker-pool.js'

describe('the number of workers, and the option to print all commands', () => {
  it.each([
    [[], {}, { workers: 1, printsCommands: false, redis: undefined }],
    [['--commands'], {}, { workers: 1, printsCommands: true, redis: undefined }],
    [['--workers', '1'], {}, { workers: 1, printsCommands: false, redis: undefined }],
    [['--workers', '4'], {}, { workers: 4, redis: 'redis://127.0.0.1:6379' }],
    [['--workers=4'], { DEMO_REDIS: 'redis://a:1' }, { workers: 4, redis: 'redis://a:1' }],
    [['--redis=rediss://b:2', '--workers', '64'], { DEMO_REDIS: '' }, { workers: 64, redis: 'rediss://b:2' }],
    [['--redis', 'redis://b:2'], { DEMO_REDIS: 'redis://a:1' }, { workers: 1, redis: 'redis://b:2' }],
    [[], { DEMO_REDIS: 'redis://:secret@a:1' }, { workers: 1, redis: 'redis://:secret@a:1' }],
  ])('is read from %j and %j', (arguments_, env, scale) => {
    expect(readScale(arguments_, env)).toMatchObject(scale)
  })

  it.each([
    [
      ['--port', '1'],
      'unexpected argument "--port"; expected --commands, --workers NUMBER or --redis URL; all other settings are environment variables',
    ],
    [
      ['4'],
      'unexpected argument "4"; expected --commands, --workers NUMBER or --redis URL; all other settings are environment variables',
    ],
    [['--workers'], '--workers: expected one value, got none'],
    [['--workers', '2', '--workers=3'], '--workers: expected one value, got two'],
    [['--workers', '0'], '--workers: expected a number from 1 to 64, got "0"'],
    [['--workers', '65'], '--workers: expected a number from 1 to 64, got "65"'],
    [['--workers', 'many'], '--workers: expected a number from 1 to 64, got "many"'],
    [
      ['--redis', 'localhost:6379'],
      '--redis: expected a URL such as redis://127.0.0.1:6379, got another value',
    ],
    [
      ['--redis', 'redis://:hunter2@localhost'],
      '--redis: other users can see this password in the process list; set DEMO_REDIS instead',
    ],
  ])('is rejected in one line for %j', (arguments_, message) => {
    expect(() => readScale(arguments_, {})).toThrow(message)
  })

  it('does not repeat a value that may contain a password', () => {
    expect(() => readScale([], { DEMO_REDIS: 'http://:hunter2@localhost' })).toThrow(
      /^DEMO_REDIS: (?!.*hunter2)/,
    )
    expect(printableRedis('redis://me:hunter2@localhost:6380/3')).toBe('redis://localhost:6380')
  })
})

it('doubles the pause each time a restarted worker ends early, up to 30 seconds', () => {
  const pauses = [0, 1, 2, 3, 8, 9, 100].map(pauseAfter)
  expect(pauses).toEqual([100, 200, 400, 800, 25_600, 30_000, 30_000])
})
