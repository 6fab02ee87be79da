//! One libp2p substream: the half-closes and resets that a data channel lacks, without I/O.
//!
//! Specification: libp2p WebRTC, "Multiplexing" and "Closing an RTCDataChannel"; where it is silent, QUIC (RFC 9000,
//! section 3). Messages of the channel go in, messages for the channel and bytes for the application come out.
//!
//! | our write side | until |
//! |---|---|
//! | `Open` | the application closes it, or the peer sends STOP_SENDING (what was not sent yet is dropped) |
//! | `Closing` | the bytes before the FIN and the FIN itself are handed to the channel |
//! | `FinSent` | FIN_ACK arrives, or the wait for it ends |
//! | `Closed` | |
//!
//! | our read side | until |
//! |---|---|
//! | `Open` | the peer's FIN, or the application stops reading |
//! | `Stopped` | the peer's FIN; bytes are discarded, flags still count |
//! | `Finished` | |
//!
//! A reset ends both sides at once. The specification lets it end only the sender's writing, but every implementation we
//! talk to (js, Rust) drops the whole stream after it. The channel may be closed when both sides have ended
//! ([`Substream::is_done`]); bytes that were received before stay readable. Each flag travels in a frame of its own: the published
//! Rust implementation loses a payload that shares its frame with a FIN.

mod outcome;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
pub use outcome::{Abort, Fault, Misbehaviour, Read, WriteError, WriteState};

use crate::frame::{Decoder, Flag, Frame, MAX_PAYLOAD};

/// Memory that a buffered piece of received bytes costs besides its bytes. Counted, so that a peer who sends single bytes
/// cannot make us hold many times the limit.
const PIECE_COST: usize = 64;

/// Bounds and waits of a substream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubstreamSettings {
    /// Most received bytes that wait for the application. A data channel has no flow control of its own, so a peer who sends
    /// faster than we read ends in a reset. 4 MiB is what js-libp2p allows, so each end can bear what the other may send.
    pub read_buffer: usize,
    /// Most written bytes that wait for the channel; four full frames keep it busy.
    pub write_buffer: usize,
    /// Wait for FIN_ACK after the FIN, and for the peer's FIN after STOP_SENDING. js-libp2p waits as long.
    pub fin_ack_timeout: Duration,
    /// Longest wait for FIN_ACK while the channel still holds bytes of ours: on a slow path the FIN is sent long after it was
    /// handed over. js-libp2p waits as long for a channel to drain.
    pub drain_timeout: Duration,
}

