import { setTimeout as pause } from 'node:timers/promises'
import { deadline } from '../../lib/base/deadline.js'

const never = () => new Promise<never>(() => undefined)

describe('waiting for answers', () => {
  it('passes on answers and errors', async () => {
    const ask = deadline({ milliseconds: 60_000, who: 'It' })
    expect(await ask(() => 7)).toBe(7)
    expect(await ask(async () => 'later')).toBe('later')
    const thrown = () => {
      throw new Error('no')
    }
    await expect(ask(thrown)).rejects.toThrow('no')
  })

  it('ends in time', async () => {
    const ask = deadline({ milliseconds: 20, who: 'It' })
    await expect(ask(never)).rejects.toThrow('It did not answer within 0.02 s')
  })

  it('asks no more while too much is unanswered, timed out or not, and again when that has been answered', async () => {
    const ask = deadline({ milliseconds: 10, maxPending: 2, who: 'It' })
    const answers: (() => void)[] = []
    const slow = () => new Promise<void>((resolve) => answers.push(resolve))
    await expect(ask(slow)).rejects.toThrow('did not answer')
    const second = expect(ask(slow)).rejects.toThrow('did not answer')
    await expect(ask(slow)).rejects.toThrow('It has not answered 2 earlier calls')
    await second
    expect(answers).toHaveLength(2)
    await expect(ask(slow)).rejects.toThrow('It has not answered 2 earlier calls')
    answers[0]?.()
    await pause(0)
    expect(await ask(() => 'back')).toBe('back')
  })

  it('keeps no process alive', async () => {
    const timers = () => process.getActiveResourcesInfo().filter((one) => one === 'Timeout').length
    const before = timers()
    const asked = deadline({ milliseconds: 50, who: 'It' })(never)
    expect(timers()).toBe(before)
    await expect(asked).rejects.toThrow('did not answer')
  })
})
