use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::*;

/// An arbitrary point in time that deadlines can be counted from.
fn start() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "only the distances to it matter")]
    Instant::now()
}

fn substream() -> Substream {
    Substream::new(SubstreamSettings::default())
}

fn flag(flag: Flag) -> Bytes {
    Frame::flag(flag).encode()
}

fn data(bytes: &'static [u8]) -> Bytes {
    Frame::data(Bytes::from_static(bytes)).encode()
}

fn sent(stream: &mut Substream, now: Instant) -> Vec<Frame> {
    std::iter::from_fn(|| stream.poll_message(now))
        .flat_map(|message| crate::frame::decode(&message).expect("our frames are valid").expect("and whole"))
        .collect()
}

#[test]
fn a_stream_is_done_when_each_fin_has_been_acknowledged() {
    let now = start();
    let mut stream = substream();
    assert_eq!(stream.write(b"question"), Ok(8));
    stream.close();
    assert_eq!(sent(&mut stream, now), [Frame::data(Bytes::from_static(b"question")), Frame::flag(Flag::Fin)]);
    assert_eq!(stream.write(b"more"), Err(WriteError::Closed));
    stream.handle_message(now, flag(Flag::FinAck)).expect("valid");
    assert_eq!(stream.write_state(), WriteState::Confirmed);
    stream.handle_message(now, data(b"answer")).expect("valid");
    stream.handle_message(now, flag(Flag::Fin)).expect("valid");
    assert!(!stream.is_done(), "the peer has not got its FIN_ACK");
    assert_eq!(sent(&mut stream, now), [Frame::flag(Flag::FinAck)]);
    assert!(stream.is_done());
    assert_eq!(stream.read(4), Read::Data(Bytes::from_static(b"answ")));
    assert_eq!(stream.read(4), Read::Data(Bytes::from_static(b"er")));
    assert_eq!(stream.read(4), Read::End);
    assert_eq!(stream.buffered(), 0);
}

#[test]
fn a_fault_after_the_end_leaves_nothing_behind_for_the_next_message() {
    let now = start();
    let mut stream = substream();
    stream.close();
    sent(&mut stream, now);
    for end in [Flag::FinAck, Flag::Fin] {
        stream.handle_message(now, flag(end)).expect("valid");
    }
    sent(&mut stream, now);
    assert!(stream.is_done());
    let late = [data(b"late"), data(b"later")].concat();
    assert!(stream.handle_message(now, late.into()).is_err());
    assert!(stream.handle_message(now, data(b"last")).is_err());
}

#[test]
fn a_missing_fin_ack_is_waited_for_as_long_as_the_channel_drains_but_not_for_ever() {
    let now = start();
    let mut stream = substream();
    stream.close();
    stream.handle_message(now, flag(Flag::Fin)).expect("valid");
    sent(&mut stream, now);
    for seconds in [10, 20] {
        let deadline = now + Duration::from_secs(seconds);
        assert_eq!(stream.poll_timeout(), Some(deadline));
        stream.handle_timeout(deadline, 1);
        assert_eq!(stream.write_state(), WriteState::Closing);
    }
    stream.handle_timeout(now + Duration::from_secs(30), 1);
    assert_eq!(stream.write_state(), WriteState::Unconfirmed);
    assert!(stream.is_done());
    assert_eq!(stream.poll_timeout(), None);
}

#[test]
fn a_forged_fin_ack_before_the_fin_confirms_nothing() {
    let now = start();
    let mut stream = substream();
    stream.close();
    stream.handle_message(now, flag(Flag::FinAck)).expect("ignored");
    assert_eq!(stream.write_state(), WriteState::Closing);
    assert_eq!(sent(&mut stream, now), [Frame::flag(Flag::Fin)]);
    assert_eq!(stream.write_state(), WriteState::Closing);
}

