import { loopback } from '../ports.js';

/**
 * Settings of the dev server that decide its latency. It has one history shard, whose queue readers poll 20 times a
 * second by default: each hop then costs 50 ms, a checkout 300 ms. The time shift lets timers below 1 s fire on time.
 */
const dynamicConfig = {
  'history.transferProcessorMaxPollRPS': 2_000,
  'history.timerProcessorMaxPollRPS': 2_000,
  'history.visibilityProcessorMaxPollRPS': 2_000,
  'history.timerProcessorMaxTimeShift': '10ms',
  'system.enableActivityEagerExecution': true,
  'frontend.enableUpdateWorkflowExecution': true,
  'frontend.enableUpdateWorkflowExecutionAsyncAccepted': true,
  'frontend.enableServerVersionCheck': false,
};

/**
 * The dev server reads the search attributes anew whenever it needs one, 70 times a checkout, so that new ones can be used
 * at once. What it knows from its first start on need not be read; one that is added later can be used 2 s later.
 */
const rememberSearchAttributes = { 'system.forceSearchAttributesCacheRefreshOnRead': false };

/**
 * Arguments of `temporal`. The write-ahead log survives a killed process; a lost machine may lose the last commits.
 * `searchAttributes` (Keywords) are those of every namespace; without them namespaces may be made at any time.
 */
export function devServerArguments(options: {
  port: number;
  uiPort: number;
  databaseFile: string;
  searchAttributes?: readonly string[];
}): string[] {
  const { searchAttributes } = options;
  const settings = { ...dynamicConfig, ...(searchAttributes && rememberSearchAttributes) };
  return [
    ...['server', 'start-dev', '--ip', loopback, '--namespace', 'default', '--log-level', 'warn'],
    ...['--port', String(options.port), '--ui-port', String(options.uiPort)],
    ...['--db-filename', options.databaseFile],
    ...['--sqlite-pragma', 'journal_mode=WAL', '--sqlite-pragma', 'synchronous=NORMAL'],
    ...(searchAttributes ?? []).flatMap((name) => ['--search-attribute', `${name}=Keyword`]),
    ...Object.entries(settings).flatMap(([key, value]) => [
      '--dynamic-config-value',
      `${key}=${JSON.stringify(value)}`,
    ]),
  ];
}
