/** Prints the problems of an OpenAPI description as JSON: `node lint-openapi.mjs FILE`. */
import { createConfig, lint } from '@redocly/openapi-core'

const config = await createConfig({ extends: ['recommended'] })
const problems = await lint({ ref: process.argv[2], config })
console.log(JSON.stringify(problems.map(({ message, location }) => [message, location[0]?.pointer])))