#[test]
fn stop_sending_drops_what_was_not_sent_and_is_answered_by_a_fin_not_by_a_reset() {
    let now = start();
    let mut stream = substream();
    stream.write(b"unwanted").expect("open");
    stream.handle_message(now, flag(Flag::StopSending)).expect("valid");
    assert_eq!(stream.write(b"more"), Err(WriteError::Stopped));
    assert_eq!(sent(&mut stream, now), [Frame::flag(Flag::Fin)]);
}

#[test]
fn a_peer_that_ignores_stop_sending_is_left_after_a_bounded_wait() {
    let now = start();
    let mut stream = substream();
    stream.stop_reading();
    stream.close();
    assert_eq!(sent(&mut stream, now), [Frame::flag(Flag::StopSending), Frame::flag(Flag::Fin)]);
    stream.handle_message(now, data(b"unwanted")).expect("discarded");
    stream.handle_message(now, flag(Flag::FinAck)).expect("flags still count");
    assert_eq!(stream.buffered(), 0);
    assert!(!stream.is_done());
    let deadline = stream.poll_timeout().expect("the wait is bounded");
    assert_eq!(deadline, now + Duration::from_secs(10));
    stream.handle_timeout(deadline, 0);
    assert!(stream.is_done());
    assert_eq!(stream.poll_timeout(), None);
}

#[test]
fn the_wait_for_the_peer_begins_when_it_has_been_asked_to_stop() {
    let now = start();
    let mut stream = substream();
    stream.close();
    assert_eq!(sent(&mut stream, now), [Frame::flag(Flag::Fin)]);
    stream.stop_reading();
    stream.handle_message(now, flag(Flag::FinAck)).expect("valid");
    assert_eq!(stream.poll_timeout(), None, "the channel has not taken the STOP_SENDING yet");
    let later = now + Duration::from_secs(60);
    stream.handle_timeout(later, 0);
    assert_eq!(sent(&mut stream, later), [Frame::flag(Flag::StopSending)]);
    assert_eq!(stream.poll_timeout(), Some(later + Duration::from_secs(10)));
}

#[test]
fn a_reset_ends_both_sides_and_is_the_last_message() {
    let now = start();
    let mut stream = substream();
    stream.handle_message(now, data(b"lost")).expect("valid");
    stream.write(b"lost too").expect("open");
    stream.reset();
    assert!(!stream.is_done(), "the RESET is not sent yet");
    assert_eq!(sent(&mut stream, now), [Frame::flag(Flag::Reset)]);
    assert!(stream.is_done());
    assert_eq!(stream.read(9), Read::Failed(Abort::ResetByUs));
    stream.handle_message(now, data(b"late")).expect("sent before the peer saw the reset");
    assert_eq!(stream.read(9), Read::Failed(Abort::ResetByUs));

    let mut stream = substream();
    stream.handle_message(now, data(b"lost")).expect("valid");
    stream.handle_message(now, flag(Flag::Reset)).expect("valid");
    assert!(stream.is_done());
    assert_eq!(stream.read(9), Read::Failed(Abort::ResetByPeer));
    assert_eq!(stream.write(b"x"), Err(WriteError::Aborted(Abort::ResetByPeer)));
}

#[test]
fn bytes_that_the_peer_finished_survive_its_later_reset() {
    let now = start();
    let mut stream = substream();
    stream.handle_message(now, data(b"all")).expect("valid");
    stream.handle_message(now, flag(Flag::Fin)).expect("valid");
    stream.handle_message(now, flag(Flag::Reset)).expect("valid");
    assert_eq!(stream.read(9), Read::Data(Bytes::from_static(b"all")));
    assert_eq!(stream.read(9), Read::End);
}

#[test]
fn a_channel_that_closes_early_is_never_mistaken_for_the_end_of_the_stream() {
    let now = start();
    let mut stream = substream();
    stream.handle_message(now, data(b"half")).expect("valid");
    stream.handle_channel_closed();
    assert!(stream.is_done());
    assert_eq!(stream.read(9), Read::Data(Bytes::from_static(b"half")));
    assert_eq!(stream.read(9), Read::Failed(Abort::ChannelClosed));
    assert_eq!(stream.poll_message(now), None);
}

