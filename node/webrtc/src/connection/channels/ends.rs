//! How channels end (RFC 8831 section 6.7).

use super::*;

impl Channels {
    pub(super) fn on_deadline(&mut self, now: Instant, id: ChannelId) {
        let Some(channel) = self.table.get(&id) else { return };
        match channel.state {
            State::Waiting => {}
            State::Opening => self.reset(now, id, ChannelEnd::Unanswered),
            State::Open => self.on_overrun(now, id),
            State::Closing(_) if self.schedule.holds(id) => {
                self.schedule.remove(id);
                self.reset_stream(now, id);
                self.set_deadline(id, Some(now + CLOSING));
            }
            // The stream stays taken: nobody knows what the peer thinks of it.
            State::Closing(reason) => self.end(now, id, reason),
            State::Ended => {
                self.remove(id);
                self.drain_blocked(now);
            }
        }
    }

    /// Nobody has read a full channel for too long: it or whoever holds the most must go.
    pub(super) fn on_overrun(&mut self, now: Instant, id: ChannelId) {
        let unread = |id: &ChannelId| self.table[id].unread;
        let own = unread(&id) >= self.settings.channel_receive_buffer;
        let fullest = self.table.keys().copied().max_by_key(unread).unwrap_or(id);
        let offender = if own { id } else { fullest };
        self.reset(now, offender, ChannelEnd::Overrun);
        if self.blocked.contains(&id) {
            self.set_deadline(id, Some(now + self.settings.overrun_patience));
        }
        self.drain_blocked(now);
    }

    /// Closes at once; what was written and not sent is lost.
    pub(super) fn reset(&mut self, now: Instant, id: ChannelId, reason: ChannelEnd) {
        self.schedule.remove(id);
        match self.table.get(&id).map(|channel| channel.state) {
            Some(State::Opening | State::Open) => {
                self.begin_closing(now, id, reason);
                self.reset_stream(now, id);
            }
            Some(State::Ended) => self.remove(id),
            Some(State::Waiting | State::Closing(_)) | None => {}
        }
    }

    pub(super) fn begin_closing(&mut self, now: Instant, id: ChannelId, reason: ChannelEnd) {
        self.blocked.remove(&id);
        self.set_deadline(id, Some(now + CLOSING));
        let Some(channel) = self.table.get_mut(&id) else { return };
        channel.state = State::Closing(reason);
        self.live -= 1;
        self.unread -= std::mem::take(&mut channel.unread);
        channel.incoming.clear();
    }

    pub(super) fn on_crowded(&mut self, now: Instant, stream: u16) {
        match self.by_stream.get(&stream).copied() {
            Some(id) => self.reset(now, id, ChannelEnd::Overrun),
            None => self.refuse(now, stream),
        }
    }

    pub(super) fn reset_stream(&mut self, now: Instant, id: ChannelId) {
        let Some(stream) = self.table.get(&id).and_then(|channel| channel.stream) else { return };
        self.refuse(now, stream);
        if self.sctp.closing() > MAX_CLOSING {
            self.sctp.fail("the peer leaves too many streams half open");
        }
    }

    pub(super) fn on_stream_closed(&mut self, now: Instant, stream: u16) {
        self.unopened.remove(&stream);
        if let Some(streams) = &mut self.streams {
            streams.release(now, stream);
        }
        let Some(id) = self.by_stream.remove(&stream) else { return };
        self.schedule.remove(id);
        let reason = match self.table.get(&id).map(|channel| channel.state) {
            Some(State::Closing(reason)) => reason,
            _ => ChannelEnd::Peer,
        };
        self.end(now, id, reason);
    }

    pub(super) fn end(&mut self, now: Instant, id: ChannelId, reason: ChannelEnd) {
        self.set_deadline(id, None);
        self.blocked.remove(&id);
        let Some(channel) = self.table.get_mut(&id).filter(|channel| channel.state != State::Ended) else { return };
        if channel.state.is_live() {
            self.live -= 1;
        }
        channel.state = State::Ended;
        channel.stream = None;
        self.in_flight -= std::mem::take(&mut channel.in_flight);
        if !channel.hidden {
            self.events.push_back(Event::ChannelClosed { channel: id, reason });
        }
        if channel.incoming.is_empty() {
            self.table.remove(&id);
        } else {
            self.set_deadline(id, Some(now + ENDED));
        }
    }

    /// Forgets an ended channel.
    pub(super) fn remove(&mut self, id: ChannelId) {
        self.set_deadline(id, None);
        if let Some(channel) = self.table.remove(&id) {
            self.unread -= channel.unread;
        }
    }

    pub(super) fn set_deadline(&mut self, id: ChannelId, deadline: Option<Instant>) {
        let Some(channel) = self.table.get_mut(&id) else { return };
        if let Some(before) = std::mem::replace(&mut channel.deadline, deadline) {
            self.deadlines.remove(&(before, id));
        }
        if let Some(deadline) = deadline {
            self.deadlines.insert((deadline, id));
        }
    }
}
