//! A side that cheats or vanishes: nothing is lost but the fee of a reclaim.

use bitcoin::Transaction;
use darkswap_trade::order::{Order, Side};
use darkswap_trade::swap::{Body, GRACE, Input, Phase, Reason, Stage};

use crate::market::{MAKER, Market, POLICY, TAKER};
use crate::world::rate;

/// A swap whose finished transaction only the maker has.
fn withheld(side: Side) -> (Market, Order, Transaction) {
    let mut market = Market::open(side);
    let order = market.order(side);
    market.traders[MAKER].keeps = true;
    market.maker_hides = true;
    market.take(&order, 60);
    let transaction = market.traders[MAKER].kept.pop().expect("it was about to broadcast");
    assert_eq!(transaction.compute_txid(), market.txid());
    assert!(market.world.env.mempool().expect("a mempool").is_empty());
    (market, order, transaction)
}

#[test]
fn a_maker_that_spends_its_input_elsewhere_costs_the_taker_nothing() {
    for side in [Side::Sell, Side::Buy] {
        let (mut market, order, swap) = withheld(side);
        let before = market.wealth();
        let [maker, _] = &mut market.traders;
        let spent = swap.input.iter().map(|input| input.previous_output);
        let own = maker.wallet.coins().into_iter().map(|coin| coin.outpoint).collect::<Vec<_>>();
        let input = spent.into_iter().find(|outpoint| own.contains(outpoint)).expect("the maker's input");
        // It pays so much more that the swap cannot replace it.
        let theft = maker.wallet.reclaim(&[input].into(), None, rate(60)).expect("its own coin");
        market.world.broadcast(&theft.transaction).expect("bitcoind takes it");

        // Then it says that it has settled: the taker tries, and bitcoind says no.
        market.handle(TAKER, Input::Message(Body::Settled(swap.clone())));
        market.run(&order);
        let refusals = &market.traders[TAKER].refusals;
        assert!(matches!(&refusals[..], [refused] if refused.contains("insufficient fee")), "{refusals:?}");
        market.observe(&order);
        assert_eq!(market.traders[TAKER].phase(), Phase::Proposed, "the conflict only waits");
        market.world.env.mine(1).expect("a block");
        let refused = market.world.broadcast(&swap).expect_err("its input is gone");
        assert!(refused.contains("bad-txns-inputs-missingorspent"), "{refused}");
        market.observe(&order);
        market.mine(1, &order);
        let by = theft.transaction.compute_txid();
        let aborted = |reason| Stage::Aborted { reason };
        assert_eq!(*market.traders[TAKER].stage(), aborted(Reason::DoubleSpent { outpoint: input, by }));
        assert_eq!(*market.traders[MAKER].stage(), aborted(Reason::Reclaimed { outpoint: input, by }));
        let after = market.wealth();
        assert_eq!(after[TAKER], before[TAKER], "{side:?}");
        assert_eq!(after[MAKER], (before[MAKER].0 - theft.fee, before[MAKER].1), "{side:?}");
        assert!(market.traders.iter().all(|trader| trader.wallet.reservations().is_empty()));
    }
}

#[test]
fn after_the_deadline_a_reclaim_confirms_and_the_swap_is_refused() {
    for side in [Side::Sell, Side::Buy] {
        let (mut market, order, swap) = withheld(side);
        let before = market.wealth();
        market.observe(&order);
        market.wait(POLICY.window, &order);
        assert!(market.world.env.mempool().expect("a mempool").is_empty(), "the maker may still settle");
        market.wait(GRACE, &order);
        assert_eq!(market.traders[TAKER].phase(), Phase::Reclaiming);
        let [reclaim] = market.world.env.mempool().expect("a mempool")[..] else { panic!("one reclaim") };
        let fee = market.fee(reclaim);
        market.mine(1, &order);
        let refused = market.world.broadcast(&swap).expect_err("the taker's input is gone");
        assert!(refused.contains("bad-txns-inputs-missingorspent"), "{refused}");
        market.mine(1, &order);
        for trader in &market.traders {
            assert!(matches!(trader.stage(), Stage::Aborted { .. }), "{:?}", trader.stage());
            assert_eq!(trader.refusals, [""; 0]);
            assert!(trader.wallet.reservations().is_empty());
        }
        let after = market.wealth();
        assert_eq!(after[MAKER], before[MAKER], "{side:?}");
        assert_eq!(after[TAKER], (before[TAKER].0 - fee, before[TAKER].1), "{side:?}");
    }
}

#[test]
fn a_swap_that_comes_late_is_refused_for_the_reclaim_that_waits() {
    let (mut market, order, swap) = withheld(Side::Sell);
    market.observe(&order);
    market.wait(POLICY.window + GRACE, &order);
    let waiting = market.world.env.mempool().expect("a mempool");
    assert_eq!(waiting.len(), 1);
    // The reclaim pays a higher rate than was agreed for the swap.
    let refused = market.world.broadcast(&swap).expect_err("it does not replace the reclaim");
    assert!(refused.contains("insufficient fee"), "{refused}");
    assert_eq!(market.world.env.mempool().expect("a mempool"), waiting);
}