#[test]
fn bytes_after_the_fin_are_misbehaviour_and_reset_the_stream() {
    let now = start();
    let mut stream = substream();
    stream.handle_message(now, flag(Flag::Fin)).expect("valid");
    let fault = stream.handle_message(now, data(b"xyz")).expect_err("the stream has ended");
    assert_eq!(fault, Fault::Misbehaviour(Misbehaviour::DataAfterFin { found: 3 }));
    assert_eq!(sent(&mut stream, now), [Frame::flag(Flag::Reset)]);
}

#[test]
fn a_flood_of_single_bytes_meets_the_bound_that_counts_their_memory() {
    let now = start();
    let mut stream = substream();
    let limit = SubstreamSettings::default().read_buffer;
    let accepted = (0..limit).take_while(|_| stream.handle_message(now, data(b"x")).is_ok()).count();
    assert_eq!(accepted, limit / (1 + PIECE_COST));
    assert_eq!(stream.buffered(), 0, "the reset let go of it");
    assert_eq!(sent(&mut stream, now), [Frame::flag(Flag::Reset)]);
}

#[test]
fn a_stream_that_asks_for_more_than_its_connection_has_left_is_reset_and_says_so() {
    let (now, mut stream) = (start(), Substream::new(SubstreamSettings::default()));
    let cost = 3 + PIECE_COST;
    stream.handle_message_within(now, data(b"abc"), cost).expect("it fits");
    stream.handle_message_within(now, flag(Flag::StopSending), 0).expect("flags cost nothing");
    let fault = stream.handle_message_within(now, data(b"def"), cost - 1).expect_err("a byte too many");
    assert_eq!(fault, Fault::ConnectionFull { found: cost, room: cost - 1 });
    assert_eq!((stream.buffered(), stream.read(9)), (0, Read::Failed(Abort::Fault)));
    assert_eq!(stream.poll_message(now), Some(flag(Flag::Reset)));
}

#[test]
fn a_message_that_the_channel_refused_comes_first_the_next_time() {
    let now = start();
    let mut stream = substream();
    stream.write(b"abc").expect("open");
    let message = stream.poll_message(now).expect("written");
    stream.put_back(message.clone());
    stream.close();
    stream.handle_message(now, flag(Flag::Fin)).expect("valid");
    assert!(!stream.is_flushed());
    assert_eq!(stream.poll_message(now), Some(message));
    stream.reset();
    let reset = stream.poll_message(now).expect("the RESET");
    stream.put_back(reset.clone());
    assert!(!stream.is_done());
    assert_eq!(stream.poll_message(now), Some(reset));
    assert!(stream.is_done());
}

#[test]
fn letting_go_of_a_stream_resets_only_what_was_not_finished() {
    let now = start();
    let mut open = substream();
    open.abandon();
    assert_eq!(sent(&mut open, now), [Frame::flag(Flag::Reset)]);

    let mut answered = substream();
    answered.handle_message(now, flag(Flag::Fin)).expect("valid");
    answered.write(b"answer").expect("open");
    answered.abandon();
    let answer = Frame::data(Bytes::from_static(b"answer"));
    assert_eq!(sent(&mut answered, now), [Frame::flag(Flag::FinAck), answer, Frame::flag(Flag::Fin)]);

    let mut unread = substream();
    unread.close();
    unread.abandon();
    assert_eq!(sent(&mut unread, now), [Frame::flag(Flag::StopSending), Frame::flag(Flag::Fin)]);
}

#[derive(Clone, Debug)]
enum Action {
    Write(usize, usize),
    Close(usize),
    Stop(usize),
    Reset(usize),
    Abandon(usize),
    Read(usize, usize),
    Send(usize, usize),
    Refuse(usize),
    Deliver(usize, usize),
    Wait(u64),
}

