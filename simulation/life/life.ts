import type { World } from '../world'
import { autoscaledCi, rotatedSecret, weekdays } from './ci'
import { natDevices, oldKeys, roamingDevices } from './devices'
import { mistakes } from './mistakes'
import { healthCheck, orchestrators } from './orchestrators'
import type { Population } from './population'

/** Lets all clients of a population live until the simulation ends. */
export function live(world: World, population: Population): void {
  repeatingProxy(world)
  natDevices(world, population)
  roamingDevices(world, population)
  oldKeys(world, population)
  autoscaledCi(world, population)
  rotatedSecret(world)
  weekdays(world, population)
  orchestrators(world, population)
  healthCheck(world)
  mistakes(world)
}

const REPEATED = 1 / 1_000

/** A proxy that sends 1 in 1,000 requests twice. */
function repeatingProxy({ requests, random, timeline }: World): void {
  requests.onProxied = (request) => {
    if (random.chance(REPEATED)) timeline.after(500, () => requests.repeat(request))
  }
}
