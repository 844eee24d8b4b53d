import type { WorkflowRun } from '../support/simulation/workflow-run.js';
import { Violation } from '../support/simulation/violation.js';
import type { World } from './world.js';

/** 13 to 19 digits that begin as cards do, and are no part of an id. Times in ms begin with a 1. */
const cardLike = /(?<![\w-])[3-6](?:[ -]?\d){12,18}(?![\w-])/g;

/** The check digit that every card number ends with. */
function hasCheckDigit(text: string): boolean {
  const digits = [...text.replace(/\D/g, '')].reverse().map(Number);
  const sum = digits.reduce((total, digit, place) => {
    const doubled = place % 2 === 1 ? 2 * digit : digit;
    return total + (doubled > 9 ? doubled - 9 : doubled);
  }, 0);
  return sum % 10 === 0;
}

/** All texts in a value; payloads of Temporal are read. */
function textsOf(value: unknown): string {
  if (typeof value === 'string') return value;
  if (value instanceof Uint8Array) return Buffer.from(value).toString();
  if (typeof value !== 'object' || value === null) return '';
  return Object.values(value).map(textsOf).join('\n');
}

/** What lets its holder pay, or names a caller, by the stand-ins' book. */
function secretsOf({ standIns }: World): { payable: string[]; personal: string[] } {
  const { intents, authorizations, sessions } = standIns.world.state;
  const payable = [...Object.values(intents), ...Object.values(sessions)].flatMap(
    ({ object }) => object.client_secret ?? [],
  );
  const personal = [
    ...Object.values(authorizations).flatMap(({ object: { customer } }) => [
      customer.phone ?? [],
      customer.email ?? [],
    ]),
    ...Object.values(standIns.network.state.messages).map(({ to }) => to),
  ].flat();
  return { payable, personal };
}

const historyOf = ({ log, start, signals, result }: WorkflowRun): string =>
  textsOf([start.args, signals, result, log.map(({ jobs, commands }) => [jobs, commands])]);

/**
 * I8: no card number and nothing that can be paid with in a history, nor in what people are told. No phone and no e-mail in
 * ids, memos, keys and marks, which are readable without the payloads' key.
 */
export function nothingTold(world: World, told: readonly unknown[]): void {
  const { payable, personal } = secretsOf(world);
  const check = (where: string, text: string, secrets: readonly string[]) => {
    const card = text.match(cardLike)?.find(hasCheckDigit);
    if (card !== undefined) throw new Violation('I8', `a card number in ${where}`);
    if (secrets.some((secret) => text.includes(secret)))
      throw new Violation('I8', `something secret or personal in ${where}`);
  };
  for (const run of world.server.all()) {
    check(`the history of ${run.workflowId}`, historyOf(run), payable);
    check(`the id or memo of ${run.workflowId}`, textsOf([run.workflowId, run.memo]), [
      ...payable,
      ...personal,
    ]);
  }
  for (const { path, idempotency_key: key, params } of world.standIns.plumbing.log.since(undefined)) {
    const marks = Object.entries(params ?? {}).filter(([name]) => name.includes('metadata['));
    check(`the key or mark of ${path}`, textsOf([key ?? '', marks]), [...payable, ...personal]);
  }
  for (const one of told) check('what somebody was told', textsOf(one), [...payable, ...personal]);
}
