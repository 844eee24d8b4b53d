import type { World } from './world.js';

/** A page that Stripe still takes money on, though the checkout's own was shut: a lost request, or somebody's copy. */
export async function openStrayPage(world: World, checkoutId: string, amount = 4_900): Promise<void> {
  const { metadata } = await world.standIns.session(checkoutId);
  await world.stripe.checkout.sessions.create({
    mode: 'payment',
    line_items: [
      {
        quantity: 1,
        price_data: { currency: 'usd', unit_amount: amount, product_data: { name: 'Growth plan' } },
      },
    ],
    metadata,
    payment_intent_data: { metadata },
    success_url: 'https://example.com/',
  });
}

/** Money for a checkout whose own page is shut. */
export async function payLate(
  world: World,
  checkoutId: string,
  amount?: number,
  outcome?: 'processing',
): Promise<void> {
  await openStrayPage(world, checkoutId, amount);
  if (!(await world.standIns.pay(checkoutId, outcome))) throw new Error('could not be paid');
}
