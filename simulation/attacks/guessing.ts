import { MINUTE, SECOND } from '../world'
import { type Attack, repeat, type Stage, type Variant } from './attack'

interface Guessing {
  readonly count: number
  readonly interval: number
  /** When the first request comes. Default: at the start. */
  readonly after?: number
  /** The request number `i`. */
  readonly guess: (stage: Stage, i: number) => unknown
}

function guessing(
  title: string,
  { count, interval, after = 0, guess }: Guessing,
  subject?: Variant['subject'],
): Variant {
  return {
    title,
    ...(subject !== undefined && { subject }),
    run: (stage) => repeat(count, interval, (at, i) => stage.at(after + at, () => guess(stage, i))),
  }
}

/**
 * The first guess begins an hour, and the others come on both sides of its end: in each of two hours that do not slide,
 * there are too few.
 */
function aroundTheHour(title: string, count: number, guess: Guessing['guess']): Variant {
  const interval = (8 * MINUTE) / count
  const others = guessing(title, { count, interval, after: 56 * MINUTE, guess })
  return {
    title,
    run(stage) {
      stage.at(0, () => guess(stage, count))
      others.run(stage)
    },
  }
}

function wrongSecret(i: number): string {
  return `guess-number-${i}-0000000000000000`
}

export const clientGuessing: Attack = {
  rule: 'client_guessing',
  variants: [
    guessing('one guess each second', {
      count: 50,
      interval: SECOND,
      guess: ({ world, thief }, i) => world.requests.ask({ ...thief, secret: wrongSecret(i) }),
    }),
    guessing('one guess every four minutes', {
      count: 40,
      interval: 4 * MINUTE,
      guess: ({ world, thief }, i) => world.requests.ask({ ...thief, secret: wrongSecret(i) }),
    }),
    guessing('each guess from another network', {
      count: 40,
      interval: 10 * SECOND,
      guess: ({ world, from }, i) => world.requests.ask({ ...from(i), secret: wrongSecret(i) }),
    }),
    aroundTheHour(
      'most guesses within eight minutes, some before and some after the end of an hour',
      12,
      ({ world, thief }, i) => world.requests.ask({ ...thief, secret: wrongSecret(i) }),
    ),
  ],
}

export const sourceGuessing: Attack = {
  rule: 'source_guessing',
  variants: [
    guessing('the attacker names clients that do not exist, four each second', {
      count: 200,
      interval: SECOND / 4,
      guess: ({ world, thief }, i) => world.requests.ask({ ...thief, clientId: `user-${i}` }),
    }),
    guessing('the attacker names a client that does not exist every 20 seconds', {
      count: 400,
      interval: 20 * SECOND,
      guess: ({ world, thief }, i) => world.requests.ask({ ...thief, clientId: `user-${i}` }),
    }),
    guessing('the attacker tries one wrong secret for each real client', {
      count: 200,
      interval: SECOND,
      guess: ({ world, thief }, i) =>
        world.requests.ask({ ...thief, clientId: `device-${i}`, secret: wrongSecret(0) }),
    }),
    aroundTheHour(
      'most guesses within eight minutes, some before and some after the end of an hour',
      120,
      ({ world, thief }, i) => world.requests.ask({ ...thief, clientId: `user-${i}` }),
    ),
  ],
}

export const scopeEscalation: Attack = {
  rule: 'scope_escalation',
  variants: [
    guessing('a thief asks for another forbidden scope each second', {
      count: 30,
      interval: SECOND,
      guess: ({ world, thief }, i) => world.requests.ask(thief, { scope: `admin:${i}` }),
    }),
    guessing('a thief asks for another forbidden subject each minute', {
      count: 30,
      interval: MINUTE,
      guess: ({ world, thief }, i) => world.requests.ask(thief, { requested_subject: `admin-${i}` }),
    }),
    guessing('a client asks for a forbidden scope, subject or audience once in four minutes', {
      count: 40,
      interval: 4 * MINUTE,
      guess: ({ world, owner }, i) => world.requests.ask(owner, FORBIDDEN[i % FORBIDDEN.length]),
    }),
  ],
}

const FORBIDDEN = [
  { scope: 'admin' },
  { requested_subject: 'root' },
  { resource: 'https://internal.example.com' },
]

/** A client that nobody should use. */
export const CANARY = 'canary'

function useCanary(title: string, guess: (stage: Stage) => unknown): Variant {
  return guessing(title, { count: 1, interval: 0, guess }, () => `client:${CANARY}`)
}

export const canary: Attack = {
  rule: 'canary',
  variants: [
    useCanary('somebody asks for a key with the secret of the canary', ({ world, thief }) =>
      world.requests.ask(canaryOf(thief)),
    ),
    useCanary('somebody asks for a key with a wrong secret', ({ world, thief }) =>
      world.requests.ask({ ...canaryOf(thief), secret: wrongSecret(0) }),
    ),
    useCanary('somebody asks for a key with a forbidden scope', ({ world, thief }) =>
      world.requests.ask(canaryOf(thief), { scope: 'admin' }),
    ),
    useCanary('somebody lists the bindings of the canary', ({ world, thief }) =>
      world.requests.form(canaryOf(thief), '/oauth/bindings', {}),
    ),
  ],
}

function canaryOf(thief: Stage['thief']): Stage['thief'] {
  return { ...thief, clientId: CANARY, secret: 'secret-of-canary-'.padEnd(32, '0') }
}
