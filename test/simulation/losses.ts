import { checkoutWorkflowId } from '../../contracts/checkout.js';
import { type ReconciliationResult, reconciliationWorkflowType } from '../../contracts/reconciliation.js';
import type { Book } from './book.js';
import { beginning, type World } from './world.js';

/** What is younger a pass leaves to its run, ms. */
const settlingMs = 120_000;

/** What Temporal forgot, and when everything was known again: until then nobody can know what was sold already. */
export class Losses {
  /** Checkouts that were begun before a pass had made a loss good, and others. */
  readonly begunInTheDark = new Set<string>();
  readonly begunInTheLight = new Set<string>();
  readonly #world: World;
  readonly #book: Book;
  /** By purchase: the checkouts that were lost, and when that was last, epoch ms. */
  readonly #lost = new Map<number, { ids: Set<string>; at: number }>();

  constructor(world: World, book: Book) {
    this.#world = world;
    this.#book = book;
  }

  /** A checkout of the purchase is lost now. */
  of(checkoutId: string, purchase: number): void {
    const { ids = new Set<string>() } = this.#lost.get(purchase) ?? {};
    this.#lost.set(purchase, { ids: ids.add(checkoutId), at: this.#world.time.now });
  }

  /** A checkout of the purchase is about to be started. */
  begins(checkoutId: string, purchase: number): void {
    const begun = this.lightSince(purchase) === Infinity ? this.begunInTheDark : this.begunInTheLight;
    begun.add(checkoutId);
  }

  /**
   * When a pass over the whole time was over that had nothing left to report, epoch ms, and that began after Temporal forgot
   * something of the purchase, and after money was begun for what it had forgotten: from then on everything is known again.
   * Infinity: not yet; -Infinity: nothing was lost.
   */
  lightSince(purchase: number): number {
    const lost = this.#lost.get(purchase);
    if (!lost) return -Infinity;
    const { server, scenario } = this.#world;
    const { tenant } = scenario.purchases[purchase]!;
    const firstRun = (id: string) =>
      server.runs.get(checkoutWorkflowId(tenant, id))?.[0]?.startedAt ?? Infinity;
    const cameForNobody = [...lost.ids].flatMap((id) =>
      this.#book.begun(id).filter((at) => at + 1_000 < firstRun(id)),
    );
    const settledAt = Math.max(lost.at, ...cameForNobody) + settlingMs;
    const passes = server
      .all()
      .filter(
        ({ start, status }) => start.workflowType === reconciliationWorkflowType && status === 'COMPLETED',
      )
      .filter(({ start }) => start.workflowId.split('/')[1] === tenant)
      .filter(({ result }) => {
        const { from, until, reported } = result as ReconciliationResult;
        return from === beginning && until > settledAt && reported === 0;
      });
    return Math.min(...passes.map(({ closedAt }) => closedAt));
  }
}
