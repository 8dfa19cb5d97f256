import { newPair } from '../../lib/testing/forged-token.js'
import { type Actor, actor } from '../actor'
import { DAY, HOUR, MINUTE, SECOND, START, type World } from '../world'
import { clientIds, moved, type Population } from './population'
import { between, provision } from './provision'

/** The one address of all devices behind the NAT. */
const NAT = '203.0.113.10'

/** The share of devices that use DPoP, and of those, the share whose clock is wrong. */
const BOUND = 0.3
const SKEWED = 0.01

/** Devices behind one address, each with one key a day at its own time. */
export function natDevices(world: World, population: Population): void {
  for (const clientId of clientIds(population, 'devices')) {
    const dpop = world.random.chance(BOUND) ? newPair() : undefined
    const device = actor({ clientId, address: NAT, userAgent: 'device/2.1', dpop })
    const isSkewed = dpop !== undefined && world.random.chance(SKEWED / BOUND)
    daily(world, () => (isSkewed ? askWithWrongClock(world, device) : askOnce(world, device)))
  }
}

function askOnce(world: World, device: Actor): Promise<boolean> {
  return provision(world, { asker: device, delay: between(world, SECOND, 5 * SECOND) })
}

/** The clock is wrong by minutes. The device tries three times, and then corrects its clock for this day. */
async function askWithWrongClock(world: World, device: Actor): Promise<void> {
  const skewed = { ...device, skewSeconds: world.random.chance(0.5) ? 240 : -420 }
  for (let i = 0; i < 3; i += 1) world.timeline.after(i * 10 * SECOND, () => askOnce(world, skewed))
  world.timeline.after(MINUTE, () => askOnce(world, device))
}

/** Does something once a day, at about the same time. */
function daily(world: World, act: () => unknown): void {
  const time = Math.floor(world.random() * DAY)
  for (let day = 0; day < 7; day += 1) world.plan(day * DAY + time + between(world, 0, 10 * MINUTE), act)
}

/** Phones and cars: now and then, they change networks between two requests. */
export function roamingDevices(world: World, population: Population): void {
  clientIds(population, 'roaming').forEach((clientId, i) => {
    const phone = actor({ clientId, address: `198.51.${100 + (i % 100)}.${20 + i}`, userAgent: 'phone/7.3' })
    daily(world, () => {
      const mobile = moved(phone, `100.${64 + world.random.below(60)}.${world.random.below(250)}.7`)
      const redeemer = world.random.chance(0.1) ? mobile : phone
      return provision(world, { asker: phone, redeemer, delay: between(world, SECOND, 30 * SECOND) })
    })
  })
}

/** Services whose unit file contains an old key. After a restart, their first five attempts fail. */
export function oldKeys(world: World, population: Population): void {
  clientIds(population, 'oldKeys').forEach((clientId, i) => {
    const service = actor({ clientId, address: `192.0.2.${50 + i}`, userAgent: 'service/1.4' })
    let old: string | undefined
    world.plan(HOUR, async () => {
      old = (await world.requests.ask(service)).token
    })
    const restart = between(world, DAY, 7 * DAY - HOUR)
    for (let attempt = 0; attempt < 5; attempt += 1)
      world.timeline.at(START + restart + attempt * 2 * SECOND, () =>
        world.requests.redeem(service, old ?? ''),
      )
    daily(world, () => askOnce(world, service))
  })
}
