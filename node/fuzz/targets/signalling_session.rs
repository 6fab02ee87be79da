//! The exchange of `/webrtc-signaling/0.0.1` with a lying peer: whatever it sends and when, the exchange goes on or ends.
//!
//! The input is a list of steps: one byte of kind and time, one of length, then the bytes of the stream.
#![no_main]

use std::time::{Duration, Instant};

use darkswap_webrtc::signalling::{Event, Role, Session, SessionSettings};
use libfuzzer_sys::fuzz_target;

/// No step of any input leaves more than this undone.
const WAITING: usize = 1_000;

fuzz_target!(|bytes: &[u8]| {
    let Some((role, mut rest)) = bytes.split_first() else { return };
    let role = if role & 1 == 0 { Role::Offerer } else { Role::Answerer };
    let mut now = Instant::now();
    let mut session = Session::new(role, SessionSettings::default(), now);
    let sdp = || "v=0\r\na=ice-ufrag:abcd\r\n".to_owned();
    if role == Role::Offerer {
        session.send_offer(now, sdp()).expect("the first offer is due");
    }
    while let Some(([kind, length], after)) = rest.split_first_chunk() {
        let (stream, after) = after.split_at(usize::from(*length).min(after.len()));
        rest = after;
        now += Duration::from_millis(u64::from(kind >> 2) * 50);
        session.handle_timeout(now);
        let ended = match kind & 3 {
            0 => session.send_offer(now, sdp()).is_err() && session.handle_closed().is_err(),
            1 => {
                session.connected();
                false
            }
            _ => session.handle_bytes(now, stream).is_err(),
        };
        if drain(&mut session) && role == Role::Answerer {
            let _ = session.send_answer(sdp());
        }
        assert!(session.poll_timeout().is_none_or(|deadline| deadline > now));
        if ended {
            assert!(!session.can_restart());
            return;
        }
    }
});

/// Takes everything that waits; whether there was an offer among it.
fn drain(session: &mut Session) -> bool {
    let mut offered = false;
    let mut taken = 0;
    while let Some(event) = session.poll_event() {
        offered |= matches!(event, Event::Offer { .. });
        taken += 1;
    }
    while session.poll_output().is_some() {
        taken += 1;
    }
    assert!(taken <= WAITING, "{taken} events and messages waited");
    offered
}