/// What an application does that ends with every byte delivered.
fn gentle() -> impl Strategy<Value = Action> {
    let side = 0..2usize;
    prop_oneof![
        4 => (side.clone(), 1..40_000usize).prop_map(|(side, size)| Action::Write(side, size)),
        1 => side.clone().prop_map(Action::Close),
        3 => (side.clone(), 1..50_000usize).prop_map(|(side, size)| Action::Read(side, size)),
        4 => (side.clone(), 1..4usize).prop_map(|(side, count)| Action::Send(side, count)),
        1 => side.clone().prop_map(Action::Refuse),
        4 => (side, 1..4usize).prop_map(|(side, count)| Action::Deliver(side, count)),
        1 => (0..15_000u64).prop_map(Action::Wait),
    ]
}

fn any_action() -> impl Strategy<Value = Action> {
    let side = 0..2usize;
    prop_oneof![
        20 => gentle(),
        1 => side.clone().prop_map(Action::Stop),
        1 => side.clone().prop_map(Action::Reset),
        1 => side.prop_map(Action::Abandon),
    ]
}

/// Two ends of one data channel: in order, without loss, and closed as the WebRTC API closes it (what was sent before the close
/// arrives, what arrives after our own close is dropped).
struct Pair {
    now: Instant,
    ends: [Substream; 2],
    /// Messages under way to each end; `None` is the close of the channel.
    under_way: [VecDeque<Option<Bytes>>; 2],
    closed: [bool; 2],
    written: [usize; 2],
    read: [usize; 2],
    ended: [bool; 2],
}

/// The byte at a position of what one end writes: tells lost, doubled and invented bytes apart.
fn content(side: usize, position: usize) -> u8 {
    (position % 251 + position / 251 + side * 7) as u8
}

impl Pair {
    fn new(settings: SubstreamSettings) -> Self {
        Self {
            now: start(),
            ends: [Substream::new(settings.clone()), Substream::new(settings)],
            under_way: [VecDeque::new(), VecDeque::new()],
            closed: [false; 2],
            written: [0; 2],
            read: [0; 2],
            ended: [false; 2],
        }
    }

    fn act(&mut self, action: &Action) {
        match *action {
            Action::Write(side, size) => {
                let bytes: Vec<u8> = (0..size).map(|index| content(side, self.written[side] + index)).collect();
                self.written[side] += self.ends[side].write(&bytes).unwrap_or(0);
            }
            Action::Close(side) => self.ends[side].close(),
            Action::Stop(side) => self.ends[side].stop_reading(),
            Action::Reset(side) => self.ends[side].reset(),
            Action::Abandon(side) => self.ends[side].abandon(),
            Action::Read(side, size) => _ = self.read(side, size),
            Action::Send(side, count) => _ = self.send(side, count),
            Action::Refuse(side) => {
                if let Some(message) = self.ends[side].poll_message(self.now) {
                    self.ends[side].put_back(message);
                }
            }
            Action::Deliver(side, count) => _ = self.deliver(side, count),
            Action::Wait(millis) => {
                self.now += Duration::from_millis(millis);
                for end in &mut self.ends {
                    end.handle_timeout(self.now, 0);
                }
            }
        }
        self.close_channels();
    }

    fn read(&mut self, side: usize, size: usize) -> bool {
        match self.ends[side].read(size) {
            Read::Data(bytes) => {
                assert!(!self.ended[side], "bytes after the end");
                for byte in bytes.iter() {
                    assert_eq!(*byte, content(1 - side, self.read[side]), "at {}", self.read[side]);
                    self.read[side] += 1;
                }
                assert!(self.read[side] <= self.written[1 - side], "invented bytes");
                true
            }
            Read::End => {
                self.ended[side] = true;
                false
            }
            Read::Pending | Read::Failed(_) => false,
        }
    }

