import { testBrokenClients } from './scenario-tests'

describe('the scenarios of retries find', () => testBrokenClients('retries'))
