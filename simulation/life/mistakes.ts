import { actor } from '../actor'
import { DAY, HOUR, MINUTE, OTHER_AUDIENCE, SECOND, type World } from '../world'
import { moved } from './population'
import { between } from './provision'

/** What people do wrong in a week, once each. Nobody attacks. */
export function mistakes(world: World): void {
  newRelease(world)
  wrongApi(world)
  handedOverKey(world)
  drivingCar(world)
}

/** A new release of a CI client needs a scope that its policy does not contain yet. It fails for half an hour. */
function newRelease({ plan, requests }: World): void {
  const runner = actor({ clientId: 'ci-1', address: '10.101.0.30', userAgent: 'ci-runner/17.0' })
  for (let i = 0; i < 15; i += 1)
    plan(DAY + 10 * HOUR + i * 2 * MINUTE, () =>
      requests.ask(runner, { scope: 'provision:token releases:write' }),
    )
}

/** A client sends its key for one API to another one, and tries five times. */
function wrongApi({ plan, requests, timeline }: World): void {
  const runner = actor({ clientId: 'ci-2', address: '10.102.0.40', userAgent: 'ci-runner/16.2' })
  plan(DAY + 14 * HOUR, async () => {
    const { token = '' } = await requests.ask(runner, { resource: OTHER_AUDIENCE })
    for (let i = 1; i <= 5; i += 1) timeline.after(i * 5 * SECOND, () => requests.present(runner, token))
  })
}

/** A developer asks for a key on a laptop, and uses it on a server. */
function handedOverKey({ plan, requests, timeline }: World): void {
  const laptop = actor({ clientId: 'ci-3', address: '198.51.100.200', userAgent: 'curl/8.5' })
  const server = actor({ clientId: 'ci-3', address: '10.103.0.50', userAgent: 'installer/2.0' })
  plan(3 * DAY + 11 * HOUR, async () => {
    const { token = '' } = await requests.ask(laptop)
    timeline.after(MINUTE, () => requests.redeem(server, token))
  })
}

/** A car leaves the network of a garage, and crosses two cells of the mobile network before it redeems its key. */
function drivingCar(world: World): void {
  const { plan, requests, timeline } = world
  const car = actor({ clientId: 'phone-0', address: '198.51.100.20', userAgent: 'car/4.0' })
  plan(4 * DAY + between(world, 8 * HOUR, 18 * HOUR), async () => {
    const { token = '' } = await requests.ask(car)
    timeline.after(MINUTE, () => requests.present(moved(car, '100.64.7.1'), token))
    timeline.after(3 * MINUTE, () => requests.redeem(moved(car, '100.70.8.1'), token))
  })
}
