//! Lines of a hostile Electrum server: cuts in the stream change nothing, and what is read of them, headers, histories and proofs, is
//! judged without a panic. No header is taken that does not follow from the chain's rules.
//!
//! The first byte says where the rest of the input is cut.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((cut, stream)) = bytes.split_first() else { return };
    let heard = chain::hear(stream.chunks(usize::from(*cut).max(1)));
    assert_eq!(heard, chain::hear(std::iter::once(stream)));
});

/// The client's own files. `darkswap-node` itself would bring libp2p.
#[path = "../../src/chain"]
#[allow(dead_code, reason = "the client uses more of them")]
mod chain {
    use bitcoin::constants::genesis_block;
    use bitcoin::{Network, OutPoint};
    use darkswap_wallet::bdk_chain::BlockId;
    use electrum_streaming_client::{Request, request};
    use serde::Deserialize as _;
    use serde_json::Value;

    mod difficulty;
    mod headers;
    mod lines;
    mod misbehaviour;
    mod proof;

    use headers::Headers;
    use lines::{Lines, Message};

    /// What comes of a stream: a line for each message, then its end.
    pub(crate) fn hear<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Vec<String> {
        let (mut lines, mut heard) = (Lines::default(), Vec::new());
        let genesis = BlockId { height: 0, hash: genesis_block(Network::Regtest).block_hash() };
        let mut headers = Headers::new(Network::Regtest, genesis);
        for piece in pieces {
            lines.buffer().extend_from_slice(piece);
            loop {
                match lines.next_message() {
                    Ok(Some(message)) => heard.push(judge(message, &mut headers)),
                    Ok(None) => break,
                    Err(misbehaviour) => {
                        heard.push(misbehaviour.to_string());
                        return heard;
                    }
                }
            }
        }
        heard
    }

    fn judge(message: Message, headers: &mut Headers) -> String {
        let Message::Answer(id, Ok(value)) = message else { return format!("{message:?}") };
        if let Some(answer) = read::<request::Headers>(&value) {
            let start = id.min(headers.tip().map_or(0, |tip| tip.height.saturating_add(1)));
            let offer = headers.offer(start, &answer.headers);
            // Nothing is below the genesis block.
            assert!(!headers.prepend(&answer.headers) || answer.headers.is_empty());
            for (below, height) in (0..headers.tip().map_or(0, |tip| tip.height)).zip(1..) {
                let (below, header) = (headers.header(below), headers.header(height));
                let follows = below.zip(header).is_some_and(|(below, header)| {
                    header.prev_blockhash == below.block_hash() && header.bits == below.bits
                });
                assert!(follows, "the header of height {height} does not follow");
            }
            return format!("{offer:?} {:?} {:?}", headers.tip(), headers.take_changes());
        }
        if let Some(answer) = read::<request::GetHistory>(&value) {
            return format!("{:?}", proof::history(answer));
        }
        if let (Some(answer), Some(block)) = (read::<request::GetTxMerkle>(&value), headers.header(1)) {
            let txid = OutPoint::null().txid;
            return proof::proves(&answer, txid, 100, 1, block.merkle_root).to_string();
        }
        let others = [
            read::<request::HeadersSubscribe>(&value).map(|found| format!("{found:?}")),
            read::<request::Header>(&value).map(|found| format!("{found:?}")),
            read::<request::ListUnspent>(&value).map(|found| format!("{found:?}")),
            read::<request::ScriptHashSubscribe>(&value).map(|found| format!("{found:?}")),
            read::<request::GetTx>(&value).map(|found| found.tx.compute_txid().to_string()),
            read::<request::BroadcastTx>(&value).map(|found| found.to_string()),
            read::<request::EstimateFee>(&value).map(|found| format!("{found:?}")),
        ];
        others.into_iter().flatten().collect()
    }

    fn read<R: Request>(value: &Value) -> Option<R::Response> {
        R::Response::deserialize(value.clone()).ok()
    }
}