    fn send(&mut self, side: usize, count: usize) -> bool {
        let mut moved = false;
        for _ in 0..count {
            let Some(message) = self.ends[side].poll_message(self.now) else { break };
            assert!(!self.closed[side], "a message after the channel was closed");
            assert!(message.len() <= crate::frame::MAX_FRAME);
            self.under_way[1 - side].push_back(Some(message));
            moved = true;
        }
        moved
    }

    fn deliver(&mut self, side: usize, count: usize) -> bool {
        let mut moved = false;
        for _ in 0..count {
            match self.under_way[side].pop_front() {
                None => break,
                Some(_) if self.closed[side] => {}
                Some(Some(message)) => match self.ends[side].handle_message(self.now, message) {
                    Ok(()) | Err(Fault::ReadBufferFull { .. } | Fault::ConnectionFull { .. }) => {}
                    Err(fault) => panic!("our own end misbehaved: {fault}"),
                },
                Some(None) => {
                    self.ends[side].handle_channel_closed();
                    self.close_channel(side);
                }
            }
            moved = true;
        }
        moved
    }

    fn close_channels(&mut self) {
        for side in 0..2 {
            if self.ends[side].is_done() && !self.closed[side] {
                assert_eq!(self.ends[side].poll_message(self.now), None, "done, but not silent");
                self.close_channel(side);
            }
        }
    }

    fn close_channel(&mut self, side: usize) {
        self.closed[side] = true;
        self.under_way[1 - side].push_back(None);
    }

    /// Both applications finish what they have begun; it must come to an end in a bounded number of steps.
    fn finish(&mut self) {
        for _ in 0..10_000 {
            let mut moved = false;
            for side in 0..2 {
                self.ends[side].close();
                moved |= self.read(side, usize::MAX) | self.send(side, 1) | self.deliver(side, 1);
                self.close_channels();
            }
            if self.closed == [true; 2] && !moved {
                return;
            }
            if !moved {
                let deadline = self.ends.iter().filter_map(Substream::poll_timeout).min();
                self.now = deadline.expect("nothing moves and nothing is waited for: a deadlock").max(self.now);
                for end in &mut self.ends {
                    end.handle_timeout(self.now, 0);
                }
                self.close_channels();
            }
        }
        panic!("does not end: {:?}", self.ends);
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn two_ends_that_finish_deliver_every_byte(actions in prop::collection::vec(gentle(), 0..80)) {
        let mut pair = Pair::new(SubstreamSettings::default());
        actions.iter().for_each(|action| pair.act(action));
        pair.finish();
        prop_assert_eq!(pair.ended, [true; 2]);
        prop_assert_eq!([pair.read[1], pair.read[0]], pair.written);
    }

    #[test]
    fn two_ends_never_invent_bytes_and_always_come_to_an_end(
        actions in prop::collection::vec(any_action(), 0..80),
        read_buffer in prop_oneof![Just(4 << 20), 1_000..60_000usize],
    ) {
        let mut pair = Pair::new(SubstreamSettings { read_buffer, ..SubstreamSettings::default() });
        let mut stopped = [false; 2];
        for action in &actions {
            if let Action::Stop(side) | Action::Abandon(side) = action {
                stopped[*side] = true;
            }
            pair.act(action);
        }
        pair.finish();
        for (side, stopped) in stopped.into_iter().enumerate() {
            if pair.ended[side] && !stopped && !pair.ends[1 - side].stopped_by_peer {
                prop_assert_eq!(pair.read[side], pair.written[1 - side], "an end that looks clean is complete");
            }
        }
    }

    #[test]
    fn arbitrary_messages_never_panic_and_never_pass_the_bounds(
        messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..64), 0..40),
    ) {
        let now = start();
        let mut stream = Substream::new(SubstreamSettings { read_buffer: 500, ..SubstreamSettings::default() });
        for message in messages {
            let failed = stream.handle_message(now, message.into()).is_err();
            prop_assert!(stream.buffered() <= 500);
            prop_assert!(std::iter::from_fn(|| stream.poll_message(now)).count() <= 3);
            prop_assert!(!failed || stream.is_done());
        }
    }
}