impl Default for SubstreamSettings {
    fn default() -> Self {
        Self {
            read_buffer: 4 * 1024 * 1024,
            write_buffer: 4 * MAX_PAYLOAD,
            fin_ack_timeout: Duration::from_secs(10),
            drain_timeout: Duration::from_secs(30),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WriteSide {
    Open,
    Closing,
    FinSent { sent: Instant, deadline: Instant },
    Closed { confirmed: bool },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ReadSide {
    Open,
    Stopped,
    Finished,
}

/// One substream. After any call that takes input, drain [`Substream::poll_message`].
#[derive(Debug)]
pub struct Substream {
    settings: SubstreamSettings,
    decoder: Decoder,
    write: WriteSide,
    read: ReadSide,
    abort: Option<Abort>,
    /// Written by the application, not yet cut into frames.
    outgoing: BytesMut,
    /// Received, not yet read.
    incoming: VecDeque<Bytes>,
    /// Bytes of `incoming`, with the cost of each piece.
    incoming_cost: usize,
    /// A message that the channel did not take.
    returned: Option<Bytes>,
    /// The peer asked us to stop sending.
    stopped_by_peer: bool,
    fin_ack_due: bool,
    stop_due: bool,
    reset_due: bool,
    /// End of the wait for the peer's FIN, when that is all we wait for.
    linger: Option<Instant>,
    /// That wait is over.
    lingered: bool,
}

impl Substream {
    /// A substream on a channel that was just opened, by us or by the peer.
    pub fn new(settings: SubstreamSettings) -> Self {
        Self {
            settings,
            decoder: Decoder::new(),
            write: WriteSide::Open,
            read: ReadSide::Open,
            abort: None,
            outgoing: BytesMut::new(),
            incoming: VecDeque::new(),
            incoming_cost: 0,
            returned: None,
            stopped_by_peer: false,
            fin_ack_due: false,
            stop_due: false,
            reset_due: false,
            linger: None,
            lingered: false,
        }
    }

    /// Takes bytes of the application; returns how many, 0 if the buffer is full.
    ///
    /// # Errors
    /// If nothing can be written any more.
    pub fn write(&mut self, bytes: &[u8]) -> Result<usize, WriteError> {
        if let Some(abort) = self.abort {
            return Err(abort.into());
        }
        if self.stopped_by_peer {
            return Err(WriteError::Stopped);
        }
        if self.write != WriteSide::Open {
            return Err(WriteError::Closed);
        }
        let taken = bytes.len().min(self.settings.write_buffer.saturating_sub(self.outgoing.len()));
        self.outgoing.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    /// Whether everything that was written has been handed to the channel.
    pub fn is_flushed(&self) -> bool {
        self.outgoing.is_empty() && self.returned.is_none()
    }

    /// Ends our writing; bytes that are buffered are still sent. Does nothing if it has ended already.
    pub fn close(&mut self) {
        if self.abort.is_none() && self.write == WriteSide::Open {
            self.write = WriteSide::Closing;
        }
    }

    /// How far the end of our writing has come.
    pub fn write_state(&self) -> WriteState {
        match (self.write, self.abort) {
            (WriteSide::Closed { confirmed: true }, _) => WriteState::Confirmed,
            (WriteSide::Closed { confirmed: false }, _) => WriteState::Unconfirmed,
            (_, Some(abort)) => WriteState::Aborted(abort),
            (WriteSide::Open, None) => WriteState::Open,
            (WriteSide::Closing | WriteSide::FinSent { .. }, None) => WriteState::Closing,
        }
    }

    /// The next at most `limit` bytes of the peer.
    pub fn read(&mut self, limit: usize) -> Read {
        if let Some(front) = self.incoming.front_mut() {
            let piece = front.split_to(front.len().min(limit));
            self.incoming_cost -= piece.len();
            if front.is_empty() {
                self.incoming.pop_front();
                self.incoming_cost -= PIECE_COST;
            }
            return Read::Data(piece);
        }
        match (self.read, self.abort) {
            (ReadSide::Finished, Some(Abort::ChannelClosed | Abort::ResetByPeer) | None) => Read::End,
            (ReadSide::Stopped, None) => Read::End,
            (_, Some(abort)) => Read::Failed(abort),
            (ReadSide::Open, None) => Read::Pending,
        }
    }

    /// Tells the peer that we read no more, and drops what was not read.
    pub fn stop_reading(&mut self) {
        self.drop_incoming();
        if self.abort.is_none() && self.read == ReadSide::Open {
            self.read = ReadSide::Stopped;
            self.stop_due = true;
        }
    }

    /// Ends both sides at once; what was not sent or not read is dropped.
    pub fn reset(&mut self) {
        self.reset_because(Abort::ResetByUs);
    }

    /// The application lets go of the stream without another word: what it has finished is finished properly, what it has not is
    /// reset. The same rules as yamux's, so that protocols behave alike on both.
    pub fn abandon(&mut self) {
        match (self.write, self.read) {
            (WriteSide::Open, ReadSide::Open) => self.reset(),
            (WriteSide::Open, ReadSide::Stopped | ReadSide::Finished) => self.close(),
            (WriteSide::Closing | WriteSide::FinSent { .. } | WriteSide::Closed { .. }, _) => self.stop_reading(),
        }
        self.drop_incoming();
    }

    /// Whether the channel may be closed: nothing more will be sent, and nothing more is expected that matters.
    pub fn is_done(&self) -> bool {
        if self.abort.is_some() {
            return !self.reset_due;
        }
        let written = matches!(self.write, WriteSide::Closed { .. });
        let read = self.read == ReadSide::Finished || self.lingered;
        written && read && !self.fin_ack_due && self.returned.is_none()
    }

    /// Received bytes that wait for the application, as they count against the bound.
    pub fn buffered(&self) -> usize {
        self.incoming_cost
    }

    /// Takes one message of the channel.
    ///
    /// # Errors
    /// If it made us reset the stream.
    pub fn handle_message(&mut self, now: Instant, message: Bytes) -> Result<(), Fault> {
        self.handle_message_within(now, message, usize::MAX)
    }

    /// Takes one message of the channel, when what is [buffered](Self::buffered) may grow by `room` at most: substreams of one connection
    /// share a bound.
    ///
    /// # Errors
    /// If it made us reset the stream.
    pub fn handle_message_within(&mut self, now: Instant, message: Bytes, room: usize) -> Result<(), Fault> {
        if self.abort.is_some() {
            // The peer may have sent it before it saw the reset.
            return Ok(());
        }
        let most = self.incoming_cost.saturating_add(room);
        let taken = self.take_frames(message, most);
        if taken.is_err() {
            // A stream that was done already is not reset: what is left of this message must not meet the next one.
            self.decoder = Decoder::new();
            self.reset_because(Abort::Fault);
        }
        self.start_linger(now);
        taken
    }

    /// Takes the news that the channel has closed, whoever closed it.
    pub fn handle_channel_closed(&mut self) {
        self.reset_due = false;
        self.fin_ack_due = false;
        self.stop_due = false;
        self.returned = None;
        self.outgoing.clear();
        if self.abort.is_some() || self.is_done() {
            return;
        }
        if let WriteSide::FinSent { .. } = self.write {
            self.write = WriteSide::Closed { confirmed: false };
        }
        self.abort = Some(Abort::ChannelClosed);
    }

    /// The next message for the channel. Ask only while the channel takes messages, or [`Substream::put_back`] what it refuses.
    pub fn poll_message(&mut self, now: Instant) -> Option<Bytes> {
        if std::mem::take(&mut self.reset_due) {
            return Some(Frame::flag(Flag::Reset).encode());
        }
        if self.abort.is_some() {
            return None;
        }
        if let Some(message) = self.returned.take() {
            return Some(message);
        }
        if std::mem::take(&mut self.fin_ack_due) {
            return Some(Frame::flag(Flag::FinAck).encode());
        }
        if std::mem::take(&mut self.stop_due) {
            self.start_linger(now);
            return Some(Frame::flag(Flag::StopSending).encode());
        }
        if !self.outgoing.is_empty() {
            // Taking all of it lets go of the buffer, so that an idle stream holds none.
            let payload = match self.outgoing.len() {
                0..=MAX_PAYLOAD => std::mem::take(&mut self.outgoing),
                _ => self.outgoing.split_to(MAX_PAYLOAD),
            };
            return Some(Frame::data(payload.freeze()).encode());
        }
        if self.write == WriteSide::Closing {
            self.write = WriteSide::FinSent { sent: now, deadline: now + self.settings.fin_ack_timeout };
            return Some(Frame::flag(Flag::Fin).encode());
        }
        None
    }

    /// Returns the message that [`Substream::poll_message`] gave last, because the channel is full; it comes first the next time.
    pub fn put_back(&mut self, message: Bytes) {
        assert!(self.returned.is_none(), "one message is tried at a time");
        match self.abort {
            // The only message after an abort is the RESET.
            Some(_) => self.reset_due = true,
            None => self.returned = Some(message),
        }
    }

    /// When [`Substream::handle_timeout`] has to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.abort.is_some() {
            return None;
        }
        match self.write {
            WriteSide::FinSent { deadline, .. } => Some(deadline),
            WriteSide::Open | WriteSide::Closing | WriteSide::Closed { .. } => self.linger,
        }
    }

    /// Lets time pass. `unsent` is how many bytes of ours the channel still holds.
    pub fn handle_timeout(&mut self, now: Instant, unsent: usize) {
        if let WriteSide::FinSent { sent, deadline } = self.write
            && deadline <= now
        {
            let last = sent + self.settings.drain_timeout;
            self.write = if unsent > 0 && now < last {
                WriteSide::FinSent { sent, deadline: last.min(now + self.settings.fin_ack_timeout) }
            } else {
                WriteSide::Closed { confirmed: false }
            };
        }
        if self.linger.is_some_and(|deadline| deadline <= now) {
            self.linger = None;
            self.lingered = true;
        }
        self.start_linger(now);
    }

    fn take_frames(&mut self, message: Bytes, most: usize) -> Result<(), Fault> {
        self.decoder.push(message).map_err(Misbehaviour::from)?;
        while let Some(frame) = self.decoder.next_frame().map_err(Misbehaviour::from)? {
            self.take_payload(frame.payload, most)?;
            match frame.flag {
                Some(Flag::Reset) => {
                    self.end(Abort::ResetByPeer);
                    return Ok(());
                }
                Some(Flag::Fin) => {
                    // Also for a FIN that comes again: the answer to the first may not have been understood.
                    self.read = ReadSide::Finished;
                    self.fin_ack_due = true;
                    self.stop_due = false;
                }
                Some(Flag::StopSending) => self.stop_writing(),
                Some(Flag::FinAck) => {
                    // One that we did not ask for changes nothing, so it does nothing.
                    if let WriteSide::FinSent { .. } = self.write {
                        self.write = WriteSide::Closed { confirmed: true };
                    }
                }
                None => {}
            }
        }
        Ok(())
    }

    fn take_payload(&mut self, payload: Bytes, most: usize) -> Result<(), Fault> {
        if payload.is_empty() {
            return Ok(());
        }
        match self.read {
            ReadSide::Stopped => Ok(()),
            ReadSide::Finished => Err(Misbehaviour::DataAfterFin { found: payload.len() }.into()),
            ReadSide::Open => {
                let limit = self.settings.read_buffer;
                let cost = payload.len() + PIECE_COST;
                if self.incoming_cost + cost > limit {
                    return Err(Fault::ReadBufferFull { limit });
                }
                if self.incoming_cost + cost > most {
                    return Err(Fault::ConnectionFull { found: cost, room: most - self.incoming_cost });
                }
                self.incoming_cost += cost;
                self.incoming.push_back(payload);
                Ok(())
            }
        }
    }

    /// The peer reads no more: nothing that we have not sent matters, so our side ends here. No RESET in reply (specification,
    /// "Multiplexing"); the FIN tells the peer that the end has come.
    fn stop_writing(&mut self) {
        if let WriteSide::Open | WriteSide::Closing = self.write {
            self.stopped_by_peer = true;
            self.outgoing.clear();
            self.write = WriteSide::Closing;
        }
    }

    /// Starts the bounded wait for the FIN of a peer that we asked to stop: not every implementation sends it.
    fn start_linger(&mut self, now: Instant) {
        let asked = self.read == ReadSide::Stopped && !self.stop_due;
        let waiting = asked && matches!(self.write, WriteSide::Closed { .. });
        if !waiting || self.abort.is_some() {
            self.linger = None;
        } else if self.linger.is_none() && !self.lingered {
            self.linger = Some(now + self.settings.fin_ack_timeout);
        }
    }

    fn reset_because(&mut self, abort: Abort) {
        if self.abort.is_none() && !self.is_done() {
            self.end(abort);
            self.reset_due = true;
        }
    }

    fn end(&mut self, abort: Abort) {
        self.abort = Some(abort);
        self.linger = None;
        self.returned = None;
        self.fin_ack_due = false;
        self.stop_due = false;
        self.outgoing.clear();
        // What a peer finished before it reset the stream is complete (RFC 9000, section 3.2: "Data Recvd").
        if !(self.read == ReadSide::Finished && abort == Abort::ResetByPeer) {
            self.drop_incoming();
        }
    }

    fn drop_incoming(&mut self) {
        self.incoming.clear();
        self.incoming_cost = 0;
    }
}

#[cfg(test)]
mod tests;
