import { EnvironmentError, refuseArguments } from './environment'
import { painter } from './paint'
import { ATTACKS } from './tour/attacks'
import { FLOW } from './tour/flow'
import { type Guide, guide } from './tour/guide'
import { wrap } from './tour/show'
import type { Step } from './tour/step'
import { chooseTarget } from './tour/target'

const paint = painter(process.stdout, process.env)

async function tour(): Promise<boolean> {
  refuseArguments(process.argv.slice(2))
  const target = await chooseTarget(process.env)
  const goStep = guide({ target, paint, print: console.log })
  console.log(
    `\n  ${paint('bold', 'express-provisioning-keys: the tour')}\n\n${wrap(target.description, '  ')}`,
  )
  console.log(
    wrap('Keys, tokens and secrets are shown as <names>; the events of the server, as they are.', '  '),
  )
  try {
    const flow = await goPart('The flow', FLOW, 1, goStep)
    const attacks = await goPart('Attacks', ATTACKS, FLOW.length + 1, goStep)
    return summarise([...flow, ...attacks])
  } finally {
    await target.stop()
  }
}

/** Goes each step, and answers with the numbers of those that were not as described. */
async function goPart(
  title: string,
  steps: readonly Step[],
  first: number,
  goStep: Guide,
): Promise<readonly number[]> {
  console.log(`\n  ${paint('bold', `${title} ${'-'.repeat(90 - title.length)}`)}`)
  const failed: number[] = []
  for (const [index, step] of steps.entries()) {
    if (!(await goStep(step, first + index))) failed.push(first + index)
  }
  return failed
}

function summarise(failed: readonly number[]): boolean {
  const total = FLOW.length + ATTACKS.length
  const isGood = failed.length === 0
  const verdict = isGood
    ? `All ${total} steps went as described.`
    : `${failed.length} of ${total} steps did not go as described: ${failed.join(', ')}.`
  console.log(`\n  ${paint(isGood ? 'green' : 'red', verdict)}\n`)
  return isGood
}

tour().then(
  (isGood) => {
    process.exitCode = isGood ? 0 : 1
  },
  (error) => {
    process.exitCode = 1
    console.error(error instanceof EnvironmentError ? `demo: ${error.message}` : error)
  },
)
