import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { avoidHiddenClasses } from '../../lib/http/wire.js'

function newExchange(): { req: IncomingMessage; res: ServerResponse } {
  const req = new IncomingMessage(new Socket())
  return { req, res: new ServerResponse(req) }
}

/** All own properties, with their attributes. */
const propertiesOf = (object: object) => Object.getOwnPropertyDescriptors(object)

describe('avoidHiddenClasses', () => {
  it('changes no property of a request and its response', () => {
    const { req, res } = newExchange()
    Object.assign(req, { upgrade: true })
    res.sendDate = false
    const before = [propertiesOf(req), propertiesOf(res)]
    avoidHiddenClasses(req, res)
    avoidHiddenClasses(req, res)
    expect([propertiesOf(req), propertiesOf(res)]).toEqual(before)
  })

  it('adds nothing to objects that do not have the members, such as those of HTTP/2', () => {
    const [req, res] = [{}, {}]
    avoidHiddenClasses(req as IncomingMessage, res as ServerResponse)
    expect([req, res]).toEqual([{}, {}])
  })

  it('leaves the members that Node sets for each request and response', () => {
    const { req, res } = newExchange()
    expect(Object.keys(req)).toContain('upgrade')
    expect(Object.keys(res)).toContain('sendDate')
    avoidHiddenClasses(req, res)
    expect(res.sendDate).toBe(true)
    expect(Object.keys(req)).toContain('upgrade')
  })
})
