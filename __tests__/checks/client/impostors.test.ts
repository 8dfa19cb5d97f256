import { testBrokenClients } from './scenario-tests'

describe('the scenarios of impostors find', () => testBrokenClients('impostors'))
