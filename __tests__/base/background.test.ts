import { BackgroundWork } from '../../lib/base/background.js'

describe('work in the background', () => {
  beforeEach(() => jest.useFakeTimers())
  afterEach(() => jest.useRealTimers())

  it('is begun at its time, and not again by finish', async () => {
    const background = new BackgroundWork()
    let times = 0
    background.schedule(() => {
      times += 1
    }, 1_000)
    await jest.advanceTimersByTimeAsync(999)
    expect(times).toBe(0)
    await jest.advanceTimersByTimeAsync(1)
    await background.finish()
    expect(times).toBe(1)
  })

  it('is begun early by finish, and not again at its time', async () => {
    const background = new BackgroundWork()
    let times = 0
    background.schedule(() => {
      times += 1
    }, 1_000)
    await background.finish()
    await jest.advanceTimersByTimeAsync(2_000)
    expect(times).toBe(1)
  })

  it('may fail, and is ended by finish with all work that it has caused', async () => {
    const background = new BackgroundWork()
    const done: string[] = []
    background.schedule(() => {
      background.run(async () => {
        await Promise.resolve()
        done.push('caused')
        background.schedule(() => done.push('caused later'), 1_000)
      })
      throw new Error('the store is down')
    }, 1_000)
    await background.finish()
    expect(done).toEqual(['caused', 'caused later'])
  })

  it('cannot keep finish for more than ten seconds, even if it never ends or goes on for ever', async () => {
    const background = new BackgroundWork()
    background.run(() => new Promise(() => undefined))
    const again = () => background.schedule(again, 1_000)
    again()
    let isFinished = false
    void background.finish().then(() => {
      isFinished = true
    })
    await jest.advanceTimersByTimeAsync(9_999)
    expect(isFinished).toBe(false)
    await jest.advanceTimersByTimeAsync(1)
    expect(isFinished).toBe(true)
  })
})
