import { type Actor, actor } from '../actor'
import { DAY, HOUR, MINUTE, SECOND, type World } from '../world'
import { clientIds, moved, type Population } from './population'
import { between, provision } from './provision'

const WORKDAYS = [0, 1, 2, 3, 4]
const OPENS = 8
const HOURS_A_DAY = 10
const JOBS_AN_HOUR = 2
const KEYS_OF_A_STORM = 40

/** CI clients: some jobs an hour in office hours, and one deployment a day that asks for 40 keys in a minute. */
export function autoscaledCi(world: World, population: Population): void {
  clientIds(population, 'ciClients').forEach((clientId, i) => {
    for (const day of WORKDAYS) {
      for (let job = 0; job < HOURS_A_DAY * JOBS_AN_HOUR; job += 1) {
        const at = day * DAY + OPENS * HOUR + between(world, 0, HOURS_A_DAY * HOUR)
        world.plan(at, () => runJob(world, clientId, runnerNetwork(world, i)))
      }
      const storm = day * DAY + OPENS * HOUR + between(world, HOUR, 8 * HOUR)
      for (let key = 0; key < KEYS_OF_A_STORM; key += 1)
        world.plan(storm + between(world, 0, MINUTE), () => runJob(world, clientId, runnerNetwork(world, i)))
    }
  })
}

/** Usually a runner is in one of three networks. At peak hours, autoscaling adds runners in new networks. */
function runnerNetwork({ random, timeline }: World, client: number): string {
  const hour = (timeline.now % DAY) / HOUR
  const isPeak = hour > 10 && hour < 16
  if (isPeak && random.chance(0.02)) return `10.${100 + client}.${10 + random.below(200)}`
  return `10.${100 + client}.${random.below(3)}`
}

function runJob(world: World, clientId: string, network: string): Promise<boolean> {
  const runner = actor({
    clientId,
    address: `${network}.${2 + world.random.below(200)}`,
    userAgent: 'ci-runner/16.2',
  })
  return provision(world, { asker: runner, delay: between(world, SECOND, 20 * SECOND) })
}

/** On Wednesday, an operator rotates a secret. One client gets the new one an hour later. */
export function rotatedSecret(world: World): void {
  const late: Actor = {
    ...actor({ clientId: 'ci-0', address: '10.100.0.9', userAgent: 'ci-runner/16.2' }),
    secret: 'old-secret-of-the-ci-client-0000',
  }
  const start = 2 * DAY + 9 * HOUR + between(world, 0, 6 * HOUR)
  for (let minute = 0; minute < 60; minute += 2)
    world.plan(start + minute * MINUTE, () => world.requests.ask(late))
}

/** Clients that ask for keys day and night, but are switched off at the weekend. */
export function weekdays(world: World, population: Population): void {
  clientIds(population, 'weekdayClients').forEach((clientId, i) => {
    const worker = actor({ clientId, address: `192.0.2.${100 + i}`, userAgent: 'batch/3.0' })
    for (let at = 0; at < 5 * DAY; at += 20 * MINUTE)
      world.plan(at + between(world, 0, 10 * MINUTE), () =>
        provision(world, { asker: moved(worker, worker.address), delay: 2 * SECOND }),
      )
  })
}
