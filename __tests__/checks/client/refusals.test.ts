import { testBrokenClients } from './scenario-tests'

describe('the scenarios of refusals find', () => testBrokenClients('refusals'))
