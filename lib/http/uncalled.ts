import type { NextFunction, Request, Response } from 'express'
import type { GuardContext } from './context.js'
import { refuseMount } from './routing.js'

/**
 * Adds a check to functions that make middlewares: an app can pass such a function to Express without a call, as in
 * `app.use(keys.router)`. Without this check, no request would ever get an answer.
 */
export function refuseUncalled<T extends object>(context: GuardContext, makers: T): T {
  const checked = Object.entries(makers).map(([name, make]) => [
    name,
    (...given: unknown[]) =>
      isCallOfExpress(given) ? refuseMount(context, given[2], faultOf(name)) : make(...given),
  ])
  return Object.fromEntries(checked)
}

/** None of our functions takes three arguments. */
function isCallOfExpress(given: unknown[]): given is [Request, Response, NextFunction] {
  return given.length === 3 && typeof given[2] === 'function'
}

function faultOf(name: string): string {
  const options = /^re(quire|deem)/.test(name) ? "{ scope: 'devices:create' }" : ''
  return `keys.${name}: expected the result of a call, got the function itself. Write keys.${name}(${options})`
}
