import { DEPLOYMENT_CHECKS } from '../../../lib/checks/deployment/checks.js'
import { ALL } from '../../support/scale.js'
import { BREAKAGES } from './breakages.js'
import { startDeployment } from './broken-deployment.js'
import { check } from './run.js'

/** In `npm test`, one of the checks with forged keys. The other tests here break the deployment in more ways. */
const SAMPLE = ['forgery-alg-none']

const cases = Object.entries(BREAKAGES).filter(([id]) => ALL || SAMPLE.includes(id))

it('has a broken deployment for each check', () => {
  expect(Object.keys(BREAKAGES).sort()).toEqual(DEPLOYMENT_CHECKS.map(({ id }) => id).sort())
})

it.each(cases)('only the check %s fails on the deployment that is broken for it', async (id, breakage) => {
  const running = await startDeployment(breakage)
  try {
    const { results } = await check(running.settings)
    const found = results.filter(({ outcome }) => outcome === 'failed' || outcome === 'warning')
    expect(found.map(({ id: one, actual, expected }) => [one, actual, expected])).toEqual([
      [id, expect.any(String), expect.any(String)],
    ])
    expect(results).toHaveLength(DEPLOYMENT_CHECKS.length)
  } finally {
    await running.close()
  }
})
