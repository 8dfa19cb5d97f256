import { type Actor, actor } from '../actor'
import { DAY, HOUR, MINUTE, SECOND, type World } from '../world'
import { clientIds, HEALTH_CHECK, type Population } from './population'
import { between, provision } from './provision'

const KEYS_A_DAY = 60
/** How many devices one orchestrator installs on one day. */
const INSTALLED = 200

/** Programs that ask for keys for devices. The devices redeem them elsewhere, and with another program. */
export function orchestrators(world: World, population: Population): void {
  clientIds(population, 'orchestrators').forEach((clientId, i) => {
    const orchestrator = actor({ clientId, address: `192.0.2.${200 + i}`, userAgent: 'orchestrator/5.0' })
    for (let at = 0; at < 7 * DAY; at += DAY / KEYS_A_DAY)
      world.plan(at + between(world, 0, DAY / KEYS_A_DAY), () => provideKey(world, orchestrator))
    if (i === 0) installFleet(world, orchestrator)
  })
}

function provideKey(world: World, orchestrator: Actor): Promise<boolean> {
  const form = { requested_subject: `device:${world.random.below(1_000_000)}` }
  const delay = between(world, 20 * SECOND, 200 * SECOND)
  return provision(world, { asker: orchestrator, redeemer: someDevice(world, orchestrator), form, delay })
}

function someDevice({ random }: World, { clientId }: Actor): Actor {
  const address = `172.${16 + random.below(16)}.${random.below(250)}.${1 + random.below(250)}`
  return actor({ clientId, address, userAgent: 'device-installer/1.0' })
}

/** On Thursday, one orchestrator installs a fleet within two hours: its devices register as clients. */
function installFleet(world: World, orchestrator: Actor): void {
  const start = 3 * DAY + 9 * HOUR
  for (let i = 0; i < INSTALLED; i += 1)
    world.plan(start + between(world, 0, 2 * HOUR), async () => {
      const { token: key } = await world.requests.ask(orchestrator, {
        requested_subject: `device:fleet-${i}`,
      })
      const device = someDevice(world, orchestrator)
      world.timeline.after(30 * SECOND, () => world.requests.register(device, key ?? ''))
    })
}

/** A health check gets and redeems a key every 10 minutes, within milliseconds. */
export function healthCheck(world: World): void {
  const checker = actor({ clientId: HEALTH_CHECK, address: '127.0.0.1', userAgent: 'health-check/1' })
  for (let at = 0; at < 7 * DAY; at += 10 * MINUTE)
    world.plan(at, () => provision(world, { asker: checker, delay: 5 }))
}
