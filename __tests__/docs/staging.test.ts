import { runProgram, TYPESCRIPT } from '../support/run-program'
import { ROOT } from './markdown'

describe('docs/guides/staging.md', () => {
  it('shows what the command check prints', () => {
    const program = [...TYPESCRIPT, 'scripts/staging-page.ts']
    expect(runProgram(process.execPath, program, { cwd: ROOT })).toMatchObject({ status: 0, stderr: '' })
  })
})
