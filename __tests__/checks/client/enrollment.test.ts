import { testBrokenClients } from './scenario-tests'

describe('the scenarios of enrollment find', () => testBrokenClients('enrollment'))
