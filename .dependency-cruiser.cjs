/** Import directions of docs/architecture.md, checked. */
const only = (name, from, allowed) => ({
  name,
  severity: 'error',
  comment: `${from} may import only: ${allowed.join(', ') || 'nothing'}`,
  from: { path: `^${from}/` },
  to: { pathNot: [`^${from}/`, ...allowed] },
});

const temporal = (part) => `node_modules/@temporalio/${part}/`;

module.exports = {
  forbidden: [
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    { name: 'not-to-unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
    only('domain-is-pure', 'domain', []),
    only('contracts', 'contracts', ['^domain/', temporal('common'), temporal('workflow')]),
    {
      name: 'workflows',
      severity: 'error',
      comment: 'Workflow code runs in replay: only the SDK, contracts, domain and types of activities.',
      from: { path: '^workflows/' },
      to: { pathNot: ['^workflows/', '^contracts/', '^domain/', temporal('workflow'), '^activities/'] },
    },
    {
      name: 'workflows-take-only-types-of-activities',
      severity: 'error',
      from: { path: '^workflows/' },
      to: { path: '^activities/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'product-never-imports-local',
      severity: 'error',
      from: { path: '^(contracts|domain|workflows|activities|providers|workers|api|runtime)/' },
      to: { path: '^(local|test|bench)/' },
    },
    {
      name: 'simulators-import-nothing-of-the-product',
      severity: 'error',
      comment: 'A stand-in that shares code with the product shares its bugs.',
      from: { path: '^local/simulators/' },
      to: { path: '^(contracts|domain|workflows|activities|providers|workers|api|runtime)/' },
    },
    {
      name: 'activities',
      severity: 'error',
      from: { path: '^activities/' },
      to: { path: '^(workflows|api|workers|runtime|local|test)/' },
    },
    {
      name: 'providers',
      severity: 'error',
      from: { path: '^providers/' },
      to: { path: '^(contracts|workflows|activities|api|workers|runtime|local|test)/' },
    },
    {
      name: 'api',
      severity: 'error',
      from: { path: '^api/' },
      to: { path: '^(activities|workers|local|test)/' },
    },
    {
      name: 'api-takes-only-types-of-workflows',
      severity: 'error',
      from: { path: '^api/' },
      to: { path: '^workflows/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'only-main-files-build-clients',
      severity: 'error',
      comment: 'Configuration is read by the composition roots and handed down.',
      from: { path: '^(workers|api)/', pathNot: '/(main|bundle)\\.ts$' },
      to: { path: '^runtime/config\\.ts$', dependencyTypesNot: ['type-only'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(dist|node_modules)/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
    },
  },
};
