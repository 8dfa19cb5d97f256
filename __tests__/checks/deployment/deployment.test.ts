import { type RunningDeployment, startDeployment } from './broken-deployment.js'
import { check, idsWith } from './run.js'

let running: RunningDeployment
beforeAll(async () => {
  running = await startDeployment()
})
afterAll(() => running.close())

it('passes', async () => {
  const t = Date.now()
  const { results, deployment, left } = await check(running.settings)
  console.log(
    Date.now() - t,
    deployment.exchanges.length,
    left,
    results
      .filter((r) => r.outcome !== 'passed')
      .map(({ id, outcome, actual, expected, reason, request }) => ({
        id,
        outcome,
        actual,
        expected,
        reason,
        request,
      })),
    results.map((r) => `${r.id} ${r.durationMs}`).join('; '),
  )
  expect(idsWith(results, 'failed')).toEqual([])
}, 60000)
